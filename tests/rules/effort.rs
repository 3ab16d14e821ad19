//! What an answer takes is bounded by what there is, not by how much of it meets how much.

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Covers, GrantRecorded, Holding, PartAccepted, PartLinked, Role, Tie,
    TransferAccepted, TransferOffered, WorkKind, WorkRegistered,
};
use kyodaku::domain::decide::{Effort, TooMuch, answers_within, decide_within};
use kyodaku::domain::decision::{Outcome, ReasonCode};
use kyodaku::domain::ids::{OrgId, WorkId};
use kyodaku::domain::key::{Sha256, SubjectKey};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::Scope;
use kyodaku::domain::uses::Use;
use smallvec::smallvec;

use super::agreement::questions;
use super::compare::{Asked, disagreement};
use super::generate::{Teller, enter};
use super::history::History;
use super::{on_histories, setting};

fn asked(teller: &Teller, work: WorkId) -> Asked {
    let question = Question {
        developer: teller.cast.developers[0],
        model: None,
        uses: smallvec![Use::Search],
        territory: None,
        subject: smallvec![SubjectKey::work(work)],
        with_parts: false,
    };
    Asked { size: teller.history.size(), moment: teller.history.now(), question }
}

/// What the answer takes.
fn effort_of(history: &History, one: &Asked) -> u64 {
    let effort = Effort::unlimited();
    decide_within(&history.index, one.size, one.moment, &one.question, &effort).unwrap();
    effort.taken()
}

fn register(teller: &mut Teller, holders: &[OrgId], layers: &[WorkId], part_of: &[WorkId]) -> WorkId {
    let mut ties = |works: &[WorkId]| -> Vec<Tie> {
        works.iter().map(|work| Tie { link: teller.id(), work: *work }).collect()
    };
    let (layers, part_of) = (ties(layers), ties(part_of));
    let work = teller.id();
    let holders: Vec<_> =
        holders.iter().map(|holder| Holding { holding: teller.id(), holder: *holder }).collect();
    let (holder, holdings) = (holders[0].holder, holders.iter().map(|it| it.holding).collect());
    let act = WorkRegistered {
        work,
        kind: WorkKind::Series,
        holders,
        roster_complete: true,
        layers,
        layers_complete: true,
        part_of,
        bindings: vec![],
    };
    teller.must(holder, vec![act.into()]);
    let confirmed = AssertionsConfirmed { holdings, bindings: vec![], evidence: Sha256::of(b"seen") };
    let registrar = teller.cast.registrar;
    teller.must(registrar, vec![confirmed.into()]);
    work
}

/// Tiers of works, each work of which incorporates all of the tier below, all held by the same organizations; and one on top.
fn tiers(teller: &mut Teller, tiers: usize, width: usize) -> WorkId {
    let holders: Vec<OrgId> = (0..width).map(|_| teller.id()).collect();
    for holder in &holders {
        let registrar = teller.cast.registrar;
        teller.must(registrar, enter(*holder, Role::RightsHolder));
    }
    let mut below = Vec::new();
    for _ in 0..tiers {
        below = (0..width).map(|_| register(teller, &holders, &below, &[])).collect();
    }
    register(teller, &holders[..1], &below, &[])
}

/// `KYODAKU_WIDTH=200 KYODAKU_TIERS=5` is as much as may be recorded.
#[test]
fn ways_to_a_member_are_not_multiplied_by_its_holdings() {
    let (count, width) = (setting("KYODAKU_TIERS", 3), setting("KYODAKU_WIDTH", 12));
    let mut teller = Teller::opened(1);
    let top = tiers(&mut teller, count as usize, width as usize);
    let one = asked(&teller, top);
    let begun = kyodaku::clock::stopwatch();
    let effort = effort_of(&teller.history, &one);
    let millis = begun.elapsed().as_millis();
    // Each work has a link to each below, and each holding is looked at once to find the closure and once for the use.
    let (works, links) = (count * width + 1, width * width * (count - 1) + width);
    let holdings = works * width;
    println!("{works} works, {holdings} holdings, {links} links: {effort} steps, {millis} ms");
    let most = 4 * works + links + 4 * holdings;
    assert!(effort <= most, "{effort} steps, where {most} would do");
    let decision = one.decide(&teller.history.index);
    let Outcome::NotPermitted(reasons) = &decision.uses[0].outcome else { panic!("permitted") };
    // Of the top its only holder has declared the lists.
    assert_eq!(reasons.iter().len() as u64, 3 * (works - 1) + 1, "one for each code and work");
    if width <= 12 {
        assert_eq!(disagreement(&teller.history, &one), None);
    }
}

