//! Checks: what AI developers ask before use, answered from one size of the log and journaled before the answer leaves.

use std::sync::Arc;

use serde::Serialize;

use super::journal::ContextRecord;
use super::node::Registry;
use super::shared::{FollowError, SharedIndex};
use crate::domain::act::Condition;
use crate::domain::decide::decide;
use crate::domain::decision::{Decision, Note, Outcome, Reason, ReasonCode, Verdict};
use crate::domain::ids::{CheckId, ModelId, OrgId, WorkId};
use crate::domain::key::{Sha256, SubjectKey};
use crate::domain::question::Question;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::domain::view::{Viewer, view};
use crate::log::merkle::{Hash, TreeHead};
use crate::store::StoreError;

/// The most items of one check.
pub const MAX_ITEMS: usize = 10_000;
/// How many items are decided before writers get their turn at the index.
const SLICE: usize = 500;

/// What holds for every item that does not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// For what.
    pub uses: Vec<Use>,
    /// With which model.
    pub model: Option<ModelId>,
    /// Where.
    pub territory: Option<Territory>,
    /// Whether parts are asked for too.
    pub with_parts: bool,
}

/// One item of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The caller's own name for it, echoed.
    pub reference: Option<String>,
    /// What is asked; or why it can't be read, which is answered like a refusal.
    pub question: Result<Question, String>,
}

/// A check that is asked.
#[derive(Clone, Debug)]
pub struct Check {
    /// The developer who asks.
    pub developer: OrgId,
    /// What holds for all items.
    pub context: Context,
    /// 1 to [`MAX_ITEMS`].
    pub items: Vec<Item>,
}

/// The answer to a check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its name.
    pub check: CheckId,
    /// The size and root of the log from which every item was answered.
    pub log: TreeHead,
    /// The moment of the answer.
    pub moment_ms: i64,
    /// The version of the rules.
    pub rule_version: u32,
    /// The earliest moment at which time alone could change an answer; `i64::MAX` when none could.
    pub valid_until_ms: i64,
    /// By when to ask again: that, or the installation's maximum.
    pub recheck_by_ms: i64,
    /// One for each item, in order.
    pub items: Vec<ItemAnswer>,
    /// The journal's origin and the index of this check's entry in it.
    pub journal: (String, u64),
    /// The root of the tree over the items, which the journal entry holds.
    pub items_root: Hash,
}

/// The answer for one use of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UseAnswer {
    /// The use.
    pub r#use: Use,
    /// Permitted or not.
    pub verdict: Verdict,
    /// Why not; empty when permitted.
    pub reasons: Vec<Reason>,
    /// What the developer must keep to, when permitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The digests of the terms, when permitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<Sha256>,
    /// The grants' entries, when permitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rests_on: Vec<u64>,
}

/// The answer for one item, as its developer may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ItemAnswer {
    /// The caller's own name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Permitted only when every use is.
    pub verdict: Verdict,
    /// The works that it matched.
    pub matched: Vec<WorkId>,
    /// One for each use; empty when the item could not be read.
    pub uses: Vec<UseAnswer>,
    /// Facts that changed nothing.
    pub notes: Vec<Note>,
    /// Why the item could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Why a check has no answer. No answer is never a permission.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Too much waits.
    #[error("too many checks wait")]
    Busy,
    /// No item, or too many.
    #[error("a check has 1 to {MAX_ITEMS} items")]
    Size,
    /// The head can't be read, the index can't follow, or the journal can't be written.
    #[error("checks can't be answered: {0}")]
    Unavailable(String),
}

