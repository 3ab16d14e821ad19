//! `kyodaku check`: may these items be used so? Everything is permitted, or the command does not end with 0.

mod ask;
pub(super) mod item;
mod keep;
mod reply;
mod spool;
mod table;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::client::{ClientArgs, Server};
use super::context::{Context, ContextArgs};
use super::{Exit, Failure, Outcome, output};
use crate::domain::decision::{Reason, ReasonCode};
use crate::domain::explain::{Ids, words};
use item::Source;
use keep::Keep;

/// Ask whether items may be used: ends with 0 if all are permitted, 10 if not, 69 if there is no answer
///
/// An item is a work id, a URL, `sha256:HEX` or `SCHEME:VALUE`. Items are arguments, or lines of `--file` or of
/// standard input; a line that begins with `{` is an item as the API takes it. No answer, a broken answer or a short
/// one is never a permission, and then nothing is printed on standard output.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The items; `-` or nothing reads lines of standard input
    #[arg(value_name = "ITEM", conflicts_with = "file")]
    items: Vec<String>,
    /// Read items from the lines of a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    context: ContextArgs,
    /// Keep the answer as it came in a new file, from which `kyodaku receipt --answer` makes receipts
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Print one JSON object an item, and one about the whole
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> Outcome {
    let context = Context::from(args.context);
    let server = Server::new(&args.client)?;
    let source = Source::open(&args.items, args.file.as_deref())?;
    let bar = progress_bar(&source);
    let keep = args.keep.as_deref().map(Keep::new).transpose()?;
    let answered = ask::ask(&server, &context, source, args.json, keep, &bar).await;
    bar.finish_and_clear();
    let mut answered = answered?;
    answered.spool.copy_to_stdout()?;
    let total = &answered.total;
    if args.json {
        let line = serde_json::to_string(total).map_err(|error| Failure::new(error.to_string()))?;
        output::line(line);
    }
    output::say(total.in_words());
    if !args.json {
        explain(&total.reasons);
    }
    Ok(if total.items > 0 && total.not_permitted == 0 { Exit::Done } else { Exit::NotPermitted })
}

/// What each reason means and what to do about it, in the language of the terminal.
fn explain(reasons: &BTreeMap<String, ReasonCode>) {
    let lang = output::language();
    for (name, code) in reasons {
        let reason = Reason::of(*code);
        output::say(format_args!("{name}: {}", words(&reason, lang, &Ids)));
    }
}

fn progress_bar(source: &Source) -> ProgressBar {
    if !source.is_long() || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {human_pos} items answered, {per_sec}, {elapsed}")
    {
        bar.set_style(style);
    }
    bar
}
