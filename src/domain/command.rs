//! A command: acts that one party asks to have recorded together, or not at all.

use super::act::Act;
use super::admit::{Refusal, admit};
use super::entry::{ENTRY_VERSION, Entry, Salt};
use super::ids::{OrgId, PersonId};
use super::index::Index;
use super::key::Sha256;

/// The most acts in one command.
pub const MAX_ACTS: usize = 1_000;

/// An act with the salted digest of the payload that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// What is to be recorded.
    pub act: Act,
    /// The digest of what people read, which is kept outside the log.
    pub payload: Option<Sha256>,
}

/// Acts to be recorded in one piece: all of them, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The organization that acts.
    pub party: OrgId,
    /// For whom, when it acts for another.
    pub on_behalf_of: Option<OrgId>,
    /// The persons: two, and different ones, where two are needed.
    pub by: Vec<PersonId>,
    /// One to [`MAX_ACTS`].
    pub acts: Vec<Proposed>,
}

/// Admits a command's acts one after the other, each against what the ones before it make of the index, and folds
/// them into the index beyond its published size.
///
/// On success the index holds the entries, still speculative: the caller makes them durable and then calls
/// [`Index::keep`], or [`Index::undo`] with a savepoint taken before. On refusal the index is as before, and every
/// problem of the first act that has any is named.
pub fn record(
    index: &mut Index,
    command: &Command,
    at_ms: i64,
    mut salt: impl FnMut() -> Salt,
) -> Result<Vec<Entry>, Vec<Refusal>> {
    if command.acts.is_empty() || command.acts.len() > MAX_ACTS {
        return Err(vec![Refusal::of_command(format!("a command holds 1 to {MAX_ACTS} acts"))]);
    }
    let savepoint = index.savepoint();
    let mut entries = Vec::with_capacity(command.acts.len());
    for (position, proposed) in command.acts.iter().enumerate() {
        let parties = match admit(index, command, &proposed.act, at_ms) {
            Ok(parties) => parties,
            Err(refusals) => {
                index.undo(savepoint);
                return Err(refusals.into_iter().map(|refusal| refusal.in_act(position)).collect());
            }
        };
        let entry = Entry {
            v: ENTRY_VERSION,
            at_ms,
            party: command.party,
            on_behalf_of: command.on_behalf_of,
            by: command.by.clone(),
            parties,
            act: proposed.act.clone(),
            payload: proposed.payload,
            salt: salt(),
        };
        if let Err(error) = index.fold(index.size(), &entry) {
            index.undo(savepoint);
            return Err(vec![Refusal::of_command(error.to_string()).in_act(position)]);
        }
        entries.push(entry);
    }
    Ok(entries)
}
