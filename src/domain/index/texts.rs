//! The texts of keys, one after the other.
//!
//! Many keys begin alike: with the scheme of a catalogue, with the site of an address. Each beginning is kept once, and each text
//! is the number of its beginning and the rest. Two texts are the same if both parts are, byte for byte: where a beginning ends
//! is told by the text alone, so that the same text has the same parts.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::arena::{ROOM, place_of};
use crate::domain::key::packed::{self, Packed};

/// Texts begin at multiples of this, so that a place in four bytes reaches twice as far.
const STEP: usize = 2;

/// Where a text begins, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::domain::index) struct TextAt(u32);

/// A text by its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Text<'t> {
    /// The number of its beginning.
    pub(super) beginning: u32,
    /// What follows.
    pub(super) rest: &'t [u8],
}

/// Bytes that only grow: of each text the number of its beginning, the length of the rest, and the rest.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Texts {
    bytes: Bytes,
    beginnings: Beginnings,
}

/// How far texts had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextsMark {
    bytes: usize,
    beginnings: usize,
}

impl Texts {
    /// The parts of a text, if any text began like it.
    pub(super) fn parts<'t>(&self, text: &'t [u8]) -> Option<Text<'t>> {
        self.parts_like(text, 0)
    }

    /// The same, where it is likely that it begins like this one.
    #[inline]
    pub(super) fn parts_like<'t>(&self, text: &'t [u8], like: u32) -> Option<Text<'t>> {
        let (beginning, rest) = packed::parts_of(text);
        let is_like = !beginning.is_empty() && self.beginnings.get(like) == beginning;
        let number = if is_like { Some(like) } else { self.beginnings.find(beginning) };
        Some(Text { beginning: number?, rest })
    }

    /// Keeps a text.
    pub(super) fn push<'t>(&mut self, text: &'t [u8]) -> (TextAt, Text<'t>) {
        let (beginning, rest) = packed::parts_of(text);
        let beginning = self.beginnings.share(beginning);
        let bytes = &mut self.bytes.0;
        let at = TextAt(place_of(bytes.len() / STEP));
        write_number(bytes, beginning);
        write_number(bytes, place_of(rest.len()));
        bytes.extend_from_slice(rest);
        bytes.resize(bytes.len().next_multiple_of(STEP), 0);
        (at, Text { beginning, rest })
    }

    /// The text at a place that was given out here.
    #[inline]
    pub(super) fn get(&self, at: TextAt) -> Text<'_> {
        let mut bytes = self.bytes.0.get(at.0 as usize * STEP..).unwrap_or_default();
        let (beginning, length) = (read_number(&mut bytes), read_number(&mut bytes));
        Text { beginning, rest: bytes.get(..length as usize).unwrap_or_default() }
    }

    /// Something of both lines in which most texts lie.
    #[inline]
    pub(super) fn touch(&self, at: TextAt) -> u8 {
        let byte = |away: usize| self.bytes.0.get(at.0 as usize * STEP + away).copied().unwrap_or_default();
        byte(0) ^ byte(32)
    }

    /// A text as it was kept.
    pub(super) fn whole(&self, at: TextAt) -> Packed {
        let Text { beginning, rest } = self.get(at);
        let mut whole = Packed::from_slice(self.beginnings.get(beginning));
        whole.extend_from_slice(rest);
        whole
    }

    /// Whether what an entry may add still has a place.
    pub(super) const fn has_room(&self) -> bool {
        self.bytes.0.len() / STEP < u32::MAX as usize - ROOM
            && self.beginnings.bytes.0.len() < u32::MAX as usize - ROOM
    }

    pub(super) const fn mark(&self) -> TextsMark {
        TextsMark { bytes: self.bytes.0.len(), beginnings: self.beginnings.ends.len() }
    }

    pub(super) fn undo_to(&mut self, mark: TextsMark) {
        self.bytes.0.truncate(mark.bytes);
        self.beginnings.truncate(mark.beginnings);
    }
}

/// Seven bits in each byte, the lowest first; each byte but the last has the highest bit.
fn write_number(bytes: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

#[inline]
fn read_number(bytes: &mut &[u8]) -> u32 {
    // Most numbers are small.
    if let Some((byte @ 0..=0x7f, rest)) = bytes.split_first() {
        *bytes = rest;
        return u32::from(*byte);
    }
    let (mut number, mut shift) = (0_u32, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u32::from(byte & 0x7f).wrapping_shl(shift);
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// Distinct beginnings, by number and back.
#[derive(Default, Serialize, Deserialize)]
#[serde(from = "Image")]
struct Beginnings {
    bytes: Bytes,
    /// Where each of them ends.
    ends: Vec<u32>,
    #[serde(skip)]
    numbers: HashTable<u32>,
    #[serde(skip)]
    hasher: DefaultHashBuilder,
}

/// What of them is written to a snapshot.
#[derive(Deserialize)]
struct Image {
    bytes: Bytes,
    ends: Vec<u32>,
}

impl From<Image> for Beginnings {
    fn from(image: Image) -> Self {
        let Image { bytes, ends } = image;
        let mut all = Self { bytes, ends, ..Self::default() };
        for number in 0..place_of(all.ends.len()) {
            all.note(number);
        }
        all
    }
}

/// The bytes of a beginning.
fn bytes_of<'b>(bytes: &'b [u8], ends: &[u32], number: u32) -> &'b [u8] {
    let number = number as usize;
    let from = number.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |end| *end as usize);
    let to = ends.get(number).map_or(from, |end| *end as usize);
    bytes.get(from..to).unwrap_or_default()
}

