//! The check journal: a log of the same kind as the act log, one a process, without gaps.
//!
//! Checks queue to one task. It takes what waits as a *window*, opens a transaction, locks the journal's head, reads
//! the act log's head in that transaction and catches up to it, decides every item of the window at that one size,
//! appends one entry a check (and one for every [`CHUNK`] matched works), signs once, commits, and only then answers.
//! So no answer misses an act that was acknowledged before its question came, and none leaves before it is durable.

use std::sync::Arc;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::checks::{Bound, Check, CheckError, Checked, Decided, decide_all};
use super::shared::SharedIndex;
use crate::clock::{self, Clock};
use crate::domain::decision::Verdict;
use crate::domain::entry::Salt;
use crate::domain::ids::{CheckId, ModelId, OrgId};
use crate::domain::key::Sha256;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::log::canonical::to_canonical;
use crate::log::checkpoint::CheckpointSigner;
use crate::log::digest::salted;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::ItemTree;
use crate::store::heads::{self, checks_log};
use crate::store::{Db, StoreError, append};

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
        /// Who asked.
        developer: OrgId,
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
            self.answer(jobs).await;
        }
    }

    async fn answer(&self, jobs: Vec<Job>) {
        let (checks, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.check, job.answer)).unzip();
        match self.window(checks).await {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Nobody may be waiting any more; the journal has it all the same.
                    drop(reply.send(Ok(answer)));
                }
            }
            Err(error) => {
                tracing::warn!(target: "kyodaku::checks", %error, "a window of checks was not answered");
                for reply in replies {
                    drop(reply.send(Err(CheckError::Unavailable(error.to_string()))));
                }
            }
        }
    }

    async fn window(&self, checks: Vec<Check>) -> Result<Vec<Checked>, CheckError> {
        let mut tx = self.db.begin().await?;
        let log = checks_log(&self.node);
        let journal = heads::lock_or_create(&mut tx, &log, &self.signer, self.clock.now_ms()).await?;
        let acts = heads::read_tree_in(&mut tx, heads::ACTS).await?.unwrap_or(TreeHead::EMPTY);
        self.shared.catch_up_to(&self.db, acts).await?;
        let head = self.shared.head();
        let moment_ms = self.clock.now_ms().max(self.shared.head_ms());
        let shared = Arc::clone(&self.shared);
        let decided = tokio::task::spawn_blocking(move || {
            let answer = |check: Check| {
                let decided = decide_all(&shared, head.size, moment_ms, &check.items);
                (check, decided)
            };
            checks.into_iter().map(answer).collect::<Vec<_>>()
        });
        let decided = decided.await.map_err(|error| CheckError::Unavailable(error.to_string()))?;
        let rule_version = self.shared.read().as_of(head.size).rule_version();

        let mut bytes = Vec::new();
        let mut answers = Vec::with_capacity(decided.len());
        for (check, decided) in decided {
            let index = journal.size() + bytes.len() as u64;
            let written = Written { head, moment_ms, rule_version, index };
            answers.push(self.write_down(&check, decided, &written, &mut bytes)?);
        }
        // One signature a window.
        append(&mut tx, &journal, &bytes, &self.signer, moment_ms.max(journal.at_ms)).await?;
        tx.commit().await?;
        Ok(answers)
    }

    fn write_down(
        &self,
        check: &Check,
        decided: Vec<Decided>,
        written: &Written,
        bytes: &mut Vec<Vec<u8>>,
    ) -> Result<Checked, CheckError> {
        let id = CheckId::new(self.clock.new_uuid());
        let salt = clock::random::<16>();
        let items_root = items_root(check, &decided, &salt)?;
        let chunks = matched_chunks(check, &decided);
        let permitted = decided.iter().filter(|it| it.answer.verdict == Verdict::Permitted).count() as u64;
        let entry = JournalEntry::Check {
            v: 1,
            check: id,
            at_ms: written.moment_ms,
            developer: check.developer,
            context: check.context_record(),
            items: check.items.len() as u64,
            items_root: Sha256(items_root.0),
            permitted,
            log_size: written.head.size,
            log_root: Sha256(written.head.root.0),
            rule_version: written.rule_version,
            chunks: chunks.len() as u32,
            salt: Salt(salt),
        };
        bytes.push(canonical(&entry)?);
        for (chunk, works) in (0..).zip(chunks) {
            bytes.push(canonical(&JournalEntry::Matched { v: 1, check: id, chunk, works })?);
        }
        let valid_until_ms = decided.iter().map(|it| it.valid_until_ms).min().unwrap_or(i64::MAX);
        Ok(Checked {
            check: id,
            log: written.head,
            moment_ms: written.moment_ms,
            rule_version: written.rule_version,
            valid_until_ms,
            recheck_by_ms: valid_until_ms.min(written.moment_ms.saturating_add(self.recheck_max_ms)),
            items: decided.into_iter().map(|it| it.answer).collect(),
            journal: (self.signer.origin().to_owned(), written.index),
            items_root,
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

fn canonical(value: &impl Serialize) -> Result<Vec<u8>, CheckError> {
    to_canonical(value).map_err(|error| StoreError::Program(error.to_string()).into())
}

fn items_root(check: &Check, decided: &[Decided], salt: &[u8; 16]) -> Result<Hash, CheckError> {
    let mut digests = Vec::with_capacity(decided.len());
    for (item, decided) in check.items.iter().zip(decided) {
        digests.push(salted(salt, &canonical(&Bound::of(item, &decided.answer))?));
    }
    Ok(ItemTree::new(&digests).head().root)
}

/// The matched works of all items, each item's works with the item's uses and verdict, once.
fn matched_chunks(check: &Check, decided: &[Decided]) -> Vec<String> {
    let mut rows: Vec<[u8; 19]> = Vec::new();
    for (item, decided) in check.items.iter().zip(decided) {
        let uses = item.question.as_ref().map(|question| question.uses.as_slice()).unwrap_or_default();
        let bits = uses.iter().fold(0_u16, |bits, leaf| bits | (1 << *leaf as u16)).to_be_bytes();
        let permitted = u8::from(decided.answer.verdict == Verdict::Permitted);
        for work in &decided.answer.matched {
            let mut row = [0_u8; 19];
            let (id, rest) = row.split_at_mut(16);
            id.copy_from_slice(work.uuid().as_bytes());
            rest.copy_from_slice(&[bits[0], bits[1], permitted]);
            rows.push(row);
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows.chunks(CHUNK).map(|chunk| BASE64.encode(chunk.as_flattened())).collect()
}
