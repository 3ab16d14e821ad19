//! The public keys that sign access tokens: those of today, and all that ever did.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    PUT = "INSERT INTO token_keys (kid, public, first_ms) VALUES ($1, $2, $3) ON CONFLICT (kid) DO NOTHING";
    EVERY = "SELECT kid, public, first_ms FROM token_keys ORDER BY first_ms, kid LIMIT $1";
}

/// The most keys that are told: one for each time that one was replaced.
const MOST: i64 = 1_000;

/// A public key that signs access tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenKey {
    /// Its name in the header of what it signed.
    pub kid: String,
    /// Its 32 bytes.
    pub public: [u8; 32],
    /// When it was first ready to sign.
    pub first_ms: i64,
}

/// Notes a key, for ever. One that is noted already keeps when it was first.
pub async fn put(tx: &mut Tx, key: &TokenKey) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(PUT)
        .bind(&key.kid)
        .bind(&key.public[..])
        .bind(key.first_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// All of them, the oldest first.
pub async fn all(db: &Db) -> Result<Vec<TokenKey>, StoreError> {
    let rows: Vec<(String, Vec<u8>, i64)> =
        on_db!(db, pool => sqlx::query_as(EVERY).bind(MOST).fetch_all(pool).await)?;
    let key = |(kid, public, first_ms): (String, Vec<u8>, i64)| {
        let public = <[u8; 32]>::try_from(public);
        let public = public.map_err(|_| StoreError::Corrupt(format!("the token key `{kid}` is no key")))?;
        Ok(TokenKey { kid, public, first_ms })
    };
    rows.into_iter().map(key).collect()
}
