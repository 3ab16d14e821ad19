//! The head row of each log: its size, its tree's frontier, and the signed checkpoint that covers all of it.

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::texts;
use crate::log::checkpoint::{Checkpoint, CheckpointError, CheckpointSigner};
use crate::log::merkle::{Frontier, Hash, TreeHead};

/// The name of the log on which every decision rests.
pub const ACTS: &str = "acts";

/// The name of the log of checks that the process `node` answered.
pub fn checks_log(node: &str) -> String {
    format!("checks/{node}")
}

texts! {
    READ = "SELECT origin, size, root, frontier, at_ms, checkpoint FROM logs WHERE log = $1";
    READ_TREE = "SELECT size, root FROM logs WHERE log = $1";
    LIST = "SELECT log, size, root FROM logs ORDER BY log";
    EVERY = "SELECT log, origin, size, root, frontier, at_ms, checkpoint FROM logs ORDER BY log";
    PAGE = "SELECT log, origin FROM logs WHERE log > $1 ORDER BY log LIMIT $2";
    /// On SQLite the transaction holds the writer's lock already.
    LOCK = "SELECT origin, size, root, frontier, at_ms, checkpoint FROM logs WHERE log = $1",
        "SELECT origin, size, root, frontier, at_ms, checkpoint FROM logs WHERE log = $1 FOR UPDATE";
    /// The same, with size and root of another log, which is not locked: as they were when the statement began, even where it waited.
    LOCK_BESIDE = "SELECT own.origin, own.size, own.root, own.frontier, own.at_ms, own.checkpoint, other.size, other.root \
            FROM logs AS own LEFT JOIN logs AS other ON other.log = $2 WHERE own.log = $1",
        "SELECT own.origin, own.size, own.root, own.frontier, own.at_ms, own.checkpoint, other.size, other.root \
            FROM logs AS own LEFT JOIN logs AS other ON other.log = $2 WHERE own.log = $1 FOR UPDATE OF own";
    CREATE = "INSERT INTO logs (log, origin, size, root, frontier, at_ms, checkpoint) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (log) DO NOTHING";
}

type Row = (String, i64, Vec<u8>, Vec<u8>, i64, String);

/// The head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The log's name in the database: [`ACTS`] or [`checks_log`].
    pub log: String,
    /// The log's public name, which its checkpoints bear.
    pub origin: String,
    /// The tree over all entries.
    pub frontier: Frontier,
    /// When the last entry was appended.
    pub at_ms: i64,
    /// The signed note over this size and root.
    pub checkpoint: String,
}

impl Head {
    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Size and root.
    pub fn tree(&self) -> TreeHead {
        self.frontier.head()
    }

    fn of_row(log: &str, row: Row) -> Result<Self, StoreError> {
        let (origin, size, root, frontier, at_ms, checkpoint) = row;
        let frontier = Frontier::from_bytes(&frontier)
            .map_err(|error| StoreError::Corrupt(format!("the head of log `{log}`: {error}")))?;
        if frontier.head() != tree(log, size, &root)? {
            return Err(StoreError::Corrupt(format!("the head of log `{log}` disagrees with its frontier")));
        }
        Ok(Self { log: log.to_owned(), origin, frontier, at_ms, checkpoint })
    }
}

/// Size and root as they are stored.
pub(super) fn tree(log: &str, size: i64, root: &[u8]) -> Result<TreeHead, StoreError> {
    let root = Hash::try_from(root)
        .map_err(|_| StoreError::Corrupt(format!("the root of log `{log}` is not 32 bytes")))?;
    Ok(TreeHead { size: from_db(size)?, root })
}

/// The head of `log`, or none if there is no such log; everything acknowledged before the call is in it.
pub async fn read(db: &Db, log: &str) -> Result<Option<Head>, StoreError> {
    let row: Option<Row> = on_db!(db, pool => sqlx::query_as(READ).bind(log).fetch_optional(pool).await)?;
    row.map(|row| Head::of_row(log, row)).transpose()
}

/// Only size and root of `log`: the cheapest question to the database that shows whether there is news.
pub async fn read_tree(db: &Db, log: &str) -> Result<Option<TreeHead>, StoreError> {
    let row: Option<(i64, Vec<u8>)> =
        on_db!(db, pool => sqlx::query_as(READ_TREE).bind(log).fetch_optional(pool).await)?;
    row.map(|(size, root)| tree(log, size, &root)).transpose()
}

/// As [`read_tree`], within a transaction; takes no lock.
pub async fn read_tree_in(tx: &mut Tx, log: &str) -> Result<Option<TreeHead>, StoreError> {
    let row: Option<(i64, Vec<u8>)> =
        on_tx!(tx, conn => sqlx::query_as(READ_TREE).bind(log).fetch_optional(conn).await)?;
    row.map(|(size, root)| tree(log, size, &root)).transpose()
}

/// The head of a log as its row has it, however broken.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredHead {
    /// The log's name in the database.
    pub log: String,
    /// The log's public name.
    pub origin: String,
    /// The number of entries.
    #[sqlx(try_from = "i64")]
    pub size: u64,
    /// The root.
    pub root: Vec<u8>,
    /// The tree over all entries.
    pub frontier: Vec<u8>,
    /// When the last entry was appended.
    pub at_ms: i64,
    /// The signed note over this size and root.
    pub checkpoint: String,
}

