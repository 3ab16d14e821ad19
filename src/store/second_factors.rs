//! Second factors: the sealed secrets of people's devices, and codes for a day without them.

use super::db::{Db, Tx, on_db, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    FIND = "SELECT secret, confirmed_ms FROM second_factors WHERE person = $1";
    HAS_ONE = "SELECT count(*) FROM second_factors WHERE person = $1 AND confirmed_ms IS NOT NULL";
    PUT = "INSERT INTO second_factors (person, secret, created_ms, last_step) VALUES ($1, $2, $3, 0) \
        ON CONFLICT (person) DO UPDATE SET secret = excluded.secret, created_ms = excluded.created_ms, last_step = 0 \
        WHERE second_factors.confirmed_ms IS NULL";
    CONFIRM = "UPDATE second_factors SET confirmed_ms = $1, last_step = $2 \
        WHERE person = $3 AND secret = $4 AND confirmed_ms IS NULL";
    SPEND_STEP = "UPDATE second_factors SET last_step = $1 \
        WHERE person = $2 AND last_step < $1 AND confirmed_ms IS NOT NULL";
    DELETE = "DELETE FROM second_factors WHERE person = $1";
    INSERT_CODE = "INSERT INTO recovery_codes (person, code_hash) VALUES ($1, $2)";
    SPEND_CODE = "UPDATE recovery_codes SET spent_ms = $1 WHERE person = $2 AND code_hash = $3 AND spent_ms IS NULL";
    DELETE_CODES = "DELETE FROM recovery_codes WHERE person = $1";
}

/// A second factor.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SecondFactor {
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// When the person showed that the device has it; until then it is none.
    pub confirmed_ms: Option<i64>,
}

/// The second factor of a person, confirmed or not.
pub async fn of_person(db: &Db, person: &str) -> Result<Option<SecondFactor>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(FIND).bind(person).fetch_optional(pool).await)?)
}

/// Whether the person has a confirmed one. Whoever confirms one holds the login, so it stays so for who holds that too.
pub async fn has_one(tx: &mut Tx, person: &str) -> Result<bool, StoreError> {
    let found: i64 = on_tx!(tx, conn => sqlx::query_scalar(HAS_ONE).bind(person).fetch_one(conn).await)?;
    Ok(found > 0)
}

/// Puts a secret that is to be confirmed; false, and nothing changes, if there is a confirmed one.
pub async fn put(tx: &mut Tx, person: &str, secret: &[u8], now_ms: i64) -> Result<bool, StoreError> {
    let put = on_tx!(tx, conn => sqlx::query(PUT)
        .bind(person)
        .bind(secret)
        .bind(now_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(put == 1)
}

/// Confirms this secret with the code of a step, and sets the codes for a day without the device; false, and nothing changes,
/// if it is not the one that waits.
pub async fn confirm(
    tx: &mut Tx,
    person: &str,
    secret: &[u8],
    step: i64,
    code_hashes: &[[u8; 32]],
    now_ms: i64,
) -> Result<bool, StoreError> {
    on_tx!(tx, conn => {
        let confirmed = sqlx::query(CONFIRM)
            .bind(now_ms)
            .bind(step)
            .bind(person)
            .bind(secret)
            .execute(&mut *conn)
            .await?;
        if confirmed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(DELETE_CODES).bind(person).execute(&mut *conn).await?;
        for hash in code_hashes {
            sqlx::query(INSERT_CODE).bind(person).bind(hash.as_slice()).execute(&mut *conn).await?;
        }
        Ok(true)
    })
}

/// Spends the code of a step; false if that or a later one was spent.
pub async fn spend_step(tx: &mut Tx, person: &str, step: i64) -> Result<bool, StoreError> {
    let spent = on_tx!(tx, conn => sqlx::query(SPEND_STEP)
        .bind(step)
        .bind(person)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(spent == 1)
}

/// Spends a code for a day without the device; false if it is unknown or spent.
pub async fn spend_code(
    tx: &mut Tx,
    person: &str,
    code_hash: &[u8; 32],
    now_ms: i64,
) -> Result<bool, StoreError> {
    let spent = on_tx!(tx, conn => sqlx::query(SPEND_CODE)
        .bind(now_ms)
        .bind(person)
        .bind(code_hash.as_slice())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(spent == 1)
}

/// Takes the second factor of a person off.
pub async fn delete(tx: &mut Tx, person: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => {
        sqlx::query(DELETE_CODES).bind(person).execute(&mut *conn).await?;
        sqlx::query(DELETE).bind(person).execute(&mut *conn).await?;
    });
    Ok(())
}
