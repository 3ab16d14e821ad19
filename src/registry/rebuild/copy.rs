//! The catalogue, written anew from the log.

use std::collections::HashMap;
use std::path::PathBuf;

use futures_util::StreamExt;

use super::{Finding, RebuildError};
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::domain::index::Index;
use crate::domain::payload::Payload;
use crate::registry::catalogue;
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::ACTS;
use crate::store::payloads::{self, Payload as StoredPayload};
use crate::store::{Db, StoreError, Tx};

/// A fresh index with a fresh catalogue, in a database of its own that is deleted afterwards.
pub(super) struct Copy {
    folder: PathBuf,
    db: Db,
    index: Index,
}

impl Copy {
    /// An empty one, in a new folder.
    pub(super) async fn make(folder: PathBuf) -> Result<Self, RebuildError> {
        std::fs::create_dir(&folder)
            .map_err(|source| RebuildError::Folder { path: folder.clone(), source })?;
        let db = Db::connect(&format!("sqlite:{}", folder.join("fresh.db").display())).await?;
        Ok(Self { folder, db, index: Index::new() })
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Folds the log of `from` up to `size`; a finding when an entry can't be folded.
    pub(super) async fn fold_to(
        &mut self,
        from: &Db,
        size: u64,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<Option<Finding>, StoreError> {
        let start = self.index.size();
        let mut pages = std::pin::pin!(entries::stream(from, ACTS, start..size));
        while let Some(page) = pages.next().await {
            let mut tx = self.db.begin().await?;
            if let Err(finding) = write_page(from, &mut tx, &mut self.index, &page?).await? {
                return Ok(Some(finding));
            }
            tx.commit().await?;
            progress(self.index.size(), size);
        }
        Ok(None)
    }

    /// Deletes the fresh tables.
    pub(super) async fn remove(self) {
        self.db.close().await;
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            let folder = self.folder.display();
            tracing::warn!(target: "kyodaku::rebuild", %error, %folder, "the fresh tables are left behind");
        }
    }
}

/// Writes the catalogue of the first `size` entries of `db` into `tx`, which has an empty one.
pub(super) async fn write_all(
    db: &Db,
    tx: &mut Tx,
    size: u64,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), StoreError> {
    let mut index = Index::new();
    let mut pages = std::pin::pin!(entries::stream(db, ACTS, 0..size));
    while let Some(page) = pages.next().await {
        if let Err(finding) = write_page(db, tx, &mut index, &page?).await? {
            return Err(StoreError::Corrupt(finding.to_string()));
        }
        progress(index.size(), size);
    }
    Ok(())
}

async fn write_page(
    from: &Db,
    tx: &mut Tx,
    index: &mut Index,
    page: &[StoredEntry],
) -> Result<Result<(), Finding>, StoreError> {
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Ok(())) };
    let stored = payloads::read(from, first.index..last.index + 1).await?;
    let mut bodies: HashMap<u64, StoredPayload> = stored.into_iter().collect();
    for stored in page {
        let at = stored.index;
        let finding = |what: String| Finding { place: format!("log `{ACTS}`"), what };
        let entry: Entry = match serde_json::from_slice(&stored.bytes) {
            Ok(entry) => entry,
            Err(error) => return Ok(Err(finding(format!("entry {at} can't be read: {error}")))),
        };
        let payload: Option<Payload> = match bodies.remove(&at) {
            Some(StoredPayload::Kept { body, .. }) => match serde_json::from_str(&body) {
                Ok(payload) => Some(payload),
                Err(error) => {
                    return Ok(Err(finding(format!("the payload of entry {at} can't be read: {error}"))));
                }
            },
            _ => None,
        };
        if let Err(error) = index.fold(at, &entry) {
            return Ok(Err(finding(error.to_string())));
        }
        let erased = match &entry.act {
            Act::PayloadErased(act) => {
                entries::read(from, ACTS, act.entry..act.entry.saturating_add(1)).await?.pop()
            }
            _ => None,
        };
        let erased = match erased.map(|erased| serde_json::from_slice(&erased.bytes)).transpose() {
            Ok(erased) => erased,
            Err(error) => return Ok(Err(finding(format!("what entry {at} erased can't be read: {error}")))),
        };
        let changes = catalogue::changes(index, at, &entry, payload.as_ref(), erased.as_ref());
        catalogue::write(tx, &changes).await?;
    }
    // Nothing folded here is ever undone.
    index.keep();
    Ok(Ok(()))
}
