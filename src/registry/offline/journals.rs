//! The journals beside the act log: what each check says of it, and what it has sealed.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::finding::{Finding, Kind};
use super::replay::{KeyEnded, Seal, Times};
use super::told::ToldLog;
use super::{Piece, Source, Unreadable};
use crate::domain::ids::{CheckId, WorkId};
use crate::domain::index::Index;
use crate::domain::journal::{CHUNK, JournalEntry, MatchedWork, matched_works};
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
    /// When its entries were recorded.
    pub(super) times: Times,
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

/// A check of which not all matched works were read.
struct Due {
    check: CheckId,
    /// The next of its chunks, and how many there are.
    chunk: u32,
    chunks: u32,
    /// From how many entries of the act log it was answered.
    log_size: u64,
    /// Whether there was an item of each verdict.
    has_permitted: bool,
    has_refused: bool,
    /// The last work that was read.
    last: Option<WorkId>,
}

impl Due {
    /// What does not hold of the works of its next chunk.
    fn fault(&mut self, works: &[MatchedWork], index: &Index) -> Option<String> {
        let is_last = self.chunk + 1 == self.chunks;
        if works.is_empty() || works.len() > CHUNK || !is_last && works.len() < CHUNK {
            return Some(format!("chunk {} of {} holds {} works", self.chunk, self.chunks, works.len()));
        }
        let seen = (index.size() >= self.log_size).then(|| index.as_of(self.log_size));
        for MatchedWork { work, uses, permitted } in works {
            if self.last.replace(*work).is_some_and(|last| last > *work) {
                return Some(format!("the work `{work}` stands out of its order"));
            }
            if uses.is_empty() {
                return Some(format!("the work `{work}` was asked about for no use"));
            }
            if !(if *permitted { self.has_permitted } else { self.has_refused }) {
                let told = if *permitted {
                    "was permitted, and no item was"
                } else {
                    "was not permitted, and every item was"
                };
                return Some(format!("the work `{work}` {told}"));
            }
            if seen.is_some_and(|seen| seen.work(*work).is_none()) {
                let size = self.log_size;
                return Some(format!(
                    "the work `{work}` is in none of the {size} entries from which it was answered"
                ));
            }
        }
        None
    }
}

/// One journal while it is read.
pub(super) struct Checks<'a> {
    acts: &'a Acts,
    /// Root of the act log at the size that was asked for last.
    last: Option<TreeHead>,
    tiles: HashMap<TileRef, Vec<u8>>,
    last_size: u64,
    /// The check whose matched works are due.
    due: Option<Due>,
    /// What the act log sealed of the journal, by size, as far as it is not read yet.
    seals: VecDeque<Seal>,
    /// Checks that name more entries of the act log than there are here.
    pub(super) beyond: u64,
    /// How many say that they are younger than what sealed them, and the first of those.
    pub(super) after_seal: u64,
    pub(super) first_after_seal: Option<u64>,
    pub(super) read: u64,
}

impl<'a> Checks<'a> {
    /// One that has read nothing.
    pub(super) fn beside(acts: &'a Acts, origin: &str) -> Self {
        let mut seals = acts.seals.get(origin).cloned().unwrap_or_default();
        seals.sort_by_key(|seal| seal.size);
        Self {
            acts,
            last: None,
            tiles: HashMap::new(),
            last_size: 0,
            due: None,
            seals: seals.into(),
            beyond: 0,
            after_seal: 0,
            first_after_seal: None,
            read: 0,
        }
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
        let Due { check, chunk, .. } = self.due.take()?;
        Some(Finding::new(
            Kind::CheckContradicts,
            format!("it ends where chunk {chunk} of the check `{check}` is due"),
        ))
    }

    /// Reads the entry at `at` as it was hashed, and gives what does not hold of it.
    pub(super) async fn entry<S: Source>(
        &mut self,
        source: &S,
        at: u64,
        bytes: &[u8],
    ) -> Result<Vec<Finding>, Unreadable> {
        let entry: JournalEntry = match serde_json::from_slice(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.skip();
                return Ok(vec![Finding::new(Kind::EntryForm, format!("it can't be read: {error}"))]);
            }
        };
        self.read += 1;
        let contradicts = |what: String| Finding::new(Kind::CheckContradicts, what);
        match entry {
            JournalEntry::Matched { check, chunk, works, .. } => {
                Ok(self.matched(check, chunk, &works).into_iter().collect())
            }
            JournalEntry::Check {
                check,
                at_ms,
                items,
                permitted,
                log_size,
                log_root,
                rule_version,
                chunks,
                ..
            } => {
                let (has_permitted, has_refused) = (permitted > 0, permitted < items);
                let due = Due { check, chunk: 0, chunks, log_size, has_permitted, has_refused, last: None };
                let missing = self.due.replace(due);
                self.due.take_if(|due| due.chunks == 0);
                let mut findings: Vec<Finding> = self.beside_times(at, at_ms, log_size).into_iter().collect();
                if let Some(Due { check: of, chunk, .. }) = missing {
                    findings.push(contradicts(format!("chunk {chunk} of the check `{of}` is due before it")));
                } else if permitted > items {
                    findings.push(contradicts(format!("it permits {permitted} of {items} items")));
                } else {
                    let told = TreeHead { size: log_size, root: Hash(log_root.0) };
                    findings.extend(self.beside_acts(source, told, rule_version).await?);
                }
                Ok(findings)
            }
        }
    }

    /// Reads matched works of a check, which must be those that are due.
    fn matched(&mut self, check: CheckId, chunk: u32, works: &str) -> Option<Finding> {
        let contradicts = |what: String| Some(Finding::new(Kind::CheckContradicts, what));
        let Some(mut due) = self.due.take().filter(|due| due.check == check && due.chunk == chunk) else {
            return contradicts(format!("it is chunk {chunk} of the check `{check}`, which is not due here"));
        };
        let fault = match matched_works(works) {
            Some(works) => due.fault(&works, &self.acts.index).and_then(contradicts),
            None => Some(Finding::new(Kind::EntryForm, "the works that matched can't be read")),
        };
        due.chunk += 1;
        self.due = Some(due).filter(|due| due.chunk < due.chunks);
        fault
    }

    /// Both logs are stamped by the registry: a check is not before the last entry that it rests on. One that says that it is after
    /// what sealed it was answered while the clock was ahead, and nothing of it can have changed since.
    fn beside_times(&mut self, at: u64, at_ms: i64, log_size: u64) -> Option<Finding> {
        while self.seals.front().is_some_and(|seal| seal.size <= at) {
            self.seals.pop_front();
        }
        self.acts.head?;
        let time = |what: String| Some(Finding::new(Kind::CheckTime, what));
        let last_ms = log_size.checked_sub(1).and_then(|last| self.acts.times.of(last));
        if let Some(last_ms) = last_ms.filter(|last_ms| at_ms < *last_ms) {
            return time(format!(
                "it was answered at {at_ms} ms from {log_size} entries of the act log, the last of which is of {last_ms} ms"
            ));
        }
        if self.seals.front().is_some_and(|seal| at_ms > seal.at_ms) {
            self.after_seal += 1;
            self.first_after_seal.get_or_insert(at);
        }
        None
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
