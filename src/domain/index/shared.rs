//! Things that many records have in common, each kept once: the terms of a catalogue are those of its every work.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::arena::{Ix, Mark, Rows, place_of};

/// Distinct things, by place.
pub struct Shared<T> {
    rows: Rows<T>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { rows: Rows::default(), places: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl<T: Clone + Eq + Hash> Shared<T> {
    /// The thing at a place that was given out here.
    pub fn at(&self, ix: Ix<T>) -> &T {
        self.rows.at(ix)
    }

    /// How many distinct ones there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The place of a thing equal to this one.
    pub(super) fn share(&mut self, thing: T) -> Ix<T> {
        let hash = self.hasher.hash_one(&thing);
        let known = self.places.find(hash, |place| *self.rows.at(Ix::new(*place)) == thing);
        if let Some(place) = known {
            return Ix::new(*place);
        }
        let ix = self.rows.push(thing);
        self.note(hash, ix);
        ix
    }

    fn note(&mut self, hash: u64, ix: Ix<T>) {
        let Self { rows, places, hasher } = self;
        places.insert_unique(hash, ix.place(), |place| hasher.hash_one(rows.at(Ix::new(*place))));
    }

    pub(super) const fn has_room(&self) -> bool {
        self.rows.has_room()
    }

    pub(super) const fn mark(&self) -> Mark {
        self.rows.mark()
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        for place in mark.pushed..self.rows.len() {
            let ix = Ix::new(place_of(place));
            let hash = self.hasher.hash_one(self.rows.at(ix));
            if let Ok(slot) = self.places.find_entry(hash, |other| *other == ix.place()) {
                slot.remove();
            }
        }
        self.rows.undo_to(mark);
    }

    pub(super) fn keep(&mut self) {
        self.rows.keep();
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rows.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de> + Clone + Eq + Hash> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut shared = Self { rows: Rows::deserialize(deserializer)?, ..Self::default() };
        for place in 0..place_of(shared.rows.len()) {
            let hash = shared.hasher.hash_one(shared.rows.at(Ix::new(place)));
            shared.note(hash, Ix::new(place));
        }
        Ok(shared)
    }
}
