//! Which keys of the registry gave way to which, and which names the log has had.

use serde::{Deserialize, Serialize};

use super::AsOf;
use crate::domain::act::{KeyRotated, SigningKeyUse};

/// A key that gave way to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The entry that says so: what is larger than so many entries the old key signs no more.
    pub at: u64,
    /// When, in milliseconds.
    pub at_ms: i64,
    /// Which, and to which.
    pub act: KeyRotated,
}

impl Rotation {
    /// The key that ended, the entry that says so, and when.
    pub fn ended(&self) -> (String, u64, i64) {
        (self.act.old.clone(), self.at, self.at_ms)
    }
}

impl<'a> AsOf<'a> {
    /// Every rotation, the oldest first.
    pub fn rotations(self) -> impl Iterator<Item = &'a Rotation> + Clone {
        self.index.rotations.iter().filter(move |rotation| self.seen(rotation.at))
    }

    /// Every rotation of keys of this use, the oldest first.
    pub fn rotations_of(self, of: SigningKeyUse) -> impl Iterator<Item = &'a Rotation> + Clone {
        self.rotations().filter(move |rotation| rotation.act.key_use == of)
    }

    /// The names that the log has had, the oldest first, each with the entry with which it began.
    pub fn origins(self) -> impl Iterator<Item = (u64, &'a str)> + Clone {
        let seen = self.index.origins.iter().filter(move |(at, _)| self.seen(*at));
        seen.map(|(at, origin)| (*at, origin.as_str()))
    }

    /// How this key ended, if it did.
    pub fn end_of_key(self, key: &str) -> Option<&'a Rotation> {
        self.rotations().find(|rotation| rotation.act.old == key)
    }

    /// How this key began to sign alone, if another gave way to it.
    pub fn beginning_of_key(self, key: &str) -> Option<&'a Rotation> {
        self.rotations().find(|rotation| rotation.act.new == key)
    }
}
