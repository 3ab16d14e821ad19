//! The one way in which the act log grows.
//!
//! Commands queue to one task. It locks the head row, takes what waits, catches its index up to that head, admits each command
//! in turn, appends those admitted in one transaction, and only then answers. A caller that goes away changes nothing
//! of that: what was taken up is finished.

mod pending;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use self::pending::Pending;
use super::accounts::{self, AccountChange};
use super::catalogue::{self, Change};
use super::erasure;
use super::four_eyes;
use super::keys::LogSigner;
use super::orders::Unchanged;
use super::shared::{FollowError, SharedIndex, Writer};
use crate::clock::{self, Clock, NOT_BELIEVED, stopwatch};
use crate::domain::act::Act;
use crate::domain::admit::Refusal;
use crate::domain::command::{Command, Proposed, record};
use crate::domain::entry::{Entry, MAX_ENTRY_BYTES, Salt};
use crate::domain::ids::{OrgId, PersonId};
use crate::domain::key::Sha256;
use crate::domain::payload::Payload;
use crate::log::canonical::to_canonical;
use crate::log::digest::salted;
use crate::store::catalogue::last_change;
use crate::store::heads::Head;
use crate::store::log_keys::{self, KeyEnd};
use crate::store::{Db, StoreError, Tx, append, heads, idempotency, payloads};

/// The most commands that wait; more are told to come back.
pub const QUEUE: usize = 1_024;
/// The most commands in one commit.
pub const BATCH: usize = 256;
/// What is said where the task has ended.
const STOPPED: &str = "the sequencer has stopped";
/// How long commands are admitted into one commit. It must be over long before the database gives up waiting for it.
pub const ADMITTING: Duration = Duration::from_secs(1);

/// What is asked to be recorded, in one piece.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Who acts.
    pub party: OrgId,
    /// For whom.
    pub on_behalf_of: Option<OrgId>,
    /// The persons.
    pub by: Vec<PersonId>,
    /// What, each with what people read of it.
    pub acts: Vec<(Act, Option<Payload>)>,
    /// Under which key a repetition is recognized.
    pub once: Option<Once>,
    /// Makes the answer from what was recorded; it is kept with the key.
    pub body: Body,
    /// Rows of people, keys and proposals that come about with it, in the same transaction.
    pub accounts: Vec<AccountChange>,
    /// What must still be as the caller saw it.
    pub unchanged: Option<Unchanged>,
}

/// How a repeated command is recognized (the header `Idempotency-Key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The key, of the party's choice.
    pub key: String,
    /// The operation.
    pub operation: &'static str,
    /// The SHA-256 of the request.
    pub digest: [u8; 32],
}

impl Once {
    /// What is kept of the answer, so that a repetition gets it again.
    pub(super) fn answered(&self, status: u16, response: String, at_ms: i64) -> idempotency::Answer {
        let (operation, body_digest) = (self.operation.to_owned(), self.digest);
        idempotency::Answer { operation, body_digest, status, response, at_ms }
    }
}

/// Makes the status and the body of an answer from what was recorded.
#[derive(Clone)]
pub struct Body(Arc<Make>);

type Make = dyn Fn(&Recorded) -> (u16, String) + Send + Sync;

impl Body {
    /// An answer made by this function.
    pub fn new(make: impl Fn(&Recorded) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// No answer is needed: the caller is this program.
    pub fn none() -> Self {
        Self::new(|_| (200, String::new()))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body(…)")
    }
}

/// What was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The index of the first entry.
    pub first: u64,
    /// How many entries.
    pub count: u64,
    /// When.
    pub at_ms: i64,
}

impl Recorded {
    /// The size of the log that holds it all: what to give as `at_least` to see it.
    pub const fn log_size(self) -> u64 {
        self.first + self.count
    }
}

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// What was recorded; none when a repetition got the answer that was given before.
    pub recorded: Option<Recorded>,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub body: String,
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The rules refuse it.
    #[error("the rules refuse it")]
    Refused(Vec<Refusal>),
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Something was recorded about it since the caller looked.
    #[error("`{0}` has changed since it was read")]
    Changed(String),
    /// Too much waits.
    #[error("too many commands wait")]
    Busy,
    /// The clock of this machine can't be right.
    #[error("{NOT_BELIEVED}")]
    Clock,
    /// The database, or this node. Whether it was recorded may be unknown: repeat it with the same key.
    #[error("the log can't be written: {0}")]
    Unavailable(String),
}

