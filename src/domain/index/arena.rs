//! Append-only arenas with an undo log.
//!
//! The sequencer folds acts before they are durable and takes them back if they don't become so. Every change goes
//! through [`Arena::push`], [`Arena::change`] or [`Lists::push`], which note how to take it back.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use hashbrown::HashMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::ids::{Id, Kind};

/// The place of a `T` in its arena.
pub struct Ix<T>(u32, PhantomData<fn() -> T>);

impl<T> Ix<T> {
    const fn new(place: u32) -> Self {
        Self(place, PhantomData)
    }

    /// The place as a number: 0 for the first thing ever pushed. It never changes.
    pub const fn place(self) -> u32 {
        self.0
    }
}

impl<T> Clone for Ix<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Ix<T> {}
impl<T> PartialEq for Ix<T> {
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
        write!(f, "#{}", self.0)
    }
}

impl<T> Serialize for Ix<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Ix<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::new)
    }
}

#[derive(Clone, Debug)]
enum Undo<T> {
    Pushed,
    Changed(u32, Box<T>),
}

/// Things of one kind, by place and by id.
pub struct Arena<K, T> {
    places: HashMap<u128, u32>,
    items: Vec<(Id<K>, T)>,
    undo: Vec<Undo<T>>,
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Self { places: HashMap::new(), items: Vec::new(), undo: Vec::new() }
    }
}

impl<K: Kind, T: Clone> Arena<K, T> {
    /// The place of the thing with this id.
    pub fn find(&self, id: Id<K>) -> Option<Ix<T>> {
        self.places.get(&id.uuid().as_u128()).map(|place| Ix::new(*place))
    }

    /// The thing at a place that this arena gave out.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    pub fn at(&self, ix: Ix<T>) -> &T {
        &self.items[ix.0 as usize].1
    }

    /// The id of the thing at a place that this arena gave out.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    pub fn id(&self, ix: Ix<T>) -> Id<K> {
        self.items[ix.0 as usize].0
    }

    /// All things, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Ix<T>, Id<K>, &T)> {
        (0_u32..).zip(&self.items).map(|(place, (id, item))| (Ix::new(place), *id, item))
    }

    /// The things from a place on, in the order in which they were pushed.
    pub fn since_place(&self, place: u32) -> impl Iterator<Item = (Ix<T>, Id<K>, &T)> {
        let rest = self.items.get(place as usize..).unwrap_or_default();
        (place..).zip(rest).map(|(place, (id, item))| (Ix::new(place), *id, item))
    }

    /// The things before a place, the last one first.
    #[expect(clippy::cast_possible_truncation, reason = "the end is not behind a place, which is a u32")]
    pub fn before_place(&self, place: u32) -> impl Iterator<Item = (Ix<T>, Id<K>, &T)> {
        let end = self.items.len().min(place as usize);
        let earlier = self.items.get(..end).unwrap_or_default();
        (0_u32..end as u32)
            .rev()
            .zip(earlier.iter().rev())
            .map(|(place, (id, item))| (Ix::new(place), *id, item))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a thing.
    #[expect(clippy::cast_possible_truncation, reason = "an arena holds fewer things than a u32 counts")]
    pub(super) fn push(&mut self, id: Id<K>, item: T) -> Ix<T> {
        let place = self.items.len() as u32;
        self.items.push((id, item));
        self.places.insert(id.uuid().as_u128(), place);
        self.undo.push(Undo::Pushed);
        Ix::new(place)
    }

    /// The thing at a place, to be changed.
    #[expect(clippy::indexing_slicing, reason = "places are given out by `push` only, and things stay")]
    pub(super) fn change(&mut self, ix: Ix<T>) -> &mut T {
        let item = &mut self.items[ix.0 as usize].1;
        self.undo.push(Undo::Changed(ix.0, Box::new(item.clone())));
        item
    }

    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Pushed) => {
                    if let Some((id, _)) = self.items.pop() {
                        self.places.remove(&id.uuid().as_u128());
                    }
                }
                Some(Undo::Changed(place, before)) => {
                    if let Some(slot) = self.items.get_mut(place as usize) {
                        slot.1 = *before;
                    }
                }
                None => break,
            }
        }
    }

    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }
}

impl<K: Kind, T: Serialize> Serialize for Arena<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.items.iter().map(|(id, item)| (id.uuid().as_u128(), item)))
    }
}

impl<'de, K: Kind, T: Deserialize<'de>> Deserialize<'de> for Arena<K, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows: Vec<(u128, T)> = Vec::deserialize(deserializer)?;
        let places = (0_u32..).zip(&rows).map(|(place, (id, _))| (*id, place)).collect();
        let items = rows.into_iter().map(|(id, item)| (Id::new(uuid::Uuid::from_u128(id)), item)).collect();
        Ok(Self { places, items, undo: Vec::new() })
    }
}

/// Lists by key; they only grow.
pub struct Lists<Q, T> {
    lists: HashMap<Q, Vec<T>>,
    undo: Vec<Q>,
}

impl<Q, T> Default for Lists<Q, T> {
    fn default() -> Self {
        Self { lists: HashMap::new(), undo: Vec::new() }
    }
}

impl<Q: Copy + Eq + Hash, T> Lists<Q, T> {
    /// The list under a key, oldest first.
    pub fn get(&self, key: Q) -> &[T] {
        self.lists.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether the list under a key has anything.
    pub fn has(&self, key: Q) -> bool {
        // Most keys are of lists that nobody ever began.
        !self.lists.is_empty() && self.lists.contains_key(&key)
    }

    /// Whether no list has anything.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// All keys with their lists, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Q, &[T])> {
        self.lists.iter().map(|(key, list)| (key, list.as_slice()))
    }

    pub(super) fn push(&mut self, key: Q, item: T) {
        self.lists.entry(key).or_default().push(item);
        self.undo.push(key);
    }

    pub(super) fn mark(&self) -> usize {
        self.undo.len()
    }

    pub(super) fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let Some(key) = self.undo.pop() else { break };
            if let Some(list) = self.lists.get_mut(&key) {
                list.pop();
                if list.is_empty() {
                    self.lists.remove(&key);
                }
            }
        }
    }

    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }
}

impl<Q: Serialize, T: Serialize> Serialize for Lists<Q, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.lists)
    }
}

impl<'de, Q: Deserialize<'de> + Eq + Hash, T: Deserialize<'de>> Deserialize<'de> for Lists<Q, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows: Vec<(Q, Vec<T>)> = Vec::deserialize(deserializer)?;
        Ok(Self { lists: rows.into_iter().collect(), undo: Vec::new() })
    }
}
