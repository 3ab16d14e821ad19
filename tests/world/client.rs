//! A client of the router that holds every response against `openapi.yaml`.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use tower::ServiceExt;

use super::contract::Contract;

/// Sends requests to a router, in this process.
#[derive(Clone)]
pub(crate) struct Client {
    router: Router,
    key: Option<String>,
}

/// A response, wholly received, and as documented.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of the problem, or of the OAuth error, that was answered; panics on anything else.
    pub(crate) fn problem(&self) -> String {
        let body = self.json::<serde_json::Value>();
        body["code"].as_str().or(body["error"].as_str()).expect("a problem").to_owned()
    }
}

impl Client {
    /// A client without credentials.
    pub(crate) fn new(router: Router) -> Self {
        Self { router, key: None }
    }

    /// The same with an API key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { router: self.router.clone(), key: Some(key.to_owned()) }
    }

    /// A request with this client's credentials, to be finished by the caller.
    pub(crate) fn request(&self, method: Method, uri: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(uri);
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    /// GET.
    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(self.request(Method::GET, uri).body(Body::empty()).expect("a request")).await
    }

    /// A JSON body with these headers.
    pub(crate) async fn json(
        &self,
        method: &str,
        uri: &str,
        body: &serde_json::Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let method = method.parse().expect("a method");
        let request = headers.iter().fold(
            self.request(method, uri).header(CONTENT_TYPE, "application/json"),
            |request, (name, value)| request.header(*name, *value),
        );
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Sends a request; panics when the response is not as documented.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (answer, fault) = self.judged(request).await;
        assert!(fault.is_none(), "{}\n{}", fault.unwrap_or_default(), String::from_utf8_lossy(&answer.body));
        answer
    }

    /// Sends a request, and says how the response is not as documented, if it is not.
    pub(crate) async fn judged(&self, request: Request<Body>) -> (Answer, Option<String>) {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let answer = self.send_unchecked(request).await;
        let contract = Contract::shared();
        let content_type = answer.headers.get(CONTENT_TYPE).map(|value| value.to_str().expect("plain text"));
        let template = contract.template_of(&path);
        let checked =
            contract.check_response(&method, template, answer.status.as_u16(), content_type, &answer.body);
        let named = if answer.headers.contains_key("x-request-id") {
            Ok(())
        } else {
            Err("no request id".to_owned())
        };
        let fault = checked.and(named).err().map(|fault| format!("{method} {path}: {fault}"));
        (answer, fault)
    }

    /// Sends a request to a route that is not in the description.
    pub(crate) async fn send_unchecked(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("a router does not fail");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20).await.expect("a whole body");
        Answer { status: parts.status, headers: parts.headers, body }
    }
}
