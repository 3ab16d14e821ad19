//! The index that readers and the sequencer share, and how it follows the log.
//!
//! Readers pin the published size and see nothing beyond it. Only the holder of the write permit folds; what it folds
//! before the database has it lies beyond the published size and is undone when the database refuses.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures_util::StreamExt;
use tokio::sync::{Mutex, MutexGuard};

use super::snapshot;
use crate::domain::entry::Entry;
use crate::domain::index::{Index, Savepoint};
use crate::log::merkle::{Frontier, TreeHead, leaf_hash};
use crate::store::high_water::HighWater;
use crate::store::{Db, StoreError, entries, heads};

/// Why the index can't be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log holds what this node can't fold: it stops, and does not guess.
    #[error("this node has stopped: {0}")]
    Stopped(String),
}

/// What the holder of the write permit owns.
pub struct Writer {
    /// The tree over everything published.
    pub frontier: Frontier,
    high_water: HighWater,
}

/// The shared index.
pub struct SharedIndex {
    index: RwLock<Index>,
    head: RwLock<TreeHead>,
    head_ms: AtomicI64,
    writer: Mutex<Writer>,
    publishing: Mutex<()>,
    stopped: OnceLock<String>,
}

impl SharedIndex {
    /// An empty index that follows the log from its beginning.
    pub fn new(high_water: HighWater) -> Self {
        Self::resume(high_water, Index::new(), Frontier::new())
    }

    /// An index that follows the log from where a snapshot ends.
    pub fn resume(high_water: HighWater, index: Index, frontier: Frontier) -> Self {
        Self {
            head: RwLock::new(frontier.head()),
            head_ms: AtomicI64::new(index.head_ms()),
            index: RwLock::new(index),
            writer: Mutex::new(Writer { frontier, high_water }),
            publishing: Mutex::new(()),
            stopped: OnceLock::new(),
        }
    }

    /// The published size: everything below it is durable, signed and folded.
    pub fn published(&self) -> u64 {
        self.head().size
    }

    /// The published size with its root.
    pub fn head(&self) -> TreeHead {
        *self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the last published entry, in milliseconds.
    pub fn head_ms(&self) -> i64 {
        self.head_ms.load(Ordering::Acquire)
    }

    /// The index, to be asked as of at most [`SharedIndex::published`]. Hold it briefly: writers wait.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        // A panic while folding can't leave a published entry half applied: the size is stored after the fold.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index, to be folded by the holder of the write permit.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The permit to fold.
    pub(super) async fn permit(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().await
    }

    /// Held from before a commit until that is published, or could not be.
    pub(super) async fn publishing(&self) -> MutexGuard<'_, ()> {
        self.publishing.lock().await
    }

    /// Waits until what this process has committed is published, or could not be.
    pub(super) async fn settled(&self) {
        drop(self.publishing().await);
    }

