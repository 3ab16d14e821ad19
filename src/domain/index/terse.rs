//! Things of works in short.
//!
//! Of most things that a work has there is little to say: who registered the work holds it, binds its keys and permits
//! its uses, and nothing happened since but that it was confirmed. What is mostly so is not written down, but read off
//! the work and the thing before; a thing of which it is not so stands beside, at length. What comes out is the same: that is
//! asked of each thing when it is told.

use serde::{Deserialize, Serialize};

use super::arena::{Arena, Ix, Mark, Rows, place_of};
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

    pub(super) const fn new(work: Ix<Work>, at_length: bool) -> Self {
        Self(if at_length { work.place() | Self::AT_LENGTH } else { work.place() })
    }

    #[inline]
    pub(super) const fn work(self) -> Ix<Work> {
        Ix::new(self.0 & !Self::AT_LENGTH)
    }

    #[inline]
    pub(super) const fn is_at_length(self) -> bool {
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
    #[inline]
    pub(super) fn entry(self) -> At {
        At::from_bits(self.0)
    }

    /// The place of something that a thing in short has.
    #[inline]
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
    type Whole: Clone + PartialEq;

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

#[inline]
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
        let end = place_of(self.len()).min(place);
        (0..end).rev().map(Ix::new)
    }

    /// The work of the thing at a place.
    #[inline]
    pub fn work(&self, ix: Ix<S::Whole>) -> Ix<Work> {
        self.short(ix).parts().0.work()
    }

    /// The one before the thing at a place, of the same work.
    #[inline]
    pub fn before(&self, ix: Ix<S::Whole>) -> Option<Ix<S::Whole>> {
        let (of, or) = self.short(ix).parts();
        if of.is_at_length() { S::before(self.at_length(or)) } else { self.beside(ix, of.work()) }
    }

    /// All before a thing of its work, and the thing itself: oldest first.
    #[inline]
    pub fn chain(&self, last: Option<Ix<S::Whole>>) -> Few<Ix<S::Whole>> {
        let mut found: Few<_> = std::iter::successors(last, |ix| self.before(*ix)).collect();
        found.reverse();
        found
    }

    /// The thing at a place.
    #[inline]
    pub(super) fn whole(&self, ix: Ix<S::Whole>, works: &Works) -> S::Whole {
        let row = self.short(ix);
        let (of, or) = row.parts();
        if of.is_at_length() {
            return self.at_length(or).clone();
        }
        row.whole(self.beside(ix, of.work()), of.work(), works.at(of.work()))
    }

    /// How the thing at a place is told, if that is in short and it is the first one of its work.
    #[inline]
    pub(super) fn first_in_short(&self, ix: Ix<S::Whole>) -> Option<&S> {
        let row = self.short(ix);
        let (of, _) = row.parts();
        (!of.is_at_length() && self.beside(ix, of.work()).is_none()).then_some(row)
    }

    /// The thing at a place, if it stands at length.
    #[inline]
    pub(super) fn long(&self, ix: Ix<S::Whole>) -> Option<&S::Whole> {
        let (of, or) = self.short(ix).parts();
        of.is_at_length().then(|| self.at_length(or))
    }

    /// Something of both lines in which a thing and the one before it may lie, so that they are near; and where it stands at
    /// length.
    #[inline]
    pub(super) fn touch(&self, ix: Ix<S::Whole>) -> u32 {
        let before = Ix::new(ix.place().saturating_sub(1));
        let at_length = self.long(ix).map_or(0, |thing| S::work(thing).place());
        self.short(before).parts().0.0 ^ at_length
    }

    /// How the thing at a place is told.
    #[inline]
    pub(super) fn short(&self, ix: Ix<S::Whole>) -> &S {
        self.arena.at(short::<S>(ix))
    }

    #[inline]
    fn at_length(&self, or: Or) -> &S::Whole {
        &self.long.at(or.place()).0
    }

    /// The thing right before this one, if it is of the same work: what comes with a work comes together.
    #[inline]
    fn beside(&self, ix: Ix<S::Whole>, work: Ix<Work>) -> Option<Ix<S::Whole>> {
        let before = Ix::new(ix.place().checked_sub(1)?);
        (self.work(before) == work).then_some(before)
    }

    /// The row of a thing which is, or is to be, at this place: in short only if it comes out the same.
    fn tell(&mut self, ix: Ix<S::Whole>, thing: &S::Whole, works: &Works) -> S {
        let place = S::work(thing);
        let (before, work) = (self.beside(ix, place), works.at(place));
        let row = S::of(thing, OfWork::new(place, false), work);
        row.filter(|row| row.whole(before, place, work) == *thing).unwrap_or_else(|| {
            let at = self.long.push(Long(thing.clone()));
            S::at_length(thing, OfWork::new(place, true), at.into())
        })
    }

    /// Adds a thing.
    pub(super) fn push(&mut self, id: Id<K>, thing: &S::Whole, works: &Works) -> Ix<S::Whole> {
        let ix = Ix::new(place_of(self.len()));
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
        let row = self.tell(ix, &thing, works);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::act::WorkKind;
    use crate::domain::ids::HoldingKind;
    use crate::domain::index::records::{Holding, HoldingRow, Marks, OthersAt};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use uuid::Uuid;

    type Holdings = Terse<HoldingKind, HoldingRow>;

    /// What happens to holdings.
    #[derive(Clone, Debug)]
    enum Step {
        /// Of one of the works, which is the last one or not, asserted with it or later, by who registered it or not.
        Push {
            back: usize,
            is_first: bool,
            is_registrants: bool,
        },
        Confirm(usize),
        End(usize),
        HandOn(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let push = (
            prop_oneof![4 => Just(0), 1 => 0..5_usize],
            prop::bool::weighted(0.8),
            prop::bool::weighted(0.8),
        );
        prop_oneof![
            6 => push.prop_map(|(back, is_first, is_registrants)| Step::Push { back, is_first, is_registrants }),
            3 => (0..60_usize).prop_map(Step::Confirm),
            1 => (0..60_usize).prop_map(Step::End),
            1 => (0..60_usize).prop_map(Step::HandOn),
        ]
    }

    fn works() -> Works {
        let mut works = Works::default();
        for number in 0..9 {
            let work = Work {
                kind: WorkKind::Text,
                marks: Marks::default(),
                registered: At::new(100 * u64::from(number)),
                registrant: Ix::new(number % 2),
                holdings: None,
                bindings: None,
                others: OthersAt::default(),
            };
            works.push(Id::new(Uuid::from_u128(u128::from(number))), work);
        }
        works
    }

    /// Takes the steps, in a table and in a plain list; a third of them go to the next work.
    fn take(steps: &[Step], at: &mut u32, works: &Works, holdings: &mut Holdings, known: &mut Vec<Holding>) {
        for step in steps {
            *at += 1;
            let (number, entry) = ((*at / 3).min(8), At::new(1_000 + u64::from(*at)));
            let mut change = |which: &usize, change: &dyn Fn(&mut Holding)| {
                if let Some(holding) = known.get_mut(*which) {
                    change(holding);
                    holdings.change(Ix::new(place_of(*which)), works, change);
                }
            };
            match step {
                Step::Push { back, is_first, is_registrants } => {
                    let ix = Ix::new(number.saturating_sub(place_of(*back)));
                    let Work { registered, registrant, .. } = *works.at(ix);
                    let before = known.iter().rposition(|holding| holding.work == ix);
                    let holding = Holding {
                        work: ix,
                        before: before.map(|place| Ix::new(place_of(place))),
                        first_holder: if *is_registrants { registrant } else { Ix::new(2) },
                        handed_on: None,
                        asserted: if *is_first { registered } else { entry },
                        confirmed: At::NEVER,
                        ended: At::NEVER,
                    };
                    let id = Id::new(Uuid::from_u128(u128::from(*at)));
                    assert_eq!(holdings.push(id, &holding, works).place(), place_of(known.len()));
                    known.push(holding);
                }
                Step::Confirm(which) => change(which, &|it| it.confirmed = entry),
                Step::End(which) => change(which, &|it| it.ended = entry),
                Step::HandOn(which) => change(which, &|it| it.handed_on = Some(Ix::new(7))),
            }
        }
    }

    fn hold(holdings: &Holdings, works: &Works, known: &[Holding]) {
        assert_eq!(holdings.len(), known.len());
        for (place, holding) in (0..).zip(known) {
            let ix = Ix::new(place);
            assert_eq!(format!("{:?}", holdings.whole(ix, works)), format!("{holding:?}"));
            assert_eq!((holdings.before(ix), holdings.work(ix)), (holding.before, holding.work));
        }
        for work in 0..9 {
            let all =
                (0..).zip(known).filter(|(_, it)| it.work == Ix::new(work)).map(|(place, _)| Ix::new(place));
            let all: Vec<_> = all.collect();
            assert_eq!(holdings.chain(all.last().copied()).to_vec(), all);
        }
    }

    proptest! {
        #[test]
        fn what_is_told_in_short_is_what_was_said(
            first in vec(step(), 0..40), second in vec(step(), 0..40), third in vec(step(), 0..40), keeps: bool
        ) {
            let works = works();
            let (mut holdings, mut known, mut at) = (Holdings::default(), Vec::new(), 0);
            take(&first, &mut at, &works, &mut holdings, &mut known);
            if keeps {
                holdings.keep();
            }
            hold(&holdings, &works, &known);
            let (mark, before) = (holdings.mark(), known.clone());
            take(&second, &mut at, &works, &mut holdings, &mut known);
            hold(&holdings, &works, &known);
            holdings.undo_to(mark);
            hold(&holdings, &works, &before);
            known = before;
            take(&third, &mut at, &works, &mut holdings, &mut known);
            hold(&holdings, &works, &known);
            let image = postcard::to_stdvec(&holdings).unwrap();
            hold(&postcard::from_bytes(&image).unwrap(), &works, &known);
        }
    }

    #[test]
    fn what_is_as_most_are_stands_in_short() {
        let works = works();
        let (mut holdings, mut known, mut at) = (Holdings::default(), Vec::new(), 0);
        let plain = Step::Push { back: 0, is_first: true, is_registrants: true };
        take(
            &[plain.clone(), plain.clone(), Step::Confirm(0), plain],
            &mut at,
            &works,
            &mut holdings,
            &mut known,
        );
        assert_eq!((holdings.len(), holdings.long.len()), (3, 0));
        assert_eq!(size_of::<HoldingRow>(), 8);
    }
}
