//! The short way to the commonest answers.
//!
//! It is taken for one use of one key that nothing but confirmed bindings, holdings and links stands behind, and asks
//! the same functions as the long way. Where anything else comes in sight (a merge, a claim, a transfer, a part, an
//! opt-out), there is no answer here, and the long way is taken: it alone knows all the rules. What is answered here is
//! small, and turned into the whole [`Decision`] when somebody asks for it. Tests hold the two ways against each other.

use smallvec::{SmallVec, smallvec};

use super::closure::{Place, Way};
use super::coverage::{self, Coverage, Nearest};
use super::{Asked, Reasons, denial, reason_at, refusal_without_reason};
use crate::domain::decision::{
    CoveredMember, CoveredWork, Decision, Entries, NonEmpty, Outcome, Permitted, Reason, ReasonCode,
    UseDecision,
};
use crate::domain::index::ahead::Found;
use crate::domain::index::records::{At, Grant, Holding, Marks, Org, Others, Ties, Work};
use crate::domain::index::{AsOf, Few, Ix, Mostly1};
use crate::domain::key::{Key, SubjectKey};
use crate::domain::uses::Use;

/// The most layers of a work that is judged here.
const MAX_LAYERS: usize = 15;

/// The answer for one use of one key.
pub(in crate::domain::decide) struct Prompt {
    leaf: Use,
    matched: Option<Ix<Work>>,
    answer: Answered,
    valid_until_ms: i64,
}

enum Answered {
    /// Every holding of every member is granted; at least one.
    Permitted(SmallVec<[Ground; 2]>),
    /// At least one cause.
    NotPermitted(SmallVec<[Cause; 2]>),
}

/// A holding and the grant that covers it.
struct Ground {
    member: Ix<Work>,
    holding: Ix<Holding>,
    grant: Ix<Grant>,
}

/// Something that stands in the way.
struct Cause {
    code: ReasonCode,
    place: Place,
    work: Option<Ix<Work>>,
    ask: Option<Ix<Org>>,
    entry: Option<At>,
}

/// What was judged so far.
#[derive(Default)]
struct Judged {
    grounds: SmallVec<[Ground; 2]>,
    causes: SmallVec<[Cause; 2]>,
    holdings: usize,
}

/// The answer, if nothing out of the ordinary is in sight. The developer and its model are good: who asks has looked.
pub(in crate::domain::decide) fn answer(asked: &Asked<'_>, found: Found) -> Option<Prompt> {
    let (&[leaf], [key]) = (asked.question.uses.as_slice(), asked.question.subject.as_slice()) else {
        return None;
    };
    if asked.question.with_parts || !is_plain_key(asked, key) {
        return None;
    }
    let Some(work) = matched(asked, found)? else {
        let code = ReasonCode::NotRegistered;
        let cause = Cause { code, place: Place::Matched, work: None, ask: None, entry: None };
        let answer = Answered::NotPermitted(smallvec![cause]);
        return Some(Prompt { leaf, matched: None, answer, valid_until_ms: asked.valid_until_ms.get() });
    };
    let mut judged = Judged::default();
    judge(asked, leaf, work, Way::Root, &mut judged)?;
    if let Some(ties) = asked.seen.index.ties_of(work) {
        for (layer, way) in layers(asked, work, ties)? {
            judge(asked, leaf, layer, way, &mut judged)?;
        }
    }
    if !asked.takes(0) {
        return None;
    }
    let Judged { grounds, causes, holdings } = judged;
    let answer = match (causes.is_empty(), grounds.is_empty()) {
        (false, _) => Answered::NotPermitted(causes),
        (true, false) if grounds.len() == holdings => Answered::Permitted(grounds),
        (true, _) => return None,
    };
    Some(Prompt { leaf, matched: Some(work), answer, valid_until_ms: asked.valid_until_ms.get() })
}

/// Whether the key matches exactly or not at all, and nothing is reserved for it.
fn is_plain_key(asked: &Asked<'_>, key: &SubjectKey) -> bool {
    let SubjectKey::Key(key) = key else { return true };
    let prefixed = &asked.seen.index.prefixed;
    let matches_exactly = match key {
        Key::Url { .. } => prefixed.is_empty() || !key.site().is_some_and(|site| prefixed.has(site)),
        Key::Sha256 { .. } | Key::Id { .. } => true,
        Key::UrlPrefix { .. } | Key::Iscc { .. } => false,
    };
    matches_exactly && asked.seen.reservations_of(key).is_empty()
}

