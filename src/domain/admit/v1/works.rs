//! Works and the keys that are tied to them.

use super::check::{Check, HOLDERS, Over};
use super::links;
use super::things::Tie;
use super::{holdings, limits};
use crate::domain::act::{Act, BindingAsserted, BindingRemoved, Power, WorkRegistered, WorksMerged};
use crate::domain::admit::code;
use crate::domain::index::Ix;
use crate::domain::index::records::Work;

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::WorkRegistered(act) => register(check, act),
        Act::WorkAmended(act) => {
            let work = check.work("/work", act.work);
            check.holder_or_agent("/work", work, Tie::Speaker, Power::Register);
        }
        Act::WorkWithdrawn(act) => {
            let work = check.work("/work", act.work);
            if !check.is_registrar() {
                check.holder_or_agent("/work", work, Tie::Speaker, Power::Register);
            }
            not_withdrawn(check, "/work", work);
        }
        Act::WorksMerged(act) => merge(check, act),
        Act::BindingAsserted(act) => bind(check, act),
        Act::BindingRemoved(act) => unbind(check, act),
        Act::LayersDeclared(act) => {
            let work = check.work("/work", act.work);
            holdings::declares(check, "/work", work, work.as_slice());
        }
        _ => {}
    }
}

/// A work is not withdrawn.
pub(super) fn not_withdrawn(check: &mut Check<'_>, pointer: &str, work: Option<Ix<Work>>) {
    if let Some(work) = work
        && check.seen.is_withdrawn(work)
    {
        let detail = format!("`{}` is withdrawn", check.seen.work_id(work));
        check.refuse(code::WITHDRAWN, pointer, detail);
    }
}

fn register(check: &mut Check<'_>, act: &WorkRegistered) {
    let principal = check.principal();
    check.principal_is(principal, HOLDERS);
    check.agent_has(Power::Register, Over::NewWork, false);
    check.fresh("/work", check.index.works.find(act.work).is_some(), act.work);

    check.at_most("/holders", act.holders.len(), limits::HOLDINGS, "holders");
    holdings::new_holdings(check, &act.holders);
    let lists_principal = act.holders.iter().any(|holding| check.seen.org(holding.holder) == principal);
    if principal.is_some() && !act.holders.is_empty() && !lists_principal {
        let detail = "who registers a work with holders is one of them: add it, or list none".to_owned();
        check.refuse(code::NOT_EXACT, "/holders", detail);
    }

    check.at_most("/bindings", act.bindings.len(), limits::BINDINGS, "keys");
    check.distinct(act.bindings.iter().map(|b| b.binding), |place| format!("/bindings/{place}/binding"));
    check.distinct(act.bindings.iter().map(|b| &b.key), |place| format!("/bindings/{place}/key"));
    for (place, binding) in act.bindings.iter().enumerate() {
        let is_taken = check.index.bindings.find(binding.binding).is_some();
        check.fresh(&format!("/bindings/{place}/binding"), is_taken, binding.binding);
        check.normal(&format!("/bindings/{place}/key"), &binding.key);
    }
    links::new_ties(check, act);
}

fn bind(check: &mut Check<'_>, act: &BindingAsserted) {
    let work = check.work("/work", act.work);
    check.holder_or_agent("/work", work, Tie::HolderOrSpeaker, Power::Register);
    check.fresh("/binding", check.index.bindings.find(act.binding).is_some(), act.binding);
    check.normal("/key", &act.key);
    let Some(work) = work else { return };
    let standing = check.seen.bindings(work);
    check.at_most("/work", standing.len() + 1, limits::BINDINGS, "keys of one work");
    if standing.iter().any(|binding| check.index.bindings.key(*binding) == act.key) {
        let detail = format!("the key is tied to `{}` already", act.work);
        check.refuse(code::ALREADY, "/key", detail);
    }
}

fn unbind(check: &mut Check<'_>, act: &BindingRemoved) {
    let binding = check.known("/binding", check.index.bindings.find(act.binding), act.binding);
    // The binding of a work that was merged is one of what it was merged into.
    let work = binding.map(|binding| check.seen.canonical(check.index.bindings.work(binding)));
    if let Some(work) = work {
        check.read_by_holders(work);
    }
    // A key that was confirmed keeps matching when it is taken off, and refuses for good.
    let is_confirmed = binding.is_some_and(|ix| check.seen.seen(check.index.binding(ix).confirmed));
    let tie = if is_confirmed { Tie::Speaker } else { Tie::HolderOrSpeaker };
    check.holder_or_agent("/binding", work, tie, Power::Register);
    let Some(binding) = binding else { return };
    if !check.seen.binding_stands(binding) {
        check.ended("/binding", act.binding);
        return;
    }
    // R11: an unconfirmed key only refuses, and stops doing so when it is taken off. If any holder could do that,
    // whoever lists itself as one could lift a refusal that rests on another.
    let is_asserter = check.principal() == Some(check.index.binding(binding).by);
    if !is_confirmed && !is_asserter {
        let who =
            "until it is confirmed, only who asserted the key may take it off; the registrar may reject it";
        check.unauthorized("/binding", who);
    }
}

fn merge(check: &mut Check<'_>, act: &WorksMerged) {
    check.registrar_only();
    check.two_persons();
    if act.duplicate == act.into {
        let detail = format!("`{}` can't be merged into itself", act.into);
        check.refuse(code::ITSELF, "/into", detail);
        return;
    }
    let (duplicate, into) = (check.work("/duplicate", act.duplicate), check.work("/into", act.into));
    let (Some(duplicate), Some(into)) = (duplicate, into) else { return };
    let seen = check.seen;
    let both = |count: fn(crate::domain::index::AsOf<'_>, Ix<Work>) -> usize| {
        count(seen, duplicate) + count(seen, into)
    };
    let counts = [
        (both(|seen, work| seen.holdings(work).len()), limits::HOLDINGS, "holdings of both works"),
        (both(|seen, work| seen.bindings(work).len()), limits::BINDINGS, "keys of both works"),
        (both(|seen, work| seen.layer_links(work).len()), limits::LAYERS, "layers of both works"),
        (both(|seen, work| seen.parts_linked(work).len()), limits::CHILDREN, "parts of both works"),
    ];
    for (count, most, what) in counts {
        check.at_most("/duplicate", count, most, what);
    }
    links::merge_closes_no_circle(check, duplicate, into);
}
