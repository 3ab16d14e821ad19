//! What waits for the registrar, confirming it many at once, and approving as the second person.

use std::collections::HashSet;
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::once;
use crate::cli::client::{ClientArgs, NoAnswer, Server};
use crate::cli::import::results;
use crate::cli::{Exit, Failure, Outcome, output};
use crate::domain::ids::{BindingId, HoldingId, OrgId, ProposalId, WorkId};

/// The most holdings and bindings that one act confirms.
const MAX_CONFIRMED: usize = 1_000;
/// How much of standard input is read.
const MAX_INPUT_BYTES: u64 = 1 << 20;
/// How many things are asked for at once.
const PAGE: u16 = 200;

/// Show what waits for the registrar: unconfirmed holdings and keys, claims, open disputes; one JSON object a line
#[derive(Debug, clap::Args)]
pub(super) struct Queue {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    client: ClientArgs,
}

/// Confirm holdings and keys that wait, many at once; prints the proposals that a second person must approve
///
/// Only what waits is confirmed, and nothing that a proposal names already, so it can be run again. Keys that were another
/// work's when they were asserted count as claims and are left to be judged one by one. What is to be confirmed must be said:
/// `--holder`, `--work` or, for everything that anybody asserted, `--all`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(true).args(["holder", "work", "all"]))]
pub(super) struct Confirm {
    #[command(flatten)]
    filter: Filter,
    /// Everything that waits, whoever asserted it
    #[arg(long, conflicts_with_all = ["holder", "work", "results"])]
    all: bool,
    /// Only what an import made: its results file. It is the holder's own, so `--holder` must say whose things it may name
    #[arg(long, value_name = "FILE", requires = "holder")]
    results: Option<PathBuf>,
    /// What evidence was seen
    #[arg(long, value_name = "TEXT")]
    evidence: String,
    #[command(flatten)]
    client: ClientArgs,
}

/// Show what waits for a second person of the registrar, one JSON object a line
#[derive(Debug, clap::Args)]
pub(super) struct Proposals {
    #[command(flatten)]
    client: ClientArgs,
}

