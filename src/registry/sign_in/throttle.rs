//! How often one may try.
//!
//! Tries are counted for an address of the network, and for an address of the network with an account. Never for an
//! account alone, before its password was right: whoever knows an e-mail address could keep its owner out. That leaves guessing from many networks,
//! which long passwords that are not common make hopeless.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::key::Sha256;
use crate::registry::failure::Failure;
use crate::registry::limit::{Limiter, Refused, network, site};
use crate::registry::sequencer::SubmitError;

/// Tries of one network: this many at once, then one every two seconds.
const OF_NETWORK: (u32, Duration) = (60, Duration::from_secs(2));
/// Tries of one network for one account: this many at once, then one every thirty seconds.
const OF_ACCOUNT: (u32, Duration) = (10, Duration::from_secs(30));
/// Codes of six digits for one account: this many at once, then one every five minutes. Three of a million are right, so that
/// guessing one in a thousand accounts takes a day.
const OF_CODES: (u32, Duration) = (5, Duration::from_mins(5));
/// Registrations that one site may ask for: this many at once, and as many in a day. All sites together have 10,000 on their way.
const OF_REGISTRATIONS: (u32, Duration) = (20, Duration::from_mins(24 * 60 / 20));
/// Sign-ins through the provider that one site may begin: this many at once, then one every ten seconds. All sites together have
/// 10,000 on their way, for ten minutes each.
const OF_SIGN_INS: (u32, Duration) = (60, Duration::from_secs(10));
type Account = [u8; 32];

/// The tries that one process has seen.
#[derive(Debug)]
pub(super) struct Throttle {
    networks: Limiter<IpAddr>,
    accounts: Limiter<(IpAddr, Account)>,
    codes: Limiter<Account>,
    registrations: Limiter<IpAddr>,
    sign_ins: Limiter<IpAddr>,
}

impl Throttle {
    /// Nobody has tried.
    pub(super) fn new(clock: &Clock) -> Self {
        Self {
            networks: Limiter::new(clock, OF_NETWORK.0, OF_NETWORK.1),
            accounts: Limiter::new(clock, OF_ACCOUNT.0, OF_ACCOUNT.1),
            codes: Limiter::new(clock, OF_CODES.0, OF_CODES.1),
            registrations: Limiter::new(clock, OF_REGISTRATIONS.0, OF_REGISTRATIONS.1),
            sign_ins: Limiter::new(clock, OF_SIGN_INS.0, OF_SIGN_INS.1),
        }
    }

    /// Counts a try from `peer`, for `account` if it names one.
    ///
    /// # Errors
    /// [`Failure::TooMany`] when it is one too many.
    pub(super) fn admit(&self, peer: IpAddr, account: Option<&str>) -> Result<(), Failure> {
        let network = network(peer);
        self.networks.count(&network).map_err(too_many)?;
        let Some(account) = account else { return Ok(()) };
        let key = (network, Sha256::of(account.as_bytes()).0);
        self.accounts.count(&key).map_err(too_many).map(drop)
    }

    /// Counts a code of six digits that somebody shows who knows the password of this account already. It is counted from
    /// wherever it comes: there are few codes. Whoever is kept out by it has codes for a day without the device, which are not
    /// counted.
    pub(super) fn admit_code(&self, account: &str) -> Result<(), Failure> {
        self.codes.count(&Sha256::of(account.as_bytes()).0).map_err(too_many).map(drop)
    }

    /// Counts a registration that `peer` asks for; whether its site may have another.
    pub(super) fn admits_registration(&self, peer: IpAddr) -> bool {
        self.registrations.count(&site(peer)).is_ok()
    }

    /// Counts a sign-in through the provider that begins from `peer`.
    ///
    /// # Errors
    /// [`Failure::TooMany`] when it is one too many of its site.
    pub(super) fn admit_sign_in(&self, peer: IpAddr) -> Result<(), Failure> {
        self.sign_ins.count(&site(peer)).map_err(too_many).map(drop)
    }
}

fn too_many(refused: Refused) -> Failure {
    match refused {
        Refused::Wait(_) => Failure::TooMany { retry_s: refused.retry_s() },
        Refused::Full => Failure::Submit(SubmitError::Busy),
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

    #[test]
    fn a_site_has_a_share_of_what_is_there_for_all() {
        let clock = Clock::manual(1_761_523_200_000);
        let throttle = Throttle::new(&clock);
        let registrations =
            |peer: &str| (0..100).take_while(|_| throttle.admits_registration(peer.parse().unwrap())).count();
        let sign_ins = |peer: &str| {
            (0..100).take_while(|_| throttle.admit_sign_in(peer.parse().unwrap()).is_ok()).count()
        };
        // Another network of the same site has what that one left, another site its own.
        assert_eq!((registrations("2001:db8:1:1::1"), sign_ins("2001:db8:1:1::1")), (20, 60));
        assert_eq!((registrations("2001:db8:1:2::1"), sign_ins("2001:db8:1:2::1")), (0, 0));
        assert_eq!((registrations("2001:db8:2:1::1"), sign_ins("2001:db8:2:1::1")), (20, 60));
        assert_eq!((registrations("192.0.2.1"), sign_ins("::ffff:192.0.2.1")), (20, 60));
        assert_eq!((registrations("192.0.2.2"), sign_ins("192.0.2.1")), (20, 0));
        clock.advance(Duration::from_hours(24));
        assert_eq!((registrations("2001:db8:1:2::1"), sign_ins("2001:db8:1:2::1")), (20, 60));
    }
}
