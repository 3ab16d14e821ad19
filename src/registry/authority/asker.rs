//! Who asks for whom: a developer for itself, or a contractor for the developer that named it.

use super::{Developer, Proof};
use crate::domain::ids::OrgId;
use crate::registry::failure::Failure;
use crate::registry::node::Registry;
use crate::store::contractors;

/// Proves that the caller may ask for a developer: its own organization, or one that has named it. Only
/// [`Asker::prove`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    by: Developer,
    developer: OrgId,
}

impl Asker {
    /// Proves that the caller asks for `developer`, its own organization where none is named.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] where that organization has not named the caller, or it has ended; the same whether there is such
    /// an organization or not.
    pub async fn prove(
        registry: &Registry,
        by: Developer,
        developer: Option<OrgId>,
    ) -> Result<Self, Failure> {
        let developer = developer.unwrap_or(by.actor().org());
        let asker = Self { by, developer };
        asker.still(registry).await?;
        Ok(asker)
    }

    /// Whether it may still.
    ///
    /// # Errors
    /// As [`Asker::prove`].
    pub async fn still(&self, registry: &Registry) -> Result<(), Failure> {
        let Some(contractor) = self.asked_by() else { return Ok(()) };
        let (developer, now_ms) = (self.developer.to_string(), registry.clock().now_ms());
        if contractors::may_ask(registry.db(), &developer, &contractor.to_string(), now_ms).await? {
            return Ok(());
        }
        let why = format!("`{developer}` has not named your organization as a contractor, or it has ended");
        Err(Failure::Forbidden(why))
    }

    /// The developer whose questions these are.
    pub const fn developer(&self) -> OrgId {
        self.developer
    }

    /// Who asks, when that is not the developer itself.
    pub fn asked_by(&self) -> Option<OrgId> {
        let org = self.by.actor().org();
        (org != self.developer).then_some(org)
    }
}
