//! The lines of the answer, and whether they can be believed.
//!
//! They are read into structs, which refuse a member that is there twice; members that are not known are passed over,
//! because a later server may say more.

use serde::{Deserialize, Serialize};

use super::item::Asked;
use crate::cli::client::Problem;
use crate::cli::context::Context;
use crate::domain::decision::{ReasonCode, Verdict};
use crate::domain::ids::{CheckId, ModelId, WorkId};
use crate::domain::territory::Territory;
use crate::domain::uses::Use;

/// One line: exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    #[serde(default)]
    check: Option<Chunk>,
    #[serde(default)]
    item: Option<ItemReply>,
    #[serde(default)]
    end: Option<End>,
    #[serde(default)]
    error: Option<Problem>,
}

/// One line, by its kind.
#[derive(Debug)]
pub(super) enum Told {
    Chunk(Chunk),
    Item(Box<ItemReply>),
    End(End),
    Error(Problem),
}

impl Line {
    pub(super) fn told(self) -> Result<Told, String> {
        match (self.check, self.item, self.end, self.error) {
            (Some(chunk), None, None, None) => Ok(Told::Chunk(chunk)),
            (None, Some(item), None, None) => Ok(Told::Item(Box::new(item))),
            (None, None, Some(end), None) => Ok(Told::End(end)),
            (None, None, None, Some(problem)) => Ok(Told::Error(problem)),
            _ => Err("a line of the answer is not one of `check`, `item`, `end` and `error`".to_owned()),
        }
    }
}

/// What is said of all items of one chunk.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) check: CheckId,
    pub(super) at: String,
    pub(super) log_size: u64,
    pub(super) recheck_by: String,
    #[serde(default)]
    pub(super) valid_until: Option<String>,
    pub(super) permitted: u64,
    pub(super) not_permitted: u64,
}

/// The closing line.
#[derive(Debug, Deserialize)]
pub(super) struct End {
    pub(super) items: u64,
    pub(super) permitted: u64,
    pub(super) not_permitted: u64,
    pub(super) checks: Vec<CheckId>,
}

/// The answer for one item.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ItemReply {
    #[serde(skip_serializing)]
    pub(super) reference: String,
    pub(super) verdict: Verdict,
    pub(super) matched: Vec<WorkId>,
    pub(super) uses: Vec<UseReply>,
    #[serde(default)]
    pub(super) notes: Vec<Coded>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(default, skip_serializing)]
    model: Option<ModelId>,
    #[serde(default, skip_serializing)]
    territory: Option<Territory>,
    #[serde(default, skip_serializing)]
    with_parts: bool,
}

impl ItemReply {
    /// Why it is not permitted. A code that this program does not know is told with the answer and left out here.
    pub(super) fn reason_codes(&self) -> impl Iterator<Item = (String, ReasonCode)> {
        let reasons = self.uses.iter().flat_map(|answer| &answer.reasons);
        let codes = reasons.flat_map(|reason| std::iter::once(&reason.code).chain(&reason.because));
        let read = |code: &String| serde_json::from_value(code.as_str().into()).ok();
        codes.filter_map(move |code| Some((code.clone(), read(code)?)))
    }
}

/// The answer for one use.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct UseReply {
    pub(super) r#use: Use,
    pub(super) verdict: Verdict,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reasons: Vec<Coded>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) conditions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) terms: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) rests_on: Vec<u64>,
}

/// A reason or a note.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Coded {
    pub(super) code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) work: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ask: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<u64>,
}

impl ItemReply {
    /// Whether this is an answer to what was asked and agrees with itself.
    pub(super) fn believe(&self, number: u64, asked: &Asked, context: &Context) -> Result<(), String> {
        if self.reference != number.to_string() {
            let theirs: String = self.reference.chars().take(64).collect();
            return Err(format!(
                "the answer for item {number} bears the reference `{}`",
                crate::cli::output::plain(&theirs)
            ));
        }
        if self.error.is_some() {
            return match self.verdict {
                Verdict::NotPermitted => Ok(()),
                Verdict::Permitted => Err(format!("item {number} is permitted and in error at once")),
            };
        }
        let mut answered: Vec<Use> = self.uses.iter().map(|answer| answer.r#use).collect();
        let mut expected = asked.uses.clone().unwrap_or_else(|| context.uses.clone());
        answered.sort_unstable();
        expected.sort_unstable();
        if answered != expected {
            return Err(format!("item {number} is answered for other uses than were asked"));
        }
        let all = self.uses.iter().all(|answer| answer.verdict == Verdict::Permitted);
        if all != (self.verdict == Verdict::Permitted) {
            return Err(format!("the verdict of item {number} is not that of its uses"));
        }
        if all && self.matched.is_empty() {
            return Err(format!("item {number} is permitted without matching a work"));
        }
        let plain = asked.members.as_ref().is_ok_and(|members| members.starts_with("\"keys\""))
            && asked.uses.is_none();
        let same = self.model == context.model
            && self.territory == context.territory
            && self.with_parts == context.with_parts;
        // An item of the person's own JSON may state another context.
        if plain && !asked.text.starts_with('{') && !same {
            return Err(format!(
                "item {number} is answered for another model, territory or scope than was asked"
            ));
        }
        Ok(())
    }
}
