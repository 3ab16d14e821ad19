//! `kyodaku checks`: what was asked before, and answered.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{ClientArgs, Server};
use super::pages::row;
use super::{Exit, Failure, Outcome, output, pages};
use crate::domain::ids::{CheckId, InquiryId, OrgId, WorkId};

/// Look through the checks, the latest first: by developer, work and time
///
/// A developer sees its own; auditors everybody's, and investigators those that an inquiry lays open. With `--grants` the works that a check
/// permitted, each with the entries of the grants on which that rested.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Whose questions they were
    #[arg(long, value_name = "ORG")]
    developer: Option<OrgId>,
    /// That matched this work
    #[arg(long, value_name = "WORK")]
    work: Option<WorkId>,
    /// Answered at this moment or later, such as `2026-04-01T00:00:00Z`
    #[arg(long, value_name = "MOMENT")]
    since: Option<jiff::Timestamp>,
    /// Answered before this moment
    #[arg(long, value_name = "MOMENT")]
    until: Option<jiff::Timestamp>,
    /// As far as this inquiry of yours goes, under which an investigator reads
    #[arg(long, value_name = "INQUIRY")]
    inquiry: Option<InquiryId>,
    /// The grants on which the permissions of this check rested
    #[arg(long, value_name = "CHECK", conflicts_with_all = ["developer", "work", "since", "until"])]
    grants: Option<CheckId>,
    /// Print each as the server tells it
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a table
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is asked for.
#[derive(Serialize)]
struct Query {
    developer: Option<OrgId>,
    work: Option<WorkId>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    inquiry: Option<InquiryId>,
}

#[derive(Deserialize)]
struct Line {
    check: String,
    developer: String,
    #[serde(default)]
    asked_by: Option<String>,
    at: String,
    items: u64,
    permitted: u64,
}

#[derive(Deserialize)]
struct Rest {
    work: String,
    uses: Vec<String>,
    rests_on: Vec<u64>,
}

pub(super) async fn run(args: Args) -> Outcome {
    let server = Server::new(&args.client)?;
    let Args { developer, work, since, until, inquiry, .. } = args;
    let query = Query { developer, work, since, until, inquiry };
    if let Some(check) = args.grants {
        if args.csv {
            output::raw(&row(["work", "uses", "rests_on"])?);
        }
        let path = format!("/v1/checks/{check}/grants");
        let told = pages::each(&server, &path, &query, |item| tell_grants(&args, item)).await?;
        pages::count(told, "permitted work", "permitted works");
        return Ok(Exit::Done);
    }
    if args.csv {
        output::raw(&row(["check", "at", "developer", "asked_by", "items", "permitted"])?);
    }
    let told = pages::each(&server, "/v1/checks", &query, |item| tell(&args, item)).await?;
    pages::count(told, "check", "checks");
    Ok(Exit::Done)
}

/// Whether somebody still reads.
fn tell(args: &Args, item: &RawValue) -> Result<bool, Failure> {
    if args.json {
        return Ok(pages::as_told(item));
    }
    let Line { check, developer, asked_by, at, items, permitted } = pages::read(item)?;
    let asked_by = asked_by.unwrap_or_default();
    if args.csv {
        let (items, permitted) = (items.to_string(), permitted.to_string());
        return Ok(output::raw(&row([&check, &at, &developer, &asked_by, &items, &permitted])?));
    }
    let by = if asked_by.is_empty() { String::new() } else { format!(", by {asked_by}") };
    let text = format!("{check} {at} for {developer}{by}: {permitted} of {items} items permitted");
    Ok(output::line(output::plain(&text)))
}

fn tell_grants(args: &Args, item: &RawValue) -> Result<bool, Failure> {
    if args.json {
        return Ok(pages::as_told(item));
    }
    let Rest { work, uses, rests_on } = pages::read(item)?;
    let entries: Vec<String> = rests_on.iter().map(u64::to_string).collect();
    let (uses, entries) = (uses.join(" "), entries.join(" "));
    if args.csv {
        return Ok(output::raw(&row([&work, &uses, &entries])?));
    }
    let entries = if entries.is_empty() {
        "the item asked otherwise than the whole check: see its answer".to_owned()
    } else {
        format!("entries {entries}")
    };
    Ok(output::line(output::plain(&format!("{work} for {uses}: {entries}"))))
}
