//! The receipt of a check: everything that proves, without the registry, what was asked and what was answered.
//!
//! It holds the check's journal entry with its proof under the signed checkpoint of the window in which it was written; the
//! signed checkpoint of the act log from which it was answered; once the journal was sealed, the act that seals it; and, where they
//! were asked for, the entries of the act log on which the answer rests. Whoever kept the answer can add any of its items.
//! The entry binds who asked and for whom, the digests of all questions and answers as the developer was told them, the version of
//! the rules, size and root of the log, and by when to ask again.

mod form;
pub mod signed;
mod strict;
mod verify;

use serde::{Deserialize, Serialize};

use super::digest::salted;
use super::merkle::Hash;
use super::proof::{ItemTree, ProofError};
use crate::domain::entry::Salt;
use crate::domain::ids::CheckId;

pub use form::{Answer, FormError, MAX_RECEIPT_BYTES, answers, entries_of};
pub use verify::{CheckRecord, Expected, ReceiptError, Verified};

/// The version of the form of a receipt.
pub const RECEIPT_VERSION: u8 = 1;
/// The most entries on which an answer rests that stand in one receipt.
pub const MAX_BASIS: usize = 10_000;

/// An entry of a log, with the proof that it stands there under a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The log's origin, the name of the key that signs it.
    pub origin: String,
    /// The entry's place.
    pub index: u64,
    /// Its bytes, which are text.
    pub entry: String,
    /// The hashes from the leaf's sibling upwards.
    pub proof: Vec<Hash>,
    /// The signed note to whose root they lead, with the cosignatures of witnesses where there are any.
    pub checkpoint: String,
}

/// The act that sealed the journal when the entry stood in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The act, an entry of the act log.
    pub act: Recorded,
    /// That the journal entry stands in what the act seals.
    pub proof: Vec<Hash>,
    /// That what the act seals continues what the window's checkpoint signed.
    pub continues: Vec<Hash>,
    /// That the act log which holds the act continues the one from which the check was answered.
    pub extends: Vec<Hash>,
}

/// An entry of the act log on which an answer rests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Its place.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Its bytes, for who may read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// That it stands in the act log from which the check was answered.
    pub proof: Vec<Hash>,
}

/// An item of the check, as its developer was told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Its place among the items, from 0.
    pub index: u64,
    /// Its bytes in the answer, which are canonical JSON (RFC 8785).
    pub item: String,
    /// That it stands among the items that the entry binds.
    pub path: Vec<Hash>,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of this form.
    pub v: u8,
    /// The check.
    pub check: CheckId,
    /// Its entry in the journal.
    pub journal: Recorded,
    /// The signed note of the act log from which it was answered.
    pub acts: String,
    /// The act that sealed it; none until the journal is sealed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<Sealed>,
    /// What it rests on, as far as that was asked for, each once, in order.
    pub basis: Vec<Basis>,
    /// Items that whoever kept the answer put in. The registry keeps none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Shown>,
}

/// The items of an answer, with the salt of its journal entry: from them any item is shown.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    items: &'a [String],
    tree: ItemTree,
}

impl<'a> Items<'a> {
    /// All items of an answer, in order, each in its canonical bytes.
    pub fn new(salt: &Salt, items: &'a [String]) -> Self {
        let digests: Vec<Hash> = items.iter().map(|item| salted(&salt.0, item.as_bytes())).collect();
        Self { items, tree: ItemTree::new(&digests) }
    }

    /// The root that the journal entry binds.
    pub fn root(&self) -> Hash {
        self.tree.head().root
    }

    /// The item at this place, with its path.
    ///
    /// # Errors
    /// [`ProofError::NoSuchLeaf`] where there are not so many.
    pub fn show(&self, index: u64) -> Result<Shown, ProofError> {
        let path = self.tree.path(index)?;
        let item = usize::try_from(index).ok().and_then(|at| self.items.get(at));
        let item = item.ok_or(ProofError::NoSuchLeaf { index, size: self.tree.head().size })?;
        Ok(Shown { index, item: item.clone(), path })
    }
}
