//! Registering many works at once: NDJSON in, one answer a line, in order.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use validator::{Validate, ValidationError};

use super::acts::WORKS;
use super::app::App;
use super::extract::Ndjson;
use super::extract::body::parse_line;
use super::failure::{Place, Places, refused};
use super::problem::{Code, Problem};
use super::routes::{KIB, Route};
use super::works::{REGISTRATION_BYTES, RegisterBody};
use crate::registry::answer::Kept;
use crate::registry::authority::Verified;
use crate::registry::orders;
use crate::registry::{Failure, Once, SubmitError, Submitted};

/// The largest batch, in bytes and lines.
const BATCH_BYTES: usize = 32 * 1024 * KIB;
const MAX_LINES: usize = 10_000;
/// The largest line: a registration and its key.
const MAX_LINE_BYTES: usize = REGISTRATION_BYTES + KIB;
/// How many lines are recorded at once, so that one commit takes several.
const IN_FLIGHT: usize = 64;
/// How often, and after how long, a line is tried again when too much waits.
const TRIES: u32 = 40;
const WAIT: Duration = Duration::from_millis(25);
/// The operation under which keys of lines are remembered.
const OPERATION: &str = "registerWorks";

#[rustfmt::skip]
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/v1/works/batch", OPERATION, WORKS, batch)
            .body_bytes(BATCH_BYTES).arrival(Duration::from_mins(5)).time(Duration::from_secs(330)),
    ]
}

const PLACES: Places = &[
    ("/bindings", Place::List("/registration/keys")),
    ("/holders", Place::List("/registration/holders")),
    ("/layers", Place::List("/registration/layers")),
    ("/part_of", Place::List("/registration/part_of")),
    ("/work", Place::Body("/registration")),
];

/// One line.
#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Line {
    #[validate(custom(function = plain_key))]
    idempotency_key: String,
    #[validate(nested)]
    registration: RegisterBody,
}

fn plain_key(key: &str) -> Result<(), ValidationError> {
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(ValidationError::new("invalid_value")
        .with_message("must be 1 to 255 visible ASCII characters".into()))
}

/// The answer to one line: the status and body that the same registration alone would have got.
#[derive(Serialize)]
struct Answered {
    line: usize,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Box<RawValue>>,
}

/// `POST /v1/works/batch`. Each line is recorded or refused by itself; the answer begins before the last is recorded.
async fn batch(State(app): State<App>, by: Verified, Ndjson(body): Ndjson) -> Result<Response, Problem> {
    let lines = lines(&body)?;
    let answers = futures_util::stream::iter(lines)
        .map(move |(number, line)| one(app.clone(), by.clone(), number, line))
        .buffered(IN_FLIGHT)
        .map(Ok::<_, Infallible>);
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))];
    Ok((StatusCode::OK, kind, Body::from_stream(answers)).into_response())
}

/// The lines that are not blank, with their numbers from 1.
fn lines(body: &Bytes) -> Result<Vec<(usize, Bytes)>, Problem> {
    let mut lines = Vec::new();
    let mut from = 0;
    for (number, line) in (1..).zip(body.split(|byte| *byte == b'\n')) {
        let slice = body.slice(from..from + line.len());
        from += line.len() + 1;
        if !line.trim_ascii().is_empty() {
            lines.push((number, slice));
        }
    }
    if lines.len() > MAX_LINES {
        let detail = format!("a batch holds at most {MAX_LINES} lines, this one {}", lines.len());
        return Err(Problem::new(Code::BodyTooLarge).detail(detail));
    }
    Ok(lines)
}

async fn one(app: App, by: Verified, number: usize, line: Bytes) -> Bytes {
    let answered = match register(&app, &by, &line).await {
        Ok(submitted) => recorded(number, &submitted),
        Err(problem) => Err(problem),
    };
    let answered = answered.unwrap_or_else(|problem| Answered {
        line: number,
        status: problem.code().status().as_u16(),
        answer: None,
        problem: RawValue::from_string(problem.json(None)).ok(),
    });
    // Numbers and JSON that was JSON before always serialize.
    let mut text = serde_json::to_vec(&answered).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

fn recorded(number: usize, submitted: &Submitted) -> Result<Answered, Problem> {
    let kept: Kept = serde_json::from_str(&submitted.body).map_err(|error| Problem::internal(&error))?;
    Ok(Answered { line: number, status: submitted.status, answer: Some(kept.body), problem: None })
}

async fn register(app: &App, by: &Verified, line: &Bytes) -> Result<Submitted, Problem> {
    if line.len() > MAX_LINE_BYTES {
        let detail = format!("a line holds at most {MAX_LINE_BYTES} bytes");
        return Err(Problem::new(Code::BodyTooLarge).detail(detail));
    }
    let read: Line = parse_line(line)?;
    let digest = Sha256::new().chain_update(OPERATION).chain_update([0]).chain_update(line.trim_ascii());
    let once = Once { key: read.idempotency_key, operation: OPERATION, digest: digest.finalize().into() };
    let principal = read.registration.on_behalf_of;
    let registration = read.registration.into_registration()?;
    let order = orders::register(app.clock(), registration).on_behalf_of(principal);
    let mut tries = 0;
    loop {
        match orders::record(app.registry(), by, order.clone(), once.clone()).await {
            Err(Failure::Submit(SubmitError::Busy)) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(WAIT).await;
            }
            other => return other.map_err(refused(PLACES)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let found = lines(&Bytes::from_static(b"{}\n\n  \r\n{\"a\":1}\r\nx")).unwrap();
        let numbers: Vec<_> = found.iter().map(|(number, line)| (*number, line.as_ref())).collect();
        assert_eq!(numbers, [(1, &b"{}"[..]), (4, b"{\"a\":1}\r"), (5, b"x")]);
        assert_eq!(lines(&Bytes::new()).unwrap().len(), 0);
        let many = Bytes::from("x\n".repeat(MAX_LINES + 1));
        assert_eq!(lines(&many).unwrap_err().code(), Code::BodyTooLarge);
    }
}
