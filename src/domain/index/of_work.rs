//! The lists of a work: chains in the index, each oldest first here.

use super::records::{
    Binding, Claim, Completeness, Denial, Dispute, Grant, Holding, LayerLink, Licence, Marks, PartLink,
    Refusal, Ties, Work,
};
use super::{Few, Index, Ix};

impl Index {
    /// What few works have.
    pub fn ties_of(&self, work: Ix<Work>) -> Option<&Ties> {
        self.works.at(work).ties.map(|ix| self.ties.at(ix))
    }

    /// All holdings ever asserted for this very work.
    pub fn holdings_of(&self, work: Ix<Work>) -> Few<Ix<Holding>> {
        self.holdings.chain(self.works.at(work).holdings, |it| it.before)
    }

    /// All bindings ever asserted for this very work.
    pub fn bindings_of(&self, work: Ix<Work>) -> Few<Ix<Binding>> {
        self.bindings.chain(self.works.at(work).bindings, |it| it.before)
    }

    /// All grants ever recorded on this very work.
    pub fn grants_of(&self, work: Ix<Work>) -> Few<Ix<Grant>> {
        self.grants.chain(self.works.at(work).grants, |it| it.before)
    }

    /// All denials ever recorded on this very work.
    pub fn denials_of(&self, work: Ix<Work>) -> Few<Ix<Denial>> {
        self.denials.chain(self.works.at(work).denials, |it| it.before)
    }

    /// All links ever made from this very work to a layer.
    pub fn layers_of(&self, work: Ix<Work>) -> Few<Ix<LayerLink>> {
        self.layers.chain(self.ties_of(work).and_then(|ties| ties.layers), |it| it.before)
    }

    /// All links ever made from this very work to a whole.
    pub fn parents_of(&self, work: Ix<Work>) -> Few<Ix<PartLink>> {
        self.parts.chain(self.ties_of(work).and_then(|ties| ties.parents), |it| it.before_of_part)
    }

    /// All links ever made from this very work to a part.
    pub fn children_of(&self, work: Ix<Work>) -> Few<Ix<PartLink>> {
        self.parts.chain(self.ties_of(work).and_then(|ties| ties.children), |it| it.before_of_whole)
    }

    /// All claims ever made on this very work.
    pub fn claims_of(&self, work: Ix<Work>) -> Few<Ix<Claim>> {
        self.claims.chain(self.ties_of(work).and_then(|ties| ties.claims), |it| it.before)
    }

    /// All disputes ever opened about this very work.
    pub fn disputes_of(&self, work: Ix<Work>) -> Few<Ix<Dispute>> {
        self.disputes.chain(self.ties_of(work).and_then(|ties| ties.disputes), |it| it.before)
    }

    /// What a grant permits.
    pub fn licence(&self, grant: &Grant) -> &Licence {
        self.licences.at(grant.licence)
    }

    /// What a denial forbids.
    pub fn refusal(&self, denial: &Denial) -> &Refusal {
        self.refusals.at(denial.refusal)
    }

    /// The ties of a work, to be changed.
    pub(super) fn change_ties(&mut self, work: Ix<Work>) -> &mut Ties {
        let known = self.works.at(work).ties;
        let ties = known.unwrap_or_else(|| self.ties.push(Ties::default()));
        if known.is_none() {
            self.works.change(work).ties = Some(ties);
        }
        self.ties.change(ties)
    }

    /// The list of holders of a work, to be changed.
    pub(super) fn change_roster(&mut self, work: Ix<Work>) -> &mut Completeness {
        let as_registered = self.as_registered(work, Marks::ROSTER);
        self.change_ties(work).roster.get_or_insert_with(|| Box::new(as_registered))
    }

    /// The list of layers of a work, to be changed.
    pub(super) fn change_layering(&mut self, work: Ix<Work>) -> &mut Completeness {
        let as_registered = self.as_registered(work, Marks::LAYERING);
        self.change_ties(work).layering.get_or_insert_with(|| Box::new(as_registered))
    }

    fn as_registered(&self, work: Ix<Work>, declared: Marks) -> Completeness {
        let work = self.works.at(work);
        Completeness::of_new(work.registered, work.marks.has(declared).then_some(work.registrant))
    }
}
