//! R7: a work, its parts when asked for, their layers and the layers of their ancestors, transitively.

use hashbrown::HashMap;

use super::{Asked, Block, standing};
use crate::domain::decision::ReasonCode;
use crate::domain::index::records::{Holding, Work};
use crate::domain::index::{Few, Ix, Mostly1};

/// The most members of a closure; a larger one is never permitted.
pub(super) const MAX_MEMBERS: usize = 1_024;

/// Where a member stands, seen from the matched work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The matched work itself.
    Matched,
    /// A part of it.
    Part,
    /// Incorporated.
    Layer,
}

/// One way by which a member was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As the matched work or a part that was asked for.
    Root,
    /// As a layer of `host`, which is `seen_from` or an ancestor of it.
    LayerOf {
        /// What incorporates it.
        host: Ix<Work>,
        /// The member that was being looked at.
        seen_from: Ix<Work>,
    },
}

/// A member of the closure, and what of it does not depend on the use.
pub(super) struct Member {
    pub(super) work: Ix<Work>,
    pub(super) place: Place,
    pub(super) ways: Few<Way>,
    pub(super) ancestors: Few<Ix<Work>>,
    pub(super) holdings: Few<Ix<Holding>>,
    pub(super) blocks: Vec<Block>,
}

impl Member {
    fn new(work: Ix<Work>, place: Place, way: Way) -> Self {
        let ways = std::iter::once(way).collect();
        Self { work, place, ways, ancestors: Few::new(), holdings: Few::new(), blocks: Vec::new() }
    }
}

/// Up to how many members are looked through one by one; beyond that there is a table.
const NEAR: usize = 8;

/// The members found so far, each once.
#[derive(Default)]
struct Found {
    members: Mostly1<Member>,
    places: HashMap<Ix<Work>, usize>,
}

impl Found {
    fn push(&mut self, member: Member) {
        let place = self.members.len();
        if place == NEAR {
            self.places.extend(self.members.iter().enumerate().map(|(place, each)| (each.work, place)));
        }
        if place >= NEAR {
            self.places.insert(member.work, place);
        }
        self.members.push(member);
    }

    fn find(&mut self, work: Ix<Work>) -> Option<&mut Member> {
        if self.members.len() <= NEAR {
            return self.members.iter_mut().find(|member| member.work == work);
        }
        self.places.get(&work).and_then(|place| self.members.get_mut(*place))
    }

    fn reach_layer(&mut self, layer: Ix<Work>, way: Way) {
        match self.find(layer) {
            // Each host is looked at once from each member: two of its links lead to one layer right after each other.
            Some(member) if member.ways.last() == Some(&way) => {}
            Some(member) => member.ways.push(way),
            None => self.push(Member::new(layer, Place::Layer, way)),
        }
    }
}

/// The members, the matched work first; or what stands against a closure that is too large.
pub(super) fn members(asked: &Asked<'_>, work: Ix<Work>) -> Result<Mostly1<Member>, Block> {
    let mut found = Found::default();
    found.push(Member::new(work, Place::Matched, Way::Root));
    if asked.question.with_parts {
        let parts = asked.seen.descendants_up_to(work, MAX_MEMBERS).into_iter();
        parts
            .filter(|part| *part != work)
            .for_each(|part| found.push(Member::new(part, Place::Part, Way::Root)));
    }
    let mut next = 0;
    while let Some(member) = found.members.get(next).map(|member| member.work) {
        if found.members.len() > MAX_MEMBERS {
            return Err(Block { code: ReasonCode::LayersIncomplete, ask: Vec::new(), entries: Vec::new() });
        }
        let ancestors = asked.seen.ancestors(member);
        for host in std::iter::once(member).chain(ancestors.iter().copied()) {
            if !asked.takes(1) {
                return Ok(Mostly1::new());
            }
            for link in asked.seen.layer_links(host).into_iter().take_while(|_| asked.takes(1)) {
                let layer = asked.seen.canonical(asked.seen.index.layers.at(link).layer);
                found.reach_layer(layer, Way::LayerOf { host, seen_from: member });
            }
        }
        if let Some(member) = found.members.get_mut(next) {
            member.ancestors = ancestors;
        }
        next += 1;
    }
    let mut complete = HashMap::new();
    let mut layers_complete =
        |work: &Ix<Work>| *complete.entry(*work).or_insert_with(|| asked.seen.layers_complete(*work));
    for member in &mut found.members {
        member.holdings = asked.seen.holdings(member.work);
        if !asked.takes(1 + member.holdings.len()) {
            break;
        }
        let above = member.ancestors.iter().all(&mut layers_complete);
        member.blocks = standing::blocks(asked, member.work, above, &member.holdings);
    }
    Ok(found.members)
}
