//! Bodies, paths and headers at the boundary, and a check that nothing goes round it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::stream;
use kyodaku::domain::ids::WorkId;
use kyodaku::http::extract::{AtLeast, IfMatch, Submitted, ValidJson, ValidPath, ValidQuery};
use kyodaku::http::gate::Access;
use kyodaku::http::page::Limit;
use kyodaku::http::routes::Route;
use kyodaku::http::text::Title;
use kyodaku::http::{Problem, Reply};
use serde::Deserialize;
use validator::Validate;

use super::node::Node;
use crate::world::client::{Answer, Client};

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Named {
    #[validate(nested)]
    title: Title,
}

/// What `/submit` answers: key, digest, title.
type Told = (String, Vec<u8>, String);

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct Asked {
    limit: Option<Limit>,
}

async fn echo(ValidJson(named): ValidJson<Named>) -> Result<Reply, Problem> {
    Reply::ok(&named.title)
}

async fn submit(submitted: Submitted<Named>) -> Result<Reply, Problem> {
    Reply::ok(&(submitted.key.as_str(), submitted.digest, submitted.body.title))
}

async fn one(ValidPath(work): ValidPath<WorkId>) -> Result<Reply, Problem> {
    Reply::ok(&work)
}

async fn list(at_least: AtLeast, ValidQuery(asked): ValidQuery<Asked>) -> Result<Reply, Problem> {
    Reply::ok(&(at_least.0, asked.limit))
}

async fn change(_seen: IfMatch) -> Result<Reply, Problem> {
    Ok(Reply::no_content())
}

async fn client() -> Client {
    let node = Node::new().await;
    Client::new(node.router(vec![
        Route::post("/echo", "echo", Access::Public, echo).body_bytes(100).arrival(Duration::from_millis(50)),
        Route::post("/submit", "submit", Access::Public, submit),
        Route::get("/works/{work_id}", "one", Access::Public, one),
        Route::get("/works", "list", Access::Public, list),
        Route::put("/works", "change", Access::Public, change),
    ]))
}

async fn post(path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("content-type", content_type).body(body.into()).unwrap();
    client().await.send_unchecked(request).await
}

async fn get(uri: &str) -> Answer {
    client().await.send_unchecked(Request::get(uri).body(Body::empty()).unwrap()).await
}

fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.problem())
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json() {
    let good = r#"{"title":"星屑の図書館"}"#;
    for accepted in ["application/json", "Application/JSON; charset=UTF-8", "application/vnd.x+json"] {
        assert_eq!(post("/echo", accepted, good).await.status, 200, "{accepted}");
    }
    for refused in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=shift_jis", ""]
    {
        assert_eq!(outcome(&post("/echo", refused, good).await), (415, "unsupported_media_type".to_owned()));
    }
    let none = Request::post("/echo").body(Body::from(good)).unwrap();
    assert_eq!(client().await.send_unchecked(none).await.status, 415);
    let packed = Request::post("/echo")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(Body::from(good));
    assert_eq!(client().await.send_unchecked(packed.unwrap()).await.status, 415);
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit_whether_announced_or_not() {
    let body = |length: usize| format!("{{\"title\":\"{}\"}}", "a".repeat(length - 12));
    assert_eq!(post("/echo", "application/json", body(100)).await.status, 200);
    assert_eq!(
        outcome(&post("/echo", "application/json", body(101)).await),
        (413, "body_too_large".to_owned())
    );
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        body(101).into_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let streamed = Body::from_stream(stream::iter(pieces));
    assert_eq!(post("/echo", "application/json", streamed).await.status, 413);
    let announced = Request::post("/echo")
        .header("content-type", "application/json")
        .header("content-length", "101")
        .body(Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>()));
    assert_eq!(client().await.send_unchecked(announced.unwrap()).await.status, 413);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = post("/echo", "application/json", never).await;
    assert_eq!(outcome(&answer), (408, "request_timeout".to_owned()));
    assert_eq!(answer.headers["connection"], "close");
}

