//! Verifying a receipt, with nothing but the keys of the logs.

use super::form::{Answer, canonical_text};
use super::{Basis, Receipt, Recorded, Sealed, Shown};
use crate::domain::act::Act;
use crate::domain::entry::{Entry, Salt};
use crate::domain::ids::{CheckId, OrgId};
use crate::domain::journal::{ContextRecord, JOURNAL_VERSION, JournalEntry};
use crate::log::checkpoint::{Checkpoint, CheckpointError, VerifierKey, verify_by_any};
use crate::log::digest::salted;
use crate::log::merkle::{Hash, TreeHead, leaf_hash};
use crate::log::proof::{ProofError, verify_consistency, verify_inclusion, verify_item};

/// What stands between the origin of the act log and a node's name in the origin of its journal.
const CHECKS: &str = "/checks/";

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// No key of a log was given.
    #[error(
        "no key of log `{0}` was given, and only keys that you have from somebody you trust prove anything"
    )]
    NoKey(String),
    /// A checkpoint in it.
    #[error("{what}: {error}")]
    Checkpoint {
        /// Which.
        what: &'static str,
        /// Why not.
        error: CheckpointError,
    },
    /// A proof in it.
    #[error("{what}: {error}")]
    Proof {
        /// Of what.
        what: String,
        /// Why not.
        error: ProofError,
    },
    /// What it says in two places is not the same, or not what was expected.
    #[error("{what} is {found}, and {expected} was expected")]
    Other {
        /// What.
        what: &'static str,
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// An entry that is not of the form that it should have.
    #[error("{what} can't be read: {why}")]
    Unreadable {
        /// Which.
        what: String,
        /// Why not.
        why: String,
    },
}

/// What the journal keeps of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRecord {
    /// Its id.
    pub check: CheckId,
    /// The moment of the answer.
    pub at_ms: i64,
    /// Whose questions these are.
    pub developer: OrgId,
    /// The contractor who asked them, if the developer did not.
    pub asked_by: Option<OrgId>,
    /// What held for every item that did not say otherwise.
    pub context: ContextRecord,
    /// The number of items, and the root over their salted digests.
    pub items: TreeHead,
    /// How many were permitted.
    pub permitted: u64,
    /// The act log from which it was answered.
    pub log: TreeHead,
    /// The version of the rules.
    pub rule_version: u32,
    /// By when to ask again, where the entry says so.
    pub recheck_by_ms: Option<i64>,
    /// How many entries with matched works follow it in the journal.
    pub chunks: u32,
    /// The salt of the items' digests.
    pub salt: Salt,
}

impl CheckRecord {
    /// Reads an entry of a journal that holds a whole check.
    pub fn read(entry: &str) -> Result<Self, ReceiptError> {
        let unreadable = |why: String| ReceiptError::Unreadable { what: "the journal entry".to_owned(), why };
        match serde_json::from_str(entry).map_err(|error| unreadable(error.to_string()))? {
            JournalEntry::Check { v, .. } if v == 0 || v > JOURNAL_VERSION => {
                Err(unreadable(format!("it is of version {v}, which this program does not know")))
            }
            JournalEntry::Check {
                v: _,
                check,
                at_ms,
                developer,
                asked_by,
                context,
                items,
                items_root,
                permitted,
                log_size,
                log_root,
                rule_version,
                recheck_by_ms,
                chunks,
                salt,
            } if permitted <= items => Ok(Self {
                check,
                at_ms,
                developer,
                asked_by,
                context,
                items: TreeHead { size: items, root: Hash(items_root.0) },
                permitted,
                log: TreeHead { size: log_size, root: Hash(log_root.0) },
                rule_version,
                recheck_by_ms,
                chunks,
                salt,
            }),
            JournalEntry::Check { permitted, items, .. } => {
                Err(unreadable(format!("it permits {permitted} of {items} items")))
            }
            JournalEntry::Matched { .. } => Err(unreadable("it is no check".to_owned())),
        }
    }
}

