//! Who people are to providers through which they sign in.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    BY_SUBJECT = "SELECT id, person, issuer, subject, email, created_ms, used_ms, removed_ms FROM identities \
        WHERE issuer = $1 AND subject = $2";
    HAS_ONE = "SELECT count(*) FROM identities WHERE issuer = $1 AND person = $2";
    LIST = "SELECT id, person, issuer, subject, email, created_ms, used_ms, removed_ms FROM identities \
        WHERE person = $1 AND removed_ms IS NULL ORDER BY created_ms, id LIMIT 100";
    USE = "UPDATE identities SET used_ms = $1 WHERE issuer = $2 AND subject = $3 AND person = $4 AND removed_ms IS NULL";
    INSERT = "INSERT INTO identities (id, person, issuer, subject, email, created_ms, used_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING";
    FORGET_REMOVED = "DELETE FROM identities WHERE issuer = $1 AND person = $2 AND removed_ms IS NOT NULL";
    REMOVE = "UPDATE identities SET removed_ms = $1 WHERE id = $2 AND person = $3 AND removed_ms IS NULL";
    FORGET_OF_PERSON = "DELETE FROM identities WHERE person = $1 AND removed_ms IS NULL";
    DELETE_OF_PERSON = "DELETE FROM identities WHERE person = $1";
}

/// Who a person is to a provider.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// Who.
    pub person: String,
    /// The provider.
    pub issuer: String,
    /// The provider's name for the person.
    pub subject: String,
    /// The address that the provider told when the two were linked.
    pub email: Option<String>,
    /// When they were linked.
    pub created_ms: i64,
    /// When the person last signed in so.
    pub used_ms: i64,
    /// When the person took it off.
    pub removed_ms: Option<i64>,
}

/// Whom the provider means, also where that was removed.
pub async fn by_subject(db: &Db, issuer: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(BY_SUBJECT)
        .bind(issuer)
        .bind(subject)
        .fetch_optional(pool)
        .await)?)
}

/// Whether the person is, or was, somebody to this provider.
pub async fn has_one(db: &Db, issuer: &str, person: &str) -> Result<bool, StoreError> {
    let found: i64 =
        on_db!(db, pool => sqlx::query_scalar(HAS_ONE).bind(issuer).bind(person).fetch_one(pool).await)?;
    Ok(found > 0)
}

/// Those of a person that stand, the oldest first; there is one a provider.
pub async fn of_person(db: &Db, person: &str) -> Result<Vec<Identity>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(LIST).bind(person).fetch_all(pool).await)?)
}

/// Notes that it was used; false if it is not there, another's, or removed.
pub async fn note_use(
    tx: &mut Tx,
    issuer: &str,
    subject: &str,
    person: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let used = on_tx!(tx, conn => sqlx::query(USE)
        .bind(now_ms)
        .bind(issuer)
        .bind(subject)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(used == 1)
}

/// Links a person; false, and nothing changes, if the person or the subject is linked there, or was.
pub async fn insert(tx: &mut Tx, new: &Identity) -> Result<bool, StoreError> {
    let inserted = on_tx!(tx, conn => sqlx::query(INSERT)
        .bind(&new.id)
        .bind(&new.person)
        .bind(&new.issuer)
        .bind(&new.subject)
        .bind(&new.email)
        .bind(new.created_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(inserted == 1)
}

/// Forgets what a person removed there, so that the person can link another.
pub async fn forget_removed(tx: &mut Tx, issuer: &str, person: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(FORGET_REMOVED).bind(issuer).bind(person).execute(conn).await.map(drop))?;
    Ok(())
}

/// Removes one of a person; false if the person has it not.
pub async fn remove(tx: &mut Tx, id: &str, person: &str, now_ms: i64) -> Result<bool, StoreError> {
    let removed = on_tx!(tx, conn => sqlx::query(REMOVE)
        .bind(now_ms)
        .bind(id)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(removed == 1)
}

/// Forgets those of a person that stand, and not that the person removed any; how many. What the provider says may bring one back.
pub async fn forget_of_person(tx: &mut Tx, person: &str) -> Result<u64, StoreError> {
    let forgotten = on_tx!(tx, conn => sqlx::query(FORGET_OF_PERSON)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(forgotten)
}

/// Forgets all of a person who was removed.
pub async fn delete_of_person(tx: &mut Tx, person: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(DELETE_OF_PERSON).bind(person).execute(conn).await.map(drop))?;
    Ok(())
}
