//! R8, R3, R4, R12: whether one grant covers one holding whole.

use hashbrown::HashSet;

use super::closure::{Member, Way};
use super::{Asked, Block};
use crate::domain::act::Covers;
use crate::domain::decision::{Leaf, ReasonCode};
use crate::domain::index::records::{At, Grant, Holding, Org, PartLink, Work};
use crate::domain::index::{AsOf, Few, Ix, Mostly1};
use crate::domain::scope::Scope;
use crate::domain::uses::Use;

/// One leaf for each holding and way that a grant covers; the others add what stands against the member.
pub(super) fn leaves(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    member: &Member,
    blocks: &mut Vec<Block>,
) -> Vec<Leaf> {
    let Coverage { covered, missing } = Coverage::of(judged(asked, leaf, by_location, member).into_iter());
    for (code, holding, entry) in missing {
        let ask = super::standing::holders(asked, &[holding]);
        blocks.push(Block { code, ask, entries: entry.map(At::get).into_iter().collect() });
    }
    let leaves = covered.into_iter().filter_map(|(holding, grant)| make_leaf(asked.seen, holding, grant));
    leaves.collect()
}

/// Which holdings of a member are covered, and by which grant; and why the others are not.
#[derive(Default)]
pub(super) struct Coverage {
    pub(super) covered: Mostly1<(Ix<Holding>, Ix<Grant>)>,
    pub(super) missing: Mostly1<(ReasonCode, Ix<Holding>, Option<At>)>,
}

impl Coverage {
    /// What it amounts to that these grants come nearest.
    pub(super) fn of<'a>(judged: impl Iterator<Item = (Ix<Holding>, Nearest<'a>)>) -> Self {
        let mut all = Self::default();
        for (holding, nearest) in judged {
            match nearest {
                Nearest::Covers(ix, _) => all.covered.push((holding, ix)),
                Nearest::Misses(code, entry) => all.missing.push((code, holding, Some(entry))),
                Nearest::None => all.missing.push((ReasonCode::NoGrant, holding, None)),
            }
        }
        if all.covered.is_empty() {
            return all;
        }
        for (code, _, entry) in &mut all.missing {
            // A grant for others is as good as none, also in what is told: a developer must not learn of it by the difference.
            if matches!(code, ReasonCode::NoGrant | ReasonCode::DeveloperNotCovered) {
                (*code, *entry) = (ReasonCode::PartlyGranted, None);
            }
        }
        all
    }
}

/// What comes nearest to covering each holding in each way by which the member was reached.
pub(super) fn judged<'a>(
    asked: &Asked<'a>,
    leaf: Use,
    by_location: bool,
    member: &Member,
) -> Few<(Ix<Holding>, Nearest<'a>)> {
    let mut judged = Few::new();
    for holding in &member.holdings {
        let attaching = attaching(asked, member, *holding);
        for way in &member.ways {
            let candidates = attaching.iter().copied().filter(|(_, grant)| counts_there(asked, grant, *way));
            judged.push((*holding, nearest(asked, leaf, by_location, *holding, candidates)));
        }
    }
    judged
}

/// The proof that this grant covers this holding.
pub(super) fn make_leaf(seen: AsOf<'_>, holding: Ix<Holding>, ix: Ix<Grant>) -> Option<Leaf> {
    let grant = seen.index.grants.at(ix);
    let licence = seen.index.licence(grant);
    Some(Leaf {
        holding: seen.index.holdings.id(holding),
        holder: seen.org_id(seen.holder(holding)?),
        grant: seen.index.grants.id(ix),
        entry: grant.recorded.get(),
        conditions: licence.conditions.clone(),
        terms: licence.terms,
    })
}

/// What decides which of several grants is the nearest, the least first: whether it is for other developers, how much it
/// misses, the first of that in the order in which people are told, and the later grant before the earlier.
type Rank = (bool, usize, usize, std::cmp::Reverse<At>);

/// The grant that comes nearest.
pub(super) enum Nearest<'a> {
    /// It covers.
    Covers(Ix<Grant>, &'a Grant),
    /// It misses in this, first; and its entry.
    Misses(ReasonCode, At),
    /// There is none.
    None,
}

