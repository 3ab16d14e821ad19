//! Cosignatures of witnesses: C2SP `tlog-cosignature`, Ed25519 with a time (signature type 0x04).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::key::{self, KeyError, key_id};
use super::note::{self, SignatureLine};
use super::{CheckpointError, MAX_SIGNATURES};

/// The signature type of cosignatures with Ed25519 in signed notes.
const COSIGNATURE: u8 = 0x04;

/// The latest time that a cosignature can bear.
const MAX_TIME: u64 = i64::MAX as u64;

/// What is signed: that this checkpoint was the largest and consistent one that the cosigner knew at this time.
fn message(text: &str, at_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {at_s}\n{text}").into_bytes()
}

/// The public half of a witness's key.
#[derive(Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl CosignerKey {
    /// The key `name` from its 32 public bytes.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        if !note::is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        if key.is_weak() {
            return Err(KeyError::Point);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, COSIGNATURE, public), key })
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Among the signature lines of `lines` the one by this key, written as it stands, with its time in seconds: a
    /// cosignature of the checkpoint `note`. Lines by others are ignored.
    ///
    /// # Errors
    /// [`CheckpointError::Unsigned`] when there is none, [`CheckpointError::Signature`] when one that claims this key does
    /// not verify or bears no time, and when what is read has not its form.
    pub fn find(&self, note: &[u8], lines: &str) -> Result<(String, u64), CheckpointError> {
        let (text, _) = note::split(note)?;
        let lines =
            lines.strip_suffix('\n').ok_or(CheckpointError::Malformed("the last line does not end"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(CheckpointError::Malformed("it bears more than 100 signatures"));
        }
        let mut found = None;
        for line in lines.split('\n') {
            let signature = SignatureLine::parse(line)?;
            if signature.name == self.name && signature.key_id == self.id {
                let at_s = self.time_of(text, &signature.bytes).ok_or(CheckpointError::Signature)?;
                found = found.or_else(|| Some((format!("{line}\n"), at_s)));
            }
        }
        found.ok_or(CheckpointError::Unsigned)
    }

    /// The time of a good cosignature.
    fn time_of(&self, text: &str, bytes: &[u8]) -> Option<u64> {
        let (time, signature) = bytes.split_first_chunk::<8>()?;
        let at_s = u64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).ok()?;
        let is_good = self.key.verify_strict(&message(text, at_s), &signature).is_ok();
        (is_good && (1..=MAX_TIME).contains(&at_s)).then_some(at_s)
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        key::write(f, &self.name, self.id, COSIGNATURE, self.key.as_bytes())
    }
}

impl fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CosignerKey({self})")
    }
}

impl FromStr for CosignerKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, public) = key::read(text, COSIGNATURE)?;
        let key = Self::new(name, &public)?;
        if key.id == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

/// The secret half. Its memory is wiped when it is dropped, and it never shows itself.
#[derive(Clone)]
pub struct Cosigner {
    key: SigningKey,
    public: CosignerKey,
}

impl Cosigner {
    /// The key of the witness `name` from its 32 secret bytes (the seed of RFC 8032).
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let public = CosignerKey::new(name, key.verifying_key().as_bytes())?;
        Ok(Self { key, public })
    }

    /// The public half.
    pub fn public(&self) -> &CosignerKey {
        &self.public
    }

    /// The signature line, with its end, by which the checkpoint `note` is cosigned at a time in seconds since 1970.
    pub fn cosign(&self, note: &[u8], at_s: u64) -> Result<String, CheckpointError> {
        let (text, _) = note::split(note)?;
        let signature = self.key.sign(&message(text, at_s)).to_bytes();
        let bytes = [&at_s.to_be_bytes()[..], &signature].concat();
        Ok(note::line(self.public.name(), self.public.id, &bytes))
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("public", &self.public).finish_non_exhaustive()
    }
}
