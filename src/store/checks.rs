//! Where the journal entry of each check is: found by its id, or listed by whose it is.
//!
//! Everything here is told by the journals, and can be written anew from them.

use std::ops::Range;

use serde::Serialize;

use super::db::{Db, Tx, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::{json, texts};

texts! {
    /// One statement for a whole window.
    PUT = "INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) \
         SELECT value ->> 'check', value ->> 'log', value ->> 'index', value ->> 'developer', value ->> 'asked_by', \
         value ->> 'at_ms', value ->> 'items', value ->> 'permitted' FROM jsonb_each($1)",
        "INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) \
         SELECT \"check\", log, index, developer, asked_by, at_ms, items, permitted FROM json_to_recordset($1::json) \
         AS line (\"check\" text, log text, index bigint, developer text, asked_by text, at_ms bigint, items bigint, permitted bigint)";
    FIND = "SELECT check_id, log, idx, developer, asked_by, at_ms, items, permitted FROM checks WHERE check_id = $1";
    OF_DEVELOPER = "SELECT check_id, log, idx, developer, asked_by, at_ms, items, permitted FROM checks \
        WHERE developer = $1 AND check_id < $2 ORDER BY check_id DESC LIMIT $3";
    ASKED_BY = "SELECT check_id, log, idx, developer, asked_by, at_ms, items, permitted FROM checks \
        WHERE asked_by = $1 AND check_id < $2 ORDER BY check_id DESC LIMIT $3";
    EVERY = "SELECT check_id, log, idx, developer, asked_by, at_ms, items, permitted FROM checks \
        WHERE check_id < $1 ORDER BY check_id DESC LIMIT $2";
    RANGE = "SELECT check_id, log, idx, developer, asked_by, at_ms, items, permitted FROM checks \
        WHERE log = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
    CLEAR = "DELETE FROM checks";
}

/// After every id.
const END: &str = "~";

/// Where a check is.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, Serialize)]
pub struct StoredCheck {
    /// Its id; later ones are greater.
    #[sqlx(rename = "check_id")]
    pub check: String,
    /// The journal's name in the database.
    pub log: String,
    /// The index of its entry.
    #[sqlx(rename = "idx", try_from = "i64")]
    pub index: u64,
    /// Whose questions these were.
    pub developer: String,
    /// The contractor who asked them, if the developer did not.
    pub asked_by: Option<String>,
    /// The moment of the answer.
    pub at_ms: i64,
    /// How many items.
    #[sqlx(try_from = "i64")]
    pub items: u64,
    /// How many of them were permitted.
    #[sqlx(try_from = "i64")]
    pub permitted: u64,
}

/// Notes checks.
pub async fn put(tx: &mut Tx, checks: &[StoredCheck]) -> Result<(), StoreError> {
    if checks.is_empty() {
        return Ok(());
    }
    let (text, rows) = (PUT.of(tx.engine()), json(checks)?);
    on_tx!(tx, conn => sqlx::query(text).bind(rows).execute(conn).await.map(drop))?;
    Ok(())
}

/// The check of this id.
pub async fn find(db: &Db, check: &str) -> Result<Option<StoredCheck>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(FIND).bind(check).fetch_optional(pool).await)?)
}

/// Whose checks are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those whose questions were this developer's.
    Developer(&'a str),
    /// Those that this contractor asked for others.
    AskedBy(&'a str),
    /// All.
    Everybody,
}

/// A page of checks, the latest first; those before `before`, where the list goes on.
pub async fn list(
    db: &Db,
    whose: Whose<'_>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredCheck>, StoreError> {
    let (before, limit) = (before.unwrap_or(END), i64::from(limit));
    let of = |text, org| (text, Some(org));
    let (text, org) = match whose {
        Whose::Developer(org) => of(OF_DEVELOPER, org),
        Whose::AskedBy(org) => of(ASKED_BY, org),
        Whose::Everybody => (EVERY, None),
    };
    Ok(match org {
        Some(org) => on_db!(db, pool => sqlx::query_as(text)
            .bind(org)
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await)?,
        None => on_db!(db, pool => sqlx::query_as(text).bind(before).bind(limit).fetch_all(pool).await)?,
    })
}

/// Those of a part of a journal, in its order.
pub async fn of_range(db: &Db, log: &str, range: Range<u64>) -> Result<Vec<StoredCheck>, StoreError> {
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    Ok(on_db!(db, pool => sqlx::query_as(RANGE).bind(log).bind(from).bind(until).fetch_all(pool).await)?)
}

/// Forgets all, before they are written anew in the same transaction.
pub async fn clear(tx: &mut Tx) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(CLEAR).execute(conn).await.map(drop))?;
    Ok(())
}
