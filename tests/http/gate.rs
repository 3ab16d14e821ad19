//! Who may call what, as the gate alone decides it.

use axum::body::Body;
use axum::http::Method;
use kyodaku::http::gate::{Access, Caller, Roles, Scope};
use kyodaku::http::routes::{Route, table};
use kyodaku::http::{Problem, Reply};
use kyodaku::registry::authority::{Developer, Holder, Proof, Verified};
use kyodaku::registry::credential::Secret;

use super::node::{Node, Peopled};
use crate::world::client::{Answer, Client};

async fn whoami(caller: Caller) -> Result<Reply, Problem> {
    Reply::ok(&caller.actor().org().to_string())
}

async fn verified(by: Verified) -> Result<Reply, Problem> {
    Reply::ok(&by.actor().org().to_string())
}

async fn for_holders(holder: Holder) -> Result<Reply, Problem> {
    Reply::ok(&holder.actor().org().to_string())
}

async fn for_developers(developer: Developer) -> Result<Reply, Problem> {
    Reply::ok(&developer.actor().org().to_string())
}

fn routes() -> Vec<Route> {
    let write = Access::Role(Roles::HOLDERS, Scope::PermissionsWrite);
    vec![
        Route::get("/any", "any", Access::Any(Scope::Read), whoami),
        Route::get("/grants", "grants", write, for_holders),
        Route::get("/public", "public", Access::Public, whoami),
        // Lines with the wrong access: the typed caller still refuses.
        Route::get("/mistaken", "mistaken", Access::Any(Scope::Read), for_developers),
        Route::get("/own", "own", Access::Own, verified),
    ]
}

async fn ask(client: &Client, path: &str) -> Answer {
    client.send_unchecked(client.request(Method::GET, path).body(Body::empty()).unwrap()).await
}

fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.problem())
}

#[tokio::test]
async fn without_credentials_401_says_how_to_authenticate() {
    let client = Client::new(Node::new().await.router(routes()));
    let answer = ask(&client, "/any").await;
    assert_eq!(outcome(&answer), (401, "unauthenticated".to_owned()));
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"kyodaku\"");
    let unknown = ask(&client.with_key(Secret::new().expose()), "/any").await;
    let mistyped = ask(&client.with_key("kyo_live_mistyped"), "/any").await;
    for answer in [&unknown, &mistyped] {
        assert_eq!(outcome(answer), (401, "invalid_credentials".to_owned()));
        assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"kyodaku\", error=\"invalid_token\"");
    }
    assert!(String::from_utf8_lossy(&mistyped.body).contains("checksum"));
    assert!(!String::from_utf8_lossy(&unknown.body).contains("checksum"));
}

#[tokio::test]
async fn the_role_then_the_scope_are_required() {
    let peopled = Peopled::new().await;
    let client = Client::new(peopled.node.router(routes()));
    assert_eq!(ask(&client.with_key(&peopled.holder.key), "/grants").await.status, 200);
    let answer = ask(&client.with_key(&peopled.developer.key), "/grants").await;
    assert_eq!(outcome(&answer), (403, "role_required".to_owned()));
    let answer = ask(&client.with_key(&peopled.reader.key), "/grants").await;
    assert_eq!(outcome(&answer), (403, "scope_required".to_owned()));
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("permissions:write"),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_handler_knows_its_caller_and_a_public_route_has_none() {
    let peopled = Peopled::new().await;
    let client = Client::new(peopled.node.router(routes())).with_key(&peopled.developer.key);
    assert_eq!(ask(&client, "/any").await.json::<String>(), peopled.developer.org);
    assert_eq!(ask(&client, "/public").await.status, 401);
}

#[tokio::test]
async fn a_typed_caller_refuses_even_when_the_table_errs() {
    let peopled = Peopled::new().await;
    let client = Client::new(peopled.node.router(routes()));
    assert_eq!(ask(&client.with_key(&peopled.holder.key), "/mistaken").await.status, 403);
    assert_eq!(ask(&client.with_key(&peopled.developer.key), "/mistaken").await.status, 200);
    assert_eq!(ask(&client.with_key(&peopled.developer.key), "/own").await.status, 403);
}

#[tokio::test]
async fn when_keys_cannot_be_read_nobody_passes() {
    let peopled = Peopled::new().await;
    let client = Client::new(peopled.node.router(routes())).with_key(&peopled.holder.key);
    assert_eq!(ask(&client, "/any").await.status, 200);
    peopled.node.lose_database().await;
    let answer = ask(&client, "/any").await;
    assert_eq!(outcome(&answer), (503, "unavailable".to_owned()));
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(!String::from_utf8_lossy(&answer.body).contains("pool"), "the cause is not the caller's affair");
}

#[tokio::test]
async fn health_needs_no_floor_below_and_readiness_does() {
    let node = Node::new().await;
    let client = Client::new(node.router(table()));
    assert_eq!(client.get("/readyz").await.status, 200);
    assert_eq!(client.get("/v1/status").await.json::<serde_json::Value>()["log_size"], 2);
    node.lose_database().await;
    assert_eq!(client.get("/healthz").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 503);
    assert_eq!(client.get("/v1/status").await.problem(), "unavailable");
}
