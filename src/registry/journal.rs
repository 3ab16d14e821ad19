//! The check journal: a log of the same kind as the act log, one a process, without gaps.
//!
//! Checks queue to one task. It takes what waits as a *window*, opens a transaction, locks the journal's head, reads
//! the act log's head in that transaction and catches up to it, decides every item of the window at that one size,
//! appends one entry a check (and one for every [`CHUNK`](crate::domain::journal::CHUNK) matched works), signs once, commits, and only then answers.
//! So no answer misses an act that was acknowledged before its question came, and none leaves before it is durable.
//!
//! A check of many items is decided ahead of its window, beside others, so that neither they nor whoever writes wait for
//! it. That is its answer only if the transaction then finds the act log as it was; otherwise it is decided again there, as
//! mostly happens while acts are recorded all the time.

mod ahead;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
use crate::log::checkpoint::CheckpointSigner;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::ItemTree;
use crate::store::checks::StoredCheck;
use crate::store::heads::{self, Head, checks_log};
use crate::store::log_keys::{self, KeyEnd};
use crate::store::{Db, StoreError, Tx, append_checks};

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
    /// How many entries the journal had after the last window that this process wrote.
    pub(super) last_size: LastSize,
}

/// A number of entries; none is known at first.
pub(super) struct LastSize(AtomicU64);

impl Default for LastSize {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
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
        loop {
            let first = match held.take() {
                Some(job) => job,
                None => match queue.recv().await {
                    Some(job) => job,
                    None => return,
                },
            };
            let mut items = first.waiting.check.items.len();
            let mut jobs = vec![first];
            while jobs.len() < WINDOW {
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
            if !jobs.is_empty() {
                self.answer(jobs).await;
            }
        }
    }

    async fn answer(&self, jobs: Vec<Job>) {
        let (checks, replies): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.waiting, job.answer)).unzip();
        match self.window(checks).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Nobody may be waiting any more; the journal has it all the same.
                    drop(reply.send(answer));
                }
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
            }
        }
    }

    /// Answers the checks of a window at one size, and writes them down in one transaction. Either every answer that
    /// it gives is durable, or it gives an error.
    async fn window(&self, checks: Vec<Waiting>) -> Result<Vec<Result<Checked, CheckError>>, CheckError> {
        let mut tx = self.db.begin().await?;
        let log = checks_log(&self.node);
        let (published, now_ms) = (self.shared.head(), self.clock.now_ms());
        let (signer, _) = self.signing(published.size)?;
        let found = heads::lock_or_create_beside(&mut tx, &log, heads::ACTS, &signer, now_ms);
        let (journal, acts) = found.await?;
        let acts = self.not_before(&mut tx, &journal, acts).await?;
        self.shared.catch_up_to(&self.db, published, acts).await?;
        let head = self.shared.head();
        // What begins in a year must not be permitted today.
        if head.size > 0 && !self.clock.is_believed_after(self.shared.head_ms()) {
            return Err(CheckError::Unavailable(clock::NOT_BELIEVED.to_owned()));
        }
        let moment_ms = self.clock.now_ms().max(self.shared.head_ms());
        let decided = self.decide(At { head, moment_ms }, checks).await?;
        let rule_version = self.shared.read().as_of(head.size).rule_version();

        let mut bytes = Vec::new();
        let mut answers = Vec::with_capacity(decided.len());
        for decided in decided {
            let index = journal.size() + bytes.len() as u64;
            let written = Written { head, moment_ms, rule_version, index };
            answers.push(match decided {
                Ok(decided) => Ok(self.write_down(decided, &written, &mut bytes)?),
                Err(error) => Err(error),
            });
        }
        // One signature a window, by the key that holds at the size from which it was answered. Nothing to write is no reason to
        // fail those who get an error of their own.
        let (signer, ended) = self.signing(head.size)?;
        let noted: Vec<StoredCheck> = answers.iter().flatten().map(|checked| checked.noted(&log)).collect();
        let at_ms = moment_ms.max(journal.at_ms);
        append_checks(&mut tx, &journal, &bytes, &signer, at_ms, &noted).await?;
        if let Some(verifier_key) = ended.filter(|_| !bytes.is_empty()) {
            let (log, last_size, last_ms) = (log.clone(), journal.size(), moment_ms);
            log_keys::put_end(&mut tx, &KeyEnd { log, verifier_key, last_size, last_ms }).await?;
        }
        tx.commit().await?;
        self.last_size.0.store(journal.size() + bytes.len() as u64, Ordering::Relaxed);
        Ok(answers)
    }

    /// What was decided ahead and holds, and what is decided now.
    async fn decide(
        &self,
        at: At,
        checks: Vec<Waiting>,
    ) -> Result<Vec<Result<Decided, CheckError>>, CheckError> {
        let checks = checks.into_iter().map(|Waiting { check, ahead }| {
            let holds = ahead.and_then(|ahead| ahead.holds(at));
            holds.ok_or(check)
        });
        let mut checks: Vec<Result<Decided, Check>> = checks.collect();
        self.decide_few(at, &mut checks);
        if checks.iter().all(Result::is_ok) {
            return Ok(checks.into_iter().flatten().map(Ok).collect());
        }
        let shared = Arc::clone(&self.shared);
        let decide = move || {
            let started = stopwatch();
            let decide = |check: Check| Decided::of(&shared, at, &check, started, ENOUGH);
            checks.into_iter().map(|known| known.or_else(decide)).collect()
        };
        let decided = tokio::task::spawn_blocking(decide).await;
        decided.map_err(|error| CheckError::Unavailable(error.to_string()))
    }

    /// Decides few questions here: what takes little effort takes less time than to hand it over. The others are left.
    fn decide_few(&self, at: At, checks: &mut [Result<Decided, Check>]) {
        let left = checks.iter().filter_map(|check| check.as_ref().err());
        if left.map(|check| check.items.len()).sum::<usize>() > FEW {
            return;
        }
        let started = stopwatch();
        for check in checks {
            let Err(asked) = check else { continue };
            if let Ok(decided) = Decided::of(&self.shared, at, asked, started, LITTLE) {
                *check = Ok(decided);
            }
        }
    }

    /// The act log's head, and one that is not before what the last entry of the journal was answered from. Whoever waited for
    /// another process of this name read the act log before that one ended: it is read once more, behind it.
    async fn not_before(&self, tx: &mut Tx, journal: &Head, acts: TreeHead) -> Result<TreeHead, StoreError> {
        if journal.size() == self.last_size.0.load(Ordering::Relaxed) {
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
        let recheck_by_ms = decided.valid_until_ms.min(written.moment_ms.saturating_add(self.recheck_max_ms));
        let entry = JournalEntry::Check {
            v: JOURNAL_VERSION,
            check: id,
            at_ms: written.moment_ms,
            developer: decided.developer,
            asked_by: decided.asked_by,
            context: decided.context,
            items: decided.items.len() as u64,
            items_root: Sha256(decided.items_root.0),
            permitted: decided.permitted,
            log_size: written.head.size,
            log_root: Sha256(written.head.root.0),
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
            log: written.head,
            moment_ms: written.moment_ms,
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

/// Where and when a window is written.
struct Written {
    head: TreeHead,
    moment_ms: i64,
    rule_version: u32,
    index: u64,
}

fn to_bytes(entry: &JournalEntry) -> Result<Vec<u8>, StoreError> {
    entry.to_bytes().map_err(|error| StoreError::Program(error.to_string()))
}
