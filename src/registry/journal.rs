//! The check journal: a log of the same kind as the act log, one a process, without gaps.
//!
//! Checks queue to one task. It takes what waits as a *window*, opens a transaction, locks the journal's head, reads
//! the act log's head in that transaction and catches up to it, decides every item of the window at that one size,
//! appends one entry a check (and one for every [`CHUNK`] matched works), signs once, commits, and only then answers.
//! So no answer misses an act that was acknowledged before its question came, and none leaves before it is durable.

mod line;

use std::sync::Arc;

use bytes::Bytes;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::checks::{Check, CheckError, Checked, Context, ItemAnswer, decide_all};
use super::shared::SharedIndex;
use crate::clock::{self, Clock, stopwatch};
use crate::domain::decision::Verdict;
use crate::domain::entry::Salt;
use crate::domain::ids::{CheckId, ModelId, OrgId, WorkId};
use crate::domain::key::Sha256;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::log::checkpoint::CheckpointSigner;
use crate::log::digest::salted;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::ItemTree;
use crate::store::heads::{self, checks_log};
use crate::store::{Db, append};

/// The most checks that wait; more are told to come back.
pub const QUEUE: usize = 1_024;
/// The most checks in one window.
pub const WINDOW: usize = 128;
/// The most items in one window, unless one check alone has more.
const WINDOW_ITEMS: usize = 20_000;
/// The most matched works in one entry: 19 bytes each, in base64, below the size of an entry.
pub const CHUNK: usize = 2_400;

/// The context of a check, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextRecord {
    /// For what.
    pub uses: Vec<Use>,
    /// With which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub territory: Option<Territory>,
    /// Whether parts were asked for too.
    pub with_parts: bool,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum JournalEntry {
    /// A whole check.
    Check {
        /// The version of this form.
        v: u8,
        /// Its name.
        check: CheckId,
        /// The moment of the answer.
        at_ms: i64,
        /// Whose questions these are.
        developer: OrgId,
        /// The contractor who asked them, if the developer did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_by: Option<OrgId>,
        /// What held for every item that did not say otherwise.
        context: ContextRecord,
        /// How many items.
        items: u64,
        /// The root of the RFC 9162 tree over the items' salted digests.
        items_root: Sha256,
        /// How many items were permitted.
        permitted: u64,
        /// The size of the act log from which it was answered.
        log_size: u64,
        /// Its root.
        log_root: Sha256,
        /// The version of the rules.
        rule_version: u32,
        /// How many entries with matched works follow.
        chunks: u32,
        /// The salt of the items' digests.
        salt: Salt,
    },
    /// Matched works of the check before it.
    Matched {
        /// The version of this form.
        v: u8,
        /// The check.
        check: CheckId,
        /// Which of its chunks, from 0.
        chunk: u32,
        /// In base64, for each work 19 bytes: the id's UUID, a bit for each use asked (big-endian, the first use the
        /// lowest), and 1 where the item was permitted, else 0.
        works: String,
    },
}

struct Job {
    check: Check,
    answer: oneshot::Sender<Result<Checked, CheckError>>,
}

/// The entrance of the queue; cloning shares it.
#[derive(Clone)]
pub struct Journal(mpsc::Sender<Job>);

/// What the task needs.
pub(super) struct Committer {
    pub(super) db: Db,
    pub(super) shared: Arc<SharedIndex>,
    pub(super) signer: CheckpointSigner,
    pub(super) clock: Clock,
    pub(super) node: String,
    pub(super) recheck_max_ms: i64,
}

impl Journal {
    pub(super) fn start(committer: Committer) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(committer.run(receiver));
        Self(sender)
    }

    /// How many checks wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.max_capacity().saturating_sub(self.0.capacity())
    }

    pub(super) async fn check(&self, check: Check) -> Result<Checked, CheckError> {
        let (answer, reply) = oneshot::channel();
        self.0.try_send(Job { check, answer }).map_err(|_| CheckError::Busy)?;
        reply.await.map_err(|_| CheckError::Unavailable("the journal has stopped".to_owned()))?
    }
}

