//! API keys: how one looks, and what is kept of it.
//!
//! `kyo_live_` (or `kyo_test_`, for the sandbox), 32 characters that hold 160 random bits, 7 characters that hold the CRC-32 (ISO-HDLC) of everything
//! before them; all in Crockford's base32, lower case. The checksum tells a mistyped key from a revoked one without
//! asking anybody, and lets scanners of leaked secrets be sure of what they found. It protects nothing: the 160 bits do.

use std::fmt;

use crate::clock;
use crate::domain::key::Sha256;

/// What every key of the real registry begins with.
pub const PREFIX: &str = "kyo_live_";
/// What every key of its sandbox begins with; as long as [`PREFIX`].
pub const TEST_PREFIX: &str = "kyo_test_";
/// The number of characters of a whole key.
pub const CHARS: usize = PREFIX.len() + RANDOM_CHARS + CHECK_CHARS;
/// How many characters of a key are shown in lists.
const SHOWN_CHARS: usize = PREFIX.len() + 4;
const RANDOM_CHARS: usize = 32;
const CHECK_CHARS: usize = 7;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// Where a key is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// In the real registry.
    Live,
    /// In its sandbox.
    Test,
}

impl Realm {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Live => PREFIX,
            Self::Test => TEST_PREFIX,
        }
    }
}

/// A whole key, which only its owner may see, once. It can't be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A text that is no key of this service: mistyped, cut off, or something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the key is mistyped or cut off: it is not `kyo_live_` or `kyo_test_` and 39 characters with a checksum that fits"
)]
pub struct Mistyped;

impl Secret {
    /// A new key of the real registry.
    pub fn new() -> Self {
        Self::of(Realm::Live)
    }

    /// A new key.
    pub fn of(realm: Realm) -> Self {
        let mut text = String::with_capacity(CHARS);
        text.push_str(realm.prefix());
        text.push_str(&base32(&clock::random::<20>()));
        text.push_str(&check_of(&text));
        Self(text)
    }

    /// A key as somebody sent it, when its form and its checksum are right. Whether it is live is another question.
    pub fn read(text: &str) -> Result<Self, Mistyped> {
        let (body, check) = text.split_at_checked(CHARS - CHECK_CHARS).ok_or(Mistyped)?;
        let random = body.strip_prefix(PREFIX).or_else(|| body.strip_prefix(TEST_PREFIX)).ok_or(Mistyped)?;
        if is_base32(random) && check == check_of(body) { Ok(Self(text.to_owned())) } else { Err(Mistyped) }
    }

    /// The key itself, to be shown to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Where it is good.
    pub fn realm(&self) -> Realm {
        if self.0.starts_with(TEST_PREFIX) { Realm::Test } else { Realm::Live }
    }

    /// What is stored of it. A plain hash is right for 160 random bits, and a lookup by hash tells nothing by its time.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::of(self.0.as_bytes()).0
    }

    /// Its first characters, for lists.
    pub fn shown(&self) -> &str {
        self.0.get(..SHOWN_CHARS).unwrap_or(PREFIX)
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new()
    }
}

fn check_of(body: &str) -> String {
    base32(&CRC.checksum(body.as_bytes()).to_be_bytes())
}

/// Whether the text could come from [`base32`].
pub(super) fn is_base32(text: &str) -> bool {
    text.bytes().all(|byte| ALPHABET.contains(&byte))
}

/// Five bits a character, from the first on; the last one is filled with zeros.
pub(super) fn base32(bytes: &[u8]) -> String {
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0_u32);
    for byte in bytes.iter().copied().map(Some).chain([None]) {
        match byte {
            Some(byte) => (held, bits) = ((held << 8) | u32::from(byte), bits + 8),
            None if bits > 0 => (held, bits) = (held << (5 - bits), 5),
            None => {}
        }
        while bits >= 5 {
            bits -= 5;
            let digit = ALPHABET.get((held >> bits & 31) as usize).copied().unwrap_or(b'0');
            text.push(char::from(digit));
            held &= (1 << bits) - 1;
        }
    }
    text
}

/// What a request shows to say who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    Key(Secret),
    /// The access token of a session, unread.
    Token(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(…)",
            Self::Token(_) => "Token(…)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_key_has_160_bits_and_a_checksum_that_others_can_compute() {
        let key = Secret::new();
        assert_eq!(key.expose().len(), CHARS);
        assert_eq!(Secret::read(key.expose()), Ok(key.clone()));
        assert_eq!(base32(&[0xff; 20]), "z".repeat(32));
        assert_eq!(base32(&[0, 0, 0, 1]), "0000008");
        // CRC-32 of `123456789` is cbf43926 (the check value of the catalogue of CRCs).
        assert_eq!(CRC.checksum(b"123456789"), 0xcbf4_3926);
        let fixed = format!("kyo_live_{}", "0".repeat(32));
        assert_eq!(check_of(&fixed), base32(&CRC.checksum(fixed.as_bytes()).to_be_bytes()));
        let many: HashSet<_> = (0..1000).map(|_| Secret::new().expose().to_owned()).collect();
        assert_eq!(many.len(), 1000);
    }

    #[test]
    fn every_single_mistake_is_found() {
        let key = Secret::new().expose().to_owned();
        for at in PREFIX.len()..key.len() {
            for other in ALPHABET.iter().copied().filter(|other| *other != key.as_bytes()[at]) {
                let mut bytes = key.clone().into_bytes();
                bytes[at] = other;
                assert!(Secret::read(std::str::from_utf8(&bytes).unwrap()).is_err());
            }
        }
        for bad in ["", "kyo_live_", &key[..key.len() - 1], &format!("{key}0"), &key.to_uppercase(), "許"] {
            assert_eq!(Secret::read(bad), Err(Mistyped), "{bad}");
        }
        assert_eq!(format!("{:?}", Secret::new()), "Secret(…)");
    }
}
