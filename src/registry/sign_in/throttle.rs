//! How often one may try.
//!
//! Tries are counted for an address of the network, and for an address of the network with an account. Never for an
//! account alone, before its password was right: whoever knows an e-mail address could keep its owner out. That leaves guessing from many networks,
//! which long passwords that are not common make hopeless.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::domain::key::Sha256;
use crate::registry::failure::Failure;
use crate::registry::sequencer::SubmitError;

/// Tries of one network: this many at once, then one every two seconds.
const OF_NETWORK: (u32, Duration) = (60, Duration::from_secs(2));
/// Tries of one network for one account: this many at once, then one every thirty seconds.
const OF_ACCOUNT: (u32, Duration) = (10, Duration::from_secs(30));
/// Codes of six digits for one account: this many at once, then one every five minutes. Three of a million are right, so that
/// guessing one in a thousand accounts takes a day.
const OF_CODES: (u32, Duration) = (5, Duration::from_mins(5));
/// Beyond this many, those who have not tried for a while are forgotten, every ten seconds at most.
const REMEMBERED: usize = 100_000;
/// Beyond this many, nobody new may try: memory has an end.
const MOST: usize = 1_000_000;
const SWEEP_MS: i64 = 10_000;

/// The registry's clock as the limiter reads it.
#[derive(Clone, Debug)]
struct Since(Clock);

impl governor::clock::Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now_ms()).unwrap_or(0))
    }
}

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, Since, NoOpMiddleware<Duration>>;
type Account = [u8; 32];

/// The tries that one process has seen.
pub(super) struct Throttle {
    clock: Since,
    networks: Limiter<IpAddr>,
    accounts: Limiter<(IpAddr, Account)>,
    codes: Limiter<Account>,
    swept_ms: AtomicI64,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

impl Throttle {
    /// Nobody has tried.
    pub(super) fn new(clock: &Clock) -> Self {
        let clock = Since(clock.clone());
        Self {
            networks: RateLimiter::new(quota(OF_NETWORK), HashMapStateStore::default(), clock.clone()),
            accounts: RateLimiter::new(quota(OF_ACCOUNT), HashMapStateStore::default(), clock.clone()),
            codes: RateLimiter::new(quota(OF_CODES), HashMapStateStore::default(), clock.clone()),
            clock,
            swept_ms: AtomicI64::new(0),
        }
    }

    /// Counts a try from `peer`, for `account` if it names one.
    ///
    /// # Errors
    /// [`Failure::TooMany`] when it is one too many.
    pub(super) fn admit(&self, peer: IpAddr, account: Option<&str>) -> Result<(), Failure> {
        let network = network(peer);
        let now = self.clock.now();
        self.make_room()?;
        self.networks.check_key(&network).map_err(|until| too_many(until.wait_time_from(now)))?;
        let Some(account) = account else { return Ok(()) };
        let key = (network, Sha256::of(account.as_bytes()).0);
        self.accounts.check_key(&key).map_err(|until| too_many(until.wait_time_from(now)))
    }

    /// Counts a code of six digits that somebody shows who knows the password of this account already. It is counted from
    /// wherever it comes: there are few codes. Whoever is kept out by it has codes for a day without the device, which are not
    /// counted.
    pub(super) fn admit_code(&self, account: &str) -> Result<(), Failure> {
        let (key, now) = (Sha256::of(account.as_bytes()).0, self.clock.now());
        self.codes.check_key(&key).map_err(|until| too_many(until.wait_time_from(now)))
    }

    fn make_room(&self) -> Result<(), Failure> {
        let remembered = || self.networks.len().max(self.accounts.len());
        if remembered() < REMEMBERED {
            return Ok(());
        }
        let now_ms = self.clock.0.now_ms();
        let is_due = |swept_ms: i64| (swept_ms + SWEEP_MS <= now_ms).then_some(now_ms);
        if self.swept_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_due).is_ok() {
            self.networks.retain_recent();
            self.accounts.retain_recent();
            self.codes.retain_recent();
        }
        if remembered() < MOST { Ok(()) } else { Err(Failure::Submit(SubmitError::Busy)) }
    }
}

fn quota((burst, every): (u32, Duration)) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

fn too_many(wait: Duration) -> Failure {
    Failure::TooMany { retry_s: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1) }
}

/// The network that one customer has: an IPv4 address, or 64 bits of an IPv6 address.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(throttle: &Throttle, peer: &str, account: Option<&str>) -> usize {
        (0..1_000).take_while(|_| throttle.admit(peer.parse().unwrap(), account).is_ok()).count()
    }

    #[test]
    fn a_guesser_keeps_itself_out_and_not_its_victim() {
        let clock = Clock::manual(1_761_523_200_000);
        let throttle = Throttle::new(&clock);
        assert_eq!(tries(&throttle, "192.0.2.1", Some("hanako")), 10);
        assert_eq!(tries(&throttle, "192.0.2.1", Some("taro")), 10);
        assert_eq!(tries(&throttle, "192.0.2.2", Some("hanako")), 10);
        // The network's own limit: 22 of its 60 tries are spent, the refused ones too.
        assert_eq!(tries(&throttle, "192.0.2.1", None), 38);
        clock.advance(Duration::from_secs(30));
        assert_eq!(tries(&throttle, "192.0.2.1", Some("hanako")), 1);
        let refused = throttle.admit("192.0.2.1".parse().unwrap(), Some("hanako")).unwrap_err();
        assert!(matches!(refused, Failure::TooMany { retry_s: 30..=31 }), "{refused:?}");
    }

    #[test]
    fn a_whole_network_of_one_customer_counts_as_one() {
        let throttle = Throttle::new(&Clock::manual(1_761_523_200_000));
        assert_eq!(tries(&throttle, "2001:db8:0:1::1", Some("hanako")), 10);
        assert_eq!(tries(&throttle, "2001:db8:0:1:ffff::2", Some("hanako")), 0);
        assert_eq!(tries(&throttle, "2001:db8:0:2::1", Some("hanako")), 10);
        assert_eq!(tries(&throttle, "192.0.2.9", Some("hanako")), 10);
        assert_eq!(tries(&throttle, "::ffff:192.0.2.9", Some("hanako")), 0);
    }
}
