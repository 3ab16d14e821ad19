//! Every log computed anew from its entries.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use futures_util::StreamExt;

use super::{Finding, Ground, RebuildError, Report, checks};
use crate::domain::act::{Act, LogContinued};
use crate::domain::entry::Entry;
use crate::log::checkpoint::{Checkpoint, CheckpointError, VerifierKey, verify_by_any};
use crate::log::digest::salted;
use crate::log::merkle::{Hash, leaf_hash};
use crate::log::tile::{TileBuilder, TileRef};
use crate::registry::keys::{KeyName, LogSigner, SigningKeyError};
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::{self, ACTS, Head};
use crate::store::log_keys;
use crate::store::payloads::{self, Payload};
use crate::store::tiles::{self, StoredCheckpoint};
use crate::store::{Db, StoreError};

/// Why the examination of one log ends: a finding, or an error that says nothing about the log.
pub(super) enum Stop {
    Found(String),
    Error(RebuildError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(why) => Self::Found(why),
            other => Self::Error(other.into()),
        }
    }
}

impl Stop {
    pub(super) fn unreadable(at: u64, error: &serde_json::Error) -> Self {
        Self::Found(format!("entry {at} can't be read: {error}"))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(what) => f.write_str(what),
            Self::Error(error) => error.fmt(f),
        }
    }
}

/// A journal as the act log has sealed it.
struct Seal {
    entry: u64,
    size: u64,
    root: Hash,
}

/// One log while it is read.
struct Walk<'a> {
    db: &'a Db,
    head: Head,
    /// Those of this data folder, of today and tomorrow.
    keys: Vec<VerifierKey>,
    /// Those that the database names besides. They count where an act ended them.
    elder: Vec<VerifierKey>,
    /// Those of them that signed something.
    used: BTreeSet<String>,
    /// Whether a checkpoint without a signature by a known key is a fault: it is not where another node has its own key.
    must_sign: bool,
    tree: TileBuilder,
    due: Option<StoredCheckpoint>,
    checkpoints: u64,
    foreign: bool,
    last_ms: i64,
    seals: HashMap<String, Vec<Seal>>,
    /// The keys that the act log ended.
    ended: BTreeSet<String>,
    /// How many checks the journal tells of.
    checks_told: u64,
    /// Where the table of checks parts from the journal.
    checks_differ: Option<Finding>,
}

/// Reads every log from its first entry, and reports the first fault of each.
pub(super) async fn examine(
    ground: &Ground,
    report: &mut Report,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), RebuildError> {
    let logs = heads::list(&ground.db).await?;
    let total: u64 = logs.iter().map(|(_, head)| head.size).sum();
    let mut done = 0;
    let (mut seals, mut ended, mut told) = (HashMap::new(), BTreeSet::new(), 0);
    let noted = crate::store::checks::count(&ground.db).await?;
    // The act log is the first by name, so the seals are known when the journals come.
    for (log, listed) in logs {
        let before = done;
        let walked = walk(ground, &log, &ended, report, &|read| progress(before + read, total)).await;
        match walked {
            Ok(walk) => {
                let origin = walk.head.origin.clone();
                report.checkpoints += walk.checkpoints;
                report.catalogue_differs.extend(walk.checks_differ);
                told += walk.checks_told;
                if log == ACTS {
                    (seals, ended) = (walk.seals, walk.ended);
                } else if let Err(what) = sealed(&ground.db, &walk.head, seals.remove(&origin)).await? {
                    report.logs_differ.push(Finding { place: format!("log `{log}`"), what });
                }
            }
            Err(Stop::Found(what)) => {
                report.logs_differ.push(Finding { place: format!("log `{log}`"), what });
            }
            Err(Stop::Error(error)) => return Err(error),
        }
        done += listed.size;
        report.logs.push((log, listed.size));
    }
    if report.logs_differ.is_empty() {
        report.catalogue_differs.extend(checks::surplus(&ground.db, told, noted).await?);
    }
    for (origin, seals) in seals {
        if let Some(seal) = seals.iter().find(|seal| seal.size > 0) {
            let what = format!("entry {} of the act log seals it, and it is not there", seal.entry);
            report.logs_differ.push(Finding { place: format!("journal `{origin}`"), what });
        }
    }
    Ok(())
}

