//! Organizations and their models, as lists show them.

use crate::store::db::{Db, Tx, on_db, on_tx, to_db};
use crate::store::error::StoreError;
use crate::store::sql::texts;

texts! {
    PUT_ORG = "INSERT INTO catalog_orgs (org, name, roles, state, registered_idx, registered_ms, updated_idx) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (org) DO UPDATE SET name = excluded.name, \
        roles = excluded.roles, state = excluded.state, updated_idx = excluded.updated_idx";
    ORG = "SELECT org, name, roles, state, registered_idx, registered_ms, updated_idx FROM catalog_orgs \
        WHERE org = $1";
    ORGS = "SELECT org, name, roles, state, registered_idx, registered_ms, updated_idx FROM catalog_orgs \
        WHERE org > $1 ORDER BY org LIMIT $2";
    ORGS_IN_STATE = "SELECT org, name, roles, state, registered_idx, registered_ms, updated_idx FROM catalog_orgs \
        WHERE state = $1 AND org > $2 ORDER BY org LIMIT $3";
    SET_ORG_STATE = "UPDATE catalog_orgs SET state = $1, updated_idx = $2 WHERE org = $3";
    SET_MODEL_STATE = "UPDATE catalog_models SET state = $1, updated_idx = $2 WHERE model = $3";
    PUT_MODEL = "INSERT INTO catalog_models (model, developer, name, state, registered_idx, registered_ms, \
        updated_idx) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (model) DO UPDATE SET name = excluded.name, \
        state = excluded.state, updated_idx = excluded.updated_idx";
    MODEL = "SELECT model, developer, name, state, registered_idx, registered_ms, updated_idx FROM catalog_models \
        WHERE model = $1";
    MODELS = "SELECT model, developer, name, state, registered_idx, registered_ms, updated_idx FROM catalog_models \
        WHERE developer = $1 AND model > $2 ORDER BY model LIMIT $3";
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Org {
    /// Its id.
    pub org: String,
    /// Its name; none after an erasure.
    pub name: Option<String>,
    /// Its roles, with a blank between them.
    pub roles: String,
    /// A word for its state.
    pub state: String,
    /// The entry that registered it.
    #[sqlx(try_from = "i64")]
    pub registered_idx: u64,
    /// When that was.
    pub registered_ms: i64,
    /// The last entry that changed what stands here.
    #[sqlx(try_from = "i64")]
    pub updated_idx: u64,
}

/// A model of a developer.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Model {
    /// Its id.
    pub model: String,
    /// The organization whose model it is.
    pub developer: String,
    /// Its name; none after an erasure.
    pub name: Option<String>,
    /// A word for its state.
    pub state: String,
    /// The entry that registered it.
    #[sqlx(try_from = "i64")]
    pub registered_idx: u64,
    /// When that was.
    pub registered_ms: i64,
    /// The last entry that changed what stands here.
    #[sqlx(try_from = "i64")]
    pub updated_idx: u64,
}

/// Writes an organization over what stood there; the entry that registered it stays the first one.
pub async fn put_org(tx: &mut Tx, org: &Org) -> Result<(), StoreError> {
    let (registered, updated) = (to_db(org.registered_idx)?, to_db(org.updated_idx)?);
    on_tx!(tx, conn => sqlx::query(PUT_ORG)
        .bind(&org.org)
        .bind(org.name.as_deref())
        .bind(&org.roles)
        .bind(&org.state)
        .bind(registered)
        .bind(org.registered_ms)
        .bind(updated)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Sets the word for the state of the organization `id`.
pub async fn set_org_state(tx: &mut Tx, id: &str, state: &str, index: u64) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(SET_ORG_STATE).bind(state).bind(index).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Sets the word for the state of the model `id`.
pub async fn set_model_state(tx: &mut Tx, id: &str, state: &str, index: u64) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(SET_MODEL_STATE).bind(state).bind(index).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// The organization `id`.
pub async fn org(db: &Db, id: &str) -> Result<Option<Org>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(ORG).bind(id).fetch_optional(pool).await)?)
}

/// Organizations, all or those in one state, by id.
pub async fn orgs(
    db: &Db,
    state: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Org>, StoreError> {
    let (after, limit) = (after.unwrap_or_default(), i64::from(limit));
    Ok(on_db!(db, pool => match state {
        None => sqlx::query_as(ORGS).bind(after).bind(limit).fetch_all(pool).await,
        Some(state) => sqlx::query_as(ORGS_IN_STATE).bind(state).bind(after).bind(limit).fetch_all(pool).await,
    })?)
}

/// Writes a model over what stood there; its developer and the entry that registered it stay the first ones.
pub async fn put_model(tx: &mut Tx, model: &Model) -> Result<(), StoreError> {
    let (registered, updated) = (to_db(model.registered_idx)?, to_db(model.updated_idx)?);
    on_tx!(tx, conn => sqlx::query(PUT_MODEL)
        .bind(&model.model)
        .bind(&model.developer)
        .bind(model.name.as_deref())
        .bind(&model.state)
        .bind(registered)
        .bind(model.registered_ms)
        .bind(updated)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// The model `id`.
pub async fn model(db: &Db, id: &str) -> Result<Option<Model>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(MODEL).bind(id).fetch_optional(pool).await)?)
}

/// The models of a developer, by id.
pub async fn models(
    db: &Db,
    developer: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Model>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(MODELS)
        .bind(developer)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}