/// The matched work, or that there is none.
#[expect(clippy::option_option, reason = "no answer, and the answer that nothing matches")]
fn matched(asked: &Asked<'_>, found: Found) -> Option<Option<Ix<Work>>> {
    let seen = asked.seen;
    match found {
        Found::Unsought => None,
        Found::Nothing => Some(None),
        Found::Work(work) => seen.seen(seen.index.works.at(work).registered).then_some(Some(work)),
        Found::Binding(ix) => {
            let (work, asserted, confirmed) = seen.index.plain_binding(ix)?;
            (seen.seen(asserted) && seen.seen(confirmed)).then_some(Some(work))
        }
    }
}

/// All layers of the matched work, each reached in one way.
fn layers(asked: &Asked<'_>, work: Ix<Work>, ties: &Ties) -> Option<Few<(Ix<Work>, Way)>> {
    let seen = asked.seen;
    let mut layers: Few<(Ix<Work>, Way)> = Few::new();
    let (mut host, mut ties, mut next) = (work, Some(ties), 0);
    loop {
        if let Some(ties) = ties {
            if !are_plain(ties) {
                return None;
            }
            for link in seen.layer_links(host) {
                let layer = seen.index.layers.at(link).layer;
                let is_known = layer == work || layers.iter().any(|(known, _)| *known == layer);
                if layers.len() == MAX_LAYERS || is_known {
                    return None;
                }
                layers.push((layer, Way::LayerOf { host, seen_from: host }));
            }
        }
        let Some((layer, _)) = layers.get(next) else { return Some(layers) };
        (host, ties) = (*layer, seen.index.ties_of(*layer));
        next += 1;
    }
}

/// Whether a work stands by itself, but for layers and parts, and nobody ever said anything against it.
fn are_plain(ties: &Ties) -> bool {
    ties.withdrawn == At::NEVER
        && ties.merged_into.is_none()
        && ties.absorbed.is_none()
        && ties.parents.is_none()
        && ties.claims.is_none()
        && ties.disputes.is_none()
}

/// R2: every holding of a member. There is no answer where anything stands against the member itself.
fn judge(asked: &Asked<'_>, leaf: Use, member: Ix<Work>, way: Way, judged: &mut Judged) -> Option<()> {
    let seen = asked.seen;
    let work = seen.index.works.at(member);
    if !seen.seen(work.registered) || work.marks.has(Marks::CONTESTED) || work.marks.has(Marks::RESERVED) {
        return None;
    }
    let place = if way == Way::Root { Place::Matched } else { Place::Layer };
    let cause = |code, ask, entry| Cause { code, place, work: Some(member), ask, entry };
    let others = seen.index.others_of(work);
    let mut next = others.denials;
    while let Some(denial) = next.map(|ix| seen.index.denial(ix)) {
        next = denial.before;
        if !asked.takes(1) {
            return None;
        }
        if seen.denial_stands(&denial) && denial::applies(asked, leaf, &denial) {
            judged.causes.push(cause(ReasonCode::Denied, Some(denial.principal), Some(denial.recorded)));
        }
    }
    let nearest = |holding| {
        let candidates = coverage::own(asked, member, holding);
        let there = candidates.filter(|(_, grant)| coverage::counts_there(asked, grant, way));
        coverage::nearest(asked, leaf, false, holding, there)
    };
    if let Some(holding) = sole_holding(seen, work, others) {
        judged.holdings += 1;
        let holder = Some(work.registrant);
        match nearest(holding) {
            Nearest::Covers(grant, _) => judged.grounds.push(Ground { member, holding, grant }),
            Nearest::Misses(code, entry) => judged.causes.push(cause(code, holder, Some(entry))),
            Nearest::None => judged.causes.push(cause(ReasonCode::NoGrant, holder, None)),
        }
        return Some(());
    }
    let holdings = seen.index.holdings_of(member);
    let all_plain =
        !holdings.is_empty() && holdings.iter().all(|it| is_plain(seen, &seen.index.holding(*it)));
    if !all_plain
        || !seen.roster_complete_by(member, &holdings)
        || !seen.layers_complete_by(member, &holdings)
    {
        return None;
    }
    judged.holdings += holdings.len();
    if !asked.takes(holdings.len()) {
        return None;
    }
    let Coverage { covered, missing } =
        Coverage::of(holdings.iter().map(|holding| (*holding, nearest(*holding))));
    for (code, holding, entry) in missing {
        judged.causes.push(cause(code, seen.holder(holding), entry));
    }
    for (holding, grant) in covered {
        judged.grounds.push(Ground { member, holding, grant });
    }
    Some(())
}

