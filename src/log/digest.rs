//! Digests of bytes that stay outside the log: titles, letters, evidence.
//!
//! A payload stands in the log only as a salted digest, so that nobody can find it by guessing, and so that erasing
//! payload and salt leaves nothing behind.

use super::merkle::Hash;
use super::sha256::headed;

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Hash {
    headed(&[], bytes)
}

/// SHA-256 of `salt` followed by `bytes`. The salt is random and has 16 or 32 bytes; any other length does not
/// compile. Each use keeps to one length, or a salt's tail could pass for the payload's head.
pub fn salted<const N: usize>(salt: &[u8; N], bytes: &[u8]) -> Hash {
    const { assert!(N == 16 || N == 32, "a salt has 16 or 32 bytes") };
    headed(salt, bytes)
}
