//! Who may call what.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Method;
use kyodaku::http::gate::{Access, Caller, DeveloperCaller, HolderCaller, Roles, Scope};
use kyodaku::http::routes::{Route, table};
use kyodaku::http::{Problem, Reply};

use super::double::{self, DEVELOPER, Double, HOLDER, HOLDER_READ_ONLY};
use crate::world::client::{Answer, Client};

async fn whoami(caller: Caller) -> Result<Reply, Problem> {
    Reply::ok(&caller.identity().org.to_string())
}

async fn for_holders(holder: HolderCaller) -> Result<Reply, Problem> {
    Reply::ok(&holder.identity().org.to_string())
}

async fn for_developers(developer: DeveloperCaller) -> Result<Reply, Problem> {
    Reply::ok(&developer.identity().org.to_string())
}

fn gated() -> Client {
    let write = Access::Role(Roles::HOLDERS, Scope::PermissionsWrite);
    Client::new(double::router(vec![
        Route::get("/any", "any", Access::Any(Scope::Read), whoami),
        Route::get("/grants", "grants", write, for_holders),
        Route::get("/public", "public", Access::Public, whoami),
        // A line with the wrong access: the typed caller still refuses.
        Route::get("/mistaken", "mistaken", Access::Any(Scope::Read), for_developers),
    ]))
}

async fn ask(client: &Client, path: &str) -> Answer {
    client.send_unchecked(client.request(Method::GET, path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn without_credentials_401_says_how_to_authenticate() {
    let client = gated();
    let answer = ask(&client, "/any").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unauthenticated".to_owned()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"kyodaku\"");
    let answer = ask(&client.with_key("kyo_live_unknown"), "/any").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (401, "invalid_credentials".to_owned()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"kyodaku\", error=\"invalid_token\"");
}

#[tokio::test]
async fn the_role_then_the_scope_are_required() {
    let client = gated();
    assert_eq!(ask(&client.with_key(HOLDER), "/grants").await.status, 200);
    let answer = ask(&client.with_key(DEVELOPER), "/grants").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (403, "role_required".to_owned()));
    let answer = ask(&client.with_key(HOLDER_READ_ONLY), "/grants").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (403, "scope_required".to_owned()));
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("permissions:write"),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_handler_knows_its_caller_and_a_public_route_has_none() {
    let client = gated();
    let answer = ask(&client.with_key(DEVELOPER), "/any").await;
    assert!(answer.json::<String>().starts_with("org_"));
    assert_eq!(ask(&client.with_key(DEVELOPER), "/public").await.status, 401);
}

#[tokio::test]
async fn a_typed_caller_refuses_even_when_the_table_errs() {
    let client = gated();
    assert_eq!(ask(&client.with_key(HOLDER), "/mistaken").await.status, 403);
    assert_eq!(ask(&client.with_key(DEVELOPER), "/mistaken").await.status, 200);
}

#[tokio::test]
async fn when_keys_cannot_be_read_nobody_passes() {
    let double = Arc::new(Double::default());
    double.down.store(true, Ordering::SeqCst);
    let any = Route::get("/any", "any", Access::Any(Scope::Read), whoami);
    let client = Client::new(double::router_on(&double, vec![any])).with_key(DEVELOPER);
    let answer = ask(&client, "/any").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".to_owned()));
    assert_eq!(answer.headers["retry-after"], "9");
    assert!(!String::from_utf8_lossy(&answer.body).contains("hunter2"));
}

#[tokio::test]
async fn health_needs_no_floor_below_and_readiness_does() {
    let double = Arc::new(Double::default());
    let client = Client::new(double::router_on(&double, table()));
    assert_eq!(client.get("/readyz").await.status, 200);
    assert_eq!(client.get("/v1/status").await.json::<serde_json::Value>()["log_size"], double::SIZE);
    double.down.store(true, Ordering::SeqCst);
    assert_eq!(client.get("/healthz").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 503);
    assert_eq!(client.get("/v1/status").await.problem(), "unavailable");
}

/// Every operation that is not public refuses a caller without a key, and a key that nobody has.
#[tokio::test]
async fn no_operation_but_the_public_ones_answers_a_stranger() {
    let client = Client::new(double::router(table()));
    for example in crate::world::contract::Contract::shared().example_requests() {
        if example.operation.access == "public" {
            continue;
        }
        let method = Method::from_bytes(example.operation.method.as_bytes()).unwrap();
        for client in [client.clone(), client.with_key("kyo_live_nobody")] {
            let request = client.request(method.clone(), &example.uri).body(Body::empty()).unwrap();
            assert_eq!(client.send(request).await.status, 401, "{:?}", example.operation);
        }
    }
}
