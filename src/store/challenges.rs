//! Proofs of control of a host that organizations were asked for.

use super::db::{Db, Tx, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::texts;

texts! {
    INSERT = "INSERT INTO control_challenges (id, org, host, method, token, created_ms, expires_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    FIND = "SELECT id, org, host, method, token, created_ms, expires_ms, proved_idx FROM control_challenges \
        WHERE id = $1";
    LIST = "SELECT id, org, host, method, token, created_ms, expires_ms, proved_idx FROM control_challenges \
        WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3";
    PROVE = "UPDATE control_challenges SET proved_idx = $1 WHERE id = $2 AND proved_idx IS NULL AND expires_ms > $3";
}

/// What an organization was asked to publish on a host of its own.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Challenge {
    /// Its id.
    pub id: String,
    /// Who was asked.
    pub org: String,
    /// The host.
    pub host: String,
    /// `dns` or `well_known`.
    pub method: String,
    /// What must be found there. It is no secret.
    pub token: String,
    /// When it was asked.
    pub created_ms: i64,
    /// From when on it can no longer be proved.
    pub expires_ms: i64,
    /// The entry that records the proof.
    pub proved_idx: Option<i64>,
}

/// Adds a challenge, unproved.
pub async fn insert(tx: &mut Tx, challenge: &Challenge) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(INSERT)
        .bind(&challenge.id)
        .bind(&challenge.org)
        .bind(&challenge.host)
        .bind(&challenge.method)
        .bind(&challenge.token)
        .bind(challenge.created_ms)
        .bind(challenge.expires_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The challenge `id`.
pub async fn find(db: &Db, id: &str) -> Result<Option<Challenge>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(FIND).bind(id).fetch_optional(pool).await)?)
}

/// The challenges of an organization, by id.
pub async fn list(db: &Db, org: &str, after: Option<&str>, limit: u32) -> Result<Vec<Challenge>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LIST)
        .bind(org)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// Notes that entry `index`, appended in the same transaction, records the proof; false if it was proved before or
/// its time is up.
pub async fn prove(tx: &mut Tx, id: &str, index: u64, now_ms: i64) -> Result<bool, StoreError> {
    let index = to_db(index)?;
    let proved = on_tx!(tx, conn => sqlx::query(PROVE)
        .bind(index)
        .bind(id)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(proved == 1)
}
