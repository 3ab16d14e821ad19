//! Single acts of every kind that a rule reads, by those who may and by those who may not.

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, AssertionsRejected, BindingAsserted, BindingRemoved, ClaimMade, ClaimWithdrawn,
    ControlMethod, ControlProved, DenialRecorded, DenialWithdrawn, DisputeOpened, DisputeSettled,
    GrantRevoked, Holding, HoldingAsserted, HoldingRelinquished, LayerLinked, LayersDeclared, LinkRemoved,
    MandateEnded, MembershipAccepted, MembershipEnded, MembershipOffered, ModelRegistered, ModelRetired,
    OrgReinstated, OrgSuspended, PartAccepted, PartLinked, RosterDeclared, RosterSameAsParent,
    SettingsChanged, WorkAmended, WorkKind, WorkWithdrawn, WorksMerged,
};
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::key::Sha256;
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::UseOrFamily;

use super::Teller;
use super::deeds::{DAY_MS, USES, holders_of, territories};
use crate::reference::Facts;

/// Who acts, for whom, and what.
type Move = (OrgId, Option<OrgId>, Act);

impl Teller {
    /// One act, mostly by somebody who may do it.
    pub(crate) fn any_act(&mut self) {
        let facts = self.history.facts();
        let chosen = match self.rng.below(10) {
            0 | 1 => self.about_work(&facts),
            2 => self.about_assertions(&facts),
            3 | 4 => self.about_ties(&facts),
            5 => self.about_quarrels(&facts),
            6 | 7 => self.about_consent(&facts),
            8 => self.about_agency(&facts),
            _ => self.about_parties(&facts),
        };
        let Some((party, on_behalf_of, act)) = chosen else { return };
        let hostile = self.rng.percent(12);
        let everybody = self.cast.all();
        let party = self.rng.pick(&everybody).filter(|_| hostile).unwrap_or(party);
        self.play(party, on_behalf_of, vec![act]);
    }

    fn any_holder(&mut self, facts: &Facts, work: WorkId) -> OrgId {
        let holders = holders_of(facts, work);
        self.rng.pick(&holders).unwrap_or(self.cast.outsider)
    }

    /// The holder itself, or one of its agents in its name.
    fn holder_or_agent(&mut self, facts: &Facts, work: WorkId, act: Act) -> Move {
        let holder = self.any_holder(facts, work);
        let given = facts.mandates.values().filter(|given| given.principal == holder);
        let agents: Vec<OrgId> = given.map(|given| given.agent).collect();
        match self.rng.pick(&agents).filter(|_| self.rng.percent(40)) {
            Some(agent) => (agent, Some(holder), act),
            None => (holder, None, act),
        }
    }

    fn about_work(&mut self, facts: &Facts) -> Option<Move> {
        let work = self.a_work()?;
        let act: Act = match self.rng.below(10) {
            0 => WorkAmended { work, kind: WorkKind::Comic }.into(),
            1 => WorkWithdrawn { work }.into(),
            2 | 3 => BindingAsserted { work, binding: self.id(), key: self.key() }.into(),
            4 => return self.unbind(facts),
            5 | 6 => return self.about_holding(facts, work),
            7 | 8 => RosterDeclared { work }.into(),
            _ => LayersDeclared { work }.into(),
        };
        let by_registrar = self.rng.percent(25);
        if by_registrar {
            Some((self.cast.registrar, None, act))
        } else {
            Some(self.holder_or_agent(facts, work, act))
        }
    }

    fn unbind(&mut self, facts: &Facts) -> Option<Move> {
        let standing = facts.bindings.values().filter(|binding| binding.span.stands(facts.size));
        let standing: Vec<_> = standing.map(|binding| (binding.id, binding.work)).collect();
        let (binding, work) = self.rng.pick(&standing)?;
        Some(self.holder_or_agent(facts, facts.canonical(work), BindingRemoved { binding }.into()))
    }

    fn about_holding(&mut self, facts: &Facts, work: WorkId) -> Option<Move> {
        let everybody = self.cast.all();
        let by_holder = self.any_holder(facts, work);
        let outsider = self.cast.outsider;
        let act = |holding, holder| Act::from(HoldingAsserted { work, holding, holder });
        Some(match self.rng.below(4) {
            0 => (by_holder, None, act(self.id(), self.rng.pick(&everybody)?)),
            1 => (outsider, None, act(self.id(), outsider)),
            2 => (self.cast.registrar, None, act(self.id(), self.rng.pick(&everybody)?)),
            _ => {
                let held = facts.holdings(work);
                let holding = self.rng.pick(&held)?;
                let act = HoldingRelinquished { holding: holding.id };
                (holding.holder(facts.size)?, None, act.into())
            }
        })
    }