fn grant_with_parts(teller: &mut Teller, work: WorkId) -> Act {
    let Act::GrantRecorded(grant) = teller.grant(work, true) else { unreachable!() };
    GrantRecorded { covers: Covers::FutureParts, ..grant }.into()
}

/// A whole with many grants of one holder, and a part of it that others hold beside that one, or without it.
fn whole_and_part(teller: &mut Teller, grants: usize, is_held: bool) -> WorkId {
    let (grantor, others) = (teller.cast.holders[0], teller.cast.holders[1..].to_vec());
    let whole = register(teller, &[grantor], &[], &[]);
    let holders: Vec<OrgId> = others.into_iter().chain(is_held.then_some(grantor)).collect();
    let part = register(teller, &holders, &[], &[whole]);
    let link = teller.history.facts().part_links.values().next().unwrap().id;
    teller.must(grantor, vec![PartAccepted { link }.into()]);
    let acts: Vec<Act> = (0..grants).map(|_| grant_with_parts(teller, whole)).collect();
    teller.must(grantor, acts);
    part
}

#[test]
fn grants_on_a_whole_are_not_multiplied_by_the_holdings_of_a_part() {
    for (is_held, for_each) in [(false, 1), (true, 4)] {
        let mut teller = Teller::opened(1);
        let part = whole_and_part(&mut teller, 100, is_held);
        let one = asked(&teller, part);
        let effort = effort_of(&teller.history, &one);
        let most = for_each * 100 + 150;
        assert!(effort <= most, "held {is_held}: {effort} steps, where {most} would do");
        assert_eq!(disagreement(&teller.history, &one), None);
    }
}

#[test]
fn a_common_answer_tells_what_it_took() {
    let mut teller = Teller::opened(1);
    let holder = teller.cast.holders[0];
    let work = register(&mut teller, &[holder], &[], &[]);
    let steps = |teller: &Teller| {
        let Asked { size, moment, question } = asked(teller, work);
        let mut all =
            answers_within(&teller.history.index, size, moment, std::iter::once(&question), u64::MAX);
        let answer = all.next().expect("an answer");
        assert!(answer.is_by_the_short_way());
        answer.steps()
    };
    let before = steps(&teller);
    for _ in 0..3 {
        let grants: Vec<Act> = (0..100).map(|_| teller.grant(work, true)).collect();
        teller.must(holder, grants);
    }
    let after = steps(&teller);
    assert!(before < 20 && (300..1_200).contains(&after), "{before} steps, and with 300 grants {after}");
}

