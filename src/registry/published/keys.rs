//! The public keys of the logs, noted when a node opens; and which of them sign.

use crate::clock::Clock;
use crate::domain::act::SigningKeyUse;
use crate::domain::index::AsOf;
use crate::log::checkpoint::{Checkpoint, VerifierKey};
use crate::registry::keys::{KeyName, LogSigner, end_of};
use crate::registry::node::{OpenError, Settings};
use crate::store::heads::{ACTS, checks_log};
use crate::store::log_keys::{self, KeyEnd, LogKey};
use crate::store::{Db, StoreError, heads, tiles};

/// How many logs are looked at: every one that there can be, one for each name that a node ever had.
const MOST: u32 = 10_000;

/// Refuses a log of this node that somebody signed where the file of its key is not there, before another is made in its place: that
/// would be refused too, and would then be what is in every copy of the folder.
///
/// # Errors
/// [`OpenError::LostKey`].
pub(in crate::registry) async fn refuse_lost_keys(db: &Db, settings: &Settings) -> Result<(), OpenError> {
    for (log, name) in [(ACTS.to_owned(), KeyName::ActLog), (checks_log(&settings.node), KeyName::Journal)] {
        // In this order: another process that begins the log makes the file first.
        let is_signed = !log_keys::of_log(db, &log).await?.is_empty();
        if is_signed && settings.key(name).existing()?.is_none() {
            return Err(OpenError::LostKey { file: name.file(), log });
        }
    }
    Ok(())
}

