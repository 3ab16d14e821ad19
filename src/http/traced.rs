//! The span of each request for OpenTelemetry, where the program was built with it; nothing otherwise.
//!
//! A span bears what a log line about the request bears: the method, the template of the path, the status, the id of the request.
//! Nothing of what a caller wrote into a path, a query, a header or a body.

/// The target of these spans, and of nothing else.
pub const TARGET: &str = "kyodaku::trace";

#[cfg(feature = "opentelemetry")]
pub(super) use spans::{begin, end};

#[cfg(not(feature = "opentelemetry"))]
pub(super) use nothing::{begin, end};

#[cfg(not(feature = "opentelemetry"))]
mod nothing {
    use axum::extract::Request;
    use axum::http::StatusCode;
    use tracing::Span;

    use crate::http::app::App;

    pub(in crate::http) const fn begin(_: &App, _: &Request, _: &str, _: &str, _: &str) -> Span {
        Span::none()
    }

    pub(in crate::http) const fn end(_: &Span, _: StatusCode) {}
}

#[cfg(feature = "opentelemetry")]
mod spans {
    use std::net::SocketAddr;

    use axum::extract::{ConnectInfo, Request};
    use axum::http::{HeaderMap, StatusCode};
    use opentelemetry::propagation::{Extractor, TextMapPropagator};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use tracing::Span;
    use tracing::field::Empty;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use super::TARGET;
    use crate::http::app::App;

    /// Begins the span of a request, as a part of the trace that a named proxy says it is of: what others write into
    /// `traceparent` (W3C Trace Context) is not believed, or anybody could write into others' traces.
    pub(in crate::http) fn begin(app: &App, request: &Request, method: &str, route: &str, id: &str) -> Span {
        let span = tracing::info_span!(
            target: TARGET,
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            kyodaku.request_id = id,
        );
        let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let is_by_proxy = connected.is_some_and(|info| app.proxies().contains(&info.0.ip().to_canonical()));
        if is_by_proxy && !span.is_disabled() {
            let parent = TraceContextPropagator::new().extract(&Single(request.headers()));
            if let Err(error) = span.set_parent(parent) {
                tracing::debug!(target: "kyodaku::http", %error, "a request is not part of its trace");
            }
        }
        span
    }

    /// Notes how the request was answered.
    pub(in crate::http) fn end(span: &Span, status: StatusCode) {
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }

    /// Headers that stand there once: of two, nobody knows which is meant.
    struct Single<'a>(&'a HeaderMap);

    impl Extractor for Single<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            let mut values = self.0.get_all(key).iter();
            let value = values.next().filter(|_| values.next().is_none())?;
            value.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(axum::http::HeaderName::as_str).collect()
        }
    }
}
