//! The answers given to a command's `Idempotency-Key`, so that a repeated command is answered and not repeated.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

/// How long an answer is remembered: 30 days.
pub const KEEP_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

texts! {
    FIND = "SELECT operation, body_digest, status, response, at_ms FROM idempotency \
        WHERE org = $1 AND key = $2 AND at_ms > $3";
    INSERT = "INSERT INTO idempotency (org, key, operation, body_digest, status, response, at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org, key) DO UPDATE SET operation = excluded.operation, \
        body_digest = excluded.body_digest, status = excluded.status, response = excluded.response, \
        at_ms = excluded.at_ms WHERE idempotency.at_ms <= $8";
    PURGE = "DELETE FROM idempotency WHERE at_ms <= $1";
}

type Row = (String, Vec<u8>, i64, String, i64);

/// The answer that a key got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which operation: the same key for another one is a mistake of the caller.
    pub operation: String,
    /// SHA-256 of the request's body: another body under the same key is a mistake of the caller.
    pub body_digest: [u8; 32],
    /// The status code of the answer.
    pub status: u16,
    /// The body of the answer.
    pub response: String,
    /// When it was given.
    pub at_ms: i64,
}

fn answer(row: Row) -> Result<Answer, StoreError> {
    let (operation, digest, status, response, at_ms) = row;
    let (Ok(body_digest), Ok(status)) = (digest.try_into(), status.try_into()) else {
        return Err(StoreError::Corrupt("an idempotency row has no digest or status".to_owned()));
    };
    Ok(Answer { operation, body_digest, status, response, at_ms })
}

/// The answer that `org` got for `key` in the 30 days before `now_ms`.
pub async fn find(db: &Db, org: &str, key: &str, now_ms: i64) -> Result<Option<Answer>, StoreError> {
    let row: Option<Row> = on_db!(db, pool => sqlx::query_as(FIND)
        .bind(org)
        .bind(key)
        .bind(now_ms.saturating_sub(KEEP_MS))
        .fetch_optional(pool)
        .await)?;
    row.map(answer).transpose()
}

/// As [`find`], within the transaction that would carry the command out.
pub async fn find_in(tx: &mut Tx, org: &str, key: &str, now_ms: i64) -> Result<Option<Answer>, StoreError> {
    let row: Option<Row> = on_tx!(tx, conn => sqlx::query_as(FIND)
        .bind(org)
        .bind(key)
        .bind(now_ms.saturating_sub(KEEP_MS))
        .fetch_optional(conn)
        .await)?;
    row.map(answer).transpose()
}

/// Remembers the answer, in the transaction that carries the command out.
///
/// # Errors
/// [`StoreError::Conflict`] when the key has an answer younger than 30 days.
pub async fn insert(tx: &mut Tx, org: &str, key: &str, answer: &Answer) -> Result<(), StoreError> {
    let stored = on_tx!(tx, conn => sqlx::query(INSERT)
        .bind(org)
        .bind(key)
        .bind(&answer.operation)
        .bind(answer.body_digest.as_slice())
        .bind(i64::from(answer.status))
        .bind(&answer.response)
        .bind(answer.at_ms)
        .bind(answer.at_ms.saturating_sub(KEEP_MS))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    if stored == 1 {
        Ok(())
    } else {
        Err(StoreError::Conflict(format!("the idempotency key `{key}` has been answered already")))
    }
}

/// Forgets the answers that are 30 days old at `now_ms`, and says how many those were.
pub async fn purge(tx: &mut Tx, now_ms: i64) -> Result<u64, StoreError> {
    let cut = now_ms.saturating_sub(KEEP_MS);
    Ok(on_tx!(tx, conn => sqlx::query(PURGE).bind(cut).execute(conn).await.map(|done| done.rows_affected()))?)
}
