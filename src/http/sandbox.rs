//! Two faces at one address: a key or token of the sandbox is answered by the sandbox, everything else by the real registry.
//!
//! Every answer of the sandbox bears the header `Kyodaku-Sandbox: true`, so that nobody takes it for a permission, and no cache
//! keeps it: what is public of the real registry stands at the same address.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use tower::ServiceExt;
use tower_http::set_header::SetResponseHeaderLayer;

use super::app::App;
use super::gate::invalid_credentials;
use super::problem::{Code, Problem};
use super::routes::{router, table};
use crate::registry::authority::Actor;
use crate::registry::credential::TEST_PREFIX;
use crate::registry::oauth::{self, jwk::Jwk};
use crate::registry::sandbox::bounds::{Bounds, Standing};

/// The header of every answer of a sandbox.
pub const MARK: HeaderName = HeaderName::from_static("kyodaku-sandbox");

/// After how many seconds it is worth looking whether a full sandbox was emptied.
const FULL_RETRY_S: u32 = 3_600;

/// The whole service: the table of routes, and where there is a sandbox, another one before it.
///
/// # Panics
/// As [`router`].
pub fn faces(app: &App) -> Router {
    let live = router(app, table());
    let Some(sandbox) = app.sandbox() else { return live };
    let signers = oauth::own_keys(sandbox.registry());
    let mark = SetResponseHeaderLayer::overriding(MARK, HeaderValue::from_static("true"));
    let unkept = SetResponseHeaderLayer::overriding(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let sandbox = router(sandbox, table()).layer(mark).layer(unkept);
    // What a cache keeps of the real one is no answer to whoever shows a key of the sandbox.
    let by_key = SetResponseHeaderLayer::appending(VARY, HeaderValue::from_static("authorization"));
    Router::new()
        .fallback(async move |request: Request| -> Response {
            let face = if is_test(request.headers(), &signers) { sandbox } else { live };
            face.oneshot(request).await.unwrap_or_else(|never| match never {})
        })
        .layer(by_key)
}

/// Whether it shows a key of the sandbox, or a token that the sandbox signed, as far as its form tells.
fn is_test(headers: &HeaderMap, signers: &[Jwk]) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|text| text.split_once(' ')).map_or("", |(_, shown)| shown);
    shown.starts_with(TEST_PREFIX)
        || signer(shown).is_some_and(|kid| signers.iter().any(|key| key.kid() == Some(kid.as_str())))
}

/// The key that a token names as its signer (RFC 7515 section 4.1.4).
fn signer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let (header, _) = token.split_once('.')?;
    let json = BASE64URL_NOPAD.decode(header.as_bytes()).ok()?;
    serde_json::from_slice::<Header>(&json).ok().map(|header| header.kid)
}

/// Whether the sandbox lets somebody do this: whom the real registry removed has no key any more, whom it suspended may do
/// nothing, and once it is full nobody brings anything more into it.
pub(super) async fn admit(bounds: &Bounds, actor: &Actor, method: &Method) -> Result<(), Problem> {
    match bounds.standing(actor).await.map_err(|error| Problem::unanswered(&error))? {
        Standing::Removed => return Err(invalid_credentials()),
        Standing::Suspended => {
            let why = "the real registry suspended your organization: it may not try anything here either";
            return Err(Problem::new(Code::NotVerified).detail(why));
        }
        Standing::Good => {}
    }
    let only_reads = method.is_safe() || method == Method::DELETE;
    if !only_reads && bounds.is_full().await.map_err(|error| Problem::unanswered(&error))? {
        let why = "the sandbox is full: it takes nothing more until whoever runs the registry has emptied it";
        return Err(Problem::unavailable(FULL_RETRY_S).detail(why));
    }
    Ok(())
}
