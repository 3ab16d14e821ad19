//! What is shown of an entry whose payload is erased: nothing that was in it.

use crate::store::db::{Tx, on_tx, to_db};
use crate::store::error::StoreError;
use crate::store::sql::texts;

texts! {
    /// Only where the entry is the one that describes the work today: its last amendment, or its registration.
    ERASE_WORK = "UPDATE catalog_works SET title = NULL, title_lang = NULL, reading = NULL, updated_idx = $1 WHERE work = $2 \
        AND $3 = COALESCE((SELECT MAX(idx) FROM catalog_history WHERE subject = $2 AND type = 'work.amended'), registered_idx)";
    ERASE_ORG = "UPDATE catalog_orgs SET name = NULL, updated_idx = $1 WHERE org = $2";
    ERASE_MODEL = "UPDATE catalog_models SET name = NULL, updated_idx = $1 WHERE model = $2";
}

/// Takes away the titles that the entry `described` gave to the work `id`, where no later one gave it others.
pub async fn erase_work(tx: &mut Tx, id: &str, described: u64, index: u64) -> Result<(), StoreError> {
    let (described, index) = (to_db(described)?, to_db(index)?);
    let erased = on_tx!(tx, conn => sqlx::query(ERASE_WORK)
        .bind(index)
        .bind(id)
        .bind(described)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    if erased > 0 {
        super::put_titles(tx, id, &[]).await?;
    }
    Ok(())
}

/// Takes away the name of the organization `id`.
pub async fn erase_org(tx: &mut Tx, id: &str, index: u64) -> Result<(), StoreError> {
    erase(tx, ERASE_ORG, id, index).await
}

/// Takes away the name of the model `id`.
pub async fn erase_model(tx: &mut Tx, id: &str, index: u64) -> Result<(), StoreError> {
    erase(tx, ERASE_MODEL, id, index).await
}

async fn erase(tx: &mut Tx, text: &'static str, id: &str, index: u64) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(text).bind(index).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}
