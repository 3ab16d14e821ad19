//! What the entries of a prefix say, one table for each kind of thing, nothing concluded yet.
//!
//! Everything bears the entry at which it began and the one at which it ended, so that the tables can be read as of any
//! smaller size too.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use kyodaku::domain::act::{Act, DenialRecorded, GrantRecorded, Power, ReservedSubject, Role, Signal};
use kyodaku::domain::entry::Entry;
use kyodaku::domain::ids::{
    BindingId, ClaimId, DenialId, DisputeId, GrantId, HoldingId, LinkId, MandateId, ModelId, OrgId,
    ReservationId, TransferId, WorkId,
};
use kyodaku::domain::key::Key;
use kyodaku::domain::scope::Scope;

/// From one entry on, until another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) began: u64,
    pub(crate) ended: Option<u64>,
}

impl Span {
    const fn from(began: u64) -> Self {
        Self { began, ended: None }
    }

    /// Whether it is there and not gone, as of this size.
    pub(crate) fn stands(self, size: u64) -> bool {
        self.began < size && self.ended.is_none_or(|ended| ended >= size)
    }

    fn end(&mut self, at: u64) {
        self.ended.get_or_insert(at);
    }
}

#[derive(Debug, Default)]
pub(crate) struct Org {
    pub(crate) roles: Vec<Role>,
    pub(crate) verified: bool,
    pub(crate) suspended: bool,
}

#[derive(Debug)]
pub(crate) struct Mandate {
    pub(crate) span: Span,
    pub(crate) principal: OrgId,
    pub(crate) agent: OrgId,
    pub(crate) works: Scope<WorkId>,
    pub(crate) powers: Vec<Power>,
    pub(crate) from_ms: i64,
    pub(crate) until_ms: i64,
    pub(crate) grants_survive: bool,
}

#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) withdrawn: Option<u64>,
    pub(crate) merged: Option<(u64, WorkId)>,
}

#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) id: HoldingId,
    pub(crate) work: WorkId,
    pub(crate) span: Span,
    pub(crate) confirmed: Option<u64>,
    /// Who held it, each from an entry on.
    pub(crate) holders: Vec<(u64, OrgId)>,
}

impl Holding {
    /// Who holds it as of this size, whether it stands or not; nobody before it existed.
    pub(crate) fn holder(&self, size: u64) -> Option<OrgId> {
        self.holders.iter().rev().find(|(since, _)| *since < size).map(|(_, holder)| *holder)
    }

    pub(crate) fn is_confirmed(&self, size: u64) -> bool {
        self.confirmed.is_some_and(|at| at < size)
    }

    /// Whether it held it just after this entry, and holds it still or handed it on when it was confirmed.
    pub(crate) fn was_held_well(&self, entry: u64, org: OrgId) -> bool {
        let handed_on = self.holders.iter().map(|(since, _)| *since).find(|since| *since > entry);
        let confirmed_in_time =
            |handed_on: u64| self.confirmed.is_some_and(|confirmed| confirmed < handed_on);
        self.holder(entry + 1) == Some(org) && handed_on.is_none_or(confirmed_in_time)
    }
}

#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) id: BindingId,
    pub(crate) work: WorkId,
    pub(crate) key: Key,
    pub(crate) principal: OrgId,
    pub(crate) at_ms: i64,
    pub(crate) span: Span,
    pub(crate) confirmed: Option<u64>,
    pub(crate) rejected: bool,
}

impl Binding {
    pub(crate) fn is_confirmed(&self, size: u64) -> bool {
        self.confirmed.is_some_and(|at| at < size)
    }

    /// Taken off the work after it was confirmed: it keeps matching, and refuses.
    pub(crate) fn removed_after_confirmation(&self) -> Option<u64> {
        self.span.ended.filter(|_| !self.rejected && self.confirmed.is_some())
    }
}

/// `host` incorporates `layer`.
#[derive(Debug)]
pub(crate) struct LayerLink {
    pub(crate) host: WorkId,
    pub(crate) layer: WorkId,
    pub(crate) span: Span,
}

/// `part` is part of `whole`, by the assents of these organizations, each at an entry.
#[derive(Debug)]
pub(crate) struct PartLink {
    pub(crate) id: LinkId,
    pub(crate) part: WorkId,
    pub(crate) whole: WorkId,
    pub(crate) span: Span,
    pub(crate) assents: Vec<(u64, OrgId)>,
}

