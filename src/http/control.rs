//! Proofs of control of a host.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use validator::Validate;

use super::acts::WORKS;
use super::app::App;
use super::extract::{ValidJson, ValidPath, ValidQuery};
use super::page::{Limit, Page, read_cursor};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use crate::domain::act::ControlMethod;
use crate::domain::ids::ChallengeId;
use crate::registry::authority::Holder;
use crate::registry::control;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/control-challenges", "listControlChallenges", WORKS, list),
        Route::post("/v1/control-challenges", "createControlChallenge", WORKS, create),
        Route::get("/v1/control-challenges/{challenge}", "getControlChallenge", WORKS, one),
        Route::post("/v1/control-challenges/{challenge}/verify", "verifyControlChallenge", WORKS, verify)
            .time(Duration::from_mins(1)),
    ]
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ChallengeBody {
    #[validate(length(min = 1, max = 253))]
    host: String,
    method: ControlMethod,
}

/// `POST /v1/control-challenges`: makes no act, so a repetition only makes another challenge.
async fn create(
    State(app): State<App>,
    by: Holder,
    ValidJson(body): ValidJson<ChallengeBody>,
) -> Result<Reply, Problem> {
    let made = control::challenge(app.registry(), &by, &body.host, body.method).await?;
    Reply::created(&format!("/v1/control-challenges/{}", made.challenge), &made)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// `GET /v1/control-challenges`.
async fn list(
    State(app): State<App>,
    by: Holder,
    ValidQuery(asked): ValidQuery<Asked>,
) -> Result<Reply, Problem> {
    const OF: &str = "listControlChallenges";
    let after: Option<String> = asked.cursor.map(|cursor| read_cursor(OF, &cursor)).transpose()?;
    let rows = u32::from(asked.limit.get()) + 1;
    let found = control::list(app.registry(), &by, after.as_deref(), rows).await?;
    Reply::ok(&Page::cut(found, asked.limit, OF, |last| last.challenge.clone())?)
}

/// `GET /v1/control-challenges/{challenge}`.
async fn one(
    State(app): State<App>,
    by: Holder,
    ValidPath(challenge): ValidPath<ChallengeId>,
) -> Result<Reply, Problem> {
    Reply::with_status(StatusCode::OK, &control::one(app.registry(), &by, challenge).await?)
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct VerifyBody {}

/// `POST /v1/control-challenges/{challenge}/verify`: recorded once, whatever is repeated.
async fn verify(
    State(app): State<App>,
    by: Holder,
    ValidPath(challenge): ValidPath<ChallengeId>,
    ValidJson(_): ValidJson<VerifyBody>,
) -> Result<Reply, Problem> {
    Reply::recorded(&control::verify(app.registry(), &by, challenge).await?)
}
