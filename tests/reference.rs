//! A second implementation of `docs/rules.md`, written for clarity alone: the oracle of the property tests.
//!
//! It takes a prefix of the log, scans it, and answers. It shares the words of `kyodaku::domain` (acts, keys,
//! questions, reasons) and none of its rules.

mod answer;
mod attach;
mod facts;
mod stands;

pub(crate) use answer::{Answer, Why};
pub(crate) use facts::Facts;