/// A change of a work's roster or layers, or a declaration that they are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    Changed,
    Declared(OrgId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Roster,
    Layers,
}

#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) work: WorkId,
    pub(crate) claimant: OrgId,
    pub(crate) at_ms: i64,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) entry: u64,
    pub(crate) at_ms: i64,
    pub(crate) party: OrgId,
    pub(crate) principal: OrgId,
    pub(crate) terms: GrantRecorded,
    /// The moments at which recorded revocations take effect.
    pub(crate) revoked_from_ms: Vec<i64>,
}

#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) entry: u64,
    pub(crate) at_ms: i64,
    pub(crate) principal: OrgId,
    pub(crate) terms: DenialRecorded,
    /// Who withdrew it for its own share, at which entry.
    pub(crate) withdrawn: Vec<(u64, OrgId)>,
}

#[derive(Debug)]
pub(crate) struct Reservation {
    pub(crate) span: Span,
    pub(crate) recorder: OrgId,
    pub(crate) subject: ReservedSubject,
    pub(crate) signal: Signal,
}

#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) holding: HoldingId,
    pub(crate) to: OrgId,
    pub(crate) span: Span,
}

/// Everything that a prefix of the log says.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) size: u64,
    pub(crate) orgs: BTreeMap<OrgId, Org>,
    pub(crate) models: BTreeMap<ModelId, (OrgId, Span)>,
    pub(crate) mandates: BTreeMap<MandateId, Mandate>,
    pub(crate) works: BTreeMap<WorkId, Work>,
    pub(crate) holdings: BTreeMap<HoldingId, Holding>,
    pub(crate) bindings: BTreeMap<BindingId, Binding>,
    pub(crate) layer_links: BTreeMap<LinkId, LayerLink>,
    pub(crate) part_links: BTreeMap<LinkId, PartLink>,
    pub(crate) completions: Vec<(u64, WorkId, List, Completion)>,
    pub(crate) transfers: BTreeMap<TransferId, Transfer>,
    pub(crate) claims: BTreeMap<ClaimId, Claim>,
    pub(crate) disputes: BTreeMap<DisputeId, (WorkId, Span)>,
    pub(crate) grants: BTreeMap<GrantId, Grant>,
    pub(crate) denials: BTreeMap<DenialId, Denial>,
    pub(crate) reservations: BTreeMap<ReservationId, Reservation>,
    /// What follows for the assents to part links; worked out when first asked for, because it is slow.
    pub(crate) goods: OnceCell<BTreeMap<(LinkId, u64, OrgId), Good>>,
}

/// From which entry on an assent is good on each side of its link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Good {
    pub(crate) on_part: Option<u64>,
    pub(crate) on_whole: Option<u64>,
}

