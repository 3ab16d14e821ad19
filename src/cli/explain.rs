//! `kyodaku explain`: what would be answered, or would have been, and why, step by step.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::check::item::key;
use super::client::{ClientArgs, NoAnswer, Server};
use super::context::{Context, ContextArgs};
use super::{Exit, Failure, Outcome, output};
use crate::domain::decision::Verdict;
use crate::domain::explain::Lang;
use crate::domain::ids::OrgId;
use crate::domain::key::SubjectKey;
use crate::domain::uses::Use;

/// Explain an answer, of now, of the past or of a supposed moment; an explanation is never a permission
///
/// All keys describe one item: a work id, a URL, `sha256:HEX` or `SCHEME:VALUE` each.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    question: QuestionArgs,
    /// From the log as it was with so many entries
    #[arg(long, value_name = "ENTRIES", conflicts_with = "as_of")]
    as_of_size: Option<u64>,
    /// From the log as it was at a moment, such as `2026-04-01T00:00:00Z`
    #[arg(long, value_name = "MOMENT")]
    as_of: Option<jiff::Timestamp>,
    /// As if it were this moment
    #[arg(long, value_name = "MOMENT")]
    at: Option<jiff::Timestamp>,
    #[command(flatten)]
    tell: TellArgs,
}

/// An item, and who would do what with it, as flags.
#[derive(Debug, clap::Args)]
pub(super) struct QuestionArgs {
    /// The keys of the item
    #[arg(required = true, value_name = "KEY", value_parser = key)]
    keys: Vec<SubjectKey>,
    #[command(flatten)]
    context: ContextArgs,
    /// Who would use it; your own organization where it is not said
    #[arg(long, value_name = "ORG")]
    developer: Option<OrgId>,
}

/// How the answer is told, and by whom.
#[derive(Debug, clap::Args)]
pub(super) struct TellArgs {
    /// The language of the words: `ja` or `en`; that of the terminal where it is not said
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    lang: Option<Lang>,
    /// Print the answer as the server gives it
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    client: ClientArgs,
}

impl TellArgs {
    /// The server that is asked.
    pub(super) fn server(&self) -> Result<Server, Failure> {
        let server = Server::new(&self.client)?;
        Ok(self.lang.map_or(server.clone(), |lang| server.speaking(lang)))
    }
}

/// The language that an argument names.
pub(super) fn language(text: &str) -> Result<Lang, String> {
    match text {
        "ja" => Ok(Lang::Ja),
        "en" => Ok(Lang::En),
        _ => Err("expected `ja` or `en`".to_owned()),
    }
}

/// What is asked.
#[derive(Serialize)]
pub(super) struct Asked {
    #[serde(flatten)]
    pub(super) question: Question,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) as_of: Option<Past>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<jiff::Timestamp>,
}

/// An item, and who would do what with it.
#[derive(Serialize)]
pub(super) struct Question {
    pub(super) context: Context,
    pub(super) item: Item,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) developer: Option<OrgId>,
}

impl From<QuestionArgs> for Question {
    fn from(args: QuestionArgs) -> Self {
        let QuestionArgs { keys, context, developer } = args;
        Self { context: context.into(), item: Item { keys }, developer }
    }
}

#[derive(Serialize)]
pub(super) struct Item {
    pub(super) keys: Vec<SubjectKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Past {
    LogSize(u64),
    Moment(jiff::Timestamp),
}

impl Past {
    /// The log of a size, or else of a moment; none where neither is said.
    pub(super) fn of(size: Option<u64>, at: Option<jiff::Timestamp>) -> Option<Self> {
        size.map(Self::LogSize).or(at.map(Self::Moment))
    }
}

/// An explanation, as far as it is shown.
#[derive(Deserialize)]
pub(super) struct Explanation {
    hypothetical: bool,
    log_size: u64,
    at: String,
    rule_version: u32,
    pub(super) item: ItemTold,
    steps: Vec<StepTold>,
    more_steps: bool,
    pub(super) words: Vec<Words>,
}

#[derive(Deserialize)]
pub(super) struct ItemTold {
    pub(super) verdict: Verdict,
    uses: Vec<UseTold>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct UseTold {
    r#use: Use,
    verdict: Verdict,
    #[serde(default)]
    reasons: Vec<ReasonTold>,
}

#[derive(Deserialize)]
struct ReasonTold {
    code: String,
    #[serde(default)]
    work: Option<String>,
    #[serde(default)]
    ask: Vec<String>,
    #[serde(default)]
    entries: Vec<u64>,
}

#[derive(Deserialize)]
struct StepTold {
    text: String,
    #[serde(default)]
    entries: Vec<u64>,
}

/// A code in words.
#[derive(Deserialize)]
pub(super) struct Words {
    pub(super) code: String,
    pub(super) text: String,
}

pub(super) async fn run(args: Args) -> Outcome {
    let server = args.tell.server()?;
    let as_of = Past::of(args.as_of_size, args.as_of);
    let asked = Asked { question: args.question.into(), as_of, at: args.at };
    let told: Box<RawValue> = server.post("/v1/explanations", &asked, None).await.map_err(NoAnswer::told)?;
    let explanation: Explanation = serde_json::from_str(told.get())
        .map_err(|error| NoAnswer::new(format!("the explanation can't be read: {error}")))?;
    if !explanation.hypothetical {
        return Err(Failure::new("the server does not mark this as an explanation: do not rely on it"));
    }
    if args.tell.json {
        output::line(told);
    } else {
        output::raw(explanation.in_words().as_bytes());
    }
    output::say("an explanation is never a permission: ask with `kyodaku check` before a use");
    Ok(Exit::Done)
}

impl Explanation {
    /// The verdict for each use, what the reasons mean, and the steps.
    fn in_words(&self) -> String {
        let Self { log_size, rule_version, item, .. } = self;
        let mut lines = vec![format!("as of {log_size} entries, at {}, by rules {rule_version}", self.at)];
        lines.extend(item.error.as_ref().map(|error| format!("can't be read: {error}")));
        for answer in &item.uses {
            lines.push(format!("{}: {}", answer.r#use, verdict_words(answer.verdict)));
            lines.extend(answer.reasons.iter().map(|reason| format!("  {}", reason.in_words())));
        }
        lines.extend(self.words.iter().map(|words| format!("{}: {}", words.code, words.text)));
        let steps = (1..).zip(&self.steps);
        lines.extend(
            steps.map(|(number, step)| format!("{number:>3}. {}{}", step.text, rests_on(&step.entries))),
        );
        if self.more_steps {
            lines.push("     and more steps, which are not told".to_owned());
        }
        lines.into_iter().map(|line| output::plain(&line) + "\n").collect()
    }
}

/// The verdict in words.
pub(super) const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Permitted => "permitted",
        Verdict::NotPermitted => "not permitted",
    }
}

impl ReasonTold {
    fn in_words(&self) -> String {
        let work = self.work.as_ref().map(|work| format!(" {work}")).unwrap_or_default();
        let ask = if self.ask.is_empty() { String::new() } else { format!(", ask {}", self.ask.join(" ")) };
        format!("{}{work}{ask}{}", self.code, rests_on(&self.entries))
    }
}

fn rests_on(entries: &[u64]) -> String {
    match entries {
        [] => String::new(),
        entries => {
            let noun = if entries.len() == 1 { "entry" } else { "entries" };
            let list: Vec<String> = entries.iter().map(ToString::to_string).collect();
            format!(" ({noun} {})", list.join(", "))
        }
    }
}
