//! `kyodaku compare`: what changed for an item between two moments, and by whose act.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::NoAnswer;
use super::explain::{Past, Question, QuestionArgs, TellArgs, verdict_words};
use super::{Exit, Failure, Outcome, output};
use crate::domain::decision::Verdict;
use crate::domain::uses::Use;

/// Tell what changed for an item between two moments, and by whose act; nothing of it is a permission
///
/// All keys describe one item: a work id, a URL, `sha256:HEX` or `SCHEME:VALUE` each.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    question: QuestionArgs,
    /// The earlier side: the log as it was at a moment, such as `2026-04-01T00:00:00Z`
    #[arg(long, value_name = "MOMENT", required_unless_present = "before_size")]
    before: Option<jiff::Timestamp>,
    /// The earlier side: the log as it was with so many entries
    #[arg(long, value_name = "ENTRIES", conflicts_with = "before")]
    before_size: Option<u64>,
    /// The later side; as the log is where it is not said
    #[arg(long, value_name = "MOMENT")]
    after: Option<jiff::Timestamp>,
    /// The later side: the log as it was with so many entries
    #[arg(long, value_name = "ENTRIES", conflicts_with = "after")]
    after_size: Option<u64>,
    #[command(flatten)]
    tell: TellArgs,
}

#[derive(Serialize)]
struct Asked {
    #[serde(flatten)]
    question: Question,
    before: Option<Past>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Past>,
}

/// A comparison, as far as it is shown.
#[derive(Deserialize)]
struct Comparison {
    hypothetical: bool,
    before: Side,
    after: Side,
    changed: Vec<Changed>,
    acts: Vec<Act>,
    more_acts: bool,
}

#[derive(Deserialize)]
struct Side {
    log_size: u64,
    at: String,
}

#[derive(Deserialize)]
struct Changed {
    r#use: Use,
    before: Verdict,
    after: Verdict,
    by_time_alone: bool,
}

#[derive(Deserialize)]
struct Act {
    entry: u64,
    recorded: String,
    text: String,
    cited: bool,
}

pub(super) async fn run(args: Args) -> Outcome {
    let server = args.tell.server()?;
    let asked = Asked {
        question: args.question.into(),
        before: Past::of(args.before_size, args.before),
        after: Past::of(args.after_size, args.after),
    };
    let told: Box<RawValue> = server.post("/v1/comparisons", &asked, None).await.map_err(NoAnswer::told)?;
    let comparison: Comparison = serde_json::from_str(told.get())
        .map_err(|error| NoAnswer::new(format!("the comparison can't be read: {error}")))?;
    if !comparison.hypothetical {
        return Err(Failure::new("the server does not mark this as a comparison: do not rely on it"));
    }
    if args.tell.json {
        output::line(told);
    } else {
        output::raw(comparison.in_words().as_bytes());
    }
    output::say("a comparison is never a permission: ask with `kyodaku check` before a use");
    Ok(Exit::Done)
}

impl Comparison {
    /// What changed, and the acts between.
    fn in_words(&self) -> String {
        let Self { before, after, .. } = self;
        let mut lines = vec![format!(
            "from {} entries, at {}, to {} entries, at {}",
            before.log_size, before.at, after.log_size, after.at
        )];
        if self.changed.is_empty() {
            lines.push("no answer changed".to_owned());
        }
        lines.extend(self.changed.iter().map(Changed::in_words));
        for act in &self.acts {
            let mark = if act.cited { " *" } else { "" };
            lines.push(format!("entry {}, {}: {}{mark}", act.entry, act.recorded, act.text));
        }
        if self.acts.iter().any(|act| act.cited) {
            lines.push("* an answer names it".to_owned());
        }
        if self.more_acts {
            lines.push("and more acts, which are not told".to_owned());
        }
        lines.into_iter().map(|line| output::plain(&line) + "\n").collect()
    }
}

impl Changed {
    fn in_words(&self) -> String {
        let why = if self.by_time_alone { ", by time alone" } else { "" };
        let (leaf, before, after) = (self.r#use, verdict_words(self.before), verdict_words(self.after));
        if self.before == self.after {
            format!("{leaf}: {after} as before, for other reasons{why}")
        } else {
            format!("{leaf}: {before} before, {after} after{why}")
        }
    }
}
