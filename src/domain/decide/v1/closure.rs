//! R7: a work, its parts when asked for, their layers and the layers of their ancestors, transitively.

use hashbrown::HashMap;

use super::{Asked, Block, standing};
use crate::domain::decision::ReasonCode;
use crate::domain::index::Ix;
use crate::domain::index::records::{Holding, Work};

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
    pub(super) ways: Vec<Way>,
    pub(super) ancestors: Vec<Ix<Work>>,
    pub(super) holdings: Vec<Ix<Holding>>,
    pub(super) blocks: Vec<Block>,
}

/// The members, the matched work first; or what stands against a closure that is too large.
pub(super) fn members(asked: &Asked<'_>, work: Ix<Work>) -> Result<Vec<Member>, Block> {
    let mut found = vec![(work, Place::Matched)];
    if asked.question.with_parts {
        found.extend(
            asked
                .seen
                .descendants_up_to(work, MAX_MEMBERS)
                .into_iter()
                .filter(|part| *part != work)
                .map(|part| (part, Place::Part)),
        );
    }
    let mut ways: HashMap<Ix<Work>, Vec<Way>> =
        found.iter().map(|(work, _)| (*work, vec![Way::Root])).collect();
    let mut ancestors_of = Vec::new();
    let mut next = 0;
    while let Some((member, _)) = found.get(next).copied() {
        next += 1;
        if found.len() > MAX_MEMBERS {
            return Err(Block { code: ReasonCode::LayersIncomplete, ask: Vec::new(), entries: Vec::new() });
        }
        let ancestors = asked.seen.ancestors(member);
        for host in std::iter::once(member).chain(ancestors.iter().copied()) {
            for link in asked.seen.layer_links(host) {
                let layer = asked.seen.canonical(asked.seen.index.layers.at(link).layer);
                let way = Way::LayerOf { host, seen_from: member };
                let known = ways.entry(layer).or_insert_with(|| {
                    found.push((layer, Place::Layer));
                    Vec::new()
                });
                if !known.contains(&way) {
                    known.push(way);
                }
            }
        }
        ancestors_of.push(ancestors);
    }
    let members = found.into_iter().zip(ancestors_of).map(|((work, place), ancestors)| {
        let ways = ways.remove(&work).unwrap_or_default();
        let holdings = asked.seen.holdings(work);
        let blocks = standing::blocks(asked, work, &ancestors, &holdings);
        Member { work, place, ways, ancestors, holdings, blocks }
    });
    Ok(members.collect())
}
