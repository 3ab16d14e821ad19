//! R10 and R1: which works an item is, and whether that is confirmed.

use super::{Asked, Block};
use crate::domain::decision::ReasonCode;
use crate::domain::index::records::Work;
use crate::domain::index::{Few, Ix, KeyMatch};
use crate::domain::key::SubjectKey;

/// A canonical work that the item is, or is said to be.
pub(super) struct Matched {
    pub(super) work: Ix<Work>,
    /// Whether all good matches only say where the item lies.
    pub(super) by_location: bool,
    /// What stands against the match itself.
    pub(super) blocks: Vec<Block>,
}

/// How one key is tied to a work.
#[derive(Clone, Copy)]
enum Tie {
    /// Named by itself.
    Named,
    /// By a confirmed binding.
    Good { by_location: bool },
    /// By a binding that this entry asserted.
    Unconfirmed(u64),
    /// By a confirmed binding that this entry took off.
    Removed(u64),
}

/// R10: all works that any key matches.
pub(super) fn matches(asked: &Asked<'_>) -> Few<Matched> {
    let mut ties: Few<(Ix<Work>, Tie)> = Few::new();
    for key in &asked.question.subject {
        match key {
            SubjectKey::Work(key) => {
                let work = asked.seen.work(key.id).map(|work| asked.seen.canonical(work));
                ties.extend(work.map(|work| (work, Tie::Named)));
            }
            SubjectKey::Key(key) => {
                let matches = asked.seen.key_matches(key).into_iter();
                ties.extend(matches.filter_map(|found| tie(asked, found)));
            }
        }
    }
    ties.sort_by_key(|(work, _)| *work);
    let works = ties.chunk_by(|(one, _), (other, _)| one == other);
    works.filter_map(|ties| Some(matched(ties.first()?.0, ties))).collect()
}

/// The work that a key is tied to, and how.
fn tie(asked: &Asked<'_>, found: KeyMatch) -> Option<(Ix<Work>, Tie)> {
    let binding = asked.seen.index.binding(found.binding);
    let confirmed = asked.seen.seen(binding.confirmed);
    // Beside a confirmed binding of the same key it is a claim, not a match (R5).
    let story = asked.seen.index.bindings.story(&binding);
    if story.contests_from_ms.is_some() && !confirmed {
        return None;
    }
    let tie = if asked.seen.seen(story.removed) {
        Tie::Removed(story.removed.get())
    } else if confirmed {
        Tie::Good { by_location: found.by_location }
    } else {
        Tie::Unconfirmed(binding.asserted.get())
    };
    Some((asked.seen.canonical(binding.work), tie))
}

fn matched(work: Ix<Work>, ties: &[(Ix<Work>, Tie)]) -> Matched {
    let ties = || ties.iter().map(|(_, tie)| *tie);
    let is_any = |wanted: fn(Tie) -> bool| ties().any(wanted);
    let by_place = is_any(|tie| matches!(tie, Tie::Good { by_location: true }));
    let by_more = is_any(|tie| matches!(tie, Tie::Good { by_location: false }));
    let is_good = by_place || by_more || is_any(|tie| matches!(tie, Tie::Named));
    let mut blocks = Vec::new();
    let mut block = |code, entries: Vec<u64>| {
        if !entries.is_empty() {
            blocks.push(Block { code, ask: Vec::new(), entries });
        }
    };
    // R1: only a confirmed binding supports a permit.
    if !is_good {
        let entries = ties().filter_map(|tie| if let Tie::Unconfirmed(at) = tie { Some(at) } else { None });
        block(ReasonCode::BindingUnconfirmed, entries.collect());
    }
    // R11: taking a key off a work does not free what the key matches.
    let entries = ties().filter_map(|tie| if let Tie::Removed(at) = tie { Some(at) } else { None });
    block(ReasonCode::Withdrawn, entries.collect());
    // The name of a work is what the asker says of the item; it makes nothing of what lies at a place.
    Matched { work, by_location: by_place && !by_more, blocks }
}
