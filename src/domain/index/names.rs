//! The names of things, by place and back.
//!
//! This registry makes names that ascend, so that most of them come in order, and their order is all that finds them: no table
//! is needed, which would take as much memory again and wait for it at each thing. What comes out of order, from another
//! node or from a clock that was set back, stands in a table. Where many old names are sought at once, all stand in it.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::arena::place_of;
use crate::domain::ids::{Id, Kind};

/// How many names are looked through one by one.
const BLOCK: usize = 32;

/// Names by place. With `ALL`, each of them stands in the table.
pub(super) struct Names<K, const ALL: bool> {
    ids: Vec<Id<K>>,
    /// The highest name up to the end of each whole block.
    highest: Vec<Id<K>>,
    /// The highest name of all.
    last: Option<Id<K>>,
    /// The places of the names that are lower than one before them, or of all.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<K, const ALL: bool> Default for Names<K, ALL> {
    fn default() -> Self {
        Self {
            ids: Vec::new(),
            highest: Vec::new(),
            last: None,
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

fn hash<K: Kind>(hasher: &DefaultHashBuilder, id: Id<K>) -> u64 {
    hasher.hash_one(id.uuid().as_u128())
}

/// The hash of the name at a place.
fn hash_at<K: Kind>(hasher: &DefaultHashBuilder, ids: &[Id<K>], place: u32) -> u64 {
    ids.get(place as usize).map_or(0, |id| hash(hasher, *id))
}

impl<K: Kind, const ALL: bool> Names<K, ALL> {
    /// All of them, by place.
    pub(super) fn all(&self) -> &[Id<K>] {
        &self.ids
    }

    /// The place of a name.
    pub(super) fn find(&self, id: Id<K>) -> Option<u32> {
        if self.last.is_none_or(|last| last < id) {
            return None;
        }
        if ALL {
            return self.find_in_table(id);
        }
        // A name that came in order is the first in its block, or higher than all before it: the block is the first of which
        // the highest is not lower.
        let first = self.highest.partition_point(|highest| *highest < id) * BLOCK;
        let block = self.ids.get(first..).unwrap_or_default();
        let within = block.iter().take(BLOCK).position(|other| *other == id);
        within.map(|within| place_of(first + within)).or_else(|| self.find_in_table(id))
    }

    fn find_in_table(&self, id: Id<K>) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let is_it = |place: &u32| self.ids.get(*place as usize) == Some(&id);
        self.table.find(hash(&self.hasher, id), is_it).copied()
    }

    /// The hash of a name in the table.
    pub(super) fn hash(&self, id: Id<K>) -> u64 {
        hash(&self.hasher, id)
    }

    /// A place that the table has under this hash.
    pub(super) fn candidate(&self, hash: u64) -> Option<u32> {
        self.table.iter_hash(hash).next().copied()
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, more: usize) {
        self.ids.reserve(more);
        if ALL {
            let Self { ids, table, hasher, .. } = self;
            table.reserve(more, |place| hash_at(hasher, ids, *place));
        }
    }

    /// Adds a name that is not there yet.
    pub(super) fn push(&mut self, id: Id<K>) -> u32 {
        let place = place_of(self.ids.len());
        let is_in_order = self.last.is_none_or(|last| last < id);
        self.ids.push(id);
        if is_in_order {
            self.last = Some(id);
        }
        if ALL || !is_in_order {
            let Self { ids, table, hasher, .. } = self;
            table.insert_unique(hash(hasher, id), place, |place| hash_at(hasher, ids, *place));
        }
        if self.ids.len().is_multiple_of(BLOCK) {
            self.highest.extend(self.last);
        }
        place
    }

    /// Takes off all but the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.ids.len() > len {
            let Some(id) = self.ids.pop() else { break };
            let place = place_of(self.ids.len());
            if let Ok(slot) = self.table.find_entry(hash(&self.hasher, id), |other| *other == place) {
                slot.remove();
            }
        }
        self.highest.truncate(len / BLOCK);
        let rest = self.ids.get(self.highest.len() * BLOCK..).unwrap_or_default();
        self.last = self.highest.last().into_iter().chain(rest).max().copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::WorkKind;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn id(number: u64) -> Id<WorkKind> {
        Id::new(Uuid::from_u128(u128::from(number)))
    }

    /// Pushes, takes back and pushes again, and looks everything up.
    fn find_all<const ALL: bool>(first: &[u64], keep: usize, second: &[u64]) {
        let (mut names, mut known) = (Names::<WorkKind, ALL>::default(), Vec::new());
        let add = |names: &mut Names<WorkKind, ALL>, known: &mut Vec<u64>, numbers: &[u64]| {
            for number in numbers {
                let found = names.find(id(*number));
                assert_eq!(found, known.iter().position(|other| other == number).map(place_of));
                if found.is_none() {
                    assert_eq!(names.push(id(*number)), place_of(known.len()));
                    known.push(*number);
                }
            }
        };
        add(&mut names, &mut known, first);
        let keep = keep.min(known.len());
        names.truncate(keep);
        known.truncate(keep);
        add(&mut names, &mut known, second);
        for number in first.iter().chain(second) {
            let place = known.iter().position(|other| other == number).map(place_of);
            assert_eq!(names.find(id(*number)), place, "{number}");
            assert_eq!(names.find(id(number + 1_000_000)), None);
        }
        if !ALL && known.is_sorted() {
            assert!(names.table.is_empty(), "what comes in order needs no table");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_found_where_it_was_pushed_in_whatever_order(
            mut first in vec(0_u64..400, 0..200), sorted in 0..150_usize, keep in 0..200_usize, second in vec(0_u64..600, 0..200)
        ) {
            let sorted = sorted.min(first.len());
            first[..sorted].sort_unstable();
            find_all::<false>(&first, keep, &second);
            find_all::<true>(&first, keep, &second);
        }
    }

    #[test]
    fn names_that_ascend_need_no_table() {
        let numbers: Vec<u64> = (0..1_000).map(|number| number * 3).collect();
        find_all::<false>(&numbers, 500, &numbers);
    }
}
