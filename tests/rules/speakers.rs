//! R1 to R6: who can speak.

use std::cell::Cell;

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, BindingAsserted, ClaimMade, DenialRecorded, Holding, HoldingAsserted,
    MandateEnded, OrgRegistered, OrgSuspended, Role, SettingsChanged, TransferAccepted, TransferOffered,
    WorkKind, WorkRegistered,
};
use kyodaku::domain::decision::{Decision, Leaf, Outcome};
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::key::{Sha256, SubjectKey};
use smallvec::smallvec;

use super::agreement::{permitted_now, questions_now};
use super::compare::Asked;
use super::generate::Teller;
use super::generate::deeds::{DAY_MS, holders_of};
use super::history::{History, Step, step_of};
use super::on_histories;

/// The leaves of every use of a decision.
pub(crate) fn leaves(decision: &Decision) -> Vec<Leaf> {
    let of_use = decision.uses.iter().flat_map(|answer| match &answer.outcome {
        Outcome::Permitted(permitted) => permitted.leaves().cloned().collect(),
        Outcome::NotPermitted(_) => Vec::new(),
    });
    of_use.collect()
}

/// The members of every use of a permission.
pub(crate) fn members(decision: &Decision) -> Vec<WorkId> {
    let mut members: Vec<WorkId> = Vec::new();
    for answer in &decision.uses {
        if let Outcome::Permitted(permitted) = &answer.outcome {
            let works = permitted.works().iter().flat_map(|work| work.members.iter());
            members.extend(works.map(|member| member.work));
        }
    }
    members.sort_unstable();
    members.dedup();
    members
}

/// The same question as of the size and time that the history has now.
pub(crate) fn again(asked: &Asked, history: &History) -> Asked {
    Asked { size: history.size(), ..asked.clone() }
}

/// Fails if any of these questions is permitted after the steps.
pub(crate) fn none_permitted_after(
    teller: &mut Teller,
    steps: &[Step],
    asked: &[Asked],
) -> Result<(), String> {
    teller.history.suppose(steps.to_vec(), |history, _| {
        let permitted = asked.iter().find(|one| again(one, history).is_permitted(&history.index));
        permitted.map_or(Ok(()), |one| Err(format!("{one:?}\nis permitted after {steps:?}")))
    })
}

fn good_holders(teller: &Teller) -> Vec<OrgId> {
    let facts = teller.history.facts();
    teller.cast.holders.iter().copied().filter(|org| !facts.is_suspended(*org)).collect()
}

#[test]
fn r1_confirmed_not_claimed() {
    let confirmed = Cell::new(0);
    on_histories(11, |teller| {
        let mut refused = questions_now(teller, 60);
        refused.retain(|one| !one.is_permitted(&teller.history.index));
        for permitted in permitted_now(teller, 60).into_iter().take(10) {
            // A key that nobody has seen, asserted for a permitted work by its holder: only confirmation counts.
            let leaf = leaves(&permitted.decide(&teller.history.index))[0].clone();
            let work = permitted.decide(&teller.history.index).matched[0];
            let key = kyodaku::domain::key::Key::identifier("fresh", "1").unwrap();
            let by_key = Asked {
                question: kyodaku::domain::question::Question {
                    subject: smallvec![SubjectKey::Key(key.clone())],
                    ..permitted.question.clone()
                },
                ..permitted.clone()
            };
            let binding = teller.id();
            let asserted =
                teller.history.step(leaf.holder, BindingAsserted { work, binding, key: key.clone() });
            none_permitted_after(teller, std::slice::from_ref(&asserted), std::slice::from_ref(&by_key))?;
            // An outsider registers a work of its own with every key of a refused question, and permits everything.
            let mine: WorkId = teller.id();
            let outsider = teller.cast.outsider;
            let keys =
                refused.iter().flat_map(|one| &one.question.subject).filter_map(|subject| match subject {
                    SubjectKey::Key(key) => Some(key.clone()),
                    SubjectKey::Work(_) => None,
                });
            let mut keys: Vec<_> = keys.collect();
            keys.sort();
            keys.dedup();
            let registered = WorkRegistered {
                work: mine,
                kind: WorkKind::Other,
                holders: vec![Holding { holding: teller.id(), holder: outsider }],
                roster_complete: true,
                layers: vec![],
                layers_complete: true,
                part_of: vec![],
                bindings: keys.into_iter().map(|key| Binding { binding: teller.id(), key }).collect(),
            };
            let grant = teller.grant(mine, true);
            let hostile = step_of(outsider, None, vec![registered.into(), grant], teller.history.now());
            none_permitted_after(teller, &[hostile], &refused)?;
            let evidence = Sha256::of(b"seen");
            let act = AssertionsConfirmed { holdings: vec![], bindings: vec![binding], evidence };
            let confirm = teller.history.step(teller.cast.registrar, act);
            confirmed.set(
                confirmed.get()
                    + teller.history.suppose(vec![asserted, confirm], |history, all| {
                        usize::from(all && again(&by_key, history).is_permitted(&history.index))
                    }),
            );
        }
        Ok(())
    });
    assert!(confirmed.get() > 0, "no confirmed binding was ever permitted: the test shows nothing");
}

