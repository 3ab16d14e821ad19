//! One test binary: every story, on SQLite and on PostgreSQL.

mod classify;
mod log;
mod store;
mod world;
