//! Who may act for whom: memberships of associations, and mandates.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::{AtLeast, Bare, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places, refused};
use super::gate::{Access, Roles, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::wire::{Begin, End};
use crate::domain::act::Power;
use crate::domain::ids::{MandateId, MembershipId, OrgId, WorkId};
use crate::domain::scope::Scope as Only;
use crate::registry::authority::Holder;
use crate::registry::powers::{self, NewMandate};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const READ: Access = Access::Role(Roles::HOLDERS, Scope::Read);
    const WRITE: Access = Access::Role(Roles::HOLDERS, Scope::PermissionsWrite);
    vec![
        Route::get("/v1/mandates", "listMandates", READ, list_mandates),
        Route::post("/v1/mandates", "giveMandate", WRITE, give),
        Route::get("/v1/mandates/{mandate}", "getMandate", READ, one_mandate),
        Route::post("/v1/mandates/{mandate}/end", "endMandate", WRITE, end_mandate),
        Route::get("/v1/memberships", "listMemberships", READ, list_memberships),
        Route::post("/v1/memberships", "offerMembership", WRITE, offer),
        Route::get("/v1/memberships/{membership}", "getMembership", READ, one_membership),
        Route::post("/v1/memberships/{membership}/accept", "acceptMembership", WRITE, accept),
        Route::post("/v1/memberships/{membership}/end", "endMembership", WRITE, end_membership),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct MembershipBody {
    member: OrgId,
    association: OrgId,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct MandateBody {
    agent: OrgId,
    works: Only<WorkId>,
    #[validate(length(min = 1, max = 7))]
    powers: Vec<Power>,
    from: Begin,
    until: End,
    grants_survive: bool,
}

/// `GET /v1/memberships`.
async fn list_memberships(
    State(app): State<App>,
    by: Holder,
    _at_least: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let after = asked.cursor.map(|cursor| read_cursor("listMemberships", &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = powers::memberships(app.registry(), &by, after, rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, "listMemberships", |last| last.place)?)
}

/// `POST /v1/memberships`.
async fn offer(
    State(app): State<App>,
    by: Holder,
    body: Submitted<MembershipBody>,
) -> Result<Reply, Problem> {
    let (once, MembershipBody { member, association }) = body.into_parts();
    Reply::recorded(&powers::offer_membership(app.registry(), &by, member, association, once).await?)
}

/// `GET /v1/memberships/{membership}`.
async fn one_membership(
    State(app): State<App>,
    by: Holder,
    ValidPath(id): ValidPath<MembershipId>,
    _at_least: AtLeast,
) -> Result<Reply, Problem> {
    Reply::ok(&powers::membership_of(app.registry(), &by, id).await?)
}

const PLACES: Places = &[("/membership", Place::Path), ("/mandate", Place::Path)];

/// `POST /v1/memberships/{membership}/accept`.
async fn accept(
    State(app): State<App>,
    by: Holder,
    ValidPath(id): ValidPath<MembershipId>,
    Bare(once): Bare,
) -> Result<Reply, Problem> {
    let accepted = powers::accept_membership(app.registry(), &by, id, once).await;
    Reply::recorded(&accepted.map_err(refused(PLACES))?)
}

/// `POST /v1/memberships/{membership}/end`.
async fn end_membership(
    State(app): State<App>,
    by: Holder,
    ValidPath(id): ValidPath<MembershipId>,
    Bare(once): Bare,
) -> Result<Reply, Problem> {
    let ended = powers::end_membership(app.registry(), &by, id, once).await;
    Reply::recorded(&ended.map_err(refused(PLACES))?)
}

/// `GET /v1/mandates`.
async fn list_mandates(
    State(app): State<App>,
    by: Holder,
    _at_least: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let after = asked.cursor.map(|cursor| read_cursor("listMandates", &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = powers::mandates(app.registry(), &by, after, rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, "listMandates", |last| last.place)?)
}

/// `POST /v1/mandates`.
async fn give(State(app): State<App>, by: Holder, body: Submitted<MandateBody>) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let MandateBody { agent, works, powers, from, until, grants_survive } = body;
    let new = NewMandate { agent, works, powers, from: from.0, until: until.0, grants_survive };
    // The body has the places of the act.
    Reply::recorded(&powers::give_mandate(app.registry(), &by, new, once).await?)
}

/// `GET /v1/mandates/{mandate}`.
async fn one_mandate(
    State(app): State<App>,
    by: Holder,
    ValidPath(id): ValidPath<MandateId>,
    _at_least: AtLeast,
) -> Result<Reply, Problem> {
    Reply::ok(&powers::mandate_of(app.registry(), &by, id).await?)
}

/// `POST /v1/mandates/{mandate}/end`.
async fn end_mandate(
    State(app): State<App>,
    by: Holder,
    ValidPath(id): ValidPath<MandateId>,
    Bare(once): Bare,
) -> Result<Reply, Problem> {
    let ended = powers::end_mandate(app.registry(), &by, id, once).await;
    Reply::recorded(&ended.map_err(refused(PLACES))?)
}
