//! Which works an act is about.

use super::Index;
use crate::domain::act::Act;
use crate::domain::decision::sorted;
use crate::domain::ids::{BindingId, DenialId, GrantId, HoldingId, LinkId, TransferId, WorkId};

impl Index {
    /// The works that an act names, by themselves or by a holding, binding, link, grant, denial, claim or dispute of
    /// theirs that the index knows: sorted, distinct.
    pub fn works_of(&self, act: &Act) -> Vec<WorkId> {
        sorted(self.found_works(act))
    }

    fn found_works(&self, act: &Act) -> Vec<WorkId> {
        match act {
            Act::HoldingRelinquished(it) => self.of_holding(it.holding),
            Act::BindingRemoved(it) => self.of_binding(it.binding),
            Act::AssertionsConfirmed(it) => self.of_assertions(&it.holdings, &it.bindings),
            Act::AssertionsRejected(it) => self.of_assertions(&it.holdings, &it.bindings),
            Act::ControlProved(it) => self.of_assertions(&[], &it.bindings),
            Act::TransferOffered(it) => self.of_holding(it.holding),
            Act::TransferAccepted(it) => self.of_transfer(it.transfer),
            Act::TransferWithdrawn(it) => self.of_transfer(it.transfer),
            Act::PartAccepted(it) => self.of_link(it.link),
            Act::LinkRemoved(it) => self.of_link(it.link),
            Act::ClaimWithdrawn(it) => {
                let claim = self.claims.find(it.claim).map(|ix| self.claims.at(ix).work);
                claim.map(|work| self.works.id(work)).into_iter().collect()
            }
            Act::DisputeSettled(it) => {
                let dispute = self.disputes.find(it.dispute).map(|ix| self.disputes.at(ix).work);
                dispute.map(|work| self.works.id(work)).into_iter().collect()
            }
            Act::GrantRevoked(it) => self.of_grant(it.grant),
            Act::DenialWithdrawn(it) => self.of_denial(it.denial),
            _ => act.named_works(),
        }
    }

    fn of_assertions(&self, holdings: &[HoldingId], bindings: &[BindingId]) -> Vec<WorkId> {
        let holdings = holdings.iter().flat_map(|id| self.of_holding(*id));
        holdings.chain(bindings.iter().flat_map(|id| self.of_binding(*id))).collect()
    }

    fn of_holding(&self, id: HoldingId) -> Vec<WorkId> {
        let work = self.holdings.find(id).map(|ix| self.holdings.work(ix));
        work.map(|work| self.works.id(work)).into_iter().collect()
    }

    fn of_binding(&self, id: BindingId) -> Vec<WorkId> {
        let work = self.bindings.find(id).map(|ix| self.bindings.work(ix));
        work.map(|work| self.works.id(work)).into_iter().collect()
    }

    fn of_transfer(&self, id: TransferId) -> Vec<WorkId> {
        let holding = self.transfers.find(id).map(|ix| self.transfers.at(ix).holding);
        holding.map(|holding| self.works.id(self.holdings.work(holding))).into_iter().collect()
    }

    fn of_link(&self, id: LinkId) -> Vec<WorkId> {
        if let Some(ix) = self.layers.find(id) {
            let link = self.layers.at(ix);
            return vec![self.works.id(link.work), self.works.id(link.layer)];
        }
        let link = self.parts.find(id).map(|ix| self.parts.at(ix));
        link.map_or_else(Vec::new, |link| vec![self.works.id(link.part), self.works.id(link.whole)])
    }

    fn of_grant(&self, id: GrantId) -> Vec<WorkId> {
        let work = self.grants.find(id).map(|ix| self.grants.work(ix));
        work.map(|work| self.works.id(work)).into_iter().collect()
    }

    fn of_denial(&self, id: DenialId) -> Vec<WorkId> {
        let work = self.denials.find(id).map(|ix| self.denials.work(ix));
        work.map(|work| self.works.id(work)).into_iter().collect()
    }
}
