//! R8, R3, R4, R12: whether one grant covers one holding whole.

use hashbrown::HashMap;

use super::Asked;
use super::closure::{Member, Way};
use super::routes::Routes;
use crate::domain::act::Covers;
use crate::domain::decision::{Leaf, ReasonCode, sorted};
use crate::domain::index::records::{At, Grant, Holding, Mandate, Org, Work};
use crate::domain::index::{AsOf, Few, Ix, Mostly1};
use crate::domain::scope::Scope;
use crate::domain::uses::Use;

/// Which holdings of a member are covered for a use in each way, and why the others are not: each grant and each reason once
/// for a holding, in however many ways it is the same.
pub(super) fn of(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    member: &Member,
    attaching: &Attaching,
) -> Coverage {
    Coverage::of(judged(asked, leaf, by_location, member, attaching).into_iter())
}

/// Which holdings of a member are covered, and by which grant; and why the others are not.
#[derive(Default)]
pub(super) struct Coverage {
    pub(super) covered: Mostly1<(Ix<Holding>, Ix<Grant>)>,
    pub(super) missing: Mostly1<(ReasonCode, Ix<Holding>, Option<At>)>,
}

impl Coverage {
    /// What it amounts to that these grants come nearest.
    pub(super) fn of(judged: impl Iterator<Item = (Ix<Holding>, Nearest)>) -> Self {
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

/// What comes nearest to covering each holding in any way by which the member was reached: each once.
pub(super) fn judged(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    member: &Member,
    attaching: &Attaching,
) -> Few<(Ix<Holding>, Nearest)> {
    let (mut judged, mut named) = (Few::new(), Named::default());
    for (holding, grants) in attaching {
        let known = judged.len();
        for way in ways_apart(asked, member, grants) {
            if !asked.takes(1) {
                return judged;
            }
            let grants = grants.iter().map(|ix| (*ix, asked.seen.index.grant(*ix)));
            let there = grants.filter(|(ix, grant)| named.counts(asked, *ix, grant, *way));
            let nearest = nearest(asked, leaf, by_location, *holding, there);
            // There are never more of them than grants, and one.
            if !judged.iter().skip(known).any(|(_, other)| *other == nearest) {
                judged.push((*holding, nearest));
            }
        }
    }
    judged
}

/// The ways in which these grants may count differently: all, if any of them is limited to layers; else any one.
fn ways_apart<'m>(asked: &Asked<'_>, member: &'m Member, grants: &[Ix<Grant>]) -> &'m [Way] {
    let index = asked.seen.index;
    let is_limited = |ix: &Ix<Grant>| index.licence(&index.grant(*ix)).as_layer_of != Scope::Any;
    let ways = member.ways.as_slice();
    if grants.iter().any(is_limited) { ways } else { ways.get(..1).unwrap_or_default() }
}

/// The works that grants are limited to as layers, by grant: sorted. Each list is looked up once.
#[derive(Default)]
struct Named(HashMap<Ix<Grant>, Vec<Ix<Work>>>);

impl Named {
    /// As [`counts_there`].
    fn counts(&mut self, asked: &Asked<'_>, ix: Ix<Grant>, grant: &Grant, way: Way) -> bool {
        let seen = asked.seen;
        match (&seen.index.licence(grant).as_layer_of, way) {
            (Scope::Any, _) => true,
            (Scope::Only(_), Way::Root) => false,
            (Scope::Only(works), Way::LayerOf { host, seen_from }) => {
                let named = self.0.entry(ix).or_insert_with(|| {
                    let works = works.iter().take_while(|_| asked.takes(1)).filter_map(|id| seen.work(*id));
                    sorted(works.map(|work| seen.canonical(work)))
                });
                let is_named = |work| named.binary_search(work).is_ok();
                asked.takes(1) && (is_named(&host) || is_named(&seen_from))
            }
        }
    }
}

/// The proof that this grant covers this holding.
pub(super) fn make_leaf(seen: AsOf<'_>, holding: Ix<Holding>, ix: Ix<Grant>) -> Option<Leaf> {
    let grant = seen.index.grant(ix);
    let licence = seen.index.licence(&grant);
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
#[derive(Clone, Copy)]
pub(super) enum Nearest {
    /// It covers; and its entry.
    Covers(Ix<Grant>, At),
    /// It misses in this, first; and its entry.
    Misses(ReasonCode, At),
    /// There is none.
    None,
}

impl PartialEq for Nearest {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Covers(grant, _), Self::Covers(other, _)) => grant == other,
            (Self::Misses(code, entry), Self::Misses(other, at)) => (code, entry) == (other, at),
            (Self::None, Self::None) => true,
            _ => false,
        }
    }
}

