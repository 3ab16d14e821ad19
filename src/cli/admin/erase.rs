//! Erasing what people read of an entry.

use serde::Deserialize;

use super::once;
use crate::cli::client::{ClientArgs, NoAnswer, Server};
use crate::cli::{Exit, Outcome, output};
use crate::domain::ids::ProposalId;

/// Erase what people read of an entry, for good: titles, a name, a note; prints the proposal that a second person must approve
///
/// The log keeps the entry, and shows that it was erased, by whom and when; every proof holds as before. Keep the reason elsewhere: it is
/// not asked. Backups that were made before still have it.
#[derive(Debug, clap::Args)]
pub(super) struct Erase {
    /// The entry, counted from 0
    entry: u64,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Deserialize)]
struct Erased {
    #[serde(default)]
    proposal: Option<ProposalId>,
}

pub(super) async fn erase(args: Erase) -> Outcome {
    let server = Server::new(&args.client)?;
    let path = format!("/v1/entries/{}/erasure", args.entry);
    let body = serde_json::Map::new();
    let erased: Erased = server.post(&path, &body, Some(&once())).await.map_err(NoAnswer::told)?;
    match erased.proposal {
        Some(proposal) => {
            output::line(proposal);
            output::say("nothing is erased yet: a second person of the registrar must approve the proposal");
        }
        None => output::say("it is erased; see `docs/operating.md` about backups that were made before"),
    }
    Ok(Exit::Done)
}
