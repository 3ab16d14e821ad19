//! The check journal: a log of the same kind as the act log, one a process, without gaps.
//!
//! Checks queue to one task. It takes what waits as a *window*, decides every item of it at one size of the act log,
//! appends one entry a check (and one for every [`CHUNK`](crate::domain::journal::CHUNK) matched works), signs once, and
//! only when that is durable it answers. So no answer misses an act that was acknowledged before its question came, and
//! none leaves before it is written down.
//!
//! Mostly that is one question to the database: it appends if the journal's head is the one that this process wrote last,
//! and the act log's the one from which was decided. Where either has moved, a transaction locks the journal's head, reads
//! the act log's, catches up to it, and all is decided there. So it is where an answer that was written by one question no
//! longer holds by then; what was written then is an answer that nobody got.
//!
//! A check of many items is decided ahead of its window, beside others, so that these don't wait for it. That is its answer
//! only if the act log is as it was; otherwise it is decided again, as mostly happens while acts are recorded all the time.

mod ahead;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use ahead::{Ahead, At, Early};

use super::checks::{Check, CheckError, Checked, Codes, ItemAnswer, decide_all};
use super::credential::Realm;
use super::keys::LogSigner;
use super::shared::SharedIndex;
use crate::clock::{self, Clock, stopwatch};
use crate::domain::decide::effort::ENOUGH;
use crate::domain::entry::Salt;
use crate::domain::ids::{CheckId, OrgId};
use crate::domain::journal::{ContextRecord, JOURNAL_VERSION, JournalEntry};
use crate::domain::key::Sha256;
use crate::log::checkpoint::{CheckpointSigner, VerifierKey};
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::ItemTree;
use crate::store::checks::StoredCheck;
use crate::store::heads::{self, Head, checks_log};
use crate::store::log_keys::{self, KeyEnd};
use crate::store::{Alone, Batch, Db, Engine, StoreError, Tx};

/// The most checks that wait; more are told to come back.
pub const QUEUE: usize = 1_024;
/// The most checks in one window.
pub const WINDOW: usize = 128;
/// The most items in one window, unless one check alone has more.
const WINDOW_ITEMS: usize = 20_000;
/// How many questions of a window are decided in its own task, each with how much effort: some milliseconds at worst.
const FEW: usize = 2 * WINDOW;
const LITTLE: u64 = 250;
/// What is said where the task has ended.
const STOPPED: &str = "the journal has stopped";

struct Job {
    waiting: Waiting,
    _place: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Checked, CheckError>>,
}

/// Where the answer comes.
type Reply = oneshot::Receiver<Result<Checked, CheckError>>;

impl Job {
    fn new(waiting: Waiting, place: OwnedSemaphorePermit) -> (Self, Reply) {
        let (answer, reply) = oneshot::channel();
        (Self { waiting, _place: place, answer }, reply)
    }
}

/// A check in the queue.
struct Waiting {
    check: Check,
    /// What was decided of it already.
    ahead: Option<Ahead>,
}

/// The entrance of the queue; cloning shares it.
#[derive(Clone)]
pub struct Journal {
    /// It has no bound of its own: every job holds a place.
    queue: mpsc::UnboundedSender<Job>,
    /// Places of those that wait, for their turn or their window.
    places: Arc<Semaphore>,
    early: Early,
}

/// What the task needs.
pub(super) struct Committer {
    pub(super) db: Db,
    pub(super) shared: Arc<SharedIndex>,
    pub(super) signer: LogSigner,
    pub(super) clock: Clock,
    pub(super) node: String,
    pub(super) recheck_max_ms: i64,
}

impl Journal {
    pub(super) fn start(committer: Committer) -> Self {
        let (queue, receiver) = mpsc::unbounded_channel();
        let early = Early::new(Arc::clone(&committer.shared), committer.clock.clone());
        tokio::spawn(committer.run(receiver));
        Self { queue, places: Arc::new(Semaphore::new(QUEUE)), early }
    }

