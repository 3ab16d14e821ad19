//! Floor 2: the only users of SQL.
//!
//! One code serves two databases: SQLite, embedded, for one process; PostgreSQL for production and several nodes.
//! A [`Db`] is one of the two; a [`Tx`] is a transaction that may write. Functions that take a [`Db`] read and see
//! everything committed before the call; functions that take a [`Tx`] belong to the caller's transaction and are
//! undone with it. Nothing writes outside a [`Tx`].

pub mod db;
mod error;
pub mod sql;

pub use db::{Db, Engine, Tx};
pub use error::StoreError;
