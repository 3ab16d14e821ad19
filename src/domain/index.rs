//! The index: what the recorded acts amount to, in memory, as of any size of the log.
//!
//! It is folded from the log, entry by entry, and holds only what `admit` and `decide` read. Nothing in it is ever
//! overwritten: each fact bears the entries at which it began and ended, so that the past is the same function with
//! another argument ([`AsOf`]). Entries folded but not yet durable lie beyond the published size and can be undone.

pub mod ahead;
mod arena;
mod as_of;
mod bindings;
mod concerns;
pub(super) mod fold;
mod lists;
mod names;
mod of_work;
mod places;
pub mod records;
mod rotations;
mod shared;
mod standing;
mod terse;
mod texts;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use arena::{Arena, Mark, ROOM, Rows};
use bindings::BindingsMark;
use lists::Lists;
use records::OthersAt;
use terse::{OfWork, Terse, TerseMark};

pub use arena::Ix;
pub use as_of::{AsOf, KeyMatch};
pub use bindings::Bindings;
pub use fold::FoldError;
pub use rotations::Rotation;
pub use shared::Shared;

use super::ids::{
    ClaimKind, DenialKind, DisputeKind, GrantKind, HoldingKind, Kind, LinkKind, MandateKind, MembershipKind,
    ModelKind, OrgId, OrgKind, PersonKind, ReservationKind, TransferKind, WorkKind,
};
use records::{
    Absorbed, At, Claim, Denial, DenialRow, Dispute, Grant, GrantRow, HandedOn, Holding, HoldingRow,
    LayerLink, Licence, Listing, Mandate, Membership, Model, Org, Others, PartLink, Person, Record, Refusal,
    Reservation, Revocation, Ties, Transfer, Work,
};

/// A list that is seldom long.
pub type Few<T> = SmallVec<[T; 4]>;

/// A list that mostly has one member.
pub type Mostly1<T> = SmallVec<[T; 1]>;

/// Works.
pub type Works = Arena<WorkKind, Work>;

/// The kind under which records that change no verdict share one arena.
#[derive(Debug)]
pub enum RecordKind {}

impl Kind for RecordKind {
    const PREFIX: &'static str = "rec";
    const NOUN: &'static str = "a record";
}

