//! R7 to R10: what is covered.

use std::cell::Cell;

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, GrantRecorded, Holding, LayerLinked, WorkKind, WorkRegistered,
};
use kyodaku::domain::decision::{ReasonCode, Verdict};
use kyodaku::domain::ids::WorkId;
use kyodaku::domain::key::{Sha256, SubjectKey};
use kyodaku::domain::scope::Scope;
use kyodaku::domain::uses::Use;
use smallvec::smallvec;

use super::agreement::{permitted_now, questions_now};
use super::compare::Asked;
use super::generate::deeds::holders_of;
use super::history::History;
use super::on_histories;
use super::speakers::{again, deny_all, leaves, members, none_permitted_after};

#[test]
fn r7_closure() {
    let linked = Cell::new(0);
    on_histories(17, |teller| {
        let outsider = teller.cast.outsider;
        for one in permitted_now(teller, 60).into_iter().take(12) {
            let facts = teller.history.facts();
            for member in members(&one.decide(&teller.history.index)) {
                let mut hosts = facts.ancestors(member);
                hosts.insert(member);
                for work in hosts {
                    // The host incorporates one more work, whose holder has granted nothing; all of it is confirmed
                    // and declared complete, so that only the missing grant can refuse.
                    let (layer, holding, link): (WorkId, _, _) = (teller.id(), teller.id(), teller.id());
                    let registered = WorkRegistered {
                        work: layer,
                        kind: WorkKind::Music,
                        holders: vec![Holding { holding, holder: outsider }],
                        roster_complete: true,
                        layers: vec![],
                        layers_complete: true,
                        part_of: vec![],
                        bindings: vec![],
                    };
                    let evidence = Sha256::of(b"seen");
                    let confirmed =
                        AssertionsConfirmed { holdings: vec![holding], bindings: vec![], evidence };
                    let registrar = teller.cast.registrar;
                    let steps = vec![
                        teller.history.step(outsider, registered),
                        teller.history.step(registrar, confirmed),
                        teller.history.step(registrar, LayerLinked { link, work, layer }),
                        teller.history.step(registrar, kyodaku::domain::act::LayersDeclared { work }),
                    ];
                    if teller.history.admits(steps.clone()) {
                        linked.set(linked.get() + 1);
                        none_permitted_after(teller, &steps, std::slice::from_ref(&one))?;
                    }
                }
            }
        }
        Ok(())
    });
    assert!(linked.get() > 5, "only {} layers could be linked", linked.get());
}

/// Replaces a grant by two that together say the same.
fn split(act: &GrantRecorded, other: kyodaku::domain::ids::GrantId) -> [GrantRecorded; 2] {
    let (half, rest): (Vec<Use>, Vec<Use>) = Use::ALL.iter().partition(|leaf| **leaf != Use::Search);
    let narrow = |uses: Vec<Use>, grant| GrantRecorded {
        grant,
        uses: Scope::only(uses.into_iter().filter(|leaf| act.uses.covers(Some(leaf)))).unwrap_or(Scope::Any),
        ..act.clone()
    };
    let jp = "JP".parse().unwrap();
    // Neither half holds the search in Japan: the one lacks the use, the other the place.
    let elsewhere = GrantRecorded {
        territories: Scope::only(["US".parse().unwrap()].into_iter().filter(|place| *place != jp)).unwrap(),
        ..narrow(rest, other)
    };
    [narrow(half, act.grant), elsewhere]
}

#[test]
fn r8_grants_are_exact_and_never_spliced() {
    let split_ones = Cell::new(0);
    on_histories(18, |teller| {
        for mut one in permitted_now(teller, 150) {
            one.question.uses = smallvec![Use::Search];
            one.question.territory = Some("JP".parse().unwrap());
            let decision = one.decide(&teller.history.index);
            if decision.verdict() != Verdict::Permitted || split_ones.get() > 20 {
                continue;
            }
            split_ones.set(split_ones.get() + 1);
            let granted: Vec<_> = leaves(&decision).iter().map(|leaf| leaf.grant).collect();
            let mut steps = teller.history.steps.clone();
            for step in &mut steps {
                let split_act = |proposed: kyodaku::domain::command::Proposed, other| match &proposed.act {
                    Act::GrantRecorded(act) if granted.contains(&act.grant) => split(act, other)
                        .into_iter()
                        .map(|act| kyodaku::domain::command::Proposed { act: act.into(), payload: None })
                        .collect(),
                    _ => vec![proposed],
                };
                let acts = std::mem::take(&mut step.command.acts);
                step.command.acts = acts.into_iter().flat_map(|act| split_act(act, teller.id())).collect();
            }
            let halves = History::of(&steps);
            let now = again(&one, &halves).decide(&halves.index);
            if leaves(&now).iter().any(|leaf| granted.contains(&leaf.grant)) {
                return Err(format!("two halves cover {one:?}"));
            }
        }
        Ok(())
    });
    assert!(split_ones.get() > 2, "only {} permissions could be split", split_ones.get());
}

