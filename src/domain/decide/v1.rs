//! Version 1 of the rules. Never changed once a log has activated it: a new meaning is a new version.

mod closure;
mod contest;
mod coverage;
mod denial;
mod matching;
mod near;
mod notes;
mod prompt;
mod standing;
mod trace;

use std::cell::Cell;

use self::closure::{Member, Place};
use self::matching::Matched;
use crate::domain::act::Role;
use crate::domain::decision::{
    CoveredMember, CoveredWork, Decision, Entries, NonEmpty, Outcome, Permitted, Reason, ReasonCode,
    UseDecision, distinct,
};
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::index::ahead::Found;
use crate::domain::index::{AsOf, Mostly1};
use crate::domain::question::Question;
use crate::domain::uses::Use;

/// A question, what is seen of the index, and the moment.
struct Asked<'a> {
    seen: AsOf<'a>,
    moment_ms: i64,
    question: &'a Question,
    valid_until_ms: Cell<i64>,
}

impl<'a> Asked<'a> {
    const fn new(seen: AsOf<'a>, question: &'a Question, moment_ms: i64) -> Self {
        Self { seen, moment_ms, question, valid_until_ms: Cell::new(i64::MAX) }
    }
}

impl Asked<'_> {
    /// Notes a moment at which something that the answer looked at begins or ends.
    fn boundary(&self, moment_ms: i64) {
        if moment_ms > self.moment_ms && moment_ms < self.valid_until_ms.get() {
            self.valid_until_ms.set(moment_ms);
        }
    }
}

/// What stands against a work by itself, before it is said whether it is the matched work, a layer or a part.
#[derive(Clone, Debug)]
struct Block {
    code: ReasonCode,
    ask: Vec<OrgId>,
    entries: Vec<u64>,
}

/// One reason for each code, cause and work.
#[derive(Default)]
struct Reasons(Mostly1<Reason>);

/// What makes two reasons one: the code, its cause and the work.
const fn kind(reason: &Reason) -> (ReasonCode, Option<ReasonCode>, Option<WorkId>) {
    (reason.code, reason.because, reason.work)
}

impl Reasons {
    fn add_plain(&mut self, code: ReasonCode) {
        self.0.push(Reason::of(code));
    }

    /// A block of a member of a closure, as seen from the matched work.
    fn add_block(&mut self, place: Place, work: WorkId, block: Block) {
        let Block { code, ask, entries } = block;
        self.add(place, work, code, ask.into(), entries.into());
    }

    /// What stands against a member of a closure, as seen from the matched work.
    fn add(&mut self, place: Place, work: WorkId, code: ReasonCode, ask: Mostly1<OrgId>, entries: Entries) {
        let (code, because) = match place {
            Place::Matched => (code, None),
            Place::Part => (ReasonCode::PartNotPermitted, Some(code)),
            Place::Layer => (ReasonCode::LayerNotPermitted, Some(code)),
        };
        self.0.push(Reason { code, because, work: Some(work), ask, entries });
    }

    fn list(mut self) -> Mostly1<Reason> {
        self.0.sort_by_key(kind);
        self.0.dedup_by(|reason, kept| {
            let same = kind(reason) == kind(kept);
            if same {
                kept.ask.append(&mut reason.ask);
                kept.entries.append(&mut reason.entries);
            }
            same
        });
        for reason in &mut self.0 {
            reason.ask = distinct(std::mem::take(&mut reason.ask));
            reason.entries = distinct(std::mem::take(&mut reason.entries));
        }
        self.0
    }
}

/// A matched work with its closure.
struct Subject {
    matched: Matched,
    members: Mostly1<Member>,
    blocks: Vec<Block>,
}

/// All matched works.
type Subjects = Mostly1<Subject>;

/// Who asks, with which model, and whether both are who they are said to be.
pub(super) struct Asker {
    developer: OrgId,
    model: Option<ModelId>,
    is_good: bool,
}

impl Asker {
    /// The asker of a question.
    pub(super) fn of(seen: AsOf<'_>, question: &Question) -> Self {
        let mut reasons = Reasons::default();
        judge_developer(&Asked::new(seen, question, 0), &mut reasons);
        Self { developer: question.developer, model: question.model, is_good: reasons.0.is_empty() }
    }

    /// Whether this is the asker of the question.
    pub(super) fn is_of(&self, question: &Question) -> bool {
        self.developer == question.developer && self.model == question.model
    }

    /// Whether nothing stands against developer and model.
    pub(super) const fn is_good(&self) -> bool {
        self.is_good
    }
}

pub(super) use prompt::Prompt;
pub(super) use trace::trace;

