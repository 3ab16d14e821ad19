//! Checks: what AI developers ask before use, answered from one size of the log and journaled before the answer leaves.

pub mod bound;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::authority::Asker;
use super::credential::Realm;
use super::node::Registry;
use super::sandbox::magic::is_unavailable;
use super::shared::{FollowError, SharedIndex};
use crate::clock::stopwatch;
use crate::domain::act::Condition;
use crate::domain::decide::{Answer, answers};
use crate::domain::decision::{Decision, Note, Outcome, Reason, Verdict};
use crate::domain::ids::{CheckId, ModelId, OrgId, WorkId};
use crate::domain::index::Index;
use crate::domain::journal::ContextRecord;
use crate::domain::key::{Sha256, SubjectKey};
use crate::domain::question::Question;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::domain::view::{Viewer, view};
use crate::log::merkle::{Hash, TreeHead};
use crate::store::StoreError;
use crate::store::checks::StoredCheck;

/// The most items of one check.
pub const MAX_ITEMS: usize = 10_000;
/// The most characters of an item's reference.
pub const MAX_REFERENCE: usize = 256;
/// For how many items, and how long, is decided before writers get their turn at the index.
const SLICE: usize = 200;
const SLICE_TIME: Duration = Duration::from_millis(20);
/// How many bytes the answers of one check may take: a short question can have a very long answer.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// About how many bytes the answer of one item takes.
const USUAL_ITEM_BYTES: usize = 400;
/// How long a window may take to decide. Long questions over deep closures must not hold up everybody's answers.
pub const DECIDING: Duration = Duration::from_secs(10);

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
    /// The developer whose questions these are.
    pub developer: OrgId,
    /// The contractor who asks them, if the developer does not.
    pub asked_by: Option<OrgId>,
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
    /// The developer whose questions were answered.
    pub developer: OrgId,
    /// The contractor who asked them, if the developer did not.
    pub asked_by: Option<OrgId>,
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
    /// How many items are permitted.
    pub permitted: u64,
    /// One for each item, in order.
    pub items: Vec<ItemAnswer>,
    /// The bytes of all items, with a comma between two.
    pub json: Bytes,
    /// The journal's origin and the index of this check's entry in it.
    pub journal: (String, u64),
    /// The root of the tree over the items, which the journal entry holds.
    pub items_root: Hash,
}

/// The answer for one use of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UseAnswer {
    /// The use.
    pub r#use: Use,
    /// Permitted or not.
    pub verdict: Verdict,
    /// Why not; empty when permitted.
    pub reasons: Vec<Reason>,
    /// What the developer must keep to, when permitted.
    pub conditions: Vec<Condition>,
    /// The digests of the terms, when permitted.
    pub terms: Vec<Sha256>,
    /// The grants' entries, when permitted.
    pub rests_on: Vec<u64>,
}

/// The answer for one item, as its developer may see it, with what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemAnswer {
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// The keys, as they were understood; empty when the item could not be read.
    pub keys: Vec<SubjectKey>,
    /// With which model.
    pub model: Option<ModelId>,
    /// Where.
    pub territory: Option<Territory>,
    /// Whether parts were asked for too.
    pub with_parts: bool,
    /// Permitted only when every use is.
    pub verdict: Verdict,
    /// The works that it matched.
    pub matched: Vec<WorkId>,
    /// One for each use; empty when the item could not be read.
    pub uses: Vec<UseAnswer>,
    /// Facts that changed nothing.
    pub notes: Vec<Note>,
    /// Why the item could not be read.
    pub error: Option<String>,
    /// The earliest moment at which time alone could change the answer; `i64::MAX` when none could.
    pub valid_until_ms: i64,
    /// The bytes that the receipt binds, which are also the item's JSON on the wire; see [`bound`]. They are a part of
    /// [`Checked::json`] where the item was checked with others.
    pub json: Bytes,
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
    /// It takes too long to decide.
    #[error("the check takes too long to decide, ask for less at once")]
    TooMuch,
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

impl Context {
    /// The question of an item that says nothing of its own.
    pub fn question(&self, developer: OrgId, subject: Vec<SubjectKey>) -> Question {
        Question {
            developer,
            model: self.model,
            uses: self.uses.clone(),
            territory: self.territory,
            subject,
            with_parts: self.with_parts,
        }
    }

    pub(super) fn record(&self) -> ContextRecord {
        ContextRecord {
            uses: self.uses.clone(),
            model: self.model,
            territory: self.territory,
            with_parts: self.with_parts,
        }
    }
}

impl Checked {
    /// Where it is, for who asks for its receipt.
    pub(super) fn noted(&self, log: &str) -> StoredCheck {
        StoredCheck {
            check: self.check.to_string(),
            log: log.to_owned(),
            index: self.journal.1,
            developer: self.developer.to_string(),
            asked_by: self.asked_by.map(|org| org.to_string()),
            at_ms: self.moment_ms,
            items: self.items.len() as u64,
            permitted: self.permitted,
        }
    }
}

