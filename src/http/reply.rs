//! What a handler answers when nothing is wrong.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use serde_json::{Map, Value};

use super::etag::Etag;
use super::gate::CalledBy;
use super::problem::Problem;
use crate::registry::Submitted;
use crate::registry::accounts::{KeyView, MadeKey};
use crate::registry::answer::Kept;
use crate::registry::credential::Secret;

/// A key with its secret, the only time that it is shown.
#[derive(Debug, Serialize)]
pub struct ShownKey<'a> {
    #[serde(flatten)]
    view: KeyView,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> ShownKey<'a> {
    /// What is told about a key that was made just now.
    pub fn new(made: &'a MadeKey) -> Self {
        Self { view: made.view(), secret: made.secret.as_ref().map(Secret::expose) }
    }
}

/// A JSON answer.
#[derive(Debug)]
pub struct Reply(Response);

/// Up to how many bytes an answer is cheaper to copy together than to send in parts.
const SHORT: usize = 16_384;

/// A body in parts, which knows how long it is.
struct Parts(VecDeque<Bytes>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|part| part.len() as u64).sum())
    }
}

impl Reply {
    /// 200 with this body.
    pub fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Self::with_status(StatusCode::OK, body)
    }

    /// 201 with this body, and where the new thing is to be read.
    pub fn created(location: &str, body: &impl Serialize) -> Result<Self, Problem> {
        let location = HeaderValue::try_from(location).map_err(|error| Problem::internal(&error))?;
        Ok(Self::with_status(StatusCode::CREATED, body)?.header(LOCATION, location))
    }

    /// The answer to a command: status, body and headers as they were when it was recorded, however often it is asked
    /// for.
    pub fn recorded(submitted: &Submitted) -> Result<Self, Problem> {
        let kept: Kept = serde_json::from_str(&submitted.body).map_err(|error| Problem::internal(&error))?;
        Self::kept(submitted.status, &kept, &kept.body)
    }

    /// As [`Reply::recorded`], with the key that was made just now, and its secret, in the member `key`.
    pub fn recorded_with_key(submitted: &Submitted, made: Option<&MadeKey>) -> Result<Self, Problem> {
        let Some(made) = made else {
            return Self::recorded(submitted);
        };
        let kept: Kept = serde_json::from_str(&submitted.body).map_err(|error| Problem::internal(&error))?;
        let mut body: Map<String, Value> =
            serde_json::from_str(kept.body.get()).map_err(|error| Problem::internal(&error))?;
        let key = serde_json::to_value(ShownKey::new(made)).map_err(|error| Problem::internal(&error))?;
        body.insert("key".to_owned(), key);
        Self::kept(submitted.status, &kept, &body)
    }

    fn kept(status: u16, kept: &Kept, body: &impl Serialize) -> Result<Self, Problem> {
        let status = StatusCode::from_u16(status).map_err(|error| Problem::internal(&error))?;
        let mut reply = Self::with_status(status, body)?;
        if let Some(location) = &kept.location {
            let location = HeaderValue::try_from(location).map_err(|error| Problem::internal(&error))?;
            reply = reply.header(LOCATION, location);
        }
        Ok(match kept.entry {
            Some(entry) => reply.etag(&Etag::of_entry(entry)),
            None => reply,
        })
    }

    /// 204, nothing to say.
    pub fn no_content() -> Self {
        Self(StatusCode::NO_CONTENT.into_response())
    }

    /// Another status with this body.
    pub fn with_status(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let json = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
        let mut reply = Self::of_json(json);
        *reply.0.status_mut() = status;
        Ok(reply)
    }

    /// 200 with these bytes, which are JSON.
    pub fn of_json(json: Vec<u8>) -> Self {
        Self::of_json_body(Body::from(json))
    }

    /// 200 with these bytes one after the other, which are JSON together. A short answer leaves in one piece, the parts of a
    /// long one are not copied.
    pub fn of_json_parts(parts: [Bytes; 3]) -> Self {
        let bytes: usize = parts.iter().map(Bytes::len).sum();
        if bytes <= SHORT {
            return Self::of_json(parts.concat());
        }
        Self::of_json_body(Body::new(Parts(parts.into())))
    }

    fn of_json_body(body: Body) -> Self {
        Self(Response::new(body)).header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// Adds the header `ETag`.
    #[must_use]
    pub fn etag(self, etag: &Etag) -> Self {
        self.header(ETAG, etag.header())
    }

    /// Says who was answered, where that was not known before.
    #[must_use]
    pub(super) fn called_by(mut self, by: CalledBy) -> Self {
        self.0.extensions_mut().insert(by);
        self
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        self.0
    }
}
