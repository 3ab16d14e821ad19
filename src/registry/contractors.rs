//! Contractors: organizations that ask for a developer, whose pipelines they run.
//!
//! The developer names them, and either side ends it, at once and on every node. It opens nothing: the question is the
//! developer's, and so is the answer, as the developer would be told it; the check journal says who asked for whom. An
//! organization that asks must be a verified developer itself.

use serde::Serialize;

use super::accounts::{before, detached};
use super::answer::{keep, moment};
use super::authority::{Actor, Developer, Proof, Roles, State};
use super::failure::Failure;
use super::lasting::refuse_token;
use super::node::Registry;
use super::sequencer::{Once, Submitted};
use crate::domain::ids::{ContractorId, OrgId};
use crate::store::contractors::{self as table, Contractor};
use crate::store::{StoreError, idempotency};

/// The most contractors that a developer has at a time.
pub const MAX_LIVE: usize = 100;

/// A contractor as both sides see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContractorView {
    /// Its id.
    pub contractor: String,
    /// For whom it asks.
    pub developer: String,
    /// Who asks.
    pub organization: String,
    /// Since when.
    pub created: String,
    /// From when on it may no more, if that was said.
    pub until: Option<String>,
    /// When one of the two ended it.
    pub ended: Option<String>,
}

impl From<&Contractor> for ContractorView {
    fn from(row: &Contractor) -> Self {
        Self {
            contractor: row.id.clone(),
            developer: row.developer.clone(),
            organization: row.organization.clone(),
            created: moment(row.created_ms),
            until: row.expires_ms.map(moment),
            ended: row.ended_ms.map(moment),
        }
    }
}

/// Lets `organization` ask for the caller from now on, until `until_ms` or until one of the two ends it.
///
/// # Errors
/// [`Failure::Forbidden`] for somebody who is no admin, and for the token of a program; a fault for an organization that is no other verified developer, and for
/// an end that is over; [`Failure::Conflict`] where it may ask already, or [`MAX_LIVE`] others may.
pub async fn name(
    registry: &Registry,
    by: &Developer,
    organization: OrgId,
    until_ms: Option<i64>,
    once: Once,
) -> Result<Submitted, Failure> {
    let (developer, now_ms) = (by.actor().org(), registry.clock().now_ms());
    refuse_others(by.actor())?;
    refuse_token(by.actor(), "names no contractors")?;
    let found = registry.read(|now| State::of(now, organization)).await?;
    let can = found.is_some_and(|(state, roles)| state == State::Verified && roles.meets(Roles::DEVELOPERS))
        && organization != developer;
    if !can {
        let detail = format!("`{organization}` is not another verified AI developer");
        return Err(Failure::fault("/organization", "not_found", detail));
    }
    if until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
        return Err(Failure::fault("/until", "invalid_value", "the end must be ahead"));
    }
    let row = Contractor {
        id: ContractorId::new(registry.clock().new_uuid()).to_string(),
        developer: developer.to_string(),
        organization: organization.to_string(),
        created_ms: now_ms,
        expires_ms: until_ms,
        ended_ms: None,
    };
    let body = keep(Some(format!("/v1/contractors/{}", row.id)), None, &ContractorView::from(&row));
    let answer = once.answered(201, body, now_ms);
    let db = registry.db().clone();
    let submitted = detached(async move {
        let mut tx = db.begin().await?;
        if let Some(before) = before(&mut tx, developer, &once, now_ms).await? {
            return Ok(before);
        }
        let live = table::live(&mut tx, &row.developer, now_ms).await?;
        if live.contains(&row.organization) {
            return Err(StoreError::Limit(format!("`{}` may ask for you already", row.organization)));
        }
        if live.len() >= MAX_LIVE {
            return Err(StoreError::Limit(format!(
                "a developer has at most {MAX_LIVE} contractors at a time"
            )));
        }
        table::insert(&mut tx, &row).await?;
        idempotency::insert(&mut tx, &row.developer, &once.key, &answer).await?;
        tx.commit().await?;
        Ok(Ok(Submitted { recorded: None, status: answer.status, body: answer.response }))
    });
    Ok(submitted.await??)
}

/// Ends it, as either side. What has ended stays as it is.
///
/// # Errors
/// [`Failure::NotFound`] for a third party; [`Failure::Forbidden`] for somebody who is no admin.
pub async fn end(registry: &Registry, by: &Developer, id: ContractorId) -> Result<ContractorView, Failure> {
    let (id, now_ms, org) = (id.to_string(), registry.clock().now_ms(), by.actor().org().to_string());
    let row = table::find(registry.db(), &id).await?.ok_or(Failure::NotFound)?;
    if row.developer != org && row.organization != org {
        return Err(Failure::NotFound);
    }
    refuse_others(by.actor())?;
    let (db, ended) = (registry.db().clone(), id.clone());
    detached(async move {
        let mut tx = db.begin().await?;
        table::end(&mut tx, &ended, now_ms).await?;
        tx.commit().await
    })
    .await?;
    let row = table::find(registry.db(), &id).await?.ok_or(Failure::NotFound)?;
    Ok(ContractorView::from(&row))
}

/// Those of which the caller's organization is one side, by id, ended ones too.
pub async fn list(
    registry: &Registry,
    by: &Developer,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<ContractorView>, Failure> {
    let rows = table::list(registry.db(), &by.actor().org().to_string(), after, limit).await?;
    Ok(rows.iter().map(ContractorView::from).collect())
}

fn refuse_others(actor: &Actor) -> Result<(), Failure> {
    if actor.is_admin() {
        return Ok(());
    }
    Err(Failure::Forbidden("only an admin of your organization may do this".to_owned()))
}
