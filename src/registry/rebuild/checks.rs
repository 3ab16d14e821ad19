//! Where each check is: a copy of what the journals say.

use futures_util::StreamExt;

use super::Finding;
use super::logs::Stop;
use crate::domain::journal::JournalEntry;
use crate::store::checks::{self, StoredCheck};
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::{self, ACTS};
use crate::store::{Db, StoreError, Tx};

/// The checks that a part of a journal holds.
pub(super) fn told(log: &str, page: &[StoredEntry]) -> Result<Vec<StoredCheck>, Stop> {
    let mut told = Vec::new();
    for stored in page {
        let entry = serde_json::from_slice(&stored.bytes);
        let entry = entry.map_err(|error| Stop::unreadable(stored.index, &error))?;
        let JournalEntry::Check { check, developer, asked_by, at_ms, items, permitted, .. } = entry else {
            continue;
        };
        told.push(StoredCheck {
            check: check.to_string(),
            log: log.to_owned(),
            index: stored.index,
            developer: developer.to_string(),
            asked_by: asked_by.map(|org| org.to_string()),
            at_ms,
            items,
            permitted,
        });
    }
    Ok(told)
}

/// The checks that the table has of that part.
pub(super) async fn noted(db: &Db, log: &str, page: &[StoredEntry]) -> Result<Vec<StoredCheck>, StoreError> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
    checks::of_range(db, log, first.index..last.index + 1).await
}

/// The first check that is not the same in both.
pub(super) fn difference(told: &[StoredCheck], noted: &[StoredCheck]) -> Option<Finding> {
    let most = told.len().max(noted.len());
    let (told, noted) =
        (0..most).map(|at| (told.get(at), noted.get(at))).find(|(told, noted)| told != noted)?;
    let row = |row: Option<&StoredCheck>| row.map_or("no such row".to_owned(), |row| format!("{row:?}"));
    let what = format!("stored is {}, and the journal says {}", row(noted), row(told));
    Some(Finding { place: "table `checks`".to_owned(), what })
}

/// Rows that no journal told of, where `told` is how many all journals did. One that grew meanwhile has told of more since.
pub(super) async fn surplus(db: &Db, told: u64, before: u64) -> Result<Option<Finding>, StoreError> {
    let noted = checks::count(db).await?.min(before);
    let what = format!("{noted} checks are stored, and the journals tell of {told}");
    Ok((noted > told).then(|| Finding { place: "table `checks`".to_owned(), what }))
}

/// Writes the table anew. No journal grows until `tx` is committed.
pub(super) async fn write_all(db: &Db, tx: &mut Tx) -> Result<(), StoreError> {
    let logs = heads::list(db).await?;
    let journals = logs.into_iter().map(|(log, _)| log).filter(|log| log != ACTS);
    checks::clear(tx).await?;
    for log in journals {
        let size = heads::lock(tx, &log).await?.map_or(0, |head| head.size());
        let mut pages = std::pin::pin!(entries::stream(db, &log, 0..size));
        while let Some(page) = pages.next().await {
            let told = told(&log, &page?).map_err(|stop| StoreError::Corrupt(stop.to_string()))?;
            checks::put(tx, &told).await?;
        }
    }
    Ok(())
}
