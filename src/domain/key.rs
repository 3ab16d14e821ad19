//! Keys: what an item is asked by, and what ties it to works.
//!
//! A key is normalized once, before it enters the log or a question, and compared byte for byte ever after, so that no
//! later table of Unicode or of URLs can change an old answer. Titles are not keys: they never decide anything (R10).

mod address;
pub mod packed;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use unicode_normalization::UnicodeNormalization;
use url::Url;

use self::address::{is_plain, normal_url, segments};
use super::ids::WorkId;

/// The longest URL, in bytes of its normal form.
pub const MAX_URL_BYTES: usize = 2_048;
/// The longest value of an identifier, in bytes of its normal form.
pub const MAX_IDENTIFIER_BYTES: usize = 256;
/// The deepest registered prefix, in path segments; a question looks up one prefix for each.
pub const MAX_PREFIX_SEGMENTS: usize = 32;
/// The greatest Hamming distance, of 64 bits, at which two ISCC units of one type are near each other.
pub const NEAR_RADIUS_OF_64: u32 = 6;

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a URL by the WHATWG rules.
    #[error("`{0}` is not a URL: {1}")]
    NotUrl(String, url::ParseError),
    /// Another scheme than `http` or `https`.
    #[error("`{0}` is not a web address: expected `http` or `https`")]
    NotWeb(String),
    /// A user name or password stands in it.
    #[error("a URL key must not hold a user name or password")]
    Credentials,
    /// It would be another address when it is read again.
    #[error("`{0}` has no normal form: write the characters that its escapes stand for")]
    Ambiguous(String),
    /// Over a limit.
    #[error("the key is longer than {0} bytes")]
    TooLong(usize),
    /// A prefix with a query, or deeper than [`MAX_PREFIX_SEGMENTS`].
    #[error("a URL prefix has no query and at most {MAX_PREFIX_SEGMENTS} path segments")]
    NotPrefix,
    /// Not 64 lower-case hexadecimal digits.
    #[error("expected 64 lower-case hexadecimal digits of a SHA-256")]
    NotSha256,
    /// A scheme that is not a short lower-case token.
    #[error(
        "an identifier scheme is 1 to 32 lower-case letters, digits, `.`, `_` or `-`, and starts with a letter or digit"
    )]
    NotScheme,
    /// An empty value, one with control characters, or one with white space at an end.
    #[error(
        "an identifier value is 1 to {MAX_IDENTIFIER_BYTES} bytes, without control characters or white space at its ends"
    )]
    NotValue,
    /// Not an ISCC unit.
    #[error("an ISCC unit has a header of 4 hexadecimal digits and a body of 16, 32, 48 or 64")]
    NotIscc,
}

