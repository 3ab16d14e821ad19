//! Errors on the wire: RFC 9457 `application/problem+json`, every one from the closed table in [`code`].

use std::any::Any;
use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub mod code;
pub mod pointer;

pub use code::Code;

use super::envelope::RequestId;

/// The media type of every error (RFC 9457 section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// No answer lists more broken places than this; the rest appears once these are mended.
pub const MAX_ERRORS: usize = 100;

/// One broken place in what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Where: an RFC 6901 pointer into the body, or `/name` of a query or path parameter. Empty means the whole.
    pub pointer: String,
    /// What kind of break: `missing_field`, `unknown_field`, `duplicate_field`, `wrong_type`, `unknown_value`,
    /// `invalid_value`, or the name of the rule.
    pub code: Cow<'static, str>,
    /// For people: what is wrong there and what would be right.
    pub detail: String,
}

impl FieldError {
    /// A broken place.
    pub fn new(
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }
}

/// An error answer. `return Err(Problem::new(Code::Conflict).detail("…"))` is all that a handler writes; status,
/// title, page, request id and headers follow from the code.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The body on the wire.
#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    /// A problem of this code, with nothing more to say.
    pub fn new(code: Code) -> Self {
        let headers = match code.status() {
            StatusCode::SERVICE_UNAVAILABLE => vec![(RETRY_AFTER, HeaderValue::from_static("1"))],
            StatusCode::UNAUTHORIZED => {
                vec![(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"kyodaku\""))]
            }
            _ => Vec::new(),
        };
        Self(Box::new(Inner { code, detail: None, errors: Vec::new(), headers }))
    }

    /// There is nothing here that the caller may see: use it for what does not exist and for what is another's.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// The service cannot answer; the caller may try again after so many seconds.
    pub fn unavailable(retry_after_s: u32) -> Self {
        Self::new(Code::Unavailable).retry_after(retry_after_s)
    }

    /// The floors below cannot answer now. The cause goes to the log, never to the caller.
    pub fn unanswered(cause: &dyn std::fmt::Display) -> Self {
        let running = RequestId::running();
        let request_id = running.as_str();
        tracing::warn!(target: "kyodaku::http", request_id, %cause, "answered unavailable");
        Self::unavailable(1)
    }

    /// The server failed. The cause goes to the log, never to the caller.
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        let running = RequestId::running();
        let request_id = running.as_str();
        tracing::error!(target: "kyodaku::http", request_id, %cause, "internal error");
        Self::new(Code::Internal)
    }

    /// The broken places, all at once; only the first [`MAX_ERRORS`] are kept.
    pub fn invalid(code: Code, mut errors: Vec<FieldError>) -> Self {
        errors.truncate(MAX_ERRORS);
        let mut problem = Self::new(code);
        problem.0.errors = errors;
        problem
    }

    /// What happened this time, to what, and what to do: lower case, no full stop, input in backticks.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds a broken place.
    #[must_use]
    pub fn at(
        mut self,
        pointer: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        if self.0.errors.len() < MAX_ERRORS {
            self.0.errors.push(FieldError::new(pointer, code, detail));
        }
        self
    }

    /// After how many seconds a repetition makes sense.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Sets a header of the answer, in place of an earlier one of that name.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.retain(|(present, _)| *present != name);
        self.0.headers.push((name, value));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The broken places.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The body, naming the request it answers.
    pub fn json(&self, request_id: Option<&str>) -> String {
        let Inner { code, detail, errors, .. } = &*self.0;
        let wire = Wire {
            r#type: format!("/problems/{}", code.as_str()),
            title: code.title(),
            status: code.status().as_u16(),
            code: code.as_str(),
            detail: detail.as_deref(),
            errors,
            request_id,
        };
        // Strings and integers always serialize; an empty body would still carry the status.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// The whole answer, naming the request it answers.
    pub fn respond(&self, request_id: Option<&str>) -> Response {
        let Inner { code, headers, .. } = &*self.0;
        let mut response = Response::new(Body::from(self.json(request_id)));
        *response.status_mut() = code.status();
        for (name, value) in headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response
    }
}

impl IntoResponse for Problem {
    /// The answer without a request id; [`finish`], outermost, writes it again with the id.
    fn into_response(self) -> Response {
        let mut response = self.respond(None);
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the request id into a problem, and turns an error that some library answered in plain text into one.
/// Other answers pass unchanged.
pub fn finish(response: Response, request_id: &str) -> Response {
    let carried = response.extensions().get::<Problem>().cloned();
    let problem = match carried {
        Some(problem) => problem,
        None if is_foreign_error(&response) => Problem::new(Code::for_status(response.status())),
        None => return response,
    };
    let (parts, _) = response.into_parts();
    let mut finished = problem.respond(Some(request_id));
    keep(&parts.headers, finished.headers_mut());
    finished
}

/// `Allow` is set by the router, outside the problem.
fn keep(from: &HeaderMap, to: &mut HeaderMap) {
    if let Some(allow) = from.get(ALLOW) {
        to.insert(ALLOW, allow.clone());
    }
}

fn is_foreign_error(response: &Response) -> bool {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return false;
    }
    // Doors that speak another protocol answer errors in JSON of their own; plain text and nothing are no answers.
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    kind.is_empty() || kind.starts_with("text/plain")
}

/// The answer to a panic in a handler: a 500 that says nothing of the cause.
#[expect(clippy::needless_pass_by_value, reason = "the panic layer hands it over")]
pub fn from_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let cause = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "of unknown kind".to_owned());
    let running = RequestId::running();
    let request_id = running.as_str();
    tracing::error!(target: "kyodaku::http", request_id, %cause, "a handler panicked");
    Problem::new(Code::Internal).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> serde_json::Value {
        let bytes = axum::body::to_bytes(response.into_body(), 65_536).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn a_problem_carries_its_code_places_and_request() {
        let problem = Problem::new(Code::InvalidBody).at("/a~1b", "length", "too long").detail("two things");
        let answer = finish(problem.into_response(), "req_1");
        assert_eq!(answer.status(), 422);
        assert_eq!(answer.headers()[CONTENT_TYPE], PROBLEM_JSON);
        let body = body(answer).await;
        assert_eq!(body["type"], "/problems/invalid_body");
        assert_eq!(body["errors"][0]["pointer"], "/a~1b");
        assert_eq!(body["request_id"], "req_1");
    }

    #[tokio::test]
    async fn a_plain_error_of_a_library_becomes_a_problem_and_keeps_allow() {
        let mut plain = (StatusCode::METHOD_NOT_ALLOWED, "no such method").into_response();
        plain.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        let answer = finish(plain, "req_2");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()[ALLOW]),
            (405, &HeaderValue::from_static("GET"))
        );
        assert_eq!(body(answer).await["code"], "method_not_allowed");
    }

    #[test]
    fn an_answer_of_another_protocol_and_a_success_pass() {
        let json = (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "application/json")], "{}").into_response();
        assert_eq!(finish(json, "r").headers()[CONTENT_TYPE], "application/json");
        assert_eq!(finish("fine".into_response(), "r").status(), 200);
    }

    #[test]
    fn unavailable_says_when_to_come_back() {
        assert_eq!(Problem::unavailable(7).into_response().headers()[RETRY_AFTER], "7");
        assert_eq!(Problem::new(Code::TimedOut).into_response().headers()[RETRY_AFTER], "1");
    }
}
