//! Verifying a bundle, with nothing but the keys of the logs.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;

use super::{Asked, Evidence, LogKeys, OpenEntry, TypedText};
use crate::domain::act::{Act, InquiryOpened};
use crate::domain::entry::Entry;
use crate::domain::ids::{CheckId, WorkId};
use crate::domain::inquiry::Extent;
use crate::domain::journal::{JournalEntry, MatchedWork, matched_works};
use crate::log::checkpoint::{CheckpointError, CosignerKey, VerifierKey, claimed, verify_by_any};
use crate::log::digest::salted;
use crate::log::merkle::{Hash, TreeHead, leaf_hash};
use crate::log::proof::{
    ProofError, consistency_tiles, inclusion_tiles, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use crate::log::receipt::{CheckRecord, Expected, ReceiptError};
use crate::log::tile::{TileRef, TileSet};

/// Whom whoever verifies a bundle believes.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The keys of the logs; those that the bundle tells of itself where there are none, which is said.
    pub logs: Vec<VerifierKey>,
    /// The keys of witnesses.
    pub witnesses: Vec<CosignerKey>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The checkpoint of the act log.
    #[error("the checkpoint of the act log: {0}")]
    Checkpoint(CheckpointError),
    /// A cosignature of a witness that is believed.
    #[error("the cosignature of `{witness}`: {error}")]
    Cosignature {
        /// Whose.
        witness: String,
        /// Why not.
        error: CheckpointError,
    },
    /// The public keys that the bundle tells of a log.
    #[error("the keys that it tells of `{0}` are none of those that are believed")]
    Keys(String),
    /// An entry of the act log.
    #[error("entry {index}: {why}")]
    Entry {
        /// Its place.
        index: u64,
        /// Why not.
        why: String,
    },
    /// What was typed with an entry.
    #[error("what was typed with entry {index}: {why}")]
    Text {
        /// The entry.
        index: u64,
        /// Why not.
        why: String,
    },
    /// The tiles.
    #[error("the tiles: {0}")]
    Tiles(String),
    /// The inquiry.
    #[error("the inquiry: {0}")]
    Inquiry(String),
    /// A check.
    #[error("the check `{check}`: {why}")]
    Check {
        /// Which.
        check: CheckId,
        /// Why not.
        why: String,
    },
}

/// What was found of a bundle.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What does not hold.
    pub faults: Vec<Fault>,
    /// The act log that it rests on: its origin and how large it was.
    pub acts: Option<(String, TreeHead)>,
    /// Whether it was held against keys that the bundle tells of itself.
    pub is_self_told: bool,
    /// By how many of the witnesses the checkpoint is cosigned.
    pub cosigned: usize,
    /// How many texts are told to be erased without the act that says so, which nothing here proves then.
    pub told_erased: usize,
}

