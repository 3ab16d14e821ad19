//! R11: no act of X lifts a refusal that rests on Y.

use std::cell::Cell;
use std::collections::BTreeSet;

use kyodaku::domain::act::{BindingRemoved, HoldingAsserted};
use kyodaku::domain::decision::{Decision, ReasonCode};
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::index::Index;
use kyodaku::domain::key::{Key, SubjectKey};
use kyodaku::domain::question::Question;
use kyodaku::domain::uses::Use;
use smallvec::smallvec;

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

/// A hostile organization lists itself as a holder of somebody else's unconfirmed work, to take that work's key off it
/// and so free its own work under the same key.
#[test]
fn r11_a_key_that_another_asserted_is_not_taken_off_by_a_holder() {
    let mut teller = Teller::opened(7);
    let (honest, hostile) = (teller.cast.holders[2], teller.cast.outsider);
    let key = Key::identifier("fresh", "1").unwrap();
    let mine = teller.entered_work(hostile, &key);
    let theirs = teller.entered_work(honest, &key);
    teller.confirm(mine);
    let grant = teller.grant(mine, true);
    assert!(teller.play(hostile, None, vec![grant]));
    let question = Question {
        developer: teller.cast.developers[0],
        model: None,
        uses: smallvec![Use::Search],
        territory: None,
        subject: smallvec![SubjectKey::Key(key)],
        with_parts: false,
    };
    let permits = |history: &History| {
        let asked = Asked { size: history.size(), moment: history.now(), question: question.clone() };
        verdict_permits(&asked, &history.index)
    };
    assert!(!permits(&teller.history), "the honest party's unconfirmed work must refuse");
    let listed = HoldingAsserted { work: theirs, holding: teller.id(), holder: hostile };
    let listed = teller.history.step(hostile, listed);
    let facts = teller.history.facts();
    let binding = facts.bindings.values().find(|binding| binding.work == theirs).unwrap().id;
    let taken_off = BindingRemoved { binding };
    let by_hostile = teller.history.step(hostile, taken_off.clone());
    assert!(teller.history.admits(vec![listed.clone()]));
    assert!(
        !teller.history.admits(vec![listed, by_hostile]),
        "it was taken off by another than its asserter"
    );
    let by_asserter = teller.history.step(honest, taken_off);
    let permitted = teller.history.suppose(vec![by_asserter], |history, all| all && permits(history));
    assert!(permitted, "only the honest party's own act may free the key");
}
