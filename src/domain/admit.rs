//! May this act be recorded? See section 1 of `docs/rules.md`.

use super::act::Act;
use super::command::Command;
use super::ids::OrgId;
use super::index::Index;

/// One problem of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The act's place in its command.
    pub act: usize,
    /// Where in the act, as a JSON pointer (RFC 6901); empty for the act as a whole.
    pub pointer: String,
    /// Which rule.
    pub code: &'static str,
    /// What happened, to what, what to do.
    pub detail: String,
}

impl Refusal {
    /// A problem of the command as a whole.
    pub fn of_command(detail: String) -> Self {
        Self { act: 0, pointer: String::new(), code: "invalid", detail }
    }

    /// The same problem, of the act at this place.
    #[must_use]
    pub fn in_act(self, act: usize) -> Self {
        Self { act, ..self }
    }
}

/// Whether the act may be recorded by this command at this moment; who may read its entry, or every problem.
pub fn admit(
    _index: &Index,
    _command: &Command,
    _act: &Act,
    _at_ms: i64,
) -> Result<Vec<OrgId>, Vec<Refusal>> {
    Ok(Vec::new())
}