impl Evidence {
    /// Verifies all of it. What holds is proved by whom the caller trusts; that nothing is left out is not, which only the whole log shows.
    pub fn verify(&self, trust: &Trust) -> Found {
        let mut found = Found { is_self_told: trust.logs.is_empty(), ..Found::default() };
        let keys = if found.is_self_told { self.told_keys() } else { trust.logs.clone() };
        let checkpoint = claimed(self.checkpoint.as_bytes()).and_then(|told| {
            let named: Vec<_> = keys.iter().filter(|key| key.name() == told.origin).cloned().collect();
            verify_by_any(self.checkpoint.as_bytes(), &named)
        });
        let checkpoint = match checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                found.faults.push(Fault::Checkpoint(error));
                return found;
            }
        };
        let head = checkpoint.head();
        let (cosigned, false_ones) = self.cosigned(&trust.witnesses);
        found.cosigned = cosigned;
        found.faults.extend(false_ones);
        found.faults.extend(self.verify_keys(&keys));
        found.told_erased = self.told_erased();
        found.faults.extend(self.verify_entries(head));
        found.faults.extend(self.verify_texts());
        if let Some((at_ms, opened)) = self.opened() {
            let extent = Extent::new(&opened, at_ms);
            found.faults.extend(self.verify_scope(&extent));
            let judge = Judge { keys: &keys, head, extent: &extent, grants: &self.grants() };
            found.faults.extend(self.verify_checks(&judge));
        } else {
            let why = format!("the entry that opened `{}` is not in the bundle", self.inquiry);
            found.faults.push(Fault::Inquiry(why));
        }
        found.acts = Some((checkpoint.origin, head));
        found
    }

    fn told_keys(&self) -> Vec<VerifierKey> {
        let told = self.keys.iter().flat_map(|log| &log.keys);
        told.filter_map(|key| key.verifier_key.parse().ok()).collect()
    }

    /// Of each log whose keys are believed, the bundle tells one of them: what it tells is handed on.
    fn verify_keys(&self, keys: &[VerifierKey]) -> Vec<Fault> {
        let is_told_of = |log: &LogKeys| {
            let own: Vec<String> =
                keys.iter().filter(|key| key.name() == log.origin).map(ToString::to_string).collect();
            own.is_empty() || log.keys.iter().any(|told| own.contains(&told.verifier_key))
        };
        let strange = self.keys.iter().filter(|log| !is_told_of(log));
        strange.map(|log| Fault::Keys(log.origin.clone())).collect()
    }

    fn cosigned(&self, witnesses: &[CosignerKey]) -> (usize, Vec<Fault>) {
        let lines = self.checkpoint.rsplit_once("\n\n").map_or("", |(_, lines)| lines);
        let (mut good, mut false_ones) = (0, Vec::new());
        for witness in witnesses {
            match witness.find(self.checkpoint.as_bytes(), lines) {
                Ok(_) => good += 1,
                Err(CheckpointError::Unsigned) => {}
                Err(error) => {
                    false_ones.push(Fault::Cosignature { witness: witness.name().to_owned(), error });
                }
            }
        }
        (good, false_ones)
    }

    /// Each entry by its proof, and by the tiles; which must be those that it takes, and no others.
    fn verify_entries(&self, head: TreeHead) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !self.entries.is_sorted_by(|one, next| one.index < next.index) {
            faults.push(Fault::Inquiry("its entries do not stand in order, each once".to_owned()));
        }
        let tiles = self.tile_set();
        for OpenEntry { index, entry, proof, .. } in &self.entries {
            let leaf = leaf_hash(entry.as_bytes());
            let by_tiles = prove_inclusion(&tiles, *index, head.size);
            let why = match (verify_inclusion(head, *index, leaf, proof), by_tiles) {
                (Err(error), _) => error.to_string(),
                (Ok(()), Err(error)) => format!("the tiles do not prove it: {error}"),
                (Ok(()), Ok(other)) if other != *proof => "the tiles prove another entry".to_owned(),
                (Ok(()), Ok(_)) => match serde_json::from_str::<Entry>(entry) {
                    Err(error) => format!("it can't be read: {error}"),
                    Ok(_) => continue,
                },
            };
            faults.push(Fault::Entry { index: *index, why });
        }
        match needed_tiles(self.entries.iter().map(|entry| entry.index), self.heads(), head.size) {
            Err(error) => faults.push(Fault::Tiles(error.to_string())),
            Ok(needed) => {
                let given: Vec<TileRef> = self.tiles.iter().map(|(tile, _)| *tile).collect();
                if needed != given {
                    faults.push(Fault::Tiles("they are not those that the proofs take".to_owned()));
                }
            }
        }
        faults
    }

    fn tile_set(&self) -> TileSet {
        let mut tiles = TileSet::new();
        for (tile, bytes) in &self.tiles {
            tiles.insert(tile.id, bytes.clone());
        }
        tiles
    }

    /// The sizes of the act log to which the receipts lead, which the bundle's must continue.
    fn heads(&self) -> impl Iterator<Item = u64> {
        self.checks.iter().filter_map(|asked| {
            let note = &asked.receipt.sealed.as_ref()?.act.checkpoint;
            claimed(note.as_bytes()).ok().map(|checkpoint| checkpoint.size)
        })
    }

    /// How many texts are told to be erased, without the act that says so.
    fn told_erased(&self) -> usize {
        let erased =
            self.entries.iter().filter_map(|it| match serde_json::from_str::<Entry>(&it.entry).ok()?.act {
                Act::PayloadErased(act) => Some(act.entry),
                _ => None,
            });
        let erased: BTreeSet<u64> = erased.collect();
        let is_told =
            |it: &&TypedText| matches!(it, TypedText::Erased { .. }) && !erased.contains(&it.index());
        self.texts.iter().filter(is_told).count()
    }

    fn verify_texts(&self) -> Vec<Fault> {
        let digests: BTreeMap<u64, Option<Hash>> = self
            .entries
            .iter()
            .map(|it| {
                let entry = serde_json::from_str::<Entry>(&it.entry).ok();
                (it.index, entry.and_then(|entry| entry.payload).map(|digest| Hash(digest.0)))
            })
            .collect();
        let mut faults = Vec::new();
        let mut fault = |index: u64, why: &str| faults.push(Fault::Text { index, why: why.to_owned() });
        if !self.texts.is_sorted_by(|one, next| one.index() < next.index()) {
            fault(0, "the texts do not stand in order, each once");
        }
        for text in &self.texts {
            match (text, digests.get(&text.index()).copied().flatten()) {
                (_, None) => fault(text.index(), "no such entry in the bundle has a text"),
                (TypedText::Kept { index, salt, text }, Some(digest))
                    if digest_of(salt, text) != Some(digest) =>
                {
                    fault(*index, "it is not what the entry has the digest of");
                }
                (TypedText::Erased { index, erased }, Some(_))
                    if erased.parse::<jiff::Timestamp>().is_err() =>
                {
                    fault(*index, "it is told to be erased, and not when");
                }
                _ => {}
            }
        }
        let told: BTreeSet<u64> = self.texts.iter().map(TypedText::index).collect();
        let typed = digests.iter().filter(|(_, digest)| digest.is_some());
        for (index, _) in typed.filter(|(index, _)| !told.contains(index)) {
            fault(*index, "it is missing, and not told to be erased");
        }
        faults
    }

    /// The act that opened the inquiry, and when that was, where it is among the entries.
    pub fn opened(&self) -> Option<(i64, InquiryOpened)> {
        self.entries.iter().find_map(|it| {
            let entry: Entry = serde_json::from_str(&it.entry).ok()?;
            match entry.act {
                Act::InquiryOpened(opened) if opened.inquiry == self.inquiry => Some((entry.at_ms, opened)),
                _ => None,
            }
        })
    }

    /// Entries beyond what the inquiry lays open, and those that are about other works than is told.
    fn verify_scope(&self, extent: &Extent) -> Vec<Fault> {
        let mut faults = Vec::new();
        for OpenEntry { index, works, entry, .. } in &self.entries {
            let Ok(entry) = serde_json::from_str::<Entry>(entry) else { continue };
            let is_opening =
                matches!(&entry.act, Act::InquiryOpened(opened) if opened.inquiry == self.inquiry);
            // One that names works by something else of theirs is about those that the bundle says: an export of the log shows it.
            let named = entry.act.named_works();
            let why = if !named.is_empty() && named != *works {
                "it is about other works than the bundle says"
            } else if !is_opening && !extent.holds_entry(&entry, works) {
                "it is not what the inquiry lays open"
            } else {
                continue;
            };
            faults.push(Fault::Entry { index: *index, why: why.to_owned() });
        }
        faults
    }

    fn grants(&self) -> BTreeMap<u64, bool> {
        let is_grant = |it: &OpenEntry| {
            let entry = serde_json::from_str::<Entry>(&it.entry);
            entry.is_ok_and(|entry| matches!(entry.act, Act::GrantRecorded(_)))
        };
        self.entries.iter().map(|it| (it.index, is_grant(it))).collect()
    }

    fn verify_checks(&self, judge: &Judge<'_>) -> Vec<Fault> {
        let tiles = self.tile_set();
        let mut faults = Vec::new();
        if !self.checks.is_sorted_by(|one, next| one.receipt.check < next.receipt.check) {
            faults.push(Fault::Inquiry("its checks do not stand in order, each once".to_owned()));
        }
        for asked in &self.checks {
            if let Err(why) = judge.check(asked, &tiles) {
                faults.push(Fault::Check { check: asked.receipt.check, why });
            }
        }
        faults
    }
}

