//! Programs sign in, by the protocols that their libraries speak: OAuth 2.0 (RFC 6749, 7009, 7662, 8414).
//!
//! What is wrong with a client or its request is told as RFC 6749 section 5.2 says, in place of a problem. Nothing here takes an
//! `Idempotency-Key`: a repetition makes another token, and ends a token that has ended.

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::app::App;
use super::extract::{Form, Twice};
use super::gate::{Access, CalledBy, Scope};
use super::problem::Problem;
use super::reply::Reply;
use super::routes::{KIB, Route};
use crate::domain::base64;
use crate::registry::Registry;
use crate::registry::authority::CredentialId;
use crate::registry::oauth::jwk::Jwk;
use crate::registry::oauth::{self, Client, Refusal, Shown};

/// RFC 7523 section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
/// No form is longer.
const FORM_BYTES: usize = 16 * KIB;

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/.well-known/oauth-authorization-server", "getOauthMetadata", Access::Public, metadata),
        Route::get("/oauth/jwks", "getSigningKeys", Access::Public, keys),
        Route::post("/oauth/token", "issueToken", Access::Public, token).body_bytes(FORM_BYTES).trailed(),
        Route::post("/oauth/revoke", "revokeToken", Access::Public, revoke).body_bytes(FORM_BYTES).trailed(),
        Route::post("/oauth/introspect", "introspectToken", Access::Public, introspect).body_bytes(FORM_BYTES),
    ]
}

/// RFC 8414 section 2.
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    scopes_supported: Vec<&'static str>,
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 3],
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 1],
    revocation_endpoint_auth_methods_supported: [&'static str; 3],
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 1],
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 1],
}

#[derive(Serialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// RFC 6749 section 5.2.
#[derive(Serialize)]
struct Told {
    error: &'static str,
    error_description: String,
}

/// What is answered in place of a token.
enum Refused {
    Problem(Problem),
    Oauth(Refusal),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(failure) => Self::Problem(failure.into()),
            refusal => Self::Oauth(refusal),
        }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Twice> for Refused {
    fn from(Twice(name): Twice) -> Self {
        Self::Oauth(Refusal::InvalidRequest(format!("`{name}` stands there twice")))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let refusal = match self {
            Self::Problem(problem) => return problem.into_response(),
            Self::Oauth(refusal) => refusal,
        };
        let (status, error) = match refusal {
            Refusal::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Refusal::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Refusal::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Refusal::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Refusal::UnauthorizedClient | Refusal::Failed(_) => {
                (StatusCode::BAD_REQUEST, "unauthorized_client")
            }
        };
        let reply = Reply::with_status(status, &Told { error, error_description: refusal.to_string() });
        match reply {
            Ok(reply) if status == StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Basic realm=\"kyodaku\"");
                reply.header(WWW_AUTHENTICATE, challenge).into_response()
            }
            Ok(reply) => reply.into_response(),
            Err(problem) => problem.into_response(),
        }
    }
}

/// `GET /.well-known/oauth-authorization-server`.
async fn metadata(State(app): State<App>) -> Result<Reply, Problem> {
    let issuer = oauth::issuer(app.registry());
    let at = |path: &str| format!("{issuer}{path}");
    Reply::ok(&Metadata {
        issuer: issuer.to_owned(),
        token_endpoint: at("/oauth/token"),
        jwks_uri: at("/oauth/jwks"),
        revocation_endpoint: at("/oauth/revoke"),
        introspection_endpoint: at("/oauth/introspect"),
        scopes_supported: Scope::ALL.iter().map(|scope| scope.as_str()).collect(),
        response_types_supported: [],
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: METHODS,
        token_endpoint_auth_signing_alg_values_supported: ["EdDSA"],
        revocation_endpoint_auth_methods_supported: METHODS,
        revocation_endpoint_auth_signing_alg_values_supported: ["EdDSA"],
        introspection_endpoint_auth_methods_supported: METHODS,
        introspection_endpoint_auth_signing_alg_values_supported: ["EdDSA"],
    })
}

/// `GET /oauth/jwks`.
async fn keys(State(app): State<App>) -> Result<Reply, Problem> {
    Reply::ok(&KeySet { keys: oauth::signing_keys(app.registry()).await? })
}

