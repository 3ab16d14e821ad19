//! Organizations enter themselves.
//!
//! These take no `Idempotency-Key`: a mailed token is spent once.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::{Peer, ValidJson};
use super::gate::{Access, CalledBy};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::{Email, Title};
use crate::domain::act::Role;
use crate::registry::sign_in::password::Password;
use crate::registry::sign_in::registration;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/registrations", "requestRegistration", Access::Public, request).trailed(),
        Route::post("/v1/registrations/complete", "completeRegistration", Access::Public, complete).trailed(),
    ]
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct RequestBody {
    #[validate(nested)]
    name: Title,
    #[validate(length(min = 1, max = 3))]
    roles: Vec<Role>,
    #[validate(nested)]
    email: Email,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct CompleteBody {
    #[validate(length(min = 1, max = 256))]
    token: String,
    #[validate(length(min = 1, max = 1024))]
    password: String,
}

/// `POST /v1/registrations`.
async fn request(
    State(app): State<App>,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<RequestBody>,
) -> Result<Reply, Problem> {
    let RequestBody { name, roles, email } = body;
    refuse_closed(&app)?;
    registration::request(app.registry(), name.into_string(), &roles, email.as_str(), peer)?;
    Reply::with_status(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// `POST /v1/registrations/complete`.
async fn complete(
    State(app): State<App>,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<CompleteBody>,
) -> Result<Reply, Problem> {
    refuse_closed(&app)?;
    let password = Password::new(&body.password);
    let (person, org) = registration::complete(app.registry(), &body.token, password, peer).await?;
    let by = CalledBy { org, person, credential: None, is_watched: false };
    let told = serde_json::json!({ "organization": org, "person": person });
    Ok(Reply::with_status(StatusCode::CREATED, &told)?.called_by(by))
}

fn refuse_closed(app: &App) -> Result<(), Problem> {
    if app.is_open() {
        return Ok(());
    }
    Err(Problem::not_found().detail("the registrar of this registry enters organizations: ask it"))
}
