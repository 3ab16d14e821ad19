//! The names that an act introduces: each is new. One that is in use would hide what bears it, and every later act on
//! it would mean another thing.

use std::hash::Hash;

use hashbrown::HashSet;
use smallvec::SmallVec;

use crate::domain::act::{Act, WorkRegistered};
use crate::domain::ids::{Id, Kind, LinkId};
use crate::domain::index::{Index, Ix, RecordKind};

impl Index {
    /// A name that an act introduces though it is in use, or that it introduces twice.
    pub(super) fn used_name(&self, act: &Act) -> Option<String> {
        match act {
            Act::OrgRegistered(act) => used(self.orgs.find(act.org), act.org),
            Act::ModelRegistered(act) => used(self.models.find(act.model), act.model),
            Act::MembershipOffered(act) => used(self.memberships.find(act.membership), act.membership),
            Act::MandateGiven(act) => used(self.mandates.find(act.mandate), act.mandate),
            Act::WorkRegistered(act) => self.used_in_registration(act),
            Act::BindingAsserted(act) => used(self.bindings.find(act.binding), act.binding),
            Act::LayerLinked(act) => self.used_link([act.link]),
            Act::PartLinked(act) => self.used_link([act.link]),
            Act::HoldingAsserted(act) => used(self.holdings.find(act.holding), act.holding),
            Act::RosterSameAsParent(act) => {
                first(act.holders.iter().map(|it| it.holding), |id| used(self.holdings.find(id), id))
            }
            Act::TransferOffered(act) => used(self.transfers.find(act.transfer), act.transfer),
            Act::ClaimMade(act) => used(self.claims.find(act.claim), act.claim),
            Act::DisputeOpened(act) => used(self.disputes.find(act.dispute), act.dispute),
            Act::GrantRecorded(act) => used(self.grants.find(act.grant), act.grant),
            Act::DenialRecorded(act) => used(self.denials.find(act.denial), act.denial),
            Act::ReservationRecorded(act) => used(self.reservations.find(act.reservation), act.reservation),
            Act::OfferPublished(act) => self.used_record(act.offer),
            Act::RequestMade(act) => self.used_record(act.request),
            Act::NoticeServed(act) => self.used_record(act.notice),
            Act::DeclarationMade(act) => self.used_record(act.declaration),
            Act::DocumentFiled(act) => self.used_record(act.document),
            Act::InquiryOpened(act) => self.used_record(act.inquiry),
            // A person may come back; the others introduce nothing.
            _ => None,
        }
    }

    fn used_in_registration(&self, act: &WorkRegistered) -> Option<String> {
        let links = act.layers.iter().chain(&act.part_of).map(|tie| tie.link);
        used(self.works.find(act.work), act.work)
            .or_else(|| first(act.holders.iter().map(|it| it.holding), |id| used(self.holdings.find(id), id)))
            .or_else(|| {
                first(act.bindings.iter().map(|it| it.binding), |id| used(self.bindings.find(id), id))
            })
            .or_else(|| self.used_link(links))
    }

    fn used_link(&self, links: impl IntoIterator<Item = LinkId>) -> Option<String> {
        first(links, |id| used(self.layers.find(id), id).or_else(|| used(self.parts.find(id), id)))
    }

    fn used_record<K: Kind>(&self, id: Id<K>) -> Option<String> {
        used(self.records.find(Id::<RecordKind>::new(id.uuid())), id)
    }
}

/// The name, if something bears it.
fn used<K: Kind, T>(bearer: Option<Ix<T>>, id: Id<K>) -> Option<String> {
    bearer.map(|_| id.to_string())
}

/// How many names are held against each other one by one.
const FEW: usize = 16;

/// The first name of a list that is in use or stands in it twice.
fn first<T: Copy + Eq + Hash + ToString>(
    ids: impl IntoIterator<Item = T>,
    used: impl Fn(T) -> Option<String>,
) -> Option<String> {
    let (mut few, mut many) = (SmallVec::<[T; FEW]>::new(), HashSet::new());
    ids.into_iter().find_map(|id| {
        let is_new = if few.len() < FEW {
            let is_new = !few.contains(&id);
            few.push(id);
            is_new
        } else {
            !few.contains(&id) && many.insert(id)
        };
        if is_new { used(id) } else { Some(id.to_string()) }
    })
}
