//! Checks: what AI developers ask before use, answered from one size of the log and journaled before the answer leaves.

pub mod bound;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;

use super::authority::Asker;
use super::credential::Realm;
use super::node::Registry;
use super::sandbox::magic::is_unavailable;
use super::shared::{FollowError, SharedIndex};
use crate::clock::stopwatch;
use crate::domain::decide::effort::ENOUGH;
use crate::domain::decide::{Answer, TooMuch, answers_within};
use crate::domain::decision::{Decision, Note, Outcome, Reason, UseDecision, Verdict};
use crate::domain::ids::{CheckId, ModelId, OrgId, WorkId};
use crate::domain::index::{Index, Mostly1};
use crate::domain::journal::ContextRecord;
use crate::domain::key::SubjectKey;
use crate::domain::question::Question;
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, Uses};
use crate::domain::view::{Viewer, narrow};
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

/// The answer for one item, as its viewer may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemAnswer {
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// Permitted only when every use is.
    pub verdict: Verdict,
    /// The works that it matched.
    pub matched: Mostly1<WorkId>,
    /// For what it was asked; empty when the item could not be read.
    pub uses: Uses,
    /// Why not, in the order of the uses.
    pub reasons: Mostly1<Reason>,
    /// Facts that changed nothing.
    pub notes: Vec<Note>,
    /// Why the item could not be read.
    pub error: Option<String>,
    /// The earliest moment at which time alone could change the answer; `i64::MAX` when none could.
    pub valid_until_ms: i64,
    /// The bytes that the receipt binds, which are also the item's JSON on the wire and say all of it; see [`bound`]. They
    /// are a part of [`Checked::json`] where the item was checked with others.
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
    pub fn question(&self, developer: OrgId, subject: Mostly1<SubjectKey>) -> Question {
        Question {
            developer,
            model: self.model,
            uses: Uses::from_slice(&self.uses),
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

/// The answers to items, and their bytes, as they are written one after the other.
#[derive(Default)]
struct Answered {
    items: Vec<ItemAnswer>,
    json: Vec<u8>,
    /// Where in these bytes each item ends.
    ends: Vec<usize>,
}

/// Decides items one after the other at one size and moment. Writers get their turn between slices; the pinned size
/// keeps the answers consistent.
///
/// # Errors
/// [`CheckError::TooMuch`] once `started` lies further back than [`DECIDING`], the answers take more than
/// [`MAX_ANSWER_BYTES`], or one of them takes more effort than is [`ENOUGH`].
pub(super) fn decide_all(
    shared: &Arc<SharedIndex>,
    size: u64,
    moment_ms: i64,
    items: Vec<Item>,
    started: std::time::Instant,
) -> Result<(Vec<ItemAnswer>, Bytes), CheckError> {
    let mut answered = Answered {
        items: Vec::with_capacity(items.len()),
        json: Vec::with_capacity(items.len() * USUAL_ITEM_BYTES),
        ends: Vec::with_capacity(items.len()),
    };
    while let Some(rest) = items.get(answered.items.len()..).filter(|rest| !rest.is_empty()) {
        if stopwatch().duration_since(started) > DECIDING || answered.json.len() > MAX_ANSWER_BYTES {
            return Err(CheckError::TooMuch);
        }
        decide_slice(&shared.read(), size, moment_ms, rest, &mut answered)
            .map_err(|_| CheckError::TooMuch)?;
    }
    let Answered { items: mut decided, json, ends } = answered;
    if json.len() > MAX_ANSWER_BYTES {
        return Err(CheckError::TooMuch);
    }
    let (json, mut from) = (Bytes::from(json), 0);
    for ((answer, item), end) in decided.iter_mut().zip(items).zip(ends) {
        answer.json = json.slice(from..end);
        answer.reference = item.reference;
        from = end + 1;
    }
    Ok((decided, json))
}

/// Answers the first of these items: one at least, and no more than a turn at the index has time for.
fn decide_slice(
    index: &Index,
    size: u64,
    moment_ms: i64,
    items: &[Item],
    answered: &mut Answered,
) -> Result<(), TooMuch> {
    let items = || items.iter().take(SLICE);
    let questions = items().filter_map(|item| item.question.as_ref().ok());
    let mut answers = answers_within(index, size, moment_ms, questions, ENOUGH);
    // Waiting for the index is no deciding, and each turn gets at least one item further.
    let begun = stopwatch();
    for item in items() {
        let answer = item.question.is_ok().then(|| answers.next()).flatten();
        answers.finish()?;
        let mut seen = answer.map(Answer::decision);
        if let Some(seen) = &mut seen {
            narrow(seen, Viewer::Developer);
        }
        if !answered.json.is_empty() {
            answered.json.push(b',');
        }
        answered.items.push(tell(
            item.reference.as_deref(),
            &item.question,
            seen.as_mut(),
            &mut answered.json,
        ));
        answered.ends.push(answered.json.len());
        if stopwatch().duration_since(begun) >= SLICE_TIME {
            break;
        }
    }
    Ok(())
}

/// What is told of one item, whose bytes are added to what is there. `seen` is the decision as its viewer may see it; what the
/// answer keeps is taken out of it.
pub(super) fn tell(
    reference: Option<&str>,
    question: &Result<Question, String>,
    seen: Option<&mut Decision>,
    json: &mut Vec<u8>,
) -> ItemAnswer {
    let error = match (question, &seen) {
        (Err(error), _) => Some(error.as_str()),
        (Ok(_), None) => Some("the item was not decided"),
        (Ok(_), Some(seen)) => {
            let unreadable = "the question names no use, a use twice, no key, or too many";
            seen.unreadable.as_ref().map(|_| unreadable)
        }
    };
    bound::write(reference, question.as_ref().ok().zip(seen.as_deref()), error, json);
    let error = error.map(ToOwned::to_owned);
    let Some(seen) = seen else { return ItemAnswer { error, ..ItemAnswer::NOT_READ } };
    let verdict = seen.verdict();
    let (mut uses, mut reasons) = (Uses::new(), Mostly1::new());
    for UseDecision { r#use, outcome } in seen.uses.drain(..) {
        uses.push(r#use);
        match outcome {
            Outcome::NotPermitted(all) if reasons.is_empty() => reasons = all.into_list(),
            Outcome::NotPermitted(more) => reasons.extend(more.into_list()),
            Outcome::Permitted(_) => {}
        }
    }
    ItemAnswer {
        reference: None,
        verdict,
        matched: std::mem::take(&mut seen.matched),
        uses,
        reasons,
        notes: std::mem::take(&mut seen.notes),
        error,
        valid_until_ms: seen.valid_until_ms,
        json: Bytes::new(),
    }
}

impl ItemAnswer {
    const NOT_READ: Self = Self {
        reference: None,
        verdict: Verdict::NotPermitted,
        matched: SmallVec::new_const(),
        uses: SmallVec::new_const(),
        reasons: SmallVec::new_const(),
        notes: Vec::new(),
        error: None,
        valid_until_ms: i64::MAX,
        json: Bytes::new(),
    };
}
