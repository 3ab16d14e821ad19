//! What a monitor keeps: every checkpoint that it believed, and where it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::eye::NoLook;
use crate::cli::Failure;
use crate::cli::cosigners::Quorum;
use crate::log::checkpoint::{Checkpoint, CosignerKey, VerifierKey, verify_by_any};
use crate::log::digest::sha256;
use crate::log::merkle::TreeHead;

/// Where it stands.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    /// The size of the last checkpoint that was believed.
    size: Option<u64>,
    /// When the log was last seen to grow.
    grown_ms: i64,
    /// How many entries were looked at for what is watched.
    seen: u64,
    /// Checkpoints that not enough witnesses are known to have cosigned, the oldest first: size, and when they were kept.
    #[serde(default)]
    waiting: Vec<(u64, i64)>,
    /// Up to which size each witness is known to have cosigned, by its key.
    #[serde(default)]
    cosigned: BTreeMap<String, u64>,
    /// Keys that gave way, each with how many entries the log had then.
    #[serde(default)]
    ended: BTreeMap<String, u64>,
    /// Those of them that an act was seen to end.
    #[serde(default)]
    borne_out: BTreeSet<String>,
    /// How many entries were read for such acts.
    #[serde(default)]
    acts_read: Option<u64>,
}

/// The most checkpoints that wait for witnesses. What is kept after them waits with a later one.
const MOST_WAITING: usize = 1_000;

/// The folder of a monitor.
pub(super) struct Memory {
    folder: PathBuf,
    place: Place,
    last: Option<TreeHead>,
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("`{}` can't be used: {error}", path.display()))
}

