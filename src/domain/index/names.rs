//! The names of things, by place and back.
//!
//! This registry makes names that ascend, so that most of them come in order, and their order is all that finds them: no table
//! is needed, which would take as much memory again. What comes out of order, from another node or from a clock that was set
//! back, stands in a table.
//!
//! Names that were made one after the other begin alike. They lie in blocks, and in a block each is kept as its distance from the
//! highest name before the block (in the first one, from its first name), in as many bytes as the widest of the block needs: seven or eight of sixteen where many come
//! at once, and never more than all of them. No bit of a name is lost.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use uuid::Uuid;

use super::arena::place_of;
use crate::domain::ids::{Id, Kind};

/// How many names a block has.
const BLOCK: usize = 32;
/// How many bytes the base of a block takes.
const BASE: usize = 16;
/// How many blocks are looked through by halves, once it is known that it is one of them.
const SHELF: usize = 4;

/// Names by place.
pub(super) struct Names<K> {
    whole: Blocks,
    /// The names after the whole blocks.
    rest: Vec<Id<K>>,
    /// The highest name of the whole blocks.
    highest: Option<Id<K>>,
    /// The highest name of all.
    last: Option<Id<K>>,
    /// The places of the names that are lower than one before them.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self {
            whole: Blocks::default(),
            rest: Vec::new(),
            highest: None,
            last: None,
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

fn hash<K: Kind>(hasher: &DefaultHashBuilder, id: Id<K>) -> u64 {
    hasher.hash_one(number_of(id))
}

const fn id_of<K: Kind>(number: u128) -> Id<K> {
    Id::new(Uuid::from_u128(number))
}

const fn number_of<K: Kind>(id: Id<K>) -> u128 {
    id.uuid().as_u128()
}

/// How many bytes a distance with a sign needs.
const fn width_of(distance: i128) -> usize {
    let bits = i128::BITS - (distance ^ (distance >> 127)).leading_zeros();
    (bits as usize + 1).div_ceil(8)
}

/// The distance in the first so many bytes.
#[inline]
fn distance(bytes: &[u8], width: usize) -> i128 {
    let whole = bytes.first_chunk().copied().unwrap_or_else(|| {
        let mut whole = [0; 16];
        whole.iter_mut().zip(bytes).for_each(|(byte, from)| *byte = *from);
        whole
    });
    let unused = 8 * (16 - width.clamp(1, 16));
    (i128::from_le_bytes(whole) << unused) >> unused
}

/// Whole blocks of names: the highest name of all before it, or the first name if there is none before; and from that the
/// distances of its names, with a sign and of one width, the lowest byte first.
#[derive(Default)]
struct Blocks {
    bytes: Vec<u8>,
    /// Where each block begins, in steps of the size of a base.
    from: Vec<u32>,
    /// The base of the first block of each shelf.
    shelves: Vec<[u8; BASE]>,
}

impl Blocks {
    const fn len(&self) -> usize {
        self.from.len()
    }

    /// A block: the width of its distances, and its bytes and those after it.
    #[inline]
    fn block(&self, block: usize) -> Option<(usize, &[u8])> {
        let from = *self.from.get(block)? as usize * BASE;
        let to = self.from.get(block + 1).map_or(self.bytes.len(), |next| *next as usize * BASE);
        Some(((to - from - BASE) / BLOCK, self.bytes.get(from..)?))
    }

    #[inline]
    fn base(&self, block: usize) -> u128 {
        let bytes = self.block(block).and_then(|(_, bytes)| bytes.first_chunk().copied());
        u128::from_le_bytes(bytes.unwrap_or_default())
    }

    #[inline]
    fn at(&self, place: usize) -> Option<u128> {
        let (width, bytes) = self.block(place / BLOCK)?;
        let base = u128::from_le_bytes(*bytes.first_chunk()?);
        let distance = distance(bytes.get(BASE + place % BLOCK * width..)?, width);
        Some(base.wrapping_add(distance.cast_unsigned()))
    }

    /// The last shelf of which the first base is lower, or the first shelf.
    #[inline]
    fn shelf(&self, number: u128) -> usize {
        self.shelves.partition_point(|base| u128::from_le_bytes(*base) < number).saturating_sub(1)
    }

    /// How many blocks have a base that is lower, which is known to be so on this shelf.
    #[inline]
    fn lower(&self, shelf: usize, number: u128) -> usize {
        let (mut from, mut to) = (shelf * SHELF, self.len().min((shelf + 1) * SHELF));
        while from < to {
            let middle = from.midpoint(to);
            if self.base(middle) < number { from = middle + 1 } else { to = middle }
        }
        from
    }

