//! A command: acts that one party asks to have recorded together, or not at all.

use super::act::Act;
use super::ids::{OrgId, PersonId};
use super::payload::Payload;

/// The most acts in one command.
pub const MAX_ACTS: usize = 1_000;

/// An act with the payload that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// What is to be recorded.
    pub act: Act,
    /// What people read, kept outside the log.
    pub payload: Option<Payload>,
}

/// Acts to be recorded in one piece: all of them, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The organization that acts.
    pub party: OrgId,
    /// For whom, when it acts for another.
    pub on_behalf_of: Option<OrgId>,
    /// The persons; two where two are needed.
    pub by: Vec<PersonId>,
    /// One to [`MAX_ACTS`].
    pub acts: Vec<Proposed>,
}
