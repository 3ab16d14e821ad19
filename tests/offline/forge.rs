//! Logs as a thief writes them: any entries, signed by any key at any sizes, in the form of an exported folder.

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner};
use kyodaku::log::merkle::{Hash, leaf_hash, root_of};
use kyodaku::log::tile::{TILE_WIDTH, TileBuilder, TilePath, TileRef, decode_bundle, encode_bundle};
use serde_json::Value;

/// One log of a folder, with its entries in memory.
pub(super) struct Forge {
    folder: PathBuf,
    log: String,
    pub(super) entries: Vec<Vec<u8>>,
    /// The sizes that are signed, the last of them the newest.
    pub(super) sizes: Vec<u64>,
    pub(super) signer: CheckpointSigner,
}

impl Forge {
    /// The log as it was exported, and the key that was stolen.
    pub(super) fn of(folder: &Path, log: &str, key: &Path) -> Self {
        let list = list(folder);
        let told = list["items"].as_array().unwrap().iter().find(|told| told["log"] == log).unwrap();
        let size = told["size"].as_u64().unwrap();
        let root = folder.join(log);
        let entries = (0..size.div_ceil(256)).flat_map(|index| {
            let width = u16::try_from((size - 256 * index).min(256)).unwrap();
            let path = TilePath::Entries { index, width }.to_string();
            let bundle = fs::read(root.join(path)).unwrap();
            decode_bundle(&bundle).unwrap().into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>()
        });
        let mut sizes: Vec<u64> = fs::read_dir(root.join("checkpoints"))
            .unwrap()
            .map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        sizes.sort_unstable();
        let origin = told["origin"].as_str().unwrap();
        let signer = kyodaku::registry::keys::signer(key, origin).unwrap();
        Self { folder: folder.to_owned(), log: log.to_owned(), entries: entries.collect(), sizes, signer }
    }

    /// Where a file of the log lies.
    pub(super) fn path(&self, piece: &str) -> PathBuf {
        self.folder.join(&self.log).join(piece)
    }

    /// An entry as it is read.
    pub(super) fn entry(&self, at: usize) -> Value {
        serde_json::from_slice(&self.entries[at]).unwrap()
    }

    /// The first entry of this act.
    pub(super) fn first(&self, act: &str) -> usize {
        (0..self.entries.len()).find(|at| self.entry(*at)["act"]["type"] == act).expect(act)
    }

    /// Changes an entry.
    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut Value)) {
        let mut entry = self.entry(at);
        change(&mut entry);
        self.entries[at] = kyodaku::log::canonical::to_canonical(&entry).unwrap();
    }

    /// The leaves.
    pub(super) fn leaves(&self) -> Vec<Hash> {
        self.entries.iter().map(|entry| leaf_hash(entry)).collect()
    }

    /// The note of a size, with the root of these entries.
    pub(super) fn note(&self, size: u64) -> String {
        note_of(size, &self.leaves(), &self.signer)
    }

    /// Writes the whole log anew: consistent, and signed at the same sizes as far as it reaches.
    pub(super) fn write(&self) {
        fs::remove_dir_all(self.path("")).unwrap();
        let size = self.entries.len() as u64;
        let leaves = self.leaves();
        for write in TileBuilder::new().append(&leaves) {
            self.put(&TileRef { id: write.id, width: write.width() }.to_string(), &write.data);
        }
        for (index, entries) in (0..).zip(self.entries.chunks(usize::from(TILE_WIDTH))) {
            let width = u16::try_from(entries.len()).unwrap();
            self.put(&TilePath::Entries { index, width }.to_string(), &encode_bundle(entries).unwrap());
        }
        for signed in self.sizes.iter().copied().filter(|signed| *signed < size).chain([size]) {
            self.put(&format!("checkpoints/{signed}"), note_of(signed, &leaves, &self.signer).as_bytes());
        }
        self.put("checkpoint", note_of(size, &leaves, &self.signer).as_bytes());
        let root = BASE64.encode(root_of(&leaves).as_ref());
        self.tell(|told| {
            told["size"] = size.into();
            told["root"] = root.into();
        });
    }

    /// Writes one file.
    pub(super) fn put(&self, piece: &str, bytes: &[u8]) {
        let path = self.path(piece);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Changes what is told of the log.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Value)) {
        let mut list = list(&self.folder);
        let logs = list["items"].as_array_mut().unwrap();
        change(logs.iter_mut().find(|told| told["log"] == self.log).unwrap());
        fs::write(self.folder.join("logs.json"), list.to_string()).unwrap();
    }
}

/// The note of a size, with the root of these leaves, by this key.
pub(super) fn note_of(size: u64, leaves: &[Hash], signer: &CheckpointSigner) -> String {
    let size_of = usize::try_from(size).unwrap();
    let head = kyodaku::log::merkle::TreeHead { size, root: root_of(&leaves[..size_of]) };
    signer.sign(&Checkpoint::new(signer.origin(), head)).unwrap()
}

/// The list of a folder.
pub(super) fn list(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("logs.json")).unwrap()).unwrap()
}
