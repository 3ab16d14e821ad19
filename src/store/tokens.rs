//! What ends access tokens before their time, and what may be shown once.

use super::db::{Tx, on_tx};
use super::error::StoreError;
use super::sql::texts;

texts! {
    REVOKE = "INSERT INTO revoked_tokens (jti, expires_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    USE_ONCE = "INSERT INTO used_assertions (digest, expires_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    PURGE_REVOKED = "DELETE FROM revoked_tokens WHERE expires_ms <= $1";
    PURGE_USED = "DELETE FROM used_assertions WHERE expires_ms <= $1";
}

/// Revokes the token `jti`, which is good until `expires_ms`. Again, it changes nothing.
pub async fn revoke(tx: &mut Tx, jti: &str, expires_ms: i64) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(REVOKE).bind(jti).bind(expires_ms).execute(conn).await.map(drop))?;
    Ok(())
}

/// Whether nobody has shown this before; from now on somebody has, until `expires_ms`.
pub async fn use_once(tx: &mut Tx, digest: &[u8; 32], expires_ms: i64) -> Result<bool, StoreError> {
    let used = on_tx!(tx, conn => sqlx::query(USE_ONCE)
        .bind(digest.as_slice())
        .bind(expires_ms)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(used == 1)
}

/// Deletes what is over since `before_ms`; how many.
pub async fn purge(tx: &mut Tx, before_ms: i64) -> Result<u64, StoreError> {
    on_tx!(tx, conn => {
        let revoked = sqlx::query(PURGE_REVOKED).bind(before_ms).execute(&mut *conn).await?.rows_affected();
        let used = sqlx::query(PURGE_USED).bind(before_ms).execute(&mut *conn).await?.rows_affected();
        Ok(revoked + used)
    })
}
