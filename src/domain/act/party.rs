//! Acts about the installation, organizations, people, models, memberships and mandates.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{MandateId, MembershipId, ModelId, OrgId, PersonId, WorkId};
use crate::domain::key::Sha256;
use crate::domain::scope::{From, Scope, Until};

/// `log.opened`: the first entry of every log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOpened {
    /// The origin line of the log's checkpoints.
    pub origin: String,
    /// The party that stands for the installation itself; its own acts (seals, proofs of control) bear it.
    pub registry: OrgId,
    /// The last good checkpoint of the log that this one continues after a loss: its SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<Sha256>,
}

/// `settings.changed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsChanged {
    /// Whether confirming, merging and settling need a second person of the registrar (R6).
    pub second_person: bool,
}

/// `rules.activated`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesActivated {
    /// The version that `admit` and `decide` follow from the next entry on.
    pub version: u32,
}

/// What an organization is here for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds rights in works.
    RightsHolder,
    /// Acts for its members, and as an agent with a mandate.
    Association,
    /// Trains or runs models, and asks before.
    AiDeveloper,
    /// Reads the log.
    Auditor,
    /// Runs the registry; excludes every other role (R6).
    Registrar,
    /// Reads what an inquiry lays open to it, and nothing beyond.
    Investigator,
}

/// `org.registered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgRegistered {
    /// The new organization.
    pub org: OrgId,
    /// One or more, distinct.
    pub roles: Vec<Role>,
}

macro_rules! about_org {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The organization.
            pub org: OrgId,
            /// The digest of the evidence that the registrar saw.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub evidence: Option<Sha256>,
        })*
    };
}

about_org! {
    /// `org.verified`.
    OrgVerified;
    /// `org.suspended`.
    OrgSuspended;
    /// `org.reinstated`.
    OrgReinstated;
}

/// `person.added`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonAdded {
    /// The opaque name of the person; who that is stands in no log.
    pub person: PersonId,
    /// For whom the person acts.
    pub org: OrgId,
}

/// `person.removed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonRemoved {
    /// The person.
    pub person: PersonId,
    /// The organization that the person leaves.
    pub org: OrgId,
}

/// `model.registered`; the developer is the entry's party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRegistered {
    /// The new model.
    pub model: ModelId,
}

/// `model.retired`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRetired {
    /// The model.
    pub model: ModelId,
}

/// `membership.offered`, by either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipOffered {
    /// The new membership.
    pub membership: MembershipId,
    /// The rights holder.
    pub member: OrgId,
    /// The association.
    pub association: OrgId,
}

/// `membership.accepted`, by the other side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipAccepted {
    /// The membership.
    pub membership: MembershipId,
}

/// `membership.ended`, by either side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipEnded {
    /// The membership.
    pub membership: MembershipId,
}

/// What an agent may do for its principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Register works, assert holdings and bindings, link, declare.
    Register,
    /// Grant.
    Grant,
    /// Revoke grants.
    Revoke,
    /// Deny, and withdraw denials.
    Deny,
    /// Record reservations and serve notices.
    Notice,
    /// Answer requests and publish offers.
    Answer,
    /// Hand over and accept holdings.
    Transfer,
}

/// `mandate.given`; the principal is the entry's party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MandateGiven {
    /// The new mandate.
    pub mandate: MandateId,
    /// Who may act.
    pub agent: OrgId,
    /// For which works.
    pub works: Scope<WorkId>,
    /// What it may do, one or more, distinct.
    pub powers: Vec<Power>,
    /// From when.
    pub from: From,
    /// Until when.
    pub until: Until,
    /// Whether grants recorded under it stand after it has ended (R3).
    pub grants_survive: bool,
}

/// `mandate.ended`, by the principal or the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MandateEnded {
    /// The mandate.
    pub mandate: MandateId,
}
