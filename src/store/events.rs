//! The trail of what concerns security, apart from the act log.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    INSERT = "INSERT INTO security_events (id, at_ms, operation, status, org, person, credential, peer, request, lost, inquiry) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    OF_ORG = "SELECT id, at_ms, operation, status, org, person, credential, peer, request, lost, inquiry FROM security_events \
        WHERE org = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    EVERY = "SELECT id, at_ms, operation, status, org, person, credential, peer, request, lost, inquiry FROM security_events \
        WHERE id < $1 ORDER BY id DESC LIMIT $2";
    PURGE = "DELETE FROM security_events WHERE id IN (SELECT id FROM security_events WHERE id < $1 ORDER BY id LIMIT $2)";
}

/// After every id.
const END: &str = "~";

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SecurityEvent {
    /// Its id; later ones are greater.
    pub id: String,
    /// When.
    pub at_ms: i64,
    /// What was called.
    pub operation: String,
    /// The HTTP status of the answer.
    pub status: i64,
    /// The organization, if it is known.
    pub org: Option<String>,
    /// The person, if it is known.
    pub person: Option<String>,
    /// The key or session.
    pub credential: Option<String>,
    /// From where.
    pub peer: Option<String>,
    /// The id of the request, which log lines bear too.
    pub request: Option<String>,
    /// How many events before this one were not written.
    pub lost: Option<i64>,
    /// The inquiry under which it was read.
    pub inquiry: Option<String>,
}

/// Writes one.
pub async fn insert(tx: &mut Tx, event: &SecurityEvent) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(INSERT)
        .bind(&event.id)
        .bind(event.at_ms)
        .bind(&event.operation)
        .bind(event.status)
        .bind(&event.org)
        .bind(&event.person)
        .bind(&event.credential)
        .bind(&event.peer)
        .bind(&event.request)
        .bind(event.lost)
        .bind(&event.inquiry)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Those of an organization, or all, the latest first; those before `before`, where the list goes on.
pub async fn list(
    db: &Db,
    org: Option<&str>,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<SecurityEvent>, StoreError> {
    let (before, limit) = (before.unwrap_or(END), i64::from(limit));
    Ok(match org {
        Some(org) => on_db!(db, pool => sqlx::query_as(OF_ORG)
            .bind(org)
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await)?,
        None => on_db!(db, pool => sqlx::query_as(EVERY).bind(before).bind(limit).fetch_all(pool).await)?,
    })
}

/// Deletes the first of those before the id `before`, so many at most; how many.
pub async fn purge(tx: &mut Tx, before: &str, most: u32) -> Result<u64, StoreError> {
    Ok(on_tx!(tx, conn => sqlx::query(PURGE)
        .bind(before)
        .bind(i64::from(most))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?)
}