/// The answer by the short way, to a question of an asker that is good, if that way leads to one.
pub(super) fn prompt(seen: AsOf<'_>, question: &Question, moment_ms: i64, found: Found) -> Option<Prompt> {
    prompt::answer(&Asked::new(seen, question, moment_ms), found)
}

pub(super) fn answer(seen: AsOf<'_>, question: &Question, decision: &mut Decision) {
    let asked = Asked::new(seen, question, decision.moment_ms);
    let subjects: Subjects = matching::matches(&asked).into_iter().map(|m| subject(&asked, m)).collect();
    decision.matched = distinct(subjects.iter().map(|subject| seen.work_id(subject.matched.work)).collect());
    decision.uses = question
        .uses
        .iter()
        .map(|leaf| UseDecision { r#use: *leaf, outcome: outcome(&asked, *leaf, &subjects) })
        .collect();
    decision.notes = notes::notes(&asked, &subjects);
    decision.valid_until_ms = asked.valid_until_ms.get();
}

fn subject(asked: &Asked<'_>, mut matched: Matched) -> Subject {
    let mut blocks = std::mem::take(&mut matched.blocks);
    let members = match closure::members(asked, matched.work) {
        Ok(members) => members,
        Err(block) => {
            blocks.push(block);
            Mostly1::new()
        }
    };
    Subject { matched, members, blocks }
}

/// R10: every match must permit; and the developer and its model must be who they are said to be.
fn outcome(asked: &Asked<'_>, leaf: Use, subjects: &[Subject]) -> Outcome {
    let mut reasons = Reasons::default();
    judge_developer(asked, &mut reasons);
    if subjects.is_empty() {
        reasons.add_plain(ReasonCode::NotRegistered);
    }
    near::judge(asked, leaf, subjects, &mut reasons);
    let mut works = Vec::with_capacity(subjects.len());
    for subject in subjects {
        let work = asked.seen.work_id(subject.matched.work);
        for block in &subject.blocks {
            reasons.add_block(Place::Matched, work, block.clone());
        }
        let members = judge_members(asked, leaf, subject, &mut reasons);
        if let Some(members) = NonEmpty::new(members) {
            works.push(CoveredWork { work, members });
        }
    }
    // A refused member leaves a reason and no leaf; both are looked at, so that forgetting one can't permit.
    let whole = works.len() == subjects.len()
        && works
            .iter()
            .zip(subjects)
            .all(|(work, subject)| work.members.iter().len() == subject.members.len());
    match (NonEmpty::new(reasons.list()), NonEmpty::new(works)) {
        (Some(reasons), _) => Outcome::NotPermitted(reasons),
        (None, Some(works)) if whole => Outcome::Permitted(Permitted { works }),
        (None, _) => refusal_without_reason(),
    }
}

/// Unreachable by the rules; and if it is reached, the answer is still no.
fn refusal_without_reason() -> Outcome {
    let mut reasons = Reasons::default();
    reasons.add_plain(ReasonCode::Unreadable);
    match NonEmpty::new(reasons.list()) {
        Some(reasons) => Outcome::NotPermitted(reasons),
        None => refusal_without_reason(),
    }
}

fn judge_developer(asked: &Asked<'_>, reasons: &mut Reasons) {
    let developer = asked.seen.org(asked.question.developer);
    let good = developer
        .filter(|org| asked.seen.has_role(*org, Role::AiDeveloper) && asked.seen.in_good_standing(*org));
    if good.is_none() {
        reasons.add_plain(ReasonCode::DeveloperUnverified);
    }
    if let Some(id) = asked.question.model {
        let models = &asked.seen.index.models;
        let stands = models.find(id).map(|ix| models.at(ix)).is_some_and(|model| {
            asked.seen.seen(model.registered)
                && !asked.seen.seen(model.retired)
                && Some(model.developer) == developer
        });
        if !stands {
            reasons.add_plain(ReasonCode::ModelNotCovered);
        }
    }
}

/// R2: everything in the closure, every holding of it.
fn judge_members(
    asked: &Asked<'_>,
    leaf: Use,
    subject: &Subject,
    reasons: &mut Reasons,
) -> Vec<CoveredMember> {
    let mut covered = Vec::with_capacity(subject.members.len());
    for member in &subject.members {
        let work = asked.seen.work_id(member.work);
        let mut blocks = denial::blocks(asked, leaf, member);
        let leaves = coverage::leaves(asked, leaf, subject.matched.by_location, member, &mut blocks);
        let is_free = blocks.is_empty() && member.blocks.is_empty();
        for block in member.blocks.iter().cloned().chain(blocks) {
            reasons.add_block(member.place, work, block);
        }
        if let (true, Some(leaves)) = (is_free, NonEmpty::new(leaves)) {
            covered.push(CoveredMember { work, leaves });
        }
    }
    covered
}
