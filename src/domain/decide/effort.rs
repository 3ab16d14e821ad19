//! How much may be looked at for an answer.
//!
//! The rules bound how much there is of anything, not how much of one thing meets how much of another: a few hundred thousand
//! entries can be so tied that an answer would look at thousands of millions of pairs. Who answers strangers gives up before
//! that, and gives no answer, which is no permission. What is looked at depends on the entries and the question alone.

use std::cell::Cell;

/// The most that is looked at for one question of a stranger: many times what is needed for any work with the most grants that
/// it can have, and less than a second.
pub const ENOUGH: u64 = 10_000_000;

/// What was looked at: each work, link, holding, grant and denial counts as often as it is met.
#[derive(Debug)]
pub struct Effort {
    most: u64,
    taken: Cell<u64>,
}

/// More would have to be looked at than may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much would have to be looked at, ask for less at once")]
pub struct TooMuch;

impl Effort {
    /// No more than this.
    pub const fn at_most(most: u64) -> Self {
        Self { most, taken: Cell::new(0) }
    }

    /// Whatever it takes.
    pub const fn unlimited() -> Self {
        Self::at_most(u64::MAX)
    }

    /// Takes so many steps. Once this is not so, nothing that is found counts any more, and nothing more need be looked at.
    pub fn takes(&self, steps: usize) -> bool {
        let taken = self.taken.get().saturating_add(steps as u64);
        self.taken.set(taken);
        taken <= self.most
    }

    /// How many steps were taken.
    pub const fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// An answer that was found with so many steps, if these were not too many.
    pub fn allows<T>(&self, found: T) -> Result<T, TooMuch> {
        if self.takes(0) { Ok(found) } else { Err(TooMuch) }
    }
}
