//! The implementation agrees with the oracle, and with itself.

use std::cell::Cell;

use kyodaku::domain::act::{Act, GrantRevoked, RosterDeclared};
use kyodaku::domain::decide::{answers, decide_in_full};
use kyodaku::domain::decision::{Decision, Outcome, Verdict};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::From;
use kyodaku::domain::view::{Viewer, view};
use smallvec::smallvec;

use super::compare::{Asked, disagreement};
use super::generate::deeds::DAY_MS;
use super::generate::{self, Teller};
use super::history::{History, Step, shrink, step_of};
use super::{on_histories, proof};

/// Questions for each history and property.
const QUESTIONS: usize = 150;

/// Questions of all sorts, half of them as of the whole log.
pub(crate) fn questions(teller: &mut Teller, count: usize) -> Vec<Asked> {
    let mut questions = Vec::new();
    while questions.len() < count {
        let whole = teller.history.size();
        let some = whole / 3 + teller.rng.below(whole as usize * 2 / 3) as u64;
        let size = if questions.len() < count / 2 { whole } else { some };
        let facts = teller.history.facts_at(size);
        for _ in 0..10 {
            let question = teller.question(&facts);
            let moment = teller.moment(&facts);
            questions.push(Asked { size, moment, question });
        }
    }
    questions
}

#[test]
fn decide_equals_the_oracle() {
    let [permitted, asked, accepted, refused] = [const { Cell::new(0) }; 4];
    let add = |to: &Cell<usize>, more: usize| to.set(to.get() + more);
    on_histories(0, |teller| {
        for one in questions(teller, QUESTIONS) {
            if let Some(why) = disagreement(&teller.history, &one) {
                return Err(shrunk(teller, &one).unwrap_or(why));
            }
            add(&permitted, usize::from(one.is_permitted(&teller.history.index)));
            add(&asked, 1);
        }
        add(&accepted, teller.history.steps.len());
        add(&refused, teller.history.refused.len());
        Ok(())
    });
    let [permitted, asked, accepted, refused] = [permitted, asked, accepted, refused].map(Cell::into_inner);
    println!("{permitted} of {asked} permitted; {accepted} commands accepted, {refused} refused");
    assert!(
        permitted * 10 > asked,
        "only {permitted} of {asked} questions were permitted: they show too little"
    );
    assert!(accepted > refused, "only {accepted} commands were accepted, {refused} were refused");
}

/// The question cut into those of one use, one key and no parts, which the short way may answer.
fn cut(question: &Question) -> impl Iterator<Item = Question> {
    let keys = question.subject.iter().flat_map(|key| question.uses.iter().map(move |leaf| (key, *leaf)));
    keys.map(|(key, leaf)| Question {
        uses: smallvec![leaf],
        subject: smallvec![key.clone()],
        with_parts: false,
        ..question.clone()
    })
}

#[test]
fn many_at_once_are_answered_as_each_alone_by_the_long_way() {
    let [permitted, refused, long] = [const { Cell::new(0) }; 3];
    on_histories(29, |teller| {
        let all = questions(teller, QUESTIONS);
        let whole = all.iter().map(|one| one.question.clone());
        let unreadable = all.iter().map(|one| Question { uses: smallvec![], ..one.question.clone() });
        let short = all.iter().flat_map(|one| cut(&one.question));
        // One that can't be read comes before one that can.
        let batch: Vec<Question> = whole.chain(unreadable.take(1)).chain(short).collect();
        let index = &teller.history.index;
        for Asked { size, moment, .. } in all.iter().step_by(10) {
            let mut answered = answers(index, *size, *moment, batch.iter());
            // Each answer takes the place of the one before.
            let mut short = Decision::nothing(0, 0, 0);
            for question in &batch {
                let answer = answered.next().ok_or("a question is not answered")?;
                let (verdict, is_short) = (answer.verdict(), answer.is_by_the_short_way());
                answer.tell(&mut short);
                let full = decide_in_full(index, *size, *moment, question);
                if short != full || verdict != full.verdict() {
                    return Err(format!("{question:?} at {size}:\n{short:?}\ninstead of\n{full:?}"));
                }
                let count = match (is_short, verdict) {
                    (true, Verdict::Permitted) => &permitted,
                    (true, Verdict::NotPermitted) => &refused,
                    (false, _) => &long,
                };
                count.set(count.get() + 1);
            }
            if answered.next().is_some() {
                return Err("more answers than questions".to_owned());
            }
        }
        Ok(())
    });
    let [permitted, refused, long] = [permitted, refused, long].map(Cell::into_inner);
    println!("by the short way {permitted} permitted and {refused} not, {long} by the long way");
    let enough = permitted > 100 && refused > 300 && long > 500;
    assert!(enough, "{permitted}, {refused}, {long}: they show too little");
}

