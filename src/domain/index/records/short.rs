//! Holdings, bindings, grants and denials in short: see [`terse`](crate::domain::index::terse).

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::{At, Binding, Denial, Grant, Holding, Term, Work};
use crate::domain::index::Ix;
use crate::domain::index::terse::{OfWork, Or, Short};
use crate::domain::index::texts::TextAt;

/// A holding with which its work was registered, of who registered it, who holds it still.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct HoldingRow {
    of: OfWork,
    confirmed: Or,
}

impl HoldingRow {
    /// By which entry a holding that is told in short was confirmed.
    #[inline]
    pub(in crate::domain::index) fn confirmed(self) -> At {
        self.confirmed.entry()
    }
}

impl Short for HoldingRow {
    type Whole = Holding;

    fn of(it: &Holding, of: OfWork, work: &Work) -> Option<Self> {
        let Work { registrant, registered, .. } = *work;
        let is_so = it.first_holder == registrant
            && it.asserted == registered
            && it.handed_on.is_none()
            && it.ended == At::NEVER;
        is_so.then(|| Self { of, confirmed: it.confirmed.into() })
    }

    fn at_length(_: &Holding, of: OfWork, confirmed: Or) -> Self {
        Self { of, confirmed }
    }

    #[inline]
    fn parts(self) -> (OfWork, Or) {
        (self.of, self.confirmed)
    }

    #[inline]
    fn whole(self, before: Option<Ix<Holding>>, ix: Ix<Work>, work: &Work) -> Holding {
        Holding {
            work: ix,
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
    fn work(it: &Holding) -> Ix<Work> {
        it.work
    }
}

/// A binding with which its work was registered, by who registered it, and to whose key nothing happened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct BindingRow {
    of: OfWork,
    key: TextAt,
    confirmed: Or,
}

impl BindingRow {
    /// By which entry a binding that is told in short was confirmed.
    #[inline]
    pub(in crate::domain::index) fn confirmed(self) -> At {
        self.confirmed.entry()
    }

    /// The key, also of what stands at length.
    #[inline]
    pub(in crate::domain::index) const fn key(&self) -> TextAt {
        self.key
    }
}

impl Short for BindingRow {
    type Whole = Binding;

    fn of(it: &Binding, of: OfWork, work: &Work) -> Option<Self> {
        let Work { registrant, registered, .. } = *work;
        let is_so = it.by == registrant && it.asserted == registered && it.story.is_none();
        is_so.then(|| Self { of, key: it.key, confirmed: it.confirmed.into() })
    }

    fn at_length(it: &Binding, of: OfWork, confirmed: Or) -> Self {
        Self { of, key: it.key, confirmed }
    }

    #[inline]
    fn parts(self) -> (OfWork, Or) {
        (self.of, self.confirmed)
    }

    #[inline]
    fn whole(self, before: Option<Ix<Binding>>, ix: Ix<Work>, work: &Work) -> Binding {
        Binding {
            work: ix,
            before,
            key: self.key,
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
    fn work(it: &Binding) -> Ix<Work> {
        it.work
    }
}

/// A grant of who registered its work, recorded by itself, without an end and never revoked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GrantRow {
    of: OfWork,
    recorded: At,
    licence: Or,
    /// The beginning of its term, in milliseconds.
    from_ms: [u8; 8],
}

impl Short for GrantRow {
    type Whole = Grant;

    fn of(it: &Grant, of: OfWork, work: &Work) -> Option<Self> {
        let Work { registrant, .. } = *work;
        let is_so = it.grantor == registrant
            && it.recorder == it.grantor
            && it.mandate.is_none()
            && it.revoked.is_none()
            && it.term.until_ms == i64::MAX;
        is_so.then(|| Self::at_length(it, of, it.licence.into()))
    }

    fn at_length(it: &Grant, of: OfWork, licence: Or) -> Self {
        Self { of, recorded: it.recorded, licence, from_ms: it.term.from_ms.to_le_bytes() }
    }

    #[inline]
    fn parts(self) -> (OfWork, Or) {
        (self.of, self.licence)
    }

    #[inline]
    fn whole(self, before: Option<Ix<Grant>>, ix: Ix<Work>, work: &Work) -> Grant {
        Grant {
            work: ix,
            before,
            grantor: work.registrant,
            recorder: work.registrant,
            mandate: None,
            recorded: self.recorded,
            licence: self.licence.place(),
            revoked: None,
            term: Term { from_ms: i64::from_le_bytes(self.from_ms), until_ms: i64::MAX },
        }
    }

    #[inline]
    fn before(it: &Grant) -> Option<Ix<Grant>> {
        it.before
    }

    #[inline]
    fn work(it: &Grant) -> Ix<Work> {
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

impl Short for DenialRow {
    type Whole = Denial;

    fn of(it: &Denial, of: OfWork, work: &Work) -> Option<Self> {
        let Work { registrant, .. } = *work;
        let is_so = it.principal == registrant
            && it.recorder == it.principal
            && matches!(it.holdings.as_slice(), [(_, At::NEVER)])
            && it.term == Term::ALWAYS;
        is_so.then(|| Self::at_length(it, of, it.refusal.into()))
    }

    fn at_length(it: &Denial, of: OfWork, refusal: Or) -> Self {
        let holding = it.holdings.first().map(|(holding, _)| *holding);
        Self { of, recorded: it.recorded, refusal, holding }
    }

    #[inline]
    fn parts(self) -> (OfWork, Or) {
        (self.of, self.refusal)
    }

    #[inline]
    fn whole(self, before: Option<Ix<Denial>>, ix: Ix<Work>, work: &Work) -> Denial {
        Denial {
            work: ix,
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
    fn work(it: &Denial) -> Ix<Work> {
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
        let from = prop_oneof![Just(i64::MIN), Just(0), any::<i64>()];
        let until = prop_oneof![3 => Just(i64::MAX), 1 => any::<i64>()];
        (from, until).prop_map(|(from_ms, until_ms)| Term { from_ms, until_ms })
    }

    /// Whether a thing that is told in short is told whole again.
    fn is_the_same<S: Short<Whole: Debug>>(thing: &S::Whole) {
        let work = Work {
            kind: WorkKind::Text,
            marks: Marks::default(),
            registered: At::new(5),
            registrant: Ix::new(0),
            holdings: None,
            bindings: None,
            others: OthersAt::default(),
        };
        let ix = S::work(thing);
        for (at_length, place) in [(false, 0), (true, 7)] {
            let of = OfWork::new(ix, at_length);
            assert_eq!((of.work(), of.is_at_length()), (ix, at_length));
            assert_eq!(
                S::at_length(thing, of, Ix::<Work>::new(place).into()).parts().1.place::<Work>().place(),
                place
            );
        }
        if let Some(row) = S::of(thing, OfWork::new(ix, false), &work) {
            assert_eq!(format!("{:?}", row.whole(S::before(thing), ix, &work)), format!("{thing:?}"));
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
    fn a_row_is_as_small_as_it_is_meant_to_be() {
        let sizes =
            [size_of::<HoldingRow>(), size_of::<BindingRow>(), size_of::<GrantRow>(), size_of::<DenialRow>()];
        assert_eq!((sizes, size_of::<Work>()), ([8, 12, 20, 16], 22));
    }
}
