//! Holdings, bindings, grants and denials in short: see [`terse`](crate::domain::index::terse).

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::{At, Binding, Denial, Grant, Holding, Term, Work};
use crate::domain::index::terse::{FromWork, NearWork, OfWork, Or, Short};
use crate::domain::index::texts::TextAt;
use crate::domain::index::{Ix, Works};

/// A holding with which its work was registered, of who registered it, who holds it still.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[repr(Rust, packed(2))]
pub struct HoldingRow {
    of: NearWork,
    confirmed: Or,
}

impl Short for HoldingRow {
    type Whole = Holding;
    type Base = FromWork;

    fn base(_: &Holding, works: &Works) -> FromWork {
        FromWork::last(works)
    }

    fn of(it: &Holding, base: FromWork, work: &Work) -> Option<Self> {
        let Work { registrant, registered, .. } = *work;
        let is_so = it.first_holder == registrant
            && it.asserted == registered
            && it.handed_on.is_none()
            && it.ended == At::NEVER;
        let of = NearWork::new(it.work, base).filter(|_| is_so)?;
        Some(Self { of, confirmed: it.confirmed.into() })
    }

    fn at_length(_: &Holding, confirmed: Or) -> Self {
        Self { of: NearWork::AT_LENGTH, confirmed }
    }

    #[inline]
    fn length(self) -> Option<Or> {
        self.of.is_at_length().then_some(self.confirmed)
    }

    #[inline]
    fn touch(self, base: FromWork) -> u32 {
        self.confirmed.bits() ^ base.bits()
    }

    #[inline]
    fn work(self, base: FromWork) -> Ix<Work> {
        self.of.work(base)
    }

    #[inline]
    fn whole(self, base: FromWork, before: Option<Ix<Holding>>, work: &Work) -> Holding {
        Holding {
            work: self.of.work(base),
            before,
            first_holder: work.registrant,
            handed_on: None,
            asserted: work.registered,
            confirmed: self.confirmed.entry(),
            ended: At::NEVER,
        }
    }

    #[inline]
    fn before(it: &Holding) -> Option<Ix<Holding>> {
        it.before
    }

    #[inline]
    fn work_of(it: &Holding) -> Ix<Work> {
        it.work
    }
}

/// A binding with which its work was registered, by who registered it, and to whose key nothing happened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct BindingRow {
    of: NearWork,
    /// How far its key is from that of its block.
    key: u16,
    confirmed: Or,
}

impl BindingRow {
    /// By which entry a binding that is told in short was confirmed.
    #[inline]
    pub(in crate::domain::index) fn confirmed(self) -> At {
        self.confirmed.entry()
    }

    /// The key of a binding that is told in short.
    #[inline]
    pub(in crate::domain::index) const fn key(self, base: (FromWork, TextAt)) -> TextAt {
        base.1.after(self.key)
    }
}

impl Short for BindingRow {
    type Whole = Binding;
    type Base = (FromWork, TextAt);

    fn base(it: &Binding, works: &Works) -> Self::Base {
        (FromWork::last(works), it.key)
    }

    fn of(it: &Binding, base: Self::Base, work: &Work) -> Option<Self> {
        let Work { registrant, registered, .. } = *work;
        let is_so = it.by == registrant && it.asserted == registered && it.story.is_none();
        let of = NearWork::new(it.work, base.0).filter(|_| is_so)?;
        Some(Self { of, key: it.key.away(base.1)?, confirmed: it.confirmed.into() })
    }

    fn at_length(_: &Binding, confirmed: Or) -> Self {
        Self { of: NearWork::AT_LENGTH, key: 0, confirmed }
    }

    #[inline]
    fn length(self) -> Option<Or> {
        self.of.is_at_length().then_some(self.confirmed)
    }

    #[inline]
    fn touch(self, base: Self::Base) -> u32 {
        self.confirmed.bits() ^ base.0.bits()
    }

    #[inline]
    fn work(self, base: Self::Base) -> Ix<Work> {
        self.of.work(base.0)
    }

    #[inline]
    fn whole(self, base: Self::Base, before: Option<Ix<Binding>>, work: &Work) -> Binding {
        Binding {
            work: self.of.work(base.0),
            before,
            key: self.key(base),
            by: work.registrant,
            asserted: work.registered,
            confirmed: self.confirmed.entry(),
            story: None,
        }
    }

    #[inline]
    fn before(it: &Binding) -> Option<Ix<Binding>> {
        it.before
    }

