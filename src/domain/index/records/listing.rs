//! What happened to lists of holders and of layers.

use serde::{Deserialize, Serialize};

use super::{At, Org};
use crate::domain::index::Ix;

/// Who declared a list complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Declarer {
    /// The registrar.
    Registrar,
    /// A holder.
    Holder(Ix<Org>),
}

/// What happened to a list that counts once it is declared complete, after its work was registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listing {
    /// What happened to that list before it.
    pub before: Option<Ix<Self>>,
    /// The entry.
    pub at: At,
    /// Who declared the list complete; nobody if it changed.
    pub declared: Declared,
}

/// Who declared a list complete, or nobody, in four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared(u32);

impl Declared {
    /// Nobody did: the list changed.
    pub const NOBODY: Self = Self(0);

    /// Who.
    pub fn by(self) -> Option<Declarer> {
        match self.0.checked_sub(2) {
            Some(holder) => Some(Declarer::Holder(Ix::new(holder))),
            None if self == Self::NOBODY => None,
            None => Some(Declarer::Registrar),
        }
    }
}

impl From<Option<Declarer>> for Declared {
    fn from(declarer: Option<Declarer>) -> Self {
        match declarer {
            None => Self::NOBODY,
            Some(Declarer::Registrar) => Self(1),
            Some(Declarer::Holder(org)) => Self(org.place() + 2),
        }
    }
}
