//! Append-only arenas with an undo log.
//!
//! The sequencer folds acts before they are durable and takes them back if they don't become so. What was pushed since
//! a mark is taken off again by its number; what was changed since is noted as it was before.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Few;
use super::names::Names;
use crate::domain::ids::{Id, Kind};

/// The place of a `T` in its arena, in four bytes, also where it may be absent.
pub struct Ix<T>(NonZeroU32, PhantomData<fn() -> T>);

impl<T> Ix<T> {
    #[inline]
    pub(super) const fn new(place: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(place), PhantomData)
    }

    /// The place as a number: 0 for the first thing ever pushed. It never changes.
    #[inline]
    pub const fn place(self) -> u32 {
        self.0.get() - 1
    }
}

impl<T> Clone for Ix<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ix<T> {}
impl<T> PartialEq for Ix<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Ix<T> {}
impl<T> PartialOrd for Ix<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Ix<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> Hash for Ix<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<T> fmt::Debug for Ix<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.place())
    }
}

impl<T> Serialize for Ix<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.place().serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Ix<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::new)
    }
}

/// More things than the acts of one entry can add.
pub(super) const ROOM: usize = 1 << 20;

/// How many things an arena can hold, less than what the acts of one entry can add.
pub(super) const MOST: usize = u32::MAX as usize - ROOM;

/// The place that a number of things amounts to.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there are never more than `MOST`, and what one entry adds"
)]
pub(super) const fn place_of(number: usize) -> u32 {
    number as u32
}

/// How far a part of the index had come: what was pushed, and what was changed since the last `keep`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    pub(super) pushed: usize,
    pub(super) changed: usize,
}

/// Things by place.
pub struct Rows<T> {
    items: Vec<T>,
    before: Vec<(u32, T)>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { items: Vec::new(), before: Vec::new() }
    }
}

impl<T: Clone> Rows<T> {
    /// The thing at a place that was given out here.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    #[inline]
    pub fn at(&self, ix: Ix<T>) -> &T {
        &self.items[ix.place() as usize]
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The things of a chain, oldest first: each knows the one before it.
    pub fn chain(&self, last: Option<Ix<T>>, earlier: impl Fn(&T) -> Option<Ix<T>>) -> Few<Ix<T>> {
        let (mut found, mut next) = (Few::new(), last);
        while let Some(ix) = next {
            found.push(ix);
            next = earlier(self.at(ix));
        }
        found.reverse();
        found
    }

    pub(super) fn push(&mut self, item: T) -> Ix<T> {
        let place = place_of(self.items.len());
        self.items.push(item);
        Ix::new(place)
    }

    /// The thing at a place, to be changed.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    pub(super) fn change(&mut self, ix: Ix<T>) -> &mut T {
        let item = &mut self.items[ix.place() as usize];
        self.before.push((ix.place(), item.clone()));
        item
    }

    pub(super) const fn has_room(&self) -> bool {
        self.items.len() < MOST
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark { pushed: self.items.len(), changed: self.before.len() }
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        while self.before.len() > mark.changed {
            let Some((place, before)) = self.before.pop() else { break };
            if let Some(slot) = self.items.get_mut(place as usize) {
                *slot = before;
            }
        }
        self.items.truncate(mark.pushed);
    }

    pub(super) fn keep(&mut self) {
        self.before.clear();
    }
}

impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Rows<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { items: Vec::deserialize(deserializer)?, before: Vec::new() })
    }
}

/// Things of one kind, by place and by id. Ids lie apart from the things, since who looks at a thing seldom asks for its
/// id, and memory is fetched by the line; see [`Names`].
pub struct Arena<K, T> {
    names: Names<K>,
    rows: Vec<T>,
    before: Vec<(u32, T)>,
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Self { names: Names::default(), rows: Vec::new(), before: Vec::new() }
    }
}

impl<K: Kind, T: Clone> Arena<K, T> {
    /// The place of the thing with this id.
    pub fn find(&self, id: Id<K>) -> Option<Ix<T>> {
        self.names.find(id).map(Ix::new)
    }

    /// The shelf of a name, see [`Names::shelf`].
    #[inline]
    pub(super) fn shelf(&self, id: Id<K>) -> usize {
        self.names.shelf(id)
    }

