//! One read for all who need the same at the same time.
//!
//! Every request asks the database whose credential it bears and how far the log has come, and neither may be remembered:
//! a key that was revoked, or an act that was acknowledged, before the question came must be seen. So whoever asks while a
//! read is under way waits for the next one, which begins after the question and serves all who came meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::clock::Clock;
use crate::log::merkle::TreeHead;
use crate::store::accounts::{self, LiveKey};
use crate::store::{Db, StoreError, heads};

/// The most questions that wait, and the most that one read serves.
const QUEUE: usize = 8_192;
const MOST: usize = 512;
/// After how long a read that hangs no longer holds up the next one, and how many may hang.
const PATIENCE: Duration = Duration::from_millis(50);
const UNDER_WAY: usize = 16;
/// What is said where the task has ended.
const STOPPED: &str = "nobody reads any more";

/// Which credential is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sought {
    /// The live key with this digest of its secret.
    Key([u8; 32]),
    /// The live key of this id, unless its token of this name is revoked.
    Client(String, String),
}

/// What a read found: the credential, where one was looked for and is live; and the head of the act log, read with it or after it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) key: Option<LiveKey>,
    pub(super) head: TreeHead,
}

struct Ask {
    sought: Option<Sought>,
    answer: oneshot::Sender<Result<Known, StoreError>>,
}

/// The entrance; cloning shares it.
#[derive(Clone)]
pub(super) struct Together(mpsc::Sender<Ask>);

impl Together {
    /// Starts the task that reads.
    pub(super) fn start(db: Db, clock: Clock) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(db, clock, receiver));
        Self(sender)
    }

    /// The head of the act log: whatever was acknowledged before this call is in it.
    pub(super) async fn head(&self) -> Result<TreeHead, StoreError> {
        Ok(self.ask(None).await?.head)
    }

    /// A credential as it is now, and the head of the act log.
    pub(super) async fn find(&self, sought: Sought) -> Result<Known, StoreError> {
        self.ask(Some(sought)).await
    }

    async fn ask(&self, sought: Option<Sought>) -> Result<Known, StoreError> {
        let (answer, reply) = oneshot::channel();
        let stopped = || StoreError::Unavailable(STOPPED.to_owned());
        self.0.try_send(Ask { sought, answer }).map_err(|refused| match refused {
            TrySendError::Full(_) => StoreError::Busy("too many requests wait for the database".to_owned()),
            TrySendError::Closed(_) => stopped(),
        })?;
        reply.await.map_err(|_| stopped())?
    }

    /// Why nothing is read any more, where the task has ended.
    pub(super) fn stopped(&self) -> Option<&'static str> {
        self.0.is_closed().then_some(STOPPED)
    }
}

async fn run(db: Db, clock: Clock, mut queue: mpsc::Receiver<Ask>) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    let mut asks = Vec::new();
    while let Ok(permit) = Arc::clone(&under_way).acquire_owned().await {
        if queue.recv_many(&mut asks, MOST).await == 0 {
            return;
        }
        // Whoever has gone away is owed nothing.
        asks.retain(|ask: &Ask| !ask.answer.is_closed());
        let (db, now_ms, taken) = (db.clone(), clock.now_ms(), std::mem::take(&mut asks));
        let read = tokio::spawn(async move {
            answer(&db, now_ms, taken).await;
            drop(permit);
        });
        // One that takes longer goes on by itself.
        drop(tokio::time::timeout(PATIENCE, read).await);
    }
}

async fn answer(db: &Db, now_ms: i64, asks: Vec<Ask>) {
    let distinct: HashSet<Sought> = asks.iter().filter_map(|ask| ask.sought.clone()).collect();
    let looked = distinct.into_iter().map(|sought| look(db, sought, now_ms));
    let credentials: HashMap<_, _> = join_all(looked).await.into_iter().collect();
    let head = head(db, &credentials).await;
    for Ask { sought, answer } in asks {
        let found = match sought.and_then(|sought| credentials.get(&sought)) {
            Some(Ok(found)) => Ok(found.as_ref().map(|(key, _)| key.clone())),
            Some(Err(error)) => Err(error.again()),
            None => Ok(None),
        };
        let known = match (found, &head) {
            (Ok(key), Ok(head)) => Ok(Known { key, head: *head }),
            (Err(error), _) => Err(error),
            (_, Err(error)) => Err(error.again()),
        };
        // Nobody may be waiting any more.
        drop(answer.send(known));
    }
}

/// A credential that was looked for, and the head at the moment at which it was found.
type Looked = Result<Option<(LiveKey, TreeHead)>, StoreError>;

/// The head of the act log, not before any credential that was found: what made it is in the log. Whoever found one has
/// read the head with it.
async fn head(db: &Db, credentials: &HashMap<Sought, Looked>) -> Result<TreeHead, StoreError> {
    let read = credentials.values().flatten().flatten().map(|(_, head)| *head);
    if let Some(latest) = read.max_by_key(|head| head.size) {
        return Ok(latest);
    }
    Ok(heads::read_tree(db, heads::ACTS).await?.unwrap_or(TreeHead::EMPTY))
}

async fn look(db: &Db, sought: Sought, now_ms: i64) -> (Sought, Looked) {
    let found = match &sought {
        Sought::Key(digest) => accounts::find_key(db, digest, now_ms).await,
        Sought::Client(key, token) => accounts::live_key(db, key, token, now_ms).await,
    };
    (sought, found)
}
