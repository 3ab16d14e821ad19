//! Deeds of several acts that lead somewhere: works that get cleared, parts that get linked, shares handed over.

use std::collections::BTreeSet;

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Covers, GrantRecorded, Holding, LayersDeclared, MandateGiven,
    PartAccepted, PartLinked, Power, Revocable, RosterDeclared, Tie, TransferAccepted, TransferOffered,
    TransferWithdrawn, WorkKind, WorkRegistered,
};
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::key::{Key, Sha256};
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::territory::Territory;
use kyodaku::domain::uses::Use;

use super::Teller;
use crate::reference::Facts;

/// The uses that histories speak of; few, so that they meet.
pub(crate) const USES: [Use; 4] =
    [Use::TrainGenerative, Use::TrainFinetune, Use::Search, Use::GenerateDepict];

pub(crate) const DAY_MS: i64 = 86_400_000;

pub(crate) fn territories() -> Vec<Territory> {
    ["JP", "US"].iter().map(|code| code.parse().unwrap()).collect()
}

pub(crate) fn holders_of(facts: &Facts, work: WorkId) -> Vec<OrgId> {
    let holders = facts.holdings(work).into_iter().filter_map(|holding| holding.holder(facts.size));
    holders.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Teller {
    pub(crate) fn a_work(&mut self) -> Option<WorkId> {
        let facts = self.history.facts();
        let works: Vec<WorkId> = facts.works.keys().copied().collect();
        let work = self.rng.pick(&works)?;
        Some(if self.rng.percent(95) { facts.canonical(work) } else { work })
    }

    pub(crate) fn register_work(&mut self) {
        let cast = self.cast.holders.clone();
        let party = self.rng.pick_early(&cast).unwrap();
        let mut holders = vec![party];
        while self.rng.percent(35) && holders.len() < 4 {
            holders.extend(self.rng.pick(&cast).filter(|other| !holders.contains(other)));
        }
        if self.rng.percent(3) {
            holders.clear();
        }
        let (layers, part_of) = (self.ties(20), self.ties(25));
        let mut keys = Vec::new();
        while self.rng.percent(55) && keys.len() < 3 {
            let key = self.key();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let act = WorkRegistered {
            work: self.id(),
            kind: WorkKind::Series,
            holders: holders.into_iter().map(|holder| Holding { holding: self.id(), holder }).collect(),
            roster_complete: self.rng.percent(80),
            layers: layers.into_iter().map(|work| Tie { link: self.id(), work }).collect(),
            layers_complete: self.rng.percent(80),
            part_of: part_of.into_iter().map(|work| Tie { link: self.id(), work }).collect(),
            bindings: keys.into_iter().map(|key| Binding { binding: self.id(), key }).collect(),
        };
        self.play(party, None, vec![act.into()]);
    }

    /// A work of one holder under one key, declared complete, and nothing confirmed.
    pub(crate) fn entered_work(&mut self, holder: OrgId, key: &Key) -> WorkId {
        let work = self.id();
        let act = WorkRegistered {
            work,
            kind: WorkKind::Series,
            holders: vec![Holding { holding: self.id(), holder }],
            roster_complete: true,
            layers: vec![],
            layers_complete: true,
            part_of: vec![],
            bindings: vec![Binding { binding: self.id(), key: key.clone() }],
        };
        assert!(self.play(holder, None, vec![act.into()]));
        work
    }

    fn ties(&mut self, chance: usize) -> Vec<WorkId> {
        let mut works = Vec::new();
        while self.rng.percent(chance) && works.len() < 2 {
            works.extend(self.a_work().filter(|work| !works.contains(work)));
        }
        works
    }

    /// The registrar confirms what is asserted about a work.
    pub(crate) fn confirm(&mut self, work: WorkId) {
        let facts = self.history.facts();
        let holdings = facts.holdings(work).into_iter().filter(|holding| holding.confirmed.is_none());
        let holdings: Vec<_> = holdings.map(|holding| holding.id).collect();
        let bindings = facts.bindings.values().filter(|binding| {
            binding.span.stands(facts.size)
                && binding.confirmed.is_none()
                && facts.canonical(binding.work) == facts.canonical(work)
        });
        let bindings: Vec<_> = bindings.map(|binding| binding.id).collect();
        if holdings.is_empty() && bindings.is_empty() {
            return;
        }
        let act = AssertionsConfirmed { holdings, bindings, evidence: Sha256::of(b"seen") };
        self.play(self.cast.registrar, None, vec![act.into()]);
    }

    /// Does all that a permission needs for a work and, mostly, for its layers, its wholes and their layers.
    pub(crate) fn clear_work(&mut self) {
        let Some(work) = self.a_work() else { return };
        let facts = self.history.facts();
        let mut works = BTreeSet::from([work]);
        if self.rng.percent(85) {
            let mut hosts = facts.ancestors(work);
            hosts.insert(work);
            let layers = hosts.iter().flat_map(|host| facts.layer_links_of(*host));
            works.extend(layers.map(|link| facts.canonical(link.layer)));
            works.extend(hosts);
        }
        let broad = self.rng.percent(60);
        for work in works {
            self.confirm(work);
            for holder in holders_of(&facts, work) {
                if self.rng.percent(4) {
                    continue;
                }
                self.play(holder, None, vec![RosterDeclared { work }.into(), LayersDeclared { work }.into()]);
                let grant = self.grant(work, broad);
                self.play(holder, None, vec![grant]);
            }
        }
    }

    /// A grant on a work: broad, or narrowed at random.
    pub(crate) fn grant(&mut self, work: WorkId, broad: bool) -> Act {
        let now = self.now();
        let grant = self.id();
        let as_layer_of = self.a_work().filter(|_| !broad && self.rng.percent(12));
        let rng = &mut self.rng;
        let mut narrow = |chance| !broad && rng.percent(chance);
        let (uses, devs, models, places) = (narrow(60), narrow(60), narrow(40), narrow(40));
        let (from, until, no_location) = (narrow(25), narrow(30), narrow(50));
        let covers = [Covers::Work, Covers::WithParts, Covers::FutureParts];
        let notices =
            [Revocable::Never, Revocable::NoticeMs(0), Revocable::NoticeMs(0), Revocable::NoticeMs(DAY_MS)];
        GrantRecorded {
            grant,
            work,
            covers: rng.pick(&covers).unwrap(),
            as_layer_of: as_layer_of.and_then(|host| Scope::only([host])).unwrap_or(Scope::Any),
            by_location: !no_location,
            uses: rng.some(&USES, 3).filter(|_| uses).and_then(Scope::only).unwrap_or(Scope::Any),
            developers: rng
                .some(&self.cast.developers, 2)
                .filter(|_| devs)
                .and_then(Scope::only)
                .unwrap_or(Scope::Any),
            models: rng.some(&self.models, 2).filter(|_| models).and_then(Scope::only).unwrap_or(Scope::Any),
            territories: rng
                .some(&territories(), 1)
                .filter(|_| places)
                .and_then(Scope::only)
                .unwrap_or(Scope::Any),
            from: if from { From::At(now + rng.days_ms(4)) } else { From::OnRecord },
            until: if until { Until::At(now + DAY_MS + rng.days_ms(40)) } else { Until::Open },
            revocable: rng.pick(&notices).unwrap(),
            conditions: Vec::new(),
            terms: None,
            request: None,
        }
        .into()
    }

    /// A holder empowers an association, which grants for it.
    pub(crate) fn mandate_and_grant(&mut self) {
        let Some(work) = self.a_work() else { return };
        let holders = holders_of(&self.history.facts(), work);
        let agents = self.cast.associations.clone();
        let (Some(principal), Some(agent)) = (self.rng.pick(&holders), self.rng.pick(&agents)) else {
            return;
        };
        let until = self.now() + DAY_MS + self.rng.days_ms(30);
        let mandate = MandateGiven {
            mandate: self.id(),
            agent,
            works: if self.rng.percent(60) { Scope::Any } else { Scope::only([work]).unwrap() },
            powers: vec![Power::Register, Power::Grant, Power::Revoke, Power::Deny, Power::Transfer],
            from: From::OnRecord,
            until: if self.rng.percent(50) { Until::Open } else { Until::At(until) },
            grants_survive: self.rng.percent(50),
        };
        self.play(principal, None, vec![mandate.into()]);
        self.confirm(work);
        let declared = vec![RosterDeclared { work }.into(), LayersDeclared { work }.into()];
        self.play(agent, Some(principal), declared);
        let broad = self.rng.percent(50);
        let grant = self.grant(work, broad);
        self.play(agent, Some(principal), vec![grant]);
    }

    /// A share is offered and, mostly, taken.
    pub(crate) fn hand_over(&mut self) {
        let facts = self.history.facts();
        let standing = facts.holdings.values().filter(|holding| holding.span.stands(facts.size));
        let held: Vec<_> =
            standing.filter_map(|holding| Some((holding.id, holding.holder(facts.size)?))).collect();
        let cast = self.cast.holders.clone();
        let (Some((holding, holder)), Some(to)) = (self.rng.pick(&held), self.rng.pick(&cast)) else {
            return;
        };
        let transfer = self.id();
        self.play(holder, None, vec![TransferOffered { transfer, holding, to }.into()]);
        if self.rng.percent(80) {
            self.wait();
            self.play(to, None, vec![TransferAccepted { transfer }.into()]);
        } else {
            self.play(holder, None, vec![TransferWithdrawn { transfer }.into()]);
        }
    }

    /// A part is linked and, mostly, all holders of both sides assent.
    pub(crate) fn make_part(&mut self) {
        let (Some(part), Some(whole)) = (self.a_work(), self.a_work()) else { return };
        let facts = self.history.facts();
        let of_part = holders_of(&facts, part);
        let Some(first) = self.rng.pick(&of_part) else { return };
        let link = self.id();
        self.play(first, None, vec![PartLinked { link, part, whole }.into()]);
        for other in of_part.into_iter().chain(holders_of(&facts, whole)) {
            if self.rng.percent(75) {
                self.play(other, None, vec![PartAccepted { link }.into()]);
            }
        }
        if self.rng.percent(60) {
            self.confirm(part);
            self.confirm(whole);
        }
    }
}
