//! What waits for a second person, and the settings that say where it must.

use axum::extract::State;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::{Bare, Submitted, ValidJson, ValidPath, ValidQuery};
use super::gate::{Access, Roles, Scope};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use crate::domain::ids::ProposalId;
use crate::registry::authority::{Registrar, Verified};
use crate::registry::{four_eyes, proposals, settings};
use crate::store::proposals::ProposalState;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    const REGISTER: Access = Access::Role(Roles::REGISTRAR, Scope::Register);
    const READ: Access = Access::Any(Scope::Read);
    const APPROVE: Access = Access::Any(Scope::Approve);
    vec![
        Route::get("/v1/policy", "getPolicy", READ, policy),
        Route::put("/v1/policy", "changePolicy", Access::Any(Scope::Organization), change_policy).trailed(),
        Route::get("/v1/proposals", "listProposals", READ, list),
        Route::get("/v1/proposals/{proposal}", "getProposal", READ, one),
        Route::post("/v1/proposals/{proposal}/approve", "approveProposal", APPROVE, approve).trailed(),
        Route::post("/v1/proposals/{proposal}/reject", "rejectProposal", APPROVE, reject).trailed(),
        Route::get("/v1/settings", "getSettings", Access::Any(Scope::Read), current),
        Route::post("/v1/settings", "changeSettings", REGISTER, change).trailed(),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    #[serde(default)]
    state: StateWord,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    #[default]
    Waiting,
    Approved,
    Rejected,
    Withdrawn,
}

impl From<StateWord> for ProposalState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Waiting => Self::Waiting,
            StateWord::Approved => Self::Approved,
            StateWord::Rejected => Self::Rejected,
            StateWord::Withdrawn => Self::Withdrawn,
        }
    }
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct SettingsBody {
    second_person: bool,
}

/// `GET /v1/proposals`.
async fn list(
    State(app): State<App>,
    by: Verified,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    let of = format!("listProposals:{:?}", asked.state);
    let after: Option<String> = asked.cursor.map(|cursor| read_cursor(&of, &cursor)).transpose()?;
    let (state, rows) = (asked.state.into(), u32::from(asked.limit.get()) + 1);
    let found = proposals::list(app.registry(), &by, state, after.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, &of, |last| last.proposal.clone())?)
}

/// `GET /v1/proposals/{proposal}`.
async fn one(
    State(app): State<App>,
    by: Verified,
    ValidPath(id): ValidPath<ProposalId>,
) -> Result<Reply, Problem> {
    Reply::ok(&proposals::one(app.registry(), &by, id).await?)
}

/// `POST /v1/proposals/{proposal}/approve`.
async fn approve(
    State(app): State<App>,
    by: Verified,
    ValidPath(id): ValidPath<ProposalId>,
    // A proposal is approved once, whatever key the approval bears.
    Bare(_): Bare,
) -> Result<Reply, Problem> {
    Reply::recorded(&proposals::approve(app.registry(), &by, id).await?)
}

/// `POST /v1/proposals/{proposal}/reject`.
async fn reject(
    State(app): State<App>,
    by: Verified,
    ValidPath(id): ValidPath<ProposalId>,
    Bare(_): Bare,
) -> Result<Reply, Problem> {
    Reply::ok(&proposals::reject(app.registry(), &by, id).await?)
}

/// `GET /v1/settings`.
async fn current(State(app): State<App>, by: Verified) -> Result<Reply, Problem> {
    Reply::ok(&settings::current(app.registry(), &by).await?)
}

/// `POST /v1/settings`.
async fn change(
    State(app): State<App>,
    by: Registrar,
    body: Submitted<SettingsBody>,
) -> Result<Reply, Problem> {
    let (once, body) = body.into_parts();
    Reply::recorded(&settings::change(app.registry(), &by, body.second_person, once).await?)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    second_person: bool,
}

/// `GET /v1/policy`.
async fn policy(State(app): State<App>, by: Verified) -> Result<Reply, Problem> {
    Reply::ok(&four_eyes::current(app.registry(), &by).await?)
}

/// `PUT /v1/policy`.
async fn change_policy(
    State(app): State<App>,
    by: Verified,
    ValidJson(body): ValidJson<PolicyBody>,
) -> Result<Reply, Problem> {
    Reply::ok(&four_eyes::change(app.registry(), &by, body.second_person).await?)
}
