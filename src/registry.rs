//! Floor 3: what the service does.
//!
//! A [`Registry`] is one node: one database, one index in memory, one sequencer. Writes go through [`Registry::submit`]
//! and are acknowledged when they are committed, signed, marked and folded; reads go through [`Registry::read`], which
//! asks the database for the head first, so that no answer misses what was acknowledged before the question came.
//!
//! | module | what it does |
//! |---|---|
//! | [`node`] | opens a node: database, keys, high-water mark, first entries, index |
//! | [`shared`] | the index that readers and the sequencer share, and how it follows the log |
//! | [`sequencer`] | the one way in which the act log grows |
//! | [`catalogue`] | what an entry means to the tables that people browse |
//! | [`checks`] | what developers ask, answered from one size of the log |
//! | [`journal`] | the log of checks: durable before an answer leaves |
//! | [`snapshot`] | the file that makes a start fast |
//! | [`rebuild`] | folding the log again, and comparing with what is stored |
//! | [`seal`] | the journal of checks sealed into the act log |
//! | [`streams`] | checks without an end, in chunks |
//! | [`keys`] | the signing keys, in files of the data folder |

pub mod catalogue;
pub mod checks;
pub mod journal;
pub mod keys;
pub mod node;
pub mod rebuild;
pub mod seal;
pub mod sequencer;
pub mod shared;
pub mod snapshot;
pub mod streams;

pub use node::{OpenError, Registry, Settings};
pub use sequencer::{Body, Recorded, Submission, SubmitError, Submitted};
