//! Second factors.
//!
//! These take no `Idempotency-Key`: what they show is stored nowhere, so it could not be shown again.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::app::App;
use super::extract::{Peer, ValidJson};
use super::gate::{Access, Caller};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use crate::registry::sign_in::{self, password::Password};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/second-factor", "offerSecondFactor", Access::Own, offer).trailed(),
        Route::post("/v1/second-factor/confirm", "confirmSecondFactor", Access::Own, confirm).trailed(),
        Route::post("/v1/second-factor/remove", "removeSecondFactor", Access::Own, remove).trailed(),
    ]
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct OfferBody {
    #[validate(length(min = 1, max = 1024))]
    password: String,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    #[validate(length(min = 1, max = 64))]
    code: String,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct RemoveBody {
    #[validate(length(min = 1, max = 1024))]
    password: String,
    #[validate(length(min = 1, max = 64))]
    code: String,
}

#[derive(Serialize)]
struct Confirmed {
    recovery_codes: Vec<String>,
}

/// `POST /v1/second-factor`.
async fn offer(
    State(app): State<App>,
    caller: Caller,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<OfferBody>,
) -> Result<Reply, Problem> {
    let password = Password::new(&body.password);
    let offered = sign_in::offer_factor(app.registry(), caller.actor(), password, peer).await?;
    Reply::with_status(StatusCode::CREATED, &offered)
}

/// `POST /v1/second-factor/confirm`.
async fn confirm(
    State(app): State<App>,
    caller: Caller,
    ValidJson(body): ValidJson<ConfirmBody>,
) -> Result<Reply, Problem> {
    let recovery_codes = sign_in::confirm_factor(app.registry(), caller.actor(), &body.code).await?;
    Reply::ok(&Confirmed { recovery_codes })
}

/// `POST /v1/second-factor/remove`.
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<RemoveBody>,
) -> Result<Reply, Problem> {
    let password = Password::new(&body.password);
    sign_in::remove_factor(app.registry(), caller.actor(), password, &body.code, peer).await?;
    Ok(Reply::no_content())
}
