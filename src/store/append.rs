//! The one way in which a log grows.

use super::checks::StoredCheck;
use super::db::{Alone, Tx, to_db};
use super::error::StoreError;
use super::heads::{self, Head};
use super::sql::{Pair, json, texts};
use super::tiles::{self, Growth};
use crate::log::checkpoint::CheckpointSigner;
use crate::log::merkle::{TreeHead, leaf_hash};

/// What stands in the last row of [`ALONE`] on SQLite.
const COMMITTED: i64 = -1;

/// What appends to a log on SQLite, one statement after the other.
macro_rules! append_sqlite {
    () => {
        "UPDATE logs SET size = $1, root = $2, frontier = $3, at_ms = $4, checkpoint = $5, origin = $6 \
         WHERE log = $7 AND size = $8 AND root = $9 \
         AND ($15 IS NULL OR EXISTS (SELECT 1 FROM logs WHERE log = $15 AND size = $16 AND root = $17)) \
         RETURNING size; \
         INSERT INTO entries (log, idx, at_ms, bytes) \
         SELECT $7, $8 + key, $4, substr($10, value ->> 0, value ->> 1) FROM jsonb_each($11) \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2); \
         INSERT INTO tiles (log, level, idx, data) \
         SELECT $7, value ->> 0, value ->> 1, CASE WHEN value ->> 4 = COALESCE((SELECT length(data) FROM tiles \
            WHERE log = $7 AND level = value ->> 0 AND idx = value ->> 1), 0) THEN substr($12, value ->> 2, value ->> 3) END \
         FROM jsonb_each($13) WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2) \
         ON CONFLICT (log, level, idx) DO UPDATE SET data = CAST(tiles.data || excluded.data AS BLOB); \
         INSERT INTO checkpoints (log, size, root, note, at_ms) SELECT $7, $1, $2, $5, $4 \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2); \
         INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) \
         SELECT value ->> 'check', value ->> 'log', value ->> 'index', value ->> 'developer', value ->> 'asked_by', \
         value ->> 'at_ms', value ->> 'items', value ->> 'permitted' FROM jsonb_each($14) \
         WHERE EXISTS (SELECT 1 FROM logs WHERE log = $7 AND size = $1 AND root = $2)"
    };
}

/// The same on PostgreSQL, where a text is one statement.
macro_rules! append_postgres {
    () => {
        "WITH head AS (UPDATE logs SET size = $1, root = $2, frontier = $3, at_ms = $4, checkpoint = $5, origin = $6 \
            WHERE log = $7 AND size = $8 AND root = $9 \
            AND ($15::text IS NULL OR EXISTS (SELECT 1 FROM logs WHERE log = $15 AND size = $16::bigint AND root = $17::bytea)) \
            RETURNING log, size), \
         added AS (INSERT INTO entries (log, idx, at_ms, bytes) SELECT head.log, $8 + n - 1, $4, bytes \
            FROM head, unnest($10::bytea[]) WITH ORDINALITY AS batch (bytes, n)), \
         grown AS (INSERT INTO tiles (log, level, idx, data) SELECT head.log, new.level, new.idx, \
            CASE WHEN new.length = COALESCE((SELECT length(data) FROM tiles AS old \
                WHERE old.log = $7 AND old.level = new.level AND old.idx = new.idx), 0) THEN new.data END \
            FROM head, unnest($11::bigint[], $12::bigint[], $13::bytea[], $18::bigint[]) AS new (level, idx, data, length) \
            ON CONFLICT (log, level, idx) DO UPDATE SET data = tiles.data || excluded.data), \
         signed AS (INSERT INTO checkpoints (log, size, root, note, at_ms) SELECT head.log, $1, $2, $5, $4 FROM head), \
         noted AS (INSERT INTO checks (check_id, log, idx, developer, asked_by, at_ms, items, permitted) \
            SELECT \"check\", line.log, index, developer, asked_by, at_ms, items, permitted \
            FROM head, json_to_recordset($14::json) AS line (\"check\" text, log text, index bigint, developer text, \
            asked_by text, at_ms bigint, items bigint, permitted bigint)) \
         SELECT size FROM head"
    };
}

