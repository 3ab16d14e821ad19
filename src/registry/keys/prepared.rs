//! Keys that are prepared, as all nodes know of them: one that was thrown away everywhere before its turn came is told no more.
//!
//! Each node states which next keys it has: when it opens, when one is prepared, and at intervals, by its files. When a key is that of today
//! anywhere, nothing is stated of it any more: it may have signed, and is told for ever.

use std::collections::HashMap;

use super::signing::{has_begun, public_of};
use super::{KeyName, Pair, SigningKeyError};
use crate::clock::Clock;
use crate::domain::act::SigningKeyUse;
use crate::domain::index::AsOf;
use crate::log::checkpoint::VerifierKey;
use crate::log::receipt::signed::key_id;
use crate::registry::node::{OpenError, Registry, Settings};
use crate::store::heads::{ACTS, checks_log};
use crate::store::prepared_keys::{self, PreparedKey};
use crate::store::public_keys::{self, KeyTable};
use crate::store::{Db, StoreError, log_keys};

/// For how long a node that says nothing is believed to have what it had: it may be gone for ever. No node says so less often than
/// once a week.
const HELD_MS: i64 = 14 * 24 * 60 * 60 * 1_000;
/// After how long it is said again.
const AGAIN_MS: i64 = 60 * 60 * 1_000;

/// The names that sign.
const SIGNING: [KeyName; 4] = [KeyName::ActLog, KeyName::Journal, KeyName::Receipt, KeyName::Token];

/// States which next keys this node has, in the place of what it stated before. It is called before they are noted: one that is
/// noted, and of which nobody stated anything, had its turn.
pub(in crate::registry) async fn state(
    settings: &Settings,
    db: &Db,
    clock: &Clock,
    pairs: &[(KeyName, &Pair)],
) -> Result<(), StoreError> {
    let (mut news, mut turns) = (Vec::new(), Vec::new());
    let (now_ms, node) = (clock.now_ms(), settings.node.as_str());
    for (name, pair) in pairs.iter().copied() {
        let stated = prepared_keys::of_use(db, name.word()).await?;
        let is_stated = |kid: &str| stated.iter().any(|row| row.kid == kid);
        let current = key_id(&public_of(&pair.current));
        if is_stated(&current) {
            turns.push((name, current));
        }
        let next = pair.next.as_ref().map(|seed| (public_of(seed), key_id(&public_of(seed))));
        for row in stated.iter().filter(|row| row.node == node && row.seen_ms != 0) {
            if next.as_ref().is_none_or(|(_, kid)| *kid != row.kid) {
                news.push((name, PreparedKey { seen_ms: 0, ..row.clone() }));
            }
        }
        let Some((public, kid)) = next else { continue };
        let is_fresh = |row: &PreparedKey| {
            row.kid == kid && row.node == node && now_ms.abs_diff(row.seen_ms) < AGAIN_MS.unsigned_abs()
        };
        if !stated.iter().any(is_fresh) && (is_stated(&kid) || !is_noted(db, name, node, &public).await?) {
            news.push((name, PreparedKey { kid, node: node.to_owned(), seen_ms: now_ms.max(1) }));
        }
    }
    if news.is_empty() && turns.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for (name, row) in &news {
        prepared_keys::put(&mut tx, name.word(), row).await?;
    }
    for (name, kid) in &turns {
        prepared_keys::had_its_turn(&mut tx, name.word(), kid).await?;
    }
    tx.commit().await
}

/// Whether a key is noted among those that are told.
async fn is_noted(db: &Db, name: KeyName, node: &str, public: &[u8; 32]) -> Result<bool, StoreError> {
    let table = match name {
        KeyName::Receipt => KeyTable::Receipts,
        KeyName::Token => KeyTable::Tokens,
        _ => {
            let log = if name == KeyName::ActLog { ACTS.to_owned() } else { checks_log(node) };
            let noted = log_keys::of_log(db, &log).await?;
            let mut keys = noted.iter().filter_map(|key| key.verifier_key.parse::<VerifierKey>().ok());
            return Ok(keys.any(|key| key.public_bytes() == public));
        }
    };
    Ok(public_keys::all(db, table).await?.iter().any(|key| key.public == *public))
}

/// What nodes state of the keys of one name.
pub(in crate::registry) struct Prepared {
    of: Option<SigningKeyUse>,
    /// Whether a node has it, by the name of the key.
    keys: HashMap<String, bool>,
}

impl Prepared {
    /// Reads it, as of this moment.
    pub(in crate::registry) async fn of(db: &Db, name: KeyName, now_ms: i64) -> Result<Self, StoreError> {
        let mut keys: HashMap<String, bool> = HashMap::new();
        for row in prepared_keys::of_use(db, name.word()).await? {
            *keys.entry(row.kid).or_default() |= row.seen_ms > now_ms.saturating_sub(HELD_MS);
        }
        Ok(Self { of: name.signing_use(), keys })
    }

    /// Whether a node has it and it was that of today nowhere yet: nothing where nobody stated anything of it.
    pub(super) fn is_held(&self, public: &[u8; 32]) -> Option<bool> {
        self.keys.get(&key_id(public)).copied()
    }

    /// Whether a key is told no more: it was prepared, no node has it, and no act let it sign.
    pub(in crate::registry) fn is_thrown_away(&self, now: AsOf<'_>, public: &[u8; 32]) -> bool {
        self.is_held(public) == Some(false) && self.of.is_some_and(|of| !has_begun(now, of, public))
    }
}

impl Registry {
    /// States anew which next keys this node has, as its files say. Called at intervals: one whose file is gone is told no more.
    ///
    /// # Errors
    /// Where a file can't be read, or the database.
    pub async fn state_next_keys(&self) -> Result<(), OpenError> {
        let pairs = SIGNING.map(|name| Ok((name, self.settings().key(name).existing_pair()?)));
        let pairs: Vec<_> = pairs.into_iter().collect::<Result<_, SigningKeyError>>()?;
        let pairs: Vec<_> = pairs.iter().filter_map(|(name, pair)| Some((*name, pair.as_ref()?))).collect();
        Ok(state(self.settings(), self.db(), self.clock(), &pairs).await?)
    }
}
