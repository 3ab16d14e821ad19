//! Where a key of the registry comes from, when it is not in the data folder.

use std::fmt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use super::Value;

/// What is shown of a key that is stated, whatever it is.
const STATED: &str = "(set)";

/// A key as it is stated: its file, or itself. Neither is ever shown: a secret that was put where a path belongs is one too.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyText {
    /// It is in the data folder.
    None,
    /// The file with it.
    File(PathBuf),
    /// Its 32 secret bytes.
    Given([u8; 32]),
}

impl KeyText {
    /// Whether the secret itself was stated.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Given(_))
    }

    /// The file, if one was named.
    pub fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for KeyText {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Ok(Self::None);
        }
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        if let Some(bytes) = bytes {
            return Ok(Self::Given(bytes));
        }
        // Half a secret is no name of a file.
        let is_path = text.contains('/') && !text.contains('\0');
        if is_path {
            Ok(Self::File(text.into()))
        } else {
            Err("expected the path of a file, with a `/` in it, or (in the environment alone) the 64 lower-case hexadecimal digits of the key".to_owned())
        }
    }

    fn show(&self) -> String {
        format!("\"{}\"", if *self == Self::None { "" } else { STATED })
    }

    fn masked(text: &str) -> String {
        if text.is_empty() { String::new() } else { STATED.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_and_no_path_of_one_is_shown() {
        let secret = "5a".repeat(32);
        let read = |text: &str| KeyText::read(text, &());
        assert_eq!(read(&secret), Ok(KeyText::Given([0x5a; 32])));
        assert_eq!(read(&format!("{secret}\n")), Ok(KeyText::Given([0x5a; 32])));
        assert_eq!(read("/run/secrets/a.key"), Ok(KeyText::File("/run/secrets/a.key".into())));
        assert_eq!(read(""), Ok(KeyText::None));
        for half in [&secret[1..], &secret.to_uppercase(), "(set)", "act-log.key"] {
            assert!(!read(half).unwrap_err().contains(half), "{half}");
            assert_eq!(KeyText::masked(half), "(set)");
        }
        let given = read(&secret).unwrap();
        assert_eq!((format!("{given:?}"), given.show()), ("\"(set)\"".to_owned(), "\"(set)\"".to_owned()));
    }
}
