//! The public keys that sign no log, but receipts or access tokens: those of today, the next ones, and all that ever did; a table
//! of each.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    PUT_RECEIPT_KEY = "INSERT INTO receipt_keys (kid, public, first_ms) VALUES ($1, $2, $3) ON CONFLICT (kid) DO NOTHING";
    PUT_TOKEN_KEY = "INSERT INTO token_keys (kid, public, first_ms) VALUES ($1, $2, $3) ON CONFLICT (kid) DO NOTHING";
    EVERY_RECEIPT_KEY = "SELECT kid, public, first_ms FROM receipt_keys ORDER BY first_ms, kid LIMIT $1";
    EVERY_TOKEN_KEY = "SELECT kid, public, first_ms FROM token_keys ORDER BY first_ms, kid LIMIT $1";
}

/// The most keys that are told: one for each time that one was replaced.
const MOST: i64 = 1_000;

/// What the keys of a table sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTable {
    /// Receipts.
    Receipts,
    /// Access tokens.
    Tokens,
}

impl KeyTable {
    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receipts => "receipt_keys",
            Self::Tokens => "token_keys",
        }
    }

    const fn put(self) -> &'static str {
        match self {
            Self::Receipts => PUT_RECEIPT_KEY,
            Self::Tokens => PUT_TOKEN_KEY,
        }
    }

    const fn every(self) -> &'static str {
        match self {
            Self::Receipts => EVERY_RECEIPT_KEY,
            Self::Tokens => EVERY_TOKEN_KEY,
        }
    }
}

/// A public key that signs receipts or access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its name in the header of what it signed.
    pub kid: String,
    /// Its 32 bytes.
    pub public: [u8; 32],
    /// When it was first ready to sign.
    pub first_ms: i64,
}

/// Notes a key, for ever. One that is noted already keeps when it was first.
pub async fn put(tx: &mut Tx, table: KeyTable, key: &PublicKey) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(table.put())
        .bind(&key.kid)
        .bind(&key.public[..])
        .bind(key.first_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// All of them, the oldest first.
pub async fn all(db: &Db, table: KeyTable) -> Result<Vec<PublicKey>, StoreError> {
    let rows: Vec<(String, Vec<u8>, i64)> =
        on_db!(db, pool => sqlx::query_as(table.every()).bind(MOST).fetch_all(pool).await)?;
    let key = |(kid, public, first_ms): (String, Vec<u8>, i64)| {
        let public = <[u8; 32]>::try_from(public);
        let public = public
            .map_err(|_| StoreError::Corrupt(format!("`{kid}` in the table `{}` is no key", table.name())))?;
        Ok(PublicKey { kid, public, first_ms })
    };
    rows.into_iter().map(key).collect()
}
