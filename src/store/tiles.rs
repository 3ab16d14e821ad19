//! The tree of a log as C2SP hash tiles, one row a tile, and the checkpoints that were signed over it.

use std::ops::RangeInclusive;

use super::db::{Db, from_db, on_db, to_db};
use super::error::StoreError;
use super::sql::texts;
use crate::log::merkle::{Frontier, HASH_BYTES, Hash, TreeHead};
use crate::log::tile::{TILE_HEIGHT, TileId, TileRef, TileSet, edge_tiles};

texts! {
    READ = "SELECT data FROM tiles WHERE log = $1 AND level = $2 AND idx = $3";
    SIZES = "SELECT size FROM checkpoints WHERE log = $1 AND size >= $2 AND size <= $3 ORDER BY size LIMIT $4";
    COVERING = "SELECT size, root, note, at_ms FROM checkpoints WHERE log = $1 AND size >= $2 \
        ORDER BY size LIMIT 1";
    AT = "SELECT size, root, note, at_ms FROM checkpoints WHERE log = $1 AND size = $2";
    /// Checkpoints of another time than the last entry that they cover.
    OTHER_TIME = "SELECT c.size, c.at_ms FROM checkpoints c JOIN entries e ON e.log = c.log AND e.idx = c.size - 1 \
        WHERE c.log = $1 AND c.size >= $2 AND c.size <= $3 AND c.at_ms <> e.at_ms ORDER BY c.size";
    /// The newest first.
    BEFORE = "SELECT size, root, note, at_ms FROM checkpoints WHERE log = $1 AND size < $2 ORDER BY size DESC LIMIT $3";
}

type CheckpointRow = (i64, Vec<u8>, String, i64);

/// A signed checkpoint of a log, kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The size and root that it signs.
    pub tree: TreeHead,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub at_ms: i64,
}

/// What an append adds to one tile.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) id: TileId,
    /// The tile's bytes before.
    pub(super) before: usize,
    /// The new hashes.
    pub(super) data: Vec<u8>,
}

/// Appends `leaves` to the tree, and says by how much which tiles grow, in the order of level and index.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a tree has at most 8 levels of tiles, and a place in a tile is below 256"
)]
pub(super) fn grow(frontier: &mut Frontier, leaves: impl Iterator<Item = Hash>) -> Vec<Growth> {
    let mut growths: Vec<Growth> = Vec::new();
    for leaf in leaves {
        let at = frontier.size();
        frontier.push_with(leaf, |height, node| {
            if !height.is_multiple_of(TILE_HEIGHT) {
                return;
            }
            // Node number within its level, whose low bits are its place in the tile.
            let place = at >> height;
            let id = TileId { level: (height / TILE_HEIGHT) as u8, index: place >> TILE_HEIGHT };
            if let Some(growth) = growths.iter_mut().rev().find(|growth| growth.id == id) {
                growth.data.extend_from_slice(&node.0);
            } else {
                let before = HASH_BYTES * (place % (1 << TILE_HEIGHT)) as usize;
                growths.push(Growth { id, before, data: node.0.to_vec() });
            }
        });
    }
    growths.sort_unstable_by_key(|growth| growth.id);
    growths
}

/// A tile as its row has it.
pub async fn stored(db: &Db, log: &str, id: TileId) -> Result<Option<Vec<u8>>, StoreError> {
    let index = to_db(id.index)?;
    Ok(on_db!(db, pool => sqlx::query_scalar(READ)
        .bind(log)
        .bind(i64::from(id.level))
        .bind(index)
        .fetch_optional(pool)
        .await)?)
}