/// A SHA-256, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The SHA-256 of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Its text, in these bytes.
    fn hex(self, text: &mut [u8; 64]) -> &str {
        HEXLOWER.encode_mut(&self.0, text);
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Adds its text to what is there.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut text = [0; 64];
        HEXLOWER.encode_mut(&self.0, &mut text);
        out.extend_from_slice(&text);
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex(&mut [0; 64]))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256 {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut digest = [0; 32];
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| KeyError::NotSha256)?;
        HEXLOWER.decode_mut(digits, &mut digest).map_err(|_| KeyError::NotSha256)?;
        Ok(Self(digest))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.hex(&mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A key that can be tied to works. Its fields are already normalized; make one with the functions of this type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Key {
    /// This address and no other.
    Url {
        /// The normal form.
        value: String,
    },
    /// Every address below this one. Alone it only says where something lies (R8, `location_only`).
    UrlPrefix {
        /// The normal form, without a final slash.
        value: String,
    },
    /// A file with this content.
    Sha256 {
        /// The hash of the content.
        value: Sha256,
    },
    /// An identifier of a catalogue or standard, compared exactly.
    Id {
        /// Who numbers, such as `isan` or a catalogue's name.
        scheme: CompactString,
        /// The number, in Unicode NFC.
        value: CompactString,
    },
    /// One unit of an ISCC (ISO 24138), for exact and near matches.
    Iscc {
        /// Main type, sub type and version: 4 hexadecimal digits.
        header: String,
        /// 64 to 256 bits in hexadecimal.
        body: String,
    },
}

impl Key {
    /// The key of a web address.
    pub fn url(text: &str) -> Result<Self, KeyError> {
        // Most addresses come in normal form, and what is told at a glance need not be taken apart.
        let value = if is_plain(text) { text.to_owned() } else { normal_url(text)?.into() };
        Ok(Self::Url { value })
    }

    /// The key of everything below a web address: the path ends at a segment, so `…/a` covers `…/a/b` and not `…/ab`.
    pub fn url_prefix(text: &str) -> Result<Self, KeyError> {
        let url = normal_url(text)?;
        if url.query().is_some() {
            return Err(KeyError::NotPrefix);
        }
        let mut value = url[..url::Position::BeforePath].to_owned();
        let mut depth = 0;
        for segment in segments(&url) {
            depth += 1;
            value.push('/');
            value.push_str(segment);
        }
        if depth > MAX_PREFIX_SEGMENTS { Err(KeyError::NotPrefix) } else { Ok(Self::UrlPrefix { value }) }
    }

    /// The key of a file's content.
    pub const fn sha256(value: Sha256) -> Self {
        Self::Sha256 { value }
    }

    /// The key of a catalogue's or a standard's identifier.
    pub fn identifier(scheme: &str, value: &str) -> Result<Self, KeyError> {
        let token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut bytes = scheme.bytes();
        let first_is_token = bytes.next().is_some_and(token);
        if !first_is_token || scheme.len() > 32 || !bytes.all(|b| token(b) || matches!(b, b'.' | b'_' | b'-'))
        {
            return Err(KeyError::NotScheme);
        }
        // ASCII is in normal form, and none of it but controls is invisible.
        let (value, is_visible) = if value.is_ascii() {
            (value.into(), !value.bytes().any(|byte| byte.is_ascii_control()))
        } else {
            let value: CompactString = value.nfc().collect();
            let is_visible = !value.chars().any(is_invisible);
            (value, is_visible)
        };
        if value.is_empty() || value.len() > MAX_IDENTIFIER_BYTES || value.trim() != value || !is_visible {
            return Err(KeyError::NotValue);
        }
        Ok(Self::Id { scheme: scheme.into(), value })
    }

    /// The key of an ISCC unit.
    pub fn iscc(header: &str, body: &str) -> Result<Self, KeyError> {
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if header.len() != 4 || !matches!(body.len(), 16 | 32 | 48 | 64) || !hex(header) || !hex(body) {
            return Err(KeyError::NotIscc);
        }
        Ok(Self::Iscc { header: header.to_owned(), body: body.to_owned() })
    }

    /// Whether the fields are in normal form: what [`super::admit`] asks before a key enters the log.
    pub fn is_normal(&self) -> bool {
        let again = match self {
            Self::Url { value } => Self::url(value),
            Self::UrlPrefix { value } => Self::url_prefix(value),
            Self::Sha256 { .. } => return true,
            Self::Id { scheme, value } => Self::identifier(scheme, value),
            Self::Iscc { header, body } => Self::iscc(header, body),
        };
        again.as_ref() == Ok(self)
    }

    /// Whether a match by this key says only where something lies, not what it is (R8).
    pub fn is_location(&self) -> bool {
        matches!(self, Self::UrlPrefix { .. })
    }

    /// The host, where the key is a web address.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Url { value } | Self::UrlPrefix { value } => {
                Url::parse(value).ok()?.host_str().map(ToOwned::to_owned)
            }
            _ => None,
        }
    }

    /// For a URL: every prefix key that covers it, shortest first.
    pub fn covering_prefixes(&self) -> Vec<Self> {
        let Self::Url { value } = self else { return Vec::new() };
        let Ok(url) = Url::parse(value) else { return Vec::new() };
        let mut prefix = url[..url::Position::BeforePath].to_owned();
        let mut prefixes = vec![Self::UrlPrefix { value: prefix.clone() }];
        for segment in segments(&url).take(MAX_PREFIX_SEGMENTS) {
            prefix.push('/');
            prefix.push_str(segment);
            prefixes.push(Self::UrlPrefix { value: prefix.clone() });
        }
        prefixes
    }

    /// A number for the scheme, host and port of a web address: one site has one number, and two seldom have the same.
    pub fn site(&self) -> Option<u64> {
        let (Self::Url { value } | Self::UrlPrefix { value }) = self else { return None };
        let host_from = value.find("://")? + 3;
        let rest = value.as_bytes().get(host_from..)?;
        let host_to = rest.iter().position(|byte| *byte == b'/').map_or(value.len(), |at| host_from + at);
        let site = value.as_bytes().get(..host_to)?;
        Some(site.chunks(8).fold(site.len() as u64, |sum, chunk| {
            let word = chunk.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
            (sum.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        }))
    }

    /// 128 bits that stand for the key in memory (never in the log): the head of its SHA-256.
    pub fn fingerprint(&self) -> u128 {
        let mut hasher = sha2::Sha256::new();
        let (tag, first, second): (u8, &[u8], &[u8]) = match self {
            Self::Url { value } => (1, value.as_bytes(), b""),
            Self::UrlPrefix { value } => (2, value.as_bytes(), b""),
            Self::Sha256 { value } => (3, &value.0, b""),
            Self::Id { scheme, value } => (4, scheme.as_bytes(), value.as_bytes()),
            Self::Iscc { header, body } => (5, header.as_bytes(), body.as_bytes()),
        };
        hasher.update([tag]);
        hasher.update(first);
        hasher.update([0]);
        hasher.update(second);
        let hash: [u8; 32] = hasher.finalize().into();
        hash.iter().take(16).fold(0, |value, byte| (value << 8) | u128::from(*byte))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { value } => write!(f, "{value}"),
            Self::UrlPrefix { value } => write!(f, "{value}/…"),
            Self::Sha256 { value } => write!(f, "sha256:{value}"),
            Self::Id { scheme, value } => write!(f, "{scheme}:{value}"),
            Self::Iscc { header, body } => write!(f, "iscc:{header}{body}"),
        }
    }
}

