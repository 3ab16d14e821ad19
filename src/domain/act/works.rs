//! Which works an act names by itself.

use super::{Act, ReservedSubject};
use crate::domain::decision::sorted;
use crate::domain::ids::WorkId;
use crate::domain::scope::Scope;

impl Act {
    /// Whether it changes what a work's record says to everybody who may read it: what the work is, is called, is known by and is
    /// made of, who holds it, and who disputes that. Permissions and refusals, offers and requests are nobody's business but that of
    /// whom they concern; that there was one must not show either.
    pub const fn changes_record(&self) -> bool {
        matches!(
            self,
            Self::WorkRegistered(_)
                | Self::WorkAmended(_)
                | Self::WorkWithdrawn(_)
                | Self::WorksMerged(_)
                | Self::HoldingAsserted(_)
                | Self::HoldingRelinquished(_)
                | Self::BindingAsserted(_)
                | Self::BindingRemoved(_)
                | Self::AssertionsConfirmed(_)
                | Self::AssertionsRejected(_)
                | Self::ControlProved(_)
                | Self::TransferAccepted(_)
                | Self::RosterDeclared(_)
                | Self::RosterSameAsParent(_)
                | Self::LayersDeclared(_)
                | Self::LayerLinked(_)
                | Self::PartLinked(_)
                | Self::PartAccepted(_)
                | Self::LinkRemoved(_)
                | Self::ClaimMade(_)
                | Self::ClaimWithdrawn(_)
                | Self::DisputeOpened(_)
                | Self::DisputeSettled(_)
        )
    }

    /// The works that stand in the act: sorted, distinct. One that names a holding, binding, link, grant, denial, claim or
    /// dispute in the place of works names none: whose those are, the log before it says.
    pub fn named_works(&self) -> Vec<WorkId> {
        sorted(self.works_in_order())
    }

    fn works_in_order(&self) -> Vec<WorkId> {
        match self {
            Self::WorkRegistered(it) => {
                let ties = it.layers.iter().chain(&it.part_of).map(|tie| tie.work);
                std::iter::once(it.work).chain(ties).collect()
            }
            Self::WorkAmended(it) => vec![it.work],
            Self::WorkWithdrawn(it) => vec![it.work],
            Self::WorksMerged(it) => vec![it.duplicate, it.into],
            Self::HoldingAsserted(it) => vec![it.work],
            Self::BindingAsserted(it) => vec![it.work],
            Self::RosterDeclared(it) => vec![it.work],
            Self::RosterSameAsParent(it) => vec![it.work, it.parent],
            Self::LayersDeclared(it) => vec![it.work],
            Self::LayerLinked(it) => vec![it.work, it.layer],
            Self::PartLinked(it) => vec![it.part, it.whole],
            Self::ClaimMade(it) => vec![it.work],
            Self::DisputeOpened(it) => vec![it.work],
            Self::GrantRecorded(it) => vec![it.work],
            Self::DenialRecorded(it) => vec![it.work],
            Self::ReservationRecorded(it) => match it.subject {
                ReservedSubject::Work(work) => vec![work],
                ReservedSubject::Key(_) => Vec::new(),
            },
            Self::OfferPublished(it) => it.works.clone(),
            Self::RequestMade(it) => it.works.clone(),
            Self::NoticeServed(it) => it.works.clone(),
            Self::InquiryOpened(it) => match &it.works {
                Scope::Any => Vec::new(),
                Scope::Only(works) => works.clone(),
            },
            _ => Vec::new(),
        }
    }
}
