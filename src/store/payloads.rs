//! What people typed: kept beside the log, which holds a salted digest of it only, so that it can be erased.

use std::ops::Range;

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::texts;

texts! {
    INSERT = "INSERT INTO payloads (idx, salt, body) VALUES ($1, $2, $3)";
    RANGE = "SELECT idx, salt, body, erased_ms FROM payloads WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    ONE = "SELECT idx, salt, body, erased_ms FROM payloads WHERE idx = $1";
    ERASE = "UPDATE payloads SET salt = NULL, body = NULL, erased_ms = $1 WHERE idx = $2 AND erased_ms IS NULL";
}

type Row = (i64, Option<Vec<u8>>, Option<String>, Option<i64>);

/// What was typed with one act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// It is there.
    Kept {
        /// What the digest in the entry was salted with.
        salt: Vec<u8>,
        /// The bytes that were digested, after the salt.
        body: String,
    },
    /// It was erased; the digest in the entry says nothing any more.
    Erased {
        /// When.
        at_ms: i64,
    },
}

/// Stores what belongs to the entry `index` of the act log.
pub async fn insert(tx: &mut Tx, index: u64, salt: &[u8], body: &str) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(INSERT).bind(index).bind(salt).bind(body).execute(conn).await.map(drop))?;
    Ok(())
}

/// What belongs to the entries in `range`, with their index; most entries have nothing.
pub async fn read(db: &Db, range: Range<u64>) -> Result<Vec<(u64, Payload)>, StoreError> {
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    let rows: Vec<Row> =
        on_db!(db, pool => sqlx::query_as(RANGE).bind(from).bind(until).fetch_all(pool).await)?;
    rows.into_iter().map(payload).collect()
}

/// As [`read`], as the transaction sees it.
pub async fn read_in(tx: &mut Tx, range: Range<u64>) -> Result<Vec<(u64, Payload)>, StoreError> {
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    let rows: Vec<Row> =
        on_tx!(tx, conn => sqlx::query_as(RANGE).bind(from).bind(until).fetch_all(conn).await)?;
    rows.into_iter().map(payload).collect()
}

/// What belongs to one entry, as the transaction sees it.
pub async fn find_in(tx: &mut Tx, index: u64) -> Result<Option<Payload>, StoreError> {
    let at = to_db(index)?;
    let row: Option<Row> = on_tx!(tx, conn => sqlx::query_as(ONE).bind(at).fetch_optional(conn).await)?;
    Ok(row.map(payload).transpose()?.map(|(_, payload)| payload))
}

fn payload((index, salt, body, erased_ms): Row) -> Result<(u64, Payload), StoreError> {
    let payload = match (salt, body, erased_ms) {
        (Some(salt), Some(body), None) => Payload::Kept { salt, body },
        (None, None, Some(at_ms)) => Payload::Erased { at_ms },
        _ => return Err(StoreError::Corrupt(format!("payload {index} is half erased"))),
    };
    Ok((from_db(index)?, payload))
}

/// Erases what belongs to the entry `index`; false if there is nothing to erase. The transaction also appends the
/// act that says so.
pub async fn erase(tx: &mut Tx, index: u64, at_ms: i64) -> Result<bool, StoreError> {
    let index = to_db(index)?;
    let erased = on_tx!(tx, conn => sqlx::query(ERASE)
        .bind(at_ms)
        .bind(index)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(erased == 1)
}
