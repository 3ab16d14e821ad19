//! `kyodaku monitor` beside a real server, and beside servers that lie.

mod canned;
mod ended;
mod quorum;

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use data_encoding::BASE64;
use kyodaku::http::server::{self, Limits};
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner};
use kyodaku::log::merkle::{Hash, leaf_hash};
use kyodaku::log::proof::prove_consistency;
use kyodaku::log::tile::{TileBuilder, TileSet};
use kyodaku::store::Engine;
use serde_json::{Value, json};

use super::serve::{Server, create_registrar, serve};
use super::{Said, kyodaku, said};
use crate::world::World;

const ORIGIN: &str = "log.example/acts";

/// Looks once.
fn look(url: &str, key: &str, folder: &Path, more: &[&str]) -> Said {
    let mut command = kyodaku();
    command.args(["monitor", "--once", "--url", url, "--log", key, "--folder"]).arg(folder).args(more);
    said(command.output().unwrap())
}

/// A server that shows one history, of the mark, up to a size; the test changes both.
#[derive(Clone)]
struct Liar {
    shown: Arc<Mutex<(&'static str, u64)>>,
    signer: Arc<Mutex<CheckpointSigner>>,
}

fn signer(seed: u8) -> CheckpointSigner {
    CheckpointSigner::from_seed(ORIGIN, &[seed; 32]).unwrap()
}

fn tree(mark: &str, size: u64) -> (kyodaku::log::merkle::TreeHead, TileSet) {
    let leaves: Vec<Hash> = (0..size).map(|at| leaf_hash(format!("{mark} {at}").as_bytes())).collect();
    let mut builder = TileBuilder::new();
    let mut tiles = TileSet::new();
    for write in builder.append(&leaves) {
        tiles.insert(write.id, write.data);
    }
    (builder.head(), tiles)
}

#[derive(serde::Deserialize)]
struct Sizes {
    old: u64,
    new: u64,
}

impl Liar {
    async fn begin() -> (Self, String) {
        let liar = Self { shown: Arc::new(Mutex::new(("a", 5))), signer: Arc::new(Mutex::new(signer(0x5a))) };
        let checkpoint = async |State(liar): State<Self>| {
            let (mark, size) = *liar.shown.lock().unwrap();
            liar.signer.lock().unwrap().sign(&Checkpoint::new(ORIGIN, tree(mark, size).0)).unwrap()
        };
        let consistency = async |State(liar): State<Self>, Query(Sizes { old, new }): Query<Sizes>| {
            let (mark, _) = *liar.shown.lock().unwrap();
            let proof = prove_consistency(&tree(mark, new).1, old, new).map_err(|_| StatusCode::NOT_FOUND)?;
            let hashes: Vec<String> = proof.iter().map(|hash| BASE64.encode(&hash.0)).collect();
            Ok::<_, StatusCode>(json!({ "old": old, "new": new, "hashes": hashes }).to_string())
        };
        // The same page, and always one more.
        let entries =
            async || json!({ "items": [{ "index": 2, "entry": "{}" }], "next": "again" }).to_string();
        let router = Router::new()
            .route("/v1/entries", get(entries))
            .route("/logs", get(async || canned::list()))
            .route("/logs/acts/checkpoint", get(checkpoint))
            .route("/logs/acts/proofs/consistency", get(consistency))
            .with_state(liar.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            server::serve(listener, router, Limits::default(), std::future::pending()).await
        });
        (liar, url)
    }

    fn show(&self, mark: &'static str, size: u64) {
        *self.shown.lock().unwrap() = (mark, size);
    }
}

