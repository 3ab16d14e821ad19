//! Text that people wrote: newtypes that hold no blanks-only, control or direction-changing characters.
//!
//! Each normalizes to NFC on reading. Inside [`crate::http::extract::ValidJson`] a bad text is kept until `validate`
//! reports it with all others, so that a client learns of every broken place at once; anywhere else it does not
//! deserialize.

use std::borrow::Cow;
use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize};
use unicode_normalization::UnicodeNormalization;
use validator::{Validate, ValidateEmail, ValidationError, ValidationErrors};

use super::problem::pointer::SELF;
use crate::registry::mail::MAX_EMAIL_CHARS;

thread_local! {
    /// How many bad texts the running [`collecting`] has let through; none runs when `None`.
    static LET_THROUGH: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Runs `read` so that bad texts deserialize, to be reported by `validate`. Also returns how many did: when that is
/// not 0 and `validate` found nothing, a `#[validate(nested)]` is missing and the input must be refused all the same.
pub(super) fn collecting<T>(read: impl FnOnce() -> T) -> (T, u32) {
    LET_THROUGH.set(Some(0));
    let result = read();
    (result, LET_THROUGH.replace(None).unwrap_or(0))
}

/// What is wrong with a text of at most `max` characters, in words; lines are allowed where `lines` says so.
pub fn fault(text: &str, max: usize, lines: bool) -> Option<(&'static str, String)> {
    if text.trim().is_empty() {
        return Some(("blank", "must not be empty or blank".to_owned()));
    }
    if let Some(bad) = text.chars().find(|c| is_refused(*c) && !(lines && matches!(c, '\n' | '\t'))) {
        return Some((
            "forbidden_character",
            format!("must not contain the character U+{:04X}", u32::from(bad)),
        ));
    }
    let length = text.chars().count();
    (length > max).then(|| ("length", format!("must hold at most {max} characters, holds {length}")))
}

/// Control characters (NUL among them), characters that change the direction of what follows (Unicode UAX #9), line
/// and paragraph separators, the byte order mark, and noncharacters.
fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(c, '\u{FEFF}' | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $max:literal, lines: $lines:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
        pub struct $name(String);

        impl $name {
            /// The most characters it holds, after NFC.
            pub const MAX_CHARS: usize = $max;

            /// Reads a text, or says what is wrong with it.
            pub fn new(text: &str) -> Result<Self, String> {
                let text: String = text.nfc().collect();
                match fault(&text, $max, $lines) {
                    None => Ok(Self(text)),
                    Some((_, detail)) => Err(detail),
                }
            }

            /// The text, in NFC.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, in NFC.
            pub fn into_string(self) -> String {
                self.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text: String = Cow::<str>::deserialize(deserializer)?.nfc().collect();
                match (fault(&text, $max, $lines), LET_THROUGH.get()) {
                    (None, _) => {}
                    (Some((_, detail)), None) => return Err(serde::de::Error::custom(detail)),
                    (Some(_), Some(count)) => LET_THROUGH.set(Some(count.saturating_add(1))),
                }
                Ok(Self(text))
            }
        }

        impl Validate for $name {
            fn validate(&self) -> Result<(), ValidationErrors> {
                let Some((code, detail)) = fault(&self.0, $max, $lines) else { return Ok(()) };
                let mut errors = ValidationErrors::new();
                errors.add(SELF, ValidationError::new(code).with_message(Cow::Owned(detail)));
                Err(errors)
            }
        }
    )*};
}

texts! {
    /// The title of a work, or the name of an organization or model.
    Title: 500, lines: false;
    /// A short name that someone gives to a thing of their own: a key, a reference, a note in a list.
    Label: 100, lines: false;
    /// Free text of several lines: a reason, a letter, a condition in words.
    Note: 4000, lines: true;
}

/// An address of mail, as it was written.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Email(String);

impl Email {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Validate for Email {
    fn validate(&self) -> Result<(), ValidationErrors> {
        if self.0.validate_email() && self.0.chars().count() <= MAX_EMAIL_CHARS {
            return Ok(());
        }
        let mut errors = ValidationErrors::new();
        let detail = format!("must be an address of mail of at most {MAX_EMAIL_CHARS} characters");
        errors.add(SELF, ValidationError::new("email").with_message(Cow::Owned(detail)));
        Err(errors)
    }
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_controls_and_direction_marks_are_refused() {
        for bad in
            ["", " \u{3000}", "a\0b", "a\u{202E}b", "a\u{2066}", "\u{FEFF}a", "a\nb", "a\u{FFFF}", "\u{7f}x"]
        {
            assert!(Title::new(bad).is_err(), "{bad:?}");
            assert!(serde_json::from_value::<Title>(serde_json::json!(bad)).is_err(), "{bad:?}");
        }
        assert!(Note::new("two\nlines").is_ok());
        assert!(Note::new("two\rlines").is_err());
    }

    #[test]
    fn ordinary_titles_pass_and_become_nfc() {
        for good in ["星屑の図書館", "Ἀθηνᾶ", "👩‍🚀 in space", "café"] {
            assert_eq!(Title::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Title::new("cafe\u{301}").unwrap().as_str(), "caf\u{e9}");
        assert_eq!(Title::new("か\u{3099}").unwrap().into_string(), "が");
    }

    #[test]
    fn the_length_counts_characters() {
        assert!(Label::new(&"字".repeat(Label::MAX_CHARS)).is_ok());
        assert!(Label::new(&"字".repeat(Label::MAX_CHARS + 1)).is_err());
    }
}
