//! What stands around every answer.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::Response;
use futures_util::stream;
use kyodaku::http::gate::{Access, Scope};
use kyodaku::http::problem::Code;
use kyodaku::http::routes::{Route, table};
use kyodaku::http::{Problem, Reply};

use super::node::{Node, Peopled};
use crate::world::client::{Answer, Client};
use crate::world::lines::lines;

async fn boom() -> Result<Reply, Problem> {
    panic!("the secret of the handler")
}

async fn never() -> Result<Reply, Problem> {
    std::future::pending().await
}

async fn cached() -> Result<Reply, Problem> {
    let keep = axum::http::HeaderValue::from_static("max-age=1");
    Ok(Reply::ok(&1)?.header(axum::http::header::CACHE_CONTROL, keep))
}

async fn failing() -> Result<Reply, Problem> {
    Err(Problem::internal(&"the cause of the failing"))
}

/// What it says is made only as it is sent.
async fn late() -> Result<Response, Problem> {
    let part = async {
        let problem = Problem::unanswered(&"the cause of the late");
        Ok::<_, Infallible>(problem.json(None))
    };
    Ok(Response::new(Body::from_stream(stream::once(part))))
}

async fn ask(path: &str) -> Answer {
    let client = Client::new(Node::new().await.router(vec![
        Route::get("/boom", "boom", Access::Public, boom),
        Route::get("/never", "never", Access::Public, never).time(Duration::from_millis(20)),
        Route::get("/cached", "cached", Access::Public, cached),
    ]));
    client.send_unchecked(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing() {
    let answer = ask("/boom").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (500, "internal".to_owned()));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(!text.contains("secret") && !text.contains("detail"), "{text}");
    assert!(text.contains("request_id"), "{text}");
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_a_503() {
    let answer = ask("/never").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "timed_out".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn an_unknown_path_and_a_wrong_method_are_problems() {
    let client = Client::new(Node::new().await.router(table()));
    assert_eq!(client.get("/v1/nothing").await.problem(), "not_found");
    assert_eq!(client.get("/%ff/..//x").await.problem(), "not_found");
    let request = client.request(Method::DELETE, "/v1/status").body(Body::empty()).unwrap();
    let answer = client.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (405, "method_not_allowed".to_owned()));
    assert_eq!(answer.headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let client = Client::new(Node::new().await.router(table()));
    let answer = client.send(client.request(Method::HEAD, "/v1/status").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test]
async fn every_answer_has_safe_headers_unless_the_handler_set_its_own() {
    for path in ["/boom", "/cached", "/nothing"] {
        let answer = ask(path).await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(
            answer.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'")
        );
        let expected = if path == "/cached" { "max-age=1" } else { "no-store" };
        assert_eq!(answer.headers["cache-control"], expected, "{path}");
        assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1);
    }
}

#[tokio::test]
async fn a_request_id_is_the_callers_own_only_when_it_is_plain() {
    let client = Client::new(Node::new().await.router(table()));
    for (sent, kept) in [("job-17_A", true), ("a b", false), ("<script>", false)] {
        let request = client.request(Method::GET, "/nothing").header("x-request-id", sent);
        let answer = client.send(request.body(Body::empty()).unwrap()).await;
        let id = answer.headers["x-request-id"].to_str().unwrap();
        assert_eq!(id == sent, kept, "{id}");
        assert!(kept || id.starts_with("rid_"), "{id}");
        assert_eq!(answer.json::<serde_json::Value>()["request_id"], id);
    }
}

#[tokio::test]
async fn every_problem_has_a_page_that_says_how_to_fix_it() {
    let client = Client::new(Node::new().await.router(table()));
    let list = client.get("/problems").await;
    for code in Code::ALL {
        let page = client.get(&format!("/problems/{}", code.as_str())).await;
        assert_eq!(page.status, 200);
        let text = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(text.contains(code.fix()) && text.contains(code.title()), "{text}");
        assert!(String::from_utf8_lossy(&list.body).contains(code.as_str()));
    }
    assert_eq!(client.get("/problems/none").await.problem(), "not_found");
}

#[tokio::test]
async fn the_log_names_the_route_and_no_secret() {
    let lines = lines();
    let cached = Route::get("/one/{name}", "one", Access::Any(Scope::Read), cached);
    let peopled = Peopled::new().await;
    let client = Client::new(peopled.node.router(vec![cached])).with_key(&peopled.developer.key);
    for (id, path) in
        [("log-1", "/one/PATHSECRET?token=QUERYSECRET"), ("log-2", "/none/PATHSECRET?token=QUERYSECRET")]
    {
        let request = client.request(Method::GET, path).header("x-request-id", id);
        client.send_unchecked(request.body(Body::empty()).unwrap()).await;
    }
    let text = lines.text();
    let line = |id: &str| {
        text.lines().find(|line| line.contains(id)).unwrap_or_else(|| panic!("no `{id}` in {text}"))
    };
    let (found, unknown) = (line("log-1"), line("log-2"));
    assert!(found.contains("route=\"/one/{name}\"") && found.contains("status=200"), "{found}");
    assert!(found.contains("org_"), "{found}");
    assert!(unknown.contains("route=\"-\"") && unknown.contains("status=404"), "{unknown}");
    assert!(!text.contains("SECRET") && !text.contains(&peopled.developer.key), "{text}");
}

#[tokio::test]
async fn each_line_with_a_cause_bears_the_id_that_the_caller_was_told() {
    let lines = lines();
    let peopled = Peopled::new().await;
    let mut routes = table();
    routes.extend([
        Route::get("/boom", "boom", Access::Public, boom),
        Route::get("/never", "never", Access::Public, never).time(Duration::from_millis(20)),
        Route::get("/failing", "failing", Access::Public, failing),
        Route::get("/trailed", "trailed", Access::Public, failing).trailed(),
        Route::get("/late", "late", Access::Public, late),
    ]);
    let client = Client::new(peopled.node.router(routes)).with_key(&peopled.developer.key);
    let asked = async |id: &str, path: &str, cause: [&str; 2]| {
        let request = client.request(Method::GET, path).header("x-request-id", id);
        let answer = client.send_unchecked(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers["x-request-id"], id);
        let text = lines.text();
        let named = format!("request_id=\"{id}\"");
        let is_it = |line: &&str| cause.iter().all(|part| line.contains(part)) && line.contains(&named);
        let line = text.lines().find(is_it);
        assert!(line.is_some(), "no {cause:?} with {named} in {text}");
    };
    asked("why-panic", "/boom", ["a handler panicked", "cause=the secret of the handler"]).await;
    asked("why-time", "/never", ["a handler ran out of time", "limit_s="]).await;
    asked("why-failing", "/failing", ["internal error", "cause=the cause of the failing"]).await;
    asked("why-trailed", "/trailed", ["internal error", "cause=the cause of the failing"]).await;
    asked("why-late", "/late", ["answered unavailable", "cause=the cause of the late"]).await;
    peopled.node.lose_database().await;
    asked("why-lost", "/readyz", ["answered unavailable", "cause="]).await;
    asked("why-key", "/v1/me", ["answered unavailable", "cause="]).await;
}
