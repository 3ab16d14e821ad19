//! `kyodaku unanswered`: what waits for an answer.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{ClientArgs, Server};
use super::{Exit, Failure, Outcome, output, pages};
use crate::domain::ids::{InquiryId, OrgId, WorkId};

/// List what waits for an answer, the oldest first, as an auditor or under an inquiry
///
/// What waits for the registrar: unconfirmed holdings and keys, claims, open disputes. What waits for others: requests of developers, and
/// notices to them. None of it is consent.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// About this work
    #[arg(long, value_name = "WORK")]
    work: Option<WorkId>,
    /// Of this organization
    #[arg(long, value_name = "ORG")]
    party: Option<OrgId>,
    /// As far as this inquiry of yours goes, under which an investigator reads
    #[arg(long, value_name = "INQUIRY")]
    inquiry: Option<InquiryId>,
    /// Print each as the server tells it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is asked for.
#[derive(Serialize)]
struct Query {
    work: Option<WorkId>,
    party: Option<OrgId>,
    inquiry: Option<InquiryId>,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    work: Named,
    entry: u64,
    #[serde(alias = "holder", alias = "claimant")]
    by: Option<Org>,
}

#[derive(Deserialize)]
struct Named {
    work: String,
    title: Option<String>,
}

#[derive(Deserialize)]
struct Org {
    organization: String,
    name: Option<String>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let server = Server::new(&args.client)?;
    let Args { work, party, inquiry, .. } = args;
    let query = Query { work, party, inquiry };
    let told = pages::each(&server, "/v1/unanswered", &query, |item| tell(&args, item)).await?;
    pages::count(told, "waits for an answer", "wait for an answer");
    Ok(Exit::Done)
}

/// Whether somebody still reads.
fn tell(args: &Args, item: &RawValue) -> Result<bool, Failure> {
    if args.json {
        return Ok(pages::as_told(item));
    }
    let Line { r#type, work, entry, by } = pages::read(item)?;
    let title = work.title.map(|title| format!(" {title}")).unwrap_or_default();
    let by = by.map(|org| format!(", {}", org.name.unwrap_or(org.organization))).unwrap_or_default();
    let text = format!("{entry} {type}: {}{title}{by}", work.work);
    Ok(output::line(output::plain(&text)))
}