/// `POST /oauth/token`.
async fn token(State(app): State<App>, form: Form) -> Result<Reply, Refused> {
    let (registry, client) = prove(&app, &form).await?;
    match form.get("grant_type")? {
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::UnsupportedGrantType.into()),
        None => return Err(missing("grant_type")),
    }
    let issued = oauth::issue(registry, &client, form.get("scope")?).await?;
    Ok(Reply::ok(&issued)?.called_by(called_by(&client)))
}

/// `POST /oauth/revoke`.
async fn revoke(State(app): State<App>, form: Form) -> Result<Reply, Refused> {
    let (registry, client) = prove(&app, &form).await?;
    let token = form.get("token")?.ok_or_else(|| missing("token"))?;
    oauth::revoke(registry, &client, token).await?;
    Ok(Reply::ok(&serde_json::json!({}))?.called_by(called_by(&client)))
}

/// `POST /oauth/introspect`.
async fn introspect(State(app): State<App>, form: Form) -> Result<Reply, Refused> {
    let (registry, client) = prove(&app, &form).await?;
    let token = form.get("token")?.ok_or_else(|| missing("token"))?;
    Ok(Reply::ok(&oauth::introspect(registry, &client, token).await?)?)
}

fn called_by(client: &Client) -> CalledBy {
    let credential = Some(CredentialId::Key(client.key()));
    CalledBy { org: client.org(), person: client.person(), credential, is_watched: false }
}

/// Who asks, and where: whoever is no client of the real registry may be one of its sandbox.
async fn prove<'a>(app: &'a App, form: &Form) -> Result<(&'a Registry, Client), Refused> {
    let shown = shown(form)?;
    match (Client::prove(app.registry(), &shown).await, app.sandbox()) {
        (Err(Refusal::InvalidClient), Some(sandbox)) => {
            Ok((sandbox.registry(), Client::prove(sandbox.registry(), &shown).await?))
        }
        (client, _) => Ok((app.registry(), client?)),
    }
}

/// What the client proves itself with: in one way, not in several (RFC 6749 section 2.3).
fn shown(form: &Form) -> Result<Shown, Refused> {
    let basic = basic(&form.headers)?;
    let (client, secret) = (form.get("client_id")?, form.get("client_secret")?);
    let (kind, assertion) = (form.get("client_assertion_type")?, form.get("client_assertion")?);
    let owned = |text: &str| text.to_owned();
    match (basic, secret, kind, assertion) {
        (Some((id, secret)), None, None, None) if client.is_none_or(|client| client == id) => {
            Ok(Shown::Secret { client: id, secret })
        }
        (None, Some(secret), None, None) => {
            let client = client.ok_or_else(|| missing("client_id"))?;
            Ok(Shown::Secret { client: owned(client), secret: owned(secret) })
        }
        (None, None, Some(JWT_BEARER), Some(text)) => {
            Ok(Shown::Assertion { text: owned(text), client: client.map(owned) })
        }
        (None, None, Some(_), Some(_)) => {
            let why = format!("`client_assertion_type` is not `{JWT_BEARER}`");
            Err(Refusal::InvalidRequest(why).into())
        }
        (None, None, None, None) => Err(Refusal::InvalidClient.into()),
        _ => {
            let why = "the client proves itself in one way, not in several, and under one id";
            Err(Refusal::InvalidRequest(why.to_owned()).into())
        }
    }
}

/// Id and secret of the header `Authorization: Basic …`, each encoded as in a form (RFC 6749 section 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, more) = (values.next(), values.next());
    let Some(value) = value else { return Ok(None) };
    let read = || {
        let (scheme, shown) = value.to_str().ok()?.split_once(' ')?;
        let decoded = base64::decode(shown)?;
        let (id, secret) = str::from_utf8(&decoded).ok()?.split_once(':')?;
        scheme.eq_ignore_ascii_case("basic").then(|| (form_decoded(id), form_decoded(secret)))
    };
    read().filter(|_| more.is_none()).map(Some).ok_or_else(|| Refusal::InvalidClient.into())
}

fn form_decoded(text: &str) -> String {
    let field = format!("field={text}");
    let value = url::form_urlencoded::parse(field.as_bytes()).next().map(|(_, value)| value.into_owned());
    value.unwrap_or_default()
}

fn missing(name: &str) -> Refused {
    Refusal::InvalidRequest(format!("`{name}` is missing")).into()
}