#[test]
fn r2_unanimity() {
    let tried = Cell::new(0);
    on_histories(12, |teller| {
        for one in permitted_now(teller, 60).into_iter().take(12) {
            for work in members(&one.decide(&teller.history.index)) {
                // One more listed holder, who has granted nothing: even a verified, confirmed one.
                let holder = teller.rng.pick(&good_holders(teller)).unwrap();
                let act = HoldingAsserted { work, holding: teller.id(), holder };
                let step = teller.history.step(teller.cast.registrar, act);
                tried.set(tried.get() + usize::from(teller.history.admits(vec![step.clone()])));
                if teller.history.admits(vec![step.clone()]) {
                    none_permitted_after(teller, &[step], std::slice::from_ref(&one))?;
                }
            }
        }
        Ok(())
    });
    assert!(tried.get() > 5, "only {} holders could be added", tried.get());
}

#[test]
fn r3_mandates() {
    let (ended, by_agent) = (Cell::new(0), Cell::new(0));
    on_histories(13, |teller| {
        let asked = questions_now(teller, 60);
        let facts = teller.history.facts();
        for (mandate, given) in facts.mandates.iter().filter(|(_, given)| given.span.stands(facts.size)) {
            let before: Vec<bool> = asked.iter().map(|one| one.is_permitted(&teller.history.index)).collect();
            let end = teller.history.step(given.principal, MandateEnded { mandate: *mandate });
            let work = teller.a_work().unwrap();
            let grant = teller.grant(work, true);
            let grant = step_of(given.agent, Some(given.principal), vec![grant], teller.history.now());
            let others = facts.mandates.iter().any(|(other, also)| {
                other != mandate && (also.principal, also.agent) == (given.principal, given.agent)
            });
            teller.history.suppose(vec![end], |history, all| {
                if !all {
                    return Ok(());
                }
                ended.set(ended.get() + 1);
                if !others && history.admits(vec![grant]) {
                    return Err(format!("the agent grants after the end of {mandate}"));
                }
                let now = history.facts();
                for (one, before) in asked.iter().zip(before) {
                    let decision = again(one, history).decide(&history.index);
                    if again(one, history).is_permitted(&history.index) && !before {
                        return Err(format!("ending {mandate} permits {one:?}"));
                    }
                    for leaf in leaves(&decision) {
                        let grant = &now.grants[&leaf.grant];
                        if grant.party != grant.principal {
                            by_agent.set(by_agent.get() + 1);
                            let mandate = now.mandate_of(grant).ok_or("a grant without mandate")?;
                            if !mandate.grants_survive && !mandate.span.stands(now.size) {
                                return Err(format!("{} outlived its mandate", leaf.grant));
                            }
                        }
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    });
    assert!(
        ended.get() > 0 && by_agent.get() > 0,
        "{} mandates ended, {} leaves by agents",
        ended.get(),
        by_agent.get()
    );
}

#[test]
fn r4_transfers_keep_earlier_grants_and_denials() {
    let (kept, denied) = (Cell::new(0), Cell::new(0));
    on_histories(14, |teller| {
        for one in permitted_now(teller, 60).into_iter().take(12) {
            let leaf = leaves(&one.decide(&teller.history.index))[0].clone();
            let facts = teller.history.facts();
            let work = facts.canonical(facts.holdings[&leaf.holding].work);
            let holds_already = holders_of(&facts, work);
            let mut to = good_holders(teller);
            to.retain(|org| !holds_already.contains(org));
            let Some(to) = teller.rng.pick(&to) else { continue };
            let transfer = teller.id();
            let offer = TransferOffered { transfer, holding: leaf.holding, to };
            let offered = teller.history.step(leaf.holder, offer);
            let accepted = teller.history.step(to, TransferAccepted { transfer });
            let others =
                facts.holdings(work).iter().filter(|one| one.holder(facts.size) == Some(leaf.holder)).count();
            let grant = teller.grant(work, true);
            let late = teller.history.step(leaf.holder, grant);
            let denial = teller.id();
            let deny = |by: OrgId, history: &History| history.step(by, deny_all(work, denial));
            let suspended = OrgSuspended { org: to, evidence: None };
            let registrar = teller.cast.registrar;
            teller.history.suppose(vec![offered.clone(), accepted.clone()], |history, all| {
                if !all {
                    return Ok(());
                }
                kept.set(kept.get() + 1);
                if !again(&one, history).is_permitted(&history.index) {
                    return Err(format!("the transfer ended the permission of {one:?}"));
                }
                let powers_end = others > 1
                    || !(history.admits(vec![late]) || history.admits(vec![deny(leaf.holder, history)]));
                if !powers_end {
                    return Err(format!("{} still speaks for {work}", leaf.holder));
                }
                let stop = history.step(registrar, suspended);
                history.suppose(vec![stop], |history, all| {
                    if all && again(&one, history).is_permitted(&history.index) {
                        return Err("a grant stands though its present holder is suspended".to_owned());
                    }
                    Ok(())
                })
            })?;
            // A denial made before the transfer follows the share.
            let before = deny(leaf.holder, &teller.history);
            teller.history.suppose(vec![before, offered, accepted], |history, all| {
                denied.set(denied.get() + usize::from(all));
                if all && again(&one, history).is_permitted(&history.index) {
                    return Err(format!("the transfer lifted the denial on {work}"));
                }
                Ok(())
            })?;
        }
        Ok(())
    });
    assert!(
        kept.get() > 3 && denied.get() > 3,
        "only {} transfers, {} with denials",
        kept.get(),
        denied.get()
    );
}

/// A denial that leaves everything out.
pub(crate) fn deny_all(work: WorkId, denial: kyodaku::domain::ids::DenialId) -> Act {
    DenialRecorded {
        denial,
        work,
        parts: None,
        uses: None,
        developers: None,
        models: None,
        territories: None,
        from: None,
        until: None,
    }
    .into()
}

#[test]
fn r5_claims_by_others_suspend_for_fourteen_days_once() {
    let claimed = Cell::new(0);
    on_histories(15, |teller| {
        for one in permitted_now(teller, 60).into_iter().take(12) {
            let decision = one.decide(&teller.history.index);
            let work = teller.rng.pick(&members(&decision)).unwrap();
            let facts = teller.history.facts();
            let claimant = teller.cast.outsider;
            let is_first = !facts
                .claims
                .values()
                .any(|claim| claim.claimant == claimant && facts.canonical(claim.work) == work);
            let (first, second) = (teller.id(), teller.id());
            let claim = teller.history.step(claimant, ClaimMade { claim: first, work });
            let until = teller.history.now() + 14 * DAY_MS;
            let mut twice = teller.history.step(claimant, ClaimMade { claim: second, work });
            twice.at_ms = until;
            teller.history.suppose(vec![claim], |history, all| {
                if !all || !is_first {
                    return Ok(());
                }
                claimed.set(claimed.get() + 1);
                let at = |moment| Asked { size: history.size(), moment, ..one.clone() };
                let without = |moment| one.is_permitted_at(&history.index, moment);
                for moment in [one.moment, until - 1] {
                    if at(moment).is_permitted(&history.index) {
                        return Err(format!("a claim on {work} does not suspend at {moment}: {one:?}"));
                    }
                }
                if at(until).is_permitted(&history.index) != without(until) {
                    return Err(format!("the claim on {work} still matters after 14 days: {one:?}"));
                }
                let before = without(until + 1);
                history.suppose(vec![twice], |history, all| {
                    let now = Asked { size: history.size(), moment: until + 1, ..one.clone() };
                    if all && now.is_permitted(&history.index) != before {
                        return Err(format!("the second claim on {work} matters: {one:?}"));
                    }
                    Ok(())
                })
            })?;
        }
        Ok(())
    });
    assert!(claimed.get() > 3, "only {} works could be claimed", claimed.get());
}

#[test]
fn r6_the_registrar_never_grants_and_needs_a_second_person() {
    let pairs = Cell::new(0);
    on_histories(16, |teller| {
        let registrar = teller.cast.registrar;
        let facts = teller.history.facts();
        for work in facts.works.keys() {
            for by in [registrar, teller.cast.installation] {
                let acts = [teller.grant(*work, true), deny_all(*work, teller.id())];
                for (act, behalf) in acts.into_iter().flat_map(|act| {
                    let holder = facts.holdings(*work).first().and_then(|one| one.holder(facts.size));
                    [(act.clone(), None), (act, holder)]
                }) {
                    let step = step_of(by, behalf, vec![act], teller.history.now());
                    if teller.history.admits(vec![step.clone()]) {
                        return Err(format!("the registrar speaks for a holder: {step:?}"));
                    }
                }
            }
        }
        let both = OrgRegistered { org: teller.id(), roles: vec![Role::Registrar, Role::RightsHolder] };
        let step = teller.history.step(teller.cast.installation, both);
        if teller.history.admits(vec![step]) {
            return Err("a registrar has another role".to_owned());
        }
        let on = teller.history.step(registrar, SettingsChanged { second_person: true });
        for holding in
            facts.holdings.values().filter(|one| one.span.stands(facts.size) && one.confirmed.is_none())
        {
            let evidence = Sha256::of(b"seen");
            let act = AssertionsConfirmed { holdings: vec![holding.id], bindings: vec![], evidence };
            let two = teller.history.step(registrar, act);
            let mut one = two.clone();
            one.command.by.truncate(1);
            let mut same = two.clone();
            same.command.by = vec![one.command.by[0], one.command.by[0]];
            if teller.history.admits(vec![on.clone(), one]) || teller.history.admits(vec![on.clone(), same]) {
                return Err(format!("one person confirms {}", holding.id));
            }
            pairs.set(pairs.get() + usize::from(teller.history.admits(vec![on.clone(), two])));
        }
        Ok(())
    });
    assert!(pairs.get() > 0, "two persons never confirmed anything");
}
