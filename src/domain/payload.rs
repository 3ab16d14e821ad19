//! Payloads: what people read. Kept in ordinary tables, erasable, and present in the log only as a salted digest.

use serde::{Deserialize, Serialize};

use super::entry::Salt;

/// A text in a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// The text, in NFC, 1 to 500 characters.
    pub text: String,
    /// The language, a BCP 47 tag.
    pub lang: String,
    /// How it is read, such as katakana.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<String>,
}

/// What an act says to people, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Payload {
    /// An organization's name.
    Org {
        /// The name.
        name: String,
    },
    /// A model's name.
    Model {
        /// The name.
        name: String,
    },
    /// A work's titles; the first is the main one.
    Work {
        /// One or more.
        titles: Vec<Title>,
        /// A date or year of first publication, as precisely as known (EDTF level 0).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        published: Option<String>,
    },
    /// A note in words: a reason, a letter; evidence too, where an older program recorded it.
    Note {
        /// The text.
        text: String,
    },
    /// Evidence in words. The act holds a digest of it beside that of the payload, and that has a salt too, which goes with the text.
    Evidence {
        /// The salt: the digest in the act is SHA-256 of its 16 bytes and the text.
        salt: Salt,
        /// The text.
        text: String,
    },
}
