//! The logs as they lie in a database, as they were at one moment, for the reader of folders and servers.

use std::sync::{Mutex, PoisonError};

use data_encoding::BASE64;

use super::keys::Noted;
use super::{FsckError, Ground, Pace};
use crate::log::merkle::{HASH_BYTES, Hash};
use crate::log::tile::{TILE_WIDTH, TilePath, encode_bundle};
use crate::registry::offline::{
    Finding, Findings, Kind, Piece, Signed, Source, ToldLog, Unreadable, check_list,
};
use crate::registry::published::LogName;
use crate::store::heads::{self, ACTS, StoredHead};
use crate::store::{Db, StoreError, cosignatures, entries, tiles};

/// How many sizes of checkpoints are read at once.
const PAGE: u32 = 1_000;

/// The logs of a database, pinned. They go on growing; nothing after the pinned sizes is looked at.
pub(super) struct Stored<'a> {
    db: &'a Db,
    pace: &'a Pace,
    heads: Vec<StoredHead>,
    keys: Vec<Noted>,
    told: Vec<ToldLog>,
    /// What the database said of itself when it could not be read.
    damage: Mutex<Option<String>>,
}

impl<'a> Stored<'a> {
    /// Pins the logs, and holds their heads and keys against each other and against the data folder.
    pub(super) async fn pin(
        ground: &'a Ground,
        pace: &'a Pace,
        findings: &mut Findings,
    ) -> Result<Self, FsckError> {
        let heads = heads::every(&ground.db).await?;
        let (mut told, mut keys) = (Vec::with_capacity(heads.len()), Vec::with_capacity(heads.len()));
        for head in &heads {
            let name = name(&head.log);
            if let Err(error) = head.tree() {
                findings.push(Finding::new(Kind::Head, error.to_string()).in_log(&name).in_table("logs"));
            }
            let noted = Noted::of(ground, head, findings).await?;
            let root = Hash::try_from(head.root.as_slice()).unwrap_or(Hash([0; HASH_BYTES]));
            told.push(ToldLog {
                prefix: format!("logs/{name}"),
                log: name,
                origin: head.origin.clone(),
                size: head.size,
                root: BASE64.encode(root.as_ref()),
                keys: noted.told(),
                continues: noted.continues().to_vec(),
            });
            keys.push(noted);
        }
        let told = check_list(told).map_err(Unreadable)?;
        Ok(Self { db: &ground.db, pace, heads, keys, told, damage: Mutex::default() })
    }

    fn head(&self, log: &str) -> Option<&StoredHead> {
        self.heads.iter().find(|head| head.log == log)
    }

    /// The keys of each log.
    pub(super) fn keys(&self) -> &[Noted] {
        &self.keys
    }

    /// How many entries a log had.
    pub(super) fn size(&self, log: &str) -> u64 {
        self.head(log).map_or(0, |head| head.size)
    }

    /// When the last entry of a log was appended, as its row says.
    pub(super) fn at_ms(&self, log: &str) -> Option<i64> {
        self.head(log).map(|head| head.at_ms)
    }

    /// Whether there was such a log.
    pub(super) fn has(&self, log: &str) -> bool {
        self.head(log).is_some()
    }

    /// How many entries there were in all.
    pub(super) fn entries(&self) -> u64 {
        self.heads.iter().fold(0, |sum, head| sum.saturating_add(head.size))
    }

    /// The names of all logs in the database.
    pub(super) fn logs(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().map(|head| head.log.as_str())
    }

    /// Those of the journals, with their sizes.
    pub(super) fn journals(&self) -> impl Iterator<Item = (&str, u64)> {
        self.heads.iter().filter(|head| head.log != ACTS).map(|head| (head.log.as_str(), head.size))
    }

    /// Why the database can't be read, if it is damaged.
    pub(super) fn damage(&self) -> Option<String> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The reader of the logs knows only that it can't read.
    fn refuse(&self, error: &StoreError) -> Unreadable {
        if let StoreError::Corrupt(why) = error {
            *self.damage.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
        }
        Unreadable(error.to_string())
    }

    async fn cosigned(&self, log: &str, size: u64, note: String) -> Result<Option<Vec<u8>>, StoreError> {
        let lines = cosignatures::of(self.db, log, size).await?;
        Ok(Some((note + &lines).into_bytes()))
    }
}

/// The public name of a log.
pub(super) fn name(log: &str) -> LogName {
    LogName::stored_as(log.to_owned())
}

impl Source for Stored<'_> {
    async fn logs(&self) -> Result<Vec<ToldLog>, Unreadable> {
        Ok(self.told.clone())
    }

    async fn signed(&self, log: &LogName, after: Option<u64>) -> Result<Signed, Unreadable> {
        let from = after.map_or(0, |after| after.saturating_add(1));
        let until = self.size(log.stored());
        let sizes = tiles::sizes(self.db, log.stored(), from..=until, PAGE).await;
        let sizes = sizes.map_err(|error| self.refuse(&error))?;
        Ok(Signed { more: sizes.len() == PAGE as usize, sizes })
    }

    async fn has_entries(&self, _: &LogName) -> Result<bool, Unreadable> {
        Ok(true)
    }

    async fn read(&self, log: &LogName, piece: Piece) -> Result<Option<Vec<u8>>, Unreadable> {
        self.pace.rest().await;
        self.piece(log.stored(), piece).await.map_err(|error| self.refuse(&error))
    }
}

impl Stored<'_> {
    async fn piece(&self, stored: &str, piece: Piece) -> Result<Option<Vec<u8>>, StoreError> {
        match piece {
            Piece::Newest => match self.head(stored) {
                Some(head) => self.cosigned(stored, head.size, head.checkpoint.clone()).await,
                None => Ok(None),
            },
            Piece::Signed(size) => match tiles::checkpoint_at(self.db, stored, size).await? {
                Some(checkpoint) => self.cosigned(stored, size, checkpoint.note).await,
                None => Ok(None),
            },
            Piece::Tile(TilePath::Hashes(tile)) => {
                let data = tiles::stored(self.db, stored, tile.id).await?;
                Ok(data.map(|mut data| {
                    data.truncate(usize::from(tile.width) * HASH_BYTES);
                    data
                }))
            }
            Piece::Tile(TilePath::Entries { index, width }) => {
                let first = index * u64::from(TILE_WIDTH);
                let found = entries::present(self.db, stored, first..first + u64::from(width)).await?;
                // As a file would, it breaks off where one is missing.
                let whole = (first..).zip(&found).take_while(|(due, entry)| entry.index == *due);
                let whole: Vec<&[u8]> = whole.map(|(_, entry)| entry.bytes.as_slice()).collect();
                encode_bundle(&whole).map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
            }
        }
    }
}
