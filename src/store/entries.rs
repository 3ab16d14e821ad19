//! The entries of a log, stored and given back verbatim.

use std::ops::Range;

use futures_util::stream::{self, Stream};

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::texts;

/// How many entries a page of [`stream()`] reads at once.
const PAGE: u64 = 1_000;

texts! {
    RANGE = "SELECT idx, at_ms, bytes FROM entries WHERE log = $1 AND idx >= $2 AND idx < $3 ORDER BY idx";
    ONE = "SELECT idx, at_ms, bytes FROM entries WHERE log = $1 AND idx = $2";
}

/// One entry of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its place, counted from 0.
    pub index: u64,
    /// When it was appended.
    pub at_ms: i64,
    /// Its bytes, as they were hashed.
    pub bytes: Vec<u8>,
}

/// The entries of `range`, all of them: a caller takes the end from a head it has read.
///
/// # Errors
/// [`StoreError::Corrupt`] when one is missing.
pub async fn read(db: &Db, log: &str, range: Range<u64>) -> Result<Vec<StoredEntry>, StoreError> {
    let (from, until) = (range.start, range.end);
    let found = present(db, log, range).await?;
    if found.len() as u64 != until.saturating_sub(from) {
        let found = found.len();
        return Err(StoreError::Corrupt(format!(
            "log `{log}` has {found} entries from {from} to {until}: some are missing"
        )));
    }
    Ok(found)
}

/// The entries of `range` that are there, in order.
pub async fn present(db: &Db, log: &str, range: Range<u64>) -> Result<Vec<StoredEntry>, StoreError> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    let rows: Vec<(i64, i64, Vec<u8>)> = on_db!(db, pool => sqlx::query_as(RANGE)
        .bind(log)
        .bind(from)
        .bind(until)
        .fetch_all(pool)
        .await)?;
    rows.into_iter()
        .map(|(index, at_ms, bytes)| Ok(StoredEntry { index: from_db(index)?, at_ms, bytes }))
        .collect()
}

/// One entry, as the transaction sees it.
pub async fn find_in(tx: &mut Tx, log: &str, index: u64) -> Result<Option<StoredEntry>, StoreError> {
    let at = to_db(index)?;
    let row: Option<(i64, i64, Vec<u8>)> =
        on_tx!(tx, conn => sqlx::query_as(ONE).bind(log).bind(at).fetch_optional(conn).await)?;
    Ok(row.map(|(_, at_ms, bytes)| StoredEntry { index, at_ms, bytes }))
}

/// As [`read`], for ranges of any length: pages of 1,000 entries, in order, each read when the one before is used
/// up. Ends after the first error.
pub fn stream<'a>(
    db: &'a Db,
    log: &'a str,
    range: Range<u64>,
) -> impl Stream<Item = Result<Vec<StoredEntry>, StoreError>> + Send + 'a {
    stream::try_unfold(range.start, move |from| async move {
        if from >= range.end {
            return Ok(None);
        }
        let until = range.end.min(from + PAGE);
        Ok(Some((read(db, log, from..until).await?, until)))
    })
}
