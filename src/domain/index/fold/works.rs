//! Works, holdings, bindings, links, claims, disputes.

use super::{FoldError, Folded, Step};
use crate::domain::act::{Act, Binding as BindingAct, WorkRegistered};
use crate::domain::ids::{BindingId, HoldingId, LinkId, OrgId, WorkId};
use crate::domain::index::records::{
    Assent, Binding, Claim, Completeness, Declarer, Dispute, Holding, LayerLink, NEVER, Org, PartLink,
    Transfer, Work,
};
use crate::domain::index::{Index, Ix};
use crate::domain::key::Key;

impl Index {
    pub(super) fn apply_work(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::WorkRegistered(act) => self.register_work(step, act),
            Act::WorkAmended(act) => {
                let work = self.work(step, act.work)?;
                self.works.change(work).kind = act.kind;
                Ok(())
            }
            Act::WorkWithdrawn(act) => {
                let work = self.work(step, act.work)?;
                self.works.change(work).withdrawn = step.at;
                Ok(())
            }
            Act::WorksMerged(act) => {
                let (duplicate, into) = (self.work(step, act.duplicate)?, self.work(step, act.into)?);
                self.works.change(duplicate).merged_into = Some((step.at, into));
                let into_record = self.works.change(into);
                into_record.absorbed.push((step.at, duplicate));
                into_record.roster.changed.push(step.at);
                into_record.layering.changed.push(step.at);
                self.refresh_assents(step, into);
                Ok(())
            }
            Act::LayerLinked(act) => self.link_layer(step, act.link, act.work, act.layer),
            Act::PartLinked(act) => self.link_part(step, act.link, act.part, act.whole),
            Act::PartAccepted(act) => {
                let link = self.parts.find(act.link).ok_or_else(|| step.unknown(act.link))?;
                let org = self.principal(step)?;
                self.assent(step, link, org);
                Ok(())
            }
            Act::LinkRemoved(act) => self.remove_link(step, act.link),
            Act::RosterDeclared(act) => self.declare(step, act.work, |work| &mut work.roster),
            Act::LayersDeclared(act) => self.declare(step, act.work, |work| &mut work.layering),
            Act::ClaimMade(_) | Act::ClaimWithdrawn(_) | Act::DisputeOpened(_) | Act::DisputeSettled(_) => {
                self.apply_contest(step)
            }
            Act::BindingAsserted(act) => {
                let work = self.work(step, act.work)?;
                self.bind(step, work, act.binding, &act.key)
            }
            Act::BindingRemoved(act) => {
                let binding = self.bindings.find(act.binding).ok_or_else(|| step.unknown(act.binding))?;
                self.bindings.change(binding).removed = step.at;
                Ok(())
            }
            _ => self.apply_holding(step),
        }
    }

    fn apply_holding(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::HoldingAsserted(act) => {
                let work = self.work(step, act.work)?;
                self.hold(step, work, act.holding, act.holder)?;
                self.works.change(work).roster.changed.push(step.at);
            }
            Act::HoldingRelinquished(act) => self.end_holding(step, act.holding)?,
            Act::AssertionsConfirmed(act) => {
                for id in &act.holdings {
                    self.confirm_holding(step, *id)?;
                }
                for id in &act.bindings {
                    self.confirm_binding(step, *id)?;
                }
            }
            Act::AssertionsRejected(act) => {
                for id in &act.holdings {
                    self.end_holding(step, *id)?;
                }
                for id in &act.bindings {
                    let binding = self.bindings.find(*id).ok_or_else(|| step.unknown(*id))?;
                    self.bindings.change(binding).rejected = step.at;
                }
            }
            Act::ControlProved(act) => {
                for id in &act.bindings {
                    self.confirm_binding(step, *id)?;
                }
            }
            Act::TransferOffered(act) => {
                let holding = self.holding(step, act.holding)?;
                let (from, to) = (self.principal(step)?, self.org(step, act.to)?);
                self.transfers
                    .push(act.transfer, Transfer { holding, from, to, offered: step.at, ended: NEVER });
            }
            Act::TransferAccepted(act) => {
                let ix = self.transfers.find(act.transfer).ok_or_else(|| step.unknown(act.transfer))?;
                self.transfers.change(ix).ended = step.at;
                let Transfer { holding, to, .. } = *self.transfers.at(ix);
                self.holdings.change(holding).holders.push((step.at, to));
                self.by_holder.push(to, holding);
                self.refresh_assents(step, self.holdings.at(holding).work);
            }
            Act::TransferWithdrawn(act) => {
                let ix = self.transfers.find(act.transfer).ok_or_else(|| step.unknown(act.transfer))?;
                self.transfers.change(ix).ended = step.at;
            }
            Act::RosterSameAsParent(act) => {
                let work = self.work(step, act.work)?;
                let declarer = self.declarer(step)?;
                for holding in &act.holders {
                    self.hold(step, work, holding.holding, holding.holder)?;
                    if declarer == Declarer::Registrar {
                        self.confirm_holding(step, holding.holding)?;
                    }
                }
                let roster = &mut self.works.change(work).roster;
                if !act.holders.is_empty() {
                    roster.changed.push(step.at);
                }
                roster.declared.push((step.at, declarer));
            }
            _ => {}
        }
        Ok(())
    }

    fn apply_contest(&mut self, step: Step<'_>) -> Folded {
        match &step.entry.act {
            Act::ClaimMade(act) => {
                let work = self.work(step, act.work)?;
                let claimant = self.principal(step)?;
                let claim =
                    Claim { work, claimant, made: step.at, made_ms: step.entry.at_ms, withdrawn: NEVER };
                let ix = self.claims.push(act.claim, claim);
                self.works.change(work).claims.push(ix);
            }
            Act::ClaimWithdrawn(act) => {
                let ix = self.claims.find(act.claim).ok_or_else(|| step.unknown(act.claim))?;
                self.claims.change(ix).withdrawn = step.at;
            }
            Act::DisputeOpened(act) => {
                let work = self.work(step, act.work)?;
                let ix = self.disputes.push(act.dispute, Dispute { work, opened: step.at, settled: NEVER });
                self.works.change(work).disputes.push(ix);
            }
            Act::DisputeSettled(act) => {
                let ix = self.disputes.find(act.dispute).ok_or_else(|| step.unknown(act.dispute))?;
                self.disputes.change(ix).settled = step.at;
            }
            _ => {}
        }
        Ok(())
    }

    fn register_work(&mut self, step: Step<'_>, act: &WorkRegistered) -> Folded {
        let principal = self.principal(step)?;
        let list = |complete: bool| Completeness {
            changed: vec![step.at],
            declared: if complete { vec![(step.at, Declarer::Holder(principal))] } else { Vec::new() },
        };
        let record = Work {
            kind: act.kind,
            registered: step.at,
            registrant: principal,
            withdrawn: NEVER,
            merged_into: None,
            absorbed: Vec::new(),
            holdings: Vec::new(),
            bindings: Vec::new(),
            layers: Vec::new(),
            parents: Vec::new(),
            children: Vec::new(),
            roster: list(act.roster_complete),
            layering: list(act.layers_complete),
            grants: Vec::new(),
            denials: Vec::new(),
            claims: Vec::new(),
            disputes: Vec::new(),
            contested: false,
            reserved: false,
        };
        let work = self.works.push(act.work, record);
        for holding in &act.holders {
            self.hold(step, work, holding.holding, holding.holder)?;
        }
        for BindingAct { binding, key } in &act.bindings {
            self.bind(step, work, *binding, key)?;
        }
        for tie in &act.layers {
            self.link_layer(step, tie.link, act.work, tie.work)?;
        }
        for tie in &act.part_of {
            self.link_part(step, tie.link, act.work, tie.work)?;
        }
        Ok(())
    }

    fn hold(&mut self, step: Step<'_>, work: Ix<Work>, id: HoldingId, holder: OrgId) -> Folded {
        let holder = self.org(step, holder)?;
        let holders = vec![(step.at, holder)];
        let ix = self
            .holdings
            .push(id, Holding { work, holders, asserted: step.at, confirmed: NEVER, ended: NEVER });
        self.works.change(work).holdings.push(ix);
        self.by_holder.push(holder, ix);
        Ok(())
    }

    fn end_holding(&mut self, step: Step<'_>, id: HoldingId) -> Folded {
        let holding = self.holding(step, id)?;
        self.holdings.change(holding).ended = step.at;
        let work = self.latest().canonical(self.holdings.at(holding).work);
        self.works.change(work).roster.changed.push(step.at);
        Ok(())
    }

    fn confirm_holding(&mut self, step: Step<'_>, id: HoldingId) -> Folded {
        let holding = self.holding(step, id)?;
        self.holdings.change(holding).confirmed = step.at;
        self.refresh_assents(step, self.holdings.at(holding).work);
        Ok(())
    }

    fn confirm_binding(&mut self, step: Step<'_>, id: BindingId) -> Folded {
        let binding = self.bindings.find(id).ok_or_else(|| step.unknown(id))?;
        self.bindings.change(binding).confirmed = step.at;
        Ok(())
    }

    fn bind(&mut self, step: Step<'_>, work: Ix<Work>, id: BindingId, key: &Key) -> Folded {
        let by = self.principal(step)?;
        let fingerprint = key.fingerprint();
        let seen = self.latest();
        let contests =
            self.by_key.get(fingerprint).iter().map(|other| self.bindings.at(*other)).any(|other| {
                other.confirmed < step.at
                    && !seen.seen(other.rejected)
                    && !seen.seen(other.removed)
                    && seen.canonical(other.work) != seen.canonical(work)
            });
        let binding = Binding {
            work,
            key: key.clone(),
            by,
            asserted: step.at,
            asserted_ms: step.entry.at_ms,
            contests,
            confirmed: NEVER,
            rejected: NEVER,
            removed: NEVER,
        };
        let ix = self.bindings.push(id, binding);
        self.works.change(work).bindings.push(ix);
        self.by_key.push(fingerprint, ix);
        if let (Key::UrlPrefix { .. }, Some(site)) = (key, key.site()) {
            self.prefixed.push(site, ());
        }
        self.mark_contested(fingerprint);
        if let Key::Iscc { header, body } = key {
            self.by_iscc.push(iscc_class(header, body), ix);
        }
        Ok(())
    }

    /// Marks all works of a key of which some binding contests another.
    fn mark_contested(&mut self, fingerprint: u128) {
        let bindings = self.by_key.get(fingerprint);
        if bindings.len() < 2 || !bindings.iter().any(|ix| self.bindings.at(*ix).contests) {
            return;
        }
        let works: Vec<_> = bindings.iter().map(|ix| self.bindings.at(*ix).work).collect();
        for work in works {
            if !self.works.at(work).contested {
                self.works.change(work).contested = true;
            }
        }
    }

    fn link_layer(&mut self, step: Step<'_>, id: LinkId, work: WorkId, layer: WorkId) -> Folded {
        let (work, layer) = (self.work(step, work)?, self.work(step, layer)?);
        let ix = self.layers.push(id, LayerLink { work, layer, linked: step.at, removed: NEVER });
        let record = self.works.change(work);
        record.layers.push(ix);
        if record.layering.changed.last() != Some(&step.at) {
            record.layering.changed.push(step.at);
        }
        Ok(())
    }

    fn link_part(&mut self, step: Step<'_>, id: LinkId, part: WorkId, whole: WorkId) -> Folded {
        let (part, whole) = (self.work(step, part)?, self.work(step, whole)?);
        let link = PartLink { part, whole, linked: step.at, removed: NEVER, assents: Vec::new() };
        let ix = self.parts.push(id, link);
        self.works.change(part).parents.push(ix);
        self.works.change(whole).children.push(ix);
        let org = self.principal(step)?;
        self.assent(step, ix, org);
        Ok(())
    }

    fn remove_link(&mut self, step: Step<'_>, id: LinkId) -> Folded {
        if let Some(ix) = self.layers.find(id) {
            self.layers.change(ix).removed = step.at;
            let work = self.latest().canonical(self.layers.at(ix).work);
            self.works.change(work).layering.changed.push(step.at);
            return Ok(());
        }
        let ix = self.parts.find(id).ok_or_else(|| step.unknown(id))?;
        self.parts.change(ix).removed = step.at;
        Ok(())
    }

    fn declare(
        &mut self,
        step: Step<'_>,
        id: WorkId,
        list: impl Fn(&mut Work) -> &mut Completeness,
    ) -> Folded {
        let work = self.work(step, id)?;
        let declarer = self.declarer(step)?;
        list(self.works.change(work)).declared.push((step.at, declarer));
        Ok(())
    }

    fn declarer(&self, step: Step<'_>) -> Result<Declarer, FoldError> {
        let principal = self.principal(step)?;
        let is_registrar = self.latest().has_role(principal, crate::domain::act::Role::Registrar);
        Ok(if is_registrar { Declarer::Registrar } else { Declarer::Holder(principal) })
    }

    fn assent(&mut self, step: Step<'_>, link: Ix<PartLink>, org: Ix<Org>) {
        let assent = Assent { org, at: step.at, good_on_part: NEVER, good_on_whole: NEVER };
        self.parts.change(link).assents.push(assent);
        self.refresh_link(step, link);
    }

    /// After somebody became a confirmed holder of a work: the assents that are good from now on.
    fn refresh_assents(&mut self, step: Step<'_>, work: Ix<Work>) {
        let seen = self.latest();
        let records = seen.records_of(seen.canonical(work));
        let links: Vec<_> = records
            .into_iter()
            .map(|record| self.works.at(record))
            .flat_map(|record| record.parents.iter().chain(&record.children))
            .copied()
            .collect();
        for link in links {
            self.refresh_link(step, link);
        }
    }

    fn refresh_link(&mut self, step: Step<'_>, link: Ix<PartLink>) {
        let seen = self.latest();
        let before = seen.index.parts.at(link);
        let (part, whole) = (seen.canonical(before.part), seen.canonical(before.whole));
        let mut assents = before.assents.clone();
        let mut changed = false;
        for assent in &mut assents {
            if assent.good_on_part == NEVER && seen.is_confirmed_holder(assent.org, part) {
                assent.good_on_part = step.at;
                changed = true;
            }
            if assent.good_on_whole == NEVER && seen.is_confirmed_holder(assent.org, whole) {
                assent.good_on_whole = step.at;
                changed = true;
            }
        }
        if changed {
            self.parts.change(link).assents = assents;
        }
    }

    fn work(&self, step: Step<'_>, id: WorkId) -> Result<Ix<Work>, FoldError> {
        self.works.find(id).ok_or_else(|| step.unknown(id))
    }

    fn holding(&self, step: Step<'_>, id: HoldingId) -> Result<Ix<Holding>, FoldError> {
        self.holdings.find(id).ok_or_else(|| step.unknown(id))
    }
}

/// The class within which ISCC units can be near each other: one header, one length.
#[expect(clippy::cast_possible_truncation, reason = "a body has at most 64 digits")]
pub(in crate::domain) fn iscc_class(header: &str, body: &str) -> (u32, u32) {
    (u32::from_str_radix(header, 16).unwrap_or(u32::MAX), body.len() as u32)
}
