//! What people call things, looked up for an answer.

use std::collections::HashMap;

use super::failure::Failure;
use super::node::Registry;
use crate::domain::explain::Names;
use crate::domain::ids::{OrgId, WorkId};
use crate::store::catalogue;

/// The most names looked up for one answer; what is beyond is called by its id.
pub const MAX_NAMES: usize = 400;

/// Names that were looked up.
#[derive(Clone, Debug, Default)]
pub struct Known {
    orgs: HashMap<OrgId, String>,
    works: HashMap<WorkId, String>,
}

impl Known {
    /// Looks up these organizations and works.
    pub async fn look_up(
        registry: &Registry,
        orgs: impl IntoIterator<Item = OrgId>,
        works: impl IntoIterator<Item = WorkId>,
    ) -> Result<Self, Failure> {
        let mut known = Self::default();
        known.add(registry, orgs, works).await?;
        Ok(known)
    }

    /// Looks up more.
    pub async fn add(
        &mut self,
        registry: &Registry,
        orgs: impl IntoIterator<Item = OrgId>,
        works: impl IntoIterator<Item = WorkId>,
    ) -> Result<(), Failure> {
        for org in orgs {
            if self.is_room() && !self.orgs.contains_key(&org) {
                let row = catalogue::org(registry.db(), &org.to_string()).await?;
                self.orgs.extend(row.and_then(|row| row.name).map(|name| (org, name)));
            }
        }
        for work in works {
            if self.is_room() && !self.works.contains_key(&work) {
                let row = catalogue::work(registry.db(), &work.to_string()).await?;
                self.works.extend(row.and_then(|row| row.title).map(|title| (work, title)));
            }
        }
        Ok(())
    }

    fn is_room(&self) -> bool {
        self.orgs.len() + self.works.len() < MAX_NAMES
    }

    /// An organization's name; none when it has none, or was not looked up.
    pub fn org_name(&self, id: OrgId) -> Option<String> {
        self.orgs.get(&id).cloned()
    }

    /// A work's main title.
    pub fn title(&self, id: WorkId) -> Option<String> {
        self.works.get(&id).cloned()
    }
}

impl Names for Known {
    fn org(&self, id: OrgId) -> String {
        self.org_name(id).unwrap_or_else(|| id.to_string())
    }

    fn work(&self, id: WorkId) -> String {
        self.title(id).unwrap_or_else(|| id.to_string())
    }
}
