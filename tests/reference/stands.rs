//! Section 2 of the rules: what stands.

use std::collections::{BTreeMap, BTreeSet};

use kyodaku::domain::ids::{LinkId, OrgId, WorkId};
use kyodaku::domain::key::Key;

use super::facts::{Binding, Claim, Completion, Denial, Facts, Good, Holding, LayerLink, List, PartLink};

/// For how long a claim suspends.
pub(crate) const CLAIM_SUSPENDS_MS: i64 = 14 * 24 * 60 * 60 * 1000;

impl Facts {
    /// What the work was merged into, followed to the end, as of a size.
    pub(crate) fn canonical_at(&self, work: WorkId, size: u64) -> WorkId {
        match self.works.get(&work).and_then(|work| work.merged) {
            Some((at, into)) if at < size => self.canonical_at(into, size),
            _ => work,
        }
    }

    pub(crate) fn canonical(&self, work: WorkId) -> WorkId {
        self.canonical_at(work, self.size)
    }

    /// The standing holdings of a canonical work and of those merged into it.
    pub(crate) fn holdings_at(&self, work: WorkId, size: u64) -> Vec<&Holding> {
        self.holdings
            .values()
            .filter(|holding| holding.span.stands(size))
            .filter(|holding| self.canonical_at(holding.work, size) == self.canonical_at(work, size))
            .collect()
    }

    pub(crate) fn holdings(&self, work: WorkId) -> Vec<&Holding> {
        self.holdings_at(work, self.size)
    }

    pub(crate) fn is_confirmed_holder(&self, org: OrgId, work: WorkId, size: u64) -> bool {
        self.holdings_at(work, size)
            .iter()
            .any(|holding| holding.is_confirmed(size) && holding.holder(size) == Some(org))
    }

    /// Roster complete, layers complete: by the registrar, or by everyone who holds, since the last change.
    pub(crate) fn is_complete(&self, work: WorkId, list: List) -> bool {
        let of_work = || {
            self.completions
                .iter()
                .filter(|(_, of, of_list, _)| self.canonical(*of) == work && *of_list == list)
        };
        let changes = of_work().filter(|(.., what)| *what == Completion::Changed);
        let Some(last_change) = changes.map(|(at, ..)| *at).max() else { return false };
        let declarations: Vec<(u64, OrgId)> = of_work()
            .filter(|(at, ..)| *at >= last_change)
            .filter_map(|(at, _, _, what)| match what {
                Completion::Declared(by) => Some((*at, *by)),
                Completion::Changed => None,
            })
            .collect();
        let holdings = self.holdings(work);
        if declarations.iter().any(|(_, by)| self.is_registrar(*by)) {
            return list == List::Layers || !holdings.is_empty();
        }
        let declared_for =
            |holding: &Holding| declarations.iter().any(|(at, by)| holding.was_held_well(*at, *by));
        !holdings.is_empty() && holdings.iter().all(|holding| declared_for(holding))
    }

    /// The first entry at or after an assent by which its giver is a confirmed holder on that side.
    fn good_from(&self, at: u64, by: OrgId, side: WorkId) -> Option<u64> {
        (at..self.size).find(|entry| self.is_confirmed_holder(by, side, entry + 1))
    }

    fn goods(&self) -> &BTreeMap<(LinkId, u64, OrgId), Good> {
        self.goods.get_or_init(|| {
            let assents = self
                .part_links
                .values()
                .flat_map(|link| link.assents.iter().map(move |(at, by)| (link, *at, *by)));
            let good = |(link, at, by): (&PartLink, u64, OrgId)| {
                let on_part = self.good_from(at, by, link.part);
                let on_whole = self.good_from(at, by, link.whole);
                ((link.id, at, by), Good { on_part, on_whole })
            };
            assents.map(good).collect()
        })
    }

    fn goods_of(&self, link: &PartLink) -> impl Iterator<Item = (OrgId, Good)> {
        let link = link.id;
        self.goods().iter().filter(move |((of, ..), _)| *of == link).map(|((_, _, by), good)| (*by, *good))
    }

    /// By which entry this organization's own assent to the link is good on both sides.
    pub(crate) fn own_assent_good_from(&self, link: &PartLink, org: OrgId) -> Option<u64> {
        let own = || self.goods_of(link).filter(|(by, _)| *by == org);
        let on_part = own().filter_map(|(_, good)| good.on_part).min()?;
        let on_whole = own().filter_map(|(_, good)| good.on_whole).min()?;
        Some(on_part.max(on_whole))
    }

    fn is_effective(&self, link: &PartLink) -> bool {
        link.span.stands(self.size)
            && self.goods_of(link).any(|(_, good)| good.on_part.is_some())
            && self.goods_of(link).any(|(_, good)| good.on_whole.is_some())
    }

    pub(crate) fn effective_links(&self) -> Vec<&PartLink> {
        self.part_links.values().filter(|link| self.is_effective(link)).collect()
    }

