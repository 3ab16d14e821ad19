//! Witnesses: ours cosigns what the specification says, and nothing else; and those of others stop nothing here, whatever they do.

mod asked;
mod protocol;

use std::sync::Arc;

use axum::Router;
use kyodaku::clock::Clock;
use kyodaku::http::server;
use kyodaku::http::witness::{limits, router};
use kyodaku::log::checkpoint::{Cosigner, VerifierKey};
use kyodaku::registry::witness::Witness;
use kyodaku::store::Db;

const NAME: &str = "witness.example/w1";
const SEED: [u8; 32] = [0x77; 32];

fn cosigner() -> Cosigner {
    Cosigner::from_seed(NAME, &SEED).unwrap()
}

/// A witness of these logs on this database.
fn witness(db: Db, logs: impl IntoIterator<Item = VerifierKey>, clock: Clock) -> Arc<Witness> {
    Arc::new(Witness::of(db, cosigner(), logs, clock))
}

/// Serves a router on a port of its own until the test ends; gives its URL.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { server::serve(listener, router, limits(), std::future::pending()).await });
    url
}

async fn serve_witness(witness: Arc<Witness>) -> String {
    serve(router(witness)).await
}