impl StoredHead {
    /// Size and root, if it is what it must be: its tree has both.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], which says what is wrong.
    pub fn tree(&self) -> Result<TreeHead, StoreError> {
        let size = to_db(self.size)?;
        let (log, root, frontier) = (self.log.as_str(), self.root.clone(), self.frontier.clone());
        let row = (self.origin.clone(), size, root, frontier, self.at_ms, self.checkpoint.clone());
        Ok(Head::of_row(log, row)?.tree())
    }
}

/// Every log as it was at one moment, by name: of two logs, none has what rests on more of the other than is told here.
pub async fn every(db: &Db) -> Result<Vec<StoredHead>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(EVERY).fetch_all(pool).await)?)
}

/// Every log with its size and root, by name.
pub async fn list(db: &Db) -> Result<Vec<(String, TreeHead)>, StoreError> {
    let rows: Vec<(String, i64, Vec<u8>)> = on_db!(db, pool => sqlx::query_as(LIST).fetch_all(pool).await)?;
    rows.into_iter().map(|(log, size, root)| Ok((tree(&log, size, &root)?, log))).map(swap).collect()
}

fn swap(found: Result<(TreeHead, String), StoreError>) -> Result<(String, TreeHead), StoreError> {
    found.map(|(tree, log)| (log, tree))
}

/// The logs after this one, by name, each with its origin.
pub async fn page(db: &Db, after: &str, limit: u32) -> Result<Vec<(String, String)>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(PAGE).bind(after).bind(i64::from(limit)).fetch_all(pool).await)?)
}

/// Reads the head of `log` and keeps all others from appending until the transaction ends.
pub async fn lock(tx: &mut Tx, log: &str) -> Result<Option<Head>, StoreError> {
    let text = LOCK.of(tx.engine());
    let row: Option<Row> = on_tx!(tx, conn => sqlx::query_as(text).bind(log).fetch_optional(conn).await)?;
    row.map(|row| Head::of_row(log, row)).transpose()
}

/// Locks the head of `log`, after making the log, empty and signed, if there is none yet. Its origin is the
/// signer's name; an existing log keeps its own.
pub async fn lock_or_create(
    tx: &mut Tx,
    log: &str,
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<Head, StoreError> {
    if let Some(head) = lock(tx, log).await? {
        return Ok(head);
    }
    create(tx, log, signer, at_ms).await?;
    // Another process may have been faster; its log is the one.
    lock(tx, log).await?.ok_or_else(|| vanished(log))
}

/// As [`lock_or_create`], with the size and root of another log, which is not locked.
pub async fn lock_or_create_beside(
    tx: &mut Tx,
    log: &str,
    other: &str,
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<(Head, TreeHead), StoreError> {
    if let Some(found) = lock_beside(tx, log, other).await? {
        return Ok(found);
    }
    create(tx, log, signer, at_ms).await?;
    lock_beside(tx, log, other).await?.ok_or_else(|| vanished(log))
}

async fn lock_beside(tx: &mut Tx, log: &str, other: &str) -> Result<Option<(Head, TreeHead)>, StoreError> {
    type Both = (String, i64, Vec<u8>, Vec<u8>, i64, String, Option<i64>, Option<Vec<u8>>);
    let text = LOCK_BESIDE.of(tx.engine());
    let row: Option<Both> =
        on_tx!(tx, conn => sqlx::query_as(text).bind(log).bind(other).fetch_optional(conn).await)?;
    let Some((origin, size, root, frontier, at_ms, checkpoint, other_size, other_root)) = row else {
        return Ok(None);
    };
    let head = Head::of_row(log, (origin, size, root, frontier, at_ms, checkpoint))?;
    let other = match other_size.zip(other_root) {
        Some((size, root)) => tree(other, size, &root)?,
        None => TreeHead::EMPTY,
    };
    Ok(Some((head, other)))
}

fn vanished(log: &str) -> StoreError {
    StoreError::Corrupt(format!("log `{log}` vanished while it was made"))
}

/// Makes a log, empty and signed, if there is none.
async fn create(tx: &mut Tx, log: &str, signer: &CheckpointSigner, at_ms: i64) -> Result<(), StoreError> {
    let frontier = Frontier::new();
    let checkpoint = sign(signer, frontier.head())?;
    let (root, bytes) = (frontier.root(), frontier.to_bytes());
    on_tx!(tx, conn => sqlx::query(CREATE)
        .bind(log)
        .bind(signer.origin())
        .bind(0_i64)
        .bind(root.as_ref())
        .bind(bytes)
        .bind(at_ms)
        .bind(&checkpoint)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The signed note over `tree`, under the signer's own name.
pub(super) fn sign(signer: &CheckpointSigner, tree: TreeHead) -> Result<String, StoreError> {
    signer
        .sign(&Checkpoint::new(signer.origin(), tree))
        .map_err(|error: CheckpointError| StoreError::Program(format!("cannot sign a checkpoint: {error}")))
}