    /// Everything that a work is part of, transitively; not the work itself.
    pub(crate) fn ancestors(&self, work: WorkId) -> BTreeSet<WorkId> {
        let links = self.effective_links();
        reach(work, |from| {
            let up = links.iter().filter(|link| self.canonical(link.part) == from);
            up.map(|link| self.canonical(link.whole)).collect()
        })
    }

    /// Everything that is part of a work, transitively; not the work itself.
    pub(crate) fn parts(&self, work: WorkId) -> BTreeSet<WorkId> {
        let links = self.effective_links();
        reach(work, |from| {
            let down = links.iter().filter(|link| self.canonical(link.whole) == from);
            down.map(|link| self.canonical(link.part)).collect()
        })
    }

    pub(crate) fn layer_links_of(&self, host: WorkId) -> impl Iterator<Item = &LayerLink> {
        self.layer_links
            .values()
            .filter(move |link| link.span.stands(self.size) && self.canonical(link.host) == host)
    }

    /// The claims on a work that suspend it at a moment, and those that are notes.
    pub(crate) fn claims_on(&self, work: WorkId, moment: i64) -> (Vec<&Claim>, Vec<&Claim>) {
        self.claims
            .values()
            .filter(|claim| claim.span.stands(self.size) && self.canonical(claim.work) == work)
            .partition(|claim| self.claim_suspends(claim, moment))
    }

    fn claim_suspends(&self, claim: &Claim, moment: i64) -> bool {
        let is_first = !self.claims.values().any(|other| {
            other.claimant == claim.claimant
                && other.span.began < claim.span.began
                && self.canonical(other.work) == self.canonical(claim.work)
        });
        is_first && moment - claim.at_ms < CLAIM_SUSPENDS_MS && !self.is_suspended(claim.claimant)
    }

    /// Whether a binding was asserted beside a confirmed one of the same key to another work.
    fn was_beside_a_confirmed_one(&self, binding: &Binding) -> bool {
        let entry = binding.span.began;
        self.bindings.values().any(|other| {
            other.key == binding.key
                && other.span.stands(entry)
                && other.is_confirmed(entry)
                && self.canonical_at(other.work, entry) != self.canonical_at(binding.work, entry)
        })
    }

    /// Whether a binding is not a match of its own work but a claim on the others of its key.
    pub(crate) fn is_claim(&self, binding: &Binding) -> bool {
        binding.span.stands(self.size)
            && !binding.is_confirmed(self.size)
            && self.was_beside_a_confirmed_one(binding)
    }

    /// The works that a key is tied to: by standing bindings that are no claims, and by removed confirmed ones.
    pub(crate) fn works_of(&self, key: &Key) -> BTreeSet<WorkId> {
        self.bindings
            .values()
            .filter(|binding| binding.key == *key)
            .filter(|binding| {
                (binding.span.stands(self.size) && !self.is_claim(binding))
                    || binding.removed_after_confirmation().is_some()
            })
            .map(|binding| self.canonical(binding.work))
            .collect()
    }

    /// The bindings that count as claims on a work: those that suspend it at a moment, and those that are notes.
    pub(crate) fn binding_claims_on(&self, work: WorkId, moment: i64) -> (Vec<&Binding>, Vec<&Binding>) {
        self.bindings
            .values()
            .filter(|binding| self.is_claim(binding) && self.canonical(binding.work) != work)
            .filter(|binding| self.works_of(&binding.key).contains(&work))
            .partition(|binding| {
                let is_first = !self.bindings.values().any(|other| {
                    other.principal == binding.principal
                        && other.key == binding.key
                        && (other.span.began, other.id) < (binding.span.began, binding.id)
                        && self.was_beside_a_confirmed_one(other)
                });
                is_first
                    && moment - binding.at_ms < CLAIM_SUSPENDS_MS
                    && !self.is_suspended(binding.principal)
            })
    }

    /// The holdings on which a denial rests that stand and are not lifted.
    pub(crate) fn denial_rests_on(&self, denial: &Denial) -> Vec<&Holding> {
        self.holdings_at(denial.terms.work, denial.entry)
            .into_iter()
            .filter(|holding| holding.holder(denial.entry) == Some(denial.principal))
            .filter(|holding| holding.span.stands(self.size))
            .filter(|holding| !denial.withdrawn.iter().any(|(at, by)| holding.holder(*at) == Some(*by)))
            .collect()
    }
}

fn reach(start: WorkId, next: impl Fn(WorkId) -> Vec<WorkId>) -> BTreeSet<WorkId> {
    let mut seen = BTreeSet::from([start]);
    let mut waiting = vec![start];
    while let Some(work) = waiting.pop() {
        for other in next(work) {
            if seen.insert(other) {
                waiting.push(other);
            }
        }
    }
    seen.remove(&start);
    seen
}
