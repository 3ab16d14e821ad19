//! Single sign-on: beginning, ending, and who one is to the provider.
//!
//! These take no `Idempotency-Key`: a sign-in ends once, and what it gives is stored nowhere.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use validator::Validate;

use super::app::App;
use super::extract::{Peer, UserAgent, ValidJson, ValidPath};
use super::gate::{Access, CalledBy, Caller};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::Route;
use crate::domain::ids::IdentityId;
use crate::registry::authority::CredentialId;
use crate::registry::sign_in::password::Password;
use crate::registry::sign_in::single::{self, IdentityView, Returned};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/sign-ins", "beginSignIn", Access::Public, begin),
        Route::post("/v1/sign-ins/complete", "completeSignIn", Access::Public, complete).trailed(),
        Route::get("/v1/identities", "listIdentities", Access::Own, list),
        Route::post("/v1/identities", "linkIdentity", Access::Own, link).trailed(),
        Route::delete("/v1/identities/{identity}", "removeIdentity", Access::Own, remove).trailed(),
    ]
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct CompleteBody {
    #[validate(length(min = 1, max = 256))]
    sign_in: String,
    #[validate(length(min = 1, max = 256))]
    state: String,
    #[validate(length(min = 1, max = 4096))]
    code: String,
    #[validate(length(min = 1, max = 64))]
    #[serde(default, deserialize_with = "super::wire::given")]
    second_factor: Option<String>,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct LinkBody {
    #[validate(length(min = 1, max = 256))]
    sign_in: String,
    #[validate(length(min = 1, max = 256))]
    state: String,
    #[validate(length(min = 1, max = 4096))]
    code: String,
    #[validate(length(min = 1, max = 1024))]
    password: String,
}

#[derive(Serialize)]
struct Listed {
    items: Vec<IdentityView>,
}

/// `POST /v1/sign-ins`.
async fn begin(State(app): State<App>, Peer(peer): Peer) -> Result<Reply, Problem> {
    Reply::with_status(StatusCode::CREATED, &single::begin(app.registry(), peer).await?)
}

/// `POST /v1/sign-ins/complete`.
async fn complete(
    State(app): State<App>,
    Peer(peer): Peer,
    UserAgent(client): UserAgent,
    ValidJson(body): ValidJson<CompleteBody>,
) -> Result<Reply, Problem> {
    let returned = Returned { sign_in: &body.sign_in, state: &body.state, code: &body.code };
    let factor = body.second_factor.as_deref();
    let signed_in = single::complete(app.registry(), returned, factor, peer, &client).await?;
    let by = CalledBy {
        org: signed_in.organization,
        person: signed_in.person,
        credential: Some(CredentialId::Session(signed_in.session)),
        is_watched: false,
    };
    Ok(Reply::with_status(StatusCode::CREATED, &signed_in)?.called_by(by))
}

/// `GET /v1/identities`.
async fn list(State(app): State<App>, caller: Caller) -> Result<Reply, Problem> {
    Reply::ok(&Listed { items: single::list(app.registry(), caller.actor()).await? })
}

/// `POST /v1/identities`.
async fn link(
    State(app): State<App>,
    caller: Caller,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<LinkBody>,
) -> Result<Reply, Problem> {
    let returned = Returned { sign_in: &body.sign_in, state: &body.state, code: &body.code };
    let password = Password::new(&body.password);
    let linked = single::link(app.registry(), caller.actor(), password, returned, peer).await?;
    Reply::with_status(StatusCode::CREATED, &linked)
}

/// `DELETE /v1/identities/{identity}`.
async fn remove(
    State(app): State<App>,
    caller: Caller,
    ValidPath(identity): ValidPath<IdentityId>,
) -> Result<Reply, Problem> {
    single::remove(app.registry(), caller.actor(), identity).await?;
    Ok(Reply::no_content())
}
