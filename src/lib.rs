//! Kyodaku (許諾): a registry of permissions to train AI on creative works.
//!
//! One rule, and everything else serves it: **only a rights holder's affirmative permission, recorded before the
//! use, is consent.** An opt-out, silence, an unknown work, a near match or an outage never is.
//!
//! # The map of the house
//!
//! Imports point down only; `tests/floors.rs` fails on one that points up.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 0 | [`domain`] | words and rules, without I/O: acts, the index folded from them, `admit`, `decide`, `view` |
//! | 1 | [`log`] | pure cryptography: canonical JSON, the Merkle tree, tiles, checkpoints, proofs |
//! | 2 | [`store`] | the only users of SQL: entries, tiles, catalogue, journal, accounts, keys |
//! | 3 | [`registry`] | what the service does: the sequencer, the follower, checks, authority |
//! | 4 | [`http`] | the face for machines: a table of routes, gates, handlers of a few lines |
//! | 5 | [`cli`] | the command line: serve, demo, import, check, explain, compare, receipt, admin, keys, backup, restore, fsck, rebuild, log, export, verify, witness, monitor, config, completions |
//!
//! Beside the floors stand [`clock`], the only reader of time and randomness, and [`config`], one struct.
//!
//! One way leads to a change:
//!
//! ```text
//! command ── admit(index, acts) ──> append (one transaction) ──> fold(index, entry) ──> acknowledge
//! ```
//!
//! and one to an answer: `decide(index, size, moment, question)`, journaled before it leaves.

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod log;
pub mod registry;
pub mod store;
