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

impl Short for HoldingRow {
    type Whole = Holding;

    fn of(it: &Holding, of: OfWork, work: &Work) -> Option<Self> {
        let is_so = it.first_holder == work.registrant
            && it.asserted == work.registered
            && it.handed_on.is_none()
            && it.ended == At::NEVER;
        is_so.then(|| Self { of, confirmed: it.confirmed.into() })
    }

    fn at_length(_: &Holding, of: OfWork, confirmed: Or) -> Self {
        Self { of, confirmed }
    }

    fn parts(self) -> (OfWork, Or) {
        (self.of, self.confirmed)
    }

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

    fn before(it: &Holding) -> Option<Ix<Holding>> {
        it.before
    }

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
    /// The key, also of what stands at length.
    pub(in crate::domain::index) const fn key(&self) -> TextAt {
        self.key
    }
}

impl Short for BindingRow {
    type Whole = Binding;

    fn of(it: &Binding, of: OfWork, work: &Work) -> Option<Self> {
        let is_so = it.by == work.registrant && it.asserted == work.registered && it.story.is_none();
        is_so.then(|| Self { of, key: it.key, confirmed: it.confirmed.into() })
    }

    fn at_length(it: &Binding, of: OfWork, confirmed: Or) -> Self {
        Self { of, key: it.key, confirmed }
    }

    fn parts(self) -> (OfWork, Or) {
        (self.of, self.confirmed)
    }

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

    fn before(it: &Binding) -> Option<Ix<Binding>> {
        it.before
    }

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
        let is_so = it.grantor == work.registrant
            && it.recorder == it.grantor
            && it.mandate.is_none()
            && it.revoked.is_none()
            && it.term.until_ms == i64::MAX;
        is_so.then(|| Self::at_length(it, of, it.licence.into()))
    }

    fn at_length(it: &Grant, of: OfWork, licence: Or) -> Self {
        Self { of, recorded: it.recorded, licence, from_ms: it.term.from_ms.to_le_bytes() }
    }

    fn parts(self) -> (OfWork, Or) {
        (self.of, self.licence)
    }

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

    fn before(it: &Grant) -> Option<Ix<Grant>> {
        it.before
    }

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
        let is_so = it.principal == work.registrant
            && it.recorder == it.principal
            && matches!(it.holdings.as_slice(), [(_, At::NEVER)])
            && it.term == Term::ALWAYS;
        is_so.then(|| Self::at_length(it, of, it.refusal.into()))
    }

    fn at_length(it: &Denial, of: OfWork, refusal: Or) -> Self {
        let holding = it.holdings.first().map(|(holding, _)| *holding);
        Self { of, recorded: it.recorded, refusal, holding }
    }

    fn parts(self) -> (OfWork, Or) {
        (self.of, self.refusal)
    }

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

    fn before(it: &Denial) -> Option<Ix<Denial>> {
        it.before
    }

    fn work(it: &Denial) -> Ix<Work> {
        it.work
    }
}
