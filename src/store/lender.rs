//! Connections, lent to one after the other.
//!
//! The pool looks at each connection when it comes back: it must have left its transaction, and live. That is two or three
//! questions more for each one that is asked, and on SQLite two threads that wake each other each time. So what comes back in
//! order is kept beside the pool for the next one, who needs nothing but the next statement; anything else (an error, a
//! transaction left open, an answer not waited for) goes back to the pool, which sees to it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lent::Lent;
use crate::clock::stopwatch;

/// How long a caller waits for a connection before it is told that the database is busy. The server ends a statement before
/// [`ANSWER`](super::lent::ANSWER) is over.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept beside the pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keeping {
    /// Without being asked anything: nobody may be at its other end any more.
    pub(super) idle: Duration,
    /// In all, so that the pool sees each one now and then.
    pub(super) all: Duration,
    /// How long a statement may take, where nothing else ends one that is not answered.
    pub(super) answer: Option<Duration>,
}

/// The connections of one database. Cloning shares them.
pub struct Lender<DB: Database>(Arc<Shared<DB>>);

struct Shared<DB: Database> {
    pool: Pool<DB>,
    keeping: Keeping,
    /// As many as the pool has connections: whoever has a permit finds one, kept or in the pool.
    permits: Arc<Semaphore>,
    kept: Mutex<Kept<DB>>,
}

/// What is kept beside the pool, the last one that came back last.
struct Kept<DB: Database> {
    all: Vec<(Live<DB>, Instant)>,
    is_closed: bool,
}

/// A connection that has nothing open.
pub(super) struct Live<DB: Database> {
    pub(super) connection: PoolConnection<DB>,
    /// When the pool saw it last.
    seen: Instant,
}

impl<DB: Database> Clone for Lender<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Database> fmt::Debug for Lender<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lender").finish_non_exhaustive()
    }
}

impl<DB: Database> Lender<DB> {
    pub(super) fn new(pool: Pool<DB>, keeping: Keeping) -> Self {
        let connections = pool.options().get_max_connections() as usize;
        let kept = Mutex::new(Kept { all: Vec::new(), is_closed: false });
        Self(Arc::new(Shared { pool, keeping, permits: Arc::new(Semaphore::new(connections)), kept }))
    }

    /// The pool behind it.
    pub(super) fn pool(&self) -> &Pool<DB> {
        &self.0.pool
    }

    /// How many connections there may be.
    pub fn connections(&self) -> u32 {
        self.0.pool.options().get_max_connections()
    }

    /// Waits for a free connection.
    ///
    /// # Errors
    /// [`sqlx::Error::PoolTimedOut`] where none is free in time; [`sqlx::Error::PoolClosed`]; what opening one gives.
    pub async fn lend(&self) -> Result<Lent<DB>, sqlx::Error> {
        let permit = Arc::clone(&self.0.permits).acquire_owned();
        let permit = tokio::time::timeout(ACQUIRE_TIMEOUT, permit).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let live = match self.fresh() {
            Some(live) => live,
            None => Live { connection: self.0.pool.acquire().await?, seen: stopwatch() },
        };
        Ok(Lent::new(live, self.clone(), permit, self.0.keeping.answer))
    }

    /// One that is kept, and was asked not long ago.
    fn fresh(&self) -> Option<Live<DB>> {
        let (live, since) = self.kept().all.pop()?;
        let (now, keeping) = (stopwatch(), self.0.keeping);
        // Dropped, it is the pool's to look at.
        let is_fresh =
            now.duration_since(since) < keeping.idle && now.duration_since(live.seen) < keeping.all;
        is_fresh.then_some(live)
    }

    /// Keeps a connection that has nothing open for the next one.
    pub(super) fn take_back(&self, live: Live<DB>, permit: OwnedSemaphorePermit) {
        let mut kept = self.kept();
        if !kept.is_closed {
            kept.all.push((live, stopwatch()));
        }
        drop(kept);
        // Not before: whoever comes next finds it.
        drop(permit);
    }

    /// Waits for the connections in use, then closes all.
    pub(super) async fn close(&self) {
        let all = {
            let mut kept = self.kept();
            kept.is_closed = true;
            std::mem::take(&mut kept.all)
        };
        drop(all);
        self.0.permits.close();
        self.0.pool.close().await;
    }

    fn kept(&self) -> MutexGuard<'_, Kept<DB>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Drop for Kept<DB> {
    fn drop(&mut self) {
        // There may be no runtime any more in which the pool could look at them.
        for (live, _) in self.all.drain(..) {
            drop(live.connection.detach());
        }
    }
}
