//! Far searches along standing links, effective or not.

use hashbrown::{HashMap, HashSet};

use super::check::Check;
use super::limits;
use crate::domain::index::records::Work;
use crate::domain::index::{AsOf, Ix};

/// All works that one leads to, without itself; none if they are more than [`limits::SEARCHED`].
pub(super) fn reach(from: Ix<Work>, step: impl Fn(Ix<Work>) -> Vec<Ix<Work>>) -> Option<HashSet<Ix<Work>>> {
    let mut known = HashSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for other in step(at) {
            if known.insert(other) {
                open.push(other);
            }
        }
        if known.len() > limits::SEARCHED {
            return None;
        }
    }
    Some(known)
}

/// All works that one is part of by standing links, effective or not.
pub(super) fn ancestors(check: &Check<'_>, work: Ix<Work>) -> Option<HashSet<Ix<Work>>> {
    let seen = check.seen;
    reach(work, |at| seen.wholes_linked(at))
}

/// These works and all their ancestors.
pub(super) fn together(check: &Check<'_>, works: &[Ix<Work>]) -> Option<HashSet<Ix<Work>>> {
    let mut together: HashSet<_> = works.iter().copied().collect();
    for work in works {
        together.extend(ancestors(check, *work)?);
    }
    Some(together)
}

/// The ancestors of many works that lie near each other: those of a work are its wholes and theirs, so that the links of each work
/// are looked at once, however many works are asked about.
pub(super) struct Above<'a> {
    seen: AsOf<'a>,
    /// The works whose links were looked at.
    begun: HashSet<Ix<Work>>,
    known: HashMap<Ix<Work>, Option<HashSet<Ix<Work>>>>,
    /// How often an ancestor was taken over from one work to another.
    taken_over: usize,
}

impl<'a> Above<'a> {
    pub(super) fn new(seen: AsOf<'a>) -> Self {
        Self { seen, begun: HashSet::new(), known: HashMap::new(), taken_over: 0 }
    }

    /// The ancestors of a work, without itself; none if they are more than [`limits::SEARCHED`].
    pub(super) fn of(&mut self, work: Ix<Work>) -> Option<&HashSet<Ix<Work>>> {
        // Each work waits for its wholes, and is done when it comes up again.
        let mut open = vec![(work, None)];
        while let Some((at, wholes)) = open.pop() {
            if self.known.contains_key(&at) {
                continue;
            }
            if let Some(wholes) = wholes {
                let above = self.union(wholes);
                self.known.insert(at, above);
            } else if self.begun.insert(at) {
                let wholes = self.seen.wholes_linked(at);
                let is_new = |whole: &&Ix<Work>| !self.begun.contains(*whole);
                let waits_for: Vec<_> = wholes.iter().filter(is_new).map(|whole| (*whole, None)).collect();
                open.push((at, Some(wholes)));
                open.extend(waits_for);
            }
        }
        self.known.get(&work).and_then(Option::as_ref)
    }

    /// These works and all above them.
    fn union(&mut self, mut wholes: Vec<Ix<Work>>) -> Option<HashSet<Ix<Work>>> {
        // The ones with most above them first: what is among those brings nothing new.
        let height = |whole: &Ix<Work>| {
            self.known.get(whole).and_then(Option::as_ref).map_or(usize::MAX, HashSet::len)
        };
        wholes.sort_by_cached_key(|whole| std::cmp::Reverse(height(whole)));
        let mut union = HashSet::new();
        for whole in wholes {
            if !union.insert(whole) {
                continue;
            }
            let beyond;
            let above = if let Some(known) = self.known.get(&whole) {
                known.as_ref()?
            } else {
                // Only what is above itself could not wait for it, and no link is admitted that makes it so.
                beyond = reach(whole, |at| self.seen.wholes_linked(at))?;
                &beyond
            };
            self.taken_over += above.len();
            union.extend(above.iter().copied());
        }
        (union.len() <= limits::SEARCHED).then_some(union)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::act::{Act, LogOpened, OrgRegistered, Role, Tie, WorkKind, WorkRegistered};
    use crate::domain::entry::{ENTRY_VERSION, Entry, Salt};
    use crate::domain::ids::{Id, Kind, OrgId, WorkId};
    use crate::domain::index::Index;

    fn id<K: Kind>(number: usize) -> Id<K> {
        Id::new(Uuid::from_u128(number as u128 + 1))
    }

    fn fold(index: &mut Index, act: impl Into<Act>) {
        let party: OrgId = id(0);
        let act = act.into();
        let entry = Entry {
            v: ENTRY_VERSION,
            at_ms: 0,
            party,
            on_behalf_of: None,
            by: Vec::new(),
            parties: vec![party],
            act,
            payload: None,
            salt: Salt([0; 16]),
        };
        index.fold(index.size(), &entry).unwrap();
    }

    /// Works by number, each part of earlier ones.
    fn index(wholes: &[Vec<usize>]) -> (Index, Vec<Ix<Work>>) {
        let mut index = Index::new();
        fold(
            &mut index,
            LogOpened { origin: "registry.example".to_owned(), registry: id(9), continues: None },
        );
        fold(&mut index, OrgRegistered { org: id(0), roles: vec![Role::RightsHolder] });
        let (mut links, mut works) = (0, Vec::new());
        for (number, wholes) in wholes.iter().enumerate() {
            let part_of = wholes.iter().map(|whole| {
                links += 1;
                Tie { link: id(links), work: id(*whole) }
            });
            let work: WorkId = id(number);
            let part_of = part_of.collect();
            fold(
                &mut index,
                WorkRegistered {
                    work,
                    kind: WorkKind::Series,
                    holders: Vec::new(),
                    roster_complete: false,
                    layers: Vec::new(),
                    layers_complete: false,
                    part_of,
                    bindings: Vec::new(),
                },
            );
            works.push(index.latest().work(work).unwrap());
        }
        (index, works)
    }

    /// What all works in turn have above them is what a search from each finds; how many were looked at, and taken over.
    fn search_all(wholes: &[Vec<usize>]) -> (usize, usize) {
        let (index, works) = index(wholes);
        let seen = index.latest();
        let mut above = Above::new(seen);
        for work in works.iter().rev() {
            let alone = reach(*work, |at| seen.wholes_linked(at));
            assert_eq!(above.of(*work), alone.as_ref());
        }
        (above.begun.len(), above.taken_over)
    }

    #[test]
    fn the_works_above_many_are_found_by_one_look_at_each() {
        // 62 works, each part of the 16 before it, and 1,000 parts of the last 16 of them.
        let mut wholes: Vec<Vec<usize>> =
            (0..62_usize).map(|it| (it.saturating_sub(16)..it).collect()).collect();
        wholes.extend((0..1_000).map(|_| (46..62).collect()));
        let (looked_at, taken_over) = search_all(&wholes);
        assert_eq!(looked_at, wholes.len(), "each work is looked at once");
        assert!(taken_over <= wholes.len() * 62, "{taken_over} ancestors were taken over");
    }

    #[test]
    fn works_beside_each_other_are_all_above_what_they_have_in_common() {
        // Diamonds on diamonds, a loner, and a part of far apart ones.
        let wholes: Vec<Vec<usize>> = vec![
            vec![],
            vec![0],
            vec![0],
            vec![1, 2],
            vec![3],
            vec![3, 0],
            vec![4, 5],
            vec![],
            vec![7, 6, 1],
            vec![8, 0, 7],
        ];
        search_all(&wholes);
    }
}
