//! JSON bodies.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use sha2::{Digest, Sha256};
use validator::Validate;

use super::faults;
use super::headers::IdempotencyKey;
use super::strict::Strict;
use crate::http::gate::Operation;
use crate::http::problem::{Code, FieldError, Problem, pointer};
use crate::http::text;
use crate::registry::Once;

/// What a body may take at most; the gate puts the route's into each request.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// The largest body that is read, in bytes.
    pub bytes: usize,
    /// How long the whole body may take to arrive.
    pub arrival: Duration,
}

impl Default for BodyLimit {
    fn default() -> Self {
        Self { bytes: 65_536, arrival: Duration::from_secs(15) }
    }
}

/// A JSON body that was read into `T` and passed `T::validate`.
///
/// `T` must be `#[serde(deny_unknown_fields)]`; repeated fields are refused by serde, lists in place of objects by [`Strict`]. Do not put a field-level rule
/// beside `#[validate(nested)]` on one field: validator panics when both fail.
///
/// Answers 415 for another content type, 413 above the route's limit, 408 when the body takes too long to arrive,
/// 400 for what is not JSON, 422 with pointers for what breaks a rule.
#[derive(Clone, Debug)]
pub struct ValidJson<T>(pub T);

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequest<S> for ValidJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_json(&parts, body).await?;
        parse(&bytes).map(Self)
    }
}

/// An act that was submitted once, however often it is sent: a [`ValidJson`] body with its idempotency key. Every
/// POST that writes takes this.
#[derive(Clone, Debug)]
pub struct Submitted<T> {
    /// The key of the header `Idempotency-Key`.
    pub key: IdempotencyKey,
    /// The id of the operation.
    pub operation: &'static str,
    /// SHA-256 over method, path and body: the same key with another digest is another request (422).
    pub digest: [u8; 32],
    /// The body.
    pub body: T,
}

impl<T> Submitted<T> {
    /// How a repetition of this request is recognized, and the body.
    pub fn into_parts(self) -> (Once, T) {
        let once = Once { key: self.key.as_str().to_owned(), operation: self.operation, digest: self.digest };
        (once, self.body)
    }
}

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequest<S> for Submitted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let key = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        let bytes = read_json(&parts, body).await?;
        let (operation, digest) = (operation(&parts), digest(&parts, &bytes));
        Ok(Self { key, operation, digest, body: parse(&bytes)? })
    }
}

/// An act that needs no more words than its path, submitted once: the body is empty, or `{}`.
#[derive(Clone, Debug)]
pub struct Bare(pub Once);

impl<S: Send + Sync> FromRequest<S> for Bare {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let key = IdempotencyKey::from_request_parts(&mut parts, state).await?;
        let bytes = read_bytes(&parts, body).await?;
        if !matches!(bytes.trim_ascii(), b"" | b"{}") {
            return Err(Problem::new(Code::InvalidBody).detail("this operation takes no body"));
        }
        let digest = digest(&parts, b"");
        Ok(Self(Once { key: key.as_str().to_owned(), operation: operation(&parts), digest }))
    }
}

/// A body of `application/x-ndjson`, whole and unread: one JSON text a line.
#[derive(Clone, Debug)]
pub struct Ndjson(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Ndjson {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        require_type(&parts.headers, "application/x-ndjson", |essence| essence == "application/x-ndjson")?;
        read_bytes(&parts, body).await.map(Self)
    }
}

fn operation(parts: &Parts) -> &'static str {
    parts.extensions.get::<Operation>().map_or("", |operation| operation.0)
}

fn digest(parts: &Parts, body: &[u8]) -> [u8; 32] {
    let digest = Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update([0])
        .chain_update(parts.uri.path())
        .chain_update([0])
        .chain_update(body)
        .finalize();
    digest.into()
}

/// Reads one JSON text into `T` and validates it: what [`ValidJson`] does once it has the bytes.
pub fn parse<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Result<T, Problem> {
    parse_within(bytes, faults::ATTEMPTS)
}

