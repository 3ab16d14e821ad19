//! R11: over which links a grant on a whole reaches a part.
//!
//! Only over links to which the grantor itself has assented as a confirmed holder of both sides, so that nobody else's linking can
//! widen it. What is sought is since when: the grantor must have held the part's holding at the latest of its grant and its
//! assents on the way.

use hashbrown::HashMap;

use super::Asked;
use super::closure::Member;
use crate::domain::act::Covers;
use crate::domain::index::Ix;
use crate::domain::index::records::{Grant, Org, Work};

/// An effective part link, and since when the grantor's assent to it is good on both sides.
#[derive(Clone, Copy)]
struct Tie {
    part: Ix<Work>,
    whole: Ix<Work>,
    since: u64,
}

/// The ways up from a member, for everybody who assented to any link on them. They are looked for once for each grantor and whole.
pub(super) struct Routes<'m> {
    member: &'m Member,
    ties: Option<HashMap<Ix<Org>, Vec<Tie>>>,
    found: HashMap<(Ix<Org>, Ix<Work>), Route>,
}

/// The ways from a part up to a whole.
struct Route {
    /// By which entry there is one; none if there is none at all.
    first: Option<u64>,
    /// The latest assents of all ways: for each of these entries there is a way of which it is the latest.
    latest: Vec<u64>,
}

impl<'m> Routes<'m> {
    pub(super) fn new(member: &'m Member) -> Self {
        Self { member, ties: None, found: HashMap::new() }
    }

    /// The entries at any of which the grantor must have held a holding of the member for the grant on the whole to speak for it:
    /// the grant itself, or the latest of later assents. None if the grant does not reach the member.
    pub(super) fn moments(
        &mut self,
        asked: &Asked<'_>,
        grant: &Grant,
        whole: Ix<Work>,
    ) -> impl Iterator<Item = u64> {
        let granted = grant.recorded.get();
        let covers = asked.seen.index.licence(grant).covers;
        let route = self.route(asked, grant.grantor, whole);
        let is_there = route.first.is_some_and(|first| match covers {
            Covers::Work => false,
            Covers::WithParts => first < granted,
            Covers::FutureParts => first <= granted,
        });
        let latest = if covers == Covers::FutureParts { route.latest.as_slice() } else { &[] };
        is_there.then_some(granted).into_iter().chain(latest.iter().copied().filter(move |at| *at > granted))
    }

    fn route(&mut self, asked: &Asked<'_>, grantor: Ix<Org>, whole: Ix<Work>) -> &Route {
        let Self { member, ties, found } = self;
        found.entry((grantor, whole)).or_insert_with(|| {
            let ties = ties.get_or_insert_with(|| assented_ties(asked, member));
            let ties = ties.get(&grantor).map_or(&[][..], Vec::as_slice);
            let up = since(asked, ties, member.work, |tie| (tie.part, tie.whole));
            let down = since(asked, ties, whole, |tie| (tie.whole, tie.part));
            let by =
                |known: &HashMap<Ix<Work>, u64>, work, at| known.get(&work).is_some_and(|since| *since <= at);
            let leads = |tie: &&Tie| by(&up, tie.part, tie.since) && by(&down, tie.whole, tie.since);
            let mut latest: Vec<u64> = ties.iter().filter(leads).map(|tie| tie.since).collect();
            latest.sort_unstable();
            latest.dedup();
            Route { first: up.get(&whole).copied(), latest }
        })
    }
}

/// The links from a member upwards to which anybody assented well on both sides, by who did.
fn assented_ties(asked: &Asked<'_>, member: &Member) -> HashMap<Ix<Org>, Vec<Tie>> {
    let seen = asked.seen;
    let mut ties: HashMap<Ix<Org>, Vec<Tie>> = HashMap::new();
    for part in std::iter::once(member.work).chain(member.ancestors.iter().copied()) {
        for ix in seen.parent_links(part) {
            let link = seen.index.parts.at(ix);
            if !asked.takes(1 + link.assents.len()) {
                return ties;
            }
            let whole = seen.canonical(link.whole);
            for assent in link.assents.iter().filter(|assent| seen.seen(assent.good_on_both())) {
                ties.entry(assent.org).or_default().push(Tie { part, whole, since: assent.good_on_both() });
            }
        }
    }
    ties
}

/// By which entry each work can be reached from one: the earliest latest assent of any way there.
fn since(
    asked: &Asked<'_>,
    ties: &[Tie],
    from: Ix<Work>,
    ends: impl Fn(&Tie) -> (Ix<Work>, Ix<Work>),
) -> HashMap<Ix<Work>, u64> {
    let mut known = HashMap::from([(from, 0)]);
    let mut is_new = true;
    while is_new && asked.takes(ties.len()) {
        is_new = false;
        for tie in ties {
            let (near, far) = ends(tie);
            let Some(since) = known.get(&near).map(|since| tie.since.max(*since)) else { continue };
            let before = known.entry(far).or_insert(u64::MAX);
            if since < *before {
                *before = since;
                is_new = true;
            }
        }
    }
    known
}
