//! The keys of the logs as they are noted, beside those in the data folder, and beside the acts that ended them.
//!
//! Whoever writes to the database can note any key. So of the act log and of this node's journal only two kinds count: those in
//! the data folder, and those that an act ended, which stands in the log that the former signed.

use std::collections::BTreeMap;

use data_encoding::BASE64;

use super::stored::name;
use super::{FsckError, Ground, Pace};
use crate::domain::act::{Act, KeyRotated, SigningKeyUse};
use crate::domain::entry::Entry;
use crate::log::checkpoint::{CheckpointError, VerifierKey, verify_by_any};
use crate::log::merkle::{HASH_BYTES, Hash, MAX_SIZE};
use crate::registry::answer::moment;
use crate::registry::keys::{KeyName, SigningKeyError, public_of};
use crate::registry::node::Settings;
use crate::registry::offline::{Finding, Findings, Kind, Piece, ToldEarlier, ToldKey};
use crate::store::entries::StoredEntry;
use crate::store::heads::{ACTS, StoredHead, checks_log};
use crate::store::log_keys::{self, KeyEnd, LogKey};
use crate::store::{Db, StoreError, tiles};

/// How many checkpoints are read at once.
const PAGE: u32 = 500;

/// The public halves of the keys in a data folder, of today and tomorrow.
#[derive(Clone, Debug)]
pub(super) struct Own {
    origin: String,
    acts: Vec<[u8; 32]>,
    journal: Vec<[u8; 32]>,
    receipt: Vec<[u8; 32]>,
    token: Vec<[u8; 32]>,
}

impl Own {
    /// Reads them; none where there is no key of the act log.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, SigningKeyError> {
        let publics = |name: KeyName| {
            let pair = settings.key(name).existing_pair()?;
            let seeds = pair.into_iter().flat_map(|pair| [Some(pair.current), pair.next]);
            Ok::<Vec<_>, SigningKeyError>(seeds.flatten().map(|seed| public_of(&seed)).collect())
        };
        let (acts, journal) = (publics(KeyName::ActLog)?, publics(KeyName::Journal)?);
        let (receipt, token) = (publics(KeyName::Receipt)?, publics(KeyName::Token)?);
        let origin = settings.origin.clone();
        Ok((!acts.is_empty()).then_some(Self { origin, acts, journal, receipt, token }))
    }

    /// Those that sign no log, that of today first.
    pub(super) fn others(&self, of: SigningKeyUse) -> &[[u8; 32]] {
        match of {
            SigningKeyUse::Receipt => &self.receipt,
            SigningKeyUse::Token => &self.token,
            SigningKeyUse::ActLog | SigningKeyUse::Journal => &[],
        }
    }

    /// Those that sign the act log.
    pub(super) fn of_acts(&self) -> Result<Vec<VerifierKey>, SigningKeyError> {
        Self::named(&self.origin, &self.acts)
    }

    fn named(origin: &str, publics: &[[u8; 32]]) -> Result<Vec<VerifierKey>, SigningKeyError> {
        let key = |public| {
            VerifierKey::new(origin, public)
                .map_err(|error| SigningKeyError::Origin(origin.to_owned(), error))
        };
        publics.iter().map(key).collect()
    }

    /// Those that sign a log, where nobody else may.
    fn of_log(&self, head: &StoredHead, node: &str) -> Result<Vec<VerifierKey>, SigningKeyError> {
        let (origin, publics) = match head.log.as_str() {
            ACTS => (&self.origin, &self.acts),
            log if log == checks_log(node) => (&head.origin, &self.journal),
            _ => return Ok(Vec::new()),
        };
        Self::named(origin, publics)
    }
}

/// The keys of a log as they are noted.
pub(super) struct Noted {
    log: String,
    /// Those in the data folder, where nobody else may sign.
    own: Vec<VerifierKey>,
    keys: Vec<LogKey>,
    ends: Vec<KeyEnd>,
    continues: Vec<ToldEarlier>,
}