#[test]
fn r8_what_is_not_stated_lies_only_in_any() {
    on_histories(19, |teller| {
        for one in questions_now(teller, 100) {
            let mut bare = one.clone();
            (bare.question.model, bare.question.territory) = (None, None);
            let facts = teller.history.facts();
            for leaf in leaves(&bare.decide(&teller.history.index)) {
                let terms = &facts.grants[&leaf.grant].terms;
                if terms.models != Scope::Any || terms.territories != Scope::Any {
                    return Err(format!("{} covers what was not stated in {bare:?}", leaf.grant));
                }
            }
            // A question that is permitted bare is permitted for every registered model and place.
            let stated = one.is_permitted(&teller.history.index);
            let known = one.question.model.is_none_or(|model| {
                facts
                    .models
                    .get(&model)
                    .is_some_and(|(owner, span)| *owner == one.question.developer && span.stands(facts.size))
            });
            let one_use_each = one.question.uses.len() == bare.question.uses.len();
            if bare.is_permitted(&teller.history.index) && known && one_use_each && !stated {
                let denied = one.decide(&teller.history.index);
                return Err(format!("permitted unstated, but not {one:?}: {denied:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn r9_denial_overrides() {
    let denied = Cell::new(0);
    on_histories(20, |teller| {
        for one in permitted_now(teller, 60).into_iter().take(12) {
            let facts = teller.history.facts();
            for member in members(&one.decide(&teller.history.index)) {
                let mut works = facts.ancestors(member);
                works.insert(member);
                for work in works {
                    for holder in holders_of(&facts, work) {
                        let denial = deny_all(work, teller.id());
                        let step = teller.history.step(holder, denial);
                        if teller.history.admits(vec![step.clone()]) {
                            denied.set(denied.get() + 1);
                            none_permitted_after(
                                teller,
                                std::slice::from_ref(&step),
                                std::slice::from_ref(&one),
                            )?;
                            // Granting everything afterwards does not help.
                            let grants: Vec<_> = holders_of(&facts, member)
                                .into_iter()
                                .map(|by| {
                                    let grant = teller.grant(member, true);
                                    teller.history.step(by, grant)
                                })
                                .collect();
                            let steps: Vec<_> = std::iter::once(step).chain(grants).collect();
                            none_permitted_after(teller, &steps, std::slice::from_ref(&one))?;
                        }
                    }
                }
            }
        }
        Ok(())
    });
    assert!(denied.get() > 10, "only {} denials could be recorded", denied.get());
}

#[test]
fn r10_every_match_counts() {
    let both = Cell::new((0, 0));
    on_histories(21, |teller| {
        let asked = questions_now(teller, 80);
        for pair in asked.chunks(2) {
            let [mut left, right] = [pair[0].clone(), pair[1].clone()];
            // By work ids, so that how a work is matched does not depend on the other.
            let of_works = |one: &Asked| -> Vec<SubjectKey> {
                let matched = one.decide(&teller.history.index).matched;
                matched.into_iter().take(8).map(SubjectKey::work).collect()
            };
            let (first, second) = (of_works(&left), of_works(&right));
            if first.is_empty() || second.is_empty() {
                continue;
            }
            let mut permits = |subject: &[SubjectKey]| {
                left.question.subject = subject.to_vec().into();
                left.is_permitted(&teller.history.index)
            };
            let alone = permits(&first) && permits(&second);
            let together = permits(&[first, second].concat());
            if alone != together {
                return Err(format!("alone {alone}, together {together}: {left:?}"));
            }
            let (yes, no) = both.get();
            both.set(if together { (yes + 1, no) } else { (yes, no + 1) });
        }
        // Any further key, of whatever kind, never helps where nothing matched by location only.
        for one in &asked {
            if one.is_permitted(&teller.history.index) {
                continue;
            }
            let by_place_only = one.decide(&teller.history.index).reasons().any(|reason| {
                [reason.code, reason.because.unwrap_or(reason.code)].contains(&ReasonCode::LocationOnly)
                    || reason.code == ReasonCode::BindingUnconfirmed
            });
            let registered = !one.decide(&teller.history.index).matched.is_empty();
            let mut more = one.clone();
            more.question.subject.push(SubjectKey::Key(teller.key()));
            if registered && !by_place_only && more.is_permitted(&teller.history.index) {
                return Err(format!("one more key permits {more:?}"));
            }
        }
        Ok(())
    });
    let (yes, no) = both.get();
    assert!(yes > 0 && no > 0, "{yes} pairs permitted, {no} not");
}

#[test]
fn r10_titles_and_unrelated_works_change_nothing() {
    on_histories(22, |teller| {
        let asked = questions_now(teller, 80);
        let before: Vec<_> = asked.iter().map(|one| one.is_permitted(&teller.history.index)).collect();
        // The same history with a title beside every act, and with works that nobody asks about in between.
        let mut steps = Vec::new();
        for mut step in teller.history.steps.clone() {
            for proposed in &mut step.command.acts {
                proposed.payload = Some(Sha256::of(b"the same title everywhere"));
            }
            let at_ms = step.at_ms;
            steps.push(step);
            if steps.len() > 40 && steps.len() % 7 == 0 {
                let (work, outsider) = (teller.id(), teller.cast.outsider);
                let registered = WorkRegistered {
                    work,
                    kind: WorkKind::Comic,
                    holders: vec![Holding { holding: teller.id(), holder: outsider }],
                    roster_complete: true,
                    layers: vec![],
                    layers_complete: true,
                    part_of: vec![],
                    bindings: vec![],
                };
                let acts = vec![registered.into(), teller.grant(work, true)];
                steps.push(super::history::step_of(outsider, None, acts, at_ms));
            }
        }
        let other = History::of(&steps);
        for (one, before) in asked.iter().zip(before) {
            if again(one, &other).is_permitted(&other.index) != before {
                return Err(format!("a title or an unrelated work changes {one:?}"));
            }
        }
        Ok(())
    });
}
