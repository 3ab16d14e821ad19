//! Reading a receipt, and the items of an answer.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::strict::Strict;
use super::{MAX_BASIS, RECEIPT_VERSION, Receipt};
use crate::domain::ids::{CheckId, OrgId};

/// The longest receipt that is read, in bytes.
pub const MAX_RECEIPT_BYTES: usize = 256 << 20;
/// The most items that stand in one receipt.
const MAX_ITEMS: usize = 10_000;

/// Why a file is not a receipt, or an answer.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// It is too long to be one.
    #[error("it has {0} bytes, and {MAX_RECEIPT_BYTES} are read at most")]
    Long(usize),
    /// Not the JSON of one.
    #[error("it is not of the form of a receipt: {0}")]
    Json(#[from] serde_json::Error),
    /// Of a later version of the program.
    #[error("it is a receipt of version {0}, and this program reads version {RECEIPT_VERSION}")]
    Version(u8),
    /// More of something than there can be.
    #[error("it holds {found} {what}, and {most} at most are read")]
    Many {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are read.
        most: usize,
    },
    /// Entries or items that do not stand in order, each once.
    #[error("its {0} do not stand in order, each once")]
    Order(&'static str),
    /// An answer in lines that is not whole.
    #[error("the answer is not whole: {0}")]
    Broken(&'static str),
    /// An answer whose items have no canonical form.
    #[error("item {at} is not what a registry answers: {why}")]
    Item {
        /// Its place, from 0.
        at: usize,
        /// Why.
        why: serde_json::Error,
    },
}

impl Receipt {
    /// Reads a receipt. Nothing of it is verified.
    ///
    /// # Errors
    /// For everything that is not one, whole and with nothing beside.
    pub fn read(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(FormError::Long(bytes.len()));
        }
        let receipt: Self = serde_json::from_slice(bytes)?;
        if receipt.v != RECEIPT_VERSION {
            return Err(FormError::Version(receipt.v));
        }
        for (what, found, most) in
            [("entries", receipt.basis.len(), MAX_BASIS), ("items", receipt.items.len(), MAX_ITEMS)]
        {
            if found > most {
                return Err(FormError::Many { what, found, most });
            }
        }
        if !receipt.basis.is_sorted_by(|one, next| one.index < next.index) {
            return Err(FormError::Order("entries"));
        }
        if !receipt.items.is_sorted_by(|one, next| one.index < next.index) {
            return Err(FormError::Order("items"));
        }
        Ok(receipt)
    }
}

/// The answer to one check, as whoever asked kept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The check.
    pub check: CheckId,
    /// Whose questions these were.
    pub developer: OrgId,
    /// The moment of the answer.
    pub at: jiff::Timestamp,
    /// How many entries of the act log it rests on.
    pub log_size: u64,
    /// How many items are permitted.
    pub permitted: u64,
    /// By when to ask again.
    pub recheck_by: jiff::Timestamp,
    /// All items in their canonical bytes, which are those that came unless another program wrote them anew.
    pub items: Vec<String>,
}

#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// What is said of all items, as far as it is bound.
#[derive(Deserialize)]
struct Head {
    check: CheckId,
    developer: OrgId,
    at: jiff::Timestamp,
    log_size: u64,
    permitted: u64,
    recheck_by: jiff::Timestamp,
}

impl Head {
    fn answer(self, items: Vec<String>) -> Answer {
        let Self { check, developer, at, log_size, permitted, recheck_by } = self;
        Answer { check, developer, at, log_size, permitted, recheck_by, items }
    }
}

/// A line of an answer that came in lines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    check: Option<Head>,
    #[serde(default, borrow)]
    item: Option<&'a RawValue>,
    #[serde(default)]
    end: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

/// The answers in a file: one as JSON, or as many as there are in lines.
///
/// # Errors
/// For what is not the whole answer to a check.
pub fn answers(kept: &[u8]) -> Result<Vec<Answer>, FormError> {
    if kept.len() > MAX_RECEIPT_BYTES {
        return Err(FormError::Long(kept.len()));
    }
    let first = kept.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Ok(Line { check: Some(_), .. }) = serde_json::from_slice(first) {
        return in_lines(kept);
    }
    let (head, Whole { items }): (Head, _) = (serde_json::from_slice(kept)?, serde_json::from_slice(kept)?);
    let items = items.into_iter().enumerate().map(canonical).collect::<Result<_, _>>()?;
    Ok(vec![bounded(head.answer(items))?])
}

fn in_lines(kept: &[u8]) -> Result<Vec<Answer>, FormError> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut ended = false;
    for line in kept.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        if ended {
            return Err(FormError::Broken("something follows its closing line"));
        }
        match (serde_json::from_slice(line)?, answers.last_mut()) {
            (Line { check: Some(head), item: None, end: None, error: None }, _) => {
                answers.push(head.answer(Vec::new()));
            }
            (Line { check: None, item: Some(item), end: None, error: None }, Some(answer)) => {
                answer.items.push(canonical((answer.items.len(), item))?);
            }
            (Line { check: None, item: None, end: Some(_), error: None }, _) => ended = true,
            _ => return Err(FormError::Broken("it broke off, or its lines are in no order")),
        }
    }
    if !ended {
        return Err(FormError::Broken("it has no closing line"));
    }
    answers.into_iter().map(bounded).collect()
}

fn bounded(answer: Answer) -> Result<Answer, FormError> {
    let found = answer.items.len();
    if found > MAX_ITEMS {
        Err(FormError::Many { what: "items", found, most: MAX_ITEMS })
    } else {
        Ok(answer)
    }
}

fn canonical((at, item): (usize, &RawValue)) -> Result<String, FormError> {
    canonical_text(item.get()).map_err(|why| FormError::Item { at, why })
}

/// The canonical form (RFC 8785) of a JSON text in which no member stands twice.
pub(super) fn canonical_text(text: &str) -> Result<String, serde_json::Error> {
    let Strict(value) = serde_json::from_str(text)?;
    serde_json_canonicalizer::to_string(&value)
}

/// What an item says of entries.
#[derive(Deserialize)]
struct Resting {
    uses: Vec<RestingUse>,
    notes: Vec<Citing>,
}

#[derive(Deserialize)]
struct RestingUse {
    reasons: Vec<Citing>,
    #[serde(default)]
    rests_on: Vec<u64>,
}

#[derive(Deserialize)]
struct Citing {
    #[serde(default)]
    entries: Vec<u64>,
}

/// The entries of the act log that an item names: those on which a permission rests, and those that stand in its way.
///
/// # Errors
/// For what is not an item of an answer.
pub fn entries_of(item: &str) -> Result<Vec<u64>, serde_json::Error> {
    let Resting { uses, notes } = serde_json::from_str(item)?;
    let mut entries: Vec<u64> = notes.into_iter().flat_map(|note| note.entries).collect();
    for answer in uses {
        entries.extend(answer.rests_on);
        entries.extend(answer.reasons.into_iter().flat_map(|reason| reason.entries));
    }
    entries.sort_unstable();
    entries.dedup();
    Ok(entries)
}
