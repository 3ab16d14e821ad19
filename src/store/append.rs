//! The one way in which a log grows.

use sqlx::FromRow;

use super::checks::StoredCheck;
use super::db::{Tx, to_db};
use super::error::StoreError;
use super::heads::{self, Head};
use super::sql::{json, texts};
use super::tiles::{self, Growth};
use crate::log::checkpoint::CheckpointSigner;
use crate::log::merkle::leaf_hash;

texts! {
    /// All of it in one go, since each question to a database costs more than most of the answers: the head, the entries, the
    /// tiles that they add to (without reading them), the checkpoint, and where checks are to be found. Where the head is another one by now, nothing is
    /// written, and nothing comes back; otherwise one row for the head, and the new length of each tile. (On SQLite a trigger
    /// refuses the same entries twice where the head is already the one that is to be.)
    ///
    /// On SQLite entries and hashes come one after the other, with a list of where each begins and how long it is.
    APPEND = "UPDATE logs SET size = $1, root = $2, frontier = $3, at_ms = $4, checkpoint = $5, origin = $6 \
         WHERE log = $7 AND size = $8 AND root = $9 RETURNING -1 AS level, 0 AS idx, 0 AS length; \
         INSERT INTO entries (log, idx, at_ms, bytes) \
         SELECT $7, $8 + key, $4, substr($10, value ->> 0, value ->> 1) FROM jsonb_each($11) \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2); \
         INSERT INTO tiles (log, level, idx, data) \
         SELECT $7, value ->> 0, value ->> 1, substr($12, value ->> 2, value ->> 3) FROM jsonb_each($13) \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2) \
         ON CONFLICT (log, level, idx) DO UPDATE SET data = CAST(tiles.data || excluded.data AS BLOB) \
         RETURNING level, idx, length(data) AS length; \
         INSERT INTO checkpoints (log, size, root, note, at_ms) SELECT $7, $1, $2, $5, $4 \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2); \
         INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) \
         SELECT value ->> 'check', value ->> 'log', value ->> 'index', value ->> 'developer', value ->> 'asked_by', \
         value ->> 'at_ms', value ->> 'items', value ->> 'permitted' FROM jsonb_each($14) \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2)",
        "WITH head AS (UPDATE logs SET size = $1, root = $2, frontier = $3, at_ms = $4, checkpoint = $5, origin = $6 \
            WHERE log = $7 AND size = $8 AND root = $9 RETURNING log), \
         added AS (INSERT INTO entries (log, idx, at_ms, bytes) SELECT head.log, $8 + n - 1, $4, bytes \
            FROM head, unnest($10::bytea[]) WITH ORDINALITY AS batch (bytes, n)), \
         grown AS (INSERT INTO tiles (log, level, idx, data) SELECT head.log, tile.level, tile.idx, tile.data \
            FROM head, unnest($11::bigint[], $12::bigint[], $13::bytea[]) AS tile (level, idx, data) \
            ON CONFLICT (log, level, idx) DO UPDATE SET data = tiles.data || excluded.data \
            RETURNING level::bigint, idx, length(data)::bigint AS length), \
         signed AS (INSERT INTO checkpoints (log, size, root, note, at_ms) SELECT head.log, $1, $2, $5, $4 FROM head), \
         noted AS (INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) \
            SELECT \"check\", line.log, index, developer, asked_by, at_ms, items, permitted \
            FROM head, json_to_recordset($14::json) AS line (\"check\" text, log text, index bigint, developer text, \
            asked_by text, at_ms bigint, items bigint, permitted bigint)) \
         SELECT -1::bigint AS level, 0::bigint AS idx, 0::bigint AS length FROM head \
         UNION ALL SELECT level, idx, length FROM grown";
}

/// What comes back: of the head, whose level is -1, or of a tile.
#[derive(FromRow)]
struct Grown {
    level: i64,
    idx: i64,
    length: i64,
}

