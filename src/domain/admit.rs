//! May this act be recorded? See section 1 of `docs/rules.md`.
//!
//! The version of the rules that holds just before the act judges it; every version stays compiled in a module of its
//! own. All problems of an act are named at once, each with a pointer into the act and a code of [`code::ALL`].

pub mod code;
mod opening;
mod v1;

pub use v1::limits;

use super::act::Act;
use super::command::Command;
use super::ids::OrgId;
use super::index::Index;

/// One problem of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The act's place in its command.
    pub act: usize,
    /// Where in the act, as a JSON pointer (RFC 6901); empty for the act as a whole, its party and its persons.
    pub pointer: String,
    /// Which rule: one of [`code::ALL`].
    pub code: &'static str,
    /// What happened, to what, what to do.
    pub detail: String,
}

impl Refusal {
    /// A problem of the command as a whole.
    pub fn of_command(detail: String) -> Self {
        Self { act: 0, pointer: String::new(), code: code::INVALID, detail }
    }

    /// The same problem, of the act at this place.
    #[must_use]
    pub fn in_act(self, act: usize) -> Self {
        Self { act, ..self }
    }

    /// Whether nothing is missing but a second person: the command may wait for one.
    pub fn is_second_person_required(&self) -> bool {
        self.code == code::SECOND_PERSON_REQUIRED
    }
}

/// Whether the act may be recorded by this command at this moment.
///
/// On success the organizations that may read its entry, besides auditors and the registrar: sorted, distinct, at most
/// [`limits::READERS`], the party and its principal always among them. Otherwise every problem, never none; that a
/// second person is needed is told only when it is the only one.
pub fn admit(index: &Index, command: &Command, act: &Act, at_ms: i64) -> Result<Vec<OrgId>, Vec<Refusal>> {
    match index.latest().rule_version() {
        0 => opening::admit(index, command, act),
        1 => v1::admit(index, command, act, at_ms),
        other => Err(vec![Refusal {
            act: 0,
            pointer: String::new(),
            code: code::NOT_UNDER_THESE_RULES,
            detail: format!("this program does not know version {other} of the rules: use a newer one"),
        }]),
    }
}