/// The same disagreement on the fewest steps.
fn shrunk(teller: &Teller, asked: &Asked) -> Option<String> {
    let mut entries = 0;
    let steps = teller.history.steps.iter().take_while(|step| {
        entries += step.command.acts.len() as u64;
        entries <= asked.size
    });
    let steps: Vec<_> = steps.cloned().collect();
    let again = |history: &History| disagreement(history, &Asked { size: history.size(), ..asked.clone() });
    again(&History::of(&steps))?;
    Some(shrink(&steps, again))
}

/// Questions about now that are permitted, and some that are not, as of the whole log.
pub(crate) fn questions_now(teller: &mut Teller, count: usize) -> Vec<Asked> {
    let facts = teller.history.facts();
    let (size, moment) = (teller.history.size(), teller.history.now());
    (0..count).map(|_| Asked { size, moment, question: teller.question(&facts) }).collect()
}

/// Questions about now that are permitted.
pub(crate) fn permitted_now(teller: &mut Teller, tries: usize) -> Vec<Asked> {
    let mut asked = questions_now(teller, tries);
    asked.retain(|one| one.is_permitted(&teller.history.index));
    asked
}

#[test]
fn every_permission_is_proved_by_raw_entries() {
    let proved = Cell::new(0);
    on_histories(1, |teller| {
        for one in questions(teller, 2 * QUESTIONS) {
            let decision = one.decide(&teller.history.index);
            proof::check(&teller.history, &one, &decision)?;
            proved.set(proved.get() + usize::from(decision.verdict() == Verdict::Permitted));
        }
        Ok(())
    });
    assert!(proved.get() > 30, "only {} permissions were checked", proved.get());
}

