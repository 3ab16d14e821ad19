//! The log against independent implementations: what we make they accept, what they make we accept.

mod canonical;
mod merkle;
mod tile;

use kyodaku::log::merkle::{Hash, leaf_hash};

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
