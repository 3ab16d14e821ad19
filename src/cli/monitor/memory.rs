//! What a monitor keeps: every checkpoint that it believed, and where it stands.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::eye::NoLook;
use crate::cli::Failure;
use crate::log::checkpoint::{Checkpoint, VerifierKey, verify_by_any};
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
}

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
