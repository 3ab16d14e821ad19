//! The log against independent implementations: what we make they accept, what they make we accept.

mod canonical;
mod checkpoint;
mod cosignature;
mod file;
mod merkle;
mod proof;
mod tile;

use std::collections::BTreeMap;

use kyodaku::log::merkle::{HASH_BYTES, Hash, leaf_hash};
use kyodaku::log::tile::{TileId, TileRef, TileWrite};

/// The entry at `index`, different for every index.
fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// The leaf hashes of the first `size` entries.
fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

/// A tree kept by `tlog_tiles`: its hashes in their storage order.
#[derive(Default)]
struct Theirs(Vec<tlog_tiles::Hash>);

impl tlog_tiles::HashReader for Theirs {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Theirs {
    fn with(size: u64) -> Self {
        let mut tree = Self::default();
        for index in 0..size {
            tree.push(index);
        }
        tree
    }

    fn push(&mut self, index: u64) {
        self.0.extend(tlog_tiles::stored_hashes(index, &entry(index), self).unwrap());
    }

    fn root(&self, size: u64) -> Hash {
        Hash(tlog_tiles::tree_hash(size, self).unwrap().0)
    }
}

/// What a store does: one row a tile, replaced or extended.
#[derive(Default)]
struct Store(BTreeMap<TileId, Vec<u8>>);

impl Store {
    fn write(&mut self, writes: &[TileWrite]) {
        for write in writes {
            let row = self.0.entry(write.id).or_default();
            assert_eq!(row.len(), usize::from(write.old_width) * HASH_BYTES, "{:?}", write.id);
            row.extend_from_slice(write.appended());
            assert_eq!(row, &write.data, "the old data is a prefix of the new");
            assert_eq!(row.len(), usize::from(write.width()) * HASH_BYTES);
        }
    }

    fn read(&self, tile: TileRef) -> Result<Vec<u8>, String> {
        let row = self.0.get(&tile.id).ok_or(format!("no {tile}"))?;
        Ok(row.get(..usize::from(tile.width) * HASH_BYTES).ok_or(format!("short {tile}"))?.to_vec())
    }
}