impl Registry {
    /// Answers a check. When this returns, the journal entry is durable; dropping the future does not undo it.
    ///
    /// It believes what the check says of its developer: the floors above never call it (a test reads their sources),
    /// but [`Registry::check_by`].
    pub async fn check(&self, check: Check) -> Result<Checked, CheckError> {
        if check.items.is_empty() || check.items.len() > MAX_ITEMS {
            return Err(CheckError::Size);
        }
        let questions = || check.items.iter().filter_map(|item| item.question.as_ref().ok());
        if self.realm() == Realm::Test && questions().any(is_unavailable) {
            return Err(CheckError::Unavailable("the sandbox was asked for an outage".to_owned()));
        }
        let begun = stopwatch();
        let answer = self.journal().check(check).await;
        self.metrics().checked(&answer, begun.elapsed());
        answer
    }

    /// As [`Registry::check`], for whoever is proved to be a developer, or to ask for one: every question is the developer's.
    pub async fn check_by(
        &self,
        by: &Asker,
        context: Context,
        mut items: Vec<Item>,
    ) -> Result<Checked, CheckError> {
        let developer = by.developer();
        for question in items.iter_mut().filter_map(|item| item.question.as_mut().ok()) {
            question.developer = developer;
        }
        self.check(Check { developer, asked_by: by.asked_by(), context, items }).await
    }
}

/// Decides items one after the other at one size and moment. Writers get their turn between slices; the pinned size
/// keeps the answers consistent.
///
/// # Errors
/// [`CheckError::TooMuch`] once `started` lies further back than [`DECIDING`], or the answers take more than
/// [`MAX_ANSWER_BYTES`].
pub(super) fn decide_all(
    shared: &Arc<SharedIndex>,
    size: u64,
    moment_ms: i64,
    items: Vec<Item>,
    started: std::time::Instant,
) -> Result<(Vec<ItemAnswer>, Bytes), CheckError> {
    let mut decided: Vec<ItemAnswer> = Vec::with_capacity(items.len());
    let mut ends: Vec<usize> = Vec::with_capacity(items.len());
    let mut json: Vec<u8> = Vec::with_capacity(items.len() * USUAL_ITEM_BYTES);
    let mut items = items.into_iter();
    while !items.as_slice().is_empty() {
        if stopwatch().duration_since(started) > DECIDING || json.len() > MAX_ANSWER_BYTES {
            return Err(CheckError::TooMuch);
        }
        let decisions = decide_slice(&shared.read(), size, moment_ms, items.as_slice());
        for (decision, item) in decisions.into_iter().zip(&mut items) {
            if !json.is_empty() {
                json.push(b',');
            }
            let answer = answer(item, decision);
            bound::write(&answer, &mut json);
            ends.push(json.len());
            decided.push(answer);
        }
    }
    if json.len() > MAX_ANSWER_BYTES {
        return Err(CheckError::TooMuch);
    }
    let (json, mut from) = (Bytes::from(json), 0);
    for (answer, end) in decided.iter_mut().zip(ends) {
        answer.json = json.slice(from..end);
        from = end + 1;
    }
    Ok((decided, json))
}

/// The decisions on the first of these items: on one at least, and on no more than a turn at the index has time for.
fn decide_slice(index: &Index, size: u64, moment_ms: i64, items: &[Item]) -> Vec<Option<Decision>> {
    let items = || items.iter().take(SLICE);
    let questions = items().filter_map(|item| item.question.as_ref().ok());
    let mut answers = answers(index, size, moment_ms, questions);
    let mut decisions = Vec::with_capacity(items().len());
    // Waiting for the index is no deciding, and each turn gets at least one item further.
    let begun = stopwatch();
    for item in items() {
        let answer = item.question.is_ok().then(|| answers.next()).flatten();
        decisions.push(answer.map(Answer::decision));
        if stopwatch().duration_since(begun) >= SLICE_TIME {
            break;
        }
    }
    decisions
}

/// What the developer is told of one item; its bytes are not written yet.
fn answer(item: Item, decision: Option<Decision>) -> ItemAnswer {
    let mut answer = match (item.question, decision) {
        (Ok(question), Some(decision)) => told(question, view(decision, Viewer::Developer)),
        (Err(error), _) => not_read(error),
        (Ok(_), None) => not_read("the item was not decided".to_owned()),
    };
    answer.reference = item.reference;
    answer
}

pub(super) fn told(question: Question, seen: Decision) -> ItemAnswer {
    let unreadable = "the question names no use, a use twice, no key, or too many";
    ItemAnswer {
        reference: None,
        verdict: seen.verdict(),
        keys: question.subject,
        model: question.model,
        territory: question.territory,
        with_parts: question.with_parts,
        matched: seen.matched,
        uses: seen.uses.into_iter().map(|answer| use_answer(answer.r#use, answer.outcome)).collect(),
        notes: seen.notes,
        error: seen.unreadable.map(|_| unreadable.to_owned()),
        valid_until_ms: seen.valid_until_ms,
        json: Bytes::new(),
    }
}

fn not_read(error: String) -> ItemAnswer {
    ItemAnswer {
        reference: None,
        verdict: Verdict::NotPermitted,
        keys: Vec::new(),
        model: None,
        territory: None,
        with_parts: false,
        matched: Vec::new(),
        uses: Vec::new(),
        notes: Vec::new(),
        error: Some(error),
        valid_until_ms: i64::MAX,
        json: Bytes::new(),
    }
}

/// The answer for one use.
pub fn use_answer(leaf: Use, outcome: Outcome) -> UseAnswer {
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
            reasons: reasons.into_vec(),
            conditions: Vec::new(),
            terms: Vec::new(),
            rests_on: Vec::new(),
        },
    }
}