texts! {
    /// All of it in one go, since each question to a database costs more than most of the answers: the head, the entries, the
    /// tiles that they add to (without reading them), the checkpoint, and where checks are to be found. Where the head is
    /// another one by now, or that of the log on which it rests, nothing is written, and nothing comes back; otherwise the
    /// size. (On SQLite a trigger refuses the same entries twice where the head is already the one that is to be.)
    ///
    /// A tile that is not as long as the tree says gets NULL, which none may have, so that nothing is written.
    ///
    /// On SQLite entries and hashes come one after the other, with a list of where each begins and how long it is.
    APPEND = append_sqlite!(), append_postgres!();
    /// The same as a transaction of its own, which on PostgreSQL every text is.
    ///
    /// On SQLite the last row says that all of it was done: that no more rows come says so only if the driver's thread lives.
    ALONE = concat!("BEGIN IMMEDIATE; ", append_sqlite!(), "; COMMIT; SELECT -1"), append_postgres!();
}

/// Appends `new` entries (1 to 65,535 bytes each) to the log whose head is `expected`, and gives its new head, signed:
/// in the caller's transaction, so that nothing of it is visible or durable before that commits. An empty batch
/// changes nothing. `at_ms` is not before `expected.at_ms`.
///
/// # Errors
/// [`StoreError::HeadMoved`] when somebody appended since `expected` was read, which cannot happen after
/// [`heads::lock`] in the same transaction; [`StoreError::AppendOnly`] when time goes backwards;
/// [`StoreError::Corrupt`] when what is stored is not what the head says, as with other tiles. The transaction is then of no
/// more use.
pub async fn append(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<Head, StoreError> {
    let entries: Vec<&[u8]> = new.iter().map(AsRef::as_ref).collect();
    Batch { expected, entries: &entries, signer, at_ms, noted: &[] }.append_in(tx).await
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
    let entries: Vec<&[u8]> = new.iter().map(AsRef::as_ref).collect();
    let batch = Batch { expected, entries: &entries, signer, at_ms, noted: &[] };
    batch.append(tx, APPEND, None).await?.ok_or_else(|| batch.moved())
}

/// What a log gets at once.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Its head before.
    pub expected: &'a Head,
    /// The new entries, 1 to 65,535 bytes each.
    pub entries: &'a [&'a [u8]],
    /// Who signs.
    pub signer: &'a CheckpointSigner,
    /// When: not before the head.
    pub at_ms: i64,
    /// Where checks are to be found in it.
    pub noted: &'a [StoredCheck],
}