    fn about_assertions(&mut self, facts: &Facts) -> Option<Move> {
        let evidence = Sha256::of(b"evidence");
        let holdings: Vec<_> = facts.holdings.values().filter(|one| one.span.stands(facts.size)).collect();
        let bindings: Vec<_> = facts.bindings.values().filter(|one| one.span.stands(facts.size)).collect();
        let holding = self.rng.pick(&holdings)?.id;
        let binding = self.rng.pick(&bindings)?;
        let act: Act = match self.rng.below(8) {
            0..=2 => AssertionsConfirmed { holdings: vec![holding], bindings: vec![], evidence }.into(),
            3 | 4 => AssertionsConfirmed { holdings: vec![], bindings: vec![binding.id], evidence }.into(),
            5 => AssertionsRejected { holdings: vec![holding], bindings: vec![], evidence }.into(),
            6 => AssertionsRejected { holdings: vec![], bindings: vec![binding.id], evidence }.into(),
            _ => {
                let org = self.any_holder(facts, binding.work);
                let host = binding.key.host()?;
                let bindings = vec![binding.id];
                let act = ControlProved { org, host, method: ControlMethod::Dns, bindings, evidence };
                return Some((self.cast.installation, None, act.into()));
            }
        };
        Some((self.cast.registrar, None, act))
    }

    fn about_ties(&mut self, facts: &Facts) -> Option<Move> {
        let (work, other) = (self.a_work()?, self.a_work()?);
        let registrar = self.cast.registrar;
        let part_links: Vec<_> = facts.part_links.values().collect();
        let links: Vec<_> = facts.part_links.keys().chain(facts.layer_links.keys()).copied().collect();
        let act: Act = match self.rng.below(12) {
            0..=2 => LayerLinked { link: self.id(), work, layer: other }.into(),
            3 => PartLinked { link: self.id(), part: work, whole: other }.into(),
            4..=6 => {
                let link = self.rng.pick(&part_links)?;
                let side = if self.rng.percent(50) { link.part } else { link.whole };
                return Some(self.holder_or_agent(facts, side, PartAccepted { link: link.id }.into()));
            }
            7 => return Some((registrar, None, LinkRemoved { link: self.rng.pick(&links)? }.into())),
            8 => return Some((registrar, None, WorksMerged { duplicate: work, into: other }.into())),
            _ => return self.same_as_parent(facts),
        };
        Some(self.holder_or_agent(facts, work, act))
    }

    fn same_as_parent(&mut self, facts: &Facts) -> Option<Move> {
        let links: Vec<_> = facts.part_links.values().filter(|link| link.span.stands(facts.size)).collect();
        let link = self.rng.pick(&links)?;
        let (work, parent) = (facts.canonical(link.part), facts.canonical(link.whole));
        let listed = holders_of(facts, work);
        let mut missing = holders_of(facts, parent);
        missing.retain(|holder| !listed.contains(holder));
        let holders = missing.into_iter().map(|holder| Holding { holding: self.id(), holder }).collect();
        let act = RosterSameAsParent { work, parent, holders };
        let by_registrar = self.rng.percent(40);
        if by_registrar {
            Some((self.cast.registrar, None, act.into()))
        } else {
            Some(self.holder_or_agent(facts, parent, act.into()))
        }
    }

    fn about_quarrels(&mut self, facts: &Facts) -> Option<Move> {
        let work = self.a_work()?;
        let registrar = self.cast.registrar;
        let claims: Vec<_> = facts.claims.iter().map(|(id, claim)| (*id, claim.claimant)).collect();
        let open = facts.disputes.iter().filter(|(_, (_, span))| span.stands(facts.size));
        let disputes: Vec<_> = open.map(|(id, _)| *id).collect();
        let orgs =
            [self.cast.outsider, self.cast.holders[0], self.cast.holders[1], self.cast.associations[0]];
        Some(match self.rng.below(8) {
            0 | 1 => (self.rng.pick(&orgs)?, None, ClaimMade { claim: self.id(), work }.into()),
            2..=4 => {
                let (claim, claimant) = self.rng.pick(&claims)?;
                (claimant, None, ClaimWithdrawn { claim }.into())
            }
            5 => (registrar, None, DisputeOpened { dispute: self.id(), work, claim: None }.into()),
            _ => {
                let dispute = self.rng.pick(&disputes)?;
                (registrar, None, DisputeSettled { dispute, evidence: Sha256::of(b"settled") }.into())
            }
        })
    }

