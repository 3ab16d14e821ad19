//! An evidence bundle: one archive that proves to others what was on record and what was answered, as far as an inquiry goes.
//!
//! It holds the entries that the inquiry lays open, each with its proof under one signed checkpoint of the act log, and the tiles by which
//! others' programs prove the same; what was typed with them; the receipts of the checks, with what they matched; the public keys; a
//! summary to print, in both languages; and how to verify all of it. All that can be derived from the rest is derived again to verify it:
//! the manifest, the summaries and the archive itself must come out the same, to the byte.

mod archive;
mod form;
mod summary;
mod verify;

use serde::{Deserialize, Serialize};

use super::merkle::Hash;
use super::receipt::Receipt;
use super::tile::TileRef;
use crate::domain::ids::{CheckId, InquiryId, WorkId};

pub use archive::{ArchiveError, MAX_ARCHIVE_BYTES, MAX_BYTES, MAX_FILES, pack, unpack};
pub use form::{FormError, Written};
pub(crate) use verify::needed_tiles;
pub use verify::{Fault, Found, Trust};

/// The version of the form of a bundle.
pub const BUNDLE_VERSION: u8 = 1;
/// The most entries in one bundle.
pub const MAX_ENTRIES: usize = 10_000;
/// The most checks in one bundle.
pub const MAX_CHECKS: usize = 1_000;

/// An entry of a journal, with its proof under the checkpoint that is named beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedEntry {
    /// Its place.
    pub index: u64,
    /// Its bytes, which are text.
    pub entry: String,
    /// The hashes from the leaf's sibling upwards.
    pub proof: Vec<Hash>,
}

/// An entry of the act log that the inquiry lays open, with its proof under the bundle's checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenEntry {
    /// Its place.
    pub index: u64,
    /// The works that it is about, as the registry tells them: of an act that names none itself, such as the revocation of a grant,
    /// nothing here proves them.
    pub works: Vec<WorkId>,
    /// Its bytes, which are text.
    pub entry: String,
    /// The hashes from the leaf's sibling upwards.
    pub proof: Vec<Hash>,
}

/// What was typed with an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum TypedText {
    /// It is there: the digest in the entry is that of the salt and the text.
    Kept {
        /// The entry.
        index: u64,
        /// The salt of the digest: 64 hexadecimal digits.
        salt: String,
        /// What was digested after it.
        text: String,
    },
    /// It was erased, when the bundle was made.
    Erased {
        /// The entry.
        index: u64,
        /// When.
        erased: String,
    },
}

impl TypedText {
    /// The entry that it belongs to.
    pub const fn index(&self) -> u64 {
        match self {
            Self::Kept { index, .. } | Self::Erased { index, .. } => *index,
        }
    }
}

/// A check: its receipt, and the entries behind it in the journal that say what it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The receipt, sealed, without basis and items.
    pub receipt: Receipt,
    /// Proved under the checkpoint of the receipt's journal entry.
    pub matched: Vec<ProvedEntry>,
    /// The entries of the grants on which its permissions rested, as the registry computes them from the log: nothing here proves them.
    pub rests_on: Vec<u64>,
}

impl Asked {
    /// About how many bytes it has in a bundle.
    pub fn about_bytes(&self) -> usize {
        const HASH: usize = 68;
        let Receipt { journal, acts, sealed, .. } = &self.receipt;
        let mut bytes =
            journal.entry.len() + journal.checkpoint.len() + acts.len() + HASH * journal.proof.len();
        if let Some(sealed) = sealed {
            let proofs = [&sealed.proof, &sealed.continues, &sealed.extends, &sealed.act.proof];
            bytes += sealed.act.entry.len() + sealed.act.checkpoint.len();
            bytes += proofs.iter().map(|proof| HASH * proof.len()).sum::<usize>();
        }
        bytes + self.matched.iter().map(|it| it.entry.len() + HASH * it.proof.len()).sum::<usize>()
    }
}

/// On which entries the permissions of a check rested: a line of the bundle.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestedOn {
    check: CheckId,
    rests_on: Vec<u64>,
}

/// The public keys of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogKeys {
    /// The log.
    pub origin: String,
    /// Those that sign it and that ever did, the oldest first.
    pub keys: Vec<ToldKey>,
}

/// A public key of a log, as the registry tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldKey {
    /// It, in the form of C2SP `signed-note`.
    pub verifier_key: String,
    /// How many entries the log had when it was first ready to sign.
    pub first_size: u64,
    /// When that was.
    pub first: String,
}

/// What a bundle holds that is not derived from the rest.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The inquiry.
    pub inquiry: InquiryId,
    /// The signed checkpoint of the act log under which its entries are proved, with the cosignatures of witnesses.
    pub checkpoint: String,
    /// The public keys of the logs in it, as the registry tells them. Whoever made the bundle could have made these too.
    pub keys: Vec<LogKeys>,
    /// Entries of the act log, in order: those that the inquiry lays open, and the one that opened it.
    pub entries: Vec<OpenEntry>,
    /// What was typed with them, in order.
    pub texts: Vec<TypedText>,
    /// The tiles of the act log that prove them, in order.
    pub tiles: Vec<(TileRef, Vec<u8>)>,
    /// The checks, in the order of their ids.
    pub checks: Vec<Asked>,
}
