//! What a handler answers when nothing is wrong.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::etag::Etag;
use super::problem::Problem;

/// A JSON answer.
#[derive(Debug)]
pub struct Reply(Response);

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

    /// 204, nothing to say.
    pub fn no_content() -> Self {
        Self(StatusCode::NO_CONTENT.into_response())
    }

    /// Another status with this body.
    pub fn with_status(status: StatusCode, body: &impl Serialize) -> Result<Self, Problem> {
        let json = serde_json::to_vec(body).map_err(|error| Problem::internal(&error))?;
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        Ok(Self(response).header(CONTENT_TYPE, HeaderValue::from_static("application/json")))
    }

    /// Adds the header `ETag`.
    #[must_use]
    pub fn etag(self, etag: &Etag) -> Self {
        self.header(ETAG, etag.header())
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
