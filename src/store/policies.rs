//! What organizations ask of their own people.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    FIND = "SELECT second_person, asked_by, asked_ms FROM org_policies WHERE org = $1";
    SWITCH_ON = "INSERT INTO org_policies (org, second_person, changed_ms) VALUES ($1, 1, $2) \
        ON CONFLICT (org) DO UPDATE SET second_person = 1, changed_ms = excluded.changed_ms, asked_by = NULL, \
        asked_ms = NULL";
    SWITCH_OFF = "UPDATE org_policies SET second_person = 0, changed_ms = $1, asked_by = NULL, asked_ms = NULL \
        WHERE org = $2 AND second_person = 1 AND asked_by <> $3 AND asked_ms > $4";
    ASK_OFF = "UPDATE org_policies SET asked_by = $1, asked_ms = $2 WHERE org = $3 AND second_person = 1";
}

/// What an organization asks of its people.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Policy {
    /// 1 where a second person must approve what may open something.
    pub second_person: i64,
    /// Who wants to switch that off.
    pub asked_by: Option<String>,
    /// Since when.
    pub asked_ms: Option<i64>,
}

/// The policy of an organization; the default one where it never said.
pub async fn of_org(db: &Db, org: &str) -> Result<Policy, StoreError> {
    let found = on_db!(db, pool => sqlx::query_as(FIND).bind(org).fetch_optional(pool).await)?;
    Ok(found.unwrap_or_default())
}

/// The same, within a transaction.
pub async fn of_org_in(tx: &mut Tx, org: &str) -> Result<Policy, StoreError> {
    let found = on_tx!(tx, conn => sqlx::query_as(FIND).bind(org).fetch_optional(conn).await)?;
    Ok(found.unwrap_or_default())
}

/// Asks for a second person from now on.
pub async fn switch_on(tx: &mut Tx, org: &str, now_ms: i64) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(SWITCH_ON).bind(org).bind(now_ms).execute(conn).await.map(drop))?;
    Ok(())
}

/// Asks for none any more, where another person than `person` wanted that after `since_ms`; otherwise notes that this one
/// does. Whether it is off now.
pub async fn switch_off(
    tx: &mut Tx,
    org: &str,
    person: &str,
    since_ms: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    on_tx!(tx, conn => {
        let off = sqlx::query(SWITCH_OFF)
            .bind(now_ms)
            .bind(org)
            .bind(person)
            .bind(since_ms)
            .execute(&mut *conn)
            .await?;
        if off.rows_affected() == 1 {
            return Ok(true);
        }
        let asked = sqlx::query(ASK_OFF).bind(person).bind(now_ms).bind(org).execute(&mut *conn).await?;
        Ok(asked.rows_affected() == 0)
    })
}