fn evidence(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().flatten().map(|file| file.file_name());
    names.filter(|name| name.to_string_lossy().starts_with("evidence-")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lies_is_told_and_the_proof_of_it_kept() {
    let key = signer(0x5a).verifier_key().to_string();
    let cases: [(&str, &'static str, u64, u8); 6] = [
        ("fork", "b", 5, 0x5a),
        ("fork", "b", 9, 0x5a),
        ("rollback", "a", 4, 0x5a),
        ("rollback", "a", 0, 0x5a),
        ("signature", "a", 9, 0x33),
        ("", "a", 9, 0x5a),
    ];
    for (expected, mark, size, seed) in cases {
        let (liar, url) = Liar::begin().await;
        let folder = tempfile::tempdir().unwrap();
        let (url, key, path) = (url.clone(), key.clone(), folder.path().to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let first = look(&url, &key, &path, &[]);
            assert_eq!((first.code, first.out.as_str()), (0, ""), "{}", first.err);
            liar.show(mark, size);
            *liar.signer.lock().unwrap() = signer(seed);
            (look(&url, &key, &path, &[]), look(&url, &key, &path, &[]))
        });
        let (second, third) = looked.await.unwrap();
        if expected.is_empty() {
            assert_eq!((second.code, second.out.as_str(), third.code), (0, "", 0), "{}", second.err);
            assert_eq!(std::fs::read_dir(folder.path().join("checkpoints")).unwrap().count(), 2);
            assert_eq!(evidence(folder.path()), 0);
            continue;
        }
        for told in [&second, &third] {
            assert_eq!(told.code, 1, "{expected} {mark} {size}: {}", told.err);
            assert!(told.out.starts_with(&format!("alarm {expected}: ")), "{}", told.out);
        }
        assert_eq!(evidence(folder.path()), 1, "{expected}");
        assert_eq!(std::fs::read_dir(folder.path().join("checkpoints")).unwrap().count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_stands_still_and_one_that_is_gone_are_told_apart() {
    let (liar, url) = Liar::begin().await;
    let key = signer(0x5a).verifier_key().to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || {
        assert_eq!(look(&url, &key, &path, &["--stall", "3600"]).code, 0);
        // As if it had last grown in 1970.
        let place = path.join("place.json");
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
        kept["grown_ms"] = json!(0);
        std::fs::write(&place, kept.to_string()).unwrap();
        assert_eq!(look(&url, &key, &path, &[]).code, 0, "nobody asked");
        let still = look(&url, &key, &path, &["--stall", "3600"]);
        assert_eq!(still.code, 1);
        assert!(still.out.starts_with("alarm stall: the log has had 5 entries"), "{}", still.out);
        liar.show("a", 6);
        assert_eq!(look(&url, &key, &path, &["--stall", "3600"]).code, 0);
        let gone = look("http://127.0.0.1:1", &key, &path, &[]);
        assert_eq!((gone.code, gone.out.as_str()), (69, ""), "{}", gone.err);
        // A memory that somebody altered is not believed either.
        std::fs::write(path.join("checkpoints/6"), "nonsense").unwrap();
        let altered = look(&url, &key, &path, &[]);
        assert_eq!((altered.code, altered.out.as_str()), (1, ""), "{}", altered.err);
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_tells_entries_without_an_end_is_not_listened_to() {
    let (_, url) = Liar::begin().await;
    let key = signer(0x5a).verifier_key().to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let told = tokio::task::spawn_blocking(move || {
        look(&url, &key, &path, &["--api-key", "any", "--watch", "wrk_x"])
    });
    let told = told.await.unwrap();
    assert_eq!(told.code, 69, "{}", told.err);
    assert!(told.err.contains("not told in their order"), "{}", told.err);
}

#[test]
fn a_watched_entry_of_a_real_registry_is_told_once() {
    crate::world::run(Engine::Sqlite, async |world: World| {
        let first = create_registrar(&world, "first");
        let (org, key) = (first["organization"].as_str().unwrap(), first["key"].as_str().unwrap());
        let mut server = Server::start(&mut serve(&world));
        let logs: Value = reqwest::get(format!("{}/logs", server.url)).await.unwrap().json().await.unwrap();
        let log = logs["items"][0]["keys"][0]["verifier_key"].as_str().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let watch = |id: &str| {
            let mut command = kyodaku();
            command.args(["monitor", "--once", "--url", &server.url, "--log", &log, "--watch", id]);
            command.arg("--folder").arg(folder.path()).env("KYODAKU_API_KEY", key);
            said(command.output().unwrap())
        };
        let told = watch(org);
        assert_eq!(told.code, 1, "{}", told.err);
        let lines: Vec<&str> = told.out.lines().collect();
        assert!(
            !lines.is_empty() && lines.iter().all(|line| line.starts_with("alarm watched: entry ")),
            "{lines:?}"
        );
        assert!(lines.iter().all(|line| line.contains(org)));
        let again = watch(org);
        assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
        create_registrar(&world, "second");
        assert_eq!(watch("wrk_01h455vb4pex5vsknk084sn02q").code, 0, "it names something else");
        assert_eq!(server.stop(), 0);
    });
}

#[test]
fn a_monitor_without_a_key_of_the_log_is_refused() {
    assert_eq!(super::run(["monitor", "--once"]).code, 2);
    assert_eq!(super::run(["monitor", "--once", "--log", "log.example"]).code, 2);
    let key = signer(0x5a).verifier_key().to_string();
    let watching = super::run(["monitor", "--once", "--log", &key, "--watch", "wrk_x"]);
    assert_eq!(watching.code, 2, "{}", watching.err);
    assert!(watching.err.contains("KYODAKU_API_KEY"), "{}", watching.err);
}
