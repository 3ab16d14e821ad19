//! Checks: what AI developers ask before use, answered from one size of the log and journaled before the answer leaves.

pub mod answered;
pub mod bound;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;

use answered::Answered;
pub use answered::{Codes, ItemAnswer, Why};

use super::authority::Asker;
use super::credential::Realm;
use super::node::Registry;
use super::sandbox::magic::is_unavailable;
use super::shared::{FollowError, SharedIndex};
use crate::clock::{random, stopwatch};
use crate::domain::decide::{Answer, TooMuch, answers_within};
use crate::domain::decision::Decision;
use crate::domain::ids::{CheckId, ModelId, OrgId};
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
/// From how many bytes on a text is read beside the runtime: it takes longer than to hand it over.
const LONG: usize = 4_096;
/// The most characters of an item's reference.
pub const MAX_REFERENCE: usize = 256;
/// For how many items, and how long, is decided before writers get their turn at the index.
const SLICE: usize = 200;
const SLICE_TIME: Duration = Duration::from_millis(20);
/// After how many steps it is looked how long that took: far less than a slice's time.
const STEPS: u64 = 1_000;
/// How many bytes the answers of one check may take: a short question can have a very long answer.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long a window may take to decide, and so may a check that is decided before its window. Long questions over deep closures
/// must not hold up everybody's answers.
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
    /// The codes that stand in them, sorted.
    pub codes: Codes,
    /// The bytes of all items, with a comma between two: what the receipt binds of each (see [`bound`]), and its JSON on the
    /// wire.
    pub json: Bytes,
    /// The journal's origin and the index of this check's entry in it.
    pub journal: (String, u64),
    /// The root of the tree over the items, which the journal entry holds.
    pub items_root: Hash,
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
    /// The bytes of one of its items.
    pub fn json_of(&self, item: &ItemAnswer) -> &[u8] {
        self.json.get(item.place.clone()).unwrap_or_default()
    }

    /// What the bytes of one of its items tell of why it is not permitted.
    pub fn why(&self, item: &ItemAnswer) -> Why {
        serde_json::from_slice(self.json_of(item)).unwrap_or_default()
    }

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
    /// Answers a check. When this returns, the journal entry is durable. Dropping the future does not undo it, but a check that waits for
    /// its turn is then not answered at all.
    ///
    /// It believes what the check says of its developer: the floors above never call it (a test reads their sources),
    /// but [`Registry::check_by`].
    pub async fn check(&self, check: Check) -> Result<Checked, CheckError> {
        self.answer(false, || Ok(check)).await.unwrap_or_else(|never: Infallible| match never {})
    }

    /// As [`Registry::check`], for whoever is proved to be a developer, or to ask for one: every question is the developer's.
    pub async fn check_by(
        &self,
        by: &Asker,
        context: Context,
        items: Vec<Item>,
    ) -> Result<Checked, CheckError> {
        self.check(check_of(by.developer(), by.asked_by(), context, items)).await
    }

    /// As [`Registry::check_by`], for a check that is read from a text of so many bytes: a long one when it has its turn, beside the
    /// runtime, so that what is read is still near when it is decided.
    ///
    /// # Errors
    /// What reading gives.
    pub async fn check_read<E: Send + 'static>(
        &self,
        by: &Asker,
        bytes: usize,
        read: impl FnOnce() -> Result<(Context, Vec<Item>), E> + Send + 'static,
    ) -> Result<Result<Checked, CheckError>, E> {
        let (developer, asked_by) = (by.developer(), by.asked_by());
        let read = move || read().map(|(context, items)| check_of(developer, asked_by, context, items));
        self.answer(bytes >= LONG, read).await
    }

    async fn answer<E: Send + 'static>(
        &self,
        is_long: bool,
        read: impl FnOnce() -> Result<Check, E> + Send + 'static,
    ) -> Result<Result<Checked, CheckError>, E> {
        let begun = stopwatch();
        let answer = self.journal().check(is_long, read, self.realm()).await?;
        self.metrics().checked(&answer, begun.elapsed());
        Ok(answer)
    }
}

/// The check of a developer whose every question is its own.
fn check_of(developer: OrgId, asked_by: Option<OrgId>, context: Context, mut items: Vec<Item>) -> Check {
    for question in items.iter_mut().filter_map(|item| item.question.as_mut().ok()) {
        question.developer = developer;
    }
    Check { developer, asked_by, context, items }
}

impl Check {
    /// Whether it is one that can be asked in this realm.
    ///
    /// # Errors
    /// [`CheckError::Size`]; [`CheckError::Unavailable`] where the sandbox is asked for an outage.
    pub(super) fn askable(self, realm: Realm) -> Result<Self, CheckError> {
        if self.items.is_empty() || self.items.len() > MAX_ITEMS {
            return Err(CheckError::Size);
        }
        let mut questions = self.items.iter().filter_map(|item| item.question.as_ref().ok());
        if realm == Realm::Test && questions.any(is_unavailable) {
            return Err(CheckError::Unavailable("the sandbox was asked for an outage".to_owned()));
        }
        Ok(self)
    }
}

/// Decides items one after the other at one size and moment. Writers get their turn between slices; the pinned size
/// keeps the answers consistent.
///
/// # Errors
/// [`CheckError::TooMuch`] once `started` lies further back than [`DECIDING`], the answers take more than
/// [`MAX_ANSWER_BYTES`], or one of them takes more effort than `most_each`.
pub(super) fn decide_all(
    shared: &SharedIndex,
    (size, moment_ms): (u64, i64),
    items: &[Item],
    started: Instant,
    most_each: u64,
) -> Result<Answered, CheckError> {
    let mut answered = Answered::nothing(random(), items.len());
    while let Some(rest) = items.get(answered.items.len()..).filter(|rest| !rest.is_empty()) {
        if stopwatch().duration_since(started) > DECIDING || answered.json.len() > MAX_ANSWER_BYTES {
            return Err(CheckError::TooMuch);
        }
        decide_slice(&shared.read(), (size, moment_ms), rest, &mut answered, most_each)
            .map_err(|_| CheckError::TooMuch)?;
    }
    if answered.json.len() > MAX_ANSWER_BYTES {
        return Err(CheckError::TooMuch);
    }
    Ok(answered.done())
}

/// Answers the first of these items: one at least, and no more than a turn at the index has time for.
fn decide_slice(
    index: &Index,
    (size, moment_ms): (u64, i64),
    items: &[Item],
    answered: &mut Answered,
    most_each: u64,
) -> Result<(), TooMuch> {
    let items = || items.iter().take(SLICE);
    let questions = items().filter_map(|item| item.question.as_ref().ok());
    let mut answers = answers_within(index, size, moment_ms, questions, most_each);
    // Waiting for the index is no deciding, and each turn gets at least one item further.
    let (begun, mut steps) = (stopwatch(), 0);
    let mut decision = Decision::nothing(0, size, moment_ms);
    for item in items() {
        let answer = item.question.is_ok().then(|| answers.next()).flatten();
        answers.finish()?;
        steps += answer.as_ref().map_or(0, Answer::steps);
        let seen = answer.map(|answer| {
            answer.tell(&mut decision);
            narrow(&mut decision, Viewer::Developer);
            &decision
        });
        answered.add(item, seen);
        if answered.json.len() > MAX_ANSWER_BYTES {
            break;
        }
        // To look at the clock takes longer than most answers do.
        if steps >= STEPS {
            steps = 0;
            if begun.elapsed() >= SLICE_TIME {
                break;
            }
        }
    }
    Ok(())
}
