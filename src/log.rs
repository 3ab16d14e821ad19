//! Floor 1: pure cryptography.
//!
//! No input or output, no clock, no randomness: bytes in, bytes out. The act log and the check journal are the same
//! kind of log and share all of it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`canonical`] | the bytes of an entry: RFC 8785 JSON, refusing what JSON numbers cannot hold |
//! | [`digest`] | plain and salted SHA-256 of payloads |
//! | [`merkle`] | the tree of RFC 6962 and RFC 9162: leaf, node, root, and the frontier that grows |
//! | [`tile`] | the tree cut into C2SP `tlog-tiles`: which tiles a batch changes, and entry bundles |
//! | [`proof`] | inclusion and consistency, made from tiles or a list, and verified |
//! | [`evidence`] | what was on record as far as an inquiry goes, in one archive, and verifying it alone |
//! | [`receipt`] | the proof of what was answered to a check, and verifying it alone |
//! | [`checkpoint`] | the signed head: C2SP `tlog-checkpoint` in a signed note, Ed25519 |

pub mod canonical;
pub mod checkpoint;
pub mod digest;
pub mod evidence;
pub mod merkle;
pub mod proof;
pub mod receipt;
mod sha256;
pub mod tile;