impl Noted {
    /// Reads them, and finds what is wrong with them by itself.
    pub(super) async fn of(
        ground: &Ground,
        head: &StoredHead,
        findings: &mut Findings,
    ) -> Result<Self, FsckError> {
        let (db, log) = (&ground.db, head.log.as_str());
        let (keys, ends) = (log_keys::of_log(db, log).await?, log_keys::ends(db, log).await?);
        let mut unknown = |what: String| {
            let finding = Finding::new(Kind::UnknownKey, what);
            findings.push(finding.in_log(&name(log)).in_table("log_keys"));
        };
        let earlier = if log == ACTS { earlier(&head.origin, &ends) } else { BTreeMap::new() };
        let is_its_own = |noted: &LogKey| {
            let key: Option<VerifierKey> = noted.verifier_key.parse().ok();
            let is_named = |key: VerifierKey| key.name() == head.origin || earlier.contains_key(key.name());
            key.is_some_and(is_named) && noted.first_size <= MAX_SIZE
        };
        let (mut keys, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(is_its_own);
        for other in others {
            unknown(format!("`{}` is noted, and is no key of it", other.verifier_key));
        }
        let own = ground.own.of_log(head, &ground.node)?;
        let is_noted = |own: &VerifierKey| keys.iter().any(|noted| noted.verifier_key == own.to_string());
        if !own.is_empty() && !own.iter().any(is_noted) && (ground.keys_are_noted || !keys.is_empty()) {
            unknown("the key in the data folder is not among those that are noted for the log".to_owned());
        }
        if keys.is_empty() {
            let first = |own: &VerifierKey| LogKey {
                log: log.to_owned(),
                verifier_key: own.to_string(),
                first_size: 0,
                first_ms: 0,
            };
            keys.extend(own.iter().map(first));
        }
        let mut continues = Vec::with_capacity(earlier.len());
        for (origin, size) in earlier {
            let root = tiles::checkpoint_at(db, log, size).await?.map(|last| last.tree.root);
            let root = BASE64.encode(root.unwrap_or(Hash([0; HASH_BYTES])).as_ref());
            continues.push(ToldEarlier { origin, size, root });
        }
        continues.sort_by_key(|earlier| earlier.size);
        Ok(Self { log: log.to_owned(), own, keys, ends, continues })
    }

    pub(super) fn log(&self) -> &str {
        &self.log
    }

    /// The names that the log had before, the oldest first.
    pub(super) fn continues(&self) -> &[ToldEarlier] {
        &self.continues
    }

    /// The keys as the reader of the logs is told of them: each signs until it ended.
    pub(super) fn told(&self) -> Vec<ToldKey> {
        let told = |key: &LogKey| {
            let end = self.end(&key.verifier_key);
            ToldKey {
                verifier_key: key.verifier_key.clone(),
                first_size: key.first_size,
                first: moment(key.first_ms),
                state: Some(if end.is_some() { "retired" } else { "current" }.to_owned()),
                last_size: end.map(|end| end.last_size),
                last: end.map(|end| moment(end.last_ms)),
            }
        };
        self.keys.iter().map(told).collect()
    }

    fn end(&self, key: &str) -> Option<&KeyEnd> {
        self.ends.iter().find(|end| end.verifier_key == key)
    }

    /// Holds what is noted against the acts, and the checkpoints of `size` and less against the keys that count. Gives what can't
    /// be known here.
    pub(super) async fn hold(
        &self,
        db: &Db,
        ended: &Ended,
        (size, pace): (u64, &Pace),
        findings: &mut Findings,
    ) -> Result<Vec<String>, FsckError> {
        if self.own.is_empty() {
            return Ok(Vec::new());
        }
        let mut counting: Vec<(VerifierKey, u64)> =
            self.own.iter().map(|own| (own.clone(), MAX_SIZE)).collect();
        let (mut strangers, mut is_unnoted) = (Vec::new(), false);
        for noted in &self.keys {
            let (text, Ok(key)) = (&noted.verifier_key, noted.verifier_key.parse::<VerifierKey>()) else {
                continue;
            };
            let by = ended.of(&key, self.log == ACTS);
            // What ended since the logs were pinned is not in what was read of them.
            let end = self.end(text).filter(|end| end.last_size < size);
            let what = match (by, end) {
                (None, Some(_)) => Some(format!("`{text}` is noted as one that ended, and no act says so")),
                (Some(by), Some(end)) if self.log == ACTS && end.last_size > by => {
                    let noted = end.last_size;
                    Some(format!("`{text}` is noted to have ended at size {noted}, and entry {by} ended it"))
                }
                _ => None,
            };
            if let Some(what) = what {
                let finding = Finding::new(Kind::RetiredKey, what);
                findings.push(finding.in_log(&name(&self.log)).in_table("log_key_ends"));
            }
            match by {
                // Of a journal it is the size that is noted; where none is, whoever reads the checks knows it.
                Some(by) => {
                    let until = if self.log == ACTS { by } else { MAX_SIZE };
                    counting.retain(|(own, _)| *own != key);
                    counting.push((key, until));
                    is_unnoted |= self.log == ACTS && end.is_none();
                }
                None if self.own.contains(&key) => {}
                None => strangers.push(key),
            }
        }
        if strangers.is_empty() && !is_unnoted {
            return Ok(Vec::new());
        }
        self.signed_by_others(db, &counting, (size, pace), findings).await?;
        let unverified = |key: VerifierKey| {
            let log = name(&self.log);
            format!(
                "that `{key}` is a key of log `{log}`: it is not in this data folder, and no act ended it"
            )
        };
        Ok(strangers.into_iter().map(unverified).collect())
    }

    /// Every checkpoint must be signed by a key that counts, up to the size up to which it does.
    async fn signed_by_others(
        &self,
        db: &Db,
        counting: &[(VerifierKey, u64)],
        (size, pace): (u64, &Pace),
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let mut before = size.saturating_add(1);
        loop {
            let page = tiles::checkpoints(db, &self.log, before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            before = last.tree.size;
            pace.rest().await;
            for stored in &page {
                let size = stored.tree.size;
                let keys = counting.iter().filter(|(_, until)| size <= *until).map(|(key, _)| key.clone());
                let keys: Vec<VerifierKey> = keys.collect();
                if verify_by_any(stored.note.as_bytes(), &keys) != Err(CheckpointError::Unsigned) {
                    continue;
                }
                let (log, piece) = (name(&self.log), Piece::Signed(size));
                let what = format!(
                    "the checkpoint of size {size} is signed by no key in this data folder, and by none that an act ended later"
                );
                let file = format!("{log}/{piece}");
                findings.push(Finding::new(Kind::UnknownKey, what).in_log(&log).in_file(&file));
            }
        }
    }
}

/// The names that the act log had before, each with the size at which its last key ended.
fn earlier(origin: &str, ends: &[KeyEnd]) -> BTreeMap<String, u64> {
    let mut earlier = BTreeMap::new();
    for end in ends {
        let Ok(key) = end.verifier_key.parse::<VerifierKey>() else { continue };
        if key.name() != origin && end.last_size <= MAX_SIZE {
            let last = earlier.entry(key.name().to_owned()).or_insert(end.last_size);
            *last = end.last_size.max(*last);
        }
    }
    earlier
}

/// The keys that the act log ended, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// By which entry, those of the act log and those of journals. Of journals one key signs several, each under a name of its own: the
    /// bytes count.
    keys: [BTreeMap<[u8; 32], u64>; 2],
    /// Those that sign no log and of which an act speaks, old ones and new ones, each with the entry.
    others: Vec<(SigningKeyUse, [u8; 32], u64)>,
    /// All of a name, with the entry with which the log went on under another.
    names: BTreeMap<String, u64>,
}

impl Ended {
    /// Reads a part of the act log.
    pub(super) fn page(&mut self, page: &[StoredEntry]) {
        for stored in page {
            // Few entries are such, and each is read for more than this already.
            let text = std::str::from_utf8(&stored.bytes).unwrap_or_default();
            if !text.contains("\"key.rotated\"") && !text.contains("\"log.continued\"") {
                continue;
            }
            match serde_json::from_str::<Entry>(text).map(|entry| entry.act) {
                Ok(Act::KeyRotated(act)) => self.rotated(&act, stored.index),
                Ok(Act::LogContinued(act)) => {
                    self.names.entry(act.from).or_insert(stored.index);
                }
                _ => {}
            }
        }
    }

