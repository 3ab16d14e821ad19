//! Typed headers, and `at_least`.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Uri};

use crate::http::app::App;
use crate::http::etag::Etag;
use crate::http::problem::{Code, Problem};

/// The largest log size that a client may name: 2^53 - 1, the largest integer that JSON carries safely.
pub const MAX_SIZE: u64 = (1 << 53) - 1;

/// The header `Idempotency-Key`: 1 to 255 visible ASCII characters, required on every POST that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = single(&parts.headers, "idempotency-key")? else {
            return Err(Problem::new(Code::IdempotencyKeyRequired));
        };
        let plain = (1..=255).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic);
        match str::from_utf8(value) {
            Ok(key) if plain => Ok(Self(key.to_owned())),
            _ => Err(Problem::new(Code::InvalidHeader)
                .detail("`Idempotency-Key` must be 1 to 255 visible ASCII characters")),
        }
    }
}

/// The header `If-Match` (RFC 9110 section 13.1.1): the states that the caller has seen. As an argument it is
/// required (428); as `Option<IfMatch>` it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfMatch(Seen);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Any,
    OneOf(Vec<String>),
}

impl IfMatch {
    /// Passes when `current` is among the states seen; weak tags never match.
    pub fn require(&self, current: &Etag) -> Result<(), Problem> {
        match &self.0 {
            Seen::Any => Ok(()),
            Seen::OneOf(tags) if tags.iter().any(|tag| tag == current.as_str()) => Ok(()),
            Seen::OneOf(_) => Err(Problem::new(Code::PreconditionFailed)),
        }
    }

    /// The entries whose states the caller has seen; `None` for any. A tag that is not ours, or weak, gives none.
    pub fn entries(&self) -> Option<Vec<u64>> {
        match &self.0 {
            Seen::Any => None,
            Seen::OneOf(tags) => Some(tags.iter().filter_map(|tag| Etag::entry_of(tag)).collect()),
        }
    }

    fn read(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut tags = Vec::new();
        for value in headers.get_all(IF_MATCH) {
            let invalid =
                || Problem::new(Code::InvalidHeader).detail("`If-Match` must hold quoted entity tags or `*`");
            for tag in value.to_str().map_err(|_| invalid())?.split(',').map(str::trim) {
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                let quoted = opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"');
                match tag {
                    "*" => return Ok(Some(Self(Seen::Any))),
                    _ if quoted => tags.push(tag.to_owned()),
                    _ => return Err(invalid()),
                }
            }
        }
        Ok((!tags.is_empty()).then_some(Self(Seen::OneOf(tags))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers)?.ok_or_else(|| Problem::new(Code::PreconditionRequired))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Problem> {
        Self::read(&parts.headers)
    }
}

/// The query parameter `at_least` of reads: answer only once this node has read the log to that size, so that a
/// client sees on every node what it wrote on one. When the handler runs, the node has caught up; otherwise the
/// answer is 503 `not_caught_up`.
///
/// It takes the parameter out of the query, so it must stand before [`super::ValidQuery`] in a handler's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtLeast(pub Option<u64>);

impl FromRequestParts<App> for AtLeast {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Some(size) = take_at_least(&mut parts.uri)? else { return Ok(Self(None)) };
        match app.registry().wait_for(size, app.at_least_wait()).await {
            Ok(true) => Ok(Self(Some(size))),
            Ok(false) => Err(Problem::new(Code::NotCaughtUp)
                .detail(format!("the log has not reached size {size}: wait, or leave `at_least` out"))),
            Err(error) => Err(Problem::unanswered(&error)),
        }
    }
}

/// Removes `at_least` from the query and reads it.
fn take_at_least(uri: &mut Uri) -> Result<Option<u64>, Problem> {
    let Some(query) = uri.query() else { return Ok(None) };
    let (mine, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.split('=').next() == Some("at_least"));
    let value = match mine.as_slice() {
        [] => return Ok(None),
        [one] => one.split_once('=').and_then(|(_, value)| value.parse::<u64>().ok()),
        _ => None,
    };
    let Some(size) = value.filter(|size| *size <= MAX_SIZE) else {
        return Err(Problem::new(Code::InvalidQuery).at(
            "/at_least",
            "invalid_value",
            format!("must be given once, a log size from 0 to {MAX_SIZE}"),
        ));
    };
    let rest = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
    let rewritten = PathAndQuery::try_from(format!("{}{rest}", uri.path()));
    let mut pieces = std::mem::take(uri).into_parts();
    pieces.path_and_query = rewritten.ok();
    *uri = Uri::from_parts(pieces).map_err(|_| Problem::new(Code::InvalidQuery))?;
    Ok(Some(size))
}

/// The header's value, when it is there exactly once.
pub(in crate::http) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Problem::new(Code::InvalidHeader).detail(format!("the header `{name}` is there twice")));
    }
    Ok(first.map(axum::http::HeaderValue::as_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderValue, Request};

    fn with(name: &'static str, values: &[&str]) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        for value in values {
            parts.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        parts
    }

    async fn key(values: &[&str]) -> Result<IdempotencyKey, Code> {
        let mut parts = with("idempotency-key", values);
        IdempotencyKey::from_request_parts(&mut parts, &()).await.map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn an_idempotency_key_is_1_to_255_visible_characters_once() {
        let longest = "k".repeat(255);
        assert_eq!(key(&[longest.as_str()]).await.unwrap().as_str(), longest);
        assert_eq!(key(&[]).await.unwrap_err(), Code::IdempotencyKeyRequired);
        for bad in [vec![""], vec!["a b"], vec!["許諾"], vec!["a", "b"], vec![&*"k".repeat(256)]] {
            assert_eq!(key(&bad).await.unwrap_err(), Code::InvalidHeader, "{bad:?}");
        }
    }

    #[test]
    fn if_match_passes_only_a_strong_tag_that_was_seen() {
        let current = Etag::of_entry(7);
        let check = |value: &str| {
            let read = IfMatch::read(&with("if-match", &[value]).headers);
            read.map_err(|p| p.code())?.unwrap().require(&current).map_err(|p| p.code())
        };
        assert_eq!(check("*"), Ok(()));
        assert_eq!(check(&format!("\"x\", {}", current.as_str())), Ok(()));
        assert_eq!(check("\"x\""), Err(Code::PreconditionFailed));
        assert_eq!(check(&format!("W/{}", current.as_str())), Err(Code::PreconditionFailed));
        assert_eq!(check("unquoted"), Err(Code::InvalidHeader));
        assert!(IfMatch::read(&HeaderMap::new()).unwrap().is_none());
    }

    #[test]
    fn at_least_is_taken_out_of_the_query() {
        let take = |text: &str| {
            let mut uri: Uri = text.parse().unwrap();
            (take_at_least(&mut uri).map_err(|problem| problem.code()), uri.to_string())
        };
        assert_eq!(take("/a?limit=3&at_least=9&x=1"), (Ok(Some(9)), "/a?limit=3&x=1".to_owned()));
        assert_eq!(take("/a?at_least=0"), (Ok(Some(0)), "/a".to_owned()));
        assert_eq!(take("/a?x=at_least").0, Ok(None));
        for bad in
            ["/a?at_least=", "/a?at_least=-1", "/a?at_least=1&at_least=1", "/a?at_least=9007199254740992"]
        {
            assert_eq!(take(bad).0, Err(Code::InvalidQuery), "{bad}");
        }
    }
}