#[test]
fn what_is_answered_within_a_limit_is_the_whole_answer_and_else_there_is_none() {
    on_histories(30, |teller| {
        for one in questions(teller, 60) {
            let Asked { size, moment, question } = &one;
            let index = &teller.history.index;
            let whole = one.decide(index);
            let effort = Effort::unlimited();
            let full = decide_within(index, *size, *moment, question, &effort);
            if full.as_ref() != Ok(&whole) {
                return Err(format!("{one:?}: {full:?} instead of {whole:?}"));
            }
            let taken = effort.taken();
            let mut limits = vec![taken, taken.saturating_sub(1), taken / 2, 1, 0];
            limits.extend((0..5).map(|_| teller.rng.below(taken as usize + 1) as u64));
            let index = &teller.history.index;
            for most in limits {
                let within = decide_within(index, *size, *moment, question, &Effort::at_most(most));
                let right = if most < taken { Err(TooMuch) } else { Ok(whole.clone()) };
                if within != right {
                    return Err(format!("{one:?} within {most} of {taken}: {within:?}"));
                }
                // By the short way it may take less, and it is the same answer.
                let mut many = answers_within(index, *size, *moment, [question, question].into_iter(), most);
                let first = many.next().map(kyodaku::domain::decide::Answer::decision);
                if first.as_ref().is_some_and(|first| *first != whole)
                    || first.is_none() != many.finish().is_err()
                {
                    return Err(format!("{one:?} within {most}: {first:?}"));
                }
                if first.is_none() && many.next().is_some() {
                    return Err(format!("{one:?} within {most}: an answer after none"));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn where_a_grant_is_limited_to_layers_each_way_is_looked_at_and_told_once() {
    let mut teller = Teller::opened(1);
    let holder = teller.cast.holders[0];
    let layer = register(&mut teller, &[holder], &[], &[]);
    let hosts: Vec<WorkId> = (0..8).map(|_| register(&mut teller, &[holder], &[layer], &[])).collect();
    let top = register(&mut teller, &[holder], &hosts, &[]);
    for work in hosts.iter().chain([&top]) {
        let grant = teller.grant(*work, true);
        teller.must(holder, vec![grant]);
    }
    let Act::GrantRecorded(broad) = teller.grant(layer, true) else { unreachable!() };
    let limited = |teller: &mut Teller, hosts: &[WorkId]| {
        let as_layer_of = Scope::only(hosts.iter().copied()).unwrap();
        Act::from(GrantRecorded { grant: teller.id(), as_layer_of, ..broad.clone() })
    };
    let leaves = |teller: &Teller| match &asked(teller, top).decide(&teller.history.index).uses[0].outcome {
        Outcome::Permitted(permitted) => {
            let of_layer = permitted.leaves_of(|work| work == layer);
            Some(of_layer.map(|leaf| leaf.grant).collect::<Vec<_>>())
        }
        Outcome::NotPermitted(_) => None,
    };
    let first = limited(&mut teller, &hosts[..5]);
    teller.must(holder, vec![first]);
    assert_eq!(leaves(&teller), None, "three hosts are not named");
    assert_eq!(disagreement(&teller.history, &asked(&teller, top)), None);
    let second = limited(&mut teller, &hosts[4..]);
    teller.must(holder, vec![second]);
    assert_eq!(leaves(&teller).map(|grants| grants.len()), Some(2), "each grant once");
    assert_eq!(disagreement(&teller.history, &asked(&teller, top)), None);
}

#[test]
fn a_grant_reaches_a_holding_by_the_latest_assent_of_a_way_that_leads_there_and_by_no_other() {
    for keeps in [true, false] {
        let mut teller = Teller::opened(1);
        let (grantor, other) = (teller.cast.holders[0], teller.cast.holders[1]);
        let whole = register(&mut teller, &[grantor], &[], &[]);
        let grant = grant_with_parts(&mut teller, whole);
        teller.must(grantor, vec![grant]);
        // The link is assented to after the grant, when the other one still has its share.
        let part = register(&mut teller, &[grantor, other], &[], &[whole]);
        let facts = teller.history.facts();
        let share =
            facts.holdings(part).into_iter().find(|it| it.holder(facts.size) == Some(other)).unwrap().id;
        let hand_over = |teller: &mut Teller, from, to| {
            let transfer = teller.id();
            teller.must(from, vec![TransferOffered { transfer, holding: share, to }.into()]);
            teller.must(to, vec![TransferAccepted { transfer }.into()]);
        };
        hand_over(&mut teller, other, grantor);
        let misses = |teller: &Teller| {
            let one = asked(teller, part);
            assert_eq!(disagreement(&teller.history, &one), None);
            let decision = one.decide(&teller.history.index);
            decision.reasons().any(|reason| reason.code == ReasonCode::PartlyGranted)
        };
        assert!(misses(&teller), "it did not hold the share when it assented");
        // Now it does, but the new link leads elsewhere; until that is a part of the whole too.
        let between = register(&mut teller, &[grantor], &[], &[]);
        let link = |teller: &mut Teller, part, whole| PartLinked { link: teller.id(), part, whole }.into();
        let elsewhere = link(&mut teller, part, between);
        teller.must(grantor, vec![elsewhere]);
        assert!(misses(&teller), "the new link does not lead to the whole");
        if !keeps {
            hand_over(&mut teller, grantor, other);
        }
        let further = link(&mut teller, between, whole);
        teller.must(grantor, vec![further]);
        assert_eq!(
            misses(&teller),
            !keeps,
            "what counts is who held the share at the latest assent of the way"
        );
    }
}
