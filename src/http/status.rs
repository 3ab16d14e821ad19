//! Whether the server lives, is ready, and how far it has read the log.

use axum::extract::State;
use data_encoding::BASE64;
use serde::Serialize;

use super::app::App;
use super::problem::Problem;
use super::reply::Reply;
use crate::clock::NOT_BELIEVED;
use crate::registry::answer::moment;

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
    /// The time of the newest entry, RFC 3339 in UTC.
    pub head_at: String,
    /// The version of this server.
    pub server_version: &'static str,
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Result<Reply, Problem> {
    Reply::ok(&Health { status: "alive" })
}

/// `GET /readyz`: neither the node nor a task of it has stopped, its database answers soon, its clock can be right, and the scrub found
/// nothing that does not hold; 503 otherwise. Whoever asks is not counted, so all who ask at the same time share one read.
pub(super) async fn readyz(State(app): State<App>) -> Result<Reply, Problem> {
    if let Some(stopped) = app.registry().stopped() {
        return Err(Problem::unanswered(&stopped).detail(stopped));
    }
    app.registry().ready().await.map_err(|error| Problem::unanswered(&error))?;
    if !app.registry().is_clock_believed() {
        return Err(Problem::unanswered(&NOT_BELIEVED).detail(NOT_BELIEVED));
    }
    if let Some(finding) = app.registry().scrub_finding() {
        return Err(Problem::unanswered(&finding).detail(finding));
    }
    Reply::ok(&Health { status: "ready" })
}

/// `GET /v1/status`.
pub(super) async fn status(State(app): State<App>) -> Result<Reply, Problem> {
    let (head, rule_version) = app.registry().head().await.map_err(|error| Problem::unanswered(&error))?;
    Reply::ok(&Status {
        log_size: head.size(),
        root: BASE64.encode(head.tree().root.as_ref()),
        rule_version,
        head_at: moment(head.at_ms),
        server_version: env!("CARGO_PKG_VERSION"),
        origin: head.origin,
    })
}
