//! What the index remembers of each thing. A field that is an [`At`] or a `u64` is an entry index; [`At::NEVER`] and
//! [`NEVER`] mean that it has not happened.
//!
//! Of works, holdings, bindings, grants and denials there are very many, and most of them alike. Their records are
//! small: a list of theirs is a chain, in which each member knows the one before it; what is mostly so is not written
//! down; what few of them have is kept beside them; and what many have in common is kept once.

mod consent;
mod listing;
mod others;
mod short;

use serde::{Deserialize, Serialize};

pub use consent::{Denial, Grant, Licence, Refusal, Reservation, Revocation};
pub use listing::{Declared, Declarer, Listing};
pub use others::Others;
pub(super) use others::{OthersAt, Which};
pub use short::{BindingRow, DenialRow, GrantRow, HoldingRow};

use super::Ix;
use super::texts::TextAt;
use crate::domain::act::{Power, Role, WorkKind};
use crate::domain::ids::WorkId;
use crate::domain::scope::Scope;

/// No entry yet.
pub const NEVER: u64 = u64::MAX;

/// The index of an entry, in four bytes. A log that outgrows them is not folded any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At(u32);

impl At {
    /// No entry yet: later than any.
    pub const NEVER: Self = Self(u32::MAX);
    /// How many entries can be told apart.
    pub const MOST: u64 = u32::MAX as u64;

    /// This entry.
    #[expect(clippy::cast_possible_truncation, reason = "what is too large is told apart first")]
    #[inline]
    pub const fn new(entry: u64) -> Self {
        if entry < Self::MOST { Self(entry as u32) } else { Self::NEVER }
    }

    /// The entry as four bytes.
    pub(super) const fn to_bits(self) -> u32 {
        self.0
    }

    /// The entry that was these four bytes.
    #[inline]
    pub(super) const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The entry, or [`NEVER`].
    #[inline]
    pub const fn get(self) -> u64 {
        if self.0 == u32::MAX { NEVER } else { self.0 as u64 }
    }
}

impl Default for At {
    fn default() -> Self {
        Self::NEVER
    }
}

impl From<At> for u64 {
    #[inline]
    fn from(at: At) -> Self {
        at.get()
    }
}

/// In the binary image one more than the index, so that what never happened takes one byte.
impl Serialize for At {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.wrapping_add(1).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(u32::deserialize(deserializer)?.wrapping_sub(1)))
    }
}

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
    /// Without a beginning or an end.
    pub const ALWAYS: Self = Self { from_ms: i64::MIN, until_ms: i64::MAX };

    /// Whether the moment lies inside.
    pub const fn contains(self, moment_ms: i64) -> bool {
        self.from_ms <= moment_ms && moment_ms < self.until_ms
    }
}

/// A work. What few works have is in [`Others`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[repr(Rust, packed(2))]
pub struct Work {
    /// What sort of thing.
    pub kind: WorkKind,
    /// Yes or no.
    pub marks: Marks,
    /// Its entry.
    pub registered: At,
    /// Who registered it.
    pub registrant: Ix<Org>,
    /// All holdings ever: the last.
    pub holdings: Option<Ix<Holding>>,
    /// All bindings ever: the last.
    pub bindings: Option<Ix<Binding>>,
    /// What few works have.
    pub(super) others: OthersAt,
}

/// What is true of a work or not. No mark is ever taken off but by undoing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks(u8);

impl Marks {
    /// The registrant declared the list of holders complete.
    pub const ROSTER: Self = Self(1);
    /// The registrant declared the list of layers complete.
    pub const LAYERING: Self = Self(2);
    /// A key of it was at some time asserted for something else beside a confirmed binding.
    pub const CONTESTED: Self = Self(4);
    /// Something was at some time reserved for it by name.
    pub const RESERVED: Self = Self(8);

    /// Whether this mark is there.
    pub const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    /// These marks, and this one if it is to be.
    #[must_use]
    pub const fn with(self, mark: Self, is: bool) -> Self {
        if is { Self(self.0 | mark.0) } else { self }
    }
}