impl Committer {
    async fn run(self, mut queue: mpsc::Receiver<Job>) {
        let mut held: Option<Job> = None;
        loop {
            let first = match held.take() {
                Some(job) => job,
                None => match queue.recv().await {
                    Some(job) => job,
                    None => return,
                },
            };
            let mut items = first.check.items.len();
            let mut jobs = vec![first];
            while jobs.len() < WINDOW {
                let Ok(next) = queue.try_recv() else { break };
                items += next.check.items.len();
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
        let (checks, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.check, job.answer)).unzip();
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
    async fn window(&self, checks: Vec<Check>) -> Result<Vec<Result<Checked, CheckError>>, CheckError> {
        let mut tx = self.db.begin().await?;
        let log = checks_log(&self.node);
        let journal = heads::lock_or_create(&mut tx, &log, &self.signer, self.clock.now_ms()).await?;
        let published = self.shared.head();
        let acts = heads::read_tree_in(&mut tx, heads::ACTS).await?.unwrap_or(TreeHead::EMPTY);
        self.shared.catch_up_to(&self.db, published, acts).await?;
        let head = self.shared.head();
        // What begins in a year must not be permitted today.
        if head.size > 0 && !self.clock.is_believed_after(self.shared.head_ms()) {
            return Err(CheckError::Unavailable(clock::NOT_BELIEVED.to_owned()));
        }
        let moment_ms = self.clock.now_ms().max(self.shared.head_ms());
        let shared = Arc::clone(&self.shared);
        let decided = tokio::task::spawn_blocking(move || {
            let started = stopwatch();
            let decide = |check: Check| Decided::of(&shared, head.size, moment_ms, check, started);
            checks.into_iter().map(decide).collect::<Vec<_>>()
        });
        let decided = decided.await.map_err(|error| CheckError::Unavailable(error.to_string()))?;
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
        // One signature a window. Nothing to write is no reason to fail those who get an error of their own.
        append(&mut tx, &journal, &bytes, &self.signer, moment_ms.max(journal.at_ms)).await?;
        tx.commit().await?;
        Ok(answers)
    }

    fn write_down(
        &self,
        decided: Decided,
        written: &Written,
        bytes: &mut Vec<Vec<u8>>,
    ) -> Result<Checked, CheckError> {
        let id = CheckId::new(self.clock.new_uuid());
        let entry = JournalEntry::Check {
            v: 1,
            check: id,
            at_ms: written.moment_ms,
            developer: decided.developer,
            asked_by: decided.asked_by,
            context: decided.context.record(),
            items: decided.items.len() as u64,
            items_root: Sha256(decided.items_root.0),
            permitted: decided.permitted,
            log_size: written.head.size,
            log_root: Sha256(written.head.root.0),
            rule_version: written.rule_version,
            chunks: u32::try_from(decided.chunks.len()).unwrap_or(u32::MAX),
            salt: Salt(decided.salt),
        };
        bytes.push(line::write(&entry)?);
        for (chunk, works) in (0..).zip(decided.chunks) {
            bytes.push(line::write(&JournalEntry::Matched { v: 1, check: id, chunk, works })?);
        }
        let valid_until_ms = decided.items.iter().map(|it| it.valid_until_ms).min().unwrap_or(i64::MAX);
        Ok(Checked {
            check: id,
            developer: decided.developer,
            asked_by: decided.asked_by,
            log: written.head,
            moment_ms: written.moment_ms,
            rule_version: written.rule_version,
            valid_until_ms,
            recheck_by_ms: valid_until_ms.min(written.moment_ms.saturating_add(self.recheck_max_ms)),
            permitted: decided.permitted,
            items: decided.items,
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
    context: Context,
    items: Vec<ItemAnswer>,
    json: Bytes,
    permitted: u64,
    salt: [u8; 16],
    items_root: Hash,
    chunks: Vec<String>,
}

impl Decided {
    fn of(
        shared: &Arc<SharedIndex>,
        size: u64,
        moment_ms: i64,
        check: Check,
        started: std::time::Instant,
    ) -> Result<Self, CheckError> {
        let (items, json) = decide_all(shared, size, moment_ms, check.items, started)?;
        let salt = clock::random::<16>();
        let digests: Vec<Hash> = items.iter().map(|item| salted(&salt, &item.json)).collect();
        let is_permitted = |item: &&ItemAnswer| item.verdict == Verdict::Permitted;
        Ok(Self {
            developer: check.developer,
            asked_by: check.asked_by,
            context: check.context,
            permitted: items.iter().filter(is_permitted).count() as u64,
            salt,
            items_root: ItemTree::new(&digests).head().root,
            chunks: matched_chunks(&items),
            items,
            json,
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

/// Bytes of one matched work in [`JournalEntry::Matched`].
const ROW: usize = 19;

/// The matched works of all items, each item's works with the item's uses and verdict, once.
fn matched_chunks(items: &[ItemAnswer]) -> Vec<String> {
    let mut rows: Vec<[u8; ROW]> = Vec::new();
    for item in items {
        let asked = item.uses.iter().fold(0_u16, |bits, answer| bits | (1 << answer.r#use as u16));
        let [high, low] = asked.to_be_bytes();
        let permitted = u8::from(item.verdict == Verdict::Permitted);
        for work in &item.matched {
            let mut row = [0_u8; ROW];
            let (id, rest) = row.split_at_mut(16);
            id.copy_from_slice(work.uuid().as_bytes());
            rest.copy_from_slice(&[high, low, permitted]);
            rows.push(row);
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows.chunks(CHUNK).map(|chunk| BASE64.encode(chunk.as_flattened())).collect()
}

/// One matched work of a check, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedWork {
    /// The work.
    pub work: WorkId,
    /// For which uses it was asked.
    pub uses: Vec<Use>,
    /// Whether the item that it matched was permitted.
    pub permitted: bool,
}

/// Reads the works of a [`JournalEntry::Matched`]; none when they are not of its form.
pub fn matched_works(works: &str) -> Option<Vec<MatchedWork>> {
    let bytes = BASE64.decode(works.as_bytes()).ok()?;
    let (rows, []) = bytes.as_chunks::<ROW>() else { return None };
    let read = |row: &[u8; ROW]| {
        let (id, [high, low, permitted]) = row.split_first_chunk::<16>()? else { return None };
        let asked = u16::from_be_bytes([*high, *low]);
        let uses = Use::ALL.iter().copied().filter(|leaf| asked & (1 << *leaf as u16) != 0);
        Some(MatchedWork {
            work: WorkId::new(uuid::Uuid::from_bytes(*id)),
            uses: uses.collect(),
            permitted: match permitted {
                0 => false,
                1 => true,
                _ => return None,
            },
        })
    };
    rows.iter().map(read).collect()
}
