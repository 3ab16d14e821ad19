//! Who holds a work: asserted, confirmed, rejected, relinquished, declared complete.

use super::check::{Check, HOLDERS, Over};
use super::limits;
use super::things::Tie;
use crate::domain::act::{
    Act, ControlProved, Holding as HoldingAct, HoldingAsserted, HoldingRelinquished, Power,
    RosterSameAsParent,
};
use crate::domain::admit::code;
use crate::domain::ids::{BindingId, HoldingId, OrgId};
use crate::domain::index::Ix;
use crate::domain::index::records::{Holding, Work};
use crate::domain::key::Key;

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::HoldingAsserted(act) => assert(check, act),
        Act::HoldingRelinquished(act) => relinquish(check, act),
        Act::AssertionsConfirmed(act) => judge(check, &act.holdings, &act.bindings, true),
        Act::AssertionsRejected(act) => judge(check, &act.holdings, &act.bindings, false),
        Act::ControlProved(act) => prove(check, act),
        Act::RosterDeclared(act) => {
            let work = check.work("/work", act.work);
            declares(check, "/work", work, work.as_slice());
        }
        Act::RosterSameAsParent(act) => same_as_parent(check, act),
        _ => {}
    }
}

/// New holdings of one work: new ids, holders that can hold, each once.
pub(super) fn new_holdings(check: &mut Check<'_>, holdings: &[HoldingAct]) {
    check.distinct(holdings.iter().map(|h| h.holding), |place| format!("/holders/{place}/holding"));
    check.distinct(holdings.iter().map(|h| h.holder), |place| format!("/holders/{place}/holder"));
    for (place, holding) in holdings.iter().enumerate() {
        let is_taken = check.index.holdings.find(holding.holding).is_some();
        check.fresh(&format!("/holders/{place}/holding"), is_taken, holding.holding);
        new_holder(check, &format!("/holders/{place}/holder"), holding.holder);
    }
}

fn new_holder(check: &mut Check<'_>, pointer: &str, id: OrgId) {
    if let Some(holder) = check.org_with(pointer, id, HOLDERS) {
        check.read_by(holder);
    }
}

/// A holder of `by` declares a list about these works; or its agent, or the registrar with two persons.
pub(super) fn declares(check: &mut Check<'_>, pointer: &str, by: Option<Ix<Work>>, works: &[Ix<Work>]) {
    if check.is_registrar() {
        check.two_persons();
        return;
    }
    match by {
        Some(work) => check.must_be_tied(pointer, work, Tie::Holder),
        None => {
            check.principal();
        }
    }
    check.agent_has(Power::Register, Over::Works(works), false);
}

fn assert(check: &mut Check<'_>, act: &HoldingAsserted) {
    let work = check.work("/work", act.work);
    check.fresh("/holding", check.index.holdings.find(act.holding).is_some(), act.holding);
    new_holder(check, "/holder", act.holder);
    if !check.is_registrar() {
        let principal = check.principal();
        check.principal_is(principal, HOLDERS);
        check.agent_has(Power::Register, Over::Works(work.as_slice()), false);
        if let (Some(work), Some(principal)) = (work, principal)
            && !check.is_tied(work, Tie::Speaker)
        {
            if check.seen.org_id(principal) != act.holder {
                check.unauthorized("/holder", "who does not speak for the work speaks for itself only");
            }
            if check.seen.has_confirmed_holding(work) {
                check.unauthorized("/work", "the work has a confirmed holder, record `claim.made`");
            }
        }
    }
    let Some(work) = work else { return };
    check.at_most("/work", check.seen.holdings(work).len() + 1, limits::HOLDINGS, "holdings of one work");
    if check.seen.org(act.holder).is_some_and(|holder| check.seen.is_holder(holder, work)) {
        let detail = format!("`{}` holds `{}` already", act.holder, act.work);
        check.refuse(code::ALREADY, "/holder", detail);
    }
}

fn relinquish(check: &mut Check<'_>, act: &HoldingRelinquished) {
    let holding = check.standing_holding("/holding", act.holding);
    held_by_principal(check, holding);
}

/// The principal holds the holding; its agent has the power to transfer.
pub(super) fn held_by_principal(check: &mut Check<'_>, holding: Option<Ix<Holding>>) {
    let principal = check.principal();
    let works: Vec<_> = holding.map(|ix| check.index.holdings.work(ix)).into_iter().collect();
    check.agent_has(Power::Transfer, Over::Works(&works), false);
    if let (Some(holding), Some(principal)) = (holding, principal)
        && check.seen.holder(holding) != Some(principal)
    {
        check.unauthorized("/holding", "only its present holder may");
    }
}

/// The registrar confirms or rejects.
fn judge(check: &mut Check<'_>, holdings: &[HoldingId], bindings: &[BindingId], confirms: bool) {
    check.registrar_only();
    check.two_persons();
    let count = holdings.len() + bindings.len();
    if count == 0 {
        let detail = "nothing is named: name a holding or a binding at least".to_owned();
        check.refuse(code::EMPTY, "", detail);
    }
    if !check.at_most("", count, limits::ASSERTIONS, "holdings and bindings") {
        return;
    }
    check.distinct(holdings, |place| format!("/holdings/{place}"));
    for (place, id) in holdings.iter().enumerate() {
        let pointer = format!("/holdings/{place}");
        let Some(ix) = check.standing_holding(&pointer, *id) else { continue };
        if confirms {
            if check.seen.is_confirmed(ix) {
                check.refuse(code::ALREADY, pointer.as_str(), format!("`{id}` is confirmed already"));
            }
            if let Some(holder) = check.seen.holder(ix) {
                check.good(&pointer, holder);
            }
        }
    }
    judge_bindings(check, bindings, confirms);
}

