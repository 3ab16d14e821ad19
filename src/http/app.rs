//! What every handler is given.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::rates::Rates;
use crate::clock::Clock;
use crate::registry::Registry;

/// The state of the router; cloning shares it.
#[derive(Clone)]
pub struct App {
    registry: Registry,
    at_least_wait: Duration,
    proxies: Arc<[IpAddr]>,
    rates: Option<Arc<Rates>>,
}

impl App {
    /// The face of a node.
    pub fn new(registry: Registry) -> Self {
        Self { registry, at_least_wait: Duration::from_secs(2), proxies: Arc::default(), rates: None }
    }

    /// The same, waiting this long for a log size that a caller asks for (2 s when not said).
    #[must_use]
    pub fn waiting(self, at_least_wait: Duration) -> Self {
        Self { at_least_wait, ..self }
    }

    /// The same, behind these proxies, which say for whom they ask.
    #[must_use]
    pub fn behind(self, proxies: &[IpAddr]) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// The same, answering each person so many requests a minute, and each network without one a tenth of that; all of them when
    /// it is 0.
    #[must_use]
    pub fn answering(self, requests_per_minute: u32) -> Self {
        let rates =
            (requests_per_minute > 0).then(|| Arc::new(Rates::new(self.clock(), requests_per_minute)));
        Self { rates, ..self }
    }

    /// How many requests are answered, if that has an end.
    pub(super) fn rates(&self) -> Option<&Rates> {
        self.rates.as_deref()
    }

    /// The proxies that are believed.
    pub(super) fn proxies(&self) -> &[IpAddr] {
        &self.proxies
    }

    /// How long a question with `at_least` waits for the log to get there.
    pub(super) const fn at_least_wait(&self) -> Duration {
        self.at_least_wait
    }

    /// The node.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The time and randomness.
    pub fn clock(&self) -> &Clock {
        self.registry.clock()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
