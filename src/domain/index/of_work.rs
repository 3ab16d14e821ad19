//! The lists of a work: chains in the index, each oldest first here.

use super::records::{
    At, Binding, Claim, Declarer, Denial, Dispute, Grant, Holding, LayerLink, Licence, Listing, Others,
    OthersAt, PartLink, Refusal, Ties, Which, Work,
};
use super::{Few, Index, Ix};

impl Index {
    /// What few works have.
    #[inline]
    pub fn others_of(&self, work: &Work) -> Others {
        self.others_at(work.others)
    }

    /// The same, of which it is known where they are.
    #[inline]
    pub(super) fn others_at(&self, at: OthersAt) -> Others {
        match at.which() {
            Which::These(others) => others,
            Which::At(ix) => *self.others.at(ix),
        }
    }

    /// Something of what ties lead to: their lists, and the last layer with what it has.
    pub(super) fn touch_tied(&self, ties: Ix<Ties>) -> u64 {
        let Ties { roster, layering, layers, .. } = self.ties.at(ties);
        let lists = [roster, layering].into_iter().flatten().map(|ix| self.listings.at(*ix).at.get());
        let touched = lists.fold(0, std::ops::BitXor::bitxor);
        let Some(link) = layers else { return touched };
        let layer = self.works.at(self.layers.at(*link).layer);
        let others = self.others_of(layer);
        let held = layer.holdings.map_or(0, |ix| self.holdings.touch(ix));
        let granted = others.grants.map_or(0, |ix| self.grants.touch(ix));
        touched ^ u64::from(held ^ granted)
    }

    /// What ties a work to others, or changed.
    #[inline]
    pub fn ties_of(&self, work: Ix<Work>) -> Option<&Ties> {
        self.others_of(self.works.at(work)).ties.map(|ix| self.ties.at(ix))
    }

    /// A share in a work.
    #[inline]
    pub fn holding(&self, ix: Ix<Holding>) -> Holding {
        self.holdings.whole(ix, &self.works)
    }

    /// By which entry a holding was confirmed that who registered the work has held since then, and that has none before it.
    /// None also where that is told in another way.
    #[inline]
    pub fn plain_holding(&self, ix: Ix<Holding>) -> Option<At> {
        self.holdings.first_in_short(ix).map(|row| row.confirmed())
    }

    /// A key tied to a work.
    #[inline]
    pub fn binding(&self, ix: Ix<Binding>) -> Binding {
        self.bindings.whole(ix, &self.works)
    }

    /// The work of a binding to which nothing happened but that it was asserted and confirmed, and by which entries.
    #[inline]
    pub fn plain_binding(&self, ix: Ix<Binding>) -> Option<(Ix<Work>, At, At)> {
        self.bindings.plain(ix, &self.works)
    }

    /// A grant.
    #[inline]
    pub fn grant(&self, ix: Ix<Grant>) -> Grant {
        self.grants.whole(ix, &self.works)
    }

    /// A denial.
    #[inline]
    pub fn denial(&self, ix: Ix<Denial>) -> Denial {
        self.denials.whole(ix, &self.works)
    }

    /// All holdings ever asserted for this very work.
    pub fn holdings_of(&self, work: Ix<Work>) -> Few<Ix<Holding>> {
        self.holdings.chain(self.works.at(work).holdings)
    }

    /// All bindings ever asserted for this very work.
    pub fn bindings_of(&self, work: Ix<Work>) -> Few<Ix<Binding>> {
        self.bindings.chain(self.works.at(work).bindings)
    }

    /// All grants ever recorded on this very work.
    pub fn grants_of(&self, work: Ix<Work>) -> Few<Ix<Grant>> {
        self.grants.chain(self.others_of(self.works.at(work)).grants)
    }

    /// All denials ever recorded on this very work.
    pub fn denials_of(&self, work: Ix<Work>) -> Few<Ix<Denial>> {
        self.denials.chain(self.others_of(self.works.at(work)).denials)
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

    /// Changes what few works have.
    pub(super) fn change_others(&mut self, work: Ix<Work>, change: impl FnOnce(&mut Others)) {
        let which = self.works.at(work).others.which();
        if let Which::At(ix) = which {
            return change(self.others.change(ix));
        }
        let mut others = self.others_of(self.works.at(work));
        change(&mut others);
        let at = OthersAt::of(others).unwrap_or_else(|| OthersAt::several(self.others.push(others)));
        self.works.change(work).others = at;
    }

    /// The ties of a work, to be changed.
    pub(super) fn change_ties(&mut self, work: Ix<Work>) -> &mut Ties {
        let known = self.others_of(self.works.at(work)).ties;
        let ties = known.unwrap_or_else(|| self.ties.push(Ties::default()));
        if known.is_none() {
            self.change_others(work, |others| others.ties = Some(ties));
        }
        self.ties.change(ties)
    }

    /// What happened to a list of a work: the last first.
    pub fn listings(&self, last: Option<Ix<Listing>>) -> impl Iterator<Item = &Listing> {
        std::iter::successors(last.map(|ix| self.listings.at(ix)), |it| {
            it.before.map(|ix| self.listings.at(ix))
        })
    }

    /// The list of holders of a work changed, or was declared complete.
    pub(super) fn list_holders(&mut self, work: Ix<Work>, at: At, declared: Option<Declarer>) {
        let before = self.ties_of(work).and_then(|ties| ties.roster);
        let listing = self.listings.push(Listing { before, at, declared: declared.into() });
        self.change_ties(work).roster = Some(listing);
    }

    /// The list of layers of a work changed, or was declared complete.
    pub(super) fn list_layers(&mut self, work: Ix<Work>, at: At, declared: Option<Declarer>) {
        let before = self.ties_of(work).and_then(|ties| ties.layering);
        let listing = self.listings.push(Listing { before, at, declared: declared.into() });
        self.change_ties(work).layering = Some(listing);
    }
}