impl Batch<'_> {
    /// Appends it in the caller's transaction, as [`append`] does.
    ///
    /// # Errors
    /// As [`append`].
    pub async fn append_in(&self, tx: &mut Tx) -> Result<Head, StoreError> {
        if self.entries.is_empty() {
            return Ok(self.expected.clone());
        }
        self.must_be_signed_by_its_own()?;
        self.append(tx, APPEND, None).await?.ok_or_else(|| self.moved())
    }

    /// Appends it in a transaction of its own, by one question to the database, and gives the new head: it is durable then.
    /// None, and nothing is written, where the log has another head by now, or the log `other` has not this one. An empty batch
    /// changes nothing, and asks nothing.
    ///
    /// # Errors
    /// As [`append`], but for a head that moved; on SQLite [`StoreError::AppendOnly`] where that is what these entries would
    /// make of it. [`StoreError::CommitUnknown`] where the database can't be reached, before or after.
    pub async fn append_alone(
        &self,
        Alone(mut alone): Alone,
        other: &str,
        rests_on: TreeHead,
    ) -> Result<Option<Head>, StoreError> {
        if self.entries.is_empty() {
            return Ok(Some(self.expected.clone()));
        }
        self.must_be_signed_by_its_own()?;
        self.append(&mut alone, ALONE, Some((other, rests_on))).await.map_err(StoreError::at_commit)
    }

    fn must_be_signed_by_its_own(&self) -> Result<(), StoreError> {
        let Self { expected, signer, .. } = self;
        if signer.origin() == expected.origin {
            return Ok(());
        }
        let (log, origin, name) = (&expected.log, &expected.origin, signer.origin());
        Err(StoreError::Program(format!("log `{log}` is `{origin}`, and the key signs for `{name}`")))
    }

    fn moved(&self) -> StoreError {
        StoreError::HeadMoved { log: self.expected.log.clone(), expected: self.expected.size() }
    }

    /// The head when all of it is in the log; none where it was another one, or that on which it rests.
    async fn append(
        &self,
        tx: &mut Tx,
        text: Pair,
        rests_on: Option<(&str, TreeHead)>,
    ) -> Result<Option<Head>, StoreError> {
        let mut next =
            Head { at_ms: self.at_ms, origin: self.signer.origin().to_owned(), ..self.expected.clone() };
        let growths = tiles::grow(&mut next.frontier, self.entries.iter().map(|entry| leaf_hash(entry)));
        next.checkpoint = heads::sign(self.signer, next.tree())?;
        let written = self.write(tx, text, &next, &growths, rests_on).await;
        let written = written.map_err(|error| match error {
            StoreError::Conflict(what) => {
                let log = &next.log;
                StoreError::Corrupt(format!(
                    "log `{log}` does not grow as its head says ({what}): see `fsck`"
                ))
            }
            other => other,
        })?;
        Ok(written.then_some(next))
    }

    /// Writes the entries, and everything that grows with them; false where nothing was written.
    async fn write(
        &self,
        tx: &mut Tx,
        text: Pair,
        next: &Head,
        growths: &[Growth],
        rests_on: Option<(&str, TreeHead)>,
    ) -> Result<bool, StoreError> {
        let (tree, before) = (next.tree(), self.expected.tree());
        let (size, size_before) = (to_db(tree.size)?, to_db(before.size)?);
        let (root, root_before, frontier) = (tree.root, before.root, next.frontier.to_bytes());
        let (other, other_tree) = rests_on.unzip();
        let other_size = other_tree.map(|tree| to_db(tree.size)).transpose()?;
        let other_root = other_tree.map(|tree| tree.root.0.to_vec());
        let levels = growths.iter().map(|growth| i64::from(growth.id.level));
        let places = growths.iter().map(|growth| to_db(growth.id.index)).collect::<Result<Vec<_>, _>>()?;
        let lengths =
            growths.iter().map(|growth| to_db(growth.before as u64)).collect::<Result<Vec<_>, _>>()?;
        let hashes = growths.iter().map(|growth| growth.data.as_slice());
        /// The question with what it says of the head.
        macro_rules! with_head {
            ($text:expr) => {
                sqlx::query_scalar::<_, i64>($text)
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
        let mut sizes = match tx {
            Tx::Sqlite(tx) => {
                let (entries, parts) = joined(self.entries.iter().copied());
                let (hashes, of_tiles) = joined(hashes);
                let tiles = levels.zip(&places).zip(&lengths).zip(of_tiles);
                let tiles: Vec<_> = tiles
                    .map(|(((level, place), before), (from, length))| (level, place, from, length, before))
                    .collect();
                with_head!(text.sqlite)
                    .bind(entries)
                    .bind(json(&parts)?)
                    .bind(hashes)
                    .bind(json(&tiles)?)
                    .bind(json(self.noted)?)
                    .bind(other)
                    .bind(other_size)
                    .bind(other_root)
                    .fetch_all(&mut *tx)
                    .await?
            }
            Tx::Postgres(tx) => {
                with_head!(text.postgres)
                    .bind(self.entries)
                    .bind(levels.collect::<Vec<_>>())
                    .bind(&places)
                    .bind(hashes.collect::<Vec<_>>())
                    .bind(json(self.noted)?)
                    .bind(other)
                    .bind(other_size)
                    .bind(other_root)
                    .bind(&lengths)
                    .fetch_all(&mut *tx)
                    .await?
            }
        };
        if matches!(tx, Tx::Sqlite(_)) && rests_on.is_some() && sizes.pop() != Some(COMMITTED) {
            return Err(StoreError::CommitUnknown("its answer has no end".to_owned()));
        }
        Ok(!sizes.is_empty())
    }
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