async fn walk<'a>(
    ground: &'a Ground,
    log: &str,
    ended: &BTreeSet<String>,
    report: &mut Report,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<Walk<'a>, Stop> {
    let head = heads::read(&ground.db, log).await?;
    let head = head.ok_or_else(|| Stop::Found("its head is gone".to_owned()))?;
    let (keys, must_sign) = keys_of(ground, &head)?;
    let noted = log_keys::of_log(&ground.db, log).await?;
    let elder = noted.iter().filter_map(|noted| noted.verifier_key.parse().ok());
    let elder = elder.filter(|key| !keys.contains(key)).collect();
    let due = tiles::checkpoint_covering(&ground.db, log, 0).await?;
    let mut walk = Walk {
        db: &ground.db,
        head,
        keys,
        elder,
        used: BTreeSet::new(),
        must_sign,
        tree: TileBuilder::new(),
        due,
        checkpoints: 0,
        foreign: false,
        last_ms: i64::MIN,
        seals: HashMap::new(),
        ended: ended.clone(),
        checks_told: 0,
        checks_differ: None,
    };
    let size = walk.head.size();
    let mut pages = std::pin::pin!(entries::stream(&ground.db, log, 0..size));
    while let Some(page) = pages.next().await {
        walk.page(&page?).await?;
        progress(walk.tree.size());
    }
    walk.end()?;
    if walk.foreign || walk.keys.is_empty() {
        report.unverified.push(format!("the signatures of log `{log}`: its key is not in this data folder"));
    }
    Ok(walk)
}

/// The keys that sign a log, and whether nobody else may.
fn keys_of(ground: &Ground, head: &Head) -> Result<(Vec<VerifierKey>, bool), Stop> {
    let is_acts = head.log == ACTS;
    let name = if is_acts { KeyName::ActLog } else { KeyName::Journal };
    let refuse = |error: SigningKeyError| Stop::Error(error.into());
    let pair = ground.settings.key(name).existing_pair().map_err(refuse)?;
    let signer = pair.map(|pair| LogSigner::of(name, &pair, &head.origin)).transpose().map_err(refuse)?;
    let keys = signer.iter().flat_map(LogSigner::keys).cloned().collect();
    Ok((keys, is_acts || head.log == heads::checks_log(&ground.settings.node)))
}

