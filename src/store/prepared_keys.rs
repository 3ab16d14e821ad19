//! Which node has which key that is to come after that of today.
//!
//! A key that was that of today somewhere has no rows any more. One that has rows, and that no node has, was thrown away before its turn.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    HOLD = "INSERT INTO prepared_keys (key_use, kid, node, seen_ms) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (key_use, kid, node) DO UPDATE SET seen_ms = excluded.seen_ms";
    LET_GO = "UPDATE prepared_keys SET seen_ms = 0 WHERE key_use = $1 AND kid = $2 AND node = $3";
    HAD_ITS_TURN = "DELETE FROM prepared_keys WHERE key_use = $1 AND kid = $2";
    OF_USE = "SELECT kid, node, seen_ms FROM prepared_keys WHERE key_use = $1 ORDER BY kid, node LIMIT $2";
}

/// The most rows that are looked at: a node has one for each key that it had.
const MOST: i64 = 100_000;

/// That a node has a key, or had it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PreparedKey {
    /// The name of the key.
    pub kid: String,
    /// The node.
    pub node: String,
    /// When the node last said that it has it; 0 once it said that it has not.
    pub seen_ms: i64,
}

/// Notes what a node says of a key of this use.
pub async fn put(tx: &mut Tx, key_use: &str, key: &PreparedKey) -> Result<(), StoreError> {
    let PreparedKey { kid, node, seen_ms } = key;
    on_tx!(tx, conn => match seen_ms {
        0 => sqlx::query(LET_GO).bind(key_use).bind(kid).bind(node).execute(conn).await.map(drop),
        seen_ms => sqlx::query(HOLD).bind(key_use).bind(kid).bind(node).bind(seen_ms).execute(conn).await.map(drop),
    })?;
    Ok(())
}

/// The key is, or was, that of today.
pub async fn had_its_turn(tx: &mut Tx, key_use: &str, kid: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(HAD_ITS_TURN).bind(key_use).bind(kid).execute(conn).await.map(drop))?;
    Ok(())
}

/// What nodes say of the keys of this use.
pub async fn of_use(db: &Db, key_use: &str) -> Result<Vec<PreparedKey>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(OF_USE).bind(key_use).bind(MOST).fetch_all(pool).await)?)
}
