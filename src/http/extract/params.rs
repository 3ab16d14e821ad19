//! Query strings and path parameters.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use validator::Validate;

use crate::http::problem::{Code, Problem, pointer};
use crate::http::text;

/// A query string that was read into `T` and passed `T::validate`. `T` must be `#[serde(deny_unknown_fields)]`;
/// repeated parameters are refused. Answers 400 `invalid_query` with `/name` pointers.
#[derive(Clone, Copy, Debug)]
pub struct ValidQuery<T>(pub T);

impl<T: DeserializeOwned + Validate, S: Send + Sync> FromRequestParts<S> for ValidQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let reader = serde_urlencoded::Deserializer::new(pairs);
        let (read, bad_texts) = text::collecting(|| serde_path_to_error::deserialize(reader));
        let value: T = read.map_err(|error| {
            let place = pointer::from_serde(error.path(), &error.inner().to_string());
            Problem::invalid(Code::InvalidQuery, vec![place])
        })?;
        value
            .validate()
            .map_err(|errors| Problem::invalid(Code::InvalidQuery, pointer::from_validator(&errors)))?;
        if bad_texts > 0 {
            return Err(
                Problem::new(Code::InvalidQuery).detail("a text holds a character that is not allowed")
            );
        }
        Ok(Self(value))
    }
}

/// The parameters of the path: one value, a tuple, or a struct with their names. Answers 400 `invalid_path`.
#[derive(Clone, Copy, Debug)]
pub struct ValidPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for ValidPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => Err(broken(failed.into_kind())),
            Err(other) => Err(Problem::internal(&other)),
        }
    }
}

fn broken(kind: ErrorKind) -> Problem {
    let problem = Problem::new(Code::InvalidPath);
    let at = |key: &str, detail: String| {
        let mut place = String::new();
        pointer::push(&mut place, key);
        Problem::new(Code::InvalidPath).at(place, "invalid_value", detail)
    };
    match kind {
        ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
            at(&key, format!("is not of the type {expected_type}"))
        }
        ErrorKind::DeserializeError { key, message, .. } => at(&key, message),
        ErrorKind::InvalidUtf8InPathParam { key } => at(&key, "is not UTF-8".to_owned()),
        ErrorKind::ParseError { expected_type, .. } | ErrorKind::ParseErrorAtIndex { expected_type, .. } => {
            problem.detail(format!("not of the type {expected_type}"))
        }
        ErrorKind::Message(message) => problem.detail(message),
        // The rest are mistakes of the handler's own types.
        other => Problem::internal(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::page::Limit;
    use axum::http::Request;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        limit: Option<Limit>,
        #[validate(nested)]
        q: Option<text::Label>,
    }

    async fn ask(query: &str) -> Result<Asked, Vec<(String, String)>> {
        let mut parts = Request::get(format!("/x{query}")).body(()).unwrap().into_parts().0;
        let read = ValidQuery::<Asked>::from_request_parts(&mut parts, &()).await;
        read.map(|ValidQuery(asked)| asked).map_err(|problem| {
            assert_eq!(problem.code(), Code::InvalidQuery);
            problem.errors().iter().map(|e| (e.pointer.clone(), e.code.to_string())).collect()
        })
    }

    #[tokio::test]
    async fn a_query_is_read_whole_or_refused_by_name() {
        let good = ask("?limit=200&q=%E6%98%9F").await.unwrap();
        assert_eq!((good.limit.unwrap().get(), good.q.unwrap().as_str()), (200, "星"));
        assert!(ask("").await.is_ok());
        let cases = [
            ("?limit=201", "/limit", "invalid_value"),
            ("?limit=0", "/limit", "invalid_value"),
            ("?limit=x", "/limit", "invalid_value"),
            ("?limt=1", "/limt", "unknown_field"),
            ("?q=a&q=b", "/q", "duplicate_field"),
            ("?q=a%00b", "/q", "forbidden_character"),
        ];
        for (query, pointer, code) in cases {
            assert_eq!(ask(query).await.unwrap_err(), [(pointer.to_owned(), code.to_owned())], "{query}");
        }
    }
}