#[tokio::test]
async fn a_broken_body_is_a_problem_with_places() {
    assert_eq!(outcome(&post("/echo", "application/json", "{").await), (400, "invalid_json".to_owned()));
    let answer = post("/echo", "application/json", r#"{"title":"a\u0000","title":"b"}"#).await;
    assert_eq!(outcome(&answer), (422, "invalid_body".to_owned()));
    assert_eq!(answer.json::<serde_json::Value>()["errors"][0]["pointer"], "/title");
}

#[tokio::test]
async fn a_submission_has_a_key_and_a_digest_of_all_that_it_asks() {
    let send = async |key: Option<&str>, body: &'static str| {
        let mut request = Request::post("/submit").header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        client().await.send_unchecked(request.body(Body::from(body)).unwrap()).await
    };
    let missing = send(None, r#"{"title":"a"}"#).await;
    assert_eq!(outcome(&missing), (400, "idempotency_key_required".to_owned()));
    assert_eq!(outcome(&send(Some("a b"), r#"{"title":"a"}"#).await), (400, "invalid_header".to_owned()));
    let first: Told = send(Some("k"), r#"{"title":"a"}"#).await.json();
    let again: Told = send(Some("k"), r#"{"title":"a"}"#).await.json();
    let other: Told = send(Some("k"), r#"{"title":"b"}"#).await.json();
    assert_eq!((first.0.as_str(), first.1.len()), ("k", 32));
    assert_eq!(first, again);
    assert_ne!(first.1, other.1);
}

#[tokio::test]
async fn a_path_that_is_no_id_says_so() {
    assert_eq!(get("/works/wrk_01h455vb4pex5vsknk084sn02q").await.status, 200);
    for bad in ["/works/wrk_1", "/works/org_01h455vb4pex5vsknk084sn02q", "/works/%ff"] {
        let answer = get(bad).await;
        assert_eq!(outcome(&answer), (400, "invalid_path".to_owned()), "{bad}");
        let place = answer.json::<serde_json::Value>()["errors"][0]["pointer"].clone();
        assert_eq!(place, "/work_id", "{bad}");
    }
}

#[tokio::test]
async fn at_least_is_waited_for_and_not_confused_with_other_parameters() {
    assert_eq!(get("/works?at_least=2&limit=3").await.json::<(u64, u16)>(), (2, 3));
    assert_eq!(get("/works?limit=3").await.json::<(Option<u64>, u16)>(), (None, 3));
    let ahead = get("/works?at_least=3").await;
    assert_eq!(outcome(&ahead), (503, "not_caught_up".to_owned()));
    assert_eq!(ahead.headers["retry-after"], "1");
    assert_eq!(outcome(&get("/works?at_least=x").await), (400, "invalid_query".to_owned()));
    assert_eq!(outcome(&get("/works?at-least=1").await), (400, "invalid_query".to_owned()));
}

#[tokio::test]
async fn a_change_needs_the_state_it_was_made_for() {
    let bare = Request::put("/works").body(Body::empty()).unwrap();
    assert_eq!(
        outcome(&client().await.send_unchecked(bare).await),
        (428, "precondition_required".to_owned())
    );
    let seen = Request::put("/works").header("if-match", "\"e1\"").body(Body::empty()).unwrap();
    assert_eq!(client().await.send_unchecked(seen).await.status, 204);
}

/// The names of axum's own extractors of what a client sent.
const BARE: [&str; 9] =
    ["Json", "Form", "RawForm", "Query", "RawQuery", "Path", "RawPathParams", "Multipart", "Bytes"];

/// The bare extractors that a source takes from axum, by import or by path.
fn bare_extractors(source: &str) -> Vec<String> {
    let flat = source.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    for (at, _) in flat.match_indices("axum::") {
        let path: &str = &flat[at..];
        let statement = if flat[..at].ends_with("use ") {
            path.split(';').next().unwrap_or("")
        } else {
            path.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap_or("")
        };
        let words = statement.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        found.extend(words.filter(|word| BARE.contains(word)).map(str::to_owned));
    }
    found
}

#[test]
fn no_handler_takes_a_bare_extractor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http");
    let (mut folders, mut read) = (vec![root.clone()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // The one place that may: it is what handlers take instead.
                if path != root.join("extract") {
                    folders.push(path);
                }
                continue;
            }
            read += 1;
            let found = bare_extractors(&fs::read_to_string(&path).unwrap());
            assert!(found.is_empty(), "{} takes {found:?}, use `http::extract`", path.display());
        }
    }
    assert!(read > 8, "only {read} files");
}

#[test]
fn a_planted_bare_extractor_is_found() {
    assert_eq!(bare_extractors("use axum::{Json, Router};"), ["Json"]);
    assert_eq!(bare_extractors("use axum::extract::{State,\n    Query};"), ["Query"]);
    assert_eq!(bare_extractors("async fn f(axum::Json(x): axum::Json<X>) {}"), ["Json", "Json"]);
    assert_eq!(bare_extractors("use axum::body::{Body, Bytes};"), ["Bytes"]);
    assert!(bare_extractors("use axum::extract::State;\nuse super::page::Json;").is_empty());
}
