//! The act log, replayed: each act is judged by the rules that stood, and folded, by the code that recorded it.
//!
//! The log does not say which acts were one command. It need not: a command's acts are admitted one after the other, each
//! against what the ones before it make of the index, and `admit` reads of the command only who acts, for whom, and by
//! which persons, which stands in every entry.

use std::collections::BTreeMap;

use super::finding::{Finding, Kind};
use super::journals::Acts;
use super::told::ToldLog;
use crate::domain::act::{Act, KeyRotated, LogContinued, SigningKeyUse};
use crate::domain::admit::admit;
use crate::domain::command::Command;
use crate::domain::entry::Entry;
use crate::domain::index::Index;
use crate::log::canonical::to_canonical;
use crate::log::checkpoint::VerifierKey;
use crate::log::merkle::{Hash, TreeHead};

/// A journal as the act log has sealed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) entry: u64,
    /// When it was recorded.
    pub(super) at_ms: i64,
    pub(super) size: u64,
    pub(super) root: Hash,
}

/// The act log while it is read.
pub(super) struct Replay<'a> {
    told: &'a ToldLog,
    index: Index,
    last_ms: i64,
    /// From which entry on nothing could be replayed.
    stopped: Option<u64>,
    seals: BTreeMap<String, Vec<Seal>>,
    replayed: u64,
    /// Which keys ended, and with which entry.
    ended: Vec<KeyEnded>,
    /// What it committed to where it went on under another name.
    commitments: Vec<Seal>,
    times: Times,
}

/// When each entry says that it was recorded; [`UNREAD`] where it can't be read.
#[derive(Default)]
pub(super) struct Times(Vec<i64>);

/// No entry is so old.
const UNREAD: i64 = i64::MIN;

impl Times {
    fn put(&mut self, at: u64, at_ms: i64) {
        if let Ok(at) = usize::try_from(at) {
            self.0.resize(at, UNREAD);
            self.0.push(at_ms);
        }
    }

    /// When this entry was recorded.
    pub(super) fn of(&self, at: u64) -> Option<i64> {
        let at_ms = usize::try_from(at).ok().and_then(|at| self.0.get(at).copied());
        at_ms.filter(|at_ms| *at_ms != UNREAD)
    }
}

/// A key that the act log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyEnded {
    pub(super) entry: u64,
    pub(super) of: SigningKeyUse,
    pub(super) public: [u8; 32],
}

impl KeyEnded {
    /// What an act at this place says; none where it names no key.
    fn by(entry: u64, act: &KeyRotated) -> Option<Self> {
        let key: VerifierKey = act.old.parse().ok()?;
        Some(Self { entry, of: act.key_use, public: *key.public_bytes() })
    }
}

impl<'a> Replay<'a> {
    /// One that has read nothing of this log.
    pub(super) fn of(told: &'a ToldLog) -> Self {
        Self {
            told,
            index: Index::new(),
            last_ms: i64::MIN,
            stopped: None,
            seals: BTreeMap::new(),
            replayed: 0,
            ended: Vec::new(),
            commitments: Vec::new(),
            times: Times::default(),
        }
    }

    /// What was committed to by what was read since the last call.
    pub(super) fn commitments(&mut self) -> Vec<Seal> {
        std::mem::take(&mut self.commitments)
    }

    /// Which keys were ended by what was read so far.
    pub(super) fn ended(&self) -> &[KeyEnded] {
        &self.ended
    }

    /// The entry at `at` can't be read: what follows it can't be judged.
    pub(super) fn stop(&mut self, at: u64) {
        self.stopped = self.stopped.or(Some(at));
    }

    /// From which entry on nothing could be replayed.
    pub(super) fn stopped(&self) -> Option<u64> {
        self.stopped
    }

    /// How many entries were replayed.
    pub(super) fn replayed(&self) -> u64 {
        self.replayed
    }

    /// What journals are held against, beside this head of it.
    pub(super) fn into_acts(self, head: Option<TreeHead>) -> Acts {
        let Self { index, seals, ended, times, .. } = self;
        Acts { head, index, seals, ended, times }
    }

