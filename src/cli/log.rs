//! `kyodaku log`: the act log, looked through.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{ClientArgs, NoAnswer, Server};
use super::explain::language;
use super::{Exit, Failure, Outcome, output};
use crate::domain::explain::Lang;
use crate::domain::ids::{OrgId, WorkId};

/// Look through the act log, as an auditor: by work, organization, type and time
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
    /// The language of the words: `ja` or `en`; that of the terminal where it is not said
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    lang: Option<Lang>,
    /// Print each entry as the server tells it
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print a table
    #[arg(long)]
    csv: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is asked for, without a cursor.
#[derive(Serialize)]
struct Query<'a> {
    work: Option<WorkId>,
    party: Option<OrgId>,
    r#type: Option<&'a str>,
    since: Option<jiff::Timestamp>,
    until: Option<jiff::Timestamp>,
    limit: u16,
    cursor: Option<&'a str>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
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
}

/// How many entries are asked for at once.
const LIMIT: u16 = 200;

pub(super) async fn run(args: Args) -> Outcome {
    let server = Server::new(&args.client)?;
    let server = args.lang.map_or(server.clone(), |lang| server.speaking(lang));
    let mut cursor: Option<String> = None;
    let mut told = 0_u64;
    if args.csv {
        output::raw(row(["entry", "recorded", "type", "party", "on_behalf_of", "works", "text"])?.as_slice());
    }
    loop {
        let query = Query {
            work: args.work,
            party: args.party,
            r#type: args.kind.as_deref(),
            since: args.since,
            until: args.until,
            limit: LIMIT,
            cursor: cursor.as_deref(),
        };
        let query = serde_urlencoded::to_string(query).map_err(|error| Failure::new(error.to_string()))?;
        let page: Page = server.get(&format!("/v1/log?{query}")).await.map_err(NoAnswer::told)?;
        for item in &page.items {
            told += 1;
            if !tell(&args, item)? {
                return Ok(Exit::Done);
            }
        }
        match page.next {
            // A server that tells the same place again tells no end.
            Some(next) if Some(&next) != cursor.as_ref() => cursor = Some(next),
            Some(_) => return Err(Failure::new("the server told the same page twice")),
            None => break,
        }
    }
    output::say(format_args!("{told} {}", if told == 1 { "entry" } else { "entries" }));
    Ok(Exit::Done)
}

/// Whether somebody still reads.
fn tell(args: &Args, item: &RawValue) -> Result<bool, Failure> {
    if args.json {
        return Ok(output::line(item));
    }
    let line: Line = serde_json::from_str(item.get())
        .map_err(|error| NoAnswer::new(format!("an entry can't be read: {error}")))?;
    if !args.csv {
        let text = output::plain(&line.text);
        return Ok(output::line(format_args!("{} {} {text}", line.index, output::plain(&line.recorded))));
    }
    let (index, works) = (line.index.to_string(), line.works.join(" "));
    let behalf = line.on_behalf_of.unwrap_or_default();
    let cells = [&index, &line.recorded, &line.r#type, &line.party, &behalf, &works, &line.text];
    Ok(output::raw(&row(cells.map(String::as_str))?))
}

/// A row in which no cell is taken for a formula (OWASP: CSV injection).
fn row(cells: [&str; 7]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let cells = cells.map(|cell| {
        if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
    });
    writer.write_record(cells).map_err(|error| Failure::new(error.to_string()))?;
    writer.into_inner().map_err(|error| Failure::new(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn no_cell_is_a_formula() {
        let cells = ["=1+1", "+1", "-1", "@a", "\tx", "a,\"b\"", "plain"];
        let told = String::from_utf8(row(cells).unwrap()).unwrap();
        assert_eq!(told, "'=1+1,'+1,'-1,'@a,'\tx,\"a,\"\"b\"\"\",plain\r\n");
    }
}
