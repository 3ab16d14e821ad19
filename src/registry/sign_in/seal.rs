//! Secrets that must be read again, sealed where they are stored: whoever has the database alone can't use them.
//!
//! ChaCha20-Poly1305 (RFC 8439) under a key of the data folder, with a random nonce before the text and the owner's name as
//! associated data, so that nobody's secret can be put in another's place.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};

use crate::clock;

const NONCE_BYTES: usize = 12;

/// Seals and opens.
pub(super) struct Sealer(ChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// With this key.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(ChaCha20Poly1305::new(&(*key).into()))
    }

    /// Seals a secret of `owner`. `None` for one too long to seal, which none is.
    pub(super) fn seal(&self, secret: &[u8], owner: &str) -> Option<Vec<u8>> {
        let nonce = clock::random::<NONCE_BYTES>();
        let sealed = self.0.encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: owner.as_bytes() });
        Some([nonce.as_slice(), &sealed.ok()?].concat())
    }

    /// The secret, if it was sealed with this key for this owner.
    pub(super) fn open(&self, sealed: &[u8], owner: &str) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        self.0.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: owner.as_bytes() }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_owner_open_what_was_not_changed() {
        let sealer = Sealer::new(&[1; 32]);
        let sealed = sealer.seal(b"secret", "hanako").unwrap();
        assert_eq!(sealer.open(&sealed, "hanako").unwrap(), b"secret");
        assert_ne!(sealed, sealer.seal(b"secret", "hanako").unwrap());
        assert_eq!(sealer.open(&sealed, "taro"), None);
        assert_eq!(Sealer::new(&[2; 32]).open(&sealed, "hanako"), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(&changed, "hanako"), None);
        }
        assert_eq!(sealer.open(&sealed[..11], "hanako"), None);
    }
}