/// Appends `new` entries (1 to 65,535 bytes each) to the log whose head is `expected`, and gives its new head, signed:
/// in the caller's transaction, so that nothing of it is visible or durable before that commits. An empty batch
/// changes nothing. `at_ms` is not before `expected.at_ms`.
///
/// # Errors
/// [`StoreError::HeadMoved`] when somebody appended since `expected` was read, which cannot happen after
/// [`heads::lock`] in the same transaction; [`StoreError::AppendOnly`] when time goes backwards;
/// [`StoreError::Corrupt`] when the stored tiles are not those of the head. The transaction is then of no more use.
pub async fn append(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<Head, StoreError> {
    append_checks(tx, expected, new, signer, at_ms, &[]).await
}

/// As [`append`], to a log of checks: notes where they are to be found.
///
/// # Errors
/// As [`append`].
pub async fn append_checks(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
    noted: &[StoredCheck],
) -> Result<Head, StoreError> {
    if new.is_empty() {
        return Ok(expected.clone());
    }
    if signer.origin() != expected.origin {
        return Err(StoreError::Program(format!(
            "log `{}` is `{}`, and the key signs for `{}`",
            expected.log,
            expected.origin,
            signer.origin()
        )));
    }
    grow(tx, expected, new, signer, at_ms, noted).await
}

/// As [`append`], by whatever key: the log bears its name from then on.
///
/// # Errors
/// As [`append`]; [`StoreError::AppendOnly`] for another log than that of acts under another name.
pub async fn append_as(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<Head, StoreError> {
    grow(tx, expected, new, signer, at_ms, &[]).await
}

async fn grow(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
    noted: &[StoredCheck],
) -> Result<Head, StoreError> {
    let mut next = Head { at_ms, origin: signer.origin().to_owned(), ..expected.clone() };
    let growths = tiles::grow(&mut next.frontier, new.iter().map(|entry| leaf_hash(entry.as_ref())));
    next.checkpoint = heads::sign(signer, next.tree())?;
    let new: Vec<&[u8]> = new.iter().map(AsRef::as_ref).collect();
    let rows = write(tx, expected, &next, &new, &growths, noted).await?;
    let (head, tiles): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.level < 0);
    if head.is_empty() {
        return Err(StoreError::HeadMoved { log: expected.log.clone(), expected: expected.size() });
    }
    for growth in &growths {
        must_have_grown(&next.log, growth, &tiles)?;
    }
    Ok(next)
}

/// Writes the entries, and everything that grows with them.
async fn write(
    tx: &mut Tx,
    expected: &Head,
    next: &Head,
    new: &[&[u8]],
    growths: &[Growth],
    noted: &[StoredCheck],
) -> Result<Vec<Grown>, StoreError> {
    let (tree, before) = (next.tree(), expected.tree());
    let (size, size_before) = (to_db(tree.size)?, to_db(before.size)?);
    let levels: Vec<i64> = growths.iter().map(|growth| i64::from(growth.id.level)).collect();
    let places = growths.iter().map(|growth| to_db(growth.id.index)).collect::<Result<Vec<_>, _>>()?;
    let (root, root_before, frontier) = (tree.root, before.root, next.frontier.to_bytes());
    /// The question with what it says of the head.
    macro_rules! with_head {
        ($text:expr) => {
            sqlx::query_as($text)
                .bind(size)
                .bind(root.as_ref())
                .bind(frontier)
                .bind(next.at_ms)
                .bind(&next.checkpoint)
                .bind(&next.origin)
                .bind(&next.log)
                .bind(size_before)
                .bind(root_before.as_ref())
        };
    }
    Ok(match tx {
        Tx::Sqlite(tx) => {
            let (entries, parts) = joined(new.iter().copied());
            let (hashes, of_tiles) = joined(growths.iter().map(|growth| growth.data.as_slice()));
            let tiles = levels.iter().zip(&places).zip(of_tiles);
            let tiles: Vec<_> =
                tiles.map(|((level, place), (from, length))| (level, place, from, length)).collect();
            with_head!(APPEND.sqlite)
                .bind(entries)
                .bind(json(&parts)?)
                .bind(hashes)
                .bind(json(&tiles)?)
                .bind(json(noted)?)
                .fetch_all(&mut *tx)
                .await?
        }
        Tx::Postgres(tx) => {
            let hashes: Vec<&[u8]> = growths.iter().map(|growth| growth.data.as_slice()).collect();
            with_head!(APPEND.postgres)
                .bind(new)
                .bind(&levels)
                .bind(&places)
                .bind(hashes)
                .bind(json(noted)?)
                .fetch_all(&mut *tx)
                .await?
        }
    })
}

/// All parts in one, and where in it each begins, counted from 1, and how long it is.
fn joined<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut all, mut places) = (Vec::new(), Vec::new());
    for part in parts {
        places.push((all.len() + 1, part.len()));
        all.extend_from_slice(part);
    }
    (all, places)
}

/// The new length tells whether a tile was what the tree says.
fn must_have_grown(log: &str, growth: &Growth, tiles: &[Grown]) -> Result<(), StoreError> {
    let Growth { id, length, .. } = growth;
    let is_it = |row: &&Grown| (row.level, row.idx) == (i64::from(id.level), id.index.cast_signed());
    let stored = tiles.iter().find(is_it).map(|row| row.length);
    if stored.is_some_and(|stored| usize::try_from(stored) == Ok(*length)) {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "tile {} of level {} of log `{log}` has {} bytes and not {length}",
        id.index,
        id.level,
        stored.unwrap_or_default()
    )))
}