/// Whether a holding stands, confirmed, with the one who held it first.
fn is_plain(seen: AsOf<'_>, holding: &Holding) -> bool {
    seen.seen(holding.asserted)
        && seen.seen(holding.confirmed)
        && holding.ended == At::NEVER
        && holding.handed_on.is_none()
}

/// The only holding that a work ever had, if it is a plain one of the registrant, who declared both lists complete: most
/// of a catalogue.
fn sole_holding(seen: AsOf<'_>, work: &Work, others: Others) -> Option<Ix<Holding>> {
    let is_declared =
        others.ties.is_none() && work.marks.has(Marks::ROSTER) && work.marks.has(Marks::LAYERING);
    let ix = work.holdings.filter(|_| is_declared)?;
    if let Some(confirmed) = seen.index.plain_holding(ix) {
        return seen.seen(confirmed).then_some(ix);
    }
    let holding = seen.index.holding(ix);
    let Work { registrant, registered, .. } = *work;
    let is_registrants = holding.first_holder == registrant && holding.asserted <= registered;
    (holding.before.is_none() && is_registrants && is_plain(seen, &holding)).then_some(ix)
}

impl Prompt {
    /// Whether the use is permitted.
    pub(in crate::domain::decide) fn is_permitted(&self) -> bool {
        matches!(&self.answer, Answered::Permitted(grounds) if !grounds.is_empty())
    }

    /// The whole decision, from what was seen when this was answered.
    pub(in crate::domain::decide) fn decision(self, seen: AsOf<'_>, decision: &mut Decision) {
        decision.matched = self.matched.map_or_else(Mostly1::new, |work| smallvec![seen.work_id(work)]);
        let outcome = match self.answer {
            Answered::Permitted(grounds) => self
                .matched
                .and_then(|work| proof(seen, work, &grounds))
                .map_or_else(refusal_without_reason, Outcome::Permitted),
            Answered::NotPermitted(causes) => {
                let reasons = NonEmpty::new(reasons(seen, &causes));
                reasons.map_or_else(refusal_without_reason, Outcome::NotPermitted)
            }
        };
        decision.uses.push(UseDecision { r#use: self.leaf, outcome });
        decision.valid_until_ms = self.valid_until_ms;
    }
}

/// The proof that rests on these grounds: all of them, or there is none.
fn proof(seen: AsOf<'_>, work: Ix<Work>, grounds: &[Ground]) -> Option<Permitted> {
    let mut members = Mostly1::new();
    for grounds in grounds.chunk_by(|one, other| one.member == other.member) {
        let mut leaves = Mostly1::new();
        for it in grounds {
            leaves.push(coverage::make_leaf(seen, it.holding, it.grant)?);
        }
        let leaves = NonEmpty::new(leaves)?;
        members.push(CoveredMember { work: seen.work_id(grounds.first()?.member), leaves });
    }
    let members = NonEmpty::new(members)?;
    let works: Mostly1<_> = smallvec![CoveredWork { work: seen.work_id(work), members }];
    Some(Permitted { works: NonEmpty::new(works)? })
}

fn reasons(seen: AsOf<'_>, causes: &[Cause]) -> Mostly1<Reason> {
    if let [cause] = causes {
        return smallvec![reason(seen, cause)];
    }
    let mut reasons = Reasons::default();
    for cause in causes {
        reasons.push(reason(seen, cause));
    }
    reasons.list()
}

fn reason(seen: AsOf<'_>, cause: &Cause) -> Reason {
    let Cause { code, place, work, ask, entry } = cause;
    let Some(work) = work else { return Reason::of(*code) };
    let ask = ask.map_or_else(Mostly1::new, |org| smallvec![seen.org_id(org)]);
    let entries = entry.map_or_else(Entries::new, |entry| smallvec![entry.get()]);
    reason_at(*place, seen.work_id(*work), *code, ask, entries)
}
