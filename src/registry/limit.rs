//! How often somebody may do something: so many times at once, then one at a time. What counts is the time that passes, and
//! not what the clock says: setting it back would lock everybody out for as long as it was ahead.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

/// Beyond this many, those who have done nothing for a while are forgotten, every ten seconds at most.
const REMEMBERED: usize = 100_000;
/// Beyond this many, nobody new may: memory has an end.
const MOST: usize = 1_000_000;
const SWEEP_MS: i64 = 10_000;

/// The registry's clock as the library reads it.
#[derive(Clone, Debug)]
struct Since(Clock);

impl governor::clock::Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.passed()
    }
}

/// What one process has seen of each `K`.
pub struct Limiter<K: Hash + Eq + Clone> {
    clock: Since,
    seen: RateLimiter<K, HashMapStateStore<K>, Since, StateInformationMiddleware>,
    swept_ms: AtomicI64,
}

impl<K: Hash + Eq + Clone> std::fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").finish_non_exhaustive()
    }
}

/// Why not now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was once too often; in so much time it is not.
    Wait(Duration),
    /// Too many others are remembered.
    Full,
}

impl Refused {
    /// After how many whole seconds another try makes sense.
    pub fn retry_s(self) -> u32 {
        match self {
            Self::Wait(wait) => u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1),
            Self::Full => 10,
        }
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Nobody has done anything. Each may so many times at once, and then once in every `every`.
    pub fn new(clock: &Clock, at_once: u32, every: Duration) -> Self {
        let clock = Since(clock.clone());
        let at_once = NonZeroU32::new(at_once).unwrap_or(NonZeroU32::MIN);
        let quota =
            Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(at_once);
        let seen = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Self { seen, clock, swept_ms: AtomicI64::new(0) }
    }

    /// Counts one more of `key`; how many more are left now.
    pub fn count(&self, key: &K) -> Result<u32, Refused> {
        self.make_room()?;
        let now = self.clock.now();
        match self.seen.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(until) => Err(Refused::Wait(until.wait_time_from(now))),
        }
    }

    fn make_room(&self) -> Result<(), Refused> {
        if self.seen.len() < REMEMBERED {
            return Ok(());
        }
        let now_ms = i64::try_from(self.clock.now().as_millis()).unwrap_or(i64::MAX);
        let is_due = |swept_ms: i64| (swept_ms + SWEEP_MS <= now_ms).then_some(now_ms);
        if self.swept_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_ok() {
            self.seen.retain_recent();
        }
        if self.seen.len() < MOST { Ok(()) } else { Err(Refused::Full) }
    }
}

/// The network that one customer has: an IPv4 address, or 64 bits of an IPv6 address.
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// All networks that one customer may have: an IPv4 address, or 48 bits of an IPv6 address (RFC 6177). It counts where there is
/// little for everybody together.
pub fn site(peer: IpAddr) -> IpAddr {
    match network(peer) {
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_at_a_time() {
        let clock = Clock::manual(1_761_523_200_000);
        let limiter = Limiter::new(&clock, 3, Duration::from_secs(10));
        assert_eq!([(); 3].map(|()| limiter.count(&"a")), [Ok(2), Ok(1), Ok(0)]);
        let refused = limiter.count(&"a").unwrap_err();
        assert_eq!((refused, refused.retry_s()), (Refused::Wait(Duration::from_secs(10)), 11));
        assert_eq!(limiter.count(&"b"), Ok(2));
        clock.advance(Duration::from_secs(10));
        assert_eq!((limiter.count(&"a"), limiter.count(&"a").is_ok()), (Ok(0), false));
    }

    #[test]
    fn nobody_waits_for_a_clock_that_was_ahead_and_is_put_right() {
        const NOW: i64 = 1_761_523_200_000;
        let clock = Clock::manual(NOW);
        let limiter = Limiter::new(&clock, 2, Duration::from_secs(10));
        clock.set(NOW + 86_400_000);
        assert_eq!([(); 3].map(|()| limiter.count(&"a").is_ok()), [true, true, false]);
        clock.set(NOW);
        assert_eq!(limiter.count(&"a"), Err(Refused::Wait(Duration::from_secs(10))));
        assert_eq!(limiter.count(&"b"), Ok(1));
        clock.advance(Duration::from_secs(10));
        assert!(limiter.count(&"a").is_ok());
    }

    #[test]
    fn those_who_did_nothing_for_a_while_are_forgotten() {
        let clock = Clock::manual(1_761_523_200_000);
        let limiter = Limiter::new(&clock, 1, Duration::from_secs(1));
        (0..REMEMBERED).for_each(|key| assert!(limiter.count(&key).is_ok()));
        clock.advance(Duration::from_secs(10));
        assert!(limiter.count(&REMEMBERED).is_ok());
        assert_eq!(limiter.seen.len(), 1);
    }
}
