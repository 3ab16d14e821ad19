//! What holds the sandbox in: whom the real registry lets in no more, and how large it may become.
//!
//! Whoever has a mailbox may use it, unverified, and it lies in the same process and often on the same disk as the real registry: it
//! must not be able to fill either.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::stopwatch;
use crate::registry::authority::Actor;
use crate::registry::node::Registry;
use crate::registry::shared::FollowError;
use crate::store::StoreError;

/// How long a measured size is believed.
const MEASURED: Duration = Duration::from_secs(1);

/// What becomes of somebody who shows a credential of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing in the real registry is against it.
    Good,
    /// The real registry removed the person.
    Removed,
    /// The real registry suspended the organization.
    Suspended,
}

/// The bounds of a sandbox.
pub struct Bounds {
    real: Registry,
    sandbox: Registry,
    most_bytes: u64,
    measured: Mutex<Option<(Instant, u64)>>,
}

impl Bounds {
    /// Those of this sandbox beside this registry, of which the database may take so many MiB.
    pub fn new(real: Registry, sandbox: Registry, most_mib: u64) -> Self {
        Self { real, sandbox, most_bytes: most_mib.saturating_mul(1 << 20), measured: Mutex::default() }
    }

    /// How the real registry stands to somebody. Of those who are known to the sandbox alone it has nothing to say.
    pub async fn standing(&self, actor: &Actor) -> Result<Standing, FollowError> {
        let (person, org) = (actor.person(), actor.org());
        self.real
            .read(move |now| {
                let is_known = now.index.people.find(person).is_some();
                if is_known && now.stands_for(person).is_none() {
                    return Standing::Removed;
                }
                let suspended = now.org(org).and_then(|org| now.suspension(org));
                if suspended.is_some() { Standing::Suspended } else { Standing::Good }
            })
            .await
    }

    /// Whether its database has become so large that nothing more is taken.
    pub async fn is_full(&self) -> Result<bool, StoreError> {
        let now = stopwatch();
        let known = *self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match known {
            Some((at, bytes)) if now.duration_since(at) < MEASURED => bytes,
            _ => {
                let bytes = self.sandbox.db().bytes().await?;
                *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, bytes));
                bytes
            }
        };
        Ok(bytes > self.most_bytes)
    }
}
