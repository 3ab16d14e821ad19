//! How far the rows of a log reach, beside how far its head says that it does.

use super::db::{Db, from_db, on_db};
use super::error::StoreError;
use super::sql::texts;

texts! {
    REACH = "SELECT l.size, (SELECT MAX(idx) FROM entries AS e WHERE e.log = l.log), \
        (SELECT MAX(size) FROM checkpoints AS c WHERE c.log = l.log), (SELECT MAX(idx) FROM checks AS k WHERE k.log = l.log), \
        (SELECT MAX(idx) FROM payloads WHERE l.log = 'acts') FROM logs AS l WHERE l.log = $1";
    EDGE = "SELECT l.size, t.idx, CAST(length(t.data) AS BIGINT) FROM logs AS l JOIN tiles AS t ON t.log = l.log AND t.level = $2 \
        WHERE l.log = $1 ORDER BY t.idx DESC LIMIT 1";
    NEXT_OF_ENTRIES = "SELECT MIN(log) FROM entries WHERE log > $1";
    NEXT_OF_TILES = "SELECT MIN(log) FROM tiles WHERE log > $1";
    NEXT_OF_CHECKPOINTS = "SELECT MIN(log) FROM checkpoints WHERE log > $1";
    NEXT_OF_CHECKS = "SELECT MIN(log) FROM checks WHERE log > $1";
}

/// The tables whose rows belong to a log, each with the text that finds the next log in it.
const OF_LOGS: [(&str, &str); 4] = [
    ("entries", NEXT_OF_ENTRIES),
    ("tiles", NEXT_OF_TILES),
    ("checkpoints", NEXT_OF_CHECKPOINTS),
    ("checks", NEXT_OF_CHECKS),
];

/// The last rows of one log, and its size at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// How many entries its head says.
    pub size: u64,
    /// The last entry.
    pub entry: Option<u64>,
    /// The size of the last checkpoint.
    pub checkpoint: Option<u64>,
    /// The entry of the last check that is noted.
    pub check: Option<u64>,
    /// The entry of the last payload; of the act log alone.
    pub payload: Option<u64>,
}

/// The last tile of a level, and the size of the log at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// How many entries the head of the log says.
    pub size: u64,
    /// The number of the tile.
    pub index: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

type ReachRow = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

/// How far the rows of a log reach; none if there is no such log.
pub async fn reach(db: &Db, log: &str) -> Result<Option<Reach>, StoreError> {
    let row: Option<ReachRow> =
        on_db!(db, pool => sqlx::query_as(REACH).bind(log).fetch_optional(pool).await)?;
    let Some((size, entry, checkpoint, check, payload)) = row else { return Ok(None) };
    let last = |row: Option<i64>| row.map(from_db).transpose();
    Ok(Some(Reach {
        size: from_db(size)?,
        entry: last(entry)?,
        checkpoint: last(checkpoint)?,
        check: last(check)?,
        payload: last(payload)?,
    }))
}

/// The last tile of a level.
pub async fn edge(db: &Db, log: &str, level: u8) -> Result<Option<Edge>, StoreError> {
    let row: Option<(i64, i64, i64)> = on_db!(db, pool => sqlx::query_as(EDGE)
        .bind(log)
        .bind(i64::from(level))
        .fetch_optional(pool)
        .await)?;
    row.map(|(size, index, bytes)| {
        Ok(Edge { size: from_db(size)?, index: from_db(index)?, bytes: from_db(bytes)? })
    })
    .transpose()
}

/// The names of logs that some row belongs to, each with the table.
pub async fn named(db: &Db) -> Result<Vec<(&'static str, String)>, StoreError> {
    let mut named = Vec::new();
    for (table, text) in OF_LOGS {
        let mut last = String::new();
        loop {
            let next: Option<String> =
                on_db!(db, pool => sqlx::query_scalar(text).bind(&last).fetch_one(pool).await)?;
            let Some(next) = next else { break };
            named.push((table, next.clone()));
            last = next;
        }
    }
    Ok(named)
}