/// The digest of a text with this salt, in hexadecimal digits.
fn digest_of(salt: &str, text: &str) -> Option<Hash> {
    let salt: [u8; 32] = HEXLOWER.decode(salt.as_bytes()).ok()?.try_into().ok()?;
    Some(salted(&salt, text.as_bytes()))
}

/// The tiles that prove these entries, and that the log of this size continues what it was at those sizes: each once, in order.
///
/// # Errors
/// For what lies beyond the log.
pub(crate) fn needed_tiles(
    entries: impl Iterator<Item = u64>,
    sizes: impl Iterator<Item = u64>,
    size: u64,
) -> Result<Vec<TileRef>, ProofError> {
    let mut tiles = Vec::new();
    for index in entries {
        tiles.extend(inclusion_tiles(index, size)?);
    }
    for old in sizes {
        tiles.extend(consistency_tiles(old, size)?);
    }
    tiles.sort_unstable();
    tiles.dedup();
    Ok(tiles)
}

/// What checks are held against.
struct Judge<'a> {
    keys: &'a [VerifierKey],
    head: TreeHead,
    extent: &'a Extent,
    /// The entries in the bundle, and whether each is a grant.
    grants: &'a BTreeMap<u64, bool>,
}

impl Judge<'_> {
    fn check(&self, asked: &Asked, tiles: &TileSet) -> Result<(), String> {
        let receipt = &asked.receipt;
        let told = |error: ReceiptError| error.to_string();
        let verified = receipt.verify(self.keys, &Expected::default()).map_err(told)?;
        if verified.sealed.is_none() {
            return Err("it is not sealed".to_owned());
        }
        // A log that went on under another name is the same history all the same.
        let continues = |error: ProofError| {
            format!("the act log of the bundle does not continue the one of its seal: {error}")
        };
        let proof = prove_consistency(tiles, verified.newest.size, self.head.size).map_err(continues)?;
        verify_consistency(verified.newest, self.head, &proof).map_err(continues)?;
        if !receipt.basis.is_empty() || !receipt.items.is_empty() {
            return Err("its receipt holds more than what the inquiry lays open".to_owned());
        }
        let works: Vec<WorkId> = matched(asked, &verified.record)?.into_iter().map(|row| row.work).collect();
        let CheckRecord { at_ms, developer, asked_by, log, .. } = verified.record;
        let is_about = self.extent.is_about_any() || self.extent.is_about(&works);
        if !self.extent.holds_asked(at_ms, developer, asked_by) || !is_about {
            return Err("it is not what the inquiry lays open".to_owned());
        }
        let is_sorted = asked.rests_on.is_sorted_by(|one, next| one < next);
        let is_grant = |entry: &u64| *entry < log.size && self.grants.get(entry).is_none_or(|is_one| *is_one);
        if is_sorted && asked.rests_on.iter().all(is_grant) {
            return Ok(());
        }
        Err("it is told to rest on what is no grant before it".to_owned())
    }
}