/// What whoever verifies a receipt knows of it already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Which check it should be of.
    pub check: Option<CheckId>,
    /// Whose questions they should be.
    pub developer: Option<OrgId>,
    /// The whole answer, where it is at hand.
    pub answer: Option<Answer>,
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The origin of the act log.
    pub origin: String,
    /// The check.
    pub record: CheckRecord,
    /// The entry of the act log that sealed it, and when that was; none when it was not sealed yet.
    pub sealed: Option<(u64, i64)>,
    /// The largest checkpoint of the act log in it: what comes after must continue this.
    pub newest: TreeHead,
}

fn one_of(keys: &[VerifierKey], origin: &str) -> Result<Vec<VerifierKey>, ReceiptError> {
    let named: Vec<VerifierKey> = keys.iter().filter(|key| key.name() == origin).cloned().collect();
    if named.is_empty() { Err(ReceiptError::NoKey(origin.to_owned())) } else { Ok(named) }
}

fn believed(
    keys: &[VerifierKey],
    origin: &str,
    note: &str,
    what: &'static str,
) -> Result<Checkpoint, ReceiptError> {
    let named = one_of(keys, origin)?;
    verify_by_any(note.as_bytes(), &named).map_err(|error| ReceiptError::Checkpoint { what, error })
}

fn proof(what: &str) -> impl Fn(ProofError) -> ReceiptError {
    move |error| ReceiptError::Proof { what: what.to_owned(), error }
}

impl Recorded {
    /// The checkpoint under which the entry stands.
    fn verify(&self, keys: &[VerifierKey], what: &'static str) -> Result<TreeHead, ReceiptError> {
        let head = believed(keys, &self.origin, &self.checkpoint, what)?.head();
        let leaf = leaf_hash(self.entry.as_bytes());
        verify_inclusion(head, self.index, leaf, &self.proof).map_err(proof(what))?;
        Ok(head)
    }
}

impl Receipt {
    /// Verifies all of it with the keys that the caller trusts, each of which counts for the log whose name it bears.
    ///
    /// # Errors
    /// The first thing that does not hold: then it proves nothing.
    pub fn verify(&self, keys: &[VerifierKey], expected: &Expected) -> Result<Verified, ReceiptError> {
        let window = self.journal.verify(keys, "the journal entry")?;
        let record = CheckRecord::read(&self.journal.entry)?;
        let origin = self.journal.origin.rsplit_once(CHECKS).map(|(origin, _)| origin);
        let origin = origin.ok_or_else(|| ReceiptError::Other {
            what: "the origin of the journal",
            found: format!("`{}`", self.journal.origin),
            expected: format!("that of an act log with `{CHECKS}` and a node's name behind it"),
        })?;
        same("the check", &record.check, &self.check)?;
        expected.hold(&record)?;
        let acts = believed(keys, origin, &self.acts, "the act log")?.head();
        same("the size of the act log that is signed", &acts.size, &record.log.size)?;
        same("the root of the act log that is signed", &acts.root, &record.log.root)?;
        let sealed = self.sealed.as_ref();
        let sealed = sealed.map(|sealed| sealed.verify(keys, origin, self, window, &record)).transpose()?;
        for basis in &self.basis {
            basis.verify(record.log)?;
        }
        for item in &self.items {
            item.verify(&record)?;
        }
        let newest = sealed.map_or(record.log, |(_, _, head)| head);
        let sealed = sealed.map(|(index, at_ms, _)| (index, at_ms));
        Ok(Verified { origin: origin.to_owned(), record, sealed, newest })
    }
}

fn same<T: PartialEq + ToString>(what: &'static str, found: &T, expected: &T) -> Result<(), ReceiptError> {
    if found == expected {
        return Ok(());
    }
    let [found, expected] = [found, expected].map(|it| format!("`{}`", it.to_string()));
    Err(ReceiptError::Other { what, found, expected })
}

impl Expected {
    /// Whether the record is of what is expected, and the whole answer what it binds.
    ///
    /// # Errors
    /// The first thing that is otherwise.
    pub fn hold(&self, record: &CheckRecord) -> Result<(), ReceiptError> {
        if let Some(check) = &self.check {
            same("the check", &record.check, check)?;
        }
        if let Some(developer) = &self.developer {
            same("the developer", &record.developer, developer)?;
        }
        self.answer.as_ref().map_or(Ok(()), |answer| answer.hold(record))
    }
}

