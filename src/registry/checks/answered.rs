//! The answers to the items of a check, as they are written one after the other.
//!
//! There may be ten thousand: of each no more is kept than somebody asks for, and what is said of all of them together is
//! added up while each is at hand.

use std::ops::Range;

use serde::Deserialize;

use super::{Item, bound};
use crate::domain::decision::{Decision, NoteCode, Reason, ReasonCode, Verdict};
use crate::domain::journal::MatchedRows;
use crate::domain::question::Question;
use crate::log::digest::salted;
use crate::log::merkle::Hash;

/// About how many bytes the answer of one item takes.
const USUAL_ITEM_BYTES: usize = 400;

/// The answer for one item, as its viewer may see it. Its bytes say all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemAnswer {
    /// Permitted only when every use is.
    pub verdict: Verdict,
    /// Where its bytes are among those of all items.
    pub(super) place: Range<usize>,
}

/// Why an item is not permitted, read from its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Why {
    /// Why it could not be read.
    #[serde(default)]
    pub error: Option<String>,
    uses: Vec<WhyUse>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct WhyUse {
    reasons: Vec<Reason>,
}

impl Why {
    /// The first reason for the first use that is not permitted.
    pub fn first(&self) -> Option<&Reason> {
        self.uses.iter().find_map(|answer| answer.reasons.first())
    }
}

/// The codes that stand in answers, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    /// Those of reasons, each with what it is because of.
    pub reasons: Vec<(ReasonCode, Option<ReasonCode>)>,
    /// Those of notes.
    pub notes: Vec<NoteCode>,
}

impl Codes {
    /// Those of these decisions, in their order.
    pub fn of<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Self {
        let mut codes = Self::default();
        for decision in decisions {
            codes.add(decision);
        }
        codes.sorted()
    }

    fn add(&mut self, decision: &Decision) {
        for reason in decision.reasons() {
            put(&mut self.reasons, (reason.code, reason.because));
        }
        for note in &decision.notes {
            put(&mut self.notes, note.code);
        }
    }

    fn sorted(mut self) -> Self {
        self.reasons.sort_unstable();
        self.notes.sort_unstable();
        self
    }
}

/// Adds what is not there yet: there are few.
fn put<T: PartialEq>(known: &mut Vec<T>, member: T) {
    if !known.contains(&member) {
        known.push(member);
    }
}

/// What was answered so far.
pub(in crate::registry) struct Answered {
    pub(in crate::registry) items: Vec<ItemAnswer>,
    /// The bytes of all items, with a comma between two.
    pub(in crate::registry) json: Vec<u8>,
    pub(in crate::registry) salt: [u8; 16],
    /// The salted digest of each item's bytes.
    pub(in crate::registry) digests: Vec<Hash>,
    pub(in crate::registry) matched: MatchedRows,
    pub(in crate::registry) codes: Codes,
    pub(in crate::registry) permitted: u64,
    /// The earliest moment at which time alone could change one of them; `i64::MAX` when none could.
    pub(in crate::registry) valid_until_ms: i64,
}

impl Answered {
    /// Nothing, with room for so many items.
    pub(super) fn nothing(salt: [u8; 16], items: usize) -> Self {
        Self {
            items: Vec::with_capacity(items),
            json: Vec::with_capacity(items * USUAL_ITEM_BYTES),
            salt,
            digests: Vec::with_capacity(items),
            matched: MatchedRows::default(),
            codes: Codes::default(),
            permitted: 0,
            valid_until_ms: i64::MAX,
        }
    }

    /// Adds an item and its decision, as its viewer may see it; none where there was no question.
    pub(super) fn add(&mut self, item: &Item, seen: Option<&Decision>) {
        if !self.json.is_empty() {
            self.json.push(b',');
        }
        let from = self.json.len();
        let seen = item.question.as_ref().ok().and(seen);
        tell(item.reference.as_deref(), &item.question, seen, &mut self.json);
        let bytes = self.json.get(from..).unwrap_or_default();
        self.digests.push(salted(&self.salt, bytes));
        let verdict = seen.map_or(Verdict::NotPermitted, Decision::verdict);
        if let Some(seen) = seen {
            self.permitted += u64::from(verdict == Verdict::Permitted);
            self.valid_until_ms = self.valid_until_ms.min(seen.valid_until_ms);
            self.matched.add(&seen.matched, seen.uses.iter().map(|answer| answer.r#use), verdict);
            self.codes.add(seen);
        }
        self.items.push(ItemAnswer { verdict, place: from..self.json.len() });
    }

    /// All of them; no more come.
    pub(super) fn done(mut self) -> Self {
        self.codes = self.codes.sorted();
        self
    }
}

/// Adds the bytes of one item to what is there. `seen` is the decision as its viewer may see it.
pub(in crate::registry) fn tell(
    reference: Option<&str>,
    question: &Result<Question, String>,
    seen: Option<&Decision>,
    json: &mut Vec<u8>,
) {
    let error = match (question, seen) {
        (Err(error), _) => Some(error.as_str()),
        (Ok(_), None) => Some("the item was not decided"),
        (Ok(_), Some(seen)) => {
            let unreadable = "the question names no use, a use twice, no key, or too many";
            seen.unreadable.as_ref().map(|_| unreadable)
        }
    };
    bound::write(reference, question.as_ref().ok().zip(seen), error, json);
}