impl From<FollowError> for SubmitError {
    fn from(error: FollowError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for SubmitError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

type Answer = Result<Submitted, SubmitError>;

struct Job {
    submission: Submission,
    answer: oneshot::Sender<Answer>,
}

/// The entrance of the queue; cloning shares it. The task ends when the last one is dropped.
#[derive(Clone)]
pub struct Sequencer(mpsc::Sender<Job>);

impl Sequencer {
    /// Starts the task.
    ///
    /// With `four_eyes`, in every organization a second person must approve what may open something. A batch that was
    /// `admitting` for so long is committed; what it left waits for the next one.
    pub(super) fn start(
        db: Db,
        shared: Arc<SharedIndex>,
        signer: LogSigner,
        clock: Clock,
        four_eyes: bool,
        admitting: Duration,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let worker = Worker { db, shared, signer, clock, four_eyes, admitting };
        tokio::spawn(worker.run(receiver));
        Self(sender)
    }

    /// How many submissions wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.max_capacity().saturating_sub(self.0.capacity())
    }

    /// Records a submission, or says why not. Dropping the future does not undo it.
    pub async fn submit(&self, submission: Submission) -> Answer {
        let (answer, reply) = oneshot::channel();
        self.0.try_send(Job { submission, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => SubmitError::Busy,
            TrySendError::Closed(_) => SubmitError::Unavailable(STOPPED.to_owned()),
        })?;
        reply.await.map_err(|_| SubmitError::Unavailable(STOPPED.to_owned()))?
    }

    /// Why nothing is recorded any more, where the task has ended.
    pub(super) fn stopped(&self) -> Option<&'static str> {
        self.0.is_closed().then_some(STOPPED)
    }
}

/// A transaction in which nobody else appends, and the head that it found.
type Locked = (Tx, Head);

struct Worker {
    db: Db,
    shared: Arc<SharedIndex>,
    signer: LogSigner,
    clock: Clock,
    four_eyes: bool,
    admitting: Duration,
}

/// Waits until there is anything, or until nobody can bring it any more: whether there is.
async fn wait_for_any(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>) -> bool {
    !jobs.is_empty() || queue.recv_many(jobs, BATCH).await > 0
}

/// Takes up what waits, behind what is there.
fn take_up(queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>) {
    while jobs.len() < BATCH
        && let Ok(job) = queue.try_recv()
    {
        jobs.push(job);
    }
}

