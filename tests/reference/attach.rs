//! Sections 3.6 and 3.7 of the rules: which grants attach to a holding, and what they miss.

use kyodaku::domain::act::{Covers, Power};
use kyodaku::domain::decision::ReasonCode;
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::Scope;
use kyodaku::domain::uses::Use;

use super::facts::{Facts, Grant, Holding, Mandate, PartLink};

/// How a member of a closure is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// It is the matched work, or a part that was asked for.
    Root,
    /// By a layer link of `host`, found while looking at `member`.
    Layer { host: WorkId, member: WorkId },
}

/// What a grant is tested against.
pub(crate) struct Case<'a> {
    pub(crate) question: &'a Question,
    pub(crate) r#use: Use,
    pub(crate) moment: i64,
    /// Whether the matched work is matched by location only.
    pub(crate) by_location_only: bool,
}

impl Facts {
    pub(crate) fn attaches(&self, grant: &Grant, member: WorkId, holding: &Holding, way: Way) -> bool {
        self.reaches_by_layer(grant, way)
            && (is_on_the_work(grant, member, holding) || self.is_on_an_ancestor(grant, member, holding))
    }

    fn reaches_by_layer(&self, grant: &Grant, way: Way) -> bool {
        match (&grant.terms.as_layer_of, way) {
            (Scope::Any, _) => true,
            (Scope::Only(_), Way::Root) => false,
            (Scope::Only(works), Way::Layer { host, member }) => {
                works.iter().any(|work| [host, member].contains(&self.canonical(*work)))
            }
        }
    }

    fn is_on_an_ancestor(&self, grant: &Grant, member: WorkId, holding: &Holding) -> bool {
        let ancestor = grant.terms.work;
        let agent_may = grant.party == grant.principal
            || self.mandate_of(grant).is_some_and(|mandate| mandate.works.covers(Some(&member)));
        grant.terms.covers != Covers::Work
            && ancestor != member
            && agent_may
            && self.chains(member, ancestor).iter().any(|chain| self.chain_carries(grant, holding, chain))
    }

    /// Whether the grantor's own assents carry its grant down this chain, to this holding.
    fn chain_carries(&self, grant: &Grant, holding: &Holding, chain: &[&PartLink]) -> bool {
        let mut latest = grant.entry;
        for link in chain {
            let Some(good_from) = self.own_assent_good_from(link, grant.principal) else { return false };
            if grant.terms.covers == Covers::WithParts && good_from >= grant.entry {
                return false;
            }
            latest = latest.max(good_from);
        }
        holding.was_held_well(latest, grant.principal)
    }

    /// Every chain of effective links from a work up to an ancestor that passes no work twice.
    fn chains(&self, work: WorkId, ancestor: WorkId) -> Vec<Vec<&PartLink>> {
        let links = self.effective_links();
        let mut found = Vec::new();
        let mut begun: Vec<(WorkId, Vec<&PartLink>)> = vec![(work, Vec::new())];
        while let Some((top, chain)) = begun.pop() {
            if top == ancestor {
                found.push(chain);
                continue;
            }
            for link in links.iter().filter(|link| self.canonical(link.part) == top) {
                let whole = self.canonical(link.whole);
                let passed = chain.iter().any(|below| self.canonical(below.part) == whole);
                if !passed && whole != top {
                    begun.push((whole, chain.iter().chain([link]).copied().collect()));
                }
            }
        }
        found
    }

    /// Of the mandates that allowed an agent's grant, the one given first.
    pub(crate) fn mandate_of(&self, grant: &Grant) -> Option<&Mandate> {
        self.mandates
            .values()
            .filter(|mandate| mandate.principal == grant.principal && mandate.agent == grant.party)
            .filter(|mandate| mandate.span.stands(grant.entry))
            .filter(|mandate| (mandate.from_ms..mandate.until_ms).contains(&grant.at_ms))
            .filter(|mandate| mandate.powers.contains(&Power::Grant))
            .filter(|mandate| mandate.works.covers(Some(&grant.terms.work)))
            .min_by_key(|mandate| mandate.span.began)
    }

    /// What the grant misses, in the order in which misses are named; covering is missing nothing.
    pub(crate) fn misses(&self, grant: &Grant, holder: Option<OrgId>, case: &Case<'_>) -> Vec<ReasonCode> {
        let terms = &grant.terms;
        let question = case.question;
        if !terms.developers.covers(Some(&question.developer)) {
            return vec![ReasonCode::DeveloperNotCovered];
        }
        let tests = [
            (ReasonCode::UseNotCovered, !terms.uses.covers(Some(&case.r#use))),
            (ReasonCode::ModelNotCovered, !terms.models.covers(question.model.as_ref())),
            (ReasonCode::TerritoryNotCovered, !terms.territories.covers(question.territory.as_ref())),
            (ReasonCode::LocationOnly, case.by_location_only && !terms.by_location),
            (ReasonCode::NotYetEffective, case.moment < terms.from.at(grant.at_ms)),
            (ReasonCode::Expired, case.moment >= terms.until.at()),
            (ReasonCode::Revoked, self.is_revoked(grant, holder, case.moment)),
        ];
        tests.into_iter().filter(|(_, misses)| *misses).map(|(code, _)| code).collect()
    }

    fn is_revoked(&self, grant: &Grant, holder: Option<OrgId>, moment: i64) -> bool {
        grant.revoked_from_ms.iter().any(|from| *from <= moment)
            || self.is_suspended(grant.party)
            || self.is_suspended(grant.principal)
            || holder.is_some_and(|holder| self.is_suspended(holder))
            || (grant.party != grant.principal && self.fell_with_its_mandate(grant, moment))
    }

    fn fell_with_its_mandate(&self, grant: &Grant, moment: i64) -> bool {
        self.mandate_of(grant).is_none_or(|mandate| {
            let ended = !mandate.span.stands(self.size) || moment >= mandate.until_ms;
            ended && !mandate.grants_survive
        })
    }
}

fn is_on_the_work(grant: &Grant, member: WorkId, holding: &Holding) -> bool {
    grant.terms.work == member && holding.was_held_well(grant.entry, grant.principal)
}
