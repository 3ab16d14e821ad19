//! A table of places by hash, fuller than such tables mostly are.
//!
//! A table that doubles is half empty after each time, and a large one is most of what it takes to find a key. This one grows by a
//! quarter and is four fifths full on average. It lies in the order of the hashes, so that the larger one is written from one end to
//! the other. No library that we know of does that. What a place stands for, and whether it is what is sought, its owner knows.

/// A slot that holds nothing.
const EMPTY: u8 = 0;
/// How many tags are looked at in one go.
const GROUP: usize = 16;

/// The tags from a slot on, of which each is a byte.
#[derive(Clone, Copy)]
struct Group(u128);

impl Group {
    const LOW: u128 = u128::from_le_bytes([0x7f; GROUP]);
    const ONES: u128 = u128::from_le_bytes([1; GROUP]);

    /// The highest bit of each byte that is this one, and no other bit.
    #[inline]
    const fn is(self, tag: u8) -> u128 {
        let apart = self.0 ^ (Self::ONES * tag as u128);
        !(((apart & Self::LOW) + Self::LOW) | apart | Self::LOW)
    }

    /// The same, of those before the first slot that is empty; and whether there is such a slot.
    #[inline]
    const fn before_empty(self, tag: u8) -> (u128, bool) {
        let empty = self.is(EMPTY);
        (self.is(tag) & (empty.wrapping_sub(1) & !empty), empty != 0)
    }
}

/// Places by hash. Beside each lies a byte of its hash, so that hardly any other place is looked at.
#[derive(Default)]
pub(super) struct Places {
    tags: Vec<u8>,
    held: Vec<u32>,
    len: usize,
}

#[inline]
const fn tag(hash: u64) -> u8 {
    match hash.to_le_bytes() {
        [EMPTY, ..] => 1,
        [tag, ..] => tag,
    }
}

/// Where what has this hash is first looked for.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "it is less than there are slots")]
const fn home(hash: u64, slots: usize) -> usize {
    // All bits of the hash have their part in where it lies.
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed as u128 * slots as u128) >> 64) as usize
}

impl Places {
    const fn most(slots: usize) -> usize {
        slots / 8 * 7
    }

    /// The first tags of a hash, where that many lie side by side.
    #[inline]
    fn group(&self, home: usize) -> Option<Group> {
        let tags = self.tags.get(home..)?.first_chunk()?;
        Some(Group(u128::from_le_bytes(*tags)))
    }

    /// Something of both lines in which what has this hash is likely to lie, so that they are near.
    #[inline]
    pub(super) fn touch(&self, hash: u64) -> u32 {
        let home = home(hash, self.tags.len());
        let tag = self.tags.get(home).copied().unwrap_or_default();
        self.held.get(home).copied().unwrap_or_default() ^ u32::from(tag)
    }

    /// The slots of a hash up to the first empty one that bear its tag.
    fn slots(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (home, tag) = (home(hash, self.tags.len()), tag(hash));
        let (before, after) = self.tags.split_at_checked(home).unwrap_or_default();
        let full = after.iter().chain(before).take_while(|tag| **tag != EMPTY).enumerate();
        full.filter(move |(_, other)| **other == tag).map(move |(away, _)| self.slot(home, away))
    }

    const fn slot(&self, home: usize, away: usize) -> usize {
        let slot = home + away;
        if slot < self.tags.len() { slot } else { slot - self.tags.len() }
    }

    /// The slot of this hash that holds what is sought.
    #[inline]
    fn slot_of(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let home = home(hash, self.tags.len());
        if let Some(group) = self.group(home) {
            let (mut bits, is_all) = group.before_empty(tag(hash));
            while bits != 0 {
                let slot = home + bits.trailing_zeros() as usize / 8;
                if self.held.get(slot).is_some_and(|place| is_it(*place)) {
                    return Some(slot);
                }
                bits &= bits - 1;
            }
            if is_all {
                return None;
            }
        }
        self.slots(hash).find(|slot| self.held.get(*slot).is_some_and(|place| is_it(*place)))
    }

