//! What few works have: grants, denials, ties to others.

use serde::{Deserialize, Serialize};

use super::{Denial, Grant, Ties};
use crate::domain::index::Ix;

/// What few works have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// Grants on it: the last.
    pub grants: Option<Ix<Grant>>,
    /// Denials on it: the last.
    pub denials: Option<Ix<Denial>>,
    /// What ties it to other works, or changed.
    pub ties: Option<Ix<Ties>>,
}

/// Where the [`Others`] of a work are, in four bytes. Most works have none or one of them, and what that is says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::domain::index) struct OthersAt(u32);

/// What [`OthersAt`] amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::index) enum Which {
    /// No more than one: these.
    These(Others),
    /// Several: those at this place.
    At(Ix<Others>),
}

impl OthersAt {
    /// How many of each of them can be told apart.
    pub(in crate::domain::index) const MOST: usize = 1 << 30;
    const GRANTS: u32 = 1;
    const DENIALS: u32 = 2;
    const SEVERAL: u32 = 3;

    const fn new(which: u32, place: u32) -> Self {
        Self(which << 30 | place)
    }

    /// These, if they are no more than one.
    pub(in crate::domain::index) fn of(others: Others) -> Option<Self> {
        match (others.grants, others.denials, others.ties) {
            (None, None, None) => Some(Self(0)),
            (Some(grant), None, None) => Some(Self::new(Self::GRANTS, grant.place())),
            (None, Some(denial), None) => Some(Self::new(Self::DENIALS, denial.place())),
            (None, None, Some(ties)) => Some(Self(ties.place() + 1)),
            _ => None,
        }
    }

    /// Those at this place.
    pub(in crate::domain::index) const fn several(ix: Ix<Others>) -> Self {
        Self::new(Self::SEVERAL, ix.place())
    }

    /// Which they are.
    #[inline]
    pub(in crate::domain::index) fn which(self) -> Which {
        let (which, place) = (self.0 >> 30, self.0 & (u32::MAX >> 2));
        let none = Others::default();
        match which {
            Self::GRANTS => Which::These(Others { grants: Some(Ix::new(place)), ..none }),
            Self::DENIALS => Which::These(Others { denials: Some(Ix::new(place)), ..none }),
            Self::SEVERAL => Which::At(Ix::new(place)),
            _ => Which::These(Others { ties: place.checked_sub(1).map(Ix::new), ..none }),
        }
    }
}