/// The works that a check matched, by the entries behind it in its journal.
pub(super) fn matched(asked: &Asked, record: &CheckRecord) -> Result<Vec<MatchedWork>, String> {
    let journal = &asked.receipt.journal;
    // Its signature was verified with the receipt.
    let window = claimed(journal.checkpoint.as_bytes()).map_err(|error| error.to_string())?.head();
    if asked.matched.len() as u64 != u64::from(record.chunks) {
        return Err(format!("{} of {} entries say what it matched", asked.matched.len(), record.chunks));
    }
    let mut works = Vec::new();
    for (chunk, it) in (0_u32..).zip(&asked.matched) {
        let wrong = || format!("entry {} of the journal does not say what it matched", it.index);
        let leaf = leaf_hash(it.entry.as_bytes());
        let proved = verify_inclusion(window, it.index, leaf, &it.proof);
        proved.map_err(|error| format!("entry {} of the journal: {error}", it.index))?;
        let entry: JournalEntry = serde_json::from_str(&it.entry).map_err(|_| wrong())?;
        let JournalEntry::Matched { check, chunk: of, works: rows, .. } = entry else { return Err(wrong()) };
        if (check, of, it.index) != (record.check, chunk, journal.index + 1 + u64::from(chunk)) {
            return Err(wrong());
        }
        works.extend(matched_works(&rows).ok_or_else(wrong)?);
    }
    Ok(works)
}
