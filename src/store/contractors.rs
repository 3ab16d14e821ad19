//! Who asks for a developer. Rows stay when they have ended: they say who could ask for whom, and when.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    /// Changes nothing, and makes two who name contractors of one developer wait for each other. Whoever may name has people.
    HOLD_DEVELOPER = "UPDATE people SET label = label WHERE person = (SELECT min(person) FROM people WHERE org = $1)";
    INSERT = "INSERT INTO contractors (id, developer, organization, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5)";
    LIVE = "SELECT organization FROM contractors WHERE developer = $1 AND ended_ms IS NULL \
        AND (expires_ms IS NULL OR expires_ms > $2)";
    MAY_ASK = "SELECT count(*) FROM contractors WHERE developer = $1 AND organization = $2 AND ended_ms IS NULL \
        AND (expires_ms IS NULL OR expires_ms > $3)";
    FIND = "SELECT id, developer, organization, created_ms, expires_ms, ended_ms FROM contractors WHERE id = $1";
    LIST = "SELECT id, developer, organization, created_ms, expires_ms, ended_ms FROM contractors \
        WHERE (developer = $1 OR organization = $1) AND id > $2 ORDER BY id LIMIT $3";
    END = "UPDATE contractors SET ended_ms = $1 WHERE id = $2 AND ended_ms IS NULL";
}

/// Somebody who asks for a developer.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Contractor {
    /// Its id.
    pub id: String,
    /// For whom.
    pub developer: String,
    /// Who.
    pub organization: String,
    /// Since when.
    pub created_ms: i64,
    /// From when on it may no more, if that was said.
    pub expires_ms: Option<i64>,
    /// When one of the two ended it.
    pub ended_ms: Option<i64>,
}

/// Adds one.
pub async fn insert(tx: &mut Tx, row: &Contractor) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(INSERT)
        .bind(&row.id)
        .bind(&row.developer)
        .bind(&row.organization)
        .bind(row.created_ms)
        .bind(row.expires_ms)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The organizations that may ask for a developer at this moment. Nobody names another until the transaction ends.
pub async fn live(tx: &mut Tx, developer: &str, now_ms: i64) -> Result<Vec<String>, StoreError> {
    on_tx!(tx, conn => {
        sqlx::query(HOLD_DEVELOPER).bind(developer).execute(&mut *conn).await?;
        Ok(sqlx::query_scalar(LIVE).bind(developer).bind(now_ms).fetch_all(&mut *conn).await?)
    })
}

/// Whether the organization may ask for the developer at this moment.
pub async fn may_ask(db: &Db, developer: &str, organization: &str, now_ms: i64) -> Result<bool, StoreError> {
    let found: i64 = on_db!(db, pool => sqlx::query_scalar(MAY_ASK)
        .bind(developer)
        .bind(organization)
        .bind(now_ms)
        .fetch_one(pool)
        .await)?;
    Ok(found > 0)
}

/// The one with this id.
pub async fn find(db: &Db, id: &str) -> Result<Option<Contractor>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(FIND).bind(id).fetch_optional(pool).await)?)
}

/// Those of which an organization is one side, by id, ended ones too.
pub async fn list(
    db: &Db,
    org: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Contractor>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LIST)
        .bind(org)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// Ends it; again, it changes nothing.
pub async fn end(tx: &mut Tx, id: &str, now_ms: i64) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(END).bind(now_ms).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}
