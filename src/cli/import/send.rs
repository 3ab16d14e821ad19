//! Sending rows to `POST /v1/works/batch`, and believing only a whole answer.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use reqwest::Body;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::OTHERWISE;
use super::registration::Registration;
use super::results::RowResult;
use crate::cli::client::{NoAnswer, Problem, Server};

/// The most rows and bytes of one request.
pub(super) const ROWS: usize = 500;
pub(super) const BYTES: usize = 8 << 20;
/// The longest line of an answer.
const MAX_LINE_BYTES: usize = 1 << 20;

/// A row, ready to be sent.
pub(super) struct Ready {
    /// What is known of it: line, reference and key.
    pub(super) row: RowResult,
    /// The line of the request.
    pub(super) json: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    idempotency_key: &'a str,
    registration: &'a Registration<'a>,
}

impl Ready {
    pub(super) fn new(
        row: RowResult,
        key: &str,
        registration: &Registration<'_>,
    ) -> serde_json::Result<Self> {
        let json = serde_json::to_vec(&Line { idempotency_key: key, registration })?;
        let digest = Sha256::digest(serde_json::to_vec(registration)?);
        let digest = Some(HEXLOWER.encode(&digest));
        Ok(Self { row: RowResult { key: Some(key.to_owned()), digest, ..row }, json })
    }
}

/// The answer to one line.
#[derive(Deserialize)]
struct Answered {
    line: usize,
    status: u16,
    #[serde(default)]
    answer: Option<Registered>,
    #[serde(default)]
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Registered {
    work: String,
    holdings: Vec<HoldingMade>,
    bindings: Vec<BindingMade>,
}

#[derive(Deserialize)]
struct HoldingMade {
    holding: String,
}

#[derive(Deserialize)]
struct BindingMade {
    binding: String,
}

/// Sends rows. What the server answered for the first of them comes back, and why it did not answer for all.
pub(super) async fn send(server: &Server, rows: Vec<Ready>) -> (Vec<RowResult>, Result<(), NoAnswer>) {
    let mut body = Vec::new();
    for row in &rows {
        body.extend_from_slice(&row.json);
        body.push(b'\n');
    }
    let mut results = Vec::with_capacity(rows.len());
    let ended = match server.post_lines("/v1/works/batch", Body::from(body)).await {
        Ok(response) => read(server, response, rows, &mut results).await,
        Err(none) => Err(none),
    };
    (results, ended)
}

async fn read(
    server: &Server,
    mut response: reqwest::Response,
    rows: Vec<Ready>,
    results: &mut Vec<RowResult>,
) -> Result<(), NoAnswer> {
    let mut buffer: Vec<u8> = Vec::new();
    let mut rows = (1..).zip(rows);
    loop {
        let chunk = tokio::time::timeout(server.timeout(), response.chunk()).await;
        let chunk: Option<Bytes> =
            chunk.map_err(|_| NoAnswer::new("the server fell silent within its answer"))??;
        buffer.extend_from_slice(chunk.as_deref().unwrap_or_default());
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let (number, ready) =
                rows.next().ok_or_else(|| NoAnswer::new("there are more answers than rows"))?;
            results.push(result(&line, number, ready.row)?);
        }
        if buffer.len() > MAX_LINE_BYTES {
            return Err(NoAnswer::new("a line of the answer is too long"));
        }
        if chunk.is_none() {
            break;
        }
    }
    if !buffer.is_empty() || rows.next().is_some() {
        return Err(NoAnswer::new("the answer ended before every row was answered"));
    }
    Ok(())
}

/// What an answer says of its row. A status that promises nothing (too busy, out of order) is no answer.
fn result(line: &[u8], number: usize, row: RowResult) -> Result<RowResult, NoAnswer> {
    let answered: Answered = serde_json::from_slice(line)
        .map_err(|error| NoAnswer::new(format!("a line of the answer can't be read: {error}")))?;
    if answered.line != number {
        return Err(NoAnswer::new("the answers are not in the order of the rows"));
    }
    match (answered.status, answered.answer, answered.problem) {
        (201, Some(made), None) => Ok(RowResult {
            work: Some(made.work),
            holdings: made.holdings.into_iter().map(|it| it.holding).collect(),
            bindings: made.bindings.into_iter().map(|it| it.binding).collect(),
            ..row
        }),
        (400..=499, None, Some(problem)) if is_of_the_row(&problem) => {
            Ok(RowResult { errors: in_words(&problem), ..row })
        }
        (status, _, Some(problem)) => Err(NoAnswer::new(format!("a row was answered {status}: {problem}"))),
        (status, _, None) => Err(NoAnswer::new(format!("a row was answered {status} and nothing else"))),
    }
}

/// Whether the row is at fault, and not who asks or the moment.
fn is_of_the_row(problem: &Problem) -> bool {
    const OF_THE_ROW: [&str; 9] = [
        "malformed_request",
        "invalid_json",
        "invalid_header",
        "body_too_large",
        "invalid_body",
        "refused",
        "not_allowed",
        "not_found",
        "idempotency_key_reused",
    ];
    OF_THE_ROW.contains(&problem.code.as_str())
}

fn in_words(problem: &Problem) -> Vec<String> {
    if problem.code == "idempotency_key_reused" {
        return vec![format!(
            "this row, or one with its reference, was imported before with other content: {OTHERWISE}"
        )];
    }
    if problem.errors.is_empty() {
        return vec![problem.to_string()];
    }
    let told = problem.errors.iter().map(|error| {
        let place = error.pointer.strip_prefix("/registration").unwrap_or(&error.pointer);
        format!("`{place}`: {}", error.detail)
    });
    told.collect()
}
