//! Organizations: registering and verifying them, and what one is itself.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::etag::Etag;
use super::extract::{AtLeast, Submitted, ValidPath, ValidQuery};
use super::failure::{Place, Places, refused};
use super::gate::{Access, Caller, Roles, Scope};
use super::page::{Limit, Page, read_cursor};
use super::people::PersonBody;
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::{Note, Title};
use crate::domain::act::Role;
use crate::domain::ids::OrgId;
use crate::domain::key::Sha256;
use crate::registry::authority::{PersonRole, Registrar, State as OrgState, Verified};
use crate::registry::organizations::{self, NewOrganization, StateChange};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const REGISTER: Access = Access::Role(Roles::REGISTRAR, Scope::Register);
    const READ: Access = Access::Any(Scope::Read);
    vec![
        Route::get("/v1/me", "getMe", Access::Own, me),
        Route::get("/v1/organizations", "listOrganizations", READ, list),
        Route::post("/v1/organizations", "registerOrganization", REGISTER, register),
        Route::get("/v1/organizations/{organization}", "getOrganization", READ, one),
        Route::post("/v1/organizations/{organization}/reinstate", "reinstateOrganization", REGISTER, reinstate),
        Route::post("/v1/organizations/{organization}/suspend", "suspendOrganization", REGISTER, suspend),
        Route::post("/v1/organizations/{organization}/verify", "verifyOrganization", REGISTER, verify),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct OrganizationBody {
    #[validate(nested)]
    name: Title,
    #[validate(length(min = 1, max = 4))]
    roles: Vec<Role>,
    #[validate(nested)]
    #[serde(default, deserialize_with = "super::wire::given")]
    person: Option<PersonBody>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct StateBody {
    /// Why, in words.
    #[validate(nested)]
    note: Note,
    /// The digest of what the registrar saw.
    #[serde(default, deserialize_with = "super::wire::given")]
    evidence: Option<Sha256>,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    state: Option<StateWord>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    Registered,
    Verified,
    Suspended,
}

impl From<StateWord> for OrgState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Registered => Self::Registered,
            StateWord::Verified => Self::Verified,
            StateWord::Suspended => Self::Suspended,
        }
    }
}

/// `GET /v1/me`.
async fn me(State(app): State<App>, caller: Caller) -> Result<Reply, Problem> {
    Reply::ok(&organizations::own(app.registry(), caller.actor()).await?)
}

/// `POST /v1/organizations`.
async fn register(
    State(app): State<App>,
    by: Registrar,
    body: Submitted<OrganizationBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    let person = body.person.map(|person| person.into_new(PersonRole::Admin));
    let new = NewOrganization { name: body.name.into_string(), roles: body.roles, person };
    let (submitted, key) = organizations::register(app.registry(), &by, &new, once).await?;
    Reply::recorded_with_key(&submitted, key.as_ref())
}

/// `GET /v1/organizations/{organization}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    ValidPath(org): ValidPath<OrgId>,
    _at_least: AtLeast,
) -> Result<Reply, Problem> {
    let view = organizations::one(app.registry(), &by, org).await?;
    Ok(Reply::ok(&view)?.etag(&Etag::of_entry(view.entry)))
}

/// `GET /v1/organizations`.
async fn list(
    State(app): State<App>,
    by: Verified,
    _at_least: AtLeast,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let of = format!("listOrganizations:{:?}", asked.state);
    let after: Option<String> = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let (state, rows) = (asked.state.map(OrgState::from), u32::from(asked.limit.get()) + 1);
    let found = organizations::list(app.registry(), &by, state, after.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, &of, |last| last.organization.clone())?)
}

const PLACES: Places = &[("/org", Place::Path)];

async fn change(
    app: &App,
    by: &Registrar,
    org: OrgId,
    change: StateChange,
    body: Submitted<StateBody>,
) -> Result<Reply, Problem> {
    let (once, StateBody { note, evidence }) = body.into_parts();
    let note = Some(note.into_string());
    let done = organizations::change_state(app.registry(), by, org, change, note, evidence, once).await;
    Reply::recorded(&done.map_err(refused(PLACES))?)
}

/// `POST /v1/organizations/{organization}/verify`.
async fn verify(
    State(app): State<App>,
    by: Registrar,
    ValidPath(org): ValidPath<OrgId>,
    body: Submitted<StateBody>,
) -> Result<Reply, Problem> {
    change(&app, &by, org, StateChange::Verify, body).await
}

/// `POST /v1/organizations/{organization}/suspend`.
async fn suspend(
    State(app): State<App>,
    by: Registrar,
    ValidPath(org): ValidPath<OrgId>,
    body: Submitted<StateBody>,
) -> Result<Reply, Problem> {
    change(&app, &by, org, StateChange::Suspend, body).await
}

/// `POST /v1/organizations/{organization}/reinstate`.
async fn reinstate(
    State(app): State<App>,
    by: Registrar,
    ValidPath(org): ValidPath<OrgId>,
    body: Submitted<StateBody>,
) -> Result<Reply, Problem> {
    change(&app, &by, org, StateChange::Reinstate, body).await
}
