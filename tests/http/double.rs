//! A stand-in for the floors below, for tests of the face alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kyodaku::clock::Clock;
use kyodaku::domain::ids::{KeyId, OrgId, PersonId};
use kyodaku::http::app::{App, Backend, Unavailable};
use kyodaku::http::gate::{Identity, Roles, Scope};
use kyodaku::http::routes::{self, Route};
use kyodaku::http::status::Status;

use crate::world::START_MS;

pub(crate) const SIZE: u64 = 7;
pub(crate) const DEVELOPER: &str = "kyo_live_developer";
pub(crate) const HOLDER: &str = "kyo_live_holder";
pub(crate) const HOLDER_READ_ONLY: &str = "kyo_live_holderReadOnly";

/// Knows three keys, and a log of [`SIZE`] entries; can be told to fail.
#[derive(Default)]
pub(crate) struct Double {
    pub(crate) down: AtomicBool,
}

impl Double {
    fn up(&self) -> Result<(), Unavailable> {
        if self.down.load(Ordering::SeqCst) {
            return Err(Unavailable { cause: "the password is hunter2".to_owned(), retry_after_s: 9 });
        }
        Ok(())
    }
}

impl Backend for Double {
    fn authenticate<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Identity>, Unavailable>> {
        let known = match key {
            DEVELOPER => Some((Roles::DEVELOPERS, vec![Scope::Read, Scope::Check])),
            HOLDER => Some((Roles::HOLDERS, vec![Scope::Read, Scope::PermissionsWrite])),
            HOLDER_READ_ONLY => Some((Roles::HOLDERS, vec![Scope::Read])),
            _ => None,
        };
        let identity = known.map(|(roles, scopes)| Identity {
            key: KeyId::new(uuid::Uuid::from_u128(1)),
            org: OrgId::new(uuid::Uuid::from_u128(2)),
            person: Some(PersonId::new(uuid::Uuid::from_u128(3))),
            roles,
            scopes,
        });
        std::future::ready(self.up().map(|()| identity)).boxed()
    }

    fn status(&self) -> BoxFuture<'_, Result<Status, Unavailable>> {
        let status = Status {
            origin: "kyodaku.example/log".to_owned(),
            log_size: SIZE,
            root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            rule_version: 1,
            head_at_ms: Some(START_MS),
            server_version: "0.1.0".to_owned(),
        };
        std::future::ready(self.up().map(|()| status)).boxed()
    }

    fn catch_up(&self, size: u64) -> BoxFuture<'_, Result<bool, Unavailable>> {
        std::future::ready(self.up().map(|()| size <= SIZE)).boxed()
    }
}

/// A router of this table on a double that works.
pub(crate) fn router(table: Vec<Route>) -> Router {
    router_on(&Arc::new(Double::default()), table)
}

/// A router of this table on this double.
pub(crate) fn router_on(double: &Arc<Double>, table: Vec<Route>) -> Router {
    let backend: Arc<dyn Backend> = double.clone();
    routes::router(&App::new(backend, Clock::manual(START_MS)), table)
}
