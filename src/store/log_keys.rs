//! The public keys that sign the checkpoints of each log: those of today, and all that ever did.

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::texts;

texts! {
    PUT = "INSERT INTO log_keys (log, verifier_key, first_size, first_ms) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (log, verifier_key) DO NOTHING";
    PUT_END = "INSERT INTO log_key_ends (log, verifier_key, last_size, last_ms) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (log, verifier_key) DO NOTHING";
    ENDS = "SELECT log, verifier_key, last_size, last_ms FROM log_key_ends WHERE log = $1 ORDER BY last_size, verifier_key";
    NAMED = "SELECT verifier_key FROM log_keys WHERE log = $1 AND verifier_key LIKE $2 ORDER BY verifier_key";
    OF_LOG = "SELECT log, verifier_key, first_size, first_ms FROM log_keys WHERE log = $1 ORDER BY first_size, first_ms, verifier_key";
}

/// A public key of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    /// The log's name in the database.
    pub log: String,
    /// The key, as C2SP `signed-note` writes it.
    pub verifier_key: String,
    /// How many entries the log had when the key was first ready to sign: it signed nothing of that size or below.
    pub first_size: u64,
    /// When that was.
    pub first_ms: i64,
}

/// Where a public key of a log ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEnd {
    /// The log's name in the database.
    pub log: String,
    /// The key.
    pub verifier_key: String,
    /// How many entries the log had when another key signed alone for the first time: this one signs nothing larger.
    pub last_size: u64,
    /// When that was.
    pub last_ms: i64,
}

/// Notes a key, for ever. One that is noted already keeps when it was first.
pub async fn put(tx: &mut Tx, key: &LogKey) -> Result<(), StoreError> {
    let size = to_db(key.first_size)?;
    on_tx!(tx, conn => sqlx::query(PUT)
        .bind(&key.log)
        .bind(&key.verifier_key)
        .bind(size)
        .bind(key.first_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Notes, for ever, that a key signs nothing of more than so many entries, since this moment. What was noted first stays.
pub async fn put_end(tx: &mut Tx, end: &KeyEnd) -> Result<(), StoreError> {
    let size = to_db(end.last_size)?;
    on_tx!(tx, conn => sqlx::query(PUT_END)
        .bind(&end.log)
        .bind(&end.verifier_key)
        .bind(size)
        .bind(end.last_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The keys of a log that bear this name.
pub async fn named(tx: &mut Tx, log: &str, name: &str) -> Result<Vec<String>, StoreError> {
    // What is found may be more: `_` and `%` may stand in a name.
    let prefix = format!("{name}+");
    let like = format!("{prefix}%");
    let found: Vec<(String,)> =
        on_tx!(tx, conn => sqlx::query_as(NAMED).bind(log).bind(&like).fetch_all(conn).await)?;
    Ok(found.into_iter().map(|(key,)| key).filter(|key| key.starts_with(&prefix)).collect())
}

/// Where keys of a log ended.
pub async fn ends(db: &Db, log: &str) -> Result<Vec<KeyEnd>, StoreError> {
    let rows: Vec<(String, String, i64, i64)> =
        on_db!(db, pool => sqlx::query_as(ENDS).bind(log).fetch_all(pool).await)?;
    rows.into_iter()
        .map(|(log, verifier_key, size, last_ms)| {
            Ok(KeyEnd { log, verifier_key, last_size: from_db(size)?, last_ms })
        })
        .collect()
}

/// The keys of a log, the oldest first.
pub async fn of_log(db: &Db, log: &str) -> Result<Vec<LogKey>, StoreError> {
    let rows: Vec<(String, String, i64, i64)> =
        on_db!(db, pool => sqlx::query_as(OF_LOG).bind(log).fetch_all(pool).await)?;
    rows.into_iter()
        .map(|(log, verifier_key, size, first_ms)| {
            Ok(LogKey { log, verifier_key, first_size: from_db(size)?, first_ms })
        })
        .collect()
}