/// What ties a work to others, or changed after it was registered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Ties {
    /// Withdrawn.
    pub withdrawn: At,
    /// What it was merged into, and by which entry.
    pub merged_into: Option<(At, Ix<Work>)>,
    /// What was merged into it: the last.
    pub absorbed: Option<Ix<Absorbed>>,
    /// Links to what it incorporates: the last.
    pub layers: Option<Ix<LayerLink>>,
    /// Links to what it is part of: the last.
    pub parents: Option<Ix<PartLink>>,
    /// Links to its parts: the last.
    pub children: Option<Ix<PartLink>>,
    /// How many links to parts there ever were.
    pub children_ever: u32,
    /// What happened to the list of holders: the last.
    pub roster: Option<Ix<Listing>>,
    /// What happened to the list of layers: the last.
    pub layering: Option<Ix<Listing>>,
    /// Claims on it: the last.
    pub claims: Option<Ix<Claim>>,
    /// Disputes on it: the last.
    pub disputes: Option<Ix<Dispute>>,
}

/// That a work was merged into another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Absorbed {
    /// The one before it that was merged into that work.
    pub before: Option<Ix<Self>>,
    /// The entry.
    pub at: At,
    /// Which.
    pub work: Ix<Work>,
}

/// A share in a work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holding {
    /// The work that it was asserted for.
    pub work: Ix<Work>,
    /// The one before it on that work.
    pub before: Option<Ix<Self>>,
    /// Who held it first.
    pub first_holder: Ix<Org>,
    /// Who held it later: the last.
    pub handed_on: Option<Ix<HandedOn>>,
    /// Its entry.
    pub asserted: At,
    /// Confirmed.
    pub confirmed: At,
    /// Rejected or relinquished.
    pub ended: At,
}

/// That a holding went over to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HandedOn {
    /// The one before it of that holding.
    pub before: Option<Ix<Self>>,
    /// The entry.
    pub at: At,
    /// To whom.
    pub to: Ix<Org>,
}

/// A key tied to a work. What few bindings have is in [`Story`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The work.
    pub work: Ix<Work>,
    /// The one before it of that work.
    pub before: Option<Ix<Self>>,
    /// The key.
    pub(super) key: TextAt,
    /// Who asserted it.
    pub by: Ix<Org>,
    /// Its entry.
    pub asserted: At,
    /// Confirmed.
    pub confirmed: At,
    /// What few bindings have.
    pub(super) story: Option<Ix<Story>>,
}

impl Binding {
    /// Whether anything happened to it, or to its key, besides its being asserted and confirmed.
    pub const fn has_story(&self) -> bool {
        self.story.is_some()
    }
}

/// What happened to a binding besides being asserted and confirmed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Story {
    /// The binding of the same key before it, to whatever work.
    pub(super) same_key: Option<Ix<Binding>>,
    /// When it was asserted, in milliseconds, if another binding of the key, to another work, stood confirmed then: it
    /// is a claim while unconfirmed.
    pub contests_from_ms: Option<i64>,
    /// Rejected.
    pub rejected: At,
    /// Removed.
    pub removed: At,
}

impl Story {
    /// Nothing happened.
    pub const NONE: Self =
        Self { same_key: None, contests_from_ms: None, rejected: At::NEVER, removed: At::NEVER };
}

/// One work incorporates another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerLink {
    /// The work.
    pub work: Ix<Work>,
    /// What it incorporates.
    pub layer: Ix<Work>,
    /// The one before it from that work.
    pub before: Option<Ix<Self>>,
    /// Its entry.
    pub linked: At,
    /// Removed.
    pub removed: At,
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
    /// The one before it from that part.
    pub before_of_part: Option<Ix<Self>>,
    /// The one before it to that whole.
    pub before_of_whole: Option<Ix<Self>>,
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
    /// The one before it on that work.
    pub before: Option<Ix<Self>>,
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
    /// The one before it about that work.
    pub before: Option<Ix<Self>>,
    /// Its entry.
    pub opened: u64,
    /// Settled.
    pub settled: u64,
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
