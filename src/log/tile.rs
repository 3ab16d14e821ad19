//! The tree cut into tiles as C2SP `tlog-tiles` publishes it: height 8, up to 256 hashes of 32 bytes a tile.
//!
//! A tile at level L holds hashes of subtrees with 256^L leaves each. A tile that is not full is a prefix of the full
//! one, so a store keeps one row a tile and serves `substr(data, 1, 32 * width)` for any earlier width.

use std::collections::BTreeMap;

use super::merkle::{Frontier, FrontierError, HASH_BYTES, Hash, MAX_SIZE, TreeHead, join, root_of};

mod bundle;
mod path;

pub use bundle::{BundleError, MAX_ENTRY_BYTES, decode_bundle, encode_bundle, push_entry};
pub use path::{PathError, TilePath, entries_path};

/// The height of a tile: each holds 2^8 hashes.
pub const TILE_HEIGHT: u32 = 8;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;

/// The number of levels a tree of [`MAX_SIZE`] leaves has.
const LEVELS: u8 = 7;

/// Which tile: its level (0 holds leaf hashes) and its number within the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// 0 to 6 here (the format allows 63).
    pub level: u8,
    /// Counted from 0, left to right.
    pub index: u64,
}

/// A tile and how many of its hashes are meant: 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileRef {
    /// Which tile.
    pub id: TileId,
    /// The first so many hashes.
    pub width: u16,
}

impl TileId {
    /// The width this tile has in a tree of `size` leaves: 0 (absent) to 256.
    pub fn width_at(self, size: u64) -> u16 {
        let nodes = size.checked_shr(TILE_HEIGHT * u32::from(self.level)).unwrap_or(0);
        let before = self.index.saturating_mul(u64::from(TILE_WIDTH));
        u16::try_from(nodes.saturating_sub(before)).map_or(TILE_WIDTH, |width| width.min(TILE_WIDTH))
    }
}

/// The tiles on the right edge of a tree of `size` leaves that are not full, lowest level first, each with its width.
/// They hold all that is needed to compute the root and to append.
pub fn edge_tiles(size: u64) -> Vec<TileRef> {
    (0..LEVELS)
        .filter_map(|level| {
            let index = size >> (TILE_HEIGHT * (u32::from(level) + 1));
            let id = TileId { level, index };
            let width = id.width_at(size);
            (width > 0).then_some(TileRef { id, width })
        })
        .collect()
}

/// What is wrong with stored tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// A tile that the tree needs was not given, or is too short.
    #[error("the tile `{0}` is missing or too short")]
    Missing(TileRef),
    /// The tiles hash to another root than the signed one.
    #[error("the tiles of a tree of {size} leaves hash to `{found}` and not to `{expected}`")]
    Root {
        /// The size asked for.
        size: u64,
        /// The root the caller trusts.
        expected: Hash,
        /// The root of the tiles given.
        found: Hash,
    },
    /// A tree larger than 2^53 leaves.
    #[error(transparent)]
    Size(#[from] FrontierError),
}

/// Tiles in memory, by id: what a store has read before it proves or appends.
#[derive(Clone, Debug, Default)]
pub struct TileSet(BTreeMap<TileId, Vec<u8>>);

impl TileSet {
    /// No tiles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tile's bytes, 32 a hash. More hashes than were asked for do no harm.
    pub fn insert(&mut self, id: TileId, data: Vec<u8>) {
        self.0.insert(id, data);
    }

    /// Reads each of `tiles` once with `read`, which gives 32 bytes a hash.
    pub fn read<E>(
        tiles: impl IntoIterator<Item = TileRef>,
        mut read: impl FnMut(TileRef) -> Result<Vec<u8>, E>,
    ) -> Result<Self, E> {
        let mut set = Self::new();
        for tile in tiles {
            set.insert(tile.id, read(tile)?);
        }
        Ok(set)
    }

    /// The first `width` hashes of a tile.
    pub fn hashes(&self, tile: TileRef) -> Result<&[[u8; HASH_BYTES]], TileError> {
        let data = self.0.get(&tile.id).map(|data| data.as_chunks::<HASH_BYTES>().0);
        data.and_then(|hashes| hashes.get(..usize::from(tile.width))).ok_or(TileError::Missing(tile))
    }

    /// The root of a tree of `size` leaves, from its edge tiles (see [`edge_tiles`]).
    pub fn root(&self, size: u64) -> Result<Hash, TileError> {
        Ok(self.frontier(size)?.root())
    }

    /// The frontier of a tree of `size` leaves, from its edge tiles.
    pub fn frontier(&self, size: u64) -> Result<Frontier, TileError> {
        if size > MAX_SIZE {
            return Err(FrontierError::Size(size).into());
        }
        let mut roots = Vec::new();
        for tile in edge_tiles(size).into_iter().rev() {
            let mut rest = self.hashes(tile)?;
            while let Some(power) = rest.len().checked_ilog2() {
                let (subtree, after) = rest.split_at_checked(1 << power).ok_or(TileError::Missing(tile))?;
                roots.push(perfect_root(subtree).ok_or(TileError::Missing(tile))?);
                rest = after;
            }
        }
        Ok(Frontier::from_roots(size, roots)?)
    }
}