    #[inline]
    fn work_of(it: &Binding) -> Ix<Work> {
        it.work
    }
}

/// A grant of who registered its work, recorded by itself, without an end and never revoked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GrantRow {
    of: OfWork,
    recorded: At,
    licence: Or,
    /// The beginning of its term, in milliseconds after that of the first of its block.
    after_ms: u32,
}

impl Short for GrantRow {
    type Whole = Grant;
    type Base = i64;

    fn base(it: &Grant, _: &Works) -> i64 {
        it.term.from_ms
    }

    fn of(it: &Grant, base_ms: i64, work: &Work) -> Option<Self> {
        let Work { registrant, .. } = *work;
        let is_so = it.grantor == registrant
            && it.recorder == it.grantor
            && it.mandate.is_none()
            && it.revoked.is_none()
            && it.term.until_ms == i64::MAX;
        let after_ms = u32::try_from(it.term.from_ms.checked_sub(base_ms)?).ok().filter(|_| is_so)?;
        let of = OfWork::new(it.work, false);
        Some(Self { of, recorded: it.recorded, licence: it.licence.into(), after_ms })
    }

    fn at_length(it: &Grant, licence: Or) -> Self {
        Self { of: OfWork::new(it.work, true), recorded: it.recorded, licence, after_ms: 0 }
    }

    #[inline]
    fn length(self) -> Option<Or> {
        self.of.is_at_length().then_some(self.licence)
    }

    #[inline]
    fn touch(self, base_ms: i64) -> u32 {
        self.licence.bits() ^ u32::from(base_ms < 0)
    }

    #[inline]
    fn work(self, _: i64) -> Ix<Work> {
        self.of.work()
    }

    #[inline]
    fn whole(self, base_ms: i64, before: Option<Ix<Grant>>, work: &Work) -> Grant {
        Grant {
            work: self.of.work(),
            before,
            grantor: work.registrant,
            recorder: work.registrant,
            mandate: None,
            recorded: self.recorded,
            licence: self.licence.place(),
            revoked: None,
            term: Term { from_ms: base_ms.saturating_add(i64::from(self.after_ms)), until_ms: i64::MAX },
        }
    }

    #[inline]
    fn before(it: &Grant) -> Option<Ix<Grant>> {
        it.before
    }

    #[inline]
    fn work_of(it: &Grant) -> Ix<Work> {
        it.work
    }
}

/// A denial of who registered its work, recorded by itself, without a beginning or an end, on one holding, and never lifted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct DenialRow {
    of: OfWork,
    recorded: At,
    refusal: Or,
    holding: Option<Ix<Holding>>,
}

impl DenialRow {
    fn new(it: &Denial, at_length: bool, refusal: Or) -> Self {
        let holding = it.holdings.first().map(|(holding, _)| *holding);
        Self { of: OfWork::new(it.work, at_length), recorded: it.recorded, refusal, holding }
    }
}

impl Short for DenialRow {
    type Whole = Denial;
    type Base = ();

    fn base(_: &Denial, _: &Works) {}

    fn of(it: &Denial, (): (), work: &Work) -> Option<Self> {
        let Work { registrant, .. } = *work;
        let is_so = it.principal == registrant
            && it.recorder == it.principal
            && matches!(it.holdings.as_slice(), [(_, At::NEVER)])
            && it.term == Term::ALWAYS;
        is_so.then(|| Self::new(it, false, it.refusal.into()))
    }

    fn at_length(it: &Denial, refusal: Or) -> Self {
        Self::new(it, true, refusal)
    }

    #[inline]
    fn length(self) -> Option<Or> {
        self.of.is_at_length().then_some(self.refusal)
    }

    #[inline]
    fn touch(self, (): ()) -> u32 {
        self.refusal.bits()
    }

    #[inline]
    fn work(self, (): ()) -> Ix<Work> {
        self.of.work()
    }

    #[inline]
    fn whole(self, (): (), before: Option<Ix<Denial>>, work: &Work) -> Denial {
        Denial {
            work: self.of.work(),
            before,
            principal: work.registrant,
            recorder: work.registrant,
            recorded: self.recorded,
            refusal: self.refusal.place(),
            holdings: self.holding.map_or_else(|| smallvec![], |holding| smallvec![(holding, At::NEVER)]),
            term: Term::ALWAYS,
        }
    }

    #[inline]
    fn before(it: &Denial) -> Option<Ix<Denial>> {
        it.before
    }