fn judge_bindings(check: &mut Check<'_>, bindings: &[BindingId], confirms: bool) {
    check.distinct(bindings, |place| format!("/bindings/{place}"));
    for (place, id) in bindings.iter().enumerate() {
        let pointer = format!("/bindings/{place}");
        let Some(ix) = check.known(&pointer, check.index.bindings.find(*id), id) else { continue };
        let binding = check.index.binding(ix);
        check.read_by_holders(check.seen.canonical(binding.work));
        check.read_by(binding.by);
        if !check.seen.binding_stands(ix) {
            check.ended(&pointer, id);
        } else if confirms && check.seen.seen(binding.confirmed) {
            check.refuse(code::ALREADY, pointer, format!("`{id}` is confirmed already"));
        }
    }
}

fn prove(check: &mut Check<'_>, act: &ControlProved) {
    check.installation_only();
    let org = check.good_org("/org", act.org);
    if let Some(org) = org {
        check.read_by(org);
    }
    if act.bindings.is_empty() {
        let detail = "no binding is named: name one at least".to_owned();
        check.refuse(code::EMPTY, "/bindings", detail);
    }
    if !check.at_most("/bindings", act.bindings.len(), limits::ASSERTIONS, "bindings") {
        return;
    }
    judge_bindings(check, &act.bindings, true);
    for (place, id) in act.bindings.iter().enumerate() {
        let pointer = format!("/bindings/{place}");
        let Some(ix) = check.index.bindings.find(*id) else { continue };
        let binding = check.index.binding(ix);
        let key = check.index.bindings.key(ix);
        let is_address = matches!(key, Key::Url { .. } | Key::UrlPrefix { .. });
        if !is_address || key.host().as_ref() != Some(&act.host) {
            let detail = format!("`{id}` is not an address on that host: name only those");
            check.refuse(code::MISMATCH, pointer.as_str(), detail);
        }
        let work = check.seen.canonical(binding.work);
        if org.is_some_and(|org| !check.seen.is_holder(org, work)) {
            let detail = format!("`{}` does not hold the work of `{id}`", act.org);
            check.refuse(code::UNAUTHORIZED, pointer, detail);
        }
    }
}

fn same_as_parent(check: &mut Check<'_>, act: &RosterSameAsParent) {
    let (part, parent) = (check.work("/work", act.work), check.work("/parent", act.parent));
    let works: Vec<_> = part.into_iter().chain(parent).collect();
    declares(check, "/parent", parent, &works);
    check.at_most("/holders", act.holders.len(), limits::HOLDINGS, "holders");
    new_holdings(check, &act.holders);
    if check.is_registrar() {
        // Its new holdings are confirmed at once, as those of verified holders only may be (R1).
        for (place, holding) in act.holders.iter().enumerate() {
            if let Some(holder) = check.seen.org(holding.holder) {
                check.good(&format!("/holders/{place}/holder"), holder);
            }
        }
    }
    let (Some(part), Some(parent)) = (part, parent) else { return };
    if check.seen.has_confirmed_holding(part) && !check.is_registrar() {
        let seen = check.seen;
        let links = seen.parent_links(part).into_iter();
        let mut wholes = links.map(|link| seen.canonical(seen.index.parts.at(link).whole));
        // As with `holding.asserted`: new holders stop what the confirmed ones permit, so these must have assented.
        if !wholes.any(|whole| whole == parent) && !check.is_tied(part, Tie::Speaker) {
            check.unauthorized("/work", "the work has a confirmed holder, who has not assented to the link: ask it to accept the link");
        }
    }
    if !check.seen.wholes_linked(part).contains(&parent) {
        let detail =
            format!("no link makes `{}` a part of `{}`: record `part.linked` first", act.work, act.parent);
        check.refuse(code::MISMATCH, "/parent", detail);
    }
    let count = check.seen.holdings(part).len() + act.holders.len();
    check.at_most("/holders", count, limits::HOLDINGS, "holdings of one work");
    lacks_exactly(check, act, part, parent);
}

/// The holders listed are those of the parent that the part lacks, all of them and nobody else.
fn lacks_exactly(check: &mut Check<'_>, act: &RosterSameAsParent, part: Ix<Work>, parent: Ix<Work>) {
    let mut lacking = check.seen.holders(parent);
    let present = check.seen.holders(part);
    lacking.retain(|holder| !present.contains(holder));
    for (place, holding) in act.holders.iter().enumerate() {
        let Some(holder) = check.seen.org(holding.holder) else { continue };
        if !lacking.contains(&holder) {
            let detail = format!(
                "`{}` does not hold `{}`, or holds `{}` already: leave it out",
                holding.holder, act.parent, act.work
            );
            check.refuse(code::NOT_EXACT, format!("/holders/{place}/holder"), detail);
        }
    }
    let listed = |holder: &Ix<_>| act.holders.iter().any(|h| check.seen.org(h.holder) == Some(*holder));
    let missing: Vec<_> = lacking.into_iter().filter(|holder| !listed(holder)).collect();
    for holder in missing {
        let detail = format!("`{}` holds `{}` too: add it", check.seen.org_id(holder), act.parent);
        check.refuse(code::NOT_EXACT, "/holders", detail);
    }
}