/// The root over hashes whose number is a power of two; none for an empty slice.
pub(crate) fn perfect_root(hashes: &[[u8; HASH_BYTES]]) -> Option<Hash> {
    match hashes {
        [] => None,
        [one] => Some(Hash(*one)),
        [left, right] => join([Hash(*left), Hash(*right)].into_iter()),
        many => Some(root_of(&many.iter().copied().map(Hash).collect::<Vec<_>>())),
    }
}

/// A tile that an append changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileWrite {
    /// Which tile.
    pub id: TileId,
    /// How many hashes it had before: 0 for a new tile.
    pub old_width: u16,
    /// All its hashes now, 32 bytes each. The first `old_width` are what was there.
    pub data: Vec<u8>,
}

impl TileWrite {
    /// How many hashes it has now: 1 to 256.
    #[expect(clippy::cast_possible_truncation, reason = "a tile holds at most 256 hashes")]
    pub fn width(&self) -> u16 {
        (self.data.len() / HASH_BYTES) as u16
    }

    /// Only the new hashes' bytes.
    pub fn appended(&self) -> &[u8] {
        self.data.get(usize::from(self.old_width) * HASH_BYTES..).unwrap_or_default()
    }
}

/// A growing tree with its right-edge tiles in memory: at most 57 KB.
///
/// To append within a transaction, clone it, append to the clone, write the tiles, commit, and keep the clone.
#[derive(Clone, Debug, Default)]
pub struct TileBuilder {
    frontier: Frontier,
    /// The tile that is being filled, for each level from 0: less than 256 hashes.
    edge: Vec<Vec<u8>>,
}

impl TileBuilder {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues a stored tree from its [`edge_tiles`].
    ///
    /// # Errors
    /// When a tile is missing or too short, or when the tiles do not hash to `head.root`: never build on those.
    pub fn restore(head: TreeHead, tiles: &TileSet) -> Result<Self, TileError> {
        let frontier = tiles.frontier(head.size)?;
        let found = frontier.root();
        if found != head.root {
            return Err(TileError::Root { size: head.size, expected: head.root, found });
        }
        let mut edge = vec![Vec::new(); usize::from(LEVELS)];
        for tile in edge_tiles(head.size) {
            if let Some(level) = edge.get_mut(usize::from(tile.id.level)) {
                *level = tiles.hashes(tile)?.as_flattened().to_vec();
            }
        }
        Ok(Self { frontier, edge })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        self.frontier.head()
    }

    /// The frontier, for a compact record of the tree.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Appends leaf hashes and gives every tile that changed, once, in the order of level and index.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a tree has at most 8 levels of tiles, and a tile at most 256 hashes"
    )]
    pub fn append(&mut self, leaves: &[Hash]) -> Vec<TileWrite> {
        let mut old_widths: Vec<u16> =
            self.edge.iter().map(|level| (level.len() / HASH_BYTES) as u16).collect();
        let mut writes = Vec::new();
        let before = self.size();
        for leaf in leaves {
            let size = self.frontier.size();
            let edge = &mut self.edge;
            self.frontier.push_with(*leaf, |height, node| {
                if !height.is_multiple_of(TILE_HEIGHT) {
                    return;
                }
                let level = height / TILE_HEIGHT;
                let at = level as usize;
                if edge.len() <= at {
                    edge.resize_with(at + 1, Vec::new);
                }
                old_widths.resize(old_widths.len().max(at + 1), 0);
                let (Some(data), Some(old)) = (edge.get_mut(at), old_widths.get_mut(at)) else {
                    return;
                };
                data.extend_from_slice(&node.0);
                if data.len() == usize::from(TILE_WIDTH) * HASH_BYTES {
                    let id = TileId { level: level as u8, index: size >> (height + TILE_HEIGHT) };
                    writes.push(TileWrite { id, old_width: std::mem::take(old), data: std::mem::take(data) });
                }
            });
        }
        writes.extend(self.partial_writes(before, &old_widths));
        writes.sort_unstable_by_key(|write| write.id);
        writes
    }

    /// The edge tiles that grew and are not full, given each level's width before (0 once its tile was replaced).
    fn partial_writes(&self, before: u64, old_widths: &[u16]) -> Vec<TileWrite> {
        let edges = self.edge.iter().zip(old_widths).zip(0_u8..);
        edges
            .filter_map(|((data, &old_width), level)| {
                let index = self.size() >> (TILE_HEIGHT * (u32::from(level) + 1));
                let id = TileId { level, index };
                let grew = id.width_at(self.size()) > id.width_at(before);
                grew.then(|| TileWrite { id, old_width, data: data.clone() })
            })
            .collect()
    }
}
