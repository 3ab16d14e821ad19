//! Forms, as OAuth has them (RFC 6749 appendix B).

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;

use super::body::{read_bytes, require_type};
use crate::http::problem::Problem;

/// A body of `application/x-www-form-urlencoded`, and the headers that came with it.
pub struct Form {
    /// The headers.
    pub headers: HeaderMap,
    fields: Vec<(String, String)>,
}

/// A field stands there twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twice(pub &'static str);

impl Form {
    /// A field; one without a value is as good as none (RFC 6749 section 3.2).
    pub fn get(&self, name: &'static str) -> Result<Option<&str>, Twice> {
        let mut values =
            self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Twice(name)),
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let media_type = "application/x-www-form-urlencoded";
        require_type(&parts.headers, media_type, |essence| essence == media_type)?;
        let bytes = read_bytes(&parts, body).await?;
        let fields = url::form_urlencoded::parse(&bytes).into_owned().collect();
        Ok(Self { headers: parts.headers, fields })
    }
}