macro_rules! index {
    ($($(#[$doc:meta])* $field:ident: $type:ty, $mark:ty;)*) => {
        /// The index. See the module's text.
        #[derive(Default, Serialize, Deserialize)]
        pub struct Index {
            size: u64,
            head_ms: i64,
            registry: Option<OrgId>,
            rules: Vec<(u64, u32)>,
            second_person: Vec<(u64, bool)>,
            rotations: Vec<Rotation>,
            origins: Vec<(u64, String)>,
            $($(#[$doc])* pub $field: $type,)*
        }

        /// A state of the index to which [`Index::undo`] can go back.
        #[derive(Clone, Copy, Debug)]
        pub struct Savepoint {
            size: u64,
            head_ms: i64,
            had_registry: bool,
            rules: usize,
            second_person: usize,
            rotations: usize,
            origins: usize,
            $($field: $mark,)*
        }

        impl Index {
            /// Where the index is now. It stays good until [`Index::keep`].
            pub fn savepoint(&self) -> Savepoint {
                Savepoint {
                    size: self.size,
                    head_ms: self.head_ms,
                    had_registry: self.registry.is_some(),
                    rules: self.rules.len(),
                    second_person: self.second_person.len(),
                    rotations: self.rotations.len(),
                    origins: self.origins.len(),
                    $($field: self.$field.mark(),)*
                }
            }

            /// Takes back everything folded since the savepoint.
            pub fn undo(&mut self, to: Savepoint) {
                self.size = to.size;
                self.head_ms = to.head_ms;
                if !to.had_registry {
                    self.registry = None;
                }
                self.rules.truncate(to.rules);
                self.second_person.truncate(to.second_person);
                self.rotations.truncate(to.rotations);
                self.origins.truncate(to.origins);
                $(self.$field.undo_to(to.$field);)*
            }

            /// What is folded stays: it is durable.
            pub fn keep(&mut self) {
                $(self.$field.keep();)*
            }

            /// Whether what one more entry may add still has a place.
            fn has_room(&self) -> bool {
                self.size < At::MOST - 1 && self.have_room() $(&& self.$field.has_room())*
            }
        }
    };
}

index! {
    /// Organizations.
    orgs: Arena<OrgKind, Org>, Mark;
    /// People.
    people: Arena<PersonKind, Person>, Mark;
    /// Models.
    models: Arena<ModelKind, Model>, Mark;
    /// Memberships.
    memberships: Arena<MembershipKind, Membership>, Mark;
    /// Mandates.
    mandates: Arena<MandateKind, Mandate>, Mark;
    /// Works.
    works: Works, Mark;
    /// What works have that have several things of those that few have.
    others: Rows<Others>, Mark;
    /// What ties works to others, or changed.
    ties: Rows<Ties>, Mark;
    /// What happened to lists of holders and of layers.
    listings: Rows<Listing>, Mark;
    /// What was merged into which work.
    absorbed: Rows<Absorbed>, Mark;
    /// Holdings.
    holdings: Terse<HoldingKind, HoldingRow>, TerseMark;
    /// To whom holdings went over.
    handed_on: Rows<HandedOn>, Mark;
    /// Bindings. There are so many that they are an image of their own: an index that is read without it knows no key, and none that
    /// contests another, and answers nobody.
    #[serde(skip)]
    bindings: Bindings, BindingsMark;
    /// Links to layers.
    layers: Arena<LinkKind, LayerLink>, Mark;
    /// Links to wholes.
    parts: Arena<LinkKind, PartLink>, Mark;
    /// Transfers.
    transfers: Arena<TransferKind, Transfer>, Mark;
    /// Claims.
    claims: Arena<ClaimKind, Claim>, Mark;
    /// Disputes.
    disputes: Arena<DisputeKind, Dispute>, Mark;
    /// Grants.
    grants: Terse<GrantKind, GrantRow>, TerseMark;
    /// What grants permit.
    licences: Shared<Licence>, Mark;
    /// Revocations of grants.
    revocations: Rows<Revocation>, Mark;
    /// Denials.
    denials: Terse<DenialKind, DenialRow>, TerseMark;
    /// What denials forbid.
    refusals: Shared<Refusal>, Mark;
    /// Reservations.
    reservations: Arena<ReservationKind, Reservation>, Mark;
    /// Records that change no verdict.
    records: Arena<RecordKind, Record>, Mark;
    /// ISCC bindings by the fingerprint of header and length, for near matches.
    by_iscc: Lists<(u32, u32), Ix<records::Binding>>, Mark;
    /// Reservations by the fingerprint of their key.
    reserved_keys: Lists<u128, Ix<Reservation>>, Mark;
    /// A mark for every prefix bound at a site, see [`Key::site`](super::key::Key::site): where there is none, nobody looks for one.
    prefixed: Lists<u64, ()>, Mark;
    /// A mark for every prefix reserved at a site.
    reserved_prefixed: Lists<u64, ()>, Mark;
    /// Reservations by work.
    reserved_works: Lists<Ix<Work>, Ix<Reservation>>, Mark;
    /// Memberships by member and association.
    by_membership: Lists<(Ix<Org>, Ix<Org>), Ix<Membership>>, Mark;
    /// Mandates by principal and agent.
    by_mandate: Lists<(Ix<Org>, Ix<Org>), Ix<Mandate>>, Mark;
    /// Holdings by every organization that ever held them.
    by_holder: Lists<Ix<Org>, Ix<Holding>>, Mark;
    /// Grants by whom they concern: who grants, who recorded it, each developer named; under `None` those for any
    /// developer. A later grant has a later place.
    granted: Lists<Option<Ix<Org>>, Ix<Grant>>, Mark;
    /// Denials by whom they concern: who denies, who recorded it, each developer named.
    denied: Lists<Ix<Org>, Ix<Denial>>, Mark;
    /// Reservations by who recorded them.
    reserved: Lists<Ix<Org>, Ix<Reservation>>, Mark;
}

impl Index {
    /// Whether what is told apart in fewer than four bytes has room.
    fn have_room(&self) -> bool {
        let others = [self.grants.len(), self.denials.len(), self.ties.len(), self.others.len()];
        self.works.len() < OfWork::MOST - ROOM && others.iter().all(|many| *many < OthersAt::MOST - ROOM)
    }

    /// An index of an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries are folded, durable or not.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The time of the last entry, in milliseconds; 0 for an empty log.
    pub const fn head_ms(&self) -> i64 {
        self.head_ms
    }

    /// The party that stands for the installation; none before the first entry.
    pub const fn registry(&self) -> Option<OrgId> {
        self.registry
    }

    /// What the first `size` entries amount to.
    pub fn as_of(&self, size: u64) -> AsOf<'_> {
        AsOf::new(self, size.min(self.size))
    }

    /// What all folded entries amount to.
    pub fn latest(&self) -> AsOf<'_> {
        AsOf::new(self, self.size)
    }
}
