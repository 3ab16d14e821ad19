//! What is told of the journals is marked before.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::clock::stopwatch;
use crate::log::merkle::TreeHead;
use crate::registry::failure::Failure;
use crate::store::high_water::HighWater;
use crate::store::{Db, StoreError, heads, tiles};

/// Marks are raised at most so often, whoever asks: commits of acts wait for the same file.
const PAUSE: Duration = Duration::from_millis(100);

struct Marks {
    high_water: HighWater,
    raised: Option<Instant>,
}

/// A head that is marked, and the moment before it was read: everything acknowledged until then is in it.
#[derive(Clone, Copy)]
struct Told {
    head: TreeHead,
    read: Instant,
}

/// What this node has told everybody of the journals.
pub(in crate::registry) struct Publisher {
    known: RwLock<HashMap<String, Told>>,
    marks: Mutex<Marks>,
}

impl Publisher {
    /// One that has told nothing yet.
    pub(in crate::registry) fn new(high_water: HighWater) -> Self {
        Self { known: RwLock::default(), marks: Mutex::new(Marks { high_water, raised: None }) }
    }

    fn known(&self, log: &str) -> Option<Told> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(log).copied()
    }

    /// Marks these logs as they are now, and gives what is published of each from then on; none of a log that there is
    /// not.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when one does not continue what was published of it before: nothing of it is told.
    pub(in crate::registry) async fn publish(
        &self,
        db: &Db,
        logs: &[&str],
    ) -> Result<Vec<Option<TreeHead>>, Failure> {
        let asked = stopwatch();
        let now = read(db, logs).await?;
        if self.are_known(logs, &now) {
            return Ok(now);
        }
        let mut marks = self.marks.lock().await;
        // One mark serves all who waited for it, however fast the journals grow.
        if let Some(told) = self.told_since(logs, asked) {
            return Ok(told);
        }
        if let Some(left) = marks.raised.and_then(|raised| PAUSE.checked_sub(raised.elapsed())) {
            tokio::time::sleep(left).await;
        }
        // Whoever waited is told what is there by then.
        let begun = stopwatch();
        let now = read(db, logs).await?;
        let mut news = Vec::new();
        for (log, head) in logs.iter().zip(&now) {
            let Some(head) = *head else { continue };
            let before = self.known(log).map(|told| told.head).or(marks.high_water.mark(log));
            let before = before.unwrap_or(TreeHead::EMPTY);
            refuse_other(db, log, before, head).await?;
            news.push((*log, head));
        }
        marks.high_water.raise(&news).await?;
        marks.raised = Some(stopwatch());
        // What another process of this name marked meanwhile is in the file too.
        for (log, head) in &news {
            refuse_other(db, log, marks.high_water.mark(log).unwrap_or(TreeHead::EMPTY), *head).await?;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(news.into_iter().map(|(log, head)| (log.to_owned(), Told { head, read: begun })));
        Ok(now)
    }

    fn are_known(&self, logs: &[&str], now: &[Option<TreeHead>]) -> bool {
        let is_known = |log: &str, head| self.known(log).is_some_and(|told| told.head == head);
        logs.iter().zip(now).all(|(log, head)| head.is_none_or(|head| is_known(log, head)))
    }

    /// What is marked of all of these, if it was read after this moment.
    fn told_since(&self, logs: &[&str], asked: Instant) -> Option<Vec<Option<TreeHead>>> {
        let told = |log: &&str| self.known(log).filter(|told| told.read >= asked).map(|told| Some(told.head));
        logs.iter().map(told).collect()
    }
}

async fn read(db: &Db, logs: &[&str]) -> Result<Vec<Option<TreeHead>>, StoreError> {
    let mut heads = Vec::with_capacity(logs.len());
    for log in logs {
        heads.push(heads::read_tree(db, log).await?);
    }
    Ok(heads)
}

async fn refuse_other(db: &Db, log: &str, before: TreeHead, now: TreeHead) -> Result<(), Failure> {
    let continues = match now.size.checked_sub(before.size) {
        None => false,
        Some(0) => now.root == before.root,
        Some(_) => tiles::root_at(db, log, before.size).await? == before.root,
    };
    if continues {
        return Ok(());
    }
    let (size, published) = (now.size, before.size);
    let why = format!(
        "log `{log}` has {size} entries that do not begin with the {published} that were published: the database is an older \
         copy, or another history"
    );
    tracing::error!(target: "kyodaku::log", why, "this log is not told any more");
    Err(Failure::Unavailable(why))
}
