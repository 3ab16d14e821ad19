//! What witnesses cosigned of our checkpoints.

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::error::StoreError;
use super::heads::ACTS;
use super::sql::texts;

texts! {
    PUT = "INSERT INTO cosignatures (log, size, witness, line, at_s) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (log, size, witness) DO NOTHING";
    OF = "SELECT line FROM cosignatures WHERE log = $1 AND size = $2 ORDER BY witness LIMIT $3";
    LAST = "SELECT MAX(size) FROM cosignatures WHERE log = $1 AND witness = $2";
    NEWEST = "SELECT MAX(size) FROM cosignatures WHERE log = $1 AND size <= $2";
    /// Journals of others that have not grown since a moment, and of which a witness has not cosigned all, by name.
    LEFT = "SELECT logs.log FROM logs WHERE logs.log > $1 AND logs.log NOT IN ($2, $3) AND logs.size > 0 \
        AND logs.at_ms <= $4 AND NOT EXISTS (SELECT 1 FROM cosignatures AS own \
        WHERE own.log = logs.log AND own.size = logs.size AND own.witness = $5) ORDER BY logs.log LIMIT $6";
}

/// The most cosignatures that are served with one checkpoint.
const MOST: i64 = 50;

/// One cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// The log's name in the database.
    pub log: String,
    /// Of which checkpoint.
    pub size: u64,
    /// The witness's key.
    pub witness: String,
    /// The signature line, with its end.
    pub line: String,
    /// When the witness says that it was, in seconds since 1970.
    pub at_s: u64,
}

/// Keeps one. The first of a witness for a checkpoint stays.
pub async fn put(tx: &mut Tx, it: &Cosignature) -> Result<(), StoreError> {
    let (size, at_s) = (to_db(it.size)?, to_db(it.at_s)?);
    on_tx!(tx, conn => sqlx::query(PUT)
        .bind(&it.log)
        .bind(size)
        .bind(&it.witness)
        .bind(&it.line)
        .bind(at_s)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The signature lines of a checkpoint, each with its end.
pub async fn of(db: &Db, log: &str, size: u64) -> Result<String, StoreError> {
    let size = to_db(size)?;
    let lines: Vec<String> = on_db!(db, pool => sqlx::query_scalar(OF)
        .bind(log)
        .bind(size)
        .bind(MOST)
        .fetch_all(pool)
        .await)?;
    Ok(lines.concat())
}

/// The size of the last checkpoint that a witness cosigned.
pub async fn last(db: &Db, log: &str, witness: &str) -> Result<Option<u64>, StoreError> {
    let size: Option<i64> =
        on_db!(db, pool => sqlx::query_scalar(LAST).bind(log).bind(witness).fetch_one(pool).await)?;
    size.map(from_db).transpose()
}

/// The size of the last checkpoint of at most so many entries that any witness cosigned.
pub async fn newest(db: &Db, log: &str, most: u64) -> Result<Option<u64>, StoreError> {
    let most = to_db(most)?;
    let size: Option<i64> =
        on_db!(db, pool => sqlx::query_scalar(NEWEST).bind(log).bind(most).fetch_one(pool).await)?;
    size.map(from_db).transpose()
}

/// Which journals.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// The name of this node's own, which is not among them.
    pub own: &'a str,
    /// Those after this one, by name.
    pub after: &'a str,
    /// Those that have not grown since.
    pub since_ms: i64,
}

/// The names of at most so many journals of other nodes that do not grow any more, and that a witness has not cosigned whole.
pub async fn left(db: &Db, of: Left<'_>, witness: &str, most: u32) -> Result<Vec<String>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_scalar(LEFT)
        .bind(of.after)
        .bind(ACTS)
        .bind(of.own)
        .bind(of.since_ms)
        .bind(witness)
        .bind(i64::from(most))
        .fetch_all(pool)
        .await)?)
}
