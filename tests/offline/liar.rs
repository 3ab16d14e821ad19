//! A server that lies while its logs are exported: what it says ends nowhere but in the folder, and never as a whole log.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use kyodaku::http::server::{self, Limits};
use serde_json::{Value, json};

use super::{Site, asked, findings};
use crate::cli::{Said, kyodaku, said};
use crate::world::World;
use kyodaku::store::Engine;

/// What becomes of the body of an answer.
type Lie = fn(Vec<u8>) -> Vec<u8>;

/// The server at this URL, whose answers below `path` are others.
async fn lying(router: Router, path: &'static str, lie: Lie) -> String {
    let tell = async move |request: Request, next: Next| -> Response {
        let is_meant = request.uri().path().starts_with(path);
        let answer = next.run(request).await;
        if !is_meant || answer.status() != StatusCode::OK {
            return answer;
        }
        let told = lie(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec());
        if told == b"gone" { StatusCode::NOT_FOUND.into_response() } else { Body::from(told).into_response() }
    };
    let tell = Arc::new(tell);
    let router = router.layer(middleware::from_fn(move |request, next| {
        let tell = Arc::clone(&tell);
        async move { tell(request, next).await }
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        server::serve(listener, router, Limits::default(), std::future::pending()).await;
    });
    url
}

async fn run(url: &str, key: &str, words: &[&str]) -> Said {
    let mut command = kyodaku();
    command.args(words).env("KYODAKU_URL", url).env("KYODAKU_API_KEY", key);
    tokio::task::spawn_blocking(move || said(command.output().unwrap())).await.unwrap()
}

fn flip(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[0] ^= 1;
    bytes
}

fn json_with(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut told: Value = serde_json::from_slice(bytes).unwrap();
    change(&mut told);
    told.to_string().into_bytes()
}

/// Where it lies, how, how the export ends, and what is said of it.
const LIES: &[(&str, Lie, i32, &str)] = &[
    ("/logs/acts/checkpoint", flip, 65, "not believed"),
    ("/logs/acts/checkpoint", |_| b"gone".to_vec(), 65, "lacks `acts/checkpoint`"),
    ("/logs/acts/checkpoint", |_| vec![b'x'; 2_000_000], 65, "longer than 1,000,000 bytes"),
    ("/logs/acts/checkpoints/1", flip, 65, "not believed"),
    ("/logs/acts/tile/0/", flip, 65, "do not hash to the root"),
    ("/logs/acts/tile/0/", |_| Vec::new(), 65, "has not the length"),
    ("/logs/acts/tile/0/", |_| vec![0; 100_000], 65, "has not the length"),
    ("/logs/acts/tile/0/", |_| b"gone".to_vec(), 65, "lacks `acts/tile/0/"),
    ("/logs/acts/tile/entries/", |_| vec![0; 7], 65, "has not the length"),
    ("/logs/checks-a/tile/entries/", |_| b"gone".to_vec(), 65, "lacks `checks-a/tile/entries/"),
    ("/logs/acts/checkpoints", |it| twice(&it), 69, "not told in their order"),
    (
        "/logs/acts/checkpoints",
        |it| json_with(&it, |told| told["next"] = json!("&limit=1#")),
        69,
        "next page",
    ),
    ("/logs/acts/checkpoints", |_| vec![b'['; 3 << 20], 69, "can't be read"),
];

fn twice(bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(b"{") {
        json_with(bytes, |told| told["items"][1] = told["items"][0].clone())
    } else {
        bytes.to_vec()
    }
}

/// Names that lead out of the folder, and other lists that no server tells.
const LISTS: &[Lie] = &[
    |it| json_with(&it, |told| told["items"][1]["log"] = json!("../../escaped")),
    |it| json_with(&it, |told| told["items"][1]["log"] = json!("checks-../escaped")),
    |it| json_with(&it, |told| told["items"][1]["log"] = json!("checks-a/../../escaped")),
    |it| json_with(&it, |told| told["items"][1]["log"] = json!("acts")),
    |it| json_with(&it, |told| told["items"][1]["origin"] = json!("other.example")),
    |it| json_with(&it, |told| told["items"] = json!([])),
    |it| json_with(&it, |told| told["items"][0]["keys"][0]["verifier_key"] = json!("x+y+z")),
    |_| b"[".to_vec(),
];

#[test]
fn what_a_server_tells_otherwise_is_never_a_whole_export() {
    crate::world::run(Engine::Sqlite, async |world: World| {
        let site = Site::open(&world).await;
        let lists = LISTS.iter().map(|lie| ("/logs", *lie, 69, "the list of logs"));
        for (path, lie, code, words) in LIES.iter().copied().chain(lists) {
            let url = lying(site.stage.router.clone(), path, lie).await;
            let above = tempfile::tempdir().unwrap();
            let folder = above.path().join("logs");
            let told = run(&url, &site.auditor.key, &["export", folder.to_str().unwrap()]).await;
            assert_eq!((told.code, told.out.as_str()), (code, ""), "{path}: {words}: {}", told.err);
            let is_list = path == "/logs";
            assert!(is_list || told.err.contains(words), "{path}: {words}: {}", told.err);
            let names = |path: &std::path::Path| -> Vec<String> {
                let entries = std::fs::read_dir(path).unwrap().flatten();
                entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
            };
            assert_eq!(names(above.path()), ["logs"], "{path}: {words}");
            assert!(names(&folder).contains(&"incomplete".to_owned()), "{path}: {words}");
            assert!(!is_list || names(&folder) == ["incomplete"], "{path}");
            // Once it tells the truth, the same folder becomes whole.
            let told = run(&site.url, &site.auditor.key, &["export", folder.to_str().unwrap()]).await;
            assert_eq!(told.code, 0, "{path}: {words}: {}", told.err);
            assert_eq!(findings(&folder, &asked(&site.keys().await)).await, [], "{path}: {words}");
        }
    });
}

#[test]
fn what_a_server_tells_otherwise_is_named_over_http_too() {
    crate::world::run(Engine::Postgres, async |world: World| {
        let site = Site::open(&world).await;
        let lies: [(&str, Lie, i32, &str); 4] = [
            ("/logs/acts/tile/0/", flip, 65, "tile_altered, log `acts`, entry 0"),
            ("/logs/acts/tile/entries/", |it| flip_at(it, 20), 65, "entry_altered, log `acts`, entry 0"),
            ("/logs/acts/checkpoints/1", |it| flip_at(it, 3), 65, "log `acts`, file `acts/checkpoints/1"),
            ("/logs", |_| b"[".to_vec(), 69, ""),
        ];
        for (path, lie, code, words) in lies {
            let url = lying(site.stage.router.clone(), path, lie).await;
            let told = run(&url, &site.auditor.key, &["verify", "log", &url]).await;
            assert_eq!(told.code, code, "{path}: {}{}", told.out, told.err);
            assert!(told.out.contains(words), "{path}: {}", told.out);
        }
    });
}

fn flip_at(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}