#[test]
fn taking_out_the_grants_of_a_tree_one_by_one_turns_the_verdict() {
    on_histories(2, |teller| {
        for one in permitted_now(teller, 60).into_iter().take(4) {
            let mut steps = teller.history.steps.clone();
            let mut taken = 0;
            loop {
                let history = History::of(&steps);
                let now = Asked { size: history.size(), ..one.clone() };
                let decision = now.decide(&history.index);
                let Some(leaf) = decision.uses.iter().find_map(|answer| match &answer.outcome {
                    Outcome::Permitted(permitted) if decision.verdict() == Verdict::Permitted => {
                        permitted.leaves().next().cloned()
                    }
                    _ => None,
                }) else {
                    break;
                };
                for step in &mut steps {
                    let is_it = |act: &Act| matches!(act, Act::GrantRecorded(act) if act.grant == leaf.grant);
                    step.command.acts.retain(|proposed| !is_it(&proposed.act));
                }
                steps.retain(|step| !step.command.acts.is_empty());
                taken += 1;
                if taken > 100 {
                    return Err(format!("still permitted without a hundred grants: {one:?}"));
                }
            }
            if taken == 0 {
                return Err(format!("a replay does not permit what the history permits: {one:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn a_prefix_answers_as_the_whole_log_does_as_of_its_size() {
    on_histories(3, |teller| {
        let steps = teller.history.steps.clone();
        for _ in 0..6 {
            let prefix = History::of(&steps[..steps.len() / 3 + teller.rng.below(steps.len() * 2 / 3)]);
            let facts = prefix.facts();
            for _ in 0..40 {
                let question = teller.question(&facts);
                let one = Asked { size: prefix.size(), moment: teller.moment(&facts), question };
                let (whole, part) = (one.decide(&teller.history.index), one.decide(&prefix.index));
                if whole != part {
                    return Err(format!("{one:?}\nthe whole log: {whole:#?}\nthe prefix: {part:#?}"));
                }
            }
        }
        Ok(())
    });
}

#[test]
fn what_is_taken_back_leaves_every_answer_as_it_was() {
    on_histories(4, |teller| {
        let asked = questions(teller, 60);
        let before: Vec<_> = asked.iter().map(|one| one.decide(&teller.history.index)).collect();
        // The commands of another history, some of which this one refuses, recorded and taken back in pieces.
        let other = generate::history(teller.rng.below(1_000) as u64 + 77, 120);
        let first_of_works = other.history.steps.len() / 3;
        let now = teller.history.now();
        let mut steps: Vec<Step> = other.history.steps[first_of_works..].to_vec();
        steps.extend(teller.history.steps.iter().rev().take(40).cloned());
        for step in &mut steps {
            step.at_ms = now;
        }
        for pair in steps.chunks(2) {
            teller.history.suppose(pair.to_vec(), |_, _| ());
            for (one, before) in asked.iter().zip(&before) {
                let after = one.decide(&teller.history.index);
                if after != *before {
                    return Err(format!("{pair:?}\nbefore: {before:?}\nafter: {after:?}"));
                }
            }
        }
        let unknown = GrantRevoked { grant: teller.id(), from: From::OnRecord };
        for work in teller.history.facts().works.keys() {
            let holder = teller.history.facts().holdings(*work).first().and_then(|one| one.holder(u64::MAX));
            let Some(holder) = holder else { continue };
            // Good acts, then a bad one: all must go.
            let acts = vec![
                RosterDeclared { work: *work }.into(),
                teller.denial(*work),
                teller.grant(*work, true),
                unknown.clone().into(),
            ];
            if teller.history.admits(vec![step_of(holder, None, acts, now)]) {
                return Err("an unknown grant was revoked".to_owned());
            }
        }
        let after: Vec<_> = asked.iter().map(|one| one.decide(&teller.history.index)).collect();
        if before == after { Ok(()) } else { Err("an answer has changed".to_owned()) }
    });
}

/// All that a developer is told, but for the moment.
fn told(decision: Decision) -> Decision {
    Decision { moment_ms: 0, ..view(decision, Viewer::Developer) }
}

#[test]
fn until_valid_until_nothing_changes() {
    let bounded = Cell::new(0);
    on_histories(5, |teller| {
        for one in questions(teller, QUESTIONS) {
            let decision = one.decide(&teller.history.index);
            let until = decision.valid_until_ms;
            if until <= one.moment {
                return Err(format!("valid until {until}, which is not after the moment of {one:?}"));
            }
            bounded.set(bounded.get() + usize::from(until < i64::MAX));
            let last = until - 1;
            let far = one.moment.saturating_add(400 * DAY_MS).min(last);
            let mut moments = vec![one.moment + 1, last, far];
            moments.extend((0..6).map(|_| one.moment + teller.rng.below_ms(far - one.moment + 1)));
            for moment in moments.into_iter().filter(|moment| *moment <= last) {
                let later = Asked { moment, ..one.clone() }.decide(&teller.history.index);
                if told(later) != told(decision.clone()) {
                    return Err(format!("{one:?} changes at {moment}, before {until}"));
                }
            }
        }
        Ok(())
    });
    assert!(bounded.get() > 20, "only {} answers had an end", bounded.get());
}
