//! What waits for the registrar, confirming it many at once, and approving as the second person.

use std::collections::HashSet;
use std::io::BufRead;
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
/// Only what waits is confirmed, so it can be run again. Keys that were another work's when they were asserted count as
/// claims and are left to be judged one by one.
#[derive(Debug, clap::Args)]
pub(super) struct Confirm {
    #[command(flatten)]
    filter: Filter,
    /// Only what an import made: its results file
    #[arg(long, value_name = "FILE")]
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
    mut take: impl FnMut(Box<RawValue>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut next: Option<String> = None;
    loop {
        let cursor = next.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page: Page<Box<RawValue>> =
            server.get(&format!("{path}{cursor}")).await.map_err(NoAnswer::told)?;
        page.items.into_iter().try_for_each(&mut take)?;
        match page.next {
            Some(cursor) => next = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// Prints every item of a list as it is.
async fn print(server: &Server, path: &str) -> Outcome {
    each(server, path, |item| {
        output::line(item);
        Ok(())
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

pub(super) async fn confirm(args: Confirm) -> Outcome {
    let wanted = match &args.results {
        None => None,
        Some(path) => Some(wanted(path)?),
    };
    let is_wanted = |id: &str| wanted.as_ref().is_none_or(|wanted| wanted.contains(id));
    let server = Server::new(&args.client)?;
    let (mut holdings, mut bindings, mut contested) = (Vec::new(), Vec::new(), 0_u64);
    each(&server, &args.filter.query(), |item| {
        let waiting = serde_json::from_str(item.get())
            .map_err(|error| NoAnswer::new(format!("the queue can't be read: {error}")))?;
        match waiting {
            Waiting::Holding { holding } if is_wanted(&holding.to_string()) => holdings.push(holding),
            Waiting::Binding { binding, contests } if is_wanted(&binding.to_string()) => {
                if contests {
                    contested += 1;
                } else {
                    bindings.push(binding);
                }
            }
            _ => {}
        }
        Ok(())
    })
    .await?;
    let proposals = judge(&server, &holdings, &bindings, &args.evidence).await?;
    let (holdings, bindings) = (holdings.len(), bindings.len());
    output::say(format_args!(
        "{holdings} holdings and {bindings} keys; {proposals} proposals wait for a second person"
    ));
    if contested > 0 {
        output::say(format_args!(
            "{contested} keys were another work's when they were asserted: judge them one by one"
        ));
    }
    Ok(Exit::Done)
}

/// Confirms in acts of at most [`MAX_CONFIRMED`]; how many of them wait for a second person.
async fn judge(
    server: &Server,
    holdings: &[HoldingId],
    bindings: &[BindingId],
    text: &str,
) -> Result<u64, Failure> {
    let mut waiting = 0;
    let of_holdings = holdings.chunks(MAX_CONFIRMED).map(|some| (some, &[][..]));
    let of_bindings = bindings.chunks(MAX_CONFIRMED).map(|some| (&[][..], some));
    for (holdings, bindings) in of_holdings.chain(of_bindings) {
        let body = Judge { holdings, bindings, evidence: Evidence { text } };
        let judged: Judged =
            server.post("/v1/assertions/confirm", &body, Some(&once())).await.map_err(NoAnswer::told)?;
        if let Some(proposal) = judged.proposal {
            waiting += 1;
            output::line(proposal);
        }
    }
    Ok(waiting)
}

/// The ids of everything that an import made.
fn wanted(path: &std::path::Path) -> Result<HashSet<String>, Failure> {
    let made =
        results::read_all(path)?.into_iter().flat_map(|row| row.holdings.into_iter().chain(row.bindings));
    Ok(made.collect())
}

pub(super) async fn approve(args: Approve) -> Outcome {
    let server = Server::new(&args.client)?;
    let proposals = if args.proposals == ["-"] {
        let lines: Result<Vec<_>, _> = std::io::stdin().lock().lines().collect();
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
    for proposal in &proposals {
        let path = format!("/v1/proposals/{proposal}/approve");
        let _: IgnoredAny = server
            .post(&path, &serde_json::Map::new(), Some(&once()))
            .await
            .map_err(|none| none.about(&format!("proposal `{proposal}`")))
            .map_err(NoAnswer::told)?;
    }
    output::say(format_args!("{} approved", proposals.len()));
    Ok(Exit::Done)
}