    fn about_consent(&mut self, facts: &Facts) -> Option<Move> {
        let work = self.a_work()?;
        let grants: Vec<_> = facts.grants.values().collect();
        let denials: Vec<_> = facts.denials.values().collect();
        match self.rng.below(10) {
            0..=2 => {
                let grant = self.grant(work, false);
                Some(self.holder_or_agent(facts, work, grant))
            }
            3..=4 => {
                let grant = self.rng.pick(&grants)?;
                let later = From::At(self.now() + self.rng.pick(&[0, 1, DAY_MS])?);
                let from = if self.rng.percent(50) { From::OnRecord } else { later };
                let act = GrantRevoked { grant: grant.terms.grant, from };
                Some(self.holder_or_agent(facts, facts.canonical(grant.terms.work), act.into()))
            }
            5..=6 => {
                let denial = self.denial(work);
                Some(self.holder_or_agent(facts, work, denial))
            }
            _ => {
                let denial = self.rng.pick(&denials)?;
                let act = DenialWithdrawn { denial: denial.terms.denial };
                Some(self.holder_or_agent(facts, facts.canonical(denial.terms.work), act.into()))
            }
        }
    }

    pub(crate) fn denial(&mut self, work: WorkId) -> Act {
        let denial = self.id();
        let now = self.now();
        let rng = &mut self.rng;
        let named = [UseOrFamily::Family("train"), UseOrFamily::Leaf(USES[0]), UseOrFamily::Leaf(USES[2])];
        let mut maybe = |chance| rng.percent(chance);
        let (uses, devs, models, places) = (maybe(60), maybe(40), maybe(20), maybe(30));
        let (from, until, parts) = (maybe(15), maybe(40), maybe(30));
        DenialRecorded {
            denial,
            work,
            parts: parts.then(|| rng.percent(50)),
            uses: rng.some(&named, 2).filter(|_| uses).and_then(Scope::only),
            developers: rng.some(&self.cast.developers, 2).filter(|_| devs).and_then(Scope::only),
            models: rng.some(&self.models, 1).filter(|_| models).and_then(Scope::only),
            territories: rng.some(&territories(), 1).filter(|_| places).and_then(Scope::only),
            from: from.then(|| From::At(now + rng.days_ms(3))),
            until: until.then(|| Until::At(now + 3 * DAY_MS + rng.days_ms(9))),
        }
        .into()
    }

    fn about_agency(&mut self, facts: &Facts) -> Option<Move> {
        let given = facts.mandates.iter().map(|(id, given)| (*id, given.principal, given.agent));
        let mandates: Vec<_> = given.collect();
        if self.rng.percent(35) {
            let (mandate, principal, agent) = self.rng.pick(&mandates)?;
            let by = if self.rng.percent(60) { principal } else { agent };
            return Some((by, None, MandateEnded { mandate }.into()));
        }
        let (holders, associations) = (self.cast.holders.clone(), self.cast.associations.clone());
        let (member, association) = (self.rng.pick_early(&holders)?, self.rng.pick(&associations)?);
        let membership = self.id();
        self.play(member, None, vec![MembershipOffered { membership, member, association }.into()]);
        self.play(association, None, vec![MembershipAccepted { membership }.into()]);
        let work = self.a_work()?;
        let denial = self.denial(work);
        self.play(association, Some(member), vec![denial]);
        let ends = self.rng.percent(30);
        ends.then(|| (association, None, MembershipEnded { membership }.into()))
    }

    fn about_parties(&mut self, facts: &Facts) -> Option<Move> {
        let registrar = self.cast.registrar;
        let mut stoppable = self.cast.all();
        stoppable.retain(|org| *org != registrar);
        let stopped: Vec<OrgId> = stoppable.iter().copied().filter(|org| facts.is_suspended(*org)).collect();
        let developers = self.cast.developers.clone();
        let models = self.models.clone();
        let evidence = None;
        Some(match self.rng.below(8) {
            0 => (registrar, None, OrgSuspended { org: self.rng.pick(&stoppable)?, evidence }.into()),
            1..=4 => (registrar, None, OrgReinstated { org: self.rng.pick(&stopped)?, evidence }.into()),
            5 => {
                let model = self.id();
                self.models.push(model);
                (self.rng.pick(&developers)?, None, ModelRegistered { model }.into())
            }
            6 => {
                let model = self.rng.pick(&models)?;
                let owner = facts.models.get(&model).map_or(developers[0], |(owner, _)| *owner);
                (owner, None, ModelRetired { model }.into())
            }
            _ => {
                let second_person = self.rng.percent(70);
                (registrar, None, SettingsChanged { second_person }.into())
            }
        })
    }
}