    /// How many checks wait.
    pub(super) fn waiting(&self) -> usize {
        QUEUE.saturating_sub(self.places.available_permits())
    }

    /// Answers what is read, which takes long or not.
    ///
    /// # Errors
    /// What reading gives.
    pub(super) async fn check<E: Send + 'static>(
        &self,
        is_long: bool,
        read: impl FnOnce() -> Result<Check, E> + Send + 'static,
        realm: Realm,
    ) -> Result<Result<Checked, CheckError>, E> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Ok(Err(CheckError::Busy));
        };
        let waiting = match self.early.decide(is_long, read, realm).await? {
            Ok(waiting) => waiting,
            Err(error) => return Ok(Err(error)),
        };
        Ok(self.in_a_window(Job::new(waiting, place)).await)
    }

    async fn in_a_window(&self, (job, reply): (Job, Reply)) -> Result<Checked, CheckError> {
        let stopped = || CheckError::Unavailable(STOPPED.to_owned());
        self.queue.send(job).map_err(|_| stopped())?;
        reply.await.map_err(|_| stopped())?
    }

    /// Why no check is answered any more, where the task has ended.
    pub(super) fn stopped(&self) -> Option<&'static str> {
        self.queue.is_closed().then_some(STOPPED)
    }
}

impl Committer {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let mut held: Option<Job> = None;
        let mut last: Option<Last> = None;
        loop {
            let first = match held.take() {
                Some(job) => job,
                None => match queue.recv().await {
                    Some(job) => job,
                    None => return,
                },
            };
            // What comes while the connection is waited for need not wait for the next window.
            let ready = self.ready(last.take()).await;
            let mut items = first.waiting.check.items.len();
            let mut jobs = vec![first];
            while ready.is_ok() && jobs.len() < WINDOW {
                let Ok(next) = queue.try_recv() else { break };
                items += next.waiting.check.items.len();
                if items > WINDOW_ITEMS {
                    held = Some(next);
                    break;
                }
                jobs.push(next);
            }
            // Whoever has gone away before the work began is owed none.
            jobs.retain(|job| !job.answer.is_closed());
            last = self.answer(ready, jobs).await;
        }
    }

    /// Answers what is asked, and tells how the journal ends then, where that is known.
    async fn answer(&self, ready: Result<Option<Ready>, StoreError>, jobs: Vec<Job>) -> Option<Last> {
        if jobs.is_empty() {
            return ready.ok()?.map(|ready| ready.last);
        }
        let (checks, replies): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.waiting, job.answer)).unzip();
        match self.window(ready, checks).await {
            Ok((written, answers)) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Nobody may be waiting any more; the journal has it all the same.
                    drop(reply.send(answer));
                }
                Some(written)
            }
            Err(error) => {
                tracing::warn!(target: "kyodaku::checks", %error, "a window of checks was not answered");
                let why = match error {
                    CheckError::Unavailable(why) => why,
                    other => other.to_string(),
                };
                for reply in replies {
                    drop(reply.send(Err(CheckError::Unavailable(why.clone()))));
                }
                None
            }
        }
    }

    /// Answers the checks of a window at one size, and writes them down; and how the journal ends then. Either every answer
    /// that it gives is durable, or it gives an error.
    async fn window(
        &self,
        ready: Result<Option<Ready>, StoreError>,
        mut checks: Vec<Waiting>,
    ) -> Result<(Last, Vec<Answered>), CheckError> {
        let mut last = None;
        if let Some(Ready { last: known, alone }) = ready? {
            let mut alone = Some(alone);
            let window = self.decided(&known.journal, &mut checks, &mut alone).await?;
            let alone = match alone {
                Some(alone) => alone,
                None => self.alone().await?,
            };
            if let Some(written) = self.append_alone(alone, &known, &window).await?
                && window.holds_at(self.clock.now_ms())
            {
                self.shared.refuse_if_stopped()?;
                return Ok((written, window.answers));
            }
            last = Some(known);
        }
        let mut tx = self.db.begin().await?;
        let (published, now_ms) = (self.shared.head(), self.clock.now_ms());
        let (signer, _) = self.signing(published.size)?;
        let log = checks_log(&self.node);
        let found = heads::lock_or_create_beside(&mut tx, &log, heads::ACTS, &signer, now_ms);
        let (journal, acts) = found.await?;
        let acts = self.not_before(&mut tx, last.as_ref(), &journal, acts).await?;
        self.shared.catch_up_to(&self.db, published, acts).await?;
        let window = self.decided(&journal, &mut checks, &mut None).await?;
        let entries = window.entries();
        let next = window.batch(&journal, &entries).append_in(&mut tx).await?;
        let signed_by = (!entries.is_empty()).then(|| window.signer.verifier_key().clone());
        if let Some(verifier_key) = window.ended.clone().filter(|_| signed_by.is_some()) {
            let (last_size, last_ms) = (journal.size(), window.at.moment_ms);
            log_keys::put_end(&mut tx, &KeyEnd { log, verifier_key, last_size, last_ms }).await?;
        }
        tx.commit().await?;
        Ok((Last { journal: next, signed_by }, window.answers))
    }

    /// What one question needs that goes on at this end, where that is known.
    async fn ready(&self, last: Option<Last>) -> Result<Option<Ready>, StoreError> {
        let Some(last) = last else { return Ok(None) };
        Ok(Some(Ready { last, alone: self.alone().await? }))
    }

    /// The connection for one question. On SQLite, where nobody else of this process writes while it is held, what this process
    /// recorded until then is published: otherwise the question would be in vain whenever a batch of acts came before it.
    async fn alone(&self) -> Result<Alone, StoreError> {
        let alone = self.db.alone().await?;
        if self.db.engine() == Engine::Sqlite {
            self.shared.settled().await;
        }
        Ok(alone)
    }

    /// Writes a window down by one question, unless the journal or the act log has moved; or a key gave way to the one that
    /// signs it, and that is to be written too.
    async fn append_alone(
        &self,
        alone: Alone,
        last: &Last,
        window: &Window,
    ) -> Result<Option<Last>, CheckError> {
        let key = window.signer.verifier_key();
        if window.ended.is_some() && last.signed_by.as_ref() != Some(key) {
            return Ok(None);
        }
        let entries = window.entries();
        if entries.is_empty() {
            return Ok(Some(last.clone()));
        }
        let batch = window.batch(&last.journal, &entries);
        let written = batch.append_alone(alone, heads::ACTS, window.at.head).await?;
        Ok(written.map(|journal| Last { journal, signed_by: Some(key.clone()) }))
    }

    /// A window as it is answered from the act log that is known, to be written down after this head of the journal.
    /// What takes long is decided without the connection for one question.
    async fn decided(
        &self,
        journal: &Head,
        checks: &mut Vec<Waiting>,
        alone: &mut Option<Alone>,
    ) -> Result<Window, CheckError> {
        self.shared.refuse_if_stopped()?;
        let head = self.shared.head();
        // What begins in a year must not be permitted today.
        if head.size > 0 && !self.clock.is_believed_after(self.shared.head_ms()) {
            return Err(CheckError::Unavailable(clock::NOT_BELIEVED.to_owned()));
        }
        let at = At { head, moment_ms: self.clock.now_ms().max(self.shared.head_ms()) };
        let decided = self.decide(at, checks, alone).await?;
        let rule_version = self.shared.read().as_of(head.size).rule_version();
        let mut bytes = Vec::new();
        let mut answers = Vec::with_capacity(decided.len());
        for decided in decided {
            let index = journal.size() + bytes.len() as u64;
            let written = Written { at, rule_version, index };
            answers.push(match decided {
                Ok(decided) => Ok(self.write_down(decided, &written, &mut bytes)?),
                Err(error) => Err(error),
            });
        }
        // One signature a window, by the key that holds at the size from which it was answered. Nothing to write is no reason to
        // fail those who get an error of their own.
        let (signer, ended) = self.signing(head.size)?;
        let noted = answers.iter().flatten().map(|checked| checked.noted(&journal.log)).collect();
        Ok(Window { at, answers, bytes, signer, ended, noted, at_ms: at.moment_ms.max(journal.at_ms) })
    }

    /// What was decided ahead and holds, and what is decided now.
    async fn decide(
        &self,
        at: At,
        checks: &mut Vec<Waiting>,
        alone: &mut Option<Alone>,
    ) -> Result<Vec<Result<Decided, CheckError>>, CheckError> {
        let ahead = |waiting: &mut Waiting| waiting.ahead.take().and_then(|ahead| ahead.holds(at));
        let mut known: Vec<Option<Decided>> = checks.iter_mut().map(ahead).collect();
        self.decide_few(at, checks, &mut known);
        if known.iter().all(Option::is_some) {
            return Ok(known.into_iter().flatten().map(Ok).collect());
        }
        // Others may write meanwhile.
        drop(alone.take());
        let (shared, asked) = (Arc::clone(&self.shared), std::mem::take(checks));
        let deciding = tokio::task::spawn_blocking(move || {
            let started = stopwatch();
            let decide = |(Waiting { check, .. }, known): (&Waiting, Option<Decided>)| {
                known.map_or_else(|| Decided::of(&shared, at, check, started, ENOUGH), Ok)
            };
            let decided = asked.iter().zip(known).map(decide).collect();
            (asked, decided)
        });
        let decided = deciding.await.map_err(|error| CheckError::Unavailable(error.to_string()))?;
        *checks = decided.0;
        Ok(decided.1)
    }

    /// Decides few questions here: what takes little effort takes less time than to hand it over. The others are left.
    fn decide_few(&self, at: At, checks: &[Waiting], known: &mut [Option<Decided>]) {
        let left = || checks.iter().zip(&*known).filter(|(_, known)| known.is_none());
        if left().map(|(waiting, _)| waiting.check.items.len()).sum::<usize>() > FEW {
            return;
        }
        let started = stopwatch();
        for (waiting, known) in checks.iter().zip(known).filter(|(_, known)| known.is_none()) {
            *known = Decided::of(&self.shared, at, &waiting.check, started, LITTLE).ok();
        }
    }

    /// The act log's head, and one that is not before what the last entry of the journal was answered from. Whoever waited for
    /// another process of this name read the act log before that one ended: it is read once more, behind it.
    async fn not_before(
        &self,
        tx: &mut Tx,
        last: Option<&Last>,
        journal: &Head,
        acts: TreeHead,
    ) -> Result<TreeHead, StoreError> {
        if last.is_some_and(|last| last.journal.tree() == journal.tree()) {
            return Ok(acts);
        }
        Ok(heads::read_tree_in(tx, heads::ACTS).await?.unwrap_or(acts))
    }

    /// Who signs what is answered from so many entries of the act log, and which key gave way to it.
    fn signing(&self, size: u64) -> Result<(CheckpointSigner, Option<String>), CheckError> {
        let index = self.shared.read();
        let signing = self.signer.at(index.as_of(size)).map_err(StoreError::from)?;
        Ok((signing.signer.clone(), signing.ended.map(|(key, _)| key.to_string())))
    }

    fn write_down(
        &self,
        decided: Decided,
        written: &Written,
        bytes: &mut Vec<Vec<u8>>,
    ) -> Result<Checked, CheckError> {
        let id = CheckId::new(self.clock.new_uuid());
        let recheck_by_ms =
            decided.valid_until_ms.min(written.at.moment_ms.saturating_add(self.recheck_max_ms));
        let entry = JournalEntry::Check {
            v: JOURNAL_VERSION,
            check: id,
            at_ms: written.at.moment_ms,
            developer: decided.developer,
            asked_by: decided.asked_by,
            context: decided.context,
            items: decided.items.len() as u64,
            items_root: Sha256(decided.items_root.0),
            permitted: decided.permitted,
            log_size: written.at.head.size,
            log_root: Sha256(written.at.head.root.0),
            rule_version: written.rule_version,
            recheck_by_ms: Some(recheck_by_ms),
            chunks: u32::try_from(decided.chunks.len()).unwrap_or(u32::MAX),
            salt: Salt(decided.salt),
        };
        bytes.push(to_bytes(&entry)?);
        for (chunk, works) in (0..).zip(decided.chunks) {
            bytes.push(to_bytes(&JournalEntry::Matched { v: JOURNAL_VERSION, check: id, chunk, works })?);
        }
        Ok(Checked {
            check: id,
            developer: decided.developer,
            asked_by: decided.asked_by,
            log: written.at.head,
            moment_ms: written.at.moment_ms,
            rule_version: written.rule_version,
            valid_until_ms: decided.valid_until_ms,
            recheck_by_ms,
            permitted: decided.permitted,
            items: decided.items,
            codes: decided.codes,
            json: decided.json,
            journal: (self.signer.origin().to_owned(), written.index),
            items_root: decided.items_root,
        })
    }
}

