//! Things of works in short.
//!
//! Of most things that a work has there is little to say: who registered the work holds it, binds its keys and permits
//! its uses, and nothing happened since but that it was confirmed. What is mostly so is not written down, but read off
//! the work and the thing before; a thing of which it is not so stands beside, at length. What comes out is the same.

use serde::{Deserialize, Serialize};

use super::arena::{Arena, Ix, Mark, Rows};
use super::records::{At, Work};
use super::{Few, Works};
use crate::domain::ids::{Id, Kind};

/// The work of a thing, and whether the thing stands at length.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OfWork(u32);

impl OfWork {
    const AT_LENGTH: u32 = 1 << 31;
    /// How many works can be told apart.
    pub(super) const MOST: usize = Self::AT_LENGTH as usize;

    const fn new(work: Ix<Work>, at_length: bool) -> Self {
        Self(if at_length { work.place() | Self::AT_LENGTH } else { work.place() })
    }

    const fn work(self) -> Ix<Work> {
        Ix::new(self.0 & !Self::AT_LENGTH)
    }

    const fn is_at_length(self) -> bool {
        self.0 & Self::AT_LENGTH != 0
    }
}

/// A thing at length.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Long<T>(T);

/// Where a thing stands at length, or what a thing in short has in its stead.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Or(u32);

impl Or {
    /// The entry of a thing in short.
    pub(super) fn entry(self) -> At {
        At::from_bits(self.0)
    }

    /// The place of something that a thing in short has.
    pub(super) const fn place<T>(self) -> Ix<T> {
        Ix::new(self.0)
    }
}

impl From<At> for Or {
    fn from(at: At) -> Self {
        Self(at.to_bits())
    }
}

impl<T> From<Ix<T>> for Or {
    fn from(ix: Ix<T>) -> Self {
        Self(ix.place())
    }
}

/// How a thing is told in short.
pub trait Short: Copy {
    /// The thing.
    type Whole: Clone;

    /// In short, if no more is to be said of this thing of the work.
    fn of(thing: &Self::Whole, of: OfWork, work: &Work) -> Option<Self>;

    /// In the stead of a thing that stands at length.
    fn at_length(thing: &Self::Whole, of: OfWork, or: Or) -> Self;

    /// The work, and where it stands at length, if it does.
    fn parts(self) -> (OfWork, Or);

    /// The thing that was told in short.
    fn whole(self, before: Option<Ix<Self::Whole>>, work_ix: Ix<Work>, work: &Work) -> Self::Whole;

    /// The one before a thing of the same work.
    fn before(thing: &Self::Whole) -> Option<Ix<Self::Whole>>;

    /// The work of a thing.
    fn work(thing: &Self::Whole) -> Ix<Work>;
}

/// Things of one kind, by place and by id. Each is of a work, and knows the one before it of that work.
#[derive(Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Kind, S: Serialize, S::Whole: Serialize",
    deserialize = "K: Kind, S: Deserialize<'de>, S::Whole: Deserialize<'de>"
))]
pub struct Terse<K, S: Short> {
    arena: Arena<K, S>,
    long: Rows<Long<S::Whole>>,
}

impl<K, S: Short> Default for Terse<K, S> {
    fn default() -> Self {
        Self { arena: Arena::default(), long: Rows::default() }
    }
}

/// How far things had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct TerseMark {
    pub(super) arena: Mark,
    long: Mark,
}

const fn short<S: Short>(ix: Ix<S::Whole>) -> Ix<S> {
    Ix::new(ix.place())
}

impl<K: Kind, S: Short> Terse<K, S> {
    /// The place of the thing with this id.
    pub fn find(&self, id: Id<K>) -> Option<Ix<S::Whole>> {
        self.arena.find(id).map(|ix| Ix::new(ix.place()))
    }

    /// The id of the thing at a place that was given out here.
    pub fn id(&self, ix: Ix<S::Whole>) -> Id<K> {
        self.arena.id(short::<S>(ix))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.arena.is_empty()
    }

    /// The places and ids of the things from a place on, in the order in which they were pushed.
    pub fn since_place(&self, place: u32) -> impl Iterator<Item = (Ix<S::Whole>, Id<K>)> {
        self.arena.since_place(place).map(|(ix, id, _)| (Ix::new(ix.place()), id))
    }