/// Nobody may be waiting any more; what is recorded is recorded.
fn tell(answered: Vec<(Job, Answer)>) {
    for (job, answer) in answered {
        drop(job.answer.send(answer));
    }
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while wait_for_any(&mut queue, &mut jobs).await {
            let locked = self.lock().await;
            if locked.is_ok() {
                // What came while the lock was waited for need not wait for the next one.
                take_up(&mut queue, &mut jobs);
            }
            let submissions: Vec<&Submission> = jobs.iter().map(|job| &job.submission).collect();
            let answers = match self.batch(locked, &submissions).await {
                Ok(answers) => answers,
                // One command that the tables refuse must not take its neighbours with it.
                Err(error) if !error.is_transient() && jobs.len() > 1 => self.one_by_one(&submissions).await,
                Err(error) => submissions.iter().map(|_| Err(error.answer())).collect(),
            };
            // What a batch had no time for comes first in the next one.
            let answered = jobs.drain(..answers.len().min(jobs.len())).zip(answers);
            let (erased, others): (Vec<_>, Vec<_>) =
                answered.partition(|(job, answer)| answer.is_ok() && erasure::erases(&job.submission));
            tell(others);
            if !erased.is_empty() {
                // It is answered once it stands in no file; nobody else waits for that.
                let db = self.db.clone();
                tokio::spawn(async move {
                    erasure::empty_wal(db).await;
                    tell(erased);
                });
            }
        }
    }

    async fn one_by_one(&self, submissions: &[&Submission]) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(submissions.len());
        let begun = stopwatch();
        for submission in submissions {
            if self.is_over(begun, &answers) {
                break;
            }
            answers.push(match self.batch(self.lock().await, &[*submission]).await {
                Ok(mut alone) => alone.pop().unwrap_or(Err(SubmitError::Busy)),
                Err(error) => Err(error.answer()),
            });
        }
        answers
    }

    /// Whether the others must wait for the next batch. At least one command of each is answered.
    fn is_over(&self, begun: Instant, answers: &[Answer]) -> bool {
        !answers.is_empty() && begun.elapsed() >= self.admitting
    }

    async fn lock(&self) -> Result<Locked, StoreError> {
        let mut tx = self.db.begin().await?;
        let head = heads::lock_or_create(&mut tx, heads::ACTS, self.signer.first(), self.clock.now_ms());
        let head = head.await?;
        Ok((tx, head))
    }

    /// Records a batch in one transaction, or its first commands if all take too long. On an error nothing of it is folded;
    /// whether the database has it is known at the next look.
    async fn batch(
        &self,
        locked: Result<Locked, StoreError>,
        submissions: &[&Submission],
    ) -> Result<Vec<Answer>, BatchError> {
        let (tx, head) = locked?;
        let mut writer = self.shared.permit().await;
        self.shared.follow_locked(&self.db, &mut writer, head.tree()).await?;
        self.record_all(tx, &head, &mut writer, submissions).await
    }

    async fn record_all(
        &self,
        mut tx: Tx,
        head: &Head,
        writer: &mut Writer,
        submissions: &[&Submission],
    ) -> Result<Vec<Answer>, BatchError> {
        let now_ms = self.clock.now_ms();
        let at_ms = now_ms.max(self.shared.head_ms());
        if head.size() > 0 && !self.clock.is_believed_after(self.shared.head_ms()) {
            return Ok(submissions.iter().map(|_| Err(SubmitError::Clock)).collect());
        }
        let folded = self.shared.speculate();
        let mut bytes = Vec::new();
        let mut answers = Vec::with_capacity(submissions.len());
        let mut pending = Pending::read(&mut tx, submissions, at_ms).await?;
        let begun = stopwatch();
        for submission in submissions {
            if self.is_over(begun, &answers) {
                break;
            }
            answers.push(self.record_one(&mut tx, submission, at_ms, &mut bytes, &mut pending).await?);
        }
        if bytes.is_empty() {
            tx.rollback().await?;
            return Ok(answers);
        }
        pending.write(&mut tx).await?;
        // The acts of this batch too: what says that a key gave way is signed by the one that follows.
        let (signer, ended) = {
            let index = self.shared.read();
            let signing = self.signer.at(index.latest()).map_err(StoreError::from)?;
            (signing.signer.clone(), signing.ended.map(|(key, at)| (key.to_string(), at)))
        };
        let next = append(&mut tx, head, &bytes, &signer, at_ms).await?;
        if let Some((verifier_key, last_size)) = ended {
            let log = heads::ACTS.to_owned();
            log_keys::put_end(&mut tx, &KeyEnd { log, verifier_key, last_size, last_ms: at_ms }).await?;
        }
        let _publishing = self.shared.publishing().await;
        tx.commit().await?;
        // From here on it is recorded. A mark that can't be raised keeps it unpublished, and the answer unknown.
        self.shared.publish(writer, next.frontier, folded).await?;
        Ok(answers)
    }

    /// Admits and folds one submission and writes what belongs to it, except the entries themselves.
    async fn record_one(
        &self,
        tx: &mut Tx,
        submission: &Submission,
        at_ms: i64,
        bytes: &mut Vec<Vec<u8>>,
        pending: &mut Pending,
    ) -> Result<Answer, BatchError> {
        if let Some(answer) = pending.before(submission) {
            return Ok(answer);
        }
        let prepared = match prepare(submission) {
            Ok(prepared) => prepared,
            Err(refusal) => return Ok(Err(SubmitError::Refused(vec![refusal]))),
        };
        if let Some(refusal) = accounts::refusal(tx, &submission.accounts, at_ms).await? {
            return Ok(Err(SubmitError::Refused(vec![refusal])));
        }
        let durable = self.shared.read().size().saturating_sub(bytes.len() as u64);
        if let Some(refusal) = erasure::refusal(tx, submission, durable).await? {
            return Ok(Err(SubmitError::Refused(vec![refusal])));
        }
        let savepoint = self.shared.write().savepoint();
        let Admitted { first, entries, written } = match self.admit(&prepared.command, at_ms) {
            Ok(admitted) => admitted,
            Err(refusals) => return Ok(Err(SubmitError::Refused(refusals))),
        };
        if let Some(changed) = changed(tx, submission).await? {
            self.shared.write().undo(savepoint);
            return Ok(Err(changed));
        }
        if let Some(refusal) = self.refuse_alone(tx, submission, pending).await? {
            self.shared.write().undo(savepoint);
            return Ok(Err(SubmitError::Refused(vec![refusal])));
        }
        for (index, payload) in (first..).zip(&prepared.payloads) {
            if let Some((salt, body)) = payload {
                payloads::insert(tx, index, salt, body).await?;
            }
        }
        for ((index, entry), (_, payload)) in (first..).zip(&entries).zip(&submission.acts) {
            self.describe(tx, index, entry, payload.as_ref(), pending).await?;
        }
        bytes.extend(written);
        let recorded = Recorded { first, count: entries.len() as u64, at_ms };
        let (status, body) = (submission.body.0)(&recorded);
        accounts::write(tx, &submission.accounts, &body, at_ms).await?;
        if let Some(once) = &submission.once {
            pending.keep_answer(submission.party, once, once.answered(status, body.clone(), at_ms));
        }
        Ok(Ok(Submitted { recorded: Some(recorded), status, body }))
    }

    /// Writes what people browse of an entry, and erases what it says is erased.
    async fn describe(
        &self,
        tx: &mut Tx,
        index: u64,
        entry: &Entry,
        payload: Option<&Payload>,
        pending: &mut Pending,
    ) -> Result<(), StoreError> {
        let erased = erasure::carry_out(tx, entry).await?;
        if erased.is_some() {
            // What describes a work today is told by its history.
            pending.write_lines(tx).await?;
        }
        let changes = catalogue::changes(&self.shared.read(), index, entry, payload, erased.as_ref());
        for change in changes {
            match change {
                Change::History(line) => pending.keep_line(line),
                other => catalogue::write(tx, &[other]).await?,
            }
        }
        Ok(())
    }

    /// Why one person alone may not record this.
    async fn refuse_alone(
        &self,
        tx: &mut Tx,
        submission: &Submission,
        pending: &mut Pending,
    ) -> Result<Option<Refusal>, StoreError> {
        let Some(act) = four_eyes::opens_alone(submission) else { return Ok(None) };
        let mut needed = self.four_eyes;
        for org in std::iter::once(submission.party).chain(submission.on_behalf_of) {
            needed |= pending.second_person(tx, org).await?;
        }
        Ok(needed.then(|| four_eyes::refusal(act)))
    }

    /// Admits and folds a command; the index is unchanged when it is refused.
    fn admit(&self, command: &Command, at_ms: i64) -> Result<Admitted, Vec<Refusal>> {
        let mut index = self.shared.write();
        let savepoint = index.savepoint();
        let first = index.size();
        let entries = record(&mut index, command, at_ms, || Salt(clock::random()))?;
        let mut written = Vec::with_capacity(entries.len());
        for (position, entry) in entries.iter().enumerate() {
            match to_canonical(entry) {
                Ok(bytes) if bytes.len() <= MAX_ENTRY_BYTES => written.push(bytes),
                other => {
                    index.undo(savepoint);
                    let what = other.map_or_else(
                        |error| error.to_string(),
                        |bytes| format!("it has {} bytes", bytes.len()),
                    );
                    let detail = format!(
                        "the act is too large to record ({what}; the limit is {MAX_ENTRY_BYTES}): split it"
                    );
                    return Err(vec![Refusal::of_command(detail).in_act(position)]);
                }
            }
        }
        Ok(Admitted { first, entries, written })
    }
}

