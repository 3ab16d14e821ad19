//! The answers given to a command's `Idempotency-Key`, so that a repeated command is answered and not repeated.

use std::collections::HashMap;

use data_encoding::HEXLOWER;

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::{json, texts};

/// How long an answer is remembered: 30 days.
pub const KEEP_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

texts! {
    FIND = "SELECT operation, body_digest, status, response, at_ms FROM idempotency \
        WHERE org = $1 AND key = $2 AND at_ms > $3";
    INSERT = "INSERT INTO idempotency (org, key, operation, body_digest, status, response, at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org, key) DO UPDATE SET operation = excluded.operation, \
        body_digest = excluded.body_digest, status = excluded.status, response = excluded.response, \
        at_ms = excluded.at_ms WHERE idempotency.at_ms <= $8";
    FIND_ALL = "SELECT i.org, i.key, i.operation, i.body_digest, i.status, i.response, i.at_ms FROM jsonb_each($1) AS asked \
        JOIN idempotency AS i ON i.org = asked.value ->> 0 AND i.key = asked.value ->> 1 WHERE i.at_ms > $2",
        "SELECT i.org, i.key, i.operation, i.body_digest, i.status, i.response, i.at_ms FROM json_array_elements($1::json) \
        AS asked (value) JOIN idempotency AS i ON i.org = asked.value ->> 0 AND i.key = asked.value ->> 1 WHERE i.at_ms > $2";
    INSERT_ALL = "INSERT INTO idempotency (org, key, operation, body_digest, status, response, at_ms) \
        SELECT value ->> 'org', value ->> 'key', value ->> 'operation', unhex(value ->> 'body_digest'), \
        value ->> 'status', value ->> 'response', value ->> 'at_ms' FROM jsonb_each($1) WHERE true \
        ON CONFLICT (org, key) DO UPDATE SET operation = excluded.operation, \
        body_digest = excluded.body_digest, status = excluded.status, response = excluded.response, \
        at_ms = excluded.at_ms WHERE idempotency.at_ms <= excluded.at_ms - $2",
        "INSERT INTO idempotency (org, key, operation, body_digest, status, response, at_ms) \
        SELECT org, key, operation, decode(body_digest, 'hex'), status, response, at_ms FROM json_to_recordset($1::json) \
        AS kept (org text, key text, operation text, body_digest text, status bigint, response text, at_ms bigint) \
        ON CONFLICT (org, key) DO UPDATE SET operation = excluded.operation, \
        body_digest = excluded.body_digest, status = excluded.status, response = excluded.response, \
        at_ms = excluded.at_ms WHERE idempotency.at_ms <= excluded.at_ms - $2";
    FORGET = "UPDATE idempotency SET body_digest = $1 WHERE org = $2 AND at_ms = $3";
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

/// An answer and whose key got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The organization.
    pub org: String,
    /// Its key.
    pub key: String,
    /// The answer.
    pub answer: Answer,
}

/// The organization, its key, and the columns of an answer.
type FoundRow = (String, String, String, Vec<u8>, i64, String, i64);

/// As [`find_in`], for many organizations and keys at once.
pub async fn find_all(
    tx: &mut Tx,
    keys: &[(String, String)],
    now_ms: i64,
) -> Result<HashMap<(String, String), Answer>, StoreError> {
    let (text, asked) = (FIND_ALL.of(tx.engine()), json(keys)?);
    let since_ms = now_ms.saturating_sub(KEEP_MS);
    let rows: Vec<FoundRow> =
        on_tx!(tx, conn => sqlx::query_as(text).bind(asked).bind(since_ms).fetch_all(conn).await)?;
    let found = rows.into_iter().map(|(org, key, operation, digest, status, response, at_ms)| {
        Ok(((org, key), answer((operation, digest, status, response, at_ms))?))
    });
    found.collect()
}

/// As [`insert`], for many at once, no two of the same key.
pub async fn insert_all(tx: &mut Tx, kept: &[Kept]) -> Result<(), StoreError> {
    if kept.is_empty() {
        return Ok(());
    }
    let row = |kept: &Kept| {
        serde_json::json!({
            "org": kept.org, "key": kept.key, "operation": kept.answer.operation,
            "body_digest": HEXLOWER.encode(&kept.answer.body_digest), "status": kept.answer.status,
            "response": kept.answer.response, "at_ms": kept.answer.at_ms,
        })
    };
    let rows: Vec<_> = kept.iter().map(row).collect();
    let (text, rows) = (INSERT_ALL.of(tx.engine()), json(&rows)?);
    let stored = on_tx!(tx, conn => sqlx::query(text).bind(rows).bind(KEEP_MS).execute(conn).await
        .map(|done| done.rows_affected()))?;
    if stored == kept.len() as u64 {
        Ok(())
    } else {
        Err(StoreError::Conflict("an idempotency key has been answered already".to_owned()))
    }
}

/// Forgets which requests of an organization were answered at this moment: their digests could be guessed from likely words. Whoever
/// repeats one is told that its key was used, and nothing is done twice.
pub async fn forget_requests(tx: &mut Tx, org: &str, at_ms: i64) -> Result<(), StoreError> {
    let nothing = [0_u8; 32];
    on_tx!(tx, conn => sqlx::query(FORGET)
        .bind(nothing.as_slice())
        .bind(org)
        .bind(at_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Forgets the answers that are 30 days old at `now_ms`, and says how many those were.
pub async fn purge(tx: &mut Tx, now_ms: i64) -> Result<u64, StoreError> {
    let cut = now_ms.saturating_sub(KEEP_MS);
    Ok(on_tx!(tx, conn => sqlx::query(PURGE).bind(cut).execute(conn).await.map(|done| done.rows_affected()))?)
}
