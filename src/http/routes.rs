//! The table of routes: the only way to a handler.
//!
//! One line an operation. A line cannot be written without its [`Access`], and the router is built from the table
//! alone; `openapi.yaml` holds the same set of method, path, operation id and access, and a test compares them.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{self, MethodRouter};

use super::app::App;
use super::envelope::{self, RequestId};
use super::extract::BodyLimit;
use super::gate::{Access, Guard, Operation, pass};
use super::problem::{Code, Problem};
use super::{
    authzen, batch, bindings, checks, claims, comparisons, contractors, control, datadiligence, denials,
    desk, events, explanations, factors, grants, holdings, inquiries, keys, links, logs, models, oauth,
    organizations, pages, passwords, people, powers, proposals, receipts, registrations, sessions, sign_ins,
    status, works,
};

/// 1024 bytes.
pub const KIB: usize = 1024;

/// One operation.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path template, `{name}` for parameters, `{*name}` for one that takes the rest of the path, slashes too.
    pub path: &'static str,
    /// The name in `openapi.yaml`.
    pub operation_id: &'static str,
    /// Who may call it, with what scope.
    pub access: Access,
    /// What its body may take.
    pub body: BodyLimit,
    /// Whether each call is on the trail of what concerns security.
    pub trailed: bool,
    /// How long the handler may work before the caller is answered 503. A write goes on in a task of its own.
    pub time: Duration,
    handler: MethodRouter<App>,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ({})", self.method, self.path, self.operation_id, self.access)
    }
}

macro_rules! methods {
    ($($name:ident $method:ident;)*) => {$(
        #[doc = concat!("A line for ", stringify!($method), ".")]
        pub fn $name<H, T>(path: &'static str, operation_id: &'static str, access: Access, handler: H) -> Self
        where
            H: Handler<T, App>,
            T: 'static,
        {
            Self {
                method: Method::$method,
                path,
                operation_id,
                access,
                body: BodyLimit::default(),
                trailed: false,
                time: Duration::from_secs(30),
                handler: routing::$name(handler),
            }
        }
    )*};
}

impl Route {
    methods! {
        get GET;
        post POST;
        put PUT;
        patch PATCH;
        delete DELETE;
    }

    /// The path template as it stands in `openapi.yaml`, which knows no parameter with slashes.
    pub fn described_path(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// Reads bodies of up to this many bytes (64 KiB when not said).
    #[must_use]
    pub fn body_bytes(mut self, bytes: usize) -> Self {
        self.body.bytes = bytes;
        self
    }

    /// Waits this long for a whole body (15 s when not said).
    #[must_use]
    pub fn arrival(mut self, arrival: Duration) -> Self {
        self.body.arrival = arrival;
        self
    }

    /// Puts each call on the trail of what concerns security, before it is answered.
    #[must_use]
    pub fn trailed(mut self) -> Self {
        self.trailed = true;
        self
    }

    /// Lets the handler work this long (30 s when not said).
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }
}

/// Every operation of this server.
#[rustfmt::skip]
pub fn table() -> Vec<Route> {
    let service = vec![
        Route::get("/healthz", "getHealth", Access::Public, status::healthz),
        Route::get("/readyz", "getReadiness", Access::Public, status::readyz),
        Route::get("/v1/status", "getStatus", Access::Public, status::status),
        Route::get("/problems", "listProblems", Access::Public, pages::list),
        Route::get("/problems/{code}", "getProblem", Access::Public, pages::page),
    ];
    [
        service,
        authzen::routes(),
        checks::routes(),
        datadiligence::routes(),
        events::routes(),
        comparisons::routes(),
        explanations::routes(),
        factors::routes(),
        batch::routes(),
        bindings::routes(),
        claims::routes(),
        contractors::routes(),
        control::routes(),
        denials::routes(),
        desk::routes(),
        grants::routes(),
        holdings::routes(),
        inquiries::routes(),
        keys::routes(),
        links::routes(),
        logs::routes(),
        models::routes(),
        oauth::routes(),
        organizations::routes(),
        passwords::routes(),
        people::routes(),
        powers::routes(),
        proposals::routes(),
        receipts::routes(),
        registrations::routes(),
        sessions::routes(),
        sign_ins::routes(),
        works::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router of a table: each route behind its gate and time limit, all in one envelope.
///
/// # Panics
/// When two lines have the same method and path: a mistake in the table, found at start.
pub fn router(app: &App, table: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in table {
        let guard = Guard {
            app: app.clone(),
            access: route.access,
            body: route.body,
            trailed: route.trailed,
            operation: Operation(route.operation_id),
        };
        let time = route.time;
        let limited = route
            .handler
            .route_layer(from_fn_with_state(guard, pass))
            .route_layer(from_fn(move |request, next| within(time, request, next)));
        router = router.route(route.path, limited);
    }
    let router = router
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::new(Code::MethodNotAllowed))
        .with_state(app.clone());
    envelope::wrap(app, router)
}

/// Answers 503 when the handler takes longer. What it awaited is dropped, so whatever must not stop half way runs in
/// a task that the handler only awaits.
async fn within(time: Duration, request: Request, next: Next) -> Result<Response, Problem> {
    tokio::time::timeout(time, next.run(request)).await.map_err(|_| {
        let (running, limit_s) = (RequestId::running(), time.as_secs());
        let request_id = running.as_str();
        tracing::warn!(target: "kyodaku::http", request_id, limit_s, "a handler ran out of time");
        Problem::new(Code::TimedOut)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_places_in_the_table_are_unique() {
        let (mut names, mut places) = (HashSet::new(), HashSet::new());
        for route in table() {
            assert!(names.insert(route.operation_id), "{route:?}");
            assert!(places.insert((route.method.clone(), route.path)), "{route:?}");
        }
    }
}