impl Facts {
    /// Reads the entries from the first to the last.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut facts = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            facts.read_parties(at as u64, entry);
            facts.read_works(at as u64, entry);
            facts.read_ties(at as u64, entry);
            facts.read_consent(at as u64, entry);
            facts.size = at as u64 + 1;
        }
        facts
    }

    /// All registrars together speak as one: "the registrar".
    pub(crate) fn is_registrar(&self, org: OrgId) -> bool {
        self.has_role(org, Role::Registrar)
    }

    pub(crate) fn has_role(&self, org: OrgId, role: Role) -> bool {
        self.orgs.get(&org).is_some_and(|org| org.roles.contains(&role))
    }

    pub(crate) fn is_suspended(&self, org: OrgId) -> bool {
        self.orgs.get(&org).is_some_and(|org| org.suspended)
    }

    fn read_parties(&mut self, at: u64, entry: &Entry) {
        match &entry.act {
            Act::OrgRegistered(act) => {
                self.orgs.insert(act.org, Org { roles: act.roles.clone(), ..Org::default() });
            }
            Act::OrgVerified(act) => self.orgs.get_mut(&act.org).unwrap().verified = true,
            Act::OrgSuspended(act) => self.orgs.get_mut(&act.org).unwrap().suspended = true,
            Act::OrgReinstated(act) => self.orgs.get_mut(&act.org).unwrap().suspended = false,
            Act::ModelRegistered(act) => {
                self.models.insert(act.model, (entry.principal(), Span::from(at)));
            }
            Act::ModelRetired(act) => self.models.get_mut(&act.model).unwrap().1.end(at),
            Act::MandateGiven(act) => {
                let mandate = Mandate {
                    span: Span::from(at),
                    principal: entry.principal(),
                    agent: act.agent,
                    works: act.works.clone(),
                    powers: act.powers.clone(),
                    from_ms: act.from.at(entry.at_ms),
                    until_ms: act.until.at(),
                    grants_survive: act.grants_survive,
                };
                self.mandates.insert(act.mandate, mandate);
            }
            Act::MandateEnded(act) => self.mandates.get_mut(&act.mandate).unwrap().span.end(at),
            _ => {}
        }
    }

    fn add_holding(&mut self, at: u64, work: WorkId, id: HoldingId, holder: OrgId, confirmed: bool) {
        let confirmed = confirmed.then_some(at);
        let holding = Holding { id, work, span: Span::from(at), confirmed, holders: vec![(at, holder)] };
        self.holdings.insert(id, holding);
    }

    fn add_binding(&mut self, at: u64, entry: &Entry, work: WorkId, id: BindingId, key: &Key) {
        let binding = Binding {
            id,
            work,
            key: key.clone(),
            principal: entry.principal(),
            at_ms: entry.at_ms,
            span: Span::from(at),
            confirmed: None,
            rejected: false,
        };
        self.bindings.insert(id, binding);
    }

    fn add_layer(&mut self, at: u64, id: LinkId, host: WorkId, layer: WorkId) {
        self.layer_links.insert(id, LayerLink { host, layer, span: Span::from(at) });
    }

    fn add_part(&mut self, at: u64, entry: &Entry, id: LinkId, part: WorkId, whole: WorkId) {
        let assents = vec![(at, entry.principal())];
        self.part_links.insert(id, PartLink { id, part, whole, span: Span::from(at), assents });
    }

    fn complete(&mut self, at: u64, work: WorkId, list: List, completion: Completion) {
        self.completions.push((at, work, list, completion));
    }

    fn read_works(&mut self, at: u64, entry: &Entry) {
        let declared = Completion::Declared(entry.principal());
        match &entry.act {
            Act::WorkRegistered(act) => {
                let work = Work { withdrawn: None, merged: None };
                self.works.insert(act.work, work);
                self.complete(at, act.work, List::Roster, Completion::Changed);
                self.complete(at, act.work, List::Layers, Completion::Changed);
                if act.roster_complete {
                    self.complete(at, act.work, List::Roster, declared);
                }
                if act.layers_complete {
                    self.complete(at, act.work, List::Layers, declared);
                }
                for holding in &act.holders {
                    self.add_holding(at, act.work, holding.holding, holding.holder, false);
                }
                for binding in &act.bindings {
                    self.add_binding(at, entry, act.work, binding.binding, &binding.key);
                }
                for tie in &act.layers {
                    self.add_layer(at, tie.link, act.work, tie.work);
                }
                for tie in &act.part_of {
                    self.add_part(at, entry, tie.link, act.work, tie.work);
                }
            }
            Act::WorkWithdrawn(act) => self.works.get_mut(&act.work).unwrap().withdrawn = Some(at),
            Act::WorksMerged(act) => {
                self.works.get_mut(&act.duplicate).unwrap().merged = Some((at, act.into));
                self.complete(at, act.into, List::Roster, Completion::Changed);
                self.complete(at, act.into, List::Layers, Completion::Changed);
            }
            Act::HoldingAsserted(act) => {
                self.add_holding(at, act.work, act.holding, act.holder, false);
                self.complete(at, act.work, List::Roster, Completion::Changed);
            }
            Act::HoldingRelinquished(act) => self.end_holding(at, act.holding),
            Act::BindingAsserted(act) => self.add_binding(at, entry, act.work, act.binding, &act.key),
            Act::BindingRemoved(act) => self.bindings.get_mut(&act.binding).unwrap().span.end(at),
            Act::RosterDeclared(act) => self.complete(at, act.work, List::Roster, declared),
            Act::LayersDeclared(act) => self.complete(at, act.work, List::Layers, declared),
            Act::RosterSameAsParent(act) => {
                for holding in &act.holders {
                    let by_registrar = self.is_registrar(entry.principal());
                    self.add_holding(at, act.work, holding.holding, holding.holder, by_registrar);
                    self.complete(at, act.work, List::Roster, Completion::Changed);
                }
                self.complete(at, act.work, List::Roster, declared);
            }
            _ => {}
        }
    }

    fn end_holding(&mut self, at: u64, id: HoldingId) {
        let holding = self.holdings.get_mut(&id).unwrap();
        holding.span.end(at);
        let work = holding.work;
        self.complete(at, work, List::Roster, Completion::Changed);
    }

    fn confirm_binding(&mut self, at: u64, id: BindingId) {
        self.bindings.get_mut(&id).unwrap().confirmed.get_or_insert(at);
    }

    fn read_ties(&mut self, at: u64, entry: &Entry) {
        match &entry.act {
            Act::AssertionsConfirmed(act) => {
                for holding in &act.holdings {
                    self.holdings.get_mut(holding).unwrap().confirmed.get_or_insert(at);
                }
                act.bindings.iter().for_each(|binding| self.confirm_binding(at, *binding));
            }
            Act::AssertionsRejected(act) => {
                act.holdings.iter().for_each(|holding| self.end_holding(at, *holding));
                for binding in &act.bindings {
                    let binding = self.bindings.get_mut(binding).unwrap();
                    binding.span.end(at);
                    binding.rejected = true;
                }
            }
            Act::ControlProved(act) => {
                act.bindings.iter().for_each(|binding| self.confirm_binding(at, *binding));
            }
            Act::TransferOffered(act) => {
                let transfer = Transfer { holding: act.holding, to: act.to, span: Span::from(at) };
                self.transfers.insert(act.transfer, transfer);
            }
            Act::TransferAccepted(act) => {
                let transfer = self.transfers.get_mut(&act.transfer).unwrap();
                transfer.span.end(at);
                self.holdings.get_mut(&transfer.holding).unwrap().holders.push((at, transfer.to));
            }
            Act::TransferWithdrawn(act) => self.transfers.get_mut(&act.transfer).unwrap().span.end(at),
            Act::LayerLinked(act) => {
                self.add_layer(at, act.link, act.work, act.layer);
                self.complete(at, act.work, List::Layers, Completion::Changed);
            }
            Act::PartLinked(act) => self.add_part(at, entry, act.link, act.part, act.whole),
            Act::PartAccepted(act) => {
                self.part_links.get_mut(&act.link).unwrap().assents.push((at, entry.principal()));
            }
            Act::LinkRemoved(act) => self.remove_link(at, act.link),
            _ => {}
        }
    }

    fn remove_link(&mut self, at: u64, id: LinkId) {
        if let Some(link) = self.part_links.get_mut(&id) {
            link.span.end(at);
        }
        if let Some(link) = self.layer_links.get_mut(&id) {
            link.span.end(at);
            let host = link.host;
            self.complete(at, host, List::Layers, Completion::Changed);
        }
    }

    fn read_consent(&mut self, at: u64, entry: &Entry) {
        let principal = entry.principal();
        match &entry.act {
            Act::ClaimMade(act) => {
                let claim =
                    Claim { work: act.work, claimant: principal, at_ms: entry.at_ms, span: Span::from(at) };
                self.claims.insert(act.claim, claim);
            }
            Act::ClaimWithdrawn(act) => self.claims.get_mut(&act.claim).unwrap().span.end(at),
            Act::DisputeOpened(act) => {
                self.disputes.insert(act.dispute, (act.work, Span::from(at)));
            }
            Act::DisputeSettled(act) => self.disputes.get_mut(&act.dispute).unwrap().1.end(at),
            Act::GrantRecorded(act) => {
                let grant = Grant {
                    entry: at,
                    at_ms: entry.at_ms,
                    party: entry.party,
                    principal,
                    terms: act.clone(),
                    revoked_from_ms: Vec::new(),
                };
                self.grants.insert(act.grant, grant);
            }
            Act::GrantRevoked(act) => {
                self.grants.get_mut(&act.grant).unwrap().revoked_from_ms.push(act.from.at(entry.at_ms));
            }
            Act::DenialRecorded(act) => {
                let denial = Denial {
                    entry: at,
                    at_ms: entry.at_ms,
                    principal,
                    terms: act.clone(),
                    withdrawn: Vec::new(),
                };
                self.denials.insert(act.denial, denial);
            }
            Act::DenialWithdrawn(act) => {
                self.denials.get_mut(&act.denial).unwrap().withdrawn.push((at, principal));
            }
            Act::ReservationRecorded(act) => {
                let reservation = Reservation {
                    span: Span::from(at),
                    recorder: entry.party,
                    subject: act.subject.clone(),
                    signal: act.signal,
                };
                self.reservations.insert(act.reservation, reservation);
            }
            Act::ReservationWithdrawn(act) => {
                self.reservations.get_mut(&act.reservation).unwrap().span.end(at);
            }
            _ => {}
        }
    }
}
