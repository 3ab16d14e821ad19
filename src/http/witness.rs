//! The face of a witness: C2SP `tlog-witness`, on a listener of its own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::extract::ValidPath;
use super::server::Limits;
use crate::registry::witness::{MAX_REQUEST_BYTES, Refused, Witness};

/// How long a request may take, its arrival included.
const TIME: Duration = Duration::from_secs(15);

/// How many requests one connection may have running: each may hold [`MAX_REQUEST_BYTES`], and nobody needs to show who asks.
const STREAMS: u32 = 4;

/// The limits of the listener of a witness. A proxy stands before it, so that all who ask are one network.
pub fn limits() -> Limits {
    let limits = Limits::default();
    let connections_per_network = limits.connections;
    Limits { streams: STREAMS, head_bytes: 8 * 1024, connections_per_network, ..limits }
}

/// `POST /add-checkpoint` and `GET /<SHA-256 of an origin>/checkpoint`, and nothing else.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(checkpoint))
        .layer(from_fn(in_time))
        .with_state(witness)
}

async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(TIME, next.run(request)).await;
    answered.unwrap_or_else(|_| (StatusCode::REQUEST_TIMEOUT, "the request took too long\n").into_response())
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const PLAIN: &str = "text/plain; charset=utf-8";

/// The body of a request, no more of it than one can have. One that says that it is longer is not waited for.
async fn body(request: Request) -> Option<Vec<u8>> {
    let told = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if told.is_some_and(|told: u64| told > MAX_REQUEST_BYTES as u64) {
        return None;
    }
    to_bytes(request.into_body(), MAX_REQUEST_BYTES).await.ok().map(Vec::from)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, request: Request) -> Response {
    let Some(body) = body(request).await else {
        return text(
            StatusCode::PAYLOAD_TOO_LARGE,
            PLAIN,
            "the request is too long, or broke off\n".to_owned(),
        );
    };
    // Whoever goes away does not stop it between the state and the answer.
    let asked = tokio::spawn(async move { witness.add_checkpoint(&body).await });
    let refused = match asked.await {
        Ok(Ok(line)) => return text(StatusCode::OK, PLAIN, line),
        Ok(Err(refused)) => refused,
        Err(error) => {
            tracing::error!(target: "kyodaku::witness", %error, "a request failed");
            return text(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "the witness failed\n".to_owned());
        }
    };
    let status = match &refused {
        Refused::Conflict(size) => {
            return text(StatusCode::CONFLICT, "text/x.tlog.size", format!("{size}\n"));
        }
        Refused::Malformed(_) => StatusCode::BAD_REQUEST,
        Refused::Unsigned(_) => StatusCode::FORBIDDEN,
        Refused::Unknown => StatusCode::NOT_FOUND,
        Refused::Inconsistent => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::Unavailable(error) => {
            tracing::warn!(target: "kyodaku::witness", %error, "nothing is cosigned");
            let why = "the state of the witness can't be read or written\n";
            return text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, why.to_owned());
        }
    };
    if matches!(refused, Refused::Inconsistent) {
        tracing::error!(target: "kyodaku::witness", "a log asks to cosign what does not continue its past");
    }
    text(status, PLAIN, format!("{refused}\n"))
}

async fn checkpoint(
    State(witness): State<Arc<Witness>>,
    ValidPath(origin_hash): ValidPath<String>,
) -> Response {
    match witness.checkpoint(&origin_hash).await {
        Ok(Some(note)) => text(StatusCode::OK, PLAIN, note),
        Ok(None) => text(StatusCode::NOT_FOUND, PLAIN, "nothing is cosigned of such a log\n".to_owned()),
        Err(error) => {
            tracing::warn!(target: "kyodaku::witness", %error, "nothing is told");
            text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "the state can't be read\n".to_owned())
        }
    }
}
