//! R11: no act of X lifts a refusal that rests on Y.

use std::cell::Cell;
use std::collections::BTreeSet;

use kyodaku::domain::decision::{Decision, ReasonCode};
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::index::Index;

use super::agreement::questions;
use super::compare::Asked;
use super::generate::Teller;
use super::history::{History, Step};
use super::on_histories;
use crate::reference::Facts;

/// Who alone may lift a reason, besides the registrar.
fn may_lift(
    facts: &Facts,
    asked: &Asked,
    code: ReasonCode,
    work: Option<WorkId>,
    entries: &[u64],
) -> BTreeSet<OrgId> {
    let holders = |work: WorkId| -> BTreeSet<OrgId> {
        facts.holdings(work).into_iter().filter_map(|holding| holding.holder(facts.size)).collect()
    };
    let Some(work) = work else {
        // The developer's own standing and models; what is not registered takes the registrar's confirmation.
        return BTreeSet::from([asked.question.developer]);
    };
    match code {
        ReasonCode::Denied | ReasonCode::NearDenied => {
            let denials = facts.denials.values().filter(|denial| entries.contains(&denial.entry));
            let rests_on = denials.flat_map(|denial| facts.denial_rests_on(denial));
            rests_on.filter_map(|holding| holding.holder(facts.size)).collect()
        }
        ReasonCode::Claimed => {
            let claims = facts.claims.values().filter(|claim| entries.contains(&claim.span.began));
            let bindings = facts.bindings.values().filter(|binding| entries.contains(&binding.span.began));
            claims.map(|claim| claim.claimant).chain(bindings.map(|binding| binding.principal)).collect()
        }
        ReasonCode::BindingUnconfirmed => {
            let bindings = facts.bindings.values().filter(|binding| entries.contains(&binding.span.began));
            bindings.map(|binding| binding.principal).collect()
        }
        ReasonCode::HolderUnconfirmed => {
            let unconfirmed = facts.holdings(work).into_iter().filter(|holding| holding.confirmed.is_none());
            unconfirmed.filter_map(|holding| holding.holder(facts.size)).collect()
        }
        ReasonCode::Disputed | ReasonCode::Withdrawn | ReasonCode::NoHolder => BTreeSet::new(),
        ReasonCode::LayersIncomplete => {
            facts.ancestors(work).into_iter().chain([work]).flat_map(holders).collect()
        }
        _ => holders(work),
    }
}

/// A refusal that was lifted by somebody on whom it did not rest.
fn wrongly_lifted(facts: &Facts, asked: &Asked, before: &Decision, step: &Step) -> Option<String> {
    let actor = step.command.on_behalf_of.unwrap_or(step.command.party);
    before.reasons().find_map(|reason| {
        let code = reason.because.unwrap_or(reason.code);
        let may = may_lift(facts, asked, code, reason.work, &reason.entries);
        let lifted = !may.contains(&actor);
        lifted.then(|| format!("{actor} lifted {reason:?} of {asked:?}, which only {may:?} may"))
    })
}

fn verdict_permits(asked: &Asked, index: &Index) -> bool {
    asked.is_permitted(index)
}

/// Replays the history step by step and looks at every question that turns.
fn turns(teller: &mut Teller, turned: &Cell<usize>) -> Result<(), String> {
    let asked = questions(teller, 40);
    let steps = teller.history.steps.clone();
    let installation = teller.cast.installation;
    let mut history = History::new();
    for step in steps {
        let before: Vec<(Asked, Decision)> = asked
            .iter()
            .map(|one| Asked { size: history.size(), moment: step.at_ms, ..one.clone() })
            .map(|one| (one.clone(), one.decide(&history.index)))
            .filter(|(one, _)| one.size > 2 && !verdict_permits(one, &history.index))
            .collect();
        let size = history.size();
        history.play(step.clone());
        let now = before.into_iter().filter(|(one, _)| {
            verdict_permits(&Asked { size: history.size(), ..one.clone() }, &history.index)
        });
        let now: Vec<_> = now.collect();
        if now.is_empty() {
            continue;
        }
        turned.set(turned.get() + now.len());
        let facts = history.facts_at(size);
        if facts.is_registrar(step.command.party) || step.command.party == installation {
            continue;
        }
        for (one, before) in now {
            if let Some(why) = wrongly_lifted(&facts, &one, &before, &step) {
                return Err(format!("{why}\nby {step:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn r11_nothing_widens_by_structure() {
    let turned = Cell::new(0);
    on_histories(26, |teller| turns(teller, &turned));
    assert!(turned.get() > 20, "only {} answers turned to permitted", turned.get());
}
