//! Version 1 of the rules. Never changed once a log has activated it: a new meaning is a new version.

mod closure;
mod contest;
mod coverage;
mod denial;
mod matching;
mod near;
mod notes;
mod prompt;
mod routes;
mod standing;
mod trace;

use std::cell::Cell;

use hashbrown::HashMap;
use smallvec::{Array, SmallVec};

use self::closure::{Member, Place};
use self::coverage::{Attaching, Coverage};
use self::matching::Matched;
use super::effort::Effort;
use crate::domain::act::Role;
use crate::domain::decision::{
    CoveredMember, CoveredWork, Decision, Entries, NonEmpty, Outcome, Permitted, Reason, ReasonCode,
    UseDecision, distinct,
};
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::index::ahead::Found;
use crate::domain::index::records::At;
use crate::domain::index::{AsOf, Mostly1};
use crate::domain::question::Question;
use crate::domain::uses::Use;

/// A question, what is seen of the index, and the moment.
struct Asked<'a> {
    seen: AsOf<'a>,
    moment_ms: i64,
    question: &'a Question,
    effort: &'a Effort,
    valid_until_ms: Cell<i64>,
}

impl<'a> Asked<'a> {
    const fn new(seen: AsOf<'a>, question: &'a Question, moment_ms: i64, effort: &'a Effort) -> Self {
        Self { seen, moment_ms, question, effort, valid_until_ms: Cell::new(i64::MAX) }
    }
}

impl Asked<'_> {
    /// Notes a moment at which something that the answer looked at begins or ends.
    fn boundary(&self, moment_ms: i64) {
        if moment_ms > self.moment_ms && moment_ms < self.valid_until_ms.get() {
            self.valid_until_ms.set(moment_ms);
        }
    }

    /// Takes so many steps. Once there are none left nobody reads what is found: who looks may stop.
    fn takes(&self, steps: usize) -> bool {
        self.effort.takes(steps)
    }
}

/// What stands against a work by itself, before it is said whether it is the matched work, a layer or a part.
#[derive(Clone, Debug)]
struct Block {
    code: ReasonCode,
    ask: Vec<OrgId>,
    entries: Vec<u64>,
}

/// What makes two reasons one: the code, its cause and the work.
type Kind = (ReasonCode, Option<ReasonCode>, Option<WorkId>);

const fn kind(reason: &Reason) -> Kind {
    (reason.code, reason.because, reason.work)
}

/// Up to how many reasons are looked through one by one; beyond that there is a table.
const FEW_REASONS: usize = 8;

/// One reason for each code, cause and work.
#[derive(Default)]
struct Reasons {
    reasons: Mostly1<Reason>,
    places: HashMap<Kind, usize>,
}

impl Reasons {
    fn add_plain(&mut self, code: ReasonCode) {
        self.push(Reason::of(code));
    }

    /// A block of a member of a closure, as seen from the matched work.
    fn add_block(&mut self, place: Place, work: WorkId, block: Block) {
        let Block { code, ask, entries } = block;
        self.add(place, work, code, ask.into(), entries.into());
    }

    /// What stands against a member of a closure, as seen from the matched work.
    fn add(&mut self, place: Place, work: WorkId, code: ReasonCode, ask: Mostly1<OrgId>, entries: Entries) {
        self.push(reason_at(place, work, code, ask, entries));
    }

    fn push(&mut self, mut reason: Reason) {
        if let Some(known) = self.find(&reason) {
            merge(&mut known.ask, &mut reason.ask);
            merge(&mut known.entries, &mut reason.entries);
            return;
        }
        let place = self.reasons.len();
        if place == FEW_REASONS {
            self.places.extend(self.reasons.iter().enumerate().map(|(place, known)| (kind(known), place)));
        }
        if place >= FEW_REASONS {
            self.places.insert(kind(&reason), place);
        }
        self.reasons.push(reason);
    }

    fn find(&mut self, reason: &Reason) -> Option<&mut Reason> {
        let wanted = kind(reason);
        if self.reasons.len() <= FEW_REASONS {
            return self.reasons.iter_mut().find(|known| kind(known) == wanted);
        }
        self.places.get(&wanted).and_then(|place| self.reasons.get_mut(*place))
    }

    fn list(mut self) -> Mostly1<Reason> {
        self.reasons.sort_unstable_by_key(kind);
        for reason in &mut self.reasons {
            reason.ask = distinct(std::mem::take(&mut reason.ask));
            reason.entries = distinct(std::mem::take(&mut reason.entries));
        }
        self.reasons
    }
}

/// What stands against a member of a closure, as seen from the matched work.
fn reason_at(place: Place, work: WorkId, code: ReasonCode, ask: Mostly1<OrgId>, entries: Entries) -> Reason {
    let (code, because) = match place {
        Place::Matched => (code, None),
        Place::Part => (ReasonCode::PartNotPermitted, Some(code)),
        Place::Layer => (ReasonCode::LayerNotPermitted, Some(code)),
    };
    Reason { code, because, work: Some(work), ask, entries }
}

