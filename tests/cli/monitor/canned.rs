//! A server that answers what a test puts there, and a log to put there.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use data_encoding::BASE64;
use kyodaku::clock::Clock;
use kyodaku::http::server::{self, Limits};
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner, Cosigner};
use kyodaku::log::merkle::{Hash, TreeHead, leaf_hash, root_of};
use kyodaku::log::proof::{prove_consistency, prove_inclusion};
use kyodaku::log::tile::{TileBuilder, TileSet, encode_bundle};
use serde_json::{Value, json};

use crate::cli::{Said, kyodaku, said};

type Answers = Arc<Mutex<HashMap<String, (u16, Vec<u8>)>>>;

/// Where the logs are listed.
pub(super) const LIST: &str = "/logs?limit=200";

/// A list of logs that tells of the act log no more than that it is there.
pub(super) fn list() -> String {
    let told = json!({
        "log": "acts", "origin": super::ORIGIN, "prefix": "/logs/acts", "size": 0, "root": "", "keys": []
    });
    json!({ "items": [told], "next": null }).to_string()
}

fn told(hashes: &[Hash]) -> String {
    let hashes: Vec<String> = hashes.iter().map(|hash| BASE64.encode(&hash.0)).collect();
    json!({ "hashes": hashes }).to_string()
}

/// Answers by path and query; what is not there is 404.
pub(super) struct Canned {
    pub(super) url: String,
    answers: Answers,
    folder: tempfile::TempDir,
}

impl Canned {
    pub(super) async fn begin() -> Self {
        let answers = Answers::default();
        let shared = Arc::clone(&answers);
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().path_and_query().unwrap().to_string();
            let found = shared.lock().unwrap().get(&path).cloned();
            async move {
                let (status, body) = found.unwrap_or((404, Vec::new()));
                (StatusCode::from_u16(status).unwrap(), body)
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            server::serve(listener, router, Limits::default(), std::future::pending()).await
        });
        let server = Self { url, answers, folder: tempfile::tempdir().unwrap() };
        server.put(LIST, list());
        server
    }

    pub(super) fn put(&self, path: &str, body: impl AsRef<[u8]>) {
        self.answers.lock().unwrap().insert(path.to_owned(), (200, body.as_ref().to_vec()));
    }

    /// Refuses it with this status.
    pub(super) fn refuse(&self, path: &str, status: u16) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, Vec::new()));
    }

    /// Puts there that one size of a log continues another one.
    pub(super) fn continues(&self, log: &Log, old: u64, new: u64) {
        let proof = told(&prove_consistency(&log.tiles(new), old, new).unwrap());
        self.put(&format!("/logs/acts/proofs/consistency?old={old}&new={new}"), proof);
    }

    /// Puts there that an entry is in a log.
    pub(super) fn includes(&self, log: &Log, index: u64, size: u64) {
        let proof = told(&prove_inclusion(&log.tiles(size), index, size).unwrap());
        self.put(&format!("/logs/acts/proofs/inclusion?index={index}&size={size}"), proof);
    }

    /// Puts all proofs of a log there.
    pub(super) fn prove(&self, log: &Log) {
        for new in 1..=log.entries.len() as u64 {
            for old in 1..new {
                self.continues(log, old, new);
            }
            for index in 0..new {
                self.includes(log, index, new);
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Looks once, with these further arguments.
    pub(super) async fn look(&self, more: &[&str]) -> Said {
        let mut command = kyodaku();
        command.args(["monitor", "--once", "--url", &self.url, "--folder"]).arg(self.folder()).args(more);
        tokio::task::spawn_blocking(move || said(command.output().unwrap())).await.unwrap()
    }

    /// Looks once, and must be told nothing.
    pub(super) async fn is_well(&self, more: &[&str]) {
        let looked = self.look(more).await;
        assert_eq!((looked.code, looked.out.as_str()), (0, ""), "{}", looked.err);
    }

    /// Looks once, and must be alarmed so.
    pub(super) async fn is_alarmed(&self, more: &[&str], part: &str) {
        let looked = self.look(more).await;
        assert_eq!(looked.code, 1, "{part}: {}{}", looked.out, looked.err);
        assert!(looked.out.starts_with("alarm ") && looked.out.contains(part), "{part}: {}", looked.out);
    }

    /// Looks once, and must be told that there is no answer.
    pub(super) async fn is_silent(&self, more: &[&str], part: &str) {
        let looked = self.look(more).await;
        assert_eq!((looked.code, looked.out.as_str()), (69, ""), "{part}: {}", looked.err);
        assert!(looked.err.contains(part), "{part}: {}", looked.err);
    }

    /// Changes what was kept of where the monitor stands.
    pub(super) fn change_place(&self, change: impl FnOnce(&mut Value)) {
        let path = self.folder().join("place.json");
        let mut place: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut place);
        std::fs::write(&path, place.to_string()).unwrap();
    }
}

/// A log with these entries.
pub(super) struct Log {
    pub(super) entries: Vec<String>,
}

impl Log {
    pub(super) fn of(mark: &str, entries: u64) -> Self {
        Self { entries: (0..entries).map(|at| format!("{{\"{mark}\":{at}}}")).collect() }
    }

    fn leaves(&self, size: u64) -> Vec<Hash> {
        self.entries[..usize::try_from(size).unwrap()].iter().map(|it| leaf_hash(it.as_bytes())).collect()
    }

    fn tiles(&self, size: u64) -> TileSet {
        let mut tiles = TileSet::new();
        for write in TileBuilder::new().append(&self.leaves(size)) {
            tiles.insert(write.id, write.data);
        }
        tiles
    }

    /// The checkpoint of a size, signed by all of these.
    pub(super) fn note(&self, size: u64, signers: &[&CheckpointSigner]) -> String {
        let head = TreeHead { size, root: root_of(&self.leaves(size)) };
        let sign = |signer: &&CheckpointSigner| signer.sign(&Checkpoint::new(signer.origin(), head)).unwrap();
        let (first, others) = signers.split_first().unwrap();
        let lines = others.iter().map(|signer| sign(signer).split_once("\n\n").unwrap().1.to_owned());
        sign(first) + &lines.collect::<String>()
    }

    /// These entries as a bundle.
    pub(super) fn bundle(&self, places: Range<usize>) -> Vec<u8> {
        let entries: Vec<Vec<u8>> =
            self.entries[places].iter().map(|entry| entry.clone().into_bytes()).collect();
        encode_bundle(&entries).unwrap()
    }
}

/// The note with the cosignature of this witness, of so many seconds from now.
pub(super) fn cosigned(note: &str, witness: &Cosigner, in_s: u64) -> String {
    let now_s = u64::try_from(Clock::system().now_ms() / 1_000).unwrap();
    format!("{note}{}", witness.cosign(note.as_bytes(), now_s + in_s).unwrap())
}
