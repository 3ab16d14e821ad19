//! `kyodaku inquiry`: inquiries, and their evidence bundles.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{ClientArgs, NoAnswer, Server};
use super::{Exit, Failure, Outcome, output, pages};
use crate::clock::Clock;
use crate::domain::ids::{InquiryId, OrgId, WorkId};
use crate::log::evidence::MAX_ARCHIVE_BYTES;
use crate::store::private;

/// How long a server may gather evidence before it answers.
const GATHERING: Duration = Duration::from_mins(3);

/// Open, list and close inquiries, and fetch their evidence
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Open(Open),
    List(List),
    Show(Show),
    Close(Close),
    Evidence(Evidence),
}

/// Open an inquiry: as the registrar for an auditor or investigator, or as an auditor for oneself
///
/// It lays open what is about one of these works, names one of these organizations and happened within this time. Nothing of that has a
/// default. Prints its id.
#[derive(Debug, clap::Args)]
struct Open {
    /// Who inquires; the caller where nobody is named
    #[arg(long, value_name = "ORG")]
    auditor: Option<OrgId>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// About this work; may be repeated
    #[arg(long = "work", value_name = "WORK", required_unless_present = "any_work")]
    works: Vec<WorkId>,
    /// About whatever work, or none
    #[arg(long, conflicts_with = "works")]
    any_work: bool,
    /// Naming this organization; may be repeated
    #[arg(long = "party", value_name = "ORG", required_unless_present = "any_party")]
    parties: Vec<OrgId>,
    /// Naming whomever
    #[arg(long, conflicts_with = "parties")]
    any_party: bool,
    /// What happened at this moment or later, such as `2026-04-01T00:00:00Z`
    #[arg(long, value_name = "MOMENT")]
    since: jiff::Timestamp,
    /// What happened before this moment, or `open`: without end
    #[arg(long, value_name = "MOMENT|open", value_parser = until)]
    until: Until,
    /// When the inquiry itself ends
    #[arg(long, value_name = "MOMENT")]
    expires: jiff::Timestamp,
    #[command(flatten)]
    client: ClientArgs,
}

