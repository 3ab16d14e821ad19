//! What every handler is given.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::gate::Identity;
use super::problem::Problem;
use super::status::Status;
use crate::clock::Clock;

/// What this floor asks of the floors below, whatever stands behind it.
pub trait Backend: Send + Sync + 'static {
    /// Who holds this API key: `None` for an unknown, mistyped, expired or revoked one, alike.
    fn authenticate<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Identity>, Unavailable>>;

    /// The head of the log as this node has read it.
    fn status(&self) -> BoxFuture<'_, Result<Status, Unavailable>>;

    /// Waits, for a bounded time, until this node has read the log to `size`; `false` when it has not.
    fn catch_up(&self, size: u64) -> BoxFuture<'_, Result<bool, Unavailable>>;
}

/// The floors below cannot answer now. The cause is for the log, not for the caller.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Unavailable {
    /// What failed.
    pub cause: String,
    /// After how many seconds a repetition makes sense.
    pub retry_after_s: u32,
}

impl From<Unavailable> for Problem {
    fn from(unavailable: Unavailable) -> Self {
        tracing::warn!(target: "kyodaku::http", cause = %unavailable.cause, "answered unavailable");
        Self::unavailable(unavailable.retry_after_s)
    }
}

/// The state of the router; cloning shares it.
#[derive(Clone)]
pub struct App(Arc<Shared>);

struct Shared {
    backend: Arc<dyn Backend>,
    clock: Clock,
}

impl App {
    /// A face for what stands behind `backend`.
    pub fn new(backend: Arc<dyn Backend>, clock: Clock) -> Self {
        Self(Arc::new(Shared { backend, clock }))
    }

    /// The floors below.
    pub fn backend(&self) -> &dyn Backend {
        self.0.backend.as_ref()
    }

    /// The time and randomness.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
