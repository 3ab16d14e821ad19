//! Works, holdings, bindings, links, claims, disputes.

use super::{FoldError, Folded, Step};
use crate::domain::act::{Act, Binding as BindingAct, WorkRegistered};
use crate::domain::ids::{BindingId, HoldingId, LinkId, OrgId, WorkId};
use crate::domain::index::records::{
    Absorbed, Assent, At, Binding, Claim, Declared, Declarer, Dispute, HandedOn, Holding, LayerLink, Marks,
    NEVER, Org, OthersAt, PartLink, Transfer, Work,
};
use crate::domain::index::texts::Text;
use crate::domain::index::{Index, Ix};
use crate::domain::key::{Key, packed};

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
                self.change_ties(work).withdrawn = step.entry_at();
                Ok(())
            }
            Act::WorksMerged(act) => {
                let (duplicate, into) = (self.work(step, act.duplicate)?, self.work(step, act.into)?);
                let at = step.entry_at();
                self.change_ties(duplicate).merged_into = Some((at, into));
                let before = self.ties_of(into).and_then(|ties| ties.absorbed);
                let absorbed = self.absorbed.push(Absorbed { before, at, work: duplicate });
                self.change_ties(into).absorbed = Some(absorbed);
                self.list_holders(into, at, None);
                self.list_layers(into, at, None);
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
            Act::RosterDeclared(act) => self.declare(step, act.work, Self::list_holders),
            Act::LayersDeclared(act) => self.declare(step, act.work, Self::list_layers),
            Act::ClaimMade(_) | Act::ClaimWithdrawn(_) | Act::DisputeOpened(_) | Act::DisputeSettled(_) => {
                self.apply_contest(step)
            }
            Act::BindingAsserted(act) => {
                let work = self.work(step, act.work)?;
                self.bind(step, work, act.binding, &act.key)
            }
            Act::BindingRemoved(act) => {
                let binding = self.bindings.find(act.binding).ok_or_else(|| step.unknown(act.binding))?;
                self.bindings.remove(binding, &self.works, step.entry_at());
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
                self.list_holders(work, step.entry_at(), None);
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
                    self.bindings.reject(binding, &self.works, step.entry_at());
                }
            }
            Act::ControlProved(act) => {
                for id in &act.bindings {
                    self.confirm_binding(step, *id)?;
                }
            }
            Act::TransferOffered(act) => {
                let holding = self.sought_holding(step, act.holding)?;
                let (from, to) = (self.principal(step)?, self.org(step, act.to)?);
                self.transfers
                    .push(act.transfer, Transfer { holding, from, to, offered: step.at, ended: NEVER });
            }
            Act::TransferAccepted(act) => {
                let ix = self.transfers.find(act.transfer).ok_or_else(|| step.unknown(act.transfer))?;
                self.transfers.change(ix).ended = step.at;
                let Transfer { holding, to, .. } = *self.transfers.at(ix);
                let before = self.holding(holding).handed_on;
                let handed_on = self.handed_on.push(HandedOn { before, at: step.entry_at(), to });
                self.holdings.change(holding, &self.works, |it| it.handed_on = Some(handed_on));
                self.by_holder.push(to, holding);
                self.refresh_assents(step, self.holdings.work(holding));
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
                if !act.holders.is_empty() {
                    self.list_holders(work, step.entry_at(), None);
                }
                self.list_holders(work, step.entry_at(), Some(declarer));
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
                let before = self.ties_of(work).and_then(|ties| ties.claims);
                let (made, made_ms) = (step.at, step.entry.at_ms);
                let claim = Claim { work, before, claimant, made, made_ms, withdrawn: NEVER };
                let ix = self.claims.push(act.claim, claim);
                self.change_ties(work).claims = Some(ix);
            }
            Act::ClaimWithdrawn(act) => {
                let ix = self.claims.find(act.claim).ok_or_else(|| step.unknown(act.claim))?;
                self.claims.change(ix).withdrawn = step.at;
            }
            Act::DisputeOpened(act) => {
                let work = self.work(step, act.work)?;
                let before = self.ties_of(work).and_then(|ties| ties.disputes);
                let dispute = Dispute { work, before, opened: step.at, settled: NEVER };
                let ix = self.disputes.push(act.dispute, dispute);
                self.change_ties(work).disputes = Some(ix);
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
        let marks = Marks::default()
            .with(Marks::ROSTER, act.roster_complete)
            .with(Marks::LAYERING, act.layers_complete);
        let record = Work {
            kind: act.kind,
            marks,
            registered: step.entry_at(),
            registrant: principal,
            holdings: None,
            bindings: None,
            others: OthersAt::default(),
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
        let first_holder = self.org(step, holder)?;
        let holding = Holding {
            work,
            before: self.works.at(work).holdings,
            first_holder,
            handed_on: None,
            asserted: step.entry_at(),
            confirmed: At::NEVER,
            ended: At::NEVER,
        };
        let ix = self.holdings.push(id, &holding, &self.works);
        self.works.change(work).holdings = Some(ix);
        self.by_holder.push(first_holder, ix);
        Ok(())
    }

    fn end_holding(&mut self, step: Step<'_>, id: HoldingId) -> Folded {
        let holding = self.sought_holding(step, id)?;
        self.holdings.change(holding, &self.works, |it| it.ended = step.entry_at());
        let work = self.latest().canonical(self.holdings.work(holding));
        self.list_holders(work, step.entry_at(), None);
        Ok(())
    }

    fn confirm_holding(&mut self, step: Step<'_>, id: HoldingId) -> Folded {
        let holding = self.sought_holding(step, id)?;
        self.holdings.change(holding, &self.works, |it| it.confirmed = step.entry_at());
        self.refresh_assents(step, self.holdings.work(holding));
        Ok(())
    }

    fn confirm_binding(&mut self, step: Step<'_>, id: BindingId) -> Folded {
        let binding = self.bindings.find(id).ok_or_else(|| step.unknown(id))?;
        self.bindings.confirm(binding, &self.works, step.entry_at());
        Ok(())
    }

    fn bind(&mut self, step: Step<'_>, work: Ix<Work>, id: BindingId, key: &Key) -> Folded {
        let by = self.principal(step)?;
        let packed = packed::of(key);
        let (text, parts) = self.bindings.keep_text(&packed);
        let contests = self.contests(step, work, parts);
        let binding = Binding {
            work,
            before: self.works.at(work).bindings,
            key: text,
            by,
            asserted: step.entry_at(),
            confirmed: At::NEVER,
            story: None,
        };
        let ix = self.bindings.push(id, &binding, &self.works);
        self.works.change(work).bindings = Some(ix);
        if contests {
            self.bindings.contest(ix, &self.works, step.entry.at_ms);
        }
        self.mark_contested(ix);
        match key {
            Key::Iscc { header, body } => self.by_iscc.push(iscc_class(header, body), ix),
            Key::UrlPrefix { .. } => key.site().into_iter().for_each(|site| self.prefixed.push(site, ())),
            _ => {}
        }
        Ok(())
    }

    /// Whether another binding of the key, to another work, stands confirmed.
    fn contests(&self, step: Step<'_>, work: Ix<Work>, key: Text<'_>) -> bool {
        let seen = self.latest();
        self.bindings.of_text(key).into_iter().any(|ix| {
            let other = self.binding(ix);
            let story = self.bindings.story(&other);
            other.confirmed < step.entry_at()
                && !seen.seen(story.rejected)
                && !seen.seen(story.removed)
                && seen.canonical(other.work) != seen.canonical(work)
        })
    }

    /// Marks all works of a key of which some binding contests another.
    fn mark_contested(&mut self, ix: Ix<Binding>) {
        if self.bindings.is_alone(ix) {
            return;
        }
        let bindings = self.bindings.beside(ix).into_iter().map(|ix| self.binding(ix));
        let bindings: Vec<Binding> = bindings.collect();
        if !bindings.iter().any(|binding| self.bindings.story(binding).contests_from_ms.is_some()) {
            return;
        }
        for work in bindings.into_iter().map(|binding| binding.work) {
            let marks = self.works.at(work).marks;
            if !marks.has(Marks::CONTESTED) {
                self.works.change(work).marks = marks.with(Marks::CONTESTED, true);
            }
        }
    }

    fn link_layer(&mut self, step: Step<'_>, id: LinkId, work: WorkId, layer: WorkId) -> Folded {
        let (work, layer) = (self.work(step, work)?, self.work(step, layer)?);
        let before = self.ties_of(work).and_then(|ties| ties.layers);
        let linked = step.entry_at();
        let ix = self.layers.push(id, LayerLink { work, layer, before, linked, removed: At::NEVER });
        self.change_ties(work).layers = Some(ix);
        // The links of a new work, and those of one entry, are one change.
        let last = self.ties_of(work).and_then(|ties| ties.layering);
        let last = self.listings(last).find(|it| it.declared == Declared::NOBODY).map(|it| it.at);
        if last.unwrap_or(self.works.at(work).registered) != linked {
            self.list_layers(work, linked, None);
        }
        Ok(())
    }

    fn link_part(&mut self, step: Step<'_>, id: LinkId, part: WorkId, whole: WorkId) -> Folded {
        let (part, whole) = (self.work(step, part)?, self.work(step, whole)?);
        let before_of_part = self.ties_of(part).and_then(|ties| ties.parents);
        let before_of_whole = self.ties_of(whole).and_then(|ties| ties.children);
        let (linked, removed, assents) = (step.at, NEVER, Vec::new());
        let link = PartLink { part, whole, before_of_part, before_of_whole, linked, removed, assents };
        let ix = self.parts.push(id, link);
        self.change_ties(part).parents = Some(ix);
        let of_whole = self.change_ties(whole);
        of_whole.children = Some(ix);
        of_whole.children_ever += 1;
        let org = self.principal(step)?;
        self.assent(step, ix, org);
        Ok(())
    }

    fn remove_link(&mut self, step: Step<'_>, id: LinkId) -> Folded {
        if let Some(ix) = self.layers.find(id) {
            self.layers.change(ix).removed = step.entry_at();
            let work = self.latest().canonical(self.layers.at(ix).work);
            self.list_layers(work, step.entry_at(), None);
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
        list: fn(&mut Self, Ix<Work>, At, Option<Declarer>),
    ) -> Folded {
        let work = self.work(step, id)?;
        let declarer = self.declarer(step)?;
        list(self, work, step.entry_at(), Some(declarer));
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
            .flat_map(|record| self.parents_of(record).into_iter().chain(self.children_of(record)))
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

    fn sought_holding(&self, step: Step<'_>, id: HoldingId) -> Result<Ix<Holding>, FoldError> {
        self.holdings.find(id).ok_or_else(|| step.unknown(id))
    }
}

/// The class within which ISCC units can be near each other: one header, one length.
#[expect(clippy::cast_possible_truncation, reason = "a body has at most 64 digits")]
pub(in crate::domain) fn iscc_class(header: &str, body: &str) -> (u32, u32) {
    (u32::from_str_radix(header, 16).unwrap_or(u32::MAX), body.len() as u32)
}
