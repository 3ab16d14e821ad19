//! Organizations that enter themselves, until the address that they gave is known to be theirs.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::logins::email_key;
use super::sql::texts;

texts! {
    COUNT = "SELECT count(*) FROM registrations WHERE expires_ms > $1";
    PURGE_OF = "DELETE FROM registrations WHERE email_key = $1 AND expires_ms <= $2";
    SLOTS_OF = "SELECT slot FROM registrations WHERE email_key = $1";
    INSERT = "INSERT INTO registrations (token_hash, email, email_key, slot, name, roles, created_ms, expires_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (email_key, slot) DO NOTHING";
    FIND = "SELECT email, name, roles FROM registrations WHERE token_hash = $1 AND expires_ms > $2";
    TAKE = "DELETE FROM registrations WHERE token_hash = $1 AND expires_ms > $2";
    /// Whether something waits for the token, and nobody signs in with the address.
    CAN_BE_TAKEN = "SELECT (SELECT count(*) FROM registrations WHERE token_hash = $1 AND expires_ms > $2) \
        - (SELECT count(*) FROM logins WHERE email_key = $3)";
    DELETE_OF = "DELETE FROM registrations WHERE email_key = $1";
    PURGE = "DELETE FROM registrations WHERE expires_ms <= $1";
}

/// An organization that wants to enter.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Registration {
    /// The address of its first person.
    pub email: String,
    /// Its name.
    pub name: String,
    /// Its roles, with a blank between the words.
    pub roles: String,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// Keeps it until `expires_ms`; false, and nothing is kept, where `most_of_one` wait for the same address, or `most` in all.
pub async fn insert(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    row: &Registration,
    (now_ms, expires_ms): (i64, i64),
    (most_of_one, most): (i64, i64),
) -> Result<bool, StoreError> {
    let key = email_key(&row.email);
    on_tx!(tx, conn => {
        let all: i64 = sqlx::query_scalar(COUNT).bind(now_ms).fetch_one(&mut *conn).await?;
        sqlx::query(PURGE_OF).bind(&key).bind(now_ms).execute(&mut *conn).await?;
        let taken: Vec<i64> = sqlx::query_scalar(SLOTS_OF).bind(&key).fetch_all(&mut *conn).await?;
        let free = (0..most_of_one).find(|slot| !taken.contains(slot));
        let Some(slot) = free.filter(|_| all < most) else { return Ok(false) };
        // Another request may have taken the slot at the same moment.
        let inserted = sqlx::query(INSERT)
            .bind(token_hash.as_slice())
            .bind(&row.email)
            .bind(key)
            .bind(slot)
            .bind(&row.name)
            .bind(&row.roles)
            .bind(now_ms)
            .bind(expires_ms)
            .execute(&mut *conn)
            .await?;
        Ok(inserted.rows_affected() == 1)
    })
}

/// The one that waits for this token.
pub async fn find(db: &Db, token_hash: &[u8; 32], now_ms: i64) -> Result<Option<Registration>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(FIND)
        .bind(token_hash.as_slice())
        .bind(now_ms)
        .fetch_optional(pool)
        .await)?)
}

/// Whether it can be taken: it waits, and nobody signs in with its address.
pub async fn can_be_taken(
    tx: &mut Tx,
    token_hash: &[u8; 32],
    email: &str,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let found: i64 = on_tx!(tx, conn => sqlx::query_scalar(CAN_BE_TAKEN)
        .bind(token_hash.as_slice())
        .bind(now_ms)
        .bind(email_key(email))
        .fetch_one(conn)
        .await)?;
    Ok(found > 0)
}

/// Takes it away, with all others of its address; false if nothing waits for this token.
pub async fn take(tx: &mut Tx, token_hash: &[u8; 32], email: &str, now_ms: i64) -> Result<bool, StoreError> {
    on_tx!(tx, conn => {
        let taken = sqlx::query(TAKE).bind(token_hash.as_slice()).bind(now_ms).execute(&mut *conn).await?;
        if taken.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(DELETE_OF).bind(email_key(email)).execute(&mut *conn).await?;
        Ok(true)
    })
}

/// Deletes what is over since `before_ms`; how many.
pub async fn purge(tx: &mut Tx, before_ms: i64) -> Result<u64, StoreError> {
    Ok(
        on_tx!(tx, conn => sqlx::query(PURGE).bind(before_ms).execute(conn).await.map(|done| done.rows_affected()))?,
    )
}
