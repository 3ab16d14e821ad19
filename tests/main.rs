//! One test binary: every story, on SQLite and on PostgreSQL.

// Tells clippy that helpers of tests are tests too: they may unwrap and index.
#![cfg(test)]
#![expect(clippy::cast_possible_truncation, reason = "what tests count is small")]

mod accounts;
mod admit;
mod authority;
mod cases;
mod catalogue;
mod checks;
mod classify;
mod cli;
mod contract;
mod deploy;
mod erasure;
mod faults;
mod floors;
mod hostile;
mod http;
mod inquiries;
pub(crate) mod keys;
mod log;
mod logs;
mod nodes;
mod oauth;
mod offline;
mod powers;
mod proposals;
mod readme;
mod receipts;
mod reference;
mod registry;
mod rules;
mod sandbox;
mod scrub;
mod security;
mod sign_in;
mod store;
mod trail;
mod witness;
mod works;
mod world;