impl Beginnings {
    #[inline]
    fn get(&self, number: u32) -> &[u8] {
        bytes_of(&self.bytes.0, &self.ends, number)
    }

    fn find(&self, beginning: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(beginning);
        self.numbers.find(hash, |number| self.get(*number) == beginning).copied()
    }

    /// The number of a beginning, which is new or not.
    fn share(&mut self, beginning: &[u8]) -> u32 {
        if let Some(number) = self.find(beginning) {
            return number;
        }
        let number = place_of(self.ends.len());
        self.bytes.0.extend_from_slice(beginning);
        self.ends.push(place_of(self.bytes.0.len()));
        self.note(number);
        number
    }

    fn note(&mut self, number: u32) {
        let Self { bytes, ends, numbers, hasher } = self;
        let hash = |number: u32| hasher.hash_one(bytes_of(&bytes.0, ends, number));
        numbers.insert_unique(hash(number), number, |number| hash(*number));
    }

    fn truncate(&mut self, len: usize) {
        for number in (len..self.ends.len()).rev().map(place_of) {
            let hash = self.hasher.hash_one(self.get(number));
            if let Ok(slot) = self.numbers.find_entry(hash, |other| *other == number) {
                slot.remove();
            }
        }
        self.ends.truncate(len);
        self.bytes.0.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }
}

/// Bytes that are written to a snapshot as they are.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the bytes of texts")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::{Key, Sha256};
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = Packed> {
        let of = |key: Result<Key, _>| packed::of(&key.unwrap());
        prop_oneof![
            (0..300_u32, 0..9_u32)
                .prop_map(move |(site, path)| of(Key::url(&format!("https://s{site}.example/{path}")))),
            (0..3_u32, 0..9_u32)
                .prop_map(move |(site, path)| of(Key::url_prefix(&format!("http://s{site}.example/{path}")))),
            (0..9_u8).prop_map(|content| packed::of(&Key::sha256(Sha256::of(&[content])))),
            (0..3_u32, 0..9_u32)
                .prop_map(move |(of_a, it)| of(Key::identifier(&format!("s{of_a}"), &it.to_string()))),
            (0..3_u32).prop_map(move |body| of(Key::iscc("0010", &format!("{body:016x}")))),
            // Whatever the bytes are.
            vec(any::<u8>(), 0..400).prop_map(|bytes| Packed::from_slice(&bytes)),
        ]
    }

    proptest! {
        #[test]
        fn a_text_is_read_back_and_its_parts_are_its_own(
            first in vec(key(), 0..60), keep in 0..60_usize, second in vec(key(), 0..60)
        ) {
            let (mut texts, mut known) = (Texts::default(), Vec::new());
            let mut marks = Vec::new();
            for text in &first {
                marks.push(texts.mark());
                known.push((texts.push(text).0, text.clone()));
            }
            if let Some(mark) = marks.get(keep) {
                texts.undo_to(*mark);
                known.truncate(keep);
            }
            for text in &second {
                let (at, parts) = texts.push(text);
                prop_assert_eq!(texts.get(at), parts);
                known.push((at, text.clone()));
            }
            let image = postcard::to_stdvec(&texts).unwrap();
            for texts in [texts, postcard::from_bytes(&image).unwrap()] {
                for (at, text) in &known {
                    prop_assert_eq!(&texts.whole(*at), text);
                    for (other_at, other) in &known {
                        prop_assert_eq!(Some(texts.get(*at)) == texts.parts(other), text == other, "{:?}", other_at);
                    }
                }
            }
        }
    }

    #[test]
    fn a_beginning_is_kept_once_and_taken_back_with_the_text_that_brought_it() {
        let mut texts = Texts::default();
        let text = |number: u32| packed::of(&Key::url(&format!("https://works.example/{number}")).unwrap());
        let empty = texts.mark();
        for number in 0..1_000 {
            texts.push(&text(number));
        }
        assert_eq!(texts.beginnings.ends.len(), 1);
        assert!(texts.bytes.0.len() <= 1_000 * (2 + "/123".len()));
        texts.undo_to(empty);
        assert_eq!((texts.parts(&text(0)), texts.beginnings.bytes.0.len()), (None, 0));
    }
}