    /// Something of what lies on a shelf.
    #[inline]
    pub(super) fn touch_shelf(&self, shelf: usize) -> u8 {
        self.names.touch(shelf)
    }

    /// The place of the thing with this id, of which the shelf is known.
    #[inline]
    pub(super) fn find_on(&self, shelf: usize, id: Id<K>) -> Option<Ix<T>> {
        self.names.find_on(shelf, id).map(Ix::new)
    }

    /// The thing at a place that this arena gave out.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    #[inline]
    pub fn at(&self, ix: Ix<T>) -> &T {
        &self.rows[ix.place() as usize]
    }

    /// The id of the thing at a place that this arena gave out.
    #[expect(clippy::expect_used, reason = "places are given out by `push` only, and things stay")]
    #[inline]
    pub fn id(&self, ix: Ix<T>) -> Id<K> {
        self.names.at(ix.place()).expect("each thing has its name")
    }

    /// All things, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Ix<T>, Id<K>, &T)> {
        self.since_place(0)
    }

    /// The things from a place on, in the order in which they were pushed.
    pub fn since_place(&self, place: u32) -> impl Iterator<Item = (Ix<T>, Id<K>, &T)> {
        // The things first: there is no place after the last.
        let rest = self.rows.iter().skip(place as usize).zip(place..);
        rest.map(|(item, place)| (Ix::new(place), self.id(Ix::new(place)), item))
    }

    /// The things before a place, the last one first.
    pub fn before_place(&self, place: u32) -> impl Iterator<Item = (Ix<T>, Id<K>, &T)> {
        let end = self.rows.len().min(place as usize);
        let earlier = self.rows.iter().take(end).zip(0..place_of(end));
        earlier.rev().map(|(item, place)| (Ix::new(place), self.id(Ix::new(place)), item))
    }

    /// The things of a chain, oldest first: each knows the one before it.
    pub fn chain(&self, last: Option<Ix<T>>, earlier: impl Fn(&T) -> Option<Ix<T>>) -> Few<Ix<T>> {
        let (mut found, mut next) = (Few::new(), last);
        while let Some(ix) = next {
            found.push(ix);
            next = earlier(self.at(ix));
        }
        found.reverse();
        found
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a thing.
    pub(super) fn push(&mut self, id: Id<K>, item: T) -> Ix<T> {
        self.rows.push(item);
        Ix::new(self.names.push(id))
    }

    /// The thing at a place, to be changed.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    pub(super) fn change(&mut self, ix: Ix<T>) -> &mut T {
        let item = &mut self.rows[ix.place() as usize];
        self.before.push((ix.place(), item.clone()));
        item
    }

    pub(super) const fn has_room(&self) -> bool {
        self.rows.len() < MOST
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark { pushed: self.rows.len(), changed: self.before.len() }
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        while self.before.len() > mark.changed {
            let Some((place, before)) = self.before.pop() else { break };
            if let Some(row) = self.rows.get_mut(place as usize) {
                *row = before;
            }
        }
        self.rows.truncate(mark.pushed);
        self.names.truncate(mark.pushed);
    }

    pub(super) fn keep(&mut self) {
        self.before.clear();
    }
}

impl<K: Kind, T: Serialize> Serialize for Arena<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = |place| self.names.at(place).map_or([0; 16], |id| id.uuid().into_bytes());
        serializer.collect_seq((0..place_of(self.rows.len())).map(bytes).zip(&self.rows))
    }
}

impl<'de, K: Kind, T: Deserialize<'de>> Deserialize<'de> for Arena<K, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows<K, T>(PhantomData<fn() -> (K, T)>);
        impl<'de, K: Kind, T: Deserialize<'de>> serde::de::Visitor<'de> for Rows<K, T> {
            type Value = Arena<K, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("things with their ids")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut arena = Arena::default();
                // The length is that of a file whose digest was checked.
                let count = seq.size_hint().unwrap_or_default();
                arena.rows.reserve(count);
                while let Some((id, item)) = seq.next_element::<([u8; 16], T)>()? {
                    arena.names.push(Id::new(uuid::Uuid::from_bytes(id)));
                    arena.rows.push(item);
                }
                Ok(arena)
            }
        }
        deserializer.deserialize_seq(Rows(PhantomData))
    }
}
