//! What this program, run as a witness, cosigned of the logs of others.

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::error::StoreError;
use super::sql::texts;
use crate::log::merkle::{Hash, TreeHead};

texts! {
    READ = "SELECT size, root, note FROM witnessed WHERE origin = $1";
    ORIGINS = "SELECT origin FROM witnessed ORDER BY origin";
    COMPARE_AND_SWAP = "INSERT INTO witnessed (origin, size, root, note, at_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note, \
        at_ms = excluded.at_ms WHERE witnessed.size = $6 AND witnessed.root = $7";
}

/// The largest checkpoint of a log that was cosigned here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Its size and root.
    pub tree: TreeHead,
    /// The signed note with the cosignature.
    pub note: String,
}

/// The largest checkpoint of `origin` that was cosigned; none if none was.
pub async fn read(db: &Db, origin: &str) -> Result<Option<Witnessed>, StoreError> {
    let row: Option<(i64, Vec<u8>, String)> =
        on_db!(db, pool => sqlx::query_as(READ).bind(origin).fetch_optional(pool).await)?;
    row.map(|(size, root, note)| {
        let root = Hash::try_from(root.as_slice())
            .map_err(|_| StoreError::Corrupt(format!("the root witnessed of `{origin}` is not 32 bytes")))?;
        Ok(Witnessed { tree: TreeHead { size: from_db(size)?, root }, note })
    })
    .transpose()
}

/// Puts `next` in the place of `before`, or in that of nothing where none of `origin` was cosigned yet; `false`, and
/// nothing is changed, when something else is there by now.
pub async fn compare_and_swap(
    tx: &mut Tx,
    origin: &str,
    before: TreeHead,
    next: &Witnessed,
    at_ms: i64,
) -> Result<bool, StoreError> {
    let (size, size_before) = (to_db(next.tree.size)?, to_db(before.size)?);
    let changed = on_tx!(tx, conn => sqlx::query(COMPARE_AND_SWAP)
        .bind(origin)
        .bind(size)
        .bind(next.tree.root.as_ref())
        .bind(&next.note)
        .bind(at_ms)
        .bind(size_before)
        .bind(before.root.as_ref())
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// Every log of which a checkpoint was cosigned.
pub async fn origins(db: &Db) -> Result<Vec<String>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_scalar(ORIGINS).fetch_all(pool).await)?)
}