    /// The places of the things before a place, the last one first.
    pub fn before_place(&self, place: u32) -> impl Iterator<Item = Ix<S::Whole>> + use<K, S> {
        let end = super::arena::place_of(self.len()).min(place);
        (0..end).rev().map(Ix::new)
    }

    /// The work of the thing at a place.
    pub fn work(&self, ix: Ix<S::Whole>) -> Ix<Work> {
        self.short(ix).parts().0.work()
    }

    /// The one before the thing at a place, of the same work.
    pub fn before(&self, ix: Ix<S::Whole>) -> Option<Ix<S::Whole>> {
        let (of, or) = self.short(ix).parts();
        if of.is_at_length() { S::before(self.at_length(or)) } else { self.beside(ix, of.work()) }
    }

    /// All before a thing of its work, and the thing itself: oldest first.
    pub fn chain(&self, last: Option<Ix<S::Whole>>) -> Few<Ix<S::Whole>> {
        let mut found: Few<_> = std::iter::successors(last, |ix| self.before(*ix)).collect();
        found.reverse();
        found
    }

    /// The thing at a place.
    pub(super) fn whole(&self, ix: Ix<S::Whole>, works: &Works) -> S::Whole {
        let row = self.short(ix);
        let (of, or) = row.parts();
        if of.is_at_length() {
            return self.at_length(or).clone();
        }
        row.whole(self.beside(ix, of.work()), of.work(), works.at(of.work()))
    }

    /// The thing at a place, if it stands at length.
    pub(super) fn long(&self, ix: Ix<S::Whole>) -> Option<&S::Whole> {
        let (of, or) = self.short(ix).parts();
        of.is_at_length().then(|| self.at_length(or))
    }

    /// How the thing at a place is told.
    pub(super) fn short(&self, ix: Ix<S::Whole>) -> &S {
        self.arena.at(short::<S>(ix))
    }

    fn at_length(&self, or: Or) -> &S::Whole {
        &self.long.at(or.place()).0
    }

    /// The thing right before this one, if it is of the same work: what comes with a work comes together.
    fn beside(&self, ix: Ix<S::Whole>, work: Ix<Work>) -> Option<Ix<S::Whole>> {
        let before = Ix::new(ix.place().checked_sub(1)?);
        (self.work(before) == work).then_some(before)
    }

    /// The row of a thing which is, or is to be, at this place.
    fn tell(&mut self, ix: Ix<S::Whole>, thing: S::Whole, works: &Works) -> S {
        let work = S::work(&thing);
        let is_beside = S::before(&thing) == self.beside(ix, work);
        let row = S::of(&thing, OfWork::new(work, false), works.at(work)).filter(|_| is_beside);
        row.unwrap_or_else(|| {
            let at = self.long.push(Long(thing.clone()));
            S::at_length(&thing, OfWork::new(work, true), at.into())
        })
    }

    /// Adds a thing.
    pub(super) fn push(&mut self, id: Id<K>, thing: S::Whole, works: &Works) -> Ix<S::Whole> {
        let ix = Ix::new(super::arena::place_of(self.len()));
        let row = self.tell(ix, thing, works);
        self.arena.push(id, row);
        ix
    }

    /// Changes the thing at a place.
    pub(super) fn change(&mut self, ix: Ix<S::Whole>, works: &Works, change: impl FnOnce(&mut S::Whole)) {
        let (of, or) = self.short(ix).parts();
        if of.is_at_length() {
            return change(&mut self.long.change(or.place()).0);
        }
        let mut thing = self.whole(ix, works);
        change(&mut thing);
        let row = self.tell(ix, thing, works);
        *self.arena.change(short::<S>(ix)) = row;
    }

    pub(super) const fn has_room(&self) -> bool {
        self.arena.has_room() && self.long.has_room()
    }

    pub(super) const fn mark(&self) -> TerseMark {
        TerseMark { arena: self.arena.mark(), long: self.long.mark() }
    }

    pub(super) fn undo_to(&mut self, mark: TerseMark) {
        self.arena.undo_to(mark.arena);
        self.long.undo_to(mark.long);
    }

    pub(super) fn keep(&mut self) {
        self.arena.keep();
        self.long.keep();
    }
}