    /// The place of a name in a block.
    fn find(&self, block: usize, number: u128) -> Option<usize> {
        let (width, bytes) = self.block(block)?;
        let base = u128::from_le_bytes(*bytes.first_chunk()?);
        let sought = number.wrapping_sub(base).cast_signed();
        if width_of(sought) > width {
            return None;
        }
        let sought = sought.to_le_bytes();
        let (sought, low) = (sought.get(..width)?, sought.first_chunk()?);
        let distances = bytes.get(BASE..BASE + BLOCK * width)?;
        // Eight bytes are looked at at once, of which those of the next distance don't count: they are seldom the same.
        let unused = 64_u32.saturating_sub(8 * u32::try_from(width).ok()?);
        let low = u64::from_le_bytes(*low) << unused;
        let begins_alike = |within: &usize| {
            let begins = bytes.get(BASE + within * width..).and_then(<[u8]>::first_chunk);
            begins.is_none_or(|begins| u64::from_le_bytes(*begins) << unused == low)
        };
        let is_it = |within: &usize| distances.get(within * width..(within + 1) * width) == Some(sought);
        let within = (0..BLOCK).filter(begins_alike).find(is_it)?;
        Some(block * BLOCK + within)
    }

    fn push(&mut self, base: u128, names: impl Iterator<Item = u128> + Clone) {
        let distances = names.map(|name| name.wrapping_sub(base).cast_signed());
        let width = distances.clone().map(width_of).max().unwrap_or(1);
        if self.len().is_multiple_of(SHELF) {
            self.shelves.push(base.to_le_bytes());
        }
        self.from.push(place_of(self.bytes.len() / BASE));
        self.bytes.extend_from_slice(&base.to_le_bytes());
        for distance in distances {
            self.bytes.extend_from_slice(distance.to_le_bytes().get(..width).unwrap_or_default());
        }
    }

    /// Takes off the last block: its base, and its names.
    fn pop(&mut self) -> Option<(u128, Vec<u128>)> {
        let block = self.len().checked_sub(1)?;
        let names = (block * BLOCK..(block + 1) * BLOCK).filter_map(|place| self.at(place)).collect();
        let base = self.base(block);
        self.bytes.truncate(self.from.pop()? as usize * BASE);
        self.shelves.truncate(block.div_ceil(SHELF));
        Some((base, names))
    }
}

/// The name at a place.
#[inline]
fn at<K: Kind>(whole: &Blocks, rest: &[Id<K>], place: u32) -> Option<Id<K>> {
    let place = place as usize;
    match place.checked_sub(whole.len() * BLOCK) {
        Some(within) => rest.get(within).copied(),
        None => whole.at(place).map(id_of),
    }
}

impl<K: Kind> Names<K> {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.whole.len() * BLOCK + self.rest.len()
    }

    /// The name at a place that was given out here.
    #[inline]
    pub(super) fn at(&self, place: u32) -> Option<Id<K>> {
        at(&self.whole, &self.rest, place)
    }

    /// The shelf on which a name is likely to lie: none of what it takes to find it is far away.
    #[inline]
    pub(super) fn shelf(&self, id: Id<K>) -> usize {
        self.whole.shelf(number_of(id))
    }

    /// Something of each block of a shelf, so that they are near.
    #[inline]
    pub(super) fn touch(&self, shelf: usize) -> u8 {
        let of = |block: usize| self.whole.block(shelf * SHELF + block).and_then(|(_, bytes)| bytes.first());
        (0..SHELF).fold(0, |touched, block| touched ^ of(block).copied().unwrap_or_default())
    }

    /// The place of a name.
    pub(super) fn find(&self, id: Id<K>) -> Option<u32> {
        self.find_on(self.shelf(id), id)
    }

    /// The same, of which the shelf is known.
    #[inline]
    pub(super) fn find_on(&self, shelf: usize, id: Id<K>) -> Option<u32> {
        if self.last.is_none_or(|last| last < id) {
            return None;
        }
        // A name that came in order is higher than all before it: its block is the last of which the base is lower, or it came
        // after the whole blocks.
        let is_in_rest = self.highest.is_none_or(|highest| highest < id);
        let found = if is_in_rest {
            let within = self.rest.iter().position(|other| *other == id);
            within.map(|within| self.whole.len() * BLOCK + within)
        } else {
            let number = number_of(id);
            self.whole.find(self.whole.lower(shelf, number).saturating_sub(1), number)
        };
        found.map(place_of).or_else(|| self.find_in_table(id))
    }

    fn find_in_table(&self, id: Id<K>) -> Option<u32> {
        if self.table.is_empty() {
            return None;
        }
        let is_it = |place: &u32| self.at(*place) == Some(id);
        self.table.find(hash(&self.hasher, id), is_it).copied()
    }

    /// Adds a name that is not there yet.
    pub(super) fn push(&mut self, id: Id<K>) -> u32 {
        let place = place_of(self.len());
        let is_in_order = self.last.is_none_or(|last| last < id);
        self.rest.push(id);
        if is_in_order {
            self.last = Some(id);
        } else {
            let Self { whole, rest, table, hasher, .. } = self;
            let hash_at = |place: &u32| at(whole, rest, *place).map_or(0, |id| hash(hasher, id));
            table.insert_unique(hash(hasher, id), place, hash_at);
        }
        if self.rest.len() == BLOCK {
            self.close();
        }
        place
    }

