//! Whether the server lives, is ready, and how far it has read the log.

use axum::extract::State;
use serde::Serialize;

use super::app::App;
use super::problem::Problem;
use super::reply::Reply;

/// The head of the log as this node has read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The name of the log, the first line of its checkpoints.
    pub origin: String,
    /// How many entries the log holds here.
    pub log_size: u64,
    /// The root hash of the tree of that size, standard base64 of 32 bytes.
    pub root: String,
    /// The version of the rules in force.
    pub rule_version: u32,
    /// The time of the newest entry, milliseconds since 1970 (UTC); `null` while the log is empty.
    pub head_at_ms: Option<i64>,
    /// The version of this server.
    pub server_version: String,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Result<Reply, Problem> {
    Reply::ok(&Health { status: "alive" })
}

/// `GET /readyz`: the floors below answer; 503 otherwise.
pub(super) async fn readyz(State(app): State<App>) -> Result<Reply, Problem> {
    app.backend().status().await?;
    Reply::ok(&Health { status: "ready" })
}

/// `GET /v1/status`.
pub(super) async fn status(State(app): State<App>) -> Result<Reply, Problem> {
    Reply::ok(&app.backend().status().await?)
}
