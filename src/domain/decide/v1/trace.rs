//! The same steps as `answer`, written down instead of weighed. It decides nothing.

use super::coverage::{Attaching, Nearest};
use super::{
    Asked, Effort, Member, Place, Subject, Subjects, coverage, denial, matching, near, notes, subject,
};
use crate::domain::act::Role;
use crate::domain::decide::trace::{Found, MAX_STEPS, Rule, Step};
use crate::domain::decision::ReasonCode;
use crate::domain::ids::WorkId;
use crate::domain::index::AsOf;
use crate::domain::question::Question;
use crate::domain::uses::Use;

pub(in crate::domain::decide) fn trace(
    seen: AsOf<'_>,
    question: &Question,
    moment_ms: i64,
    effort: &Effort,
) -> Vec<Step> {
    let asked = Asked::new(seen, question, moment_ms, effort);
    let mut steps = developer(&asked);
    let subjects: Subjects = matching::matches(&asked).into_iter().map(|m| subject(&asked, m)).collect();
    if subjects.is_empty() {
        steps.push(plain(10, Found::NoMatch));
    }
    for leaf in &question.uses {
        let mut reasons = super::Reasons::default();
        near::judge(&asked, *leaf, &subjects, &mut reasons);
        steps.extend(reasons.list().into_iter().map(|reason| Step {
            rule: Rule(10),
            found: Found::NearDenied { r#use: *leaf },
            work: reason.work,
            org: None,
            entries: reason.entries.into_vec(),
        }));
    }
    for subject in &subjects {
        matched(&asked, subject, &mut steps);
        for each in &subject.members {
            if steps.len() > MAX_STEPS || !asked.takes(0) {
                return steps;
            }
            member(&asked, subject.matched.by_location, each, &mut steps);
        }
    }
    steps.extend(notes::notes(&asked, &subjects).into_iter().map(|note| Step {
        rule: Rule(if note.code == crate::domain::decision::NoteCode::ClaimNoted { 5 } else { 13 }),
        found: Found::Noted { code: note.code },
        work: note.work,
        org: None,
        entries: note.entries,
    }));
    steps
}

fn plain(rule: u8, found: Found) -> Step {
    Step { rule: Rule(rule), found, work: None, org: None, entries: Vec::new() }
}

fn developer(asked: &Asked<'_>) -> Vec<Step> {
    let seen = asked.seen;
    let place = seen.org(asked.question.developer);
    let stands = place.filter(|org| seen.has_role(*org, Role::AiDeveloper) && seen.in_good_standing(*org));
    let entries = place.and_then(|org| seen.standing(org)).map(|(entry, _)| entry).into_iter().collect();
    let found = if stands.is_some() { Found::DeveloperStands } else { Found::DeveloperFails };
    let mut steps = vec![Step { org: Some(asked.question.developer), entries, ..plain(1, found) }];
    if asked.question.model.is_some() {
        let mut reasons = super::Reasons::default();
        super::judge_developer(asked, &mut reasons);
        let fails = reasons.list().iter().any(|reason| reason.code == ReasonCode::ModelNotCovered);
        steps.push(plain(8, if fails { Found::ModelFails } else { Found::ModelStands }));
    }
    steps
}

fn matched(asked: &Asked<'_>, subject: &Subject, steps: &mut Vec<Step>) {
    let work = asked.seen.work_id(subject.matched.work);
    let found = Found::Matches { by_location: subject.matched.by_location };
    steps.push(Step { work: Some(work), ..plain(10, found) });
    for block in &subject.blocks {
        steps.push(Step { entries: block.entries.clone(), ..stands(work, block.code) });
    }
}

fn stands(work: WorkId, code: ReasonCode) -> Step {
    let rule = match code {
        ReasonCode::NoHolder | ReasonCode::RosterIncomplete => 2,
        ReasonCode::Claimed | ReasonCode::Disputed => 5,
        ReasonCode::LayersIncomplete => 7,
        ReasonCode::Withdrawn => 11,
        _ => 1,
    };
    Step { work: Some(work), ..plain(rule, Found::Stands { code }) }
}

fn member(asked: &Asked<'_>, by_location: bool, member: &Member, steps: &mut Vec<Step>) {
    let work = asked.seen.work_id(member.work);
    match member.place {
        Place::Matched => {}
        Place::Part => steps.push(Step { work: Some(work), ..plain(7, Found::Part) }),
        Place::Layer => steps.push(Step { work: Some(work), ..plain(7, Found::Layer) }),
    }
    for block in &member.blocks {
        steps.push(Step { entries: block.entries.clone(), ..stands(work, block.code) });
    }
    let attaching = coverage::attaching(asked, member);
    for leaf in &asked.question.uses {
        for denial in denial::applying(asked, *leaf, member.work, &member.ancestors) {
            steps.push(Step {
                work: Some(work),
                org: Some(asked.seen.org_id(denial.principal)),
                entries: vec![denial.recorded.get()],
                ..plain(9, Found::Denied { r#use: *leaf })
            });
        }
        holders(asked, *leaf, by_location, (member, &attaching), steps);
    }
}

fn holders(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    (member, attaching): (&Member, &Attaching),
    steps: &mut Vec<Step>,
) {
    for (ix, nearest) in coverage::judged(asked, leaf, by_location, member, attaching) {
        let holding = asked.seen.index.holdings.id(ix);
        let missed = |code| Found::Missed { r#use: leaf, holding, code };
        let (rule, found, entries) = match nearest {
            Nearest::Covers(grant, entry) => {
                let grant = asked.seen.index.grants.id(grant);
                (8, Found::Covered { r#use: leaf, holding, grant }, vec![entry.get()])
            }
            Nearest::Misses(code, entry) => (rule_of(code), missed(code), vec![entry.get()]),
            Nearest::None => (2, missed(ReasonCode::NoGrant), Vec::new()),
        };
        steps.push(Step {
            work: Some(asked.seen.work_id(member.work)),
            org: asked.seen.holder(ix).map(|org| asked.seen.org_id(org)),
            entries,
            ..plain(rule, found)
        });
    }
}

const fn rule_of(code: ReasonCode) -> u8 {
    match code {
        ReasonCode::NotYetEffective | ReasonCode::Expired | ReasonCode::Revoked => 12,
        _ => 8,
    }
}