impl Memory {
    /// Opens the folder, which is made if it is not there. What was kept must still bear a signature of one of the keys.
    pub(super) fn open(folder: &Path, keys: &[VerifierKey]) -> Result<Self, Failure> {
        let checkpoints = folder.join("checkpoints");
        fs::create_dir_all(&checkpoints).map_err(|error| failed(&checkpoints, &error))?;
        let path = folder.join("place.json");
        let place: Place = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(&path, &error))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Place::default(),
            Err(error) => return Err(failed(&path, &error)),
        };
        let last = match place.size {
            None => None,
            Some(size) => {
                let path = checkpoints.join(size.to_string());
                let note = fs::read(&path).map_err(|error| failed(&path, &error))?;
                let kept = verify_by_any(&note, keys).map_err(|error| failed(&path, &error))?;
                Some(kept.head())
            }
        };
        Ok(Self { folder: folder.to_owned(), place, last })
    }

    /// The last checkpoint that was believed.
    pub(super) fn last(&self) -> Option<TreeHead> {
        self.last
    }

    /// When the log was last seen to grow.
    pub(super) fn grown_ms(&self) -> i64 {
        self.place.grown_ms
    }

    /// How many entries were looked at.
    pub(super) fn seen(&self) -> u64 {
        self.place.seen
    }

    /// Keeps a checkpoint that was believed.
    pub(super) fn keep(&mut self, checkpoint: &Checkpoint, note: &str, now_ms: i64) -> Result<(), NoLook> {
        if self.last == Some(checkpoint.head()) {
            return Ok(());
        }
        self.write(&Path::new("checkpoints").join(checkpoint.size.to_string()), note.as_bytes())?;
        self.last = Some(checkpoint.head());
        self.place.size = Some(checkpoint.size);
        self.place.grown_ms = now_ms;
        self.keep_place()
    }

    /// From now on the last checkpoint waits for witnesses, where not enough are known to have cosigned it and it does not wait yet.
    pub(super) fn wait(&mut self, size: u64, quorum: &Quorum, now_ms: i64) -> Result<(), NoLook> {
        let is_last = self.place.waiting.last().is_some_and(|(last, _)| *last == size);
        if is_last || self.is_cosigned(size, quorum) || self.place.waiting.len() >= MOST_WAITING {
            return Ok(());
        }
        self.place.waiting.push((size, now_ms));
        self.keep_place()
    }

    /// How many of the witnesses are known to have cosigned so many entries, or more.
    pub(super) fn cosigners_of(&self, size: u64, quorum: &Quorum) -> usize {
        let has =
            |key: &&CosignerKey| self.place.cosigned.get(&key.to_string()).is_some_and(|it| *it >= size);
        quorum.witnesses.iter().filter(has).count()
    }

    /// Whether enough witnesses are known to have cosigned so many entries, or more.
    pub(super) fn is_cosigned(&self, size: u64, quorum: &Quorum) -> bool {
        self.cosigners_of(size, quorum) >= quorum.needed
    }

    /// Keeps a checkpoint with these cosignatures, which were verified. It is of the history that is kept.
    pub(super) fn keep_cosigned(
        &mut self,
        size: u64,
        note: &str,
        witnesses: Vec<String>,
    ) -> Result<(), NoLook> {
        let is_new = |witness: &String| self.place.cosigned.get(witness).is_none_or(|known| *known < size);
        if !witnesses.iter().any(is_new) {
            return Ok(());
        }
        self.write(&Path::new("checkpoints").join(size.to_string()), note.as_bytes())?;
        for witness in witnesses {
            let known = self.place.cosigned.entry(witness).or_default();
            *known = size.max(*known);
        }
        self.keep_place()
    }

    /// Waits no more for what enough witnesses have cosigned.
    pub(super) fn settle(&mut self, quorum: &Quorum) -> Result<(), NoLook> {
        let waiting = self.place.waiting.clone();
        let left: Vec<(u64, i64)> =
            waiting.into_iter().filter(|(size, _)| !self.is_cosigned(*size, quorum)).collect();
        if left == self.place.waiting {
            return Ok(());
        }
        self.place.waiting = left;
        self.keep_place()
    }

    /// The oldest checkpoint that waits for witnesses, and when it was kept.
    pub(super) fn waiting(&self) -> Option<(u64, i64)> {
        self.place.waiting.first().copied()
    }

    /// How many entries the log had when this key gave way.
    pub(super) fn end_of(&self, key: &str) -> Option<u64> {
        self.place.ended.get(key).copied()
    }

    /// Notes that a key is told to have given way.
    pub(super) fn set_end(&mut self, key: &str, size: u64) -> Result<(), NoLook> {
        self.place.ended.insert(key.to_owned(), size);
        self.keep_place()
    }

    /// Notes the act by which a key gave way.
    pub(super) fn bear_out(&mut self, key: &str, entry: u64) -> Result<(), NoLook> {
        self.place.borne_out.insert(key.to_owned());
        self.set_end(key, entry)
    }

    /// Keys that are told to have given way, without an act that was seen, each with where.
    pub(super) fn unproved(&self) -> Vec<(String, u64)> {
        let ended = self.place.ended.iter().filter(|(key, _)| !self.place.borne_out.contains(*key));
        ended.map(|(key, size)| (key.clone(), *size)).collect()
    }

    /// How many entries were read for acts that end keys.
    pub(super) fn acts_read(&self) -> Option<u64> {
        self.place.acts_read
    }

    /// Notes how many.
    pub(super) fn set_acts_read(&mut self, read: u64) -> Result<(), NoLook> {
        if self.place.acts_read == Some(read) {
            return Ok(());
        }
        self.place.acts_read = Some(read);
        self.keep_place()
    }

    /// Notes how many entries were looked at.
    pub(super) fn set_seen(&mut self, seen: u64) -> Result<(), NoLook> {
        self.place.seen = seen;
        self.keep_place()
    }

    /// Keeps a checkpoint that was not believed, and says where.
    pub(super) fn keep_evidence(&self, note: &str) -> Result<PathBuf, NoLook> {
        let name = format!("evidence-{}", sha256(note.as_bytes()));
        self.write(Path::new(&name), note.as_bytes())?;
        Ok(self.folder.join(name))
    }

    fn keep_place(&self) -> Result<(), NoLook> {
        let bytes = serde_json::to_vec(&self.place).map_err(|error| failed(&self.folder, &error))?;
        self.write(Path::new("place.json"), &bytes)
    }

    /// Replaces a file so that after a power cut either the old or the new one is there, whole.
    fn write(&self, name: &Path, bytes: &[u8]) -> Result<(), NoLook> {
        let path = self.folder.join(name);
        let beside = path.with_extension("new");
        let write = || {
            let mut file = fs::File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            fs::File::open(path.parent().unwrap_or(&self.folder))?.sync_all()
        };
        write().map_err(|error: std::io::Error| NoLook::Failure(failed(&path, &error)))
    }
}
