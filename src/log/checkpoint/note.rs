//! The envelope: C2SP `signed-note`, a text, a blank line, and signature lines.

use data_encoding::BASE64;

use super::{CheckpointError, MAX_NOTE_BYTES, MAX_SIGNATURES};
use crate::domain::base64;

/// How a signature line begins: an em dash and a blank.
const PREFIX: &str = "\u{2014} ";

/// Whether `name` can be a key's: not empty, no blank of any kind, no control character, no `+`.
pub(super) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// Refuses the control characters below U+0020, except the end of a line.
pub(super) fn check_characters(text: &str) -> Result<(), CheckpointError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(CheckpointError::Malformed("it holds a control character"));
    }
    Ok(())
}

/// The signed text, with the end of its last line, and the signature lines without theirs.
pub(super) fn split(note: &[u8]) -> Result<(&str, impl Iterator<Item = &str>), CheckpointError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(CheckpointError::Malformed("it is longer than 1,000,000 bytes"));
    }
    let note = std::str::from_utf8(note).map_err(|_| CheckpointError::Malformed("it is not UTF-8"))?;
    check_characters(note)?;
    let no_signatures = CheckpointError::Malformed("there are no signature lines after a blank line");
    let blank = note.rfind("\n\n").ok_or(no_signatures)?;
    let (text, signatures) = note.split_at_checked(blank + 1).ok_or(no_signatures)?;
    let signatures = signatures.strip_prefix('\n').ok_or(no_signatures)?;
    let signatures =
        signatures.strip_suffix('\n').ok_or(CheckpointError::Malformed("the last line does not end"))?;
    if signatures.split('\n').count() > MAX_SIGNATURES {
        return Err(CheckpointError::Malformed("it bears more than 100 signatures"));
    }
    Ok((text, signatures.split('\n')))
}

/// One signature, not yet verified.
pub(super) struct SignatureLine<'a> {
    pub(super) name: &'a str,
    pub(super) key_id: u32,
    pub(super) bytes: Vec<u8>,
}

impl<'a> SignatureLine<'a> {
    /// Reads `— name base64(key id, signature)`, without the end of the line.
    pub(super) fn parse(line: &'a str) -> Result<Self, CheckpointError> {
        let wrong = CheckpointError::Malformed("a signature line is not `\u{2014} name base64`");
        let (name, encoded) = line.strip_prefix(PREFIX).and_then(|rest| rest.split_once(' ')).ok_or(wrong)?;
        let bytes = base64::decode(encoded).ok_or(wrong)?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(wrong)?;
        if !is_key_name(name) || signature.is_empty() {
            return Err(wrong);
        }
        Ok(Self { name, key_id: u32::from_be_bytes(*key_id), bytes: signature.to_vec() })
    }
}

/// The note of `text` with one signature.
pub(super) fn write(text: &str, name: &str, key_id: u32, signature: &[u8]) -> String {
    format!("{text}\n{}", line(name, key_id, signature))
}

/// A signature line, with its end.
pub(super) fn line(name: &str, key_id: u32, signature: &[u8]) -> String {
    let encoded = BASE64.encode(&[&key_id.to_be_bytes(), signature].concat());
    format!("{PREFIX}{name} {encoded}\n")
}
