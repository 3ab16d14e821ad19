//! The catalogue, written anew from the log.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures_util::StreamExt;

use super::FsckError;
use crate::clock::Clock;
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::domain::index::Index;
use crate::domain::payload::Payload;
use crate::registry::catalogue;
use crate::registry::offline::{Finding, Kind};
use crate::store::catalogue::Difference;
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
    /// An empty one, in a new folder below this one.
    pub(super) async fn make(below: &Path, clock: &Clock) -> Result<Self, FsckError> {
        let folder = below.join(format!("rebuild-{}", clock.new_uuid()));
        make_private(&folder).map_err(|source| FsckError::Folder { path: folder.clone(), source })?;
        match Db::scratch(&folder.join("fresh.db")).await {
            Ok(db) => Ok(Self { folder, db, index: Index::new() }),
            Err(error) => {
                remove(&folder);
                Err(error.into())
            }
        }
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    /// Writes what the next entries mean.
    pub(super) async fn page(
        &mut self,
        from: &Db,
        page: &[StoredEntry],
        rows: Vec<(u64, StoredPayload)>,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        write_page(from, &mut tx, &mut self.index, page, rows).await?;
        tx.commit().await
    }

    /// Deletes the fresh tables.
    pub(super) async fn remove(self) {
        self.db.close().await;
        remove(&self.folder);
    }
}

/// Makes a folder that nobody else reads: there will be titles in it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        let folder = folder.display();
        tracing::warn!(target: "kyodaku::rebuild", %error, %folder, "the fresh tables are left behind");
    }
}

/// Writes the catalogue of the first `size` entries of `db` into `tx`, which has an empty one.
pub(in crate::registry) async fn write_all(
    db: &Db,
    tx: &mut Tx,
    size: u64,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), StoreError> {
    let mut index = Index::new();
    let mut pages = std::pin::pin!(entries::stream(db, ACTS, 0..size));
    while let Some(page) = pages.next().await {
        let page = page?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { continue };
        let rows = payloads::read(db, first.index..last.index + 1).await?;
        write_page(db, tx, &mut index, &page, rows).await?;
        progress(index.size(), size);
    }
    Ok(())
}

/// The log holds, so what can't be read or folded here is a payload, or was altered since.
async fn write_page(
    from: &Db,
    tx: &mut Tx,
    index: &mut Index,
    page: &[StoredEntry],
    rows: Vec<(u64, StoredPayload)>,
) -> Result<(), StoreError> {
    let mut bodies: HashMap<u64, StoredPayload> = rows.into_iter().collect();
    for stored in page {
        let at = stored.index;
        let entry = parse(stored)?;
        let payload: Option<Payload> = match bodies.remove(&at) {
            // One that is not what was digested is named elsewhere, and can be anything.
            Some(StoredPayload::Kept { body, .. }) => serde_json::from_str(&body).ok(),
            _ => None,
        };
        index.fold(at, &entry).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let erased = match &entry.act {
            Act::PayloadErased(act) => {
                let found = entries::present(from, ACTS, act.entry..act.entry.saturating_add(1)).await?;
                found.first().map(parse).transpose()?
            }
            _ => None,
        };
        let changes = catalogue::changes(index, at, &entry, payload.as_ref(), erased.as_ref());
        catalogue::write(tx, &changes).await?;
    }
    // Nothing folded here is ever undone.
    index.keep();
    Ok(())
}

fn parse(stored: &StoredEntry) -> Result<Entry, StoreError> {
    serde_json::from_slice(&stored.bytes)
        .map_err(|error| StoreError::Corrupt(format!("entry {} can't be read: {error}", stored.index)))
}

/// A table of the catalogue that is not what the log says.
pub(super) fn finding_of(difference: Difference) -> Finding {
    let row = |row: Option<String>| row.unwrap_or_else(|| "no such row".to_owned());
    let what = format!("stored is {}, and the log says {}", row(difference.here), row(difference.there));
    Finding::new(Kind::Derived, what).in_table(difference.table)
}
