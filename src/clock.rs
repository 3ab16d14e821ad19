//! The only place that reads the machine's time and randomness.
//!
//! Everything else is given a [`Clock`], so that a test can move time and no test waits for it to pass.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The greatest step forward that is believed: a year. A clock that far off would date entries wrongly for ever, and would
/// permit what begins in a year.
const MAX_STEP_MS: i64 = 365 * DAY_MS;
/// How far the clock may be from the moment that somebody vouched for.
const VOUCHED_MS: i64 = DAY_MS;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What is said of a clock that is not believed.
pub const NOT_BELIEVED: &str = "the clock of this machine is more than a year ahead of the last entry";

/// A source of the present moment. Cloning shares the source.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    vouched_ms: Option<i64>,
}

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<Moved>),
}

/// Where a manual clock stands, and how far it was moved forward in all.
#[derive(Debug)]
struct Moved {
    at_ms: AtomicI64,
    passed_ms: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { source: Source::System, vouched_ms: None }
    }

    /// A clock that stands still at `at_ms` until [`Clock::set`] or [`Clock::advance`] moves it.
    pub fn manual(at_ms: i64) -> Self {
        let moved = Moved { at_ms: AtomicI64::new(at_ms), passed_ms: AtomicI64::new(0) };
        Self { source: Source::Manual(Arc::new(moved)), vouched_ms: None }
    }

    /// The same clock, for which somebody vouches: it is about `at_ms`. It is believed within a day of that, however long
    /// ago the last entry was recorded.
    ///
    /// # Errors
    /// How many milliseconds the clock is behind, when that is more than a day: one of the two is wrong. A moment that is over
    /// is none: it vouches for nothing any more.
    pub fn vouched(mut self, at_ms: i64) -> Result<Self, i64> {
        let behind_ms = at_ms.saturating_sub(self.now_ms());
        if behind_ms > VOUCHED_MS {
            return Err(behind_ms);
        }
        self.vouched_ms = Some(at_ms);
        Ok(self)
    }

    /// Whether it can be now, when the last entry was recorded at `last_ms`: not more than a year later, unless somebody
    /// vouched for it.
    pub fn is_believed_after(&self, last_ms: i64) -> bool {
        let now_ms = self.now_ms();
        now_ms.saturating_sub(last_ms) <= MAX_STEP_MS
            || self.vouched_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) <= VOUCHED_MS)
    }

    /// Now, in milliseconds since the Unix epoch (UTC, leap seconds ignored). A clock before 1970 reads 0.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub fn now_ms(&self) -> i64 {
        match &self.source {
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Source::Manual(moved) => moved.at_ms.load(Ordering::SeqCst),
        }
    }

    /// How much time has passed since some moment of this process: for what is counted by the time that lies between two
    /// looks. It never goes back, whoever sets the clock.
    pub fn passed(&self) -> Duration {
        match &self.source {
            Source::System => stopwatch().saturating_duration_since(*BEGUN),
            Source::Manual(moved) => {
                let passed_ms = moved.passed_ms.load(Ordering::SeqCst);
                Duration::from_millis(u64::try_from(passed_ms).unwrap_or(0))
            }
        }
    }

    /// Sets a manual clock; does nothing to the machine's.
    pub fn set(&self, at_ms: i64) {
        if let Source::Manual(moved) = &self.source {
            let before_ms = moved.at_ms.swap(at_ms, Ordering::SeqCst);
            moved.passed_ms.fetch_add(at_ms.saturating_sub(before_ms).max(0), Ordering::SeqCst);
        }
    }

    /// Moves a manual clock forward; does nothing to the machine's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(moved) = &self.source {
            let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            moved.at_ms.fetch_add(by_ms, Ordering::SeqCst);
            moved.passed_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }

    /// A new UUIDv7 (RFC 9562): its first 48 bits are this clock's milliseconds, the rest is random. Those that one process
    /// makes in one millisecond ascend too, each by a random step (section 6.2, method 2), as long as time does not go back.
    pub fn new_uuid(&self) -> uuid::Uuid {
        let millis = u64::try_from(self.now_ms()).unwrap_or(0);
        let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
        let chance = u128::from_be_bytes(random());
        // The first of a millisecond leaves half of what there is for steps; more of them than fit can't be made in one.
        let rest = if last.0 == millis { last.1 + 1 + (chance & STEP) } else { chance & (CHANCE >> 1) };
        *last = (millis, rest);
        // The version stands after 48 bits, the variant after 64 (section 5.7).
        let (high, low) = ((rest & CHANCE) >> 62, rest & ((1 << 62) - 1));
        uuid::Uuid::from_u128(u128::from(millis & TIME) << 80 | 7 << 76 | high << 64 | 2 << 62 | low)
    }
}

