//! Receipts: what proves to others what was asked and what was answered.
//!
//! Whoever asked, or for whom, gets the whole receipt of a check, and so do auditors and the registrar; a holder is told what was
//! asked about its own works and answered. For everybody else there is no such check.

mod evidence;
mod grants;
mod list;
mod works;

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::authority::{Actor, Proof, Verified};
use super::failure::Failure;
use super::inquiries::Sight;
use super::keys::{KeyName, PreparedKeys, ReceiptSigners};
use super::node::Registry;
use super::published::{self, LogName};
use crate::clock::Clock;
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::domain::ids::{CheckId, OrgId};
use crate::domain::scope::Scope as AnyOr;
use crate::log::checkpoint::claimed_origin;
use crate::log::merkle::{TreeHead, leaf_hash};
use crate::log::receipt::signed::{Place, ReceiptSigner, Statement, TYP, WORKS_TYP};
use crate::log::receipt::{Basis, CheckRecord, RECEIPT_VERSION, Receipt, Recorded, Sealed};
use crate::store::checks::{self, StoredCheck};
use crate::store::entries::{self, StoredEntry};
use crate::store::public_keys::{self, KeyTable, PublicKey};
use crate::store::{Db, StoreError, catalogue, heads, tiles};

pub(super) use evidence::evidence;
pub use grants::{RestedOn, grants};
pub use list::{Listed, Of, Wanted, list};
pub use works::{PageOf, works};

/// The most entries on which an answer rests that one request may ask for.
pub const MAX_BASIS: usize = 100;
/// How many seals after an answer are looked at: the first or the second holds it.
const SEALS: u32 = 8;

/// Notes the keys with which this node signs receipts, or will, where they are not noted yet.
pub(super) async fn note_keys(db: &Db, signers: &ReceiptSigners, clock: &Clock) -> Result<(), StoreError> {
    for signer in [Some(&signers.current), signers.next.as_ref()].into_iter().flatten() {
        note_key(db, signer, clock).await?;
    }
    Ok(())
}

/// Notes a key, where it is not noted yet.
pub(super) async fn note_key(db: &Db, signer: &ReceiptSigner, clock: &Clock) -> Result<(), StoreError> {
    if public_keys::all(db, KeyTable::Receipts).await?.iter().any(|key| key.kid == signer.kid()) {
        return Ok(());
    }
    let (kid, public) = (signer.kid().to_owned(), signer.public());
    let mut tx = db.begin().await?;
    let key = PublicKey { kid, public, first_ms: clock.now_ms() };
    public_keys::put(&mut tx, KeyTable::Receipts, &key).await?;
    tx.commit().await
}

/// The keys that sign receipts, that ever did, and that will, the oldest first.
pub async fn keys(registry: &Registry) -> Result<Vec<PublicKey>, Failure> {
    let noted = public_keys::all(registry.db(), KeyTable::Receipts).await?;
    let prepared = PreparedKeys::of(registry.db(), KeyName::Receipt, registry.clock().now_ms()).await?;
    let index = registry.shared().read();
    let now = index.as_of(registry.shared().published());
    Ok(noted.into_iter().filter(|key| !prepared.is_thrown_away(now, &key.public)).collect())
}

/// A log, as it is published for one request: each look at a journal that grows would wait for a mark of its own.
struct Log<'a> {
    registry: &'a Registry,
    name: LogName,
    /// The name of the key that signs it, as it is now.
    origin: String,
    published: TreeHead,
}

/// The logs that one request looks at, each looked at as seldom as that goes.
pub(super) struct Logs<'a> {
    registry: &'a Registry,
    /// The name of its key, and how far each is published.
    published: HashMap<String, (String, TreeHead)>,
}

impl<'a> Logs<'a> {
    pub(super) fn new(registry: &'a Registry) -> Self {
        Self { registry, published: HashMap::new() }
    }

    /// The log of this name, published at least as far as this entry.
    async fn with(&mut self, name: LogName, index: u64) -> Result<Log<'a>, Failure> {
        let registry = self.registry;
        if let Some((origin, published)) = self.published.get(name.stored())
            && index < published.size
        {
            return Ok(Log { registry, name, origin: origin.clone(), published: *published });
        }
        let log = Log::open(registry, name).await?;
        self.published.insert(log.name.stored().to_owned(), (log.origin.clone(), log.published));
        Ok(log)
    }

    /// The check of this row.
    async fn check(&mut self, row: &StoredCheck) -> Result<Found<'a>, Failure> {
        let log = self.with(LogName::stored_as(row.log.clone()), row.index).await?;
        let stored = log.entry(row.index).await?;
        let record = read(&text_of(&stored)?)?;
        if record.check.to_string() != row.check {
            return Err(log.corrupt(&format_args!("`{}` is not entry {}", row.check, row.index)));
        }
        Ok(Found { log, stored, record, sees_whole: false })
    }
}

