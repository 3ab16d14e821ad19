//! What stands now in and around a work, effective or not: what `admit` asks before it lets anything be added.

use super::records::{At, Binding, Claim, Grant, Holding, LayerLink, NEVER, Org, PartLink, Work};
use super::{AsOf, Few, Index, Ix};

impl AsOf<'_> {
    /// The organizations that hold a canonical work, each once.
    pub fn holders(self, work: Ix<Work>) -> Vec<Ix<Org>> {
        let holdings = self.holdings(work).into_iter();
        let mut holders: Vec<_> = holdings.filter_map(|holding| self.holder(holding)).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    /// Whether a work was withdrawn by an act of its own.
    pub fn is_withdrawn(self, work: Ix<Work>) -> bool {
        self.index.ties_of(work).is_some_and(|ties| self.seen(ties.withdrawn))
    }

    /// Whether a binding is neither rejected nor removed.
    pub fn binding_stands(self, binding: Ix<Binding>) -> bool {
        let binding = self.index.binding(binding);
        let story = self.index.bindings.story(&binding);
        self.seen(binding.asserted) && !self.seen(story.rejected) && !self.seen(story.removed)
    }

    /// The standing bindings of a canonical work.
    pub fn bindings(self, work: Ix<Work>) -> Vec<Ix<Binding>> {
        let records = self.records_of(work).into_iter();
        let bindings = records.flat_map(|record| self.index.bindings_of(record));
        bindings.filter(|binding| self.binding_stands(*binding)).collect()
    }

    /// Whether a claim is not withdrawn.
    pub fn claim_stands(self, claim: Ix<Claim>) -> bool {
        let claim = self.index.claims.at(claim);
        self.seen(claim.made) && !self.seen(claim.withdrawn)
    }

    /// Whether a layer link is not removed.
    pub fn layer_link_stands(self, link: Ix<LayerLink>) -> bool {
        let link = self.index.layers.at(link);
        self.seen(link.linked) && !self.seen(link.removed)
    }

    /// The canonical works that a canonical work incorporates by a standing link.
    pub fn layers_linked(self, work: Ix<Work>) -> Vec<Ix<Work>> {
        let links = self.layer_links(work).into_iter();
        links.map(|link| self.canonical(self.index.layers.at(link).layer)).collect()
    }

    /// The canonical works that a canonical work is part of by a standing link, effective or not.
    pub fn wholes_linked(self, work: Ix<Work>) -> Vec<Ix<Work>> {
        self.linked(work, Index::parents_of, |link| link.whole)
    }

    /// The canonical works that are part of a canonical work by a standing link, effective or not.
    pub fn parts_linked(self, work: Ix<Work>) -> Vec<Ix<Work>> {
        self.linked(work, Index::children_of, |link| link.part)
    }

    /// Whether a canonical work has fewer than `most` standing links to parts.
    pub fn has_room_for_part(self, work: Ix<Work>, most: usize) -> bool {
        let records = self.records_of(work);
        let ties = records.iter().filter_map(|record| self.index.ties_of(*record));
        let ever: usize = ties.map(|ties| ties.children_ever as usize).sum();
        let stands = |link: &Ix<PartLink>| self.part_link_stands(*link);
        let children = || records.iter().flat_map(|record| self.index.children_of(*record));
        // Most works are far from any limit: count what stands only where it could matter.
        ever < most || children().filter(stands).count() < most
    }

    fn linked(
        self,
        work: Ix<Work>,
        side: fn(&Index, Ix<Work>) -> Few<Ix<PartLink>>,
        other: impl Fn(&PartLink) -> Ix<Work>,
    ) -> Vec<Ix<Work>> {
        let mut works = Vec::new();
        for record in self.records_of(work) {
            let links = side(self.index, record).into_iter();
            let standing = links.filter(|link| self.part_link_stands(*link));
            works.extend(standing.map(|link| self.canonical(other(self.index.parts.at(link)))));
        }
        works
    }

    /// Whether fewer than `most` grants on this very work are neither revoked nor over at the moment.
    pub fn has_room_for_grant(self, work: Ix<Work>, moment_ms: i64, most: usize) -> bool {
        let in_force = |grant: &Grant| {
            let revoked = self.revocations(grant).any(|it| it.from_ms <= moment_ms);
            !revoked && moment_ms < grant.term.until_ms
        };
        self.grants(work).filter(|(_, grant)| in_force(grant)).count() < most
    }

    /// The entry at which the present holder of a holding came to hold it; [`NEVER`] if nobody does.
    pub fn held_since(self, holding: Ix<Holding>) -> u64 {
        let record = self.index.holding(holding);
        let later = self.handed_on(&record).map(|to| to.at);
        let first = std::iter::once(record.asserted);
        later.chain(first).find(|at| self.seen(*at)).map_or(NEVER, At::get)
    }
}