impl Walk<'_> {
    async fn page(&mut self, page: &[StoredEntry]) -> Result<(), Stop> {
        if self.head.log == ACTS {
            self.acts(page).await?;
        } else {
            let (expected, noted) =
                (checks::told(&self.head.log, page)?, checks::noted(self.db, &self.head.log, page).await?);
            self.checks_told += expected.len() as u64;
            self.checks_differ = self.checks_differ.take().or_else(|| checks::difference(&expected, &noted));
        }
        for stored in page {
            if stored.at_ms < self.last_ms {
                return Err(Stop::Found(format!("entry {} is older than the one before it", stored.index)));
            }
            self.last_ms = stored.at_ms;
        }
        let mut rest = page;
        while !rest.is_empty() {
            // Up to the next checkpoint, whose root is that of exactly this size.
            let until_due = self.due.as_ref().map_or(u64::MAX, |due| due.tree.size - self.tree.size());
            let take = usize::try_from(until_due).unwrap_or(usize::MAX).clamp(1, rest.len());
            let (now, later) = rest.split_at(take);
            self.grow(now).await?;
            rest = later;
        }
        Ok(())
    }

    async fn grow(&mut self, page: &[StoredEntry]) -> Result<(), Stop> {
        let leaves: Vec<Hash> = page.iter().map(|stored| leaf_hash(&stored.bytes)).collect();
        for write in self.tree.append(&leaves) {
            let tile = TileRef { id: write.id, width: write.width() };
            let stored = tiles::read_one(self.db, &self.head.log, tile).await?;
            if stored.as_deref() != Some(&write.data) {
                let (level, index) = (write.id.level, write.id.index);
                return Err(Stop::Found(format!(
                    "tile {index} of level {level} is not that of the entries below {}",
                    self.tree.size()
                )));
            }
        }
        while let Some(due) = self.due.take_if(|due| due.tree.size == self.tree.size()) {
            if due.tree != self.tree.head() {
                return Err(Stop::Found(format!(
                    "the checkpoint of size {} has the root {}, and the entries have {}",
                    due.tree.size,
                    due.tree.root,
                    self.tree.head().root
                )));
            }
            self.verify(&due.note)?;
            self.due = tiles::checkpoint_covering(self.db, &self.head.log, due.tree.size + 1).await?;
        }
        Ok(())
    }

    /// Verifies a signed note of the tree as it is now.
    fn verify(&mut self, note: &str) -> Result<(), Stop> {
        if self.keys.is_empty() {
            return Ok(());
        }
        let size = self.tree.size();
        let mut verified = verify_by_any(note.as_bytes(), &self.keys);
        if verified == Err(CheckpointError::Unsigned) {
            for key in &self.elder {
                verified = Checkpoint::parse_and_verify(note.as_bytes(), key);
                if verified != Err(CheckpointError::Unsigned) {
                    self.used.insert(key.to_string());
                    break;
                }
            }
        }
        match verified {
            Ok(checkpoint) if checkpoint.head() == self.tree.head() => self.checkpoints += 1,
            Ok(checkpoint) => {
                return Err(Stop::Found(format!(
                    "the signed note for size {size} is of size {} with another root",
                    checkpoint.size
                )));
            }
            Err(CheckpointError::Unsigned) if !self.must_sign => self.foreign = true,
            Err(error) => return Err(Stop::Found(format!("the checkpoint of size {size}: {error}"))),
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        if self.tree.head() != self.head.tree() {
            return Err(Stop::Found(format!(
                "the head has the root {}, and the entries have {}",
                self.head.tree().root,
                self.tree.head().root
            )));
        }
        let note = self.head.checkpoint.clone();
        self.verify(&note)?;
        // Whoever writes to the database can name any key; who writes to the log must sign it.
        match self.used.iter().find(|key| !self.ended.contains(*key)) {
            Some(key) if self.must_sign => Err(Stop::Found(format!(
                "checkpoints are signed by `{key}`, which is not the key of this data folder, and which no act ended"
            ))),
            Some(_) => {
                self.foreign = true;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The log goes on under another name: it commits to what it was, and the keys of the old name have ended.
    async fn continued(&mut self, at: u64, act: &LogContinued) -> Result<(), Stop> {
        let root = tiles::root_at(self.db, &self.head.log, at).await?;
        if act.size != at || act.root.0 != root.0 {
            return Err(Stop::Found(format!("entry {at} commits to another history than the one before it")));
        }
        let old = self.elder.iter().filter(|key| key.name() == act.from);
        self.ended.extend(old.map(ToString::to_string));
        Ok(())
    }

    /// What only the act log has: typed entries, payloads and seals.
    async fn acts(&mut self, page: &[StoredEntry]) -> Result<(), Stop> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(()) };
        let payloads = payloads::read(self.db, first.index..last.index + 1).await?;
        let mut payloads: HashMap<u64, Payload> = payloads.into_iter().collect();
        for stored in page {
            let at = stored.index;
            let entry: Entry =
                serde_json::from_slice(&stored.bytes).map_err(|error| Stop::unreadable(at, &error))?;
            if entry.at_ms != stored.at_ms {
                return Err(Stop::Found(format!("the row of entry {at} has another time than the entry")));
            }
            let digest = entry.payload.map(|digest| Hash(digest.0));
            match (digest, payloads.remove(&at)) {
                (None, None) | (Some(_), Some(Payload::Erased { .. })) => {}
                (Some(digest), Some(Payload::Kept { salt, body })) => {
                    let salt: Option<[u8; 32]> = salt.try_into().ok();
                    if salt.map(|salt| salted(&salt, body.as_bytes())) != Some(digest) {
                        return Err(Stop::Found(format!(
                            "the payload of entry {at} is not the one digested in it"
                        )));
                    }
                }
                (Some(_), None) => return Err(Stop::Found(format!("the payload of entry {at} is gone"))),
                (None, Some(_)) => {
                    return Err(Stop::Found(format!("entry {at} has no payload, and one is stored")));
                }
            }
            match entry.act {
                Act::JournalSealed(seal) => {
                    let seals = self.seals.entry(seal.journal).or_default();
                    seals.push(Seal { entry: at, size: seal.size, root: Hash(seal.root.0) });
                }
                Act::KeyRotated(rotated) => {
                    self.ended.insert(rotated.old);
                }
                Act::LogContinued(went_on) => self.continued(at, &went_on).await?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether a journal, whose tiles are verified, is what the act log sealed.
async fn sealed(db: &Db, head: &Head, seals: Option<Vec<Seal>>) -> Result<Result<(), String>, RebuildError> {
    for seal in seals.unwrap_or_default() {
        let (entry, size) = (seal.entry, seal.size);
        if size > head.size() {
            return Ok(Err(format!(
                "entry {entry} of the act log seals {size} entries, and it has {}",
                head.size()
            )));
        }
        if tiles::root_at(db, &head.log, size).await? != seal.root {
            return Ok(Err(format!(
                "it has another root at size {size} than entry {entry} of the act log seals"
            )));
        }
    }
    Ok(Ok(()))
}
