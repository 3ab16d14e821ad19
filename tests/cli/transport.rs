//! Every command that asks a server over HTTP does so within the same limits.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use futures_util::stream;
use kyodaku::http::server::{self, Limits};
use kyodaku::log::checkpoint::CheckpointSigner;

use super::{Said, kyodaku, said};

async fn served(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(
        async move { server::serve(listener, router, Limits::default(), std::future::pending()).await },
    );
    url
}

/// What each kind of command that asks a server says of this one.
async fn asked(url: &str) -> Vec<(&'static str, Said)> {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let log = CheckpointSigner::from_seed("log.example/acts", &[1; 32]).unwrap();
    let log = log.verifier_key().to_string();
    let (kept, exported) = (place("monitor"), place("logs"));
    let commands = [
        ("monitor", vec!["monitor", "--once", "--log", &log, "--folder", &kept, "--url", url]),
        ("export", vec!["export", &exported, "--url", url]),
        ("verify log", vec!["verify", "log", url]),
        ("explain", vec!["explain", "--use", "search", "https://hoshikuzu.example/1", "--url", url]),
    ];
    let mut told = Vec::new();
    for (name, words) in commands {
        let mut command = kyodaku();
        command.args(words).args(["--timeout", "2"]).env("KYODAKU_API_KEY", "kyo_live_any");
        let said = tokio::task::spawn_blocking(move || said(command.output().unwrap())).await.unwrap();
        told.push((name, said));
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_from_elsewhere_one_without_an_end_and_none_at_all_are_no_answers() {
    let followed = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&followed);
    let elsewhere = move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { "{}" }
    };
    let away = async || (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/elsewhere")]);
    let endless = async || {
        let all = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 1 << 13])));
        ([(CONTENT_TYPE, "application/json")], Body::from_stream(all))
    };
    let silent = async || std::future::pending::<()>().await;
    let servers = [
        ("away", Router::new().route("/elsewhere", axum::routing::any(elsewhere)).fallback(away)),
        ("endless", Router::new().fallback(endless)),
        ("silent", Router::new().fallback(silent)),
    ];
    for (kind, router) in servers {
        for (name, told) in asked(&served(router.clone()).await).await {
            assert_eq!((told.code, told.out.as_str()), (69, ""), "{name}, {kind}: {}", told.err);
        }
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0, "a redirect was followed");
}

#[tokio::test]
async fn what_is_not_the_address_of_a_server_is_refused() {
    for url in [
        "ftp://registry.example",
        "https://",
        "https://u:secret-word@registry.example",
        "https://secret-word@registry.example",
        "https://u:secret-word/x@registry.example",
        "https://u:secret-word@",
        "u:secret-word@registry.example",
        "https://registry.example/?q",
    ] {
        // What is no address is a folder for `verify log`.
        let is_address = |name: &str| name != "verify log" || url.starts_with("https:");
        for (name, told) in asked(url).await.into_iter().filter(|(name, _)| is_address(name)) {
            assert_eq!(told.code, 2, "{name}, {url}: {}", told.err);
            let said = format!("{}{}", told.out, told.err);
            assert!(!said.contains("secret-word"), "{name}, {url}: {said}");
            assert_eq!(said.contains("no user and no password"), url.contains('@'), "{name}, {url}: {said}");
        }
    }
}