/// Approve proposals as the second person
#[derive(Debug, clap::Args)]
pub(super) struct Approve {
    /// The proposals; `-` reads them from the lines of standard input
    #[arg(required = true, value_name = "PROPOSAL")]
    proposals: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct Filter {
    /// Only of this holder, claimant, or who tied the key
    #[arg(long, value_name = "ORG")]
    holder: Option<OrgId>,
    /// Only of this work
    #[arg(long, value_name = "WORK")]
    work: Option<WorkId>,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// One thing that waits, as far as confirming needs to know.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Waiting {
    Holding { holding: HoldingId },
    Binding { binding: BindingId, contests: bool },
    Claim {},
    Dispute {},
}

impl Filter {
    fn query(&self) -> String {
        let holder = self.holder.map(|id| format!("&holder={id}")).unwrap_or_default();
        let work = self.work.map(|id| format!("&work={id}")).unwrap_or_default();
        format!("/v1/queue?limit={PAGE}{holder}{work}")
    }
}

/// Asks for every page of a list, and gives each item to `take`.
async fn each(
    server: &Server,
    path: &str,
    mut take: impl FnMut(Box<RawValue>) -> Result<ControlFlow<()>, Failure>,
) -> Result<(), Failure> {
    let mut next: Option<String> = None;
    loop {
        let cursor = next.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: Page<Box<RawValue>> =
            server.get(&format!("{path}{cursor}")).await.map_err(NoAnswer::told)?;
        for item in page.items {
            if take(item)?.is_break() {
                return Ok(());
            }
        }
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// Prints every item of a list as it is.
async fn print(server: &Server, path: &str) -> Outcome {
    // A reader that went away wants no more pages.
    each(server, path, |item| {
        Ok(if output::line(item) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })
    .await?;
    Ok(Exit::Done)
}

pub(super) async fn queue(args: Queue) -> Outcome {
    print(&Server::new(&args.client)?, &args.filter.query()).await
}

pub(super) async fn proposals(args: Proposals) -> Outcome {
    print(&Server::new(&args.client)?, &format!("/v1/proposals?limit={PAGE}")).await
}

#[derive(Serialize)]
struct Judge<'a> {
    holdings: &'a [HoldingId],
    bindings: &'a [BindingId],
    evidence: Evidence<'a>,
}

#[derive(Serialize)]
struct Evidence<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct Judged {
    #[serde(default)]
    proposal: Option<ProposalId>,
}

/// What is to be confirmed, and what is left to be judged one by one.
#[derive(Default)]
struct ToConfirm {
    holdings: Vec<HoldingId>,
    bindings: Vec<BindingId>,
    contested: u64,
}

pub(super) async fn confirm(args: Confirm) -> Outcome {
    let server = Server::new(&args.client)?;
    let wanted = match &args.results {
        None => None,
        Some(path) => Some(wanted(&server, path).await?),
    };
    let proposed = proposed(&server).await?;
    let is_wanted =
        |id: &str| !proposed.contains(id) && wanted.as_ref().is_none_or(|wanted| wanted.contains(id));
    let mut found = ToConfirm::default();
    each(&server, &args.filter.query(), |item| {
        let waiting = serde_json::from_str(item.get())
            .map_err(|error| NoAnswer::new(format!("the queue can't be read: {error}")))?;
        match waiting {
            Waiting::Holding { holding } if is_wanted(&holding.to_string()) => found.holdings.push(holding),
            Waiting::Binding { binding, contests } if is_wanted(&binding.to_string()) => {
                if contests {
                    found.contested += 1;
                } else {
                    found.bindings.push(binding);
                }
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    let (proposals, failure) = judge(&server, &found, &args.evidence).await;
    let (holdings, bindings) = (found.holdings.len(), found.bindings.len());
    output::say(format_args!(
        "{holdings} holdings and {bindings} keys; {proposals} proposals wait for a second person"
    ));
    if found.contested > 0 {
        let contested = found.contested;
        output::say(format_args!(
            "{contested} keys were another work's when they were asserted: judge them one by one"
        ));
    }
    failure.map_or(Ok(Exit::Done), Err)
}

/// Confirms in acts of at most [`MAX_CONFIRMED`]; how many of them wait for a second person, and what went wrong with the
/// others, each of which is told. Only a server that is not there ends it.
async fn judge(server: &Server, found: &ToConfirm, text: &str) -> (u64, Option<Failure>) {
    let (mut waiting, mut failure) = (0, None);
    let of_holdings = found.holdings.chunks(MAX_CONFIRMED).map(|some| (some, &[][..]));
    let of_bindings = found.bindings.chunks(MAX_CONFIRMED).map(|some| (&[][..], some));
    for (holdings, bindings) in of_holdings.chain(of_bindings) {
        let body = Judge { holdings, bindings, evidence: Evidence { text } };
        match server.post::<Judged>("/v1/assertions/confirm", &body, Some(&once())).await {
            Ok(judged) => {
                waiting += u64::from(judged.proposal.is_some());
                judged.proposal.map(output::line);
            }
            Err(none) => {
                let ids: Vec<String> = holdings.iter().map(HoldingId::to_string).collect();
                let ids =
                    ids.into_iter().chain(bindings.iter().map(BindingId::to_string)).collect::<Vec<_>>();
                let told = Failure { message: with_ids(&none.why, &ids), ..none.told() };
                if told.code == 69 {
                    return (waiting, Some(told));
                }
                output::say(&told.message);
                let message = "some were not confirmed, as told above: mend that, and run it again";
                failure = Some(Failure::new(message));
            }
        }
    }
    (waiting, failure)
}

/// A message with the ids in place of the numbers under which they were sent.
fn with_ids(message: &str, ids: &[String]) -> String {
    let of_place = |place: &str| {
        let number = place.strip_prefix("/holdings/").or_else(|| place.strip_prefix("/bindings/"))?;
        ids.get(number.parse::<usize>().ok()?).map(String::as_str)
    };
    let parts = message.split('`').map(|part| of_place(part).unwrap_or(part));
    parts.collect::<Vec<_>>().join("`")
}

#[derive(Deserialize)]
struct State {
    state: String,
}

/// The ids that some proposal names which waits for a second person.
async fn proposed(server: &Server) -> Result<HashSet<String>, Failure> {
    let mut ids = HashSet::new();
    each(server, &format!("/v1/proposals?limit={PAGE}"), |item| {
        let state: State = serde_json::from_str(item.get())
            .map_err(|error| NoAnswer::new(format!("the proposals can't be read: {error}")))?;
        if state.state != "waiting" {
            return Ok(ControlFlow::Continue(()));
        }
        let words = item.get().split('"').filter(|word| word.starts_with("hld_") || word.starts_with("bnd_"));
        ids.extend(words.map(ToOwned::to_owned));
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    Ok(ids)
}

/// The ids of everything that an import made, at this registry.
async fn wanted(server: &Server, path: &std::path::Path) -> Result<HashSet<String>, Failure> {
    let (_, rows) = results::read_all(path)?;
    if let Some(work) = rows.iter().find_map(|row| row.work.as_deref()) {
        let found = server.get::<IgnoredAny>(&format!("/v1/works/{work}")).await;
        found
            .map_err(|none| none.about(&format!("the work `{work}` of `{}`", path.display())))
            .map_err(NoAnswer::told)?;
    }
    Ok(rows.into_iter().flat_map(|row| row.holdings.into_iter().chain(row.bindings)).collect())
}

/// A proposal, as far as it is told before it is approved.
#[derive(Deserialize)]
struct Told {
    operation: String,
    proposed_by: String,
    created: String,
    command: Box<RawValue>,
}

impl Told {
    fn in_words(&self, id: ProposalId) -> String {
        let count =
            |prefix: &str| self.command.get().split('"').filter(|word| word.starts_with(prefix)).count();
        let Self { operation, proposed_by, created, .. } = self;
        let (holdings, bindings) = (count("hld_"), count("bnd_"));
        format!("`{id}`: {operation} by {proposed_by} at {created}, {holdings} holdings and {bindings} keys")
    }
}

pub(super) async fn approve(args: Approve) -> Outcome {
    let server = Server::new(&args.client)?;
    let proposals = if args.proposals == ["-"] {
        let lines: Result<Vec<_>, _> = std::io::stdin().lock().take(MAX_INPUT_BYTES).lines().collect();
        lines.map_err(|error| Failure::new(format!("standard input can't be read: {error}")))?
    } else {
        args.proposals
    };
    let proposals = proposals.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let read = |text: &str| {
        text.parse::<ProposalId>()
            .map_err(|error| Failure::usage(format!("`{}`: {error}", output::plain(text))))
    };
    let proposals = proposals.map(read).collect::<Result<Vec<_>, _>>()?;
    if proposals.is_empty() {
        return Err(Failure::usage("there is no proposal to approve"));
    }
    let (mut approved, mut failed) = (0_usize, false);
    for proposal in &proposals {
        match approve_one(&server, *proposal).await {
            Ok(()) => approved += 1,
            Err(none) => {
                let told = none.about(&format!("proposal `{proposal}`")).told();
                if told.code == 69 {
                    output::say(format_args!("{approved} approved"));
                    return Err(told);
                }
                output::say(told.message);
                failed = true;
            }
        }
    }
    output::say(format_args!("{approved} approved"));
    if failed {
        return Err(Failure::new("the others were not approved, as told above"));
    }
    Ok(Exit::Done)
}

async fn approve_one(server: &Server, proposal: ProposalId) -> Result<(), NoAnswer> {
    let path = format!("/v1/proposals/{proposal}");
    let proposed: Told = server.get(&path).await?;
    output::say(proposed.in_words(proposal));
    let body = serde_json::Map::new();
    let _: IgnoredAny = server.post(&format!("{path}/approve"), &body, Some(&once())).await?;
    Ok(())
}