/// The earliest grant that covers; else the first miss of the one that misses least.
pub(super) fn nearest<'a>(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    holding: Ix<Holding>,
    candidates: impl Iterator<Item = (Ix<Grant>, &'a Grant)>,
) -> Nearest<'a> {
    let mut covering: Option<(Ix<Grant>, &Grant)> = None;
    let mut best: Option<(Rank, ReasonCode)> = None;
    for (ix, grant) in candidates {
        let misses = misses(asked, leaf, by_location, holding, grant);
        let Some((order, first)) =
            misses.iter().enumerate().find_map(|(order, miss)| miss.map(|code| (order, code)))
        else {
            if covering.is_none_or(|(_, earlier)| grant.recorded < earlier.recorded) {
                covering = Some((ix, grant));
            }
            continue;
        };
        let count = misses.iter().flatten().count();
        let rank =
            (first == ReasonCode::DeveloperNotCovered, count, order, std::cmp::Reverse(grant.recorded));
        if best.as_ref().is_none_or(|(other, _)| rank < *other) {
            best = Some((rank, first));
        }
    }
    match (covering, best) {
        (Some((ix, grant)), _) => Nearest::Covers(ix, grant),
        (None, Some(((_, _, _, entry), code))) => Nearest::Misses(code, entry.0),
        (None, None) => Nearest::None,
    }
}

/// R8, R12: in what a grant does not cover the question, in the order in which people are told.
fn misses(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    holding: Ix<Holding>,
    grant: &Grant,
) -> [Option<ReasonCode>; 8] {
    let (question, licence) = (asked.question, asked.seen.index.licence(grant));
    let miss = |missed: bool, code: ReasonCode| missed.then_some(code);
    if !licence.developers.covers(Some(&question.developer)) {
        return [Some(ReasonCode::DeveloperNotCovered), None, None, None, None, None, None, None];
    }
    asked.boundary(grant.term.from_ms);
    asked.boundary(grant.term.until_ms);
    [
        None,
        miss(!licence.uses.contains(leaf), ReasonCode::UseNotCovered),
        miss(!licence.models.covers(question.model.as_ref()), ReasonCode::ModelNotCovered),
        miss(!licence.territories.covers(question.territory.as_ref()), ReasonCode::TerritoryNotCovered),
        miss(by_location && !licence.by_location, ReasonCode::LocationOnly),
        miss(asked.moment_ms < grant.term.from_ms, ReasonCode::NotYetEffective),
        miss(asked.moment_ms >= grant.term.until_ms, ReasonCode::Expired),
        miss(is_stopped(asked, holding, grant), ReasonCode::Revoked),
    ]
}

/// R4, R3, R12: revoked, or stopped with the one who recorded it, its principal, its present holder or its mandate.
fn is_stopped(asked: &Asked<'_>, holding: Ix<Holding>, grant: &Grant) -> bool {
    let mut revoked = false;
    for revocation in asked.seen.revocations(grant) {
        asked.boundary(revocation.from_ms);
        revoked |= revocation.from_ms <= asked.moment_ms;
    }
    let concerned = [Some(grant.recorder), Some(grant.grantor), asked.seen.holder(holding)];
    let suspended = concerned.into_iter().flatten().any(|org| asked.seen.suspension(org).is_some());
    revoked || suspended || mandate_ended(asked, grant)
}

/// R3: a grant survives the end of its mandate only if the mandate says so.
fn mandate_ended(asked: &Asked<'_>, grant: &Grant) -> bool {
    let Some(mandate) = grant.mandate.map(|ix| asked.seen.index.mandates.at(ix)) else { return false };
    if mandate.grants_survive {
        return false;
    }
    asked.boundary(mandate.term.until_ms);
    asked.seen.seen(mandate.ended) || asked.moment_ms >= mandate.term.until_ms
}

/// R8: a grant limited to a layer counts only where the work is that layer.
pub(super) fn counts_there(asked: &Asked<'_>, grant: &Grant, way: Way) -> bool {
    match (&asked.seen.index.licence(grant).as_layer_of, way) {
        (Scope::Any, _) => true,
        (Scope::Only(_), Way::Root) => false,
        (Scope::Only(works), Way::LayerOf { host, seen_from }) => {
            asked.seen.names(works, host) || asked.seen.names(works, seen_from)
        }
    }
}