/// The sizes in this range of which a checkpoint was signed, the smallest first, at most so many.
pub async fn sizes(
    db: &Db,
    log: &str,
    range: RangeInclusive<u64>,
    limit: u32,
) -> Result<Vec<u64>, StoreError> {
    let (from, until) = (to_db(*range.start())?, to_db(*range.end())?);
    let rows: Vec<i64> = on_db!(db, pool => sqlx::query_scalar(SIZES)
        .bind(log)
        .bind(from)
        .bind(until)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(from_db).collect()
}

/// The first `width` hashes of a tile, 32 bytes each; none if the tile is not there or is not that wide yet.
pub async fn read_one(db: &Db, log: &str, tile: TileRef) -> Result<Option<Vec<u8>>, StoreError> {
    let data = stored(db, log, tile.id).await?;
    let length = usize::from(tile.width) * HASH_BYTES;
    Ok(data.filter(|data| data.len() >= length).map(|mut data| {
        data.truncate(length);
        data
    }))
}

/// Reads tiles for a proof. A tile that is missing is left out, which the proof's maker reports.
pub async fn read(
    db: &Db,
    log: &str,
    tiles: impl IntoIterator<Item = TileRef>,
) -> Result<TileSet, StoreError> {
    let mut set = TileSet::new();
    for tile in tiles {
        if let Some(data) = read_one(db, log, tile).await? {
            set.insert(tile.id, data);
        }
    }
    Ok(set)
}

/// The root that the log had at `size`, from its tiles.
///
/// # Errors
/// [`StoreError::Corrupt`] when the log is shorter, or a tile is missing.
pub async fn root_at(db: &Db, log: &str, size: u64) -> Result<Hash, StoreError> {
    let tiles = read(db, log, edge_tiles(size)).await?;
    tiles.root(size).map_err(|error| StoreError::Corrupt(format!("log `{log}`: {error}")))
}

/// The first checkpoint that covers a log of `size` entries; none if nothing that long was signed.
pub async fn checkpoint_covering(
    db: &Db,
    log: &str,
    size: u64,
) -> Result<Option<StoredCheckpoint>, StoreError> {
    one_checkpoint(db, COVERING, log, size).await
}

/// The checkpoint of exactly this size; none if none was signed there.
pub async fn checkpoint_at(db: &Db, log: &str, size: u64) -> Result<Option<StoredCheckpoint>, StoreError> {
    one_checkpoint(db, AT, log, size).await
}

async fn one_checkpoint(
    db: &Db,
    text: &'static str,
    log: &str,
    size: u64,
) -> Result<Option<StoredCheckpoint>, StoreError> {
    let size = to_db(size)?;
    let row: Option<CheckpointRow> =
        on_db!(db, pool => sqlx::query_as(text).bind(log).bind(size).fetch_optional(pool).await)?;
    row.map(|row| checkpoint(log, row)).transpose()
}

/// The checkpoints of less than `before` entries, the largest first.
pub async fn checkpoints(
    db: &Db,
    log: &str,
    before: u64,
    limit: u32,
) -> Result<Vec<StoredCheckpoint>, StoreError> {
    let before = to_db(before)?;
    let rows: Vec<CheckpointRow> = on_db!(db, pool => sqlx::query_as(BEFORE)
        .bind(log)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(|row| checkpoint(log, row)).collect()
}

/// Of the checkpoints of these sizes those that are of another time than the row of the last entry that they cover: the size, and
/// the time.
pub async fn of_other_time(
    db: &Db,
    log: &str,
    range: RangeInclusive<u64>,
) -> Result<Vec<(u64, i64)>, StoreError> {
    let (from, until) = (to_db(*range.start())?, to_db(*range.end())?);
    let rows: Vec<(i64, i64)> = on_db!(db, pool => sqlx::query_as(OTHER_TIME)
        .bind(log)
        .bind(from)
        .bind(until)
        .fetch_all(pool)
        .await)?;
    rows.into_iter().map(|(size, at_ms)| Ok((from_db(size)?, at_ms))).collect()
}

fn checkpoint(log: &str, (size, root, note, at_ms): CheckpointRow) -> Result<StoredCheckpoint, StoreError> {
    let root = Hash::try_from(root.as_slice())
        .map_err(|_| StoreError::Corrupt(format!("a checkpoint's root in log `{log}` is not 32 bytes")))?;
    Ok(StoredCheckpoint { tree: TreeHead { size: from_db(size)?, root }, note, at_ms })
}