/// Adds members to a list, in which each is wanted once: before it grows, what it has twice is taken off.
fn merge<A: Array<Item: Ord>>(into: &mut SmallVec<A>, more: &mut SmallVec<A>) {
    if into.len() + more.len() > into.capacity() {
        *into = distinct(std::mem::take(into));
        into.reserve(into.len() + more.len());
    }
    into.append(more);
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
        judge_developer(&Asked::new(seen, question, 0, &Effort::unlimited()), &mut reasons);
        Self { developer: question.developer, model: question.model, is_good: reasons.reasons.is_empty() }
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
pub(super) fn prompt(
    seen: AsOf<'_>,
    question: &Question,
    moment_ms: i64,
    found: Found,
    effort: &Effort,
) -> Option<Prompt> {
    prompt::answer(&Asked::new(seen, question, moment_ms, effort), found)
}

pub(super) fn answer(seen: AsOf<'_>, question: &Question, effort: &Effort, decision: &mut Decision) {
    let asked = Asked::new(seen, question, decision.moment_ms, effort);
    let subjects: Subjects = matching::matches(&asked).into_iter().map(|m| subject(&asked, m)).collect();
    decision.matched = distinct(subjects.iter().map(|subject| seen.work_id(subject.matched.work)).collect());
    decision.uses = judge(&asked, &subjects);
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

/// What is found for one use.
struct OfUse {
    leaf: Use,
    reasons: Reasons,
    works: Vec<CoveredWork>,
}

/// R10: every match must permit; and the developer and its model must be who they are said to be.
fn judge(asked: &Asked<'_>, subjects: &[Subject]) -> Mostly1<UseDecision> {
    let mut uses: Mostly1<OfUse> =
        asked.question.uses.iter().map(|leaf| OfUse::new(asked, *leaf, subjects)).collect();
    for subject in subjects {
        judge_subject(asked, subject, &mut uses);
    }
    let decided = uses.into_iter().map(|of| UseDecision { r#use: of.leaf, outcome: of.outcome(subjects) });
    decided.collect()
}

/// R2: everything in the closure of a match, every holding of it. Which grants speak for a holding is the same for each use.
fn judge_subject(asked: &Asked<'_>, subject: &Subject, uses: &mut [OfUse]) {
    let work = asked.seen.work_id(subject.matched.work);
    let mut covered: Mostly1<Vec<CoveredMember>> = uses.iter().map(|_| Vec::new()).collect();
    for member in &subject.members {
        let attaching = coverage::attaching(asked, member);
        for (of, covered) in uses.iter_mut().zip(&mut covered) {
            covered.extend(of.judge_member(asked, subject, member, &attaching));
        }
    }
    for (of, members) in uses.iter_mut().zip(covered) {
        for block in &subject.blocks {
            of.reasons.add_block(Place::Matched, work, block.clone());
        }
        of.works.extend(NonEmpty::new(members).map(|members| CoveredWork { work, members }));
    }
}

impl OfUse {
    fn new(asked: &Asked<'_>, leaf: Use, subjects: &[Subject]) -> Self {
        let mut reasons = Reasons::default();
        judge_developer(asked, &mut reasons);
        if subjects.is_empty() {
            reasons.add_plain(ReasonCode::NotRegistered);
        }
        near::judge(asked, leaf, subjects, &mut reasons);
        Self { leaf, reasons, works: Vec::with_capacity(subjects.len()) }
    }

    fn judge_member(
        &mut self,
        asked: &Asked<'_>,
        subject: &Subject,
        member: &Member,
        attaching: &Attaching,
    ) -> Option<CoveredMember> {
        let work = asked.seen.work_id(member.work);
        let denied = denial::blocks(asked, self.leaf, member);
        let by_location = subject.matched.by_location;
        let Coverage { covered, missing } = coverage::of(asked, self.leaf, by_location, member, attaching);
        let is_free = denied.is_empty() && member.blocks.is_empty() && missing.is_empty();
        for block in member.blocks.iter().cloned().chain(denied) {
            self.reasons.add_block(member.place, work, block);
        }
        for (code, holding, entry) in missing {
            let holder = asked.seen.holder(holding).map(|org| asked.seen.org_id(org));
            let entries = entry.map(At::get).into_iter().collect();
            self.reasons.add(member.place, work, code, holder.into_iter().collect(), entries);
        }
        if !is_free {
            return None;
        }
        let leaves = covered.into_iter();
        let leaves = leaves.filter_map(|(holding, grant)| coverage::make_leaf(asked.seen, holding, grant));
        let leaves = NonEmpty::new(leaves.collect::<Mostly1<_>>())?;
        Some(CoveredMember { work, leaves })
    }

    fn outcome(self, subjects: &[Subject]) -> Outcome {
        let Self { reasons, works, .. } = self;
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
