//! What the index remembers of each thing. A field that ends with `_at` or is a `u64` is an entry index; [`NEVER`]
//! means that it has not happened.

use serde::{Deserialize, Serialize};

use super::Ix;
use crate::domain::act::{
    Condition, Covers, GrantRecorded, Power, ReservationForm, Revocable, Role, Signal, WorkKind,
};
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::key::{Key, Sha256};
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, UseOrFamily, UseSet};

/// No entry yet.
pub const NEVER: u64 = u64::MAX;

/// Whether an organization may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Verified, or reinstated.
    Good,
    /// Suspended.
    Suspended,
}

/// An organization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Org {
    /// What it is here for.
    pub roles: Vec<Role>,
    /// Its entry.
    pub registered: u64,
    /// Verification, suspension, reinstatement, in order.
    pub standing: Vec<(u64, Standing)>,
}

/// A person, by the opaque id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// For whom the person acts: organization, since, until.
    pub stands_for: Vec<(OrgRef, u64, u64)>,
}

/// The party of a person or an act: a registered organization, or the installation itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrgRef {
    /// The installation.
    Installation,
    /// An organization.
    Org(Ix<Org>),
}

/// A model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Model {
    /// Whose.
    pub developer: Ix<Org>,
    /// Its entry.
    pub registered: u64,
    /// Retired.
    pub retired: u64,
}

/// A membership.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Membership {
    /// The rights holder.
    pub member: Ix<Org>,
    /// The association.
    pub association: Ix<Org>,
    /// Which side offered.
    pub offered_by: Ix<Org>,
    /// Its entry.
    pub offered: u64,
    /// The other side agreed.
    pub accepted: u64,
    /// Ended.
    pub ended: u64,
}

/// A mandate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mandate {
    /// Who gave it.
    pub principal: Ix<Org>,
    /// Who may act.
    pub agent: Ix<Org>,
    /// For which works.
    pub works: Scope<WorkId>,
    /// What.
    pub powers: Vec<Power>,
    /// Its term, in milliseconds.
    pub term: Term,
    /// Its entry.
    pub given: u64,
    /// Ended.
    pub ended: u64,
    /// Whether grants under it stand after its end.
    pub grants_survive: bool,
}

/// `[from_ms, until_ms)`; open ends are `i64::MIN` and `i64::MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The first moment inside.
    pub from_ms: i64,
    /// The first moment outside again.
    pub until_ms: i64,
}

impl Term {
    /// Whether the moment lies inside.
    pub const fn contains(self, moment_ms: i64) -> bool {
        self.from_ms <= moment_ms && moment_ms < self.until_ms
    }
}

/// Who declared a list complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Declarer {
    /// The registrar.
    Registrar,
    /// A holder.
    Holder(Ix<Org>),
}

/// A list that counts once it is declared complete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Completeness {
    /// Entries that changed it, in order.
    pub changed: Vec<u64>,
    /// Declarations, in order.
    pub declared: Vec<(u64, Declarer)>,
}

/// A work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Work {
    /// What sort of thing.
    pub kind: WorkKind,
    /// Its entry.
    pub registered: u64,
    /// Who registered it.
    pub registrant: Ix<Org>,
    /// Withdrawn.
    pub withdrawn: u64,
    /// What it was merged into, and by which entry.
    pub merged_into: Option<(u64, Ix<Work>)>,
    /// What was merged into it.
    pub absorbed: Vec<(u64, Ix<Work>)>,
    /// All holdings ever.
    pub holdings: Vec<Ix<Holding>>,
    /// All bindings ever.
    pub bindings: Vec<Ix<Binding>>,
    /// Links to what it incorporates.
    pub layers: Vec<Ix<LayerLink>>,
    /// Links to what it is part of.
    pub parents: Vec<Ix<PartLink>>,
    /// Links to its parts.
    pub children: Vec<Ix<PartLink>>,
    /// The list of holders.
    pub roster: Completeness,
    /// The list of layers.
    pub layering: Completeness,
    /// Grants on it.
    pub grants: Vec<Ix<Grant>>,
    /// Denials on it.
    pub denials: Vec<Ix<Denial>>,
    /// Claims on it.
    pub claims: Vec<Ix<Claim>>,
    /// Disputes on it.
    pub disputes: Vec<Ix<Dispute>>,
    /// Whether a key of it was ever asserted for something else beside a confirmed binding.
    pub contested: bool,
    /// Whether anything was ever reserved for it by name.
    pub reserved: bool,
}

/// A share in a work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holding {
    /// The work that it was asserted for.
    pub work: Ix<Work>,
    /// Who holds it, since which entry; the last is the present holder.
    pub holders: Vec<(u64, Ix<Org>)>,
    /// Its entry.
    pub asserted: u64,
    /// Confirmed.
    pub confirmed: u64,
    /// Rejected or relinquished.
    pub ended: u64,
}

