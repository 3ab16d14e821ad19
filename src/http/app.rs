//! What every handler is given.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::rates::Rates;
use super::room::{self, Room};
use crate::clock::Clock;
use crate::registry::Registry;
use crate::registry::sandbox::bounds::Bounds;

/// The state of the router; cloning shares it, and costs little: each layer of each request has one.
#[derive(Clone)]
pub struct App(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    registry: Registry,
    sandbox: Option<App>,
    bounds: Option<Arc<Bounds>>,
    at_least_wait: Duration,
    proxies: Arc<[IpAddr]>,
    rates: Option<Arc<Rates>>,
    is_open: bool,
    room: Room,
    gathering: Arc<Semaphore>,
}

impl App {
    /// The face of a node.
    pub fn new(registry: Registry) -> Self {
        let (at_least_wait, room) = (Duration::from_secs(2), Room::of_mib(room::DEFAULT_MIB));
        Self(Arc::new(Inner {
            registry,
            sandbox: None,
            bounds: None,
            at_least_wait,
            proxies: Arc::default(),
            rates: None,
            is_open: true,
            room,
            gathering: Arc::new(Semaphore::new(1)),
        }))
    }

    /// The same with a change.
    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Whose turn it is to gather evidence, which takes much memory and time: one at once.
    pub(super) fn gathering(&self) -> &Semaphore {
        &self.0.gathering
    }

    /// The same, waiting this long for a log size that a caller asks for (2 s when not said).
    #[must_use]
    pub fn waiting(self, at_least_wait: Duration) -> Self {
        self.with(|inner| inner.at_least_wait = at_least_wait)
    }

    /// The same, behind these proxies, which say for whom they ask.
    #[must_use]
    pub fn behind(self, proxies: &[IpAddr]) -> Self {
        self.with(|inner| inner.proxies = proxies.into())
    }

    /// The same, answering each person so many requests a minute, and each network without one a tenth of that; all of them when
    /// it is 0.
    #[must_use]
    pub fn answering(self, requests_per_minute: u32) -> Self {
        let rates =
            (requests_per_minute > 0).then(|| Arc::new(Rates::new(self.clock(), requests_per_minute)));
        self.with(|inner| inner.rates = rates)
    }

    /// The same, with a sandbox beside it, which answers on the same terms, counts to the same quotas, and takes nothing more once
    /// its database is larger than so many MiB. It is called last.
    #[must_use]
    pub fn beside(self, sandbox: Registry, most_mib: u64) -> Self {
        let bounds = Bounds::new(self.registry().clone(), sandbox.clone(), most_mib);
        let sandbox = self.clone().with(|inner| {
            inner.registry = sandbox;
            inner.sandbox = None;
            inner.bounds = Some(Arc::new(bounds));
            inner.is_open = false;
        });
        self.with(|inner| inner.sandbox = Some(sandbox))
    }

    /// The node, and that of the sandbox, where there is one.
    pub fn registries(&self) -> Vec<Registry> {
        let sandbox = self.sandbox().map(|sandbox| sandbox.registry().clone());
        std::iter::once(self.registry().clone()).chain(sandbox).collect()
    }

    /// The sandbox, where there is one.
    pub(super) fn sandbox(&self) -> Option<&Self> {
        self.0.sandbox.as_ref()
    }

    /// What holds this one in, where it is a sandbox.
    pub(super) fn bounds(&self) -> Option<&Bounds> {
        self.0.bounds.as_deref()
    }

    /// The same, where only the registrar enters organizations, unless it is `open`.
    #[must_use]
    pub fn open(self, open: bool) -> Self {
        self.with(|inner| inner.is_open = open)
    }

    /// Whether organizations may enter themselves.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_open
    }

    /// The same, holding at most so many MiB of bodies and long answers at once.
    #[must_use]
    pub fn holding(self, mib: usize) -> Self {
        self.with(|inner| inner.room = Room::of_mib(mib))
    }

    /// Room for what is in flight.
    pub(super) fn room(&self) -> &Room {
        &self.0.room
    }

    /// How many requests are answered, if that has an end.
    pub(super) fn rates(&self) -> Option<&Rates> {
        self.0.rates.as_deref()
    }

    /// The proxies that are believed.
    pub fn proxies(&self) -> &[IpAddr] {
        &self.0.proxies
    }

    /// How long a question with `at_least` waits for the log to get there.
    pub(super) fn at_least_wait(&self) -> Duration {
        self.0.at_least_wait
    }

    /// The node.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The time and randomness.
    pub fn clock(&self) -> &Clock {
        self.registry().clock()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
