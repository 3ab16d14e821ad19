//! The tree of a log, computed from its leaves and held against the tiles that are stored.

use std::collections::BTreeMap;

use super::finding::{Finding, Kind};
use super::{Piece, Source, Unreadable};
use crate::log::merkle::{HASH_BYTES, Hash, TreeHead};
use crate::log::tile::{
    TILE_WIDTH, TileBuilder, TileId, TilePath, TileRef, TileSet, edge_tiles, perfect_root,
};
use crate::registry::published::LogName;

/// A tree while it grows.
pub(super) struct Tree<'a, S> {
    source: &'a S,
    log: &'a LogName,
    /// How many leaves it will have.
    size: u64,
    builder: TileBuilder,
    /// The tile above level 0 that is being filled, by level.
    edge: BTreeMap<u8, (TileId, Vec<u8>)>,
    /// How many stored tiles were compared.
    pub(super) compared: u64,
}

impl<'a, S: Source> Tree<'a, S> {
    pub(super) fn new(source: &'a S, log: &'a LogName, size: u64) -> Self {
        Self { source, log, size, builder: TileBuilder::new(), edge: BTreeMap::new(), compared: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.builder.size()
    }

    pub(super) fn head(&self) -> TreeHead {
        self.builder.head()
    }

    /// A tile as it is stored, at the width that it has in the whole tree.
    async fn stored(&self, id: TileId) -> Result<Option<Vec<u8>>, Unreadable> {
        let tile = TileRef { id, width: id.width_at(self.size) };
        self.source.read(self.log, Piece::Tile(TilePath::Hashes(tile))).await
    }

    /// Appends leaves, and compares every tile above level 0 that they fill.
    pub(super) async fn append(&mut self, leaves: &[Hash]) -> Result<Vec<Finding>, Unreadable> {
        let mut findings = Vec::new();
        for write in self.builder.append(leaves) {
            if write.id.level == 0 {
                continue;
            }
            if write.width() == TILE_WIDTH {
                self.edge.remove(&write.id.level);
                findings.extend(self.compare(write.id, &write.data).await?);
            } else {
                self.edge.insert(write.id.level, (write.id, write.data));
            }
        }
        Ok(findings)
    }

    /// Compares the tiles on the right edge, above level 0.
    pub(super) async fn compare_edge(&mut self) -> Result<Vec<Finding>, Unreadable> {
        let mut findings = Vec::new();
        for (id, data) in std::mem::take(&mut self.edge).into_values() {
            findings.extend(self.compare(id, &data).await?);
        }
        Ok(findings)
    }

    async fn compare(&mut self, id: TileId, data: &[u8]) -> Result<Option<Finding>, Unreadable> {
        self.compared += 1;
        let stored = self.stored(id).await?;
        let tile = TileRef { id, width: id.width_at(self.size) };
        Ok(difference(stored.as_deref(), data).map(|finding| finding.in_file(&tile)))
    }

    /// Whether these hashes of leaves, as the tile of this number, lead to what stands above them: to the tile of the next
    /// level, or at the right edge to the root that was signed.
    pub(super) async fn leads_up(
        &self,
        index: u64,
        hashes: &[Hash],
        signed: Option<TreeHead>,
    ) -> Result<bool, Unreadable> {
        let flat: Vec<[u8; HASH_BYTES]> = hashes.iter().map(|hash| hash.0).collect();
        if hashes.len() == usize::from(TILE_WIDTH) {
            let above = TileId { level: 1, index: index / u64::from(TILE_WIDTH) };
            let place = usize::try_from(index % u64::from(TILE_WIDTH)).unwrap_or_default();
            let stored = self.stored(above).await?.unwrap_or_default();
            let expected = stored.as_chunks::<HASH_BYTES>().0.get(place).copied().map(Hash);
            return Ok(expected.is_some() && expected == perfect_root(&flat));
        }
        let Some(signed) = signed else { return Ok(false) };
        let mut tiles = TileSet::new();
        for TileRef { id, .. } in edge_tiles(self.size) {
            let data = match id.level {
                0 => Some(flat.as_flattened().to_vec()),
                _ => self.stored(id).await?,
            };
            tiles.insert(id, data.unwrap_or_default());
        }
        Ok(tiles.root(self.size) == Ok(signed.root))
    }
}

/// What a stored tile has otherwise than was computed: its first byte, or its length.
pub(super) fn difference(stored: Option<&[u8]>, computed: &[u8]) -> Option<Finding> {
    let Some(stored) = stored else {
        return Some(Finding::new(Kind::Absent, "the tile is not there"));
    };
    match stored.iter().zip(computed).position(|(one, other)| one != other) {
        Some(at) => Some(Finding::new(Kind::TileAltered, "the tile is not that of the entries").at_byte(at)),
        None if stored.len() != computed.len() => {
            let what = format!("the tile has {} bytes, and must have {}", stored.len(), computed.len());
            Some(Finding::new(Kind::Truncated, what).at_byte(stored.len().min(computed.len())))
        }
        None => None,
    }
}
