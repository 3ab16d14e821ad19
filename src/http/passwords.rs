//! Setting, changing and forgetting passwords.
//!
//! These take no `Idempotency-Key`: a mailed token is spent once, and setting what is set already changes nothing.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use validator::Validate;

use super::app::App;
use super::extract::{Peer, ValidJson};
use super::gate::{Access, CalledBy, Caller};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use super::text::Email;
use crate::registry::sign_in::{self, password::Password};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/password-resets", "requestPasswordReset", Access::Public, forget).trailed(),
        Route::put("/v1/password", "changePassword", Access::Own, change).trailed(),
        Route::post("/v1/passwords", "setPassword", Access::Public, set).trailed(),
    ]
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ForgetBody {
    #[validate(nested)]
    email: Email,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct SetBody {
    #[validate(length(min = 1, max = 256))]
    token: String,
    #[validate(length(min = 1, max = 1024))]
    password: String,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    #[validate(length(min = 1, max = 1024))]
    current: String,
    #[validate(length(min = 1, max = 1024))]
    new: String,
}

/// `POST /v1/password-resets`.
async fn forget(
    State(app): State<App>,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<ForgetBody>,
) -> Result<Reply, Problem> {
    sign_in::request_reset(app.registry(), body.email.as_str(), peer)?;
    Reply::with_status(StatusCode::ACCEPTED, &serde_json::json!({}))
}

/// `POST /v1/passwords`.
async fn set(
    State(app): State<App>,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<SetBody>,
) -> Result<Reply, Problem> {
    let password = Password::new(&body.password);
    let (person, org) = sign_in::set_password(app.registry(), &body.token, password, peer).await?;
    let by = CalledBy { org, person, credential: None, is_watched: false };
    Ok(Reply::ok(&serde_json::json!({ "person": person }))?.called_by(by))
}

/// `PUT /v1/password`.
async fn change(
    State(app): State<App>,
    caller: Caller,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<ChangeBody>,
) -> Result<Reply, Problem> {
    let (current, new) = (Password::new(&body.current), Password::new(&body.new));
    sign_in::change_password(app.registry(), caller.actor(), current, new, peer).await?;
    Ok(Reply::no_content())
}
