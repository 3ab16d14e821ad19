//! Permission: grants, what they would open, and who may train.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::acts::{CONSENT, READ, record};
use super::app::App;
use super::etag::Etag;
use super::extract::{AtLeast, Submitted, ValidJson, ValidPath, ValidQuery};
use super::failure::{Place, Places};
use super::gate::{Access, Roles, Scope as KeyScope};
use super::page::{Limit, Page, cursor, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::wire::{Begin, End, Notice, stated};
use crate::domain::act::{Condition, Covers};
use crate::domain::ids::{GrantId, ModelId, OrgId, RequestId, WorkId};
use crate::domain::key::Sha256;
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::registry::authority::{Holder, Verified};
use crate::registry::orders::{self, GrantTerms};
use crate::registry::permissions::{self, Listed};
use crate::registry::record::OrgName;
use crate::registry::simulate;
use crate::registry::who::{WorkReach, who_may_train};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const HOLDERS_READ: Access = Access::Role(Roles::HOLDERS, KeyScope::Read);
    vec![
        Route::get("/v1/grants", "listGrants", READ, list),
        Route::post("/v1/grants", "recordGrant", CONSENT, grant),
        Route::get("/v1/grants/{grant}", "getGrant", READ, one),
        Route::post("/v1/grants/{grant}/revoke", "revokeGrant", CONSENT, revoke),
        Route::post("/v1/simulations/grant", "simulateGrant", HOLDERS_READ, simulate_grant),
        Route::get("/v1/who-may-train", "whoMayTrain", HOLDERS_READ, who),
    ]
}

/// A grant. Everything is stated; nothing has a default (R8).
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct GrantBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    work: WorkId,
    covers: Covers,
    as_layer_of: Scope<WorkId>,
    by_location: bool,
    uses: Scope<Use>,
    developers: Scope<OrgId>,
    models: Scope<ModelId>,
    territories: Scope<Territory>,
    from: Begin,
    until: End,
    revocable: Notice,
    #[validate(length(max = 10))]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "stated")]
    terms: Option<Sha256>,
    #[serde(default, deserialize_with = "super::wire::given")]
    request: Option<RequestId>,
}

impl GrantBody {
    fn into_terms(self) -> GrantTerms {
        GrantTerms {
            work: self.work,
            covers: self.covers,
            as_layer_of: self.as_layer_of,
            by_location: self.by_location,
            uses: self.uses,
            developers: self.developers,
            models: self.models,
            territories: self.territories,
            from: self.from.0,
            until: self.until.0,
            revocable: self.revocable.into(),
            conditions: self.conditions,
            terms: self.terms,
            request: self.request,
        }
    }
}

/// `POST /v1/grants`.
async fn grant(State(app): State<App>, by: Verified, body: Submitted<GrantBody>) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let principal = body.on_behalf_of;
    let order = orders::grant(app.clock(), body.into_terms()).on_behalf_of(principal);
    record(&app, &by, order, once, &[]).await
}

/// `GET /v1/grants/{grant}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidPath(grant): ValidPath<GrantId>,
) -> Result<Reply, Problem> {
    let view = permissions::grant(app.registry(), &by, grant).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.last_entry)))
}

/// A list of what concerns the caller, on one work or on all.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) limit: Limit,
    pub(super) cursor: Option<String>,
    pub(super) work: Option<WorkId>,
}

impl Asked {
    /// The name of the list, and the place before which its page begins.
    pub(super) fn place(&self, operation: &str) -> Result<(String, Option<u32>), Problem> {
        let of = format!("{operation}:{:?}", self.work);
        let before = self.cursor.as_ref().map(|cursor| read_cursor(&of, cursor)).transpose()?;
        Ok((of, before))
    }
}

/// A page as it is answered.
pub(super) fn paged<T: Serialize>(of: &str, listed: Listed<T>) -> Result<Reply, Problem> {
    let next = listed.next.map(|place| cursor(of, place)).transpose()?;
    Reply::ok(&Page { items: listed.items, next })
}

/// `GET /v1/grants`.
async fn list(
    State(app): State<App>,
    by: Verified,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let (of, before) = asked.place("listGrants")?;
    let limit = asked.limit.get();
    paged(&of, permissions::grants(app.registry(), &by, asked.work, before, limit).await?)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    #[serde(default, deserialize_with = "super::wire::given")]
    on_behalf_of: Option<OrgId>,
    from: Begin,
}

/// `POST /v1/grants/{grant}/revoke`.
async fn revoke(
    State(app): State<App>,
    by: Verified,
    ValidPath(grant): ValidPath<GrantId>,
    body: Submitted<RevokeBody>,
) -> Result<Reply, Problem> {
    const PLACES: Places = &[("/grant", Place::Path)];
    let (once, body) = body.into_parts();
    let order = orders::revoke(grant, body.from.0).on_behalf_of(body.on_behalf_of);
    record(&app, &by, order, once, PLACES).await
}

/// `POST /v1/simulations/grant`: nothing is recorded, so it needs no idempotency key.
async fn simulate_grant(
    State(app): State<App>,
    by: Holder,
    ValidJson(body): ValidJson<GrantBody>,
) -> Result<Reply, Problem> {
    let principal = body.on_behalf_of;
    Reply::ok(&simulate::simulate(app.registry(), &by, principal, body.into_terms()).await?)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct AskedWho {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct WhoPage {
    items: Vec<WorkReach>,
    developers: Vec<OrgName>,
    next: Option<String>,
}

/// `GET /v1/who-may-train`.
async fn who(
    State(app): State<App>,
    by: Holder,
    _: AtLeast,
    ValidQuery(asked): ValidQuery<AskedWho>,
) -> Result<Reply, Problem> {
    const OF: &str = "whoMayTrain";
    let from: Option<u32> = asked.cursor.map(|cursor| read_cursor(OF, &cursor)).transpose()?;
    let found = who_may_train(app.registry(), &by, from.unwrap_or(0), asked.limit.get()).await?;
    let next = found.next.map(|place| cursor(OF, place)).transpose()?;
    Reply::ok(&WhoPage { items: found.works, developers: found.names, next })
}