/// The same for one line of many: all lines together must not cost what one body may.
pub(in crate::http) fn parse_line<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Result<T, Problem> {
    parse_within(bytes, faults::ATTEMPTS_OF_LINE)
}

fn parse_within<T: DeserializeOwned + Validate>(bytes: &[u8], attempts: usize) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let (read, bad_texts) = text::collecting(|| serde_path_to_error::deserialize(Strict(&mut reader)));
    let value: T = read.map_err(|error| match unreadable(&error, bytes) {
        Ok(fault) => Problem::invalid(Code::InvalidBody, faults::all::<T>(bytes, fault, attempts)),
        Err(problem) => problem,
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    value
        .validate()
        .map_err(|errors| Problem::invalid(Code::InvalidBody, pointer::from_validator(&errors)))?;
    if bad_texts > 0 {
        return Err(Problem::new(Code::InvalidBody).detail("a text holds a character that is not allowed"));
    }
    Ok(value)
}

/// Reads one JSON text into `T`, which may borrow from it; what [`parse`] does for types with rules of their own.
pub(in crate::http) fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut reader)).map_err(|error| {
        let refused = unreadable(&error, bytes);
        refused.map_or_else(|problem| problem, |fault| Problem::invalid(Code::InvalidBody, vec![fault]))
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

/// The place where reading stopped; or that this is no JSON.
fn unreadable(
    error: &serde_path_to_error::Error<serde_json::Error>,
    bytes: &[u8],
) -> Result<FieldError, Problem> {
    let inner = error.inner();
    let mut message = inner.to_string();
    if inner.classify() != Category::Data {
        // What has one of several members is read as if nothing else could stand there: no member, or two of them, look
        // like broken JSON to the reader.
        let is_json =
            std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        if !is_json {
            return Err(not_json(inner));
        }
        "invalid value: must have exactly one of the members that it may have".clone_into(&mut message);
    }
    let position = format!(" at line {} column {}", inner.line(), inner.column());
    Ok(pointer::from_serde(error.path(), message.trim_end_matches(&position)))
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(Code::InvalidJson).detail(error.to_string())
}

pub(in crate::http) async fn read_json(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    require_type(&parts.headers, "application/json", |essence| {
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
    })?;
    read_bytes(parts, body).await
}

pub(in crate::http) async fn read_bytes(parts: &Parts, body: Body) -> Result<Bytes, Problem> {
    let limit = parts.extensions.get::<BodyLimit>().copied().unwrap_or_default();
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit.bytes) {
        return Err(too_large(limit.bytes));
    }
    let arrived = tokio::time::timeout(limit.arrival, Limited::new(body, limit.bytes).collect()).await;
    match arrived {
        // The rest of a slow body cannot be told from the next request: the connection ends here.
        Err(_) => Err(Problem::new(Code::RequestTimeout)
            .detail(format!("the body took longer than {} seconds to arrive", limit.arrival.as_secs()))
            .header(CONNECTION, axum::http::HeaderValue::from_static("close"))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limit.bytes)),
        Ok(Err(_)) => Err(Problem::new(Code::MalformedRequest).detail("the body broke off")),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
    }
}

fn too_large(limit_bytes: usize) -> Problem {
    Problem::new(Code::BodyTooLarge).detail(format!("this operation reads at most {limit_bytes} bytes"))
}

