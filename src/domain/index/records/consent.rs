//! Grants, denials and reservations.

use serde::{Deserialize, Serialize};

use super::{At, Holding, Mandate, Org, Term, Work};
use crate::domain::act::{
    Condition, Covers, DenialRecorded, GrantRecorded, ReservationForm, Revocable, Signal,
};
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::index::{Ix, Mostly1};
use crate::domain::key::Sha256;
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, UseOrFamily, UseSet};

/// A grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The work that it was recorded on.
    pub work: Ix<Work>,
    /// The one before it on that work.
    pub before: Option<Ix<Self>>,
    /// Whose right it exercises.
    pub grantor: Ix<Org>,
    /// Who recorded it.
    pub recorder: Ix<Org>,
    /// The mandate that it was recorded under.
    pub mandate: Option<Ix<Mandate>>,
    /// Its entry.
    pub recorded: At,
    /// What it permits.
    pub licence: Ix<Licence>,
    /// Revocations: the last.
    pub revoked: Option<Ix<Revocation>>,
    /// Its term.
    pub term: Term,
}

/// What a grant permits, and on which conditions. Many grants have one in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Licence {
    /// Its parts too, or not.
    pub covers: Covers,
    /// Where it counts as a layer.
    pub as_layer_of: Scope<WorkId>,
    /// Whether a place is enough.
    pub by_location: bool,
    /// Leaf uses.
    pub uses: UseSet,
    /// Who may.
    pub developers: Scope<OrgId>,
    /// With which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
    /// Whether and how it can be taken back.
    pub revocable: Revocable,
    /// What the developer must keep to.
    pub conditions: Vec<Condition>,
    /// The digest of the terms.
    pub terms: Option<Sha256>,
}

impl Licence {
    /// The licence of this act. Its uses are those that the stated scope amounts to under this version of the rules.
    pub fn of(act: &GrantRecorded) -> Self {
        Self {
            covers: act.covers,
            as_layer_of: act.as_layer_of.clone(),
            by_location: act.by_location,
            uses: match &act.uses {
                Scope::Any => UseSet::all(),
                Scope::Only(uses) => uses.iter().copied().collect(),
            },
            developers: act.developers.clone(),
            models: act.models.clone(),
            territories: act.territories.clone(),
            revocable: act.revocable,
            conditions: act.conditions.clone(),
            terms: act.terms,
        }
    }
}

/// That a grant was revoked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revocation {
    /// The one before it of that grant.
    pub before: Option<Ix<Self>>,
    /// The entry.
    pub at: At,
    /// From which moment, in milliseconds.
    pub from_ms: i64,
}

/// A denial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Denial {
    /// The work that it was recorded on.
    pub work: Ix<Work>,
    /// The one before it on that work.
    pub before: Option<Ix<Self>>,
    /// Whose right it exercises.
    pub principal: Ix<Org>,
    /// Who recorded it.
    pub recorder: Ix<Org>,
    /// Its entry.
    pub recorded: At,
    /// What it forbids.
    pub refusal: Ix<Refusal>,
    /// The holdings that it rests on, each with the entry that lifted it.
    pub holdings: Mostly1<(Ix<Holding>, At)>,
    /// Its term.
    pub term: Term,
}

/// What a denial forbids. Many denials have one in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// Whether it stops parts too.
    pub parts: bool,
    /// Uses or families.
    pub uses: Scope<UseOrFamily>,
    /// Whom.
    pub developers: Scope<OrgId>,
    /// Which models.
    pub models: Scope<ModelId>,
    /// Where.
    pub territories: Scope<Territory>,
}

impl Refusal {
    /// What this act forbids: what it leaves out means all of it.
    pub fn of(act: &DenialRecorded) -> Self {
        Self {
            parts: act.parts.unwrap_or(true),
            uses: act.uses.clone().unwrap_or(Scope::Any),
            developers: act.developers.clone().unwrap_or(Scope::Any),
            models: act.models.clone().unwrap_or(Scope::Any),
            territories: act.territories.clone().unwrap_or(Scope::Any),
        }
    }

    /// Whether it speaks of this leaf.
    pub fn includes(&self, leaf: Use) -> bool {
        match &self.uses {
            Scope::Any => true,
            Scope::Only(uses) => uses.iter().any(|mine| mine.includes(leaf)),
        }
    }
}

/// An opt-out or other foreign signal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reservation {
    /// Who recorded it.
    pub by: Ix<Org>,
    /// The form.
    pub form: ReservationForm,
    /// What it says.
    pub signal: Signal,
    /// Its entry.
    pub recorded: u64,
    /// Withdrawn.
    pub withdrawn: u64,
}