    #[inline]
    fn work_of(it: &Denial) -> Ix<Work> {
        it.work
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::act::WorkKind;
    use crate::domain::index::records::{Marks, OthersAt};
    use proptest::prelude::*;
    use std::fmt::Debug;

    fn ix<T: 'static>() -> impl Strategy<Value = Ix<T>> {
        prop_oneof![4 => Just(0), 1 => 1..3_u32].prop_map(Ix::new)
    }

    fn at() -> impl Strategy<Value = At> {
        prop_oneof![Just(At::NEVER), Just(At::new(5)), Just(At::new(u64::from(u32::MAX - 1)))]
    }

    fn seldom<T: Debug + Clone>(it: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        prop::option::weighted(0.2, it)
    }

    fn term() -> impl Strategy<Value = Term> {
        let from = prop_oneof![Just(i64::MIN), Just(0), any::<u32>().prop_map(i64::from), any::<i64>()];
        let until = prop_oneof![3 => Just(i64::MAX), 1 => any::<i64>()];
        (from, until).prop_map(|(from_ms, until_ms)| Term { from_ms, until_ms })
    }

    /// Whether a thing that is told in short is told whole again.
    fn is_the_same<S: Short<Whole: Debug, Base: Default>>(thing: &S::Whole) {
        let work = Work {
            kind: WorkKind::Text,
            marks: Marks::default(),
            registered: At::new(5),
            registrant: Ix::new(0),
            holdings: None,
            bindings: None,
            others: OthersAt::default(),
        };
        let base = S::Base::default();
        let long = S::at_length(thing, Ix::<Work>::new(7).into());
        assert_eq!(long.length().map(|or| or.place::<Work>().place()), Some(7));
        if let Some(row) = S::of(thing, base, &work) {
            assert!(row.length().is_none());
            assert_eq!(row.work(base), S::work_of(thing));
            assert_eq!(format!("{:?}", row.whole(base, S::before(thing), &work)), format!("{thing:?}"));
        }
    }

    proptest! {
        #[test]
        fn what_was_told_in_short_is_told_whole_again(
            of in (ix(), ix(), ix(), ix()), ats in (at(), at(), at()), term in term(),
            seldom in (seldom(ix()), seldom(ix()), seldom(ix()), seldom(ix())),
            holdings in prop::collection::vec((ix(), at()), 0..3), text in any::<u16>(),
        ) {
            let (work, org, other, licence) = of;
            let (asserted, confirmed, ended) = ats;
            let (handed_on, story, mandate, revoked) = seldom;
            let first_holder = org;
            is_the_same::<HoldingRow>(&Holding { work, before: None, first_holder, handed_on, asserted, confirmed, ended });
            let key = postcard::from_bytes(&postcard::to_stdvec(&u32::from(text)).unwrap()).unwrap();
            is_the_same::<BindingRow>(&Binding { work, before: None, key, by: org, asserted, confirmed, story });
            let recorded = asserted;
            is_the_same::<GrantRow>(&Grant {
                work, before: None, grantor: org, recorder: other, mandate, recorded, licence, revoked, term,
            });
            is_the_same::<DenialRow>(&Denial {
                work,
                before: None,
                principal: org,
                recorder: other,
                recorded,
                refusal: Ix::new(licence.place()),
                holdings: holdings.into_iter().collect(),
                term,
            });
        }
    }

    #[test]
    fn what_is_not_near_its_block_stands_at_length() {
        let from = FromWork::default();
        for (place, is_near) in [(0, true), (65_534, true), (65_535, false), (70_000, false)] {
            let near = NearWork::new(Ix::new(place), from);
            assert_eq!(near.map(|near| near.work(from).place()), is_near.then_some(place));
        }
        let text = |at: u32| -> TextAt { postcard::from_bytes(&postcard::to_stdvec(&at).unwrap()).unwrap() };
        assert!(text(70_000).away(text(0)).is_none() && text(0).away(text(1)).is_none());
        assert_eq!(text(70_000).away(text(60_000)), Some(10_000));
    }

    #[test]
    fn a_row_is_as_small_as_it_is_meant_to_be() {
        let sizes =
            [size_of::<HoldingRow>(), size_of::<BindingRow>(), size_of::<GrantRow>(), size_of::<DenialRow>()];
        assert_eq!((sizes, size_of::<Work>()), ([6, 8, 16, 16], 22));
    }
}