/// The bits of a UUIDv7 that hold its milliseconds.
const TIME: u64 = (1 << 48) - 1;
/// Those that are left to chance, and those of a step.
const CHANCE: u128 = (1 << 74) - 1;
const STEP: u128 = (1 << 48) - 1;

/// The milliseconds of the last UUID of this process, and its chance.
static LAST: Mutex<(u64, u128)> = Mutex::new((0, 0));

/// The moment from which [`Clock::passed`] counts.
static BEGUN: LazyLock<Instant> = LazyLock::new(stopwatch);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_for_a_year_and_a_vouched_one_about_its_moment() {
        const LAST: i64 = 1_761_523_200_000;
        let clock = Clock::manual(LAST + MAX_STEP_MS);
        assert!(clock.is_believed_after(LAST));
        clock.advance(Duration::from_millis(1));
        assert!(!clock.is_believed_after(LAST));
        let now = clock.now_ms();
        assert_eq!(clock.clone().vouched(now + VOUCHED_MS + 1).unwrap_err(), VOUCHED_MS + 1);
        let vouched = clock.clone().vouched(now + VOUCHED_MS).unwrap();
        assert!(vouched.is_believed_after(LAST));
        clock.set(now + 2 * VOUCHED_MS);
        assert!(vouched.is_believed_after(LAST));
        clock.advance(Duration::from_millis(1));
        assert!(!vouched.is_believed_after(LAST), "what was vouched for is over");
        clock.set(0);
        assert!(clock.is_believed_after(LAST), "time that goes backwards is clamped, not refused");
    }

    #[test]
    fn time_that_passed_does_not_come_back_when_a_clock_is_set_back() {
        let clock = Clock::manual(1_761_523_200_000);
        assert_eq!(clock.passed(), Duration::ZERO);
        clock.advance(Duration::from_secs(1));
        clock.set(1_761_523_205_000);
        assert_eq!(clock.passed(), Duration::from_secs(5));
        clock.set(1_761_523_200_000);
        assert_eq!(clock.passed(), Duration::from_secs(5));
        clock.set(1_761_523_201_000);
        assert_eq!(clock.passed(), Duration::from_secs(6));
        // That of the machine is no time of day.
        let (one, next) = (Clock::system().passed(), Clock::system().passed());
        assert!(one <= next && next < Duration::from_hours(24), "{one:?} {next:?}");
    }

    #[test]
    fn uuids_of_one_millisecond_ascend_and_bear_it() {
        // No other test has this millisecond.
        let clock = Clock::manual(1_234_567_890_123);
        let made: Vec<_> = (0..10_000).map(|_| clock.new_uuid()).collect();
        assert!(made.is_sorted_by(|one, next| one < next));
        for uuid in made {
            assert_eq!((uuid.get_version_num(), uuid.get_variant()), (7, uuid::Variant::RFC4122));
            assert_eq!(uuid.as_u128() >> 80, 1_234_567_890_123);
        }
        clock.set(1_234_567_890_122);
        assert_eq!(clock.new_uuid().as_u128() >> 80, 1_234_567_890_122);
    }
}
