//! Where each check is: a copy of what the journals say.

use futures_util::StreamExt;

use crate::domain::journal::JournalEntry;
use crate::registry::offline::{Finding, Kind};
use crate::store::checks::{self, StoredCheck};
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::{self, ACTS};
use crate::store::{Db, StoreError, Tx};

/// The checks that a part of a journal holds, and what can't be read of it.
pub(super) fn told(log: &str, page: &[StoredEntry]) -> (Vec<StoredCheck>, Vec<Finding>) {
    let (mut told, mut unreadable) = (Vec::new(), Vec::new());
    for stored in page {
        match serde_json::from_slice(&stored.bytes) {
            Ok(JournalEntry::Check { check, developer, asked_by, at_ms, items, permitted, .. }) => {
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
            Ok(JournalEntry::Matched { .. }) => {}
            Err(error) => {
                let finding = Finding::new(Kind::EntryForm, format!("it can't be read: {error}"));
                unreadable.push(finding.of_entry(stored.index));
            }
        }
    }
    (told, unreadable)
}

/// The first check that is not the same in both.
pub(super) fn difference(told: &[StoredCheck], noted: &[StoredCheck]) -> Option<Finding> {
    let most = told.len().max(noted.len());
    let (told, noted) =
        (0..most).map(|at| (told.get(at), noted.get(at))).find(|(told, noted)| told != noted)?;
    let row = |row: Option<&StoredCheck>| row.map_or("no such row".to_owned(), |row| format!("{row:?}"));
    let what = format!("stored is {}, and the journal says {}", row(noted), row(told));
    Some(Finding::new(Kind::Derived, what).in_table("checks"))
}

/// Writes the table anew. No journal grows until `tx` is committed.
pub(in crate::registry) async fn write_all(db: &Db, tx: &mut Tx) -> Result<(), StoreError> {
    let logs = heads::list(db).await?;
    let journals = logs.into_iter().map(|(log, _)| log).filter(|log| log != ACTS);
    checks::clear(tx).await?;
    for log in journals {
        let size = heads::lock(tx, &log).await?.map_or(0, |head| head.size());
        let mut pages = std::pin::pin!(entries::stream(db, &log, 0..size));
        while let Some(page) = pages.next().await {
            let (told, unreadable) = told(&log, &page?);
            if let Some(finding) = unreadable.first() {
                return Err(StoreError::Corrupt(finding.to_string()));
            }
            checks::put(tx, &told).await?;
        }
    }
    Ok(())
}
