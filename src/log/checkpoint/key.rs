//! The two halves of a log's key.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::{Checkpoint, CheckpointError, MAX_NOTE_BYTES, note};
use crate::domain::base64;
use crate::log::digest::sha256;

/// The signature type of Ed25519 in signed notes.
const ED25519: u8 = 0x01;

/// Why text or bytes are not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is empty or holds a blank, a control character or `+`.
    #[error(
        "the name of a log's key must not be empty and must not hold a blank, a control character or `+`"
    )]
    Name,
    /// Not `name+hash+base64`.
    #[error("a verifier key is written `name+<8 hexadecimal digits>+<base64>`")]
    Form,
    /// A key of another type than the one that is asked for: 1 signs checkpoints, 4 cosigns them.
    #[error("the key is not one of Ed25519 of type {0} (1 signs checkpoints, 4 cosigns them)")]
    Type(u8),
    /// The key's hash does not fit its name and bytes.
    #[error("the key's hash does not fit its name and bytes; it was altered or cut")]
    Id,
    /// The bytes are not a point of the curve, or one with which anything can be signed.
    #[error("the key's bytes are not a usable Ed25519 key")]
    Point,
}

/// The public half, which anyone may know: written `name+hash+base64`, as witnesses and monitors read it.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The key `name` from its 32 public bytes.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        if !note::is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, ED25519, public), key })
    }

    /// The key's name: the origin of its log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256 over name, line end, type and public key, big-endian.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The 32 public bytes.
    pub fn public_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// A signed note with the signature lines alone that claim one of `keys`.
    pub fn only_by(note: &[u8], keys: &[Self]) -> Result<String, CheckpointError> {
        let (text, lines) = note::split(note)?;
        let mut kept = format!("{text}\n");
        for line in lines {
            let signature = note::SignatureLine::parse(line)?;
            if keys.iter().any(|key| key.name == signature.name && key.id == signature.key_id) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        Ok(kept)
    }

    /// Whether `signature` is this key's over `text`, by the strict rules of Ed25519.
    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }
}

/// The first four bytes of SHA-256 over name, line end, type and public key, big-endian.
pub(super) fn key_id(name: &str, key_type: u8, public: &[u8; 32]) -> u32 {
    let hash = sha256(&[name.as_bytes(), b"\n", &[key_type], public].concat());
    let [a, b, c, d, ..] = hash.0;
    u32::from_be_bytes([a, b, c, d])
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.name, self.id, ED25519, self.key.as_bytes())
    }
}

/// The form of a verifier key.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    id: u32,
    key_type: u8,
    public: &[u8; 32],
) -> fmt::Result {
    write!(f, "{name}+{id:08x}+{}", BASE64.encode(&[&[key_type], &public[..]].concat()))
}

/// Reads the form of a verifier key of this type: its name, id and public bytes, of which only the form is known.
pub(super) fn read(text: &str, key_type: u8) -> Result<(&str, u32, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    let id = HEXLOWER.decode(id.as_bytes()).ok().and_then(|id| <[u8; 4]>::try_from(id).ok());
    let id = id.map(u32::from_be_bytes).ok_or(KeyError::Form)?;
    let key = base64::decode(key).ok_or(KeyError::Form)?;
    let (found_type, public) = key.split_first().ok_or(KeyError::Form)?;
    if *found_type != key_type {
        return Err(KeyError::Type(key_type));
    }
    Ok((name, id, public.try_into().map_err(|_| KeyError::Form)?))
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, public) = read(text, ED25519)?;
        let key = Self::new(name, &public)?;
        if key.id == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// The secret half. Its memory is wiped when it is dropped, and it never shows itself.
#[derive(Clone)]
pub struct CheckpointSigner {
    key: SigningKey,
    verifier: VerifierKey,
    /// The key that will sign alone some day, and signs too until then.
    next: Option<Box<CheckpointSigner>>,
}

impl CheckpointSigner {
    /// The key of the log `origin` from its 32 secret bytes (the seed of RFC 8032).
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(origin, key.verifying_key().as_bytes())?;
        Ok(Self { key, verifier, next: None })
    }

    /// The same with another key of the log beside it: both sign, the first first.
    ///
    /// # Errors
    /// When the other key is of another log.
    pub fn beside(self, next: Self) -> Result<Self, CheckpointError> {
        if next.origin() != self.origin() {
            return Err(CheckpointError::Origin);
        }
        Ok(Self { next: Some(Box::new(next)), ..self })
    }

    /// The log's origin: the key's name.
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// The public half.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signed note of `checkpoint`.
    ///
    /// # Errors
    /// When it is of another origin, or is not a checkpoint that could be read back.
    pub fn sign(&self, checkpoint: &Checkpoint) -> Result<String, CheckpointError> {
        if checkpoint.origin != self.origin() {
            return Err(CheckpointError::Origin);
        }
        let text = checkpoint.to_text()?;
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let mut note = note::write(&text, self.origin(), self.verifier.id(), &signature);
        if let Some(next) = &self.next {
            let signature = next.key.sign(text.as_bytes()).to_bytes();
            note.push_str(&note::line(next.origin(), next.verifier.id(), &signature));
        }
        if note.len() > MAX_NOTE_BYTES {
            return Err(CheckpointError::Malformed("it is longer than 1,000,000 bytes"));
        }
        Ok(note)
    }
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSigner").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