    /// The place under this hash that is sought.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.held.get(self.slot_of(hash, is_it)?).copied()
    }

    /// A place that may be under this hash: none if there is none.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> Option<u32> {
        let home = home(hash, self.tags.len());
        if let Some(group) = self.group(home) {
            let (bits, is_all) = group.before_empty(tag(hash));
            if bits != 0 {
                return self.held.get(home + bits.trailing_zeros() as usize / 8).copied();
            }
            if is_all {
                return None;
            }
        }
        self.held.get(self.slots(hash).next()?).copied()
    }

    /// Puts a place in the stead of the one under this hash that is sought, and gives that back.
    pub(super) fn replace(&mut self, hash: u64, is_it: impl Fn(u32) -> bool, place: u32) -> Option<u32> {
        let slot = self.slot_of(hash, is_it)?;
        self.held.get_mut(slot).map(|held| std::mem::replace(held, place))
    }

    /// Adds a place that is not there yet.
    pub(super) fn insert(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        if self.len >= Self::most(self.tags.len()) {
            let slots = self.tags.len();
            self.grow((slots + slots / 4).max(16), hash_of);
        }
        self.put(hash, place);
    }

    /// Makes room for so many more.
    pub(super) fn reserve(&mut self, more: usize, hash_of: impl Fn(u32) -> u64) {
        let slots = (self.len + more) / 6 * 7 + 16;
        if slots > self.tags.len() {
            self.grow(slots, hash_of);
        }
    }

    fn grow(&mut self, slots: usize, hash_of: impl Fn(u32) -> u64) {
        let new = Self { tags: vec![EMPTY; slots], held: vec![0; slots], len: 0 };
        let old = std::mem::replace(self, new);
        for (tag, place) in old.tags.into_iter().zip(old.held) {
            if tag != EMPTY {
                self.put(hash_of(place), place);
            }
        }
    }

    /// Fills the first empty slot of a hash. There is one: the table is never full.
    fn put(&mut self, hash: u64, place: u32) {
        let home = home(hash, self.tags.len());
        let near = self.group(home).map(|group| group.is(EMPTY)).filter(|empty| *empty != 0);
        let slot = if let Some(empty) = near {
            home + empty.trailing_zeros() as usize / 8
        } else {
            let (before, after) = self.tags.split_at_checked(home).unwrap_or_default();
            let Some(away) = after.iter().chain(before).position(|tag| *tag == EMPTY) else { return };
            self.slot(home, away)
        };
        if let (Some(own), Some(held)) = (self.tags.get_mut(slot), self.held.get_mut(slot)) {
            (*own, *held) = (tag(hash), place);
            self.len += 1;
        }
    }

    /// Takes off a place. What lies after it, up to an empty slot, is put back one by one: some of it may now lie nearer its home.
    pub(super) fn remove(&mut self, hash: u64, place: u32, hash_of: impl Fn(u32) -> u64) {
        let Some(first) = self.slot_of(hash, |other| other == place) else { return };
        let mut after = Vec::new();
        for away in 0..self.tags.len() {
            let slot = self.slot(first, away);
            let Some(tag) = self.tags.get_mut(slot).filter(|tag| **tag != EMPTY) else { break };
            *tag = EMPTY;
            after.extend(self.held.get(slot));
        }
        self.len -= after.len();
        for place in after.into_iter().skip(1) {
            self.put(hash_of(place), place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// What is done to a table.
    #[derive(Clone, Debug)]
    enum Step {
        Insert(u32),
        Replace(u32, u32),
        Remove(u32),
        Reserve(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let thing = || 0..200_u32;
        prop_oneof![
            6 => thing().prop_map(Step::Insert),
            2 => (thing(), 0..5_u32).prop_map(|(thing, again)| Step::Replace(thing, again)),
            2 => thing().prop_map(Step::Remove),
            1 => (0..100_usize).prop_map(Step::Reserve),
        ]
    }

    proptest! {
        /// A place is that of a thing, the first or a later one of it; few hashes, or all the same ones, are the worst.
        #[test]
        fn it_holds_what_was_put_in_and_not_taken_out(steps in vec(step(), 0..400), hashes in 1..200_u32, high: bool) {
            let hash_of = |place: u32| {
                let hash = u64::from(place % 200 % hashes);
                if high { hash << 60 } else { hash.wrapping_mul(0x0123_4567_89ab_cdef) }
            };
            let is = |thing: u32| move |place: u32| place % 200 == thing;
            let (mut places, mut known) = (Places::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(thing) if !known.contains_key(&thing) => {
                        places.insert(hash_of(thing), thing, hash_of);
                        known.insert(thing, thing);
                    }
                    Step::Insert(_) => {}
                    Step::Replace(thing, again) => {
                        let new = thing + 200 * again;
                        let old = places.replace(hash_of(thing), is(thing), new);
                        prop_assert_eq!(old, known.get(&thing).copied());
                        known.entry(thing).and_modify(|place| *place = new);
                    }
                    Step::Remove(thing) => {
                        if let Some(place) = known.remove(&thing) {
                            places.remove(hash_of(place), place, hash_of);
                        }
                    }
                    Step::Reserve(more) => places.reserve(more, hash_of),
                }
                prop_assert_eq!(places.len, known.len());
            }
            for thing in 0..200 {
                let place = known.get(&thing).copied();
                prop_assert_eq!(places.find(hash_of(thing), is(thing)), place);
                prop_assert!(place.is_none() || places.candidate(hash_of(thing)).is_some());
            }
        }
    }

    #[test]
    fn a_large_table_is_fuller_than_two_thirds_and_what_is_sought_is_near() {
        let hash_of = |place: u32| u64::from(place).wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(29);
        let mut places = Places::default();
        for place in 0..100_000 {
            places.insert(hash_of(place), place, hash_of);
            assert!(places.len < 100 || places.tags.len() * 2 < places.len * 3, "{place}");
        }
        let away = |place: u32| places.slots(hash_of(place)).count();
        assert!((0..100_000).map(away).sum::<usize>() < 200_000, "tags tell places apart");
    }
}