/// A check that is decided, and what the journal keeps of it: everything that takes time, done beside the runtime.
struct Decided {
    developer: OrgId,
    asked_by: Option<OrgId>,
    context: ContextRecord,
    items: Vec<ItemAnswer>,
    codes: Codes,
    json: Bytes,
    /// How much memory that takes.
    held_bytes: usize,
    permitted: u64,
    valid_until_ms: i64,
    salt: [u8; 16],
    items_root: Hash,
    chunks: Vec<String>,
}

impl Decided {
    fn of(
        shared: &Arc<SharedIndex>,
        at: At,
        check: &Check,
        started: std::time::Instant,
        most_each: u64,
    ) -> Result<Self, CheckError> {
        let answered = decide_all(shared, (at.head.size, at.moment_ms), &check.items, started, most_each)?;
        Ok(Self {
            developer: check.developer,
            asked_by: check.asked_by,
            context: check.context.record(),
            items: answered.items,
            codes: answered.codes,
            held_bytes: answered.json.capacity(),
            json: answered.json.into(),
            permitted: answered.permitted,
            valid_until_ms: answered.valid_until_ms,
            salt: answered.salt,
            items_root: ItemTree::new(&answered.digests).head().root,
            chunks: answered.matched.chunks(),
        })
    }
}