    /// Reads an entry as it was hashed, and gives what does not hold of it.
    pub(super) fn entry(&mut self, at: u64, bytes: &[u8]) -> Vec<Finding> {
        let entry: Entry = match serde_json::from_slice(bytes) {
            Ok(entry) => entry,
            Err(error) => {
                self.stop(at);
                return vec![Finding::new(Kind::EntryForm, format!("it can't be read: {error}"))];
            }
        };
        self.times.put(at, entry.at_ms);
        let mut findings = Vec::new();
        if to_canonical(&entry).ok().as_deref() != Some(bytes) {
            findings.push(Finding::new(Kind::EntryForm, "it is not written as entries are (RFC 8785)"));
        }
        if entry.at_ms < self.last_ms {
            self.stop(at);
            let what = format!("it is of {} ms, and the one before it of {} ms", entry.at_ms, self.last_ms);
            findings.push(Finding::new(Kind::BackDated, what));
        }
        self.last_ms = self.last_ms.max(entry.at_ms);
        if self.stopped.is_none() {
            self.judge(at, &entry, &mut findings);
        }
        match entry.act {
            Act::LogOpened(opened) if opened.origin != self.told.name_at(at + 1) => {
                let name = self.told.name_at(at + 1);
                let what = format!("the act opens the log `{}`, and not `{name}`", opened.origin);
                findings.push(Finding::new(Kind::Origin, what));
            }
            Act::LogContinued(act) => {
                findings.extend(told_otherwise(self.told, at, &act));
                self.commitments.push(commitment(at, entry.at_ms, &act));
            }
            Act::KeyRotated(rotated) => self.ended.extend(KeyEnded::by(at, &rotated)),
            Act::JournalSealed(sealed) => {
                let (at_ms, root) = (entry.at_ms, Hash(sealed.root.0));
                let seal = Seal { entry: at, at_ms, size: sealed.size, root };
                findings.extend(self.seal(sealed.journal, seal));
            }
            _ => {}
        }
        findings
    }

    /// Admits and folds. What is refused is folded all the same: it stands in the log, and what follows rests on it.
    fn judge(&mut self, at: u64, entry: &Entry, findings: &mut Vec<Finding>) {
        let command = Command {
            party: entry.party,
            on_behalf_of: entry.on_behalf_of,
            by: entry.by.clone(),
            acts: Vec::new(),
        };
        match admit(&self.index, &command, &entry.act, entry.at_ms) {
            Ok(readers) if readers == entry.parties => {}
            Ok(readers) => {
                let names: Vec<String> = readers.iter().map(ToString::to_string).collect();
                let what =
                    format!("the rules let `{}` read it, and `parties` says otherwise", names.join("`, `"));
                findings.push(Finding::new(Kind::Readers, what));
            }
            Err(refusals) => {
                let rules = self.index.latest().rule_version();
                let why: Vec<String> =
                    refusals.iter().map(|it| format!("{} (`{}`)", it.detail, it.code)).collect();
                let what = format!(
                    "version {rules} of the rules does not admit `{}`: {}",
                    entry.act.code(),
                    why.join("; ")
                );
                findings.push(Finding::new(Kind::NotAdmitted, what));
            }
        }
        match self.index.fold(at, entry) {
            Ok(()) => self.replayed += 1,
            Err(error) => {
                self.stop(at);
                findings.push(Finding::new(Kind::NotFoldable, error.to_string()));
            }
        }
        // Nothing folded here is ever undone.
        self.index.keep();
    }

    fn seal(&mut self, journal: String, seal: Seal) -> Option<Finding> {
        let seals = self.seals.entry(journal).or_default();
        let finding = match seals.last() {
            Some(last) if seal.size < last.size => {
                let what = format!(
                    "it seals {} entries, and entry {} had sealed {}",
                    seal.size, last.entry, last.size
                );
                Some(Finding::new(Kind::SealShrank, what))
            }
            Some(last) if seal.size == last.size && seal.root != last.root => {
                let what =
                    format!("it seals {} entries with another root than entry {}", seal.size, last.entry);
                Some(Finding::new(Kind::SealContradicts, what))
            }
            _ => None,
        };
        seals.push(seal);
        finding
    }
}

/// What the act with which a log went on commits to.
fn commitment(at: u64, at_ms: i64, act: &LogContinued) -> Seal {
    Seal { entry: at, at_ms, size: at, root: Hash(act.root.0) }
}

/// What is told of the names of the log otherwise than the act says it.
fn told_otherwise(told: &ToldLog, at: u64, act: &LogContinued) -> Option<Finding> {
    let names = (told.name_at(at), told.name_at(at + 1));
    if (act.from.as_str(), act.origin.as_str()) == names && act.size == at {
        return None;
    }
    let what = format!(
        "the act says that `{}` goes on as `{}` after {} entries, and it is told of `{}` and `{}`",
        act.from, act.origin, act.size, names.0, names.1
    );
    Some(Finding::new(Kind::ContinuesOther, what))
}

/// An entry of an act log that is only hashed: what it commits to, and is told of otherwise, where the log went on with it.
pub(super) fn only_hashed(told: &ToldLog, at: u64, bytes: &[u8]) -> (Option<Seal>, Option<Finding>) {
    // Few entries are such, and no other is read.
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    if !text.contains("\"log.continued\"") {
        return (None, None);
    }
    match serde_json::from_str::<Entry>(text) {
        Ok(Entry { act: Act::LogContinued(act), at_ms, .. }) => {
            (Some(commitment(at, at_ms, &act)), told_otherwise(told, at, &act))
        }
        _ => (None, None),
    }
}