/// List the inquiries that one may know of, the newest first
#[derive(Debug, clap::Args)]
struct List {
    /// Print each as the server tells it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// Show an inquiry, as JSON
#[derive(Debug, clap::Args)]
struct Show {
    /// The inquiry
    inquiry: InquiryId,
    #[command(flatten)]
    client: ClientArgs,
}

/// Close an inquiry: nothing is read under it any more
#[derive(Debug, clap::Args)]
struct Close {
    /// The inquiry
    inquiry: InquiryId,
    #[command(flatten)]
    client: ClientArgs,
}

/// Fetch the evidence bundle of an inquiry, to hand on: `kyodaku verify bundle` verifies it offline
#[derive(Debug, clap::Args)]
struct Evidence {
    /// The inquiry
    inquiry: InquiryId,
    /// The file to write, which must not be there
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// How many entries the log had; the newest that is signed where it is not said
    #[arg(long, value_name = "NUMBER")]
    size: Option<u64>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    match args.command {
        Command::Open(args) => open(args).await,
        Command::List(args) => list(args).await,
        Command::Show(Show { inquiry, client }) => {
            let path = format!("/v1/inquiries/{inquiry}");
            output::line(Server::new(&client)?.get::<Value>(&path).await.map_err(NoAnswer::told)?);
            Ok(Exit::Done)
        }
        Command::Close(args) => close(args).await,
        Command::Evidence(args) => evidence(args).await,
    }
}

/// The end of the time that an inquiry lays open; none without end.
#[derive(Clone, Copy, Debug)]
struct Until(Option<jiff::Timestamp>);

fn until(text: &str) -> Result<Until, String> {
    if text == "open" {
        return Ok(Until(None));
    }
    text.parse().map(|at| Until(Some(at))).map_err(|_| "expected a moment, or `open`".to_owned())
}

/// `any`, or only these.
fn scope<T: Serialize>(members: &[T]) -> Value {
    if members.is_empty() { json!("any") } else { json!({ "only": members }) }
}

async fn open(args: Open) -> Outcome {
    #[derive(Deserialize)]
    struct Told {
        #[serde(default)]
        inquiry: Option<String>,
        #[serde(default)]
        proposal: Option<String>,
    }
    let server = Server::new(&args.client)?;
    let mut body = json!({
        "reason": args.reason,
        "works": scope(&args.works),
        "parties": scope(&args.parties),
        "from": args.since,
        "until": args.until.0.map_or_else(|| json!("open"), |until| json!(until)),
        "expires": args.expires,
    });
    if let (Some(auditor), Some(body)) = (args.auditor, body.as_object_mut()) {
        body.insert("auditor".to_owned(), json!(auditor));
    }
    let once = Clock::system().new_uuid().to_string();
    let told: Told = server.post("/v1/inquiries", &body, Some(&once)).await.map_err(NoAnswer::told)?;
    match (told.inquiry, told.proposal) {
        (Some(inquiry), _) => output::line(output::plain(&inquiry)),
        (None, Some(proposal)) => {
            output::say("a second person must approve it: `kyodaku admin approve`");
            output::line(output::plain(&proposal))
        }
        (None, None) => return Err(Failure::new("the server told no inquiry")),
    };
    Ok(Exit::Done)
}

async fn list(args: List) -> Outcome {
    #[derive(Deserialize)]
    struct Line {
        inquiry: String,
        auditor: String,
        state: String,
        expires: String,
        reason: Option<String>,
    }
    let server = Server::new(&args.client)?;
    let told = pages::each(&server, "/v1/inquiries", &(), |item| {
        if args.json {
            return Ok(pages::as_told(item));
        }
        let Line { inquiry, auditor, state, expires, reason } = pages::read(item)?;
        let reason = reason.unwrap_or_else(|| "(erased)".to_owned());
        let text = format!("{inquiry} {state} until {expires}, by {auditor}: {reason}");
        Ok(output::line(output::plain(&text)))
    });
    pages::count(told.await?, "inquiry", "inquiries");
    Ok(Exit::Done)
}

async fn close(args: Close) -> Outcome {
    let server = Server::new(&args.client)?;
    let once = Clock::system().new_uuid().to_string();
    let path = format!("/v1/inquiries/{}/close", args.inquiry);
    let told: Value = server.post(&path, &json!({}), Some(&once)).await.map_err(NoAnswer::told)?;
    if told.get("proposal").is_some() {
        output::say("a second person must approve it: `kyodaku admin approve`");
    }
    Ok(Exit::Done)
}

async fn evidence(args: Evidence) -> Outcome {
    let refuse = |why: &dyn std::fmt::Display| {
        Failure::new(format!("`{}` can't be written: {why}", args.to.display()))
    };
    if args.to.exists() {
        return Err(refuse(&"it is there already, name another file"));
    }
    let server = Server::new(&args.client)?.patient(GATHERING);
    let size = args.size.map(|size| format!("?size={size}")).unwrap_or_default();
    let path = format!("/v1/inquiries/{}/evidence{size}", args.inquiry);
    let bytes =
        server.get_bytes(&path, "application/zip", MAX_ARCHIVE_BYTES).await.map_err(NoAnswer::told)?;
    write_whole(&args.to, &bytes).map_err(|error| refuse(&error))?;
    output::say(format_args!("{} bytes in `{}`", bytes.len(), args.to.display()));
    Ok(Exit::Done)
}

/// Writes a file that its owner alone can read, and that has its name only once it is whole: what is half written convinces nobody.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let mut file = private::to_write().create(true).truncate(true).open(&beside)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // What can't be deleted either still has no name that says that it is whole.
        drop(std::fs::remove_file(&beside));
    }
    written
}