    /// Makes a whole block of the rest.
    fn close(&mut self) {
        let base = self.highest.or_else(|| self.rest.first().copied()).map_or(0, number_of);
        self.whole.push(base, self.rest.iter().map(|id| number_of(*id)));
        self.rest.clear();
        self.highest = self.last;
    }

    /// Takes the last whole block apart again, without what came after it.
    fn open(&mut self) {
        let Some((base, names)) = self.whole.pop() else { return };
        self.rest = names.into_iter().map(id_of).collect();
        self.highest = (self.whole.len() > 0).then(|| id_of(base));
    }

    /// Takes off all but the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        let in_table = if self.table.is_empty() { len..len } else { len..self.len() };
        for place in in_table.rev().map(place_of) {
            let Some(id) = self.at(place) else { continue };
            if let Ok(slot) = self.table.find_entry(hash(&self.hasher, id), |other| *other == place) {
                slot.remove();
            }
        }
        while self.whole.len() * BLOCK > len {
            self.open();
        }
        self.rest.truncate(len - self.whole.len() * BLOCK);
        self.last = self.highest.iter().chain(&self.rest).max().copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::WorkKind;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// How far names lie apart.
    #[derive(Clone, Copy, Debug)]
    enum Apart {
        /// As numbers do.
        Little,
        /// Some of them by any number of bits.
        Widely,
    }

    fn id(number: u64, apart: Apart) -> Id<WorkKind> {
        let number = u128::from(number);
        let high = match apart {
            Apart::Little => 0,
            Apart::Widely => (number % 7 / 6) << (number * 5 % 128) & !0xf_ffff,
        };
        id_of(number | high)
    }

    /// Pushes, takes back and pushes again, and looks everything up.
    fn find_all(apart: Apart, first: &[u64], keep: usize, second: &[u64]) {
        let (mut names, mut known) = (Names::<WorkKind>::default(), Vec::new());
        let id = |number: u64| id(number, apart);
        let add = |names: &mut Names<WorkKind>, known: &mut Vec<u64>, numbers: &[u64]| {
            for number in numbers {
                let found = names.find(id(*number));
                assert_eq!(found, known.iter().position(|other| other == number).map(place_of));
                if found.is_none() {
                    assert_eq!(names.push(id(*number)), place_of(known.len()));
                    known.push(*number);
                }
            }
        };
        let have_all = |names: &Names<WorkKind>, known: &[u64]| {
            assert_eq!(names.len(), known.len());
            for (place, number) in (0..).zip(known) {
                assert_eq!(names.at(place), Some(id(*number)));
            }
            assert_eq!(names.at(place_of(known.len())), None);
        };
        add(&mut names, &mut known, first);
        have_all(&names, &known);
        let keep = keep.min(known.len());
        names.truncate(keep);
        known.truncate(keep);
        have_all(&names, &known);
        add(&mut names, &mut known, second);
        have_all(&names, &known);
        for number in first.iter().chain(second) {
            let place = known.iter().position(|other| other == number).map(place_of);
            assert_eq!(names.find(id(*number)), place, "{number}");
            assert_eq!(names.find(id(number + 1_000_000)), None);
        }
        if known.iter().map(|number| id(*number)).is_sorted() {
            assert!(names.table.is_empty(), "what comes in order needs no table");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_found_where_it_was_pushed_in_whatever_order(
            mut first in vec(0_u64..400, 0..200), sorted in 0..200_usize, keep in 0..200_usize, second in vec(0_u64..600, 0..200),
            apart in prop_oneof![Just(Apart::Little), Just(Apart::Widely)],
        ) {
            let sorted = sorted.min(first.len());
            first[..sorted].sort_by_key(|number| id(*number, apart));
            find_all(apart, &first, keep, &second);
        }

        #[test]
        fn a_distance_is_read_back_from_as_many_bytes_as_it_needs(number: i128, shift in 0..128_u32) {
            let number = number >> shift;
            let width = width_of(number);
            prop_assert_eq!(distance(&number.to_le_bytes()[..width], width), number);
            prop_assert_eq!(distance(&[&number.to_le_bytes()[..width], &[0xa5; 16]].concat(), width), number);
            prop_assert!(width == 1 || distance(&number.to_le_bytes(), width - 1) != number);
        }
    }

    #[test]
    fn names_that_ascend_need_no_table() {
        let numbers: Vec<u64> = (0..1_000).map(|number| number * 3).collect();
        find_all(Apart::Little, &numbers, 500, &numbers);
    }

    #[test]
    fn names_of_one_moment_take_half_as_many_bytes() {
        let mut names = Names::<WorkKind>::default();
        let moment = 0x0195_0000_0000_7000_8000_0000_0000_0000_u128;
        for number in 0..3_200 {
            names.push(id_of(moment + number * 0xffff_ffff_ffff));
        }
        assert_eq!(names.whole.bytes.len(), 100 * (BASE + 7 * BLOCK));
    }
}
