//! The entries of the check journal: what was asked, what was answered, and of which log that rested on.
//!
//! An entry is a whole check, in as many entries as it takes: one [`JournalEntry::Check`], and after it one
//! [`JournalEntry::Matched`] for every [`CHUNK`] works that its items matched.

mod line;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::base64;
use super::decision::Verdict;
use super::entry::Salt;
use super::ids::{CheckId, ModelId, OrgId, WorkId};
use super::key::Sha256;
use super::territory::Territory;
use super::uses::Use;

/// The version of the form of an entry: 1 did not say by when to ask again.
pub const JOURNAL_VERSION: u8 = 2;
/// The most matched works in one entry: 19 bytes each, in base64, below the size of an entry.
pub const CHUNK: usize = 2_400;

/// The context of a check, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextRecord {
    /// For what.
    pub uses: Vec<Use>,
    /// With which model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub territory: Option<Territory>,
    /// Whether parts were asked for too.
    pub with_parts: bool,
}

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum JournalEntry {
    /// A whole check.
    Check {
        /// The version of this form.
        v: u8,
        /// Its name.
        check: CheckId,
        /// The moment of the answer.
        at_ms: i64,
        /// Whose questions these are.
        developer: OrgId,
        /// The contractor who asked them, if the developer did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_by: Option<OrgId>,
        /// What held for every item that did not say otherwise.
        context: ContextRecord,
        /// How many items.
        items: u64,
        /// The root of the RFC 9162 tree over the items' salted digests.
        items_root: Sha256,
        /// How many items were permitted.
        permitted: u64,
        /// The size of the act log from which it was answered.
        log_size: u64,
        /// Its root.
        log_root: Sha256,
        /// The version of the rules.
        rule_version: u32,
        /// By when to ask again, in milliseconds since 1970: an answer is not a lease. Since version 2.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recheck_by_ms: Option<i64>,
        /// How many entries with matched works follow.
        chunks: u32,
        /// The salt of the items' digests.
        salt: Salt,
    },
    /// Matched works of the check before it.
    Matched {
        /// The version of this form.
        v: u8,
        /// The check.
        check: CheckId,
        /// Which of its chunks, from 0.
        chunk: u32,
        /// In base64, for each work 19 bytes: the id's UUID, a bit for each use asked (big-endian, the first use the
        /// lowest), and 1 where the item was permitted, else 0.
        works: String,
    },
}

impl JournalEntry {
    /// The canonical bytes (RFC 8785) of the entry: those that are stored and hashed.
    ///
    /// # Errors
    /// None that a value of this type causes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        line::write(self)
    }
}

/// Bytes of one matched work in [`JournalEntry::Matched`].
const ROW: usize = 19;

/// The matched works of a check while its items are gone through.
#[derive(Debug, Default)]
pub struct MatchedRows(Vec<[u8; ROW]>);

impl MatchedRows {
    /// Adds the works that an item matched, with the uses that it asked about and its verdict.
    pub fn add(&mut self, works: &[WorkId], uses: impl Iterator<Item = Use>, verdict: Verdict) {
        let asked = uses.fold(0_u16, |bits, leaf| bits | (1 << leaf as u16));
        let [high, low] = asked.to_be_bytes();
        let permitted = u8::from(verdict == Verdict::Permitted);
        for work in works {
            let mut row = [0_u8; ROW];
            let (id, rest) = row.split_at_mut(16);
            id.copy_from_slice(work.uuid().as_bytes());
            rest.copy_from_slice(&[high, low, permitted]);
            self.0.push(row);
        }
    }

    /// The texts of the entries that hold them all, each once, in the order of their ids.
    pub fn chunks(mut self) -> Vec<String> {
        // In the order of their bytes; numbers are compared faster.
        let id = |row: &[u8; ROW]| row.first_chunk().map(|id| u128::from_be_bytes(*id));
        self.0.sort_unstable_by(|one, other| id(one).cmp(&id(other)).then_with(|| one.cmp(other)));
        self.0.dedup();
        self.0.chunks(CHUNK).map(|chunk| BASE64.encode(chunk.as_flattened())).collect()
    }
}

/// One matched work of a check, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedWork {
    /// The work.
    pub work: WorkId,
    /// For which uses it was asked.
    pub uses: Vec<Use>,
    /// Whether the item that it matched was permitted.
    pub permitted: bool,
}

/// Reads the works of a [`JournalEntry::Matched`]; none when they are not of its form.
pub fn matched_works(works: &str) -> Option<Vec<MatchedWork>> {
    let bytes = base64::decode(works)?;
    let (rows, []) = bytes.as_chunks::<ROW>() else { return None };
    let read = |row: &[u8; ROW]| {
        let (id, [high, low, permitted]) = row.split_first_chunk::<16>()? else { return None };
        let asked = u16::from_be_bytes([*high, *low]);
        let known = Use::ALL.iter().fold(0_u16, |bits, leaf| bits | (1 << *leaf as u16));
        if asked & !known != 0 {
            return None;
        }
        let uses = Use::ALL.iter().copied().filter(|leaf| asked & (1 << *leaf as u16) != 0);
        Some(MatchedWork {
            work: WorkId::new(uuid::Uuid::from_bytes(*id)),
            uses: uses.collect(),
            permitted: match permitted {
                0 => false,
                1 => true,
                _ => return None,
            },
        })
    };
    rows.iter().map(read).collect()
}
