//! The only place that reads the machine's time and randomness.
//!
//! Everything else is given a [`Clock`], so that a test can move time and no test waits for it to pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of the present moment. Cloning shares the source.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `at_ms` until [`Clock::set`] or [`Clock::advance`] moves it.
    pub fn manual(at_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(at_ms))))
    }

    /// Now, in milliseconds since the Unix epoch (UTC, leap seconds ignored). A clock before 1970 reads 0.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Source::Manual(at) => at.load(Ordering::SeqCst),
        }
    }

    /// Sets a manual clock; does nothing to the machine's.
    pub fn set(&self, at_ms: i64) {
        if let Source::Manual(at) = &self.0 {
            at.store(at_ms, Ordering::SeqCst);
        }
    }

    /// Moves a manual clock forward; does nothing to the machine's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(at) = &self.0 {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }

    /// A new UUIDv7 (RFC 9562): its first 48 bits are this clock's milliseconds, the rest is random.
    pub fn new_uuid(&self) -> uuid::Uuid {
        let millis = u64::try_from(self.now_ms()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random()).into_uuid()
    }
}

/// A point for measuring durations; never compared with the wall clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
pub fn stopwatch() -> Instant {
    Instant::now()
}

/// `N` random bytes from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that follows would be safe.
#[expect(clippy::disallowed_methods, clippy::expect_used, reason = "the one place that reads randomness")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system must give randomness");
    bytes
}