/// A key tied to a work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Binding {
    /// The work.
    pub work: Ix<Work>,
    /// The key.
    #[serde(with = "crate::domain::key::packed")]
    pub key: Key,
    /// Who asserted it.
    pub by: Ix<Org>,
    /// Its entry.
    pub asserted: u64,
    /// When that was, in milliseconds.
    pub asserted_ms: i64,
    /// Whether another binding of the key, to another work, stood confirmed then: it is a claim while unconfirmed.
    pub contests: bool,
    /// Confirmed.
    pub confirmed: u64,
    /// Rejected.
    pub rejected: u64,
    /// Removed.
    pub removed: u64,
}

/// One work incorporates another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerLink {
    /// The work.
    pub work: Ix<Work>,
    /// What it incorporates.
    pub layer: Ix<Work>,
    /// Its entry.
    pub linked: u64,
    /// Removed.
    pub removed: u64,
}

/// A holder's assent to a part link.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Assent {
    /// Whose.
    pub org: Ix<Org>,
    /// The entry.
    pub at: u64,
    /// Since when it is that of a confirmed holder of the part.
    pub good_on_part: u64,
    /// Since when it is that of a confirmed holder of the whole.
    pub good_on_whole: u64,
}

impl Assent {
    /// Since when it is good on both sides.
    pub const fn good_on_both(&self) -> u64 {
        if self.good_on_part > self.good_on_whole { self.good_on_part } else { self.good_on_whole }
    }
}

/// One work is part of another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartLink {
    /// The part.
    pub part: Ix<Work>,
    /// The whole.
    pub whole: Ix<Work>,
    /// Its entry.
    pub linked: u64,
    /// Removed.
    pub removed: u64,
    /// Assents, in order.
    pub assents: Vec<Assent>,
}

/// The handing over of a holding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transfer {
    /// The holding.
    pub holding: Ix<Holding>,
    /// Who offered it.
    pub from: Ix<Org>,
    /// To whom.
    pub to: Ix<Org>,
    /// Its entry.
    pub offered: u64,
    /// Accepted or withdrawn.
    pub ended: u64,
}

/// A claim.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claim {
    /// The work.
    pub work: Ix<Work>,
    /// Who claims.
    pub claimant: Ix<Org>,
    /// Its entry.
    pub made: u64,
    /// When, in milliseconds.
    pub made_ms: i64,
    /// Withdrawn.
    pub withdrawn: u64,
}

/// A dispute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dispute {
    /// The work.
    pub work: Ix<Work>,
    /// Its entry.
    pub opened: u64,
    /// Settled.
    pub settled: u64,
}

/// A grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The work that it was recorded on.
    pub work: Ix<Work>,
    /// Whose right it exercises.
    pub grantor: Ix<Org>,
    /// Who recorded it.
    pub recorder: Ix<Org>,
    /// The mandate that it was recorded under.
    pub mandate: Option<Ix<Mandate>>,
    /// Its entry.
    pub recorded: u64,
    /// Its term.
    pub term: Term,
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
    /// Revocations: entry, and from which moment.
    pub revoked: Vec<(u64, i64)>,
}

impl Grant {
    /// The uses that a stated scope amounts to under this version of the rules.
    pub fn uses_of(act: &GrantRecorded) -> UseSet {
        match &act.uses {
            Scope::Any => UseSet::all(),
            Scope::Only(uses) => uses.iter().copied().collect(),
        }
    }
}

/// A denial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Denial {
    /// The work that it was recorded on.
    pub work: Ix<Work>,
    /// Whose right it exercises.
    pub principal: Ix<Org>,
    /// Who recorded it.
    pub recorder: Ix<Org>,
    /// Its entry.
    pub recorded: u64,
    /// The holdings that it rests on, each with the entry that lifted it.
    pub holdings: Vec<(Ix<Holding>, u64)>,
    /// Its term.
    pub term: Term,
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

impl Denial {
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

/// What a [`Record`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordOf {
    /// A developer's request.
    Request,
    /// A holder's offer.
    Offer,
    /// A notice.
    Notice,
    /// A developer's declaration.
    Declaration,
    /// A document.
    Document,
    /// An auditor's inquiry.
    Inquiry,
}

/// A record that changes no verdict: a request, an offer, a notice, a declaration, a document, an inquiry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Which of these it is.
    pub of: RecordOf,
    /// Who recorded it.
    pub by: Ix<Org>,
    /// For whom: the principal, or who recorded it.
    pub principal: Ix<Org>,
    /// The other side, where there is one.
    pub with: Vec<Ix<Org>>,
    /// The works that it names.
    pub works: Vec<Ix<Work>>,
    /// Until when a request waits for answers, in milliseconds; `i64::MAX` for everything else.
    pub due_ms: i64,
    /// Its entry.
    pub recorded: u64,
    /// Closed, withdrawn, lapsed or answered for good.
    pub ended: u64,
}
