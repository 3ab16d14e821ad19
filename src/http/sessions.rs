//! Signing in, and staying so.
//!
//! These take no `Idempotency-Key`: a repetition would have to give the same tokens again, which are stored nowhere.
//! Signing in twice makes two sessions, and a refresh that was not heard of is answered by signing in again.

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
use super::text::Email;
use crate::domain::ids::SessionId;
use crate::registry::authority::CredentialId;
use crate::registry::sign_in::{self, SessionView, Shown, password::Password};

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions", "listSessions", Access::Own, list),
        Route::post("/v1/sessions", "signIn", Access::Public, begin).trailed(),
        Route::post("/v1/sessions/refresh", "refreshSession", Access::Public, refresh),
        Route::delete("/v1/sessions/{session}", "endSession", Access::Own, end).trailed(),
    ]
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct SignInBody {
    #[validate(nested)]
    email: Email,
    #[validate(length(min = 1, max = 1024))]
    password: String,
    #[validate(length(min = 1, max = 64))]
    #[serde(default, deserialize_with = "super::wire::given")]
    code: Option<String>,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct RefreshBody {
    #[validate(length(min = 1, max = 256))]
    refresh_token: String,
}

#[derive(Serialize)]
struct Listed {
    items: Vec<SessionView>,
}

/// `POST /v1/sessions`.
async fn begin(
    State(app): State<App>,
    Peer(peer): Peer,
    UserAgent(client): UserAgent,
    ValidJson(body): ValidJson<SignInBody>,
) -> Result<Reply, Problem> {
    let password = Password::new(&body.password);
    let shown = Shown { email: body.email.as_str(), password, code: body.code.as_deref() };
    let signed_in = sign_in::sign_in(app.registry(), shown, peer, &client).await?;
    let by = CalledBy {
        org: signed_in.organization,
        person: signed_in.person,
        credential: Some(CredentialId::Session(signed_in.session)),
        is_watched: false,
    };
    Ok(Reply::with_status(StatusCode::CREATED, &signed_in)?.called_by(by))
}

/// `POST /v1/sessions/refresh`.
async fn refresh(
    State(app): State<App>,
    Peer(peer): Peer,
    ValidJson(body): ValidJson<RefreshBody>,
) -> Result<Reply, Problem> {
    Reply::ok(&sign_in::refresh(app.registry(), &body.refresh_token, peer).await?)
}

/// `GET /v1/sessions`.
async fn list(State(app): State<App>, caller: Caller) -> Result<Reply, Problem> {
    Reply::ok(&Listed { items: sign_in::list(app.registry(), caller.actor()).await? })
}

/// `DELETE /v1/sessions/{session}`.
async fn end(
    State(app): State<App>,
    caller: Caller,
    ValidPath(session): ValidPath<SessionId>,
) -> Result<Reply, Problem> {
    sign_in::end(app.registry(), caller.actor(), session).await?;
    Ok(Reply::no_content())
}