/// A check as its journal tells it.
struct Found<'a> {
    log: Log<'a>,
    stored: StoredEntry,
    record: CheckRecord,
    /// Whether the caller sees all of it.
    sees_whole: bool,
}

/// The check of this id. Whose it is the journal says, and not the table by which it is found.
async fn find<'a>(
    registry: &'a Registry,
    by: &Verified,
    sight: &Sight,
    check: CheckId,
) -> Result<Found<'a>, Failure> {
    let place = checks::find(registry.db(), &check.to_string()).await?.ok_or(Failure::NotFound)?;
    let mut found = Logs::new(registry).check(&place).await?;
    found.sees_whole = found.is_of(by.actor().org());
    found.sees_whole |= match sight {
        Sight::Own => false,
        Sight::All => true,
        Sight::Under(inquiry) => works::is_laid_open(&found, inquiry.extent()).await?,
    };
    Ok(found)
}

/// The receipt of a check, with these of the entries on which its answer rests.
///
/// # Errors
/// [`Failure::NotFound`] where there is no such check that the caller sees whole; [`Failure::Absent`] for an entry that the log did not
/// have when it was answered.
pub async fn receipt(
    registry: &Registry,
    by: &Verified,
    sight: &Sight,
    check: CheckId,
    basis: &[u64],
) -> Result<Receipt, Failure> {
    let found = find(registry, by, sight, check).await?;
    if !found.sees_whole {
        return Err(Failure::NotFound);
    }
    found.receipt(by.actor(), sight, basis).await
}

impl Found<'_> {
    /// Whether the questions are this organization's, or it asked them for another.
    fn is_of(&self, org: OrgId) -> bool {
        self.record.developer == org || self.record.asked_by == Some(org)
    }

    async fn receipt(&self, actor: &Actor, sight: &Sight, basis: &[u64]) -> Result<Receipt, Failure> {
        let Self { log, stored, record, .. } = self;
        let journal = log.recorded(stored).await?;
        let acts = Log::open(log.registry, LogName::acts()).await?;
        Ok(Receipt {
            v: RECEIPT_VERSION,
            check: record.check,
            acts: published::cosigned_note(log.registry, &acts.name, record.log.size).await?,
            sealed: sealed(log, &acts, &journal, record).await?,
            basis: basis_of(&acts, actor, sight, record.log, basis).await?,
            journal,
            items: Vec::new(),
        })
    }
}

/// What this registry answers for with a signature of its own: the journal entry for who sees it whole, and for a holder what was
/// asked about its own works.
///
/// # Errors
/// [`Failure::NotFound`] for everybody else; [`Failure::Conflict`] for more works than one statement holds.
pub async fn statement(registry: &Registry, by: &Verified, check: CheckId) -> Result<String, Failure> {
    let sight = Sight::of(registry, by.actor(), None).await?;
    let found = find(registry, by, &sight, check).await?;
    let (typ, works) =
        if found.sees_whole { (TYP, None) } else { (WORKS_TYP, Some(works::all_own(by, &found).await?)) };
    let Found { log, stored, record, .. } = found;
    let entry = RawValue::from_string(text_of(&stored)?).map_err(|error| log.corrupt(&error))?;
    let statement = Statement {
        iss: log.origin.rsplit_once("/checks/").map_or(log.origin.as_str(), |(acts, _)| acts).to_owned(),
        iat: record.at_ms.div_euclid(1_000),
        sub: record.developer,
        jti: check.to_string(),
        journal: Place { origin: log.origin.clone(), index: stored.index, leaf: leaf_hash(&stored.bytes) },
        entry: works.is_none().then_some(entry),
        works,
    };
    registry.sign_receipt(typ, &statement)
}

fn read(entry: &str) -> Result<CheckRecord, Failure> {
    CheckRecord::read(entry).map_err(|error| StoreError::Corrupt(error.to_string()).into())
}

pub(super) fn text_of(stored: &StoredEntry) -> Result<String, Failure> {
    let text = String::from_utf8(stored.bytes.clone());
    text.map_err(|error| StoreError::Corrupt(format!("entry {}: {error}", stored.index)).into())
}

impl<'a> Log<'a> {
    async fn open(registry: &'a Registry, name: LogName) -> Result<Self, Failure> {
        let published = published::head(registry, &name).await?;
        let origin = heads::read(registry.db(), name.stored()).await?.ok_or(Failure::NotFound)?.origin;
        Ok(Self { registry, name, origin, published })
    }

