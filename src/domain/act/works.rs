//! Which works an act names by itself.

use super::{Act, ReservedSubject};
use crate::domain::decision::sorted;
use crate::domain::ids::WorkId;
use crate::domain::scope::Scope;

impl Act {
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