/// From what a check is answered, and where that is written.
struct Written {
    at: At,
    rule_version: u32,
    index: u64,
}

/// How the journal ends, as this process wrote it.
#[derive(Clone)]
struct Last {
    journal: Head,
    /// Who signed that, where this process did.
    signed_by: Option<VerifierKey>,
}

/// Where the journal goes on by one question, and the connection for it.
struct Ready {
    last: Last,
    alone: Alone,
}

/// The answer to one check.
type Answered = Result<Checked, CheckError>;

/// A window as it is answered, and what is to be written of it first.
struct Window {
    at: At,
    answers: Vec<Answered>,
    bytes: Vec<Vec<u8>>,
    signer: CheckpointSigner,
    /// The key that gave way to the signer's.
    ended: Option<String>,
    noted: Vec<StoredCheck>,
    at_ms: i64,
}

impl Window {
    /// Whether every answer is still one when it is written down: that may have had to wait for others.
    fn holds_at(&self, now_ms: i64) -> bool {
        self.answers.iter().flatten().all(|checked| now_ms < checked.valid_until_ms)
    }

    fn entries(&self) -> Vec<&[u8]> {
        self.bytes.iter().map(Vec::as_slice).collect()
    }

    fn batch<'a>(&'a self, expected: &'a Head, entries: &'a [&'a [u8]]) -> Batch<'a> {
        Batch { expected, entries, signer: &self.signer, at_ms: self.at_ms, noted: &self.noted }
    }
}

fn to_bytes(entry: &JournalEntry) -> Result<Vec<u8>, StoreError> {
    entry.to_bytes().map_err(|error| StoreError::Program(error.to_string()))
}