impl From<FollowError> for CheckError {
    fn from(error: FollowError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Check {
    pub(super) fn context_record(&self) -> ContextRecord {
        ContextRecord {
            uses: self.context.uses.clone(),
            model: self.context.model,
            territory: self.context.territory,
            with_parts: self.context.with_parts,
        }
    }
}

impl Registry {
    /// Answers a check. When this returns, the journal entry is durable; dropping the future does not undo it.
    pub async fn check(&self, check: Check) -> Result<Checked, CheckError> {
        if check.items.is_empty() || check.items.len() > MAX_ITEMS {
            return Err(CheckError::Size);
        }
        self.journal().check(check).await
    }

    /// Answers a question from the log as it was at `size`, at `moment_ms`: a hypothesis, never a permission, and not
    /// journaled.
    pub async fn explain(
        &self,
        question: &Question,
        size: Option<u64>,
        moment_ms: i64,
        viewer: Viewer,
    ) -> Result<Decision, FollowError> {
        self.read(|seen| {
            view(
                &decide(seen.index, size.map_or(seen.size, |size| size.min(seen.size)), moment_ms, question),
                viewer,
            )
        })
        .await
    }
}

/// What was decided for one item: the answer, and what the journal keeps of it.
pub(super) struct Decided {
    pub(super) answer: ItemAnswer,
    pub(super) valid_until_ms: i64,
}

/// Decides all items at one size and moment. Writers get their turn between slices; the pinned size keeps the answers
/// consistent.
pub(super) fn decide_all(
    shared: &Arc<SharedIndex>,
    size: u64,
    moment_ms: i64,
    items: &[Item],
) -> Vec<Decided> {
    let mut decided = Vec::with_capacity(items.len());
    for slice in items.chunks(SLICE) {
        let index = shared.read();
        decided.extend(slice.iter().map(|item| match &item.question {
            Ok(question) => answer(item, &decide(&index, size, moment_ms, question)),
            Err(error) => unreadable(item, error),
        }));
    }
    decided
}

fn answer(item: &Item, decision: &Decision) -> Decided {
    let seen = view(decision, Viewer::Developer);
    let verdict = seen.verdict();
    let error = seen
        .unreadable
        .as_ref()
        .map(|_| "the question names no use, a use twice, no key, or too many".to_owned());
    let answer = ItemAnswer {
        reference: item.reference.clone(),
        verdict,
        matched: seen.matched,
        uses: seen.uses.into_iter().map(|answer| use_answer(answer.r#use, &answer.outcome)).collect(),
        notes: seen.notes,
        error,
    };
    Decided { answer, valid_until_ms: seen.valid_until_ms }
}

/// The answer for one use.
pub fn use_answer(leaf: Use, outcome: &Outcome) -> UseAnswer {
    match outcome {
        Outcome::Permitted(permitted) => UseAnswer {
            r#use: leaf,
            verdict: Verdict::Permitted,
            reasons: Vec::new(),
            conditions: permitted.conditions(),
            terms: permitted.terms(),
            rests_on: permitted.entries(),
        },
        Outcome::NotPermitted(reasons) => UseAnswer {
            r#use: leaf,
            verdict: Verdict::NotPermitted,
            reasons: reasons.iter().cloned().collect(),
            conditions: Vec::new(),
            terms: Vec::new(),
            rests_on: Vec::new(),
        },
    }
}

fn unreadable(item: &Item, error: &str) -> Decided {
    let answer = ItemAnswer {
        reference: item.reference.clone(),
        verdict: Verdict::NotPermitted,
        matched: Vec::new(),
        uses: Vec::new(),
        notes: Vec::new(),
        error: Some(error.to_owned()),
    };
    Decided { answer, valid_until_ms: i64::MAX }
}

/// What a receipt binds of one item: what was asked and what was answered.
#[derive(Serialize)]
pub(super) struct Bound<'a> {
    pub(super) keys: &'a [SubjectKey],
    pub(super) uses: &'a [Use],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<ModelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) territory: Option<Territory>,
    pub(super) with_parts: bool,
    pub(super) answer: &'a ItemAnswer,
}

impl<'a> Bound<'a> {
    pub(super) fn of(item: &'a Item, answer: &'a ItemAnswer) -> Self {
        match &item.question {
            Ok(question) => Self {
                keys: &question.subject,
                uses: &question.uses,
                model: question.model,
                territory: question.territory,
                with_parts: question.with_parts,
                answer,
            },
            Err(_) => Self { keys: &[], uses: &[], model: None, territory: None, with_parts: false, answer },
        }
    }
}

/// Whether an answer says that the item could not be read.
pub fn is_unreadable(answer: &ItemAnswer) -> bool {
    answer.error.is_some()
        || answer.uses.iter().any(|it| it.reasons.iter().any(|r| r.code == ReasonCode::Unreadable))
}