    /// Why this node answers no more, if it does not.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    fn stop(&self, why: String) -> FollowError {
        tracing::error!(target: "kyodaku::log", why, "this node stops answering");
        FollowError::Stopped(self.stopped.get_or_init(|| why).clone())
    }

    /// # Errors
    /// [`FollowError::Stopped`].
    pub(super) fn refuse_if_stopped(&self) -> Result<(), FollowError> {
        self.stopped().map_or(Ok(()), |why| Err(FollowError::Stopped(why.to_owned())))
    }

    /// Folds everything that the database has, as of now. What was acknowledged before the call is then seen.
    pub async fn catch_up(&self, db: &Db) -> Result<u64, FollowError> {
        self.refuse_if_stopped()?;
        let before = self.head();
        let head = heads::read_tree(db, heads::ACTS).await?.unwrap_or(TreeHead::EMPTY);
        self.catch_up_to(db, before, head).await
    }

    /// As [`SharedIndex::catch_up`], to a head that was read already. `before` is what was published before that was read: a
    /// database that has less, or something else, is not the one that this node followed.
    pub async fn catch_up_to(&self, db: &Db, before: TreeHead, head: TreeHead) -> Result<u64, FollowError> {
        self.refuse_if_stopped()?;
        self.must_hold(head, before)?;
        if head.size > self.published() {
            let mut writer = self.permit().await;
            self.follow(db, &mut writer, head).await?;
        }
        Ok(self.published())
    }

    /// As [`SharedIndex::follow`], to a head that is locked: nothing can be published that it lacks.
    pub(super) async fn follow_locked(
        &self,
        db: &Db,
        writer: &mut Writer,
        head: TreeHead,
    ) -> Result<(), FollowError> {
        self.refuse_if_stopped()?;
        self.must_hold(head, self.head())?;
        self.follow(db, writer, head).await
    }

    /// Folds and publishes the entries up to `head`, whose root they must have.
    async fn follow(&self, db: &Db, writer: &mut Writer, head: TreeHead) -> Result<(), FollowError> {
        self.refuse_if_stopped()?;
        if head.size <= self.published() {
            return Ok(());
        }
        let mut frontier = writer.frontier.clone();
        let folded = self.speculate();
        self.fold_entries(db, &mut frontier, head, false).await?;
        self.must_have_root(&frontier, head)?;
        self.publish(writer, frontier, folded).await
    }

    /// As [`SharedIndex::catch_up`], for a node that begins. Nothing of it is taken back, so that memory holds the index and
    /// not the way to it: when it fails the node has stopped.
    pub(super) async fn read_up(&self, db: &Db) -> Result<(), FollowError> {
        let head = heads::read_tree(db, heads::ACTS).await?.unwrap_or(TreeHead::EMPTY);
        if head.size <= self.published() {
            return Ok(());
        }
        let mut writer = self.permit().await;
        let mut frontier = writer.frontier.clone();
        if let Err(error) = self.fold_entries(db, &mut frontier, head, true).await {
            return Err(self.stop(error.to_string()));
        }
        self.must_have_root(&frontier, head)?;
        let folded = Speculation { shared: self, back_to: None };
        self.publish(&mut writer, frontier, folded).await
    }

    /// Refuses a head without what was published: an older copy of the database took the place of the one that was followed.
    fn must_hold(&self, head: TreeHead, published: TreeHead) -> Result<(), FollowError> {
        if head.size > published.size || head == published {
            return Ok(());
        }
        Err(self.stop(format!(
            "the database has {} entries with another root than the {} that were published: it is an older copy, or another \
             history",
            head.size, published.size
        )))
    }

    fn must_have_root(&self, frontier: &Frontier, head: TreeHead) -> Result<(), FollowError> {
        if frontier.head() == head {
            return Ok(());
        }
        let size = head.size;
        Err(self.stop(format!("the entries below {size} do not have the root that the database gives")))
    }

    /// Begins to fold what is not published yet.
    pub(super) fn speculate(&self) -> Speculation<'_> {
        Speculation { shared: self, back_to: Some(self.write().savepoint()) }
    }

    async fn fold_entries(
        &self,
        db: &Db,
        frontier: &mut Frontier,
        head: TreeHead,
        for_good: bool,
    ) -> Result<(), FollowError> {
        let pages = entries::stream(db, heads::ACTS, frontier.size()..head.size);
        let mut pages = std::pin::pin!(pages);
        while let Some(page) = pages.next().await {
            let page = page?;
            let mut index = self.write();
            for stored in page {
                let entry: Entry = serde_json::from_slice(&stored.bytes)
                    .map_err(|error| self.stop(format!("entry {} can't be read: {error}", stored.index)))?;
                index.fold(stored.index, &entry).map_err(|error| self.stop(error.to_string()))?;
                frontier.push(leaf_hash(&stored.bytes));
            }
            if for_good {
                index.keep();
            }
        }
        Ok(())
    }

    /// Writes the snapshot file of what is published; what is folded beyond it must not be in it, so no batch runs
    /// meanwhile.
    pub async fn write_snapshot(&self, folder: &Path) -> std::io::Result<()> {
        let writer = self.permit().await;
        snapshot::write(folder, &self.read(), &writer.frontier)
    }

    /// Marks, then publishes, what is folded: the order is commit, mark, publish.
    pub(super) async fn publish(
        &self,
        writer: &mut Writer,
        frontier: Frontier,
        mut folded: Speculation<'_>,
    ) -> Result<(), FollowError> {
        writer.high_water.raise(&[(heads::ACTS, frontier.head())]).await?;
        folded.back_to = None;
        let mut index = self.write();
        index.keep();
        self.head_ms.store(index.head_ms(), Ordering::Release);
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = frontier.head();
        writer.frontier = frontier;
        Ok(())
    }
}

/// What is folded beyond the published size. Dropped before it is published, it is undone: also when the database
/// refuses it, or when whoever waited for it goes away.
pub(super) struct Speculation<'a> {
    shared: &'a SharedIndex,
    back_to: Option<Savepoint>,
}

impl Drop for Speculation<'_> {
    fn drop(&mut self) {
        if let Some(savepoint) = self.back_to.take() {
            self.shared.write().undo(savepoint);
        }
    }
}