    fn corrupt(&self, why: &dyn std::fmt::Display) -> Failure {
        StoreError::Corrupt(format!("log `{}`: {why}", self.name)).into()
    }

    async fn entry(&self, index: u64) -> Result<StoredEntry, Failure> {
        if index >= self.published.size {
            return Err(self.corrupt(&format_args!("it has lost entry {index}")));
        }
        let found = entries::read(self.registry.db(), self.name.stored(), index..index + 1).await?;
        found.into_iter().next().ok_or(Failure::NotFound)
    }

    /// The size of the first checkpoint that covers an entry.
    async fn covered(&self, index: u64) -> Result<u64, Failure> {
        let signed = tiles::checkpoint_covering(self.registry.db(), self.name.stored(), index + 1).await?;
        let signed = signed.filter(|signed| signed.tree.size <= self.published.size);
        let none = || self.corrupt(&format_args!("no checkpoint covers entry {index}"));
        Ok(signed.ok_or_else(none)?.tree.size)
    }

    /// An entry with its proof under the first checkpoint that covers it.
    async fn recorded(&self, stored: &StoredEntry) -> Result<Recorded, Failure> {
        let (index, size) = (stored.index, self.covered(stored.index).await?);
        let checkpoint = published::cosigned_note(self.registry, &self.name, size).await?;
        // It may have been signed under an earlier name of the log.
        let origin = claimed_origin(checkpoint.as_bytes()).map_err(|error| self.corrupt(&error))?.to_owned();
        Ok(Recorded {
            origin,
            index,
            entry: text_of(stored)?,
            proof: published::prove(self.registry, &self.name, index, size).await?,
            checkpoint,
        })
    }
}

/// The first act that sealed the journal with this entry in it.
async fn sealed(
    log: &Log<'_>,
    acts: &Log<'_>,
    journal: &Recorded,
    record: &CheckRecord,
) -> Result<Option<Sealed>, Failure> {
    let registry = log.registry;
    // Whatever seals it was recorded after the log from which it was answered.
    let since = record.log.size..acts.published.size;
    for stored in catalogue::party_entries(registry.db(), &journal.origin, since, SEALS).await? {
        let entry: Entry = serde_json::from_slice(&stored.bytes).map_err(|error| acts.corrupt(&error))?;
        let Act::JournalSealed(seal) = entry.act else { continue };
        // One that was read before the answer was written; or after it is published here, which the next look shows.
        if seal.size <= journal.index || seal.size > log.published.size {
            continue;
        }
        let act = acts.recorded(&stored).await?;
        // Under another name of the act log it is no part of what the keys of this receipt vouch for.
        if !journal.origin.starts_with(&format!("{}/", act.origin)) {
            return Ok(None);
        }
        let (window, newest) = (log.covered(journal.index).await?, acts.covered(stored.index).await?);
        return Ok(Some(Sealed {
            act,
            proof: published::prove(registry, &log.name, journal.index, seal.size).await?,
            continues: published::prove_extends(registry, &log.name, window, seal.size).await?,
            extends: published::prove_extends(registry, &acts.name, record.log.size, newest).await?,
        }));
    }
    Ok(None)
}

/// What every developer is told of: a grant that names none.
pub(super) fn is_for_any_developer(act: &Act) -> bool {
    matches!(act, Act::GrantRecorded(grant) if grant.developers == AnyOr::Any)
}

/// These entries of the act log, each with its proof in the log of that size; in full for auditors, the registrar, and who is
/// a party to it; for all where it is a grant to any developer.
async fn basis_of(
    acts: &Log<'_>,
    actor: &Actor,
    sight: &Sight,
    log: TreeHead,
    asked: &[u64],
) -> Result<Vec<Basis>, Failure> {
    let mut asked = asked.to_vec();
    asked.sort_unstable();
    asked.dedup();
    if let Some(beyond) = asked.iter().find(|index| **index >= log.size) {
        let detail =
            format!("the log had {} entries when this was answered, and not entry {beyond}", log.size);
        return Err(Failure::Absent(detail));
    }
    let mut basis = Vec::with_capacity(asked.len());
    for index in asked {
        let stored = acts.entry(index).await?;
        let entry: Entry = serde_json::from_slice(&stored.bytes).map_err(|error| acts.corrupt(&error))?;
        let works = acts.registry.read(|now| now.index.works_of(&entry.act)).await?;
        let is_shown = sight.shows_entry(&entry, &works)
            || entry.parties.contains(&actor.org())
            || is_for_any_developer(&entry.act);
        basis.push(Basis {
            index,
            leaf: leaf_hash(&stored.bytes),
            entry: if is_shown { Some(text_of(&stored)?) } else { None },
            proof: published::prove(acts.registry, &acts.name, index, log.size).await?,
        });
    }
    Ok(basis)
}
