//! Sign-ins through a provider that have begun and not ended.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    COUNT = "SELECT count(*) FROM sign_ins WHERE expires_ms > $1";
    INSERT = "INSERT INTO sign_ins (token_hash, state_hash, nonce, verifier, created_ms, expires_ms) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    TAKE = "UPDATE sign_ins SET taken_ms = $1 WHERE token_hash = $2 AND state_hash = $3 AND taken_ms IS NULL \
        AND expires_ms > $1 RETURNING nonce, verifier";
    TELL = "UPDATE sign_ins SET subject = $1, email = $2 WHERE token_hash = $3 AND taken_ms IS NOT NULL \
        AND subject IS NULL";
    TOLD = "SELECT subject, email FROM sign_ins WHERE token_hash = $1 AND state_hash = $2 AND expires_ms > $3 \
        AND subject IS NOT NULL";
    END = "DELETE FROM sign_ins WHERE token_hash = $1 AND expires_ms > $2";
    PURGE = "DELETE FROM sign_ins WHERE expires_ms <= $1";
}

/// A sign-in that begins.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSignIn {
    /// SHA-256 of the secret of whoever began.
    pub token_hash: [u8; 32],
    /// SHA-256 of the state that goes to the provider.
    pub state_hash: [u8; 32],
    /// What the provider's token must repeat.
    pub nonce: String,
    /// What goes to the provider with its code.
    pub verifier: String,
    /// When.
    pub created_ms: i64,
    /// From when on it is over.
    pub expires_ms: i64,
}

/// What is needed to ask the provider about somebody who came back.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Taken {
    /// What the provider's token must repeat.
    pub nonce: String,
    /// What goes to the provider with its code.
    pub verifier: String,
}

/// What the provider said of somebody who came back.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Told {
    /// Its name for the person.
    pub subject: String,
    /// The address that is the person's, if it says so.
    pub email: Option<String>,
}

/// Adds one; false, and nothing changes, if `most` have begun and are not over.
pub async fn begin(tx: &mut Tx, new: &NewSignIn, most: i64) -> Result<bool, StoreError> {
    on_tx!(tx, conn => {
        let begun: i64 = sqlx::query_scalar(COUNT).bind(new.created_ms).fetch_one(&mut *conn).await?;
        if begun >= most {
            return Ok(false);
        }
        sqlx::query(INSERT)
            .bind(new.token_hash.as_slice())
            .bind(new.state_hash.as_slice())
            .bind(&new.nonce)
            .bind(&new.verifier)
            .bind(new.created_ms)
            .bind(new.expires_ms)
            .execute(&mut *conn)
            .await?;
        Ok(true)
    })
}

/// Takes one, once; none if it is unknown, over or taken, or the state is that of another.
pub async fn take(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    state_hash: &[u8; 32],
    now_ms: i64,
) -> Result<Option<Taken>, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query_as(TAKE)
        .bind(now_ms)
        .bind(token_hash.as_slice())
        .bind(state_hash.as_slice())
        .fetch_optional(conn)
        .await)?)
}

/// Keeps what the provider said of whoever took it.
pub async fn tell(tx: &mut Tx, token_hash: &[u8; 32], told: &Told) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(TELL)
        .bind(&told.subject)
        .bind(&told.email)
        .bind(token_hash.as_slice())
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// What the provider said of whoever took it, where that is kept.
pub async fn told(
    db: &Db,
    token_hash: &[u8; 32],
    state_hash: &[u8; 32],
    now_ms: i64,
) -> Result<Option<Told>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(TOLD)
        .bind(token_hash.as_slice())
        .bind(state_hash.as_slice())
        .bind(now_ms)
        .fetch_optional(pool)
        .await)?)
}

/// Ends one; false if it is over or has ended.
pub async fn end(tx: &mut Tx, token_hash: &[u8; 32], now_ms: i64) -> Result<bool, StoreError> {
    let ended = on_tx!(tx, conn => sqlx::query(END)
        .bind(token_hash.as_slice())
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(ended == 1)
}

/// Deletes those whose time is up; how many.
pub async fn purge(tx: &mut Tx, now_ms: i64) -> Result<u64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query(PURGE)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
}
