//! Floor 2: the only users of SQL.
//!
//! One code serves two databases: SQLite, embedded, for one process; PostgreSQL for production and several nodes.
//! A [`Db`] is one of the two; a [`Tx`] is a transaction that may write. Functions that take a [`Db`] read and see
//! everything committed before the call; functions that take a [`Tx`] belong to the caller's transaction and are
//! undone with it. Nothing writes outside a [`Tx`].
//!
//! | module | what it keeps |
//! |---|---|
//! | [`heads`], [`entries`], [`tiles`], [`append()`] | the append-only logs: `acts`, and one `checks/<node>` a process |
//! | [`extent`] | how far the rows of a log reach |
//! | [`log_keys`], [`public_keys`] | the public keys of the logs, of receipts and of tokens, old ones too |
//! | [`checks`] | where the journal entry of each check is |
//! | [`cosignatures`], [`witnessed`] | what witnesses cosigned here, and what was cosigned of others |
//! | [`high_water`] | the file outside the database that a restored older database is held against |
//! | [`private`] | folders and files for the owner's eyes alone |
//! | [`archive`] | every table, copied whole from one database into another |
//! | [`payloads`] | what people typed: erasable, outside the log |
//! | [`idempotency`] | answers already given to a key |
//! | [`catalogue`] | what people browse; can be rebuilt from the log |
//! | [`contractors`] | who asks for a developer |
//! | [`logins`], [`registrations`], [`second_factors`], [`sign_ins`], [`identities`], [`sessions`], [`tokens`] | how people and programs sign in, and their sign-ins |
//! | [`events`] | who signed in, was refused, and looked at what |
//! | [`accounts`], [`proposals`], [`policies`], [`challenges`] | people and keys, what waits for a second person and where, proofs of control |

pub mod accounts;
pub mod append;
pub mod archive;
pub mod catalogue;
pub mod challenges;
pub mod checks;
pub mod contractors;
pub mod cosignatures;
pub mod db;
pub mod entries;
mod error;
pub mod events;
pub mod extent;
pub mod heads;
pub mod high_water;
pub mod idempotency;
pub mod identities;
mod lender;
mod lent;
pub mod log_keys;
pub mod logins;
pub mod payloads;
pub mod policies;
pub mod prepared_keys;
pub mod private;
pub mod proposals;
pub mod public_keys;
pub mod registrations;
pub mod second_factors;
pub mod sessions;
pub mod sign_ins;
pub mod sql;
pub mod tiles;
pub mod tokens;
pub mod witnessed;

pub use append::{Batch, append};
pub use db::{Alone, Db, Engine, Tx};
pub use error::StoreError;
