//! The texts of keys, one after the other.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts begin at multiples of this, so that a place in four bytes reaches four times as far.
const STEP: usize = 4;
/// As much as one entry may add, and more.
const ROOM: usize = 1 << 20;

/// Where a text begins, in steps.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::domain::index) struct TextAt(u32);

/// The first byte of a text this long or longer; its length stands in the four bytes after that.
const LONG: u8 = u8::MAX;

/// Bytes that only grow: each text after its length.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
}

impl Texts {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "there is room, and an entry is shorter than 2^16 bytes"
    )]
    pub(super) fn push(&mut self, text: &[u8]) -> TextAt {
        let at = TextAt((self.bytes.len() / STEP) as u32);
        match u8::try_from(text.len()) {
            Ok(length) if length < LONG => self.bytes.push(length),
            _ => {
                self.bytes.push(LONG);
                self.bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(text);
        self.bytes.resize(self.bytes.len().next_multiple_of(STEP), 0);
        at
    }

    pub(super) fn get(&self, at: TextAt) -> &[u8] {
        let rest = self.bytes.get(at.0 as usize * STEP..).unwrap_or_default();
        let text = match rest.split_first() {
            Some((&LONG, rest)) => rest
                .split_first_chunk()
                .and_then(|(length, rest)| rest.get(..u32::from_le_bytes(*length) as usize)),
            Some((length, rest)) => rest.get(..usize::from(*length)),
            None => None,
        };
        text.unwrap_or_default()
    }

    /// Whether what an entry may add still has a place.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes.len() / STEP < u32::MAX as usize - ROOM / STEP
    }

    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.bytes)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Texts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the bytes of texts")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Texts, E> {
                Ok(Texts { bytes: bytes.to_vec() })
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
