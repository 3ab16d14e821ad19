//! What people call things, looked up for an answer.

use std::collections::HashMap;

use super::failure::Failure;
use super::node::Registry;
use crate::domain::explain::{Lang, Names};
use crate::domain::ids::{OrgId, WorkId};
use crate::store::catalogue;

/// The most names looked up for one answer; what is beyond is called by its id.
pub const MAX_NAMES: usize = 400;

/// Names that were looked up.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// With none where the name was erased.
    orgs: HashMap<OrgId, Option<String>>,
    /// With none where the title was erased.
    works: HashMap<WorkId, Option<String>>,
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
                self.orgs.extend(row.map(|row| (org, row.name)));
            }
        }
        for work in works {
            if self.is_room() && !self.works.contains_key(&work) {
                let row = catalogue::work(registry.db(), &work.to_string()).await?;
                self.works.extend(row.map(|row| (work, row.title)));
            }
        }
        Ok(())
    }

    fn is_room(&self) -> bool {
        self.orgs.len() + self.works.len() < MAX_NAMES
    }

    /// An organization's name; none when it has none, or was not looked up.
    pub fn org_name(&self, id: OrgId) -> Option<String> {
        self.orgs.get(&id).cloned().flatten()
    }

    /// A work's main title.
    pub fn title(&self, id: WorkId) -> Option<String> {
        self.works.get(&id).cloned().flatten()
    }
}

impl Names for Known {
    fn org(&self, id: OrgId, lang: Lang) -> String {
        match (self.orgs.get(&id), lang) {
            (Some(Some(name)), _) => name.clone(),
            (Some(None), Lang::Ja) => format!("{id}（名称は消去されました）"),
            (Some(None), Lang::En) => format!("{id} (its name was erased)"),
            (None, _) => id.to_string(),
        }
    }

    fn work(&self, id: WorkId, lang: Lang) -> String {
        match (self.works.get(&id), lang) {
            (Some(Some(title)), _) => title.clone(),
            (Some(None), Lang::Ja) => format!("{id}（題名は消去されました）"),
            (Some(None), Lang::En) => format!("{id} (its title was erased)"),
            (None, _) => id.to_string(),
        }
    }
}
