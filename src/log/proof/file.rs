//! A proof in a file: C2SP `tlog-proof`, which holds everything but the entry and the keys.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use super::{ProofError, verify_inclusion};
use crate::domain::base64;
use crate::log::checkpoint::{Checkpoint, CheckpointError, MAX_NOTE_BYTES, VerifierKey};
use crate::log::merkle::Hash;

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes of a proof: one for each level of the largest tree.
const MAX_HASHES: usize = 63;

/// The longest file that is read, in bytes: a checkpoint of the longest, with its proof and as much beside it.
const MAX_FILE_BYTES: usize = 2 * MAX_NOTE_BYTES;

/// The proof that an entry stands in a log, with the signed checkpoint that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// What somebody put beside it. Nothing vouches for it.
    pub extra: Option<Vec<u8>>,
    /// The entry's place in the log.
    pub index: u64,
    /// The hashes from the leaf's sibling upwards.
    pub hashes: Vec<Hash>,
    /// The signed note, with the cosignatures of witnesses where there are any.
    pub checkpoint: String,
}

/// Why a proof in a file is not one, or does not prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFileError {
    /// Not the form of a `tlog-proof`; the text says what is wrong.
    #[error("not a tlog-proof: {0}")]
    Form(&'static str),
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof in it.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ProofFile {
    /// Verifies that `leaf` (a leaf hash) stands at the index of the file, in the log whose `key` signed its checkpoint,
    /// and gives that checkpoint.
    ///
    /// # Errors
    /// For another key, another leaf, and every alteration of the file but that of `extra`.
    pub fn verify(&self, key: &VerifierKey, leaf: Hash) -> Result<Checkpoint, ProofFileError> {
        let checkpoint = Checkpoint::parse_and_verify(self.checkpoint.as_bytes(), key)?;
        verify_inclusion(checkpoint.head(), self.index, leaf, &self.hashes)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64.encode(hash.as_ref()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for ProofFile {
    type Err = ProofFileError;

    /// Reads exactly what is written. The checkpoint is not looked at: that is [`ProofFile::verify`].
    fn from_str(text: &str) -> Result<Self, ProofFileError> {
        let wrong = ProofFileError::Form;
        if text.len() > MAX_FILE_BYTES {
            return Err(wrong("it is too long"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(wrong("there is no empty line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(wrong("the first line is not `c2sp.org/tlog-proof@v1`"));
        }
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            None => None,
            Some(line) => {
                let encoded = line.strip_prefix("extra ").unwrap_or_default();
                Some(base64::decode(encoded).ok_or(wrong("what stands after `extra` is not base64"))?)
            }
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|digits| {
            let index: u64 = digits.parse().ok()?;
            (index.to_string() == digits).then_some(index)
        });
        let index = index.ok_or(wrong("the line `index` is not a plain number"))?;
        let hashes: Option<Vec<Hash>> = lines.map(Hash::from_base64).take(MAX_HASHES + 1).collect();
        let hashes = hashes.ok_or(wrong("a hash is not the base64 of 32 bytes"))?;
        if hashes.len() > MAX_HASHES {
            return Err(wrong("it has more than 63 hashes"));
        }
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }
}
