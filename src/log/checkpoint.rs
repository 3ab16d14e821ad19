//! The signed head of a log: C2SP `tlog-checkpoint` in a C2SP `signed-note`, Ed25519 (signature type 0x01).
//!
//! The key's name is the log's origin. A note may bear signatures of others, witnesses for example; those are left
//! to whoever knows their keys.

use data_encoding::BASE64;

use super::merkle::{EMPTY_ROOT, Hash, MAX_SIZE, TreeHead};

mod cosignature;
mod key;
mod note;

pub use cosignature::{Cosigner, CosignerKey};
pub use key::{CheckpointSigner, KeyError, VerifierKey};

/// The longest note that is read, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_000_000;

/// The most signature lines that are read.
pub const MAX_SIGNATURES: usize = 100;

/// What is wrong with a checkpoint of size 0 whose root is not [`EMPTY_ROOT`].
pub const NOT_EMPTY: &str = "the root is not that of an empty log";

/// Why a checkpoint cannot be signed, or is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not the form of a signed note or of a checkpoint; the text says what is wrong.
    #[error("malformed checkpoint: {0}")]
    Malformed(&'static str),
    /// The checkpoint is of another log than the key's.
    #[error("the checkpoint is of another origin than the key")]
    Origin,
    /// None of the signatures is by the given key.
    #[error("the checkpoint bears no signature by the given key")]
    Unsigned,
    /// A signature claims the given key and does not verify.
    #[error("the signature on the checkpoint does not verify")]
    Signature,
}

/// The head of a log, as it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: a name like a URL without scheme; no blanks and no `+`.
    pub origin: String,
    /// The number of entries.
    pub size: u64,
    /// The root hash over them.
    pub root: Hash,
    /// Further lines, none empty. Most logs have none.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of `head` without extensions.
    pub fn new(origin: impl Into<String>, head: TreeHead) -> Self {
        Self { origin: origin.into(), size: head.size, root: head.root, extensions: Vec::new() }
    }

    /// Size and root, to verify proofs against.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root }
    }

    /// The signed text: origin, size, root in base64 and extensions, a line each, every line ended.
    ///
    /// # Errors
    /// When a line would be empty or hold a control character, the size is beyond 2^53, or the empty tree has
    /// another root than its own.
    pub fn to_text(&self) -> Result<String, CheckpointError> {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(&self.root.0));
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        // A line break or blank line in a field would read as something else.
        if Self::from_text(&text)? == *self {
            Ok(text)
        } else {
            Err(CheckpointError::Malformed("an origin or extension is more than one line"))
        }
    }

    /// Reads exactly what [`Checkpoint::to_text`] writes.
    fn from_text(text: &str) -> Result<Self, CheckpointError> {
        note::check_characters(text)?;
        let text = text
            .strip_suffix('\n')
            .ok_or(CheckpointError::Malformed("the text does not end its last line"))?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let origin = line().ok_or(CheckpointError::Malformed("the origin is missing"))?.to_owned();
        let size = line().and_then(parse_size);
        let size = size.ok_or(CheckpointError::Malformed("the size is not a plain number up to 2^53"))?;
        let root = line()
            .and_then(Hash::from_base64)
            .ok_or(CheckpointError::Malformed("the root is not the base64 of 32 bytes"))?;
        if size == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::Malformed(NOT_EMPTY));
        }
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Malformed("an extension line is empty"));
        }
        Ok(Self { origin, size, root, extensions })
    }

    /// Reads a signed note and believes it only if every signature in it that claims `key`, at least one, verifies
    /// (by the strict rules, which leave one valid form), and its origin is the key's name. Signature lines by other
    /// keys must be well formed and are otherwise ignored.
    pub fn parse_and_verify(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let (text, signatures) = note::split(note)?;
        let mut signed = false;
        for line in signatures {
            let signature = note::SignatureLine::parse(line)?;
            if signature.name == key.name() && signature.key_id == key.id() {
                if !key.verifies(text.as_bytes(), &signature.bytes) {
                    return Err(CheckpointError::Signature);
                }
                signed = true;
            }
        }
        if !signed {
            return Err(CheckpointError::Unsigned);
        }
        let checkpoint = Self::from_text(text)?;
        if checkpoint.origin == key.name() { Ok(checkpoint) } else { Err(CheckpointError::Origin) }
    }
}

/// Believes a checkpoint that one of the keys signed, and in which no signature that claims one of them is false. All keys are
/// of one log.
pub fn verify_by_any(note: &[u8], keys: &[VerifierKey]) -> Result<Checkpoint, CheckpointError> {
    let mut believed = Err(CheckpointError::Unsigned);
    for key in keys {
        match Checkpoint::parse_and_verify(note, key) {
            Err(CheckpointError::Unsigned) => {}
            Ok(checkpoint) => believed = Ok(checkpoint),
            Err(error) => return Err(error),
        }
    }
    believed
}

/// What a signed note claims to be. Nothing is verified but its form.
pub fn claimed(note: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let (text, _) = note::split(note)?;
    Checkpoint::from_text(text)
}

/// Which log a signed note claims to be a checkpoint of: its first line. Nothing is verified.
pub fn claimed_origin(note: &[u8]) -> Result<&str, CheckpointError> {
    let (text, _) = note::split(note)?;
    let origin = text.split('\n').next().filter(|origin| !origin.is_empty());
    origin.ok_or(CheckpointError::Malformed("the origin is missing"))
}

/// A decimal number without sign or leading zeros, at most [`MAX_SIZE`].
pub fn parse_size(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|size| plain && *size <= MAX_SIZE)
}