/// What a command becomes: the place of its first entry, its entries, and their bytes as they are hashed and stored.
struct Admitted {
    first: u64,
    entries: Vec<Entry>,
    written: Vec<Vec<u8>>,
}

/// A command with the payloads as they will be stored: salt and body.
struct Prepared {
    command: Command,
    payloads: Vec<Option<([u8; 32], String)>>,
}

fn prepare(submission: &Submission) -> Result<Prepared, Refusal> {
    let mut acts = Vec::with_capacity(submission.acts.len());
    let mut payloads = Vec::with_capacity(submission.acts.len());
    for (position, (act, payload)) in submission.acts.iter().enumerate() {
        let stored = match payload {
            None => None,
            Some(payload) => {
                let body = to_canonical(payload).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let body = body.ok_or_else(|| {
                    Refusal::of_command("the description can't be written as JSON".to_owned())
                        .in_act(position)
                })?;
                Some((clock::random::<32>(), body))
            }
        };
        let digest = stored.as_ref().map(|(salt, body)| Sha256(salted(salt, body.as_bytes()).0));
        acts.push(Proposed { act: act.clone(), payload: digest });
        payloads.push(stored);
    }
    let command = Command {
        party: submission.party,
        on_behalf_of: submission.on_behalf_of,
        by: submission.by.clone(),
        acts,
    };
    Ok(Prepared { command, payloads })
}

async fn changed(tx: &mut Tx, submission: &Submission) -> Result<Option<SubmitError>, StoreError> {
    let Some(Unchanged { work, entries }) = &submission.unchanged else { return Ok(None) };
    let last = last_change(tx, &work.to_string()).await?;
    let is_same = last.is_some_and(|last| entries.contains(&last));
    Ok((!is_same).then(|| SubmitError::Changed(work.to_string())))
}

/// Why a whole batch failed.
#[derive(Debug)]
enum BatchError {
    Store(StoreError),
    Follow(FollowError),
}

impl BatchError {
    fn is_transient(&self) -> bool {
        match self {
            // After a commit of unknown outcome a second try could record twice what has no key.
            Self::Store(StoreError::CommitUnknown(_)) | Self::Follow(_) => true,
            Self::Store(error) => error.is_transient(),
        }
    }

    fn answer(&self) -> SubmitError {
        let why = match self {
            Self::Store(error) => error.to_string(),
            Self::Follow(error) => error.to_string(),
        };
        tracing::warn!(target: "kyodaku::log", why, "a batch of commands was not acknowledged");
        SubmitError::Unavailable(why)
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<FollowError> for BatchError {
    fn from(error: FollowError) -> Self {
        Self::Follow(error)
    }
}
