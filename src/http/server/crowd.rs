//! How many connections each network has open: none may take all that there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::registry::limit::network;

/// The open connections, by network; cloning shares the count.
#[derive(Clone)]
pub(super) struct Crowd {
    most: usize,
    proxies: Arc<[IpAddr]>,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one connection, until it is dropped.
pub(super) struct Place {
    crowd: Crowd,
    network: Option<IpAddr>,
}

impl Crowd {
    /// Nobody is there. Each network may have `most`, but these proxies, behind which many are.
    pub(super) fn new(most: usize, proxies: Arc<[IpAddr]>) -> Self {
        Self { most, proxies, open: Arc::default() }
    }

    /// Lets one more in from `peer`; none where its network has all that it may.
    pub(super) fn enter(&self, peer: IpAddr) -> Option<Place> {
        if self.proxies.contains(&peer.to_canonical()) {
            return Some(Place { crowd: self.clone(), network: None });
        }
        let network = network(peer);
        let mut open = self.open();
        let of_network = open.entry(network).or_default();
        if *of_network >= self.most {
            return None;
        }
        *of_network += 1;
        drop(open);
        Some(Place { crowd: self.clone(), network: Some(network) })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut open = self.crowd.open();
        let Some(of_network) = open.get_mut(&network) else { return };
        *of_network = of_network.saturating_sub(1);
        if *of_network == 0 {
            open.remove(&network);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(crowd: &Crowd, peer: &str) -> Option<Place> {
        crowd.enter(peer.parse().unwrap())
    }

    #[test]
    fn a_network_has_so_many_and_leaves_the_rest_to_others() {
        let crowd = Crowd::new(2, ["192.0.2.9".parse().unwrap()].into());
        let (first, second) = (enter(&crowd, "192.0.2.1"), enter(&crowd, "::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter(&crowd, "192.0.2.1").is_none());
        let all_of_one = [enter(&crowd, "2001:db8:0:1::1"), enter(&crowd, "2001:db8:0:1:ffff::2")];
        assert!(all_of_one.iter().all(Option::is_some));
        assert!(enter(&crowd, "2001:db8:0:1::3").is_none());
        assert!(enter(&crowd, "2001:db8:0:2::1").is_some());
        drop(first);
        let again = enter(&crowd, "192.0.2.1");
        assert!(again.is_some() && enter(&crowd, "192.0.2.1").is_none());
        // Behind a proxy are many.
        let behind: Vec<_> = (0..5).map(|_| enter(&crowd, "::ffff:192.0.2.9")).collect();
        assert!(behind.iter().all(Option::is_some));
        // Of those who left nothing is kept, of those who were not let in neither.
        drop((second, again, all_of_one, behind));
        assert!(crowd.open().is_empty());
    }
}