    fn rotated(&mut self, act: &KeyRotated, by: u64) {
        let public = |key: &str| key.parse::<VerifierKey>().ok().map(|key| *key.public_bytes());
        let [acts, journals] = &mut self.keys;
        let keys = match act.key_use {
            SigningKeyUse::ActLog => acts,
            SigningKeyUse::Journal => journals,
            of @ (SigningKeyUse::Receipt | SigningKeyUse::Token) => {
                let both = [&act.old, &act.new].into_iter().filter_map(|key| public(key));
                return self.others.extend(both.map(|key| (of, key, by)));
            }
        };
        if let Some(old) = public(&act.old) {
            keys.entry(old).or_insert(by);
        }
    }

    /// Those that sign no log and of which an act speaks, each with its entry.
    pub(super) fn others(&self, of: SigningKeyUse) -> impl Iterator<Item = (&[u8; 32], u64)> {
        let others = self.others.iter().filter(move |(its, ..)| *its == of);
        others.map(|(_, public, by)| (public, *by))
    }

    /// Which entry ended a key of the act log, or of a journal.
    fn of(&self, key: &VerifierKey, is_acts: bool) -> Option<u64> {
        let [acts, journals] = &self.keys;
        let keys = if is_acts { acts } else { journals };
        let by = [keys.get(key.public_bytes()), self.names.get(key.name())];
        by.into_iter().flatten().min().copied()
    }
}