/// Characters that a reader can't see or that reorder what is seen: controls, and the marks of Unicode UAX #9.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What a question asks about: a work by its name here, or a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SubjectKey {
    /// A registered work.
    Work(WorkKey),
    /// Anything that is tied to works.
    Key(Key),
}

/// `{"type":"work","id":"wrk_…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkKey {
    /// Always `work`.
    pub r#type: WorkTag,
    /// The work.
    pub id: WorkId,
}

/// The tag of a [`WorkKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkTag {
    /// The only one.
    Work,
}

impl SubjectKey {
    /// The key of a registered work.
    pub const fn work(id: WorkId) -> Self {
        Self::Work(WorkKey { r#type: WorkTag::Work, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_web_address_is_refused() {
        for bad in [
            "",
            "a.example",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://u:p@a.example/",
            "https://",
            "https://a b/",
        ] {
            assert!(Key::url(bad).is_err(), "{bad}");
        }
        assert!(Key::url(&format!("https://a.example/{}", "x".repeat(MAX_URL_BYTES))).is_err());
    }

    #[test]
    fn a_prefix_ends_at_a_segment_and_empty_segments_do_not_hide() {
        let prefix = Key::url_prefix("https://a.example/b/").unwrap();
        let covers = |text: &str| Key::url(text).unwrap().covering_prefixes().contains(&prefix);
        assert!(covers("https://a.example/b"));
        assert!(covers("https://a.example/b/c?d"));
        assert!(covers("https://a.example//b//c"));
        assert!(!covers("https://a.example/bc"));
        assert!(!covers("https://sub.a.example/b/"));
        assert!(Key::url_prefix("https://a.example/?q=1").is_err());
    }

    #[test]
    fn normal_keys_stay_normal() {
        let keys = [
            Key::url("https://a.example/%E3%81%82?q=%2f").unwrap(),
            Key::url_prefix("https://a.example").unwrap(),
            Key::url_prefix("https://a.example/x/").unwrap(),
            Key::identifier("isan", "0000-0001").unwrap(),
            Key::iscc("0010", "0011223344556677").unwrap(),
            Key::sha256(Sha256::of(b"")),
        ];
        for key in &keys {
            assert!(key.is_normal(), "{key:?}");
        }
        assert!(!Key::Url { value: "https://A.example/".into() }.is_normal());
        assert!(!Key::Id { scheme: "ISAN".into(), value: "1".into() }.is_normal());
        assert!(!Key::Id { scheme: "isan".into(), value: "1\u{202e}".into() }.is_normal());
    }
}
