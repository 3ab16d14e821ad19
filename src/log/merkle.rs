//! The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1, with SHA-256.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sha256::headed;
use crate::domain::base64;

/// Bytes in a hash.
pub const HASH_BYTES: usize = 32;

/// The largest tree that is built, proved or read: 2^53 leaves, since sizes travel as JSON numbers.
pub const MAX_SIZE: u64 = 1 << 53;

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// A SHA-256 hash. Written, also in JSON, as 64 lower-case hexadecimal digits; nothing else is read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_BYTES]);

/// Text that is not 64 lower-case hexadecimal digits, or bytes that are not 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 32 bytes, written as 64 lower-case hexadecimal digits")]
pub struct HashError;

impl Hash {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    /// Reads it as checkpoints and proofs have it, in base64; none where it is written otherwise than they write it.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::try_from(base64::decode(text)?.as_slice()).ok()
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashError;

    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        HEXLOWER.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| HashError)?;
        Self::try_from(bytes.as_slice())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Hash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 lower-case hexadecimal digits")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hash, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The hash of a leaf: SHA-256 of `0x00` and the entry's bytes.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    headed(&[0x00], entry)
}

/// The hash of an inner node: SHA-256 of `0x01`, the left and the right child.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    headed(&[0x01], [left.0, right.0].as_flattened())
}

/// The root of the tree over `leaves` (leaf hashes, in order).
pub fn root_of(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    frontier.extend(leaves);
    frontier.root()
}

/// Joins the roots of neighbouring subtrees, the largest first, into one: the right-hand ones first.
pub(crate) fn join(roots: impl DoubleEndedIterator<Item = Hash>) -> Option<Hash> {
    roots.rev().reduce(|right, left| node_hash(left, right))
}

/// The size and root of a tree: what a checkpoint signs, and what every proof is verified against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreeHead {
    /// The number of leaves.
    pub size: u64,
    /// The root hash over them.
    pub root: Hash,
}

impl TreeHead {
    /// The head of the tree without leaves.
    pub const EMPTY: Self = Self { size: 0, root: EMPTY_ROOT };
}

/// Bytes that are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// The length does not fit the size.
    #[error("a frontier has 8 bytes of size and 32 for each bit set in it, not {0} bytes")]
    Length(usize),
    /// More leaves than [`MAX_SIZE`].
    #[error("a tree of {0} leaves is beyond 2^53")]
    Size(u64),
}

/// The compact state of an append-only tree: its size, and the roots of the complete subtrees on its right edge, one
/// for each bit set in the size, the largest (leftmost) first. At most 54 hashes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` leaves from the roots of its complete subtrees, the largest first.
    pub fn from_roots(size: u64, roots: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > MAX_SIZE {
            return Err(FrontierError::Size(size));
        }
        if roots.len() != size.count_ones() as usize {
            return Err(FrontierError::Length(8 + HASH_BYTES * roots.len()));
        }
        Ok(Self { size, roots })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root hash over all leaves, in O(log n).
    pub fn root(&self) -> Hash {
        join(self.roots.iter().copied()).unwrap_or(EMPTY_ROOT)
    }

    /// Size and root together.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }

    /// Appends one leaf hash; one node hash on average.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends one leaf hash and names every subtree that it completes, the leaf itself (height 0) first, upwards.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u32, Hash)) {
        let mut node = leaf;
        completed(0, node);
        for height in 1..=self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            node = node_hash(left, node);
            completed(height, node);
        }
        self.roots.push(node);
        self.size += 1;
    }

    /// The size as 8 big-endian bytes, then the roots, the largest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + HASH_BYTES * self.roots.len());
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for root in &self.roots {
            bytes.extend_from_slice(&root.0);
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote, and nothing else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FrontierError> {
        let wrong = FrontierError::Length(bytes.len());
        let (size, rest) = bytes.split_first_chunk::<8>().ok_or(wrong)?;
        let (roots, []) = rest.as_chunks::<HASH_BYTES>() else {
            return Err(wrong);
        };
        Self::from_roots(u64::from_be_bytes(*size), roots.iter().copied().map(Hash).collect())
    }
}

impl<'a> Extend<&'a Hash> for Frontier {
    fn extend<I: IntoIterator<Item = &'a Hash>>(&mut self, leaves: I) {
        for leaf in leaves {
            self.push(*leaf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    proptest! {
        #[test]
        fn short_hashes_are_those_of_any_length(left: [u8; HASH_BYTES], right: [u8; HASH_BYTES]) {
            let leaf: [u8; HASH_BYTES] = Sha256::digest([&[0x00][..], &left].concat()).into();
            prop_assert_eq!(leaf_hash(&left), Hash(leaf));
            let node: [u8; HASH_BYTES] = Sha256::digest([&[0x01][..], &left, &right].concat()).into();
            prop_assert_eq!(node_hash(Hash(left), Hash(right)), Hash(node));
        }
    }
}