/// Notes the keys with which this node signs or will sign, and those of logs in the database that the same files sign, where they
/// are not noted yet.
///
/// # Errors
/// [`OpenError::StrangeKey`] where a log of this node was signed by others before, and by none of these: a key is replaced by
/// an act, and not by a file. [`OpenError::Journal`] where that of the journal bears an earlier name of the log.
pub(in crate::registry) async fn note_keys(
    db: &Db,
    settings: &Settings,
    own: [&LogSigner; 2],
    clock: &Clock,
) -> Result<(), OpenError> {
    let journal = checks_log(&settings.node);
    let mut news = Vec::new();
    let [acts_signer, journal_signer] = own;
    let own = [(ACTS, acts_signer, KeyName::ActLog), (journal.as_str(), journal_signer, KeyName::Journal)];
    for (log, signer, name) in own {
        let noted = log_keys::of_log(db, log).await?;
        let is_noted = |key: &VerifierKey| noted.iter().any(|noted| noted.verifier_key == key.to_string());
        let names: Vec<String> = noted.iter().filter_map(|key| name_of(&key.verifier_key)).collect();
        if let Some(found) = names.first()
            && name == KeyName::Journal
            && names.iter().all(|name| name != signer.origin())
        {
            // Also where the journal has no entry yet, or lost those that it had.
            return Err(OpenError::Journal { node: settings.node.clone(), found: found.clone() });
        }
        if !noted.is_empty() && !is_noted(signer.key()) {
            return Err(OpenError::StrangeKey { file: name.file(), log: log.to_owned() });
        }
        // The next one after that of today, also where both signed from the beginning: the first of a log is known by that.
        for (later_ms, key) in (0..).zip(signer.keys()).filter(|(_, key)| !is_noted(key)) {
            let (first_size, first_ms) = since(db, log, key, clock).await?;
            let first_ms = first_ms.saturating_add(later_ms);
            news.push(LogKey { log: log.to_owned(), verifier_key: key.to_string(), first_size, first_ms });
        }
    }
    for (log, origin) in heads::page(db, "", MOST).await? {
        if log == ACTS || log == journal {
            continue;
        }
        let key = settings.key(KeyName::Journal).signer(&origin)?.verifier_key().clone();
        let verifier_key = key.to_string();
        let noted = log_keys::of_log(db, &log).await?;
        // Of another node's journal it is known only that the same file signed it from its beginning.
        if noted.iter().all(|noted| noted.verifier_key != verifier_key)
            && let (0, first_ms) = since(db, &log, &key, clock).await?
        {
            news.push(LogKey { log, verifier_key, first_size: 0, first_ms });
        }
    }
    if news.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for key in &news {
        log_keys::put(&mut tx, key).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The name of a key.
fn name_of(verifier_key: &str) -> Option<String> {
    Some(verifier_key.parse::<VerifierKey>().ok()?.name().to_owned())
}

/// How many entries a log had when the key was first ready to sign it, and when that was: none if it signed the first
/// checkpoint, all that there are if it did not.
async fn since(db: &Db, log: &str, key: &VerifierKey, clock: &Clock) -> Result<(u64, i64), StoreError> {
    Ok(match tiles::checkpoint_covering(db, log, 0).await? {
        None => (0, clock.now_ms()),
        Some(first) if Checkpoint::parse_and_verify(first.note.as_bytes(), key).is_ok() => (0, first.at_ms),
        Some(_) => {
            let size = heads::read_tree(db, log).await?.map_or(0, |head| head.size);
            (size, clock.now_ms())
        }
    })
}

/// Notes where keys of the act log and of this node's journal ended that are noted no end of: nothing was signed since by one
/// that the act log had ended, or it would have been noted then.
pub(in crate::registry) async fn note_ends(
    db: &Db,
    node: &str,
    now: &[(String, u64, i64)],
) -> Result<(), StoreError> {
    let journal = checks_log(node);
    let mut news = Vec::new();
    for log in [ACTS, journal.as_str()] {
        let ends = log_keys::ends(db, log).await?;
        let size = heads::read_tree(db, log).await?.map_or(0, |head| head.size);
        for key in log_keys::of_log(db, log).await? {
            let Some((_, at, at_ms)) = now.iter().find(|(old, ..)| *old == key.verifier_key) else {
                continue;
            };
            if ends.iter().any(|end| end.verifier_key == key.verifier_key) {
                continue;
            }
            let last_size = if log == ACTS { *at } else { size };
            let (log, verifier_key) = (log.to_owned(), key.verifier_key);
            news.push(KeyEnd { log, verifier_key, last_size, last_ms: *at_ms });
        }
    }
    if news.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    for end in &news {
        log_keys::put_end(&mut tx, end).await?;
    }
    tx.commit().await
}

/// What a key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It will sign alone, and signs beside the one of today wherever it is ready.
    Next,
    /// It signs.
    Current,
    /// It gave way to another, and signs nothing any more.
    Retired,
}

/// The key with which a log began under this name.
pub(in crate::registry) fn first_named(keys: &[LogKey], origin: &str) -> Option<String> {
    let is_named =
        |key: &&LogKey| key.verifier_key.strip_prefix(origin).is_some_and(|rest| rest.starts_with('+'));
    keys.iter().find(is_named).map(|key| key.verifier_key.clone())
}

/// What a key of a log is doing that is called `origin`, and that began under this name with the key `first`.
pub(super) fn state_of(
    now: AsOf<'_>,
    is_acts: bool,
    key: &LogKey,
    origin: &str,
    first: Option<&str>,
) -> KeyState {
    let of = if is_acts { SigningKeyUse::ActLog } else { SigningKeyUse::Journal };
    let public = key.verifier_key.parse::<VerifierKey>().ok();
    let is_earlier = public.as_ref().is_some_and(|public| public.name() != origin);
    let is_first = first == Some(key.verifier_key.as_str());
    let ended = is_earlier
        || now.end_of_key(&key.verifier_key).is_some()
        || public.is_some_and(|public| end_of(now, of, public.public_bytes()).is_some());
    if ended {
        KeyState::Retired
    } else if is_first || now.beginning_of_key(&key.verifier_key).is_some() {
        KeyState::Current
    } else {
        KeyState::Next
    }
}