impl Answer {
    /// Whether the items, and what is said of all of them, are what the record binds. The words of an answer are bound by nothing.
    fn hold(&self, record: &CheckRecord) -> Result<(), ReceiptError> {
        same("the check of the answer", &self.check, &record.check)?;
        same("the number of items in the answer", &(self.items.len() as u64), &record.items.size)?;
        let root = super::Items::new(&record.salt, &self.items).root();
        same("the root over the items of the answer", &root, &record.items.root)?;
        same("the developer in the answer", &self.developer, &record.developer)?;
        same("the log size in the answer", &self.log_size, &record.log.size)?;
        same("the number permitted in the answer", &self.permitted, &record.permitted)?;
        same("the moment in the answer", &self.at.as_millisecond(), &record.at_ms)?;
        match record.recheck_by_ms {
            Some(by_ms) => {
                same("by when to ask again in the answer", &self.recheck_by.as_millisecond(), &by_ms)
            }
            None => Ok(()),
        }
    }
}

impl Sealed {
    /// The seal's place and time, and the head of the act log that holds it.
    fn verify(
        &self,
        keys: &[VerifierKey],
        origin: &str,
        receipt: &Receipt,
        window: TreeHead,
        record: &CheckRecord,
    ) -> Result<(u64, i64, TreeHead), ReceiptError> {
        same("the log of the seal", &self.act.origin.as_str(), &origin)?;
        let head = self.act.verify(keys, "the seal")?;
        let entry: Entry = serde_json::from_str(&self.act.entry).map_err(|error| {
            ReceiptError::Unreadable { what: "the seal".to_owned(), why: error.to_string() }
        })?;
        let Act::JournalSealed(seal) = entry.act else {
            let (found, expected) = (format!("`{}`", entry.act.code()), "`journal.sealed`".to_owned());
            return Err(ReceiptError::Other { what: "the act that seals", found, expected });
        };
        same("the journal that is sealed", &seal.journal, &receipt.journal.origin)?;
        // The answer rests on the log as it was before the seal.
        if self.act.index < record.log.size {
            return Err(ReceiptError::Other {
                what: "the place of the seal",
                found: self.act.index.to_string(),
                expected: format!("one from {} on", record.log.size),
            });
        }
        let tree = TreeHead { size: seal.size, root: Hash(seal.root.0) };
        let leaf = leaf_hash(receipt.journal.entry.as_bytes());
        verify_inclusion(tree, receipt.journal.index, leaf, &self.proof)
            .map_err(proof("the journal entry in what was sealed"))?;
        verify_consistency(window, tree, &self.continues)
            .map_err(proof("what was sealed as what continues the window"))?;
        verify_consistency(record.log, head, &self.extends)
            .map_err(proof("the act log with the seal as what continues the one that was asked"))?;
        Ok((self.act.index, entry.at_ms, head))
    }
}

impl Basis {
    fn verify(&self, log: TreeHead) -> Result<(), ReceiptError> {
        let what = || format!("entry {} of the act log", self.index);
        if let Some(entry) = &self.entry {
            same("the leaf hash of an entry of the act log", &leaf_hash(entry.as_bytes()), &self.leaf)?;
            serde_json::from_str::<Entry>(entry)
                .map_err(|error| ReceiptError::Unreadable { what: what(), why: error.to_string() })?;
        }
        verify_inclusion(log, self.index, self.leaf, &self.proof)
            .map_err(|error| ReceiptError::Proof { what: what(), error })
    }
}

impl Shown {
    fn verify(&self, record: &CheckRecord) -> Result<(), ReceiptError> {
        // What is bound could be anything; what is read of it must be one thing.
        let canonical = canonical_text(&self.item).ok();
        if canonical.as_ref() != Some(&self.item) {
            let (what, why) = (format!("item {}", self.index), "it is not canonical JSON".to_owned());
            return Err(ReceiptError::Unreadable { what, why });
        }
        let digest = salted(&record.salt.0, self.item.as_bytes());
        verify_item(record.items, self.index, digest, &self.path)
            .map_err(|error| ReceiptError::Proof { what: format!("item {}", self.index), error })
    }
}