/// The earliest grant that covers; else the first miss of the one that misses least.
pub(super) fn nearest(
    asked: &Asked<'_>,
    leaf: Use,
    by_location: bool,
    holding: Ix<Holding>,
    candidates: impl Iterator<Item = (Ix<Grant>, Grant)>,
) -> Nearest {
    let mut covering: Option<(Ix<Grant>, At)> = None;
    let mut best: Option<(Rank, ReasonCode)> = None;
    for (ix, grant) in candidates {
        if !asked.takes(1) {
            break;
        }
        let misses = misses(asked, leaf, by_location, holding, &grant);
        let Some((order, first)) =
            misses.iter().enumerate().find_map(|(order, miss)| miss.map(|code| (order, code)))
        else {
            if covering.is_none_or(|(_, earlier)| grant.recorded < earlier) {
                covering = Some((ix, grant.recorded));
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
        (Some((ix, entry)), _) => Nearest::Covers(ix, entry),
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
    for revocation in asked.seen.revocations(grant).take_while(|_| asked.takes(1)) {
        asked.boundary(revocation.from_ms);
        revoked |= revocation.from_ms <= asked.moment_ms;
    }
    let is_suspended = |org| asked.seen.suspension(org).is_some();
    // Mostly all three are one.
    let others = [Some(grant.recorder), asked.seen.holder(holding)].into_iter().flatten();
    let suspended =
        is_suspended(grant.grantor) || others.filter(|org| *org != grant.grantor).any(is_suspended);
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
            asked.takes(works.len()) && (asked.seen.names(works, host) || asked.seen.names(works, seen_from))
        }
    }
}

/// The grants on a work itself that speak for this holding of it.
pub(super) fn own<'a, 'q>(
    asked: &'q Asked<'a>,
    work: Ix<Work>,
    holding: Ix<Holding>,
) -> impl Iterator<Item = (Ix<Grant>, Grant)> + use<'a, 'q> {
    let seen = asked.seen;
    seen.grants_back(work)
        .take_while(|_| asked.takes(1))
        .filter(move |(_, grant)| seen.held_well(holding, grant.recorded.get(), grant.grantor))
}

/// Each holding of a member, with the grants that speak for it: on the member itself, and on its ancestors with their parts.
pub(super) type Attaching = Few<(Ix<Holding>, Few<Ix<Grant>>)>;

/// Which grants speak for the holdings of a member. Those of who never held a holding do not speak for it, and are not looked at
/// for it.
pub(super) fn attaching(asked: &Asked<'_>, member: &Member) -> Attaching {
    let seen = asked.seen;
    let mut attaching: Attaching = member.holdings.iter().map(|ix| (*ix, Few::new())).collect();
    let held = Held::of(asked, &member.holdings);
    for (ix, grant) in seen.grants_back(member.work) {
        if !asked.takes(1) {
            return attaching;
        }
        for (_, place) in held.by(grant.grantor) {
            let Some((holding, grants)) = attaching.get_mut(*place) else { continue };
            if asked.takes(1) && seen.held_well(*holding, grant.recorded.get(), grant.grantor) {
                grants.push(ix);
            }
        }
    }
    let mut routes = Routes::new(member);
    let mut mandates = HashMap::new();
    // R3: what an agent recorded reaches only works over which it had the power.
    let mut has_mandate = |mandate: Option<Ix<Mandate>>| {
        let covers = |ix| covers_part(asked, seen.index.mandates.at(ix), member.work);
        mandate.is_none_or(|ix| *mandates.entry(ix).or_insert_with(|| covers(ix)))
    };
    for ancestor in member.ancestors.iter().copied().filter(|ancestor| *ancestor != member.work) {
        for (ix, grant) in seen.grants_back(ancestor) {
            if !asked.takes(1) {
                return attaching;
            }
            let held = held.by(grant.grantor);
            if seen.index.licence(&grant).covers == Covers::Work || held.is_empty() {
                continue;
            }
            let moments: Few<u64> = routes.moments(asked, &grant, ancestor).collect();
            if moments.is_empty() || !has_mandate(grant.mandate) {
                continue;
            }
            for (_, place) in held {
                let Some((holding, grants)) = attaching.get_mut(*place) else { continue };
                let held_then = |moment: &u64| seen.held_well(*holding, *moment, grant.grantor);
                if asked.takes(moments.len()) && moments.iter().any(held_then) {
                    grants.push(ix);
                }
            }
        }
    }
    attaching
}

fn covers_part(asked: &Asked<'_>, mandate: &Mandate, part: Ix<Work>) -> bool {
    asked.takes(mandate.works.members().map_or(1, <[_]>::len)) && asked.seen.mandate_covers(mandate, part)
}

/// Who ever held which of some holdings, by the places of these: sorted.
struct Held(Few<(Ix<Org>, usize)>);

impl Held {
    fn of(asked: &Asked<'_>, holdings: &[Ix<Holding>]) -> Self {
        let mut held = Few::new();
        for (place, holding) in holdings.iter().enumerate() {
            for org in asked.seen.ever_held(*holding).take_while(|_| asked.takes(1)) {
                held.push((org, place));
            }
        }
        held.sort_unstable();
        held.dedup();
        Self(held)
    }

    /// Which of them this organization ever held.
    fn by(&self, org: Ix<Org>) -> &[(Ix<Org>, usize)] {
        let from = self.0.partition_point(|(other, _)| *other < org);
        let rest = self.0.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|(other, _)| *other == org)).unwrap_or_default()
    }
}
