//! The journals beside the act log: what each check says of it, and what it has sealed.

use std::collections::{BTreeMap, HashMap};

use super::finding::{Finding, Kind};
use super::replay::{KeyEnded, Seal};
use super::told::ToldLog;
use super::{Piece, Source, Unreadable};
use crate::domain::ids::CheckId;
use crate::domain::index::Index;
use crate::domain::journal::JournalEntry;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::tile::{TileId, TilePath, TileRef, TileSet, edge_tiles};
use crate::registry::published::LogName;

/// Tiles of the act log that are kept while a journal is read.
const MOST_TILES: usize = 64;

/// What is known of the act log once it was read.
#[derive(Default)]
pub(super) struct Acts {
    /// Its head, if the tiles hash to what was signed.
    pub(super) head: Option<TreeHead>,
    /// Its index, as far as it was replayed.
    pub(super) index: Index,
    /// What it sealed, by the origin of the journal.
    pub(super) seals: BTreeMap<String, Vec<Seal>>,
    /// Which keys it ended.
    pub(super) ended: Vec<KeyEnded>,
}

impl Acts {
    /// Journals that are sealed and not told of, each with the entry that seals it first.
    pub(super) fn unknown_seals(&self, logs: &[ToldLog]) -> Vec<(&str, u64)> {
        let is_known =
            |origin: &str| logs.iter().any(|told| told.log != LogName::acts() && told.origin == origin);
        let unknown = self.seals.iter().filter(|(origin, _)| !is_known(origin));
        unknown.filter_map(|(origin, seals)| Some((origin.as_str(), seals.first()?.entry))).collect()
    }
}

/// One journal while it is read.
pub(super) struct Checks<'a> {
    acts: &'a Acts,
    /// Root of the act log at the size that was asked for last.
    last: Option<TreeHead>,
    tiles: HashMap<TileRef, Vec<u8>>,
    last_size: u64,
    /// The check whose matched works are due, the next chunk, and how many there are.
    due: Option<(CheckId, u32, u32)>,
    /// Checks that name more entries of the act log than there are here.
    pub(super) beyond: u64,
    pub(super) read: u64,
}

impl<'a> Checks<'a> {
    /// One that has read nothing.
    pub(super) fn beside(acts: &'a Acts) -> Self {
        Self { acts, last: None, tiles: HashMap::new(), last_size: 0, due: None, beyond: 0, read: 0 }
    }

    /// An entry could not be read: what was due may have been in it.
    pub(super) fn skip(&mut self) {
        self.due = None;
    }

    /// The keys that the act log had ended when the last check was answered.
    pub(super) fn ended(&self) -> impl Iterator<Item = &'a KeyEnded> {
        let size = self.last_size;
        self.acts.ended.iter().filter(move |ended| ended.entry < size)
    }

    /// Whether there is an act log that is as it was signed.
    pub(super) fn is_compared(&self) -> bool {
        self.acts.head.is_some()
    }

    /// The journal ends here.
    pub(super) fn end(&mut self) -> Option<Finding> {
        let (of, due, _) = self.due.take()?;
        Some(Finding::new(
            Kind::CheckContradicts,
            format!("it ends where chunk {due} of the check `{of}` is due"),
        ))
    }

    /// Reads an entry as it was hashed, and gives what does not hold of it.
    pub(super) async fn entry<S: Source>(
        &mut self,
        source: &S,
        bytes: &[u8],
    ) -> Result<Option<Finding>, Unreadable> {
        let entry: JournalEntry = match serde_json::from_slice(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.skip();
                return Ok(Some(Finding::new(Kind::EntryForm, format!("it can't be read: {error}"))));
            }
        };
        self.read += 1;
        let contradicts = |what: String| Some(Finding::new(Kind::CheckContradicts, what));
        match entry {
            JournalEntry::Matched { check, chunk, .. } => match self.due.take() {
                Some((of, due, all)) if of == check && due == chunk => {
                    self.due = (due + 1 < all).then_some((of, due + 1, all));
                    Ok(None)
                }
                _ => Ok(contradicts(format!(
                    "it is chunk {chunk} of the check `{check}`, which is not due here"
                ))),
            },
            JournalEntry::Check {
                check, items, permitted, log_size, log_root, rule_version, chunks, ..
            } => {
                let missing = self.due.replace((check, 0, chunks));
                self.due.take_if(|(_, _, all)| *all == 0);
                if let Some((of, due, _)) = missing {
                    return Ok(contradicts(format!("chunk {due} of the check `{of}` is due before it")));
                }
                if permitted > items {
                    return Ok(contradicts(format!("it permits {permitted} of {items} items")));
                }
                let told = TreeHead { size: log_size, root: Hash(log_root.0) };
                self.beside_acts(source, told, rule_version).await
            }
        }
    }

    async fn beside_acts<S: Source>(
        &mut self,
        source: &S,
        told: TreeHead,
        rules: u32,
    ) -> Result<Option<Finding>, Unreadable> {
        let contradicts = |what: String| Ok(Some(Finding::new(Kind::CheckContradicts, what)));
        let before = std::mem::replace(&mut self.last_size, told.size);
        if told.size < before {
            return contradicts(format!(
                "it was answered from {} entries of the act log, and the one before it from {before}",
                told.size
            ));
        }
        let Some(head) = self.acts.head else { return Ok(None) };
        if told.size > head.size {
            self.beyond += 1;
            return Ok(None);
        }
        if self.last.is_none_or(|last| last.size != told.size) {
            self.last = self.root_at(source, head.size, told.size).await?;
        }
        if let Some(last) = self.last
            && last.root != told.root
        {
            let size = told.size;
            return contradicts(format!("it names another root of the act log at size {size} than that has"));
        }
        let stood = self.acts.index.as_of(told.size).rule_version();
        if self.acts.index.size() >= told.size && stood != rules {
            return contradicts(format!(
                "it was answered by version {rules} of the rules, and version {stood} stood"
            ));
        }
        Ok(None)
    }

    /// The act log's head at an earlier size, from its tiles.
    async fn root_at<S: Source>(
        &mut self,
        source: &S,
        whole: u64,
        size: u64,
    ) -> Result<Option<TreeHead>, Unreadable> {
        if self.tiles.len() > MOST_TILES {
            self.tiles.clear();
        }
        let mut set = TileSet::new();
        for TileRef { id, .. } in edge_tiles(size) {
            let Some(data) = self.tile(source, id, whole).await? else { return Ok(None) };
            set.insert(id, data);
        }
        Ok(set.root(size).ok().map(|root| TreeHead { size, root }))
    }

    async fn tile<S: Source>(
        &mut self,
        source: &S,
        id: TileId,
        whole: u64,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let tile = TileRef { id, width: id.width_at(whole) };
        if let Some(data) = self.tiles.get(&tile) {
            return Ok(Some(data.clone()));
        }
        let read = source.read(&LogName::acts(), Piece::Tile(TilePath::Hashes(tile))).await?;
        if let Some(data) = &read {
            self.tiles.insert(tile, data.clone());
        }
        Ok(read)
    }
}
