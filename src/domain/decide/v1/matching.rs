//! R10 and R1: which works an item is, and whether that is confirmed.

use std::collections::BTreeMap;

use super::{Asked, Block};
use crate::domain::decision::ReasonCode;
use crate::domain::index::Ix;
use crate::domain::index::records::Work;
use crate::domain::key::SubjectKey;

/// A canonical work that the item is, or is said to be.
pub(super) struct Matched {
    pub(super) work: Ix<Work>,
    /// Whether all good matches only say where the item lies.
    pub(super) by_location: bool,
    /// What stands against the match itself.
    pub(super) blocks: Vec<Block>,
}

#[derive(Default)]
struct Found {
    good: usize,
    good_by_location: usize,
    unconfirmed: Vec<u64>,
    removed: Vec<u64>,
}

/// R10: all works that any key matches.
pub(super) fn matches(asked: &Asked<'_>) -> Vec<Matched> {
    let mut found: BTreeMap<Ix<Work>, Found> = BTreeMap::new();
    for key in &asked.question.subject {
        match key {
            SubjectKey::Work(key) => {
                if let Some(work) = asked.seen.work(key.id) {
                    found.entry(asked.seen.canonical(work)).or_default().good += 1;
                }
            }
            SubjectKey::Key(key) => {
                for tie in asked.seen.key_matches(key) {
                    note(asked, &mut found, tie);
                }
            }
        }
    }
    found.into_iter().map(|(work, found)| matched(work, found)).collect()
}

fn note(asked: &Asked<'_>, found: &mut BTreeMap<Ix<Work>, Found>, tie: crate::domain::index::KeyMatch) {
    let binding = asked.seen.index.bindings.at(tie.binding);
    let confirmed = asked.seen.seen(binding.confirmed);
    // Beside a confirmed binding of the same key it is a claim, not a match (R5).
    if binding.contests && !confirmed {
        return;
    }
    let found = found.entry(asked.seen.canonical(binding.work)).or_default();
    if asked.seen.seen(binding.removed) {
        found.removed.push(binding.removed);
    } else if confirmed {
        found.good += 1;
        found.good_by_location += usize::from(tie.by_location);
    } else {
        found.unconfirmed.push(binding.asserted);
    }
}

fn matched(work: Ix<Work>, found: Found) -> Matched {
    let mut blocks = Vec::new();
    // R1: only a confirmed binding supports a permit.
    if found.good == 0 && !found.unconfirmed.is_empty() {
        blocks.push(Block {
            code: ReasonCode::BindingUnconfirmed,
            ask: Vec::new(),
            entries: found.unconfirmed,
        });
    }
    // R11: taking a key off a work does not free what the key matches.
    if !found.removed.is_empty() {
        blocks.push(Block { code: ReasonCode::Withdrawn, ask: Vec::new(), entries: found.removed });
    }
    Matched { work, by_location: found.good > 0 && found.good == found.good_by_location, blocks }
}
