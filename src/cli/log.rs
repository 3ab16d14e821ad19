//! `kyodaku log`: the act log, looked through.

#[cfg(feature = "parquet")]
mod parquet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{ClientArgs, Server};
use super::explain::language;
use super::pages::row;
use super::{Exit, Failure, Outcome, output, pages};
use crate::domain::explain::Lang;
use crate::domain::ids::{InquiryId, OrgId, WorkId};

/// Look through the act log, as an auditor or under an inquiry: by work, organization, type and time
///
/// Each entry is a line: its place, when it was recorded, and who did what. With `--json` a line is the entry as the server tells it, with
/// the bytes that were hashed; with `--csv` a table for a spreadsheet, in which no cell is taken for a formula.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// About this work
    #[arg(long, value_name = "WORK")]
    work: Option<WorkId>,
    /// Naming this organization
    #[arg(long, value_name = "ORG")]
    party: Option<OrgId>,
    /// Of this type, such as `grant.revoked`
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Recorded at this moment or later, such as `2026-04-01T00:00:00Z`
    #[arg(long, value_name = "MOMENT")]
    since: Option<jiff::Timestamp>,
    /// Recorded before this moment
    #[arg(long, value_name = "MOMENT")]
    until: Option<jiff::Timestamp>,
    /// As far as this inquiry of yours goes, under which an investigator reads
    #[arg(long, value_name = "INQUIRY")]
    inquiry: Option<InquiryId>,
    /// The language of the words: `ja` or `en`; that of the terminal where it is not said
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    lang: Option<Lang>,
    /// Print each entry as the server tells it
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a table
    #[arg(long)]
    csv: bool,
    /// Write a table into this Parquet file, which must not be there
    #[cfg(feature = "parquet")]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    parquet: Option<std::path::PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is asked for.
#[derive(Serialize)]
struct Query<'a> {
    work: Option<WorkId>,
    party: Option<OrgId>,
    r#type: Option<&'a str>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    inquiry: Option<InquiryId>,
}

#[derive(Deserialize)]
struct Line {
    index: u64,
    recorded: String,
    r#type: String,
    party: String,
    #[serde(default)]
    on_behalf_of: Option<String>,
    works: Vec<String>,
    text: String,
    #[cfg(feature = "parquet")]
    entry: String,
}

pub(super) async fn run(args: Args) -> Outcome {
    let server = Server::new(&args.client)?;
    let server = args.lang.map_or(server.clone(), |lang| server.speaking(lang));
    if args.csv {
        output::raw(&row(["entry", "recorded", "type", "party", "on_behalf_of", "works", "text"])?);
    }
    let query = Query {
        work: args.work,
        party: args.party,
        r#type: args.kind.as_deref(),
        since: args.since,
        until: args.until,
        inquiry: args.inquiry,
    };
    #[cfg(feature = "parquet")]
    if let Some(path) = &args.parquet {
        let mut table = parquet::Table::create(path)?;
        let push = |item: &RawValue| table.push(pages::read(item)?).map(|()| true);
        let told = pages::each(&server, "/v1/log", &query, push).await?;
        table.finish()?;
        pages::count(told, "entry", "entries");
        return Ok(Exit::Done);
    }
    let told = pages::each(&server, "/v1/log", &query, |item| tell(&args, item)).await?;
    pages::count(told, "entry", "entries");
    Ok(Exit::Done)
}

/// Whether somebody still reads.
fn tell(args: &Args, item: &RawValue) -> Result<bool, Failure> {
    if args.json {
        return Ok(pages::as_told(item));
    }
    let line: Line = pages::read(item)?;
    if !args.csv {
        let text = output::plain(&line.text);
        return Ok(output::line(format_args!("{} {} {text}", line.index, output::plain(&line.recorded))));
    }
    let (index, works) = (line.index.to_string(), line.works.join(" "));
    let behalf = line.on_behalf_of.unwrap_or_default();
    let cells = [&index, &line.recorded, &line.r#type, &line.party, &behalf, &works, &line.text];
    Ok(output::raw(&row(cells.map(String::as_str))?))
}