/// Exactly one type, one of these, in UTF-8, not compressed.
pub(in crate::http) fn require_type(
    headers: &HeaderMap,
    expected: &str,
    is_read: impl Fn(&str) -> bool,
) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::UnsupportedMediaType).detail(detail));
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return refuse("a `Content-Encoding` is not read here".to_owned());
    }
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return refuse(format!("send exactly one `Content-Type: {expected}`"));
    };
    let text = value.to_str().unwrap_or("").to_ascii_lowercase();
    let (essence, parameters) = text.split_once(';').unwrap_or((&text, ""));
    let essence = essence.trim();
    if !is_read(essence) {
        return refuse(format!("`{essence}` is not read here"));
    }
    let charset = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("charset="));
    match charset.map(|name| name.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(other) => refuse(format!("the charset `{other}` is not read here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::text::{Label, Title};
    use serde::Deserialize;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Wire {
        #[validate(nested)]
        title: Title,
        #[validate(nested)]
        parts: Vec<Part>,
        #[validate(range(min = 1, max = 9))]
        count: u8,
    }

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[validate(nested)]
        label: Option<Label>,
    }

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Forgetful {
        #[serde(rename = "title")]
        _title: Title,
    }

    fn places(body: &str) -> (Code, Vec<(String, String)>) {
        let problem = parse::<Wire>(body.as_bytes()).unwrap_err();
        let errors = problem.errors().iter().map(|e| (e.pointer.clone(), e.code.to_string())).collect();
        (problem.code(), errors)
    }

    fn one(pointer: &str, code: &str) -> (Code, Vec<(String, String)>) {
        (Code::InvalidBody, vec![(pointer.to_owned(), code.to_owned())])
    }

    #[test]
    fn a_good_body_is_read() {
        let body = r#"{"title":"A","parts":[{"label":"x"},{}],"count":3}"#;
        let wire: Wire = parse(body.as_bytes()).unwrap();
        assert_eq!((wire.title.as_str(), wire.parts.len(), wire.count), ("A", 2, 3));
        assert_eq!(wire.parts[0].label.as_ref().unwrap().as_str(), "x");
    }

    #[test]
    fn all_broken_rules_are_told_at_once_with_their_places() {
        let body = r#"{"title":"a\u0000","parts":[{},{"label":"\u202e"}],"count":10}"#;
        let (code, errors) = places(body);
        assert_eq!(code, Code::InvalidBody);
        let pointers: Vec<_> =
            errors.iter().map(|(pointer, code)| (pointer.as_str(), code.as_str())).collect();
        assert_eq!(
            pointers,
            [
                ("/count", "range"),
                ("/parts/1/label", "forbidden_character"),
                ("/title", "forbidden_character")
            ]
        );
    }

    #[test]
    fn unknown_missing_and_repeated_fields_are_refused_by_name() {
        assert_eq!(
            places(r#"{"title":"A","parts":[],"count":1,"extra/x":1}"#),
            one("/extra~1x", "unknown_field")
        );
        assert_eq!(places(r#"{"title":"A","parts":[]}"#), one("/count", "missing_field"));
        assert_eq!(
            places(r#"{"title":"A","title":"B","parts":[],"count":1}"#),
            one("/title", "duplicate_field")
        );
        assert_eq!(
            places(r#"{"title":"A","parts":[{"lable":"x"}],"count":1}"#),
            one("/parts/0/lable", "unknown_field")
        );
        assert_eq!(
            places(r#"{"title":"A","parts":[{"label":4}],"count":1}"#),
            one("/parts/0/label", "wrong_type")
        );
        assert_eq!(places(r#"{"title":"A","parts":[],"count":999}"#), one("/count", "invalid_value"));
    }

    #[test]
    fn what_is_not_json_is_told_apart() {
        for body in ["", "{", "{}}", "nul", "[1,]", "\u{FEFF}{}", "{\"title\":\"\u{1}\"}", &"[".repeat(5000)]
        {
            let code = parse::<Wire>(body.as_bytes()).unwrap_err().code();
            assert!(matches!(code, Code::InvalidJson | Code::InvalidBody), "{body}");
        }
        let trailing = r#"{"title":"A","parts":[],"count":1} x"#;
        assert_eq!(parse::<Wire>(trailing.as_bytes()).unwrap_err().code(), Code::InvalidJson);
        assert_eq!(parse::<Wire>(b"{\"title\":\"\xff\"}").unwrap_err().code(), Code::InvalidJson);
    }

    #[test]
    fn a_forgotten_nested_rule_does_not_let_a_bad_text_through() {
        let problem = parse::<Forgetful>(br#"{"title":"a\u202eb"}"#).unwrap_err();
        assert_eq!((problem.code(), problem.errors().len()), (Code::InvalidBody, 0));
        assert!(parse::<Forgetful>(br#"{"title":"ab"}"#).is_ok());
    }
}
