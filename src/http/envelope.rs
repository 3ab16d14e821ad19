//! Around every answer: a request id, a line in the log, headers that are safe by default, and a problem in place of
//! a panic.

use std::sync::Arc;
use std::task::Context;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use tokio::task::futures::TaskLocalFuture;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument;

use super::app::App;
use super::gate::CalledBy;
use super::{problem, traced};
use crate::clock::{Clock, stopwatch};
use crate::domain::ids::{Id, Kind};

/// The header that names a request, in and out.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID: usize = 64;

/// The id of the running request; in every request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

tokio::task_local! {
    /// The id of the request that is being answered.
    static RUNNING: RequestId;
}

impl RequestId {
    /// That of the request which is being answered here, for a line of the log; `-` where none is.
    pub(super) fn running() -> Self {
        RUNNING.try_with(Self::clone).unwrap_or_else(|_| Self(Arc::from("-")))
    }

    /// Does something for this request, in this task or another.
    pub(super) fn around<F: Future>(self, work: F) -> TaskLocalFuture<Self, F> {
        RUNNING.scope(self, work)
    }

    /// The answer, of whose body a part may be made only when it is sent.
    fn within(self, response: Response) -> Response {
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        response.map(|body| {
            let mut data = body.into_data_stream();
            let next = move |context: &mut Context<'_>| {
                RUNNING.sync_scope(self.clone(), || data.poll_next_unpin(context))
            };
            Body::from_stream(stream::poll_fn(next))
        })
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The caller's own id when it is 1 to 64 letters, digits, `-` or `_`, so that it can stand in a log line as it
    /// is; a new one otherwise.
    fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        let theirs = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
        let plain = |id: &&str| {
            (1..=MAX_REQUEST_ID).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        match theirs.filter(plain) {
            Some(id) => Self(id.into()),
            None => Self(Id::<AnyRequest>::new(clock.new_uuid()).to_string().into()),
        }
    }
}

/// The kind of a request's id.
#[derive(Debug)]
enum AnyRequest {}

impl Kind for AnyRequest {
    const PREFIX: &'static str = "rid";
    const NOUN: &'static str = "an HTTP request";
}

/// Puts a whole router into the envelope.
pub fn wrap(app: &App, router: Router) -> Router {
    router.layer(CatchPanicLayer::custom(problem::from_panic)).layer(from_fn_with_state(app.clone(), around))
}

async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), app.clock());
    let method = request.method().clone();
    // The template, not the path: what people put into a path or a query may be a secret.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    let started = stopwatch();
    let route = matched.as_ref().map_or("-", MatchedPath::as_str);
    let span = traced::begin(&app, &request, known_method(&method), route, id.as_str());
    let response = id.clone().around(next.run(request).instrument(span.clone())).await;
    let response = id.clone().within(response);
    let org = response.extensions().get::<CalledBy>().map(|by| by.org.to_string());
    let mut response = problem::finish(app.room().keep(response), id.as_str());
    traced::end(&span, response.status());
    let took = started.elapsed();
    app.registry().metrics().answered(known_method(&method), route, response.status().as_u16(), took);
    tracing::info!(
        target: "kyodaku::http",
        request_id = id.as_str(),
        method = method.as_str(),
        route,
        status = response.status().as_u16(),
        elapsed_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        org = org.as_deref().unwrap_or("-"),
        "answered"
    );
    safe_headers(response.headers_mut());
    if let Ok(value) = HeaderValue::try_from(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// The method, unless somebody made it up: what anybody can send is no name of a figure.
fn known_method(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::PATCH
        | Method::DELETE
        | Method::OPTIONS => method.as_str(),
        _ => "-",
    }
}

/// Sets what a handler did not set itself.
fn safe_headers(headers: &mut HeaderMap) {
    const DEFAULTS: [(HeaderName, &str); 6] = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    headers.reserve(DEFAULTS.len() + 1);
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &[u8]) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(sent).unwrap());
        RequestId::of(&headers, &Clock::manual(1_700_000_000_000)).as_str().to_owned()
    }

    #[test]
    fn a_plain_id_is_kept_and_any_other_replaced() {
        assert_eq!(id_for(b"abc-DEF_9"), "abc-DEF_9");
        for bad in [&b""[..], b"a b", b"a\"b", "許".as_bytes(), &[b'a'; 65]] {
            let id = id_for(bad);
            assert!(id.starts_with("rid_") && id.len() == 30, "{id}");
        }
    }
}