/// The grants on a work itself that speak for this holding of it.
pub(super) fn own<'a>(
    asked: &Asked<'a>,
    work: Ix<Work>,
    holding: Ix<Holding>,
) -> impl Iterator<Item = (Ix<Grant>, &'a Grant)> {
    let seen = asked.seen;
    seen.grants_back(work)
        .filter(move |(_, grant)| seen.held_well(holding, grant.recorded.get(), grant.grantor))
}

/// The grants that speak for this holding of the member: on the member itself, and on its ancestors with their parts.
fn attaching<'a>(asked: &Asked<'a>, member: &Member, holding: Ix<Holding>) -> Few<(Ix<Grant>, &'a Grant)> {
    let seen = asked.seen;
    let own =
        seen.grants(member.work).filter(|(_, grant)| held(asked, holding, grant.recorded, grant.grantor));
    let mut attaching: Few<_> = own.collect();
    for ancestor in member.ancestors.iter().filter(|ancestor| **ancestor != member.work) {
        attaching.extend(seen.grants(*ancestor).filter(|(_, grant)| {
            seen.index.licence(grant).covers != Covers::Work
                && grant.mandate.is_none_or(|ix| seen.mandate_covers(seen.index.mandates.at(ix), member.work))
                && reaches_part(asked, grant, *ancestor, member.work, holding)
        }));
    }
    attaching
}

/// R4: who held it then, and still speaks through what was granted then.
fn held(asked: &Asked<'_>, holding: Ix<Holding>, entry: impl Into<u64>, org: Ix<Org>) -> bool {
    asked.seen.held_well(holding, entry.into(), org)
}

/// R11: a grant on a whole reaches a part only over links to which the grantor itself has assented as a confirmed
/// holder of both sides, so that nobody else's linking can widen it.
fn reaches_part(
    asked: &Asked<'_>,
    grant: &Grant,
    whole: Ix<Work>,
    part: Ix<Work>,
    holding: Ix<Holding>,
) -> bool {
    let mut ties = assented_ties(asked, part, grant.grantor);
    let granted = grant.recorded.get();
    if asked.seen.index.licence(grant).covers == Covers::WithParts {
        ties.retain(|tie| tie.since < granted);
    }
    // The latest of the grant and the assents on the way: at the grant itself, or at each later assent.
    let later = ties.iter().map(|tie| tie.since).filter(|since| *since > granted);
    let moments: Vec<u64> = std::iter::once(granted).chain(later).collect();
    moments.into_iter().filter(|moment| held(asked, holding, *moment, grant.grantor)).any(|moment| {
        let usable: Vec<Tie> = ties.iter().filter(|tie| tie.since <= moment).copied().collect();
        if moment == granted {
            return reachable(&usable, part).contains(&whole);
        }
        // A way whose latest assent is exactly this one leads over its link.
        let mut last = usable.iter().filter(|tie| tie.since == moment);
        last.any(|tie| {
            reachable(&usable, part).contains(&tie.part) && reachable(&usable, tie.whole).contains(&whole)
        })
    })
}

/// An effective part link, and since when the grantor's assent to it is good on both sides.
#[derive(Clone, Copy)]
struct Tie {
    part: Ix<Work>,
    whole: Ix<Work>,
    since: u64,
}

fn assented_ties(asked: &Asked<'_>, part: Ix<Work>, org: Ix<Org>) -> Vec<Tie> {
    let seen = asked.seen;
    let mut ties = Vec::new();
    for work in std::iter::once(part).chain(seen.ancestors(part)) {
        for ix in seen.parent_links(work) {
            let link: &PartLink = seen.index.parts.at(ix);
            let good = link
                .assents
                .iter()
                .filter(|assent| assent.org == org)
                .map(crate::domain::index::records::Assent::good_on_both);
            if let Some(since) = good.filter(|since| seen.seen(*since)).min() {
                ties.push(Tie { part: work, whole: seen.canonical(link.whole), since });
            }
        }
    }
    ties
}

fn reachable(ties: &[Tie], from: Ix<Work>) -> HashSet<Ix<Work>> {
    let mut known: HashSet<Ix<Work>> = std::iter::once(from).collect();
    let mut open = vec![from];
    while let Some(work) = open.pop() {
        for tie in ties.iter().filter(|tie| tie.part == work) {
            if known.insert(tie.whole) {
                open.push(tie.whole);
            }
        }
    }
    known
}
