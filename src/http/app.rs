//! What every handler is given.

use std::fmt;

use crate::clock::Clock;
use crate::registry::Registry;

/// The state of the router; cloning shares it.
#[derive(Clone)]
pub struct App(Registry);

impl App {
    /// The face of a node.
    pub fn new(registry: Registry) -> Self {
        Self(registry)
    }

    /// The node.
    pub fn registry(&self) -> &Registry {
        &self.0
    }

    /// The time and randomness.
    pub fn clock(&self) -> &Clock {
        self.0.clock()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
