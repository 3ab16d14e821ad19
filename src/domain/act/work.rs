//! Acts about works: who holds them, what they are made of, and what ties keys to them.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{BindingId, ClaimId, DisputeId, HoldingId, LinkId, OrgId, TransferId, WorkId};
use crate::domain::key::{Key, Sha256};

/// What sort of thing a work is. It decides nothing; people sort by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// A franchise.
    Franchise,
    /// A series.
    Series,
    /// An animated or live-action film or programme.
    Audiovisual,
    /// A comic.
    Comic,
    /// A text.
    Text,
    /// A musical work.
    Music,
    /// A recording.
    Recording,
    /// A character.
    Character,
    /// A picture.
    Image,
    /// A game.
    Game,
    /// Software.
    Software,
    /// Anything else.
    Other,
}

/// A share in a work, as asserted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holding {
    /// The new holding.
    pub holding: HoldingId,
    /// Who is said to hold it.
    pub holder: OrgId,
}

/// A key that is said to belong to a work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The new binding.
    pub binding: BindingId,
    /// The key, in normal form.
    pub key: Key,
}

/// A tie to another work, seen from the work that is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tie {
    /// The new link.
    pub link: LinkId,
    /// The other work.
    pub work: WorkId,
}

/// `work.registered`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkRegistered {
    /// The new work.
    pub work: WorkId,
    /// What sort of thing it is.
    pub kind: WorkKind,
    /// Who is said to hold it; may be nobody yet, and then it is never permitted.
    pub holders: Vec<Holding>,
    /// Whether the registrant declares this list complete (R2).
    pub roster_complete: bool,
    /// Works that it incorporates.
    pub layers: Vec<Tie>,
    /// Whether the registrant declares this list complete; an empty list that is declared complete says "none" (R7).
    pub layers_complete: bool,
    /// Works that it is part of; each holds once both sides have assented.
    pub part_of: Vec<Tie>,
    /// Its keys.
    pub bindings: Vec<Binding>,
}

/// `work.amended`: the description, which is payload, was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkAmended {
    /// The work.
    pub work: WorkId,
    /// Its kind from now on.
    pub kind: WorkKind,
}

/// `work.withdrawn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkWithdrawn {
    /// The work.
    pub work: WorkId,
}

/// `works.merged`, by the registrar: `duplicate` is `into`, whose holders, layers, parents and denials are now those of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorksMerged {
    /// The record that ends.
    pub duplicate: WorkId,
    /// The record that stays.
    pub into: WorkId,
}

/// `holding.asserted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldingAsserted {
    /// The work.
    pub work: WorkId,
    /// The new holding.
    pub holding: HoldingId,
    /// Who is said to hold it.
    pub holder: OrgId,
}

/// `holding.relinquished`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldingRelinquished {
    /// The holding.
    pub holding: HoldingId,
}

/// `binding.asserted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingAsserted {
    /// The work.
    pub work: WorkId,
    /// The new binding.
    pub binding: BindingId,
    /// The key, in normal form.
    pub key: Key,
}

/// `binding.removed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BindingRemoved {
    /// The binding.
    pub binding: BindingId,
}

/// `assertions.confirmed`, by the registrar (R1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionsConfirmed {
    /// Holdings.
    pub holdings: Vec<HoldingId>,
    /// Bindings.
    pub bindings: Vec<BindingId>,
    /// The digest of the evidence seen.
    pub evidence: Sha256,
}

/// `assertions.rejected`, by the registrar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssertionsRejected {
    /// Holdings.
    pub holdings: Vec<HoldingId>,
    /// Bindings.
    pub bindings: Vec<BindingId>,
    /// The digest of the evidence seen.
    pub evidence: Sha256,
}

/// How control of a host was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlMethod {
    /// A TXT record.
    Dns,
    /// A file below `/.well-known/`.
    WellKnown,
}

/// `control.proved`, by the registry itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlProved {
    /// Who proved it.
    pub org: OrgId,
    /// The host, in its ASCII form.
    pub host: String,
    /// How.
    pub method: ControlMethod,
    /// Address bindings on that host, to works of that organization, that this confirms.
    pub bindings: Vec<BindingId>,
    /// The digest of what was seen.
    pub evidence: Sha256,
}

/// `transfer.offered`, by the holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferOffered {
    /// The new transfer.
    pub transfer: TransferId,
    /// The holding.
    pub holding: HoldingId,
    /// Who would hold it.
    pub to: OrgId,
}

/// `transfer.accepted`, by the new holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferAccepted {
    /// The transfer.
    pub transfer: TransferId,
}

/// `transfer.withdrawn`, by the holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferWithdrawn {
    /// The transfer.
    pub transfer: TransferId,
}

/// `roster.declared`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterDeclared {
    /// The work.
    pub work: WorkId,
}

/// `roster.same_as_parent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterSameAsParent {
    /// The part.
    pub work: WorkId,
    /// Its parent.
    pub parent: WorkId,
    /// The parent's holders that the part has not listed yet, as new holdings of the part.
    pub holders: Vec<Holding>,
}

/// `layers.declared`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayersDeclared {
    /// The work.
    pub work: WorkId,
}

/// `layer.linked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerLinked {
    /// The new link.
    pub link: LinkId,
    /// The work.
    pub work: WorkId,
    /// What it incorporates.
    pub layer: WorkId,
}

/// `part.linked`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartLinked {
    /// The new link.
    pub link: LinkId,
    /// The part.
    pub part: WorkId,
    /// What it is part of.
    pub whole: WorkId,
}

/// `part.accepted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartAccepted {
    /// The link.
    pub link: LinkId,
}

/// `link.removed`, by the registrar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRemoved {
    /// The link.
    pub link: LinkId,
}

/// `claim.made`, by a verified outsider (R5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimMade {
    /// The new claim.
    pub claim: ClaimId,
    /// The work.
    pub work: WorkId,
}

/// `claim.withdrawn`, by the claimant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimWithdrawn {
    /// The claim.
    pub claim: ClaimId,
}

/// `dispute.opened`, by the registrar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeOpened {
    /// The new dispute.
    pub dispute: DisputeId,
    /// The work.
    pub work: WorkId,
    /// The claim that it arose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClaimId>,
}

/// `dispute.settled`, by the registrar; what follows from it are acts of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeSettled {
    /// The dispute.
    pub dispute: DisputeId,
    /// The digest of the settlement.
    pub evidence: Sha256,
}
