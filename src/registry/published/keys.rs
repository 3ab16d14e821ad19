//! The public keys of the logs, noted when a node opens.

use crate::clock::Clock;
use crate::log::checkpoint::{Checkpoint, VerifierKey};
use crate::registry::keys::KeyName;
use crate::registry::node::{OpenError, Settings};
use crate::store::heads::{ACTS, checks_log};
use crate::store::log_keys::{self, LogKey};
use crate::store::{Db, StoreError, heads, tiles};

/// How many logs are looked at: every one that there can be, one for each name that a node ever had.
const MOST: u32 = 10_000;

/// Notes the keys with which this node signs, and those of logs in the database that the same files sign, where they are
/// not noted yet.
pub(in crate::registry) async fn note_keys(
    db: &Db,
    settings: &Settings,
    own: [&VerifierKey; 2],
    clock: &Clock,
) -> Result<(), OpenError> {
    let journal = checks_log(&settings.node);
    let [acts_key, journal_key] = own;
    let mut logs = vec![(ACTS.to_owned(), acts_key.clone()), (journal.clone(), journal_key.clone())];
    for (log, origin) in heads::page(db, "", MOST).await? {
        if log != ACTS && log != journal {
            let key = settings.key(KeyName::Journal).signer(&origin)?;
            logs.push((log, key.verifier_key().clone()));
        }
    }
    let mut news = Vec::new();
    for (log, key) in logs {
        let verifier_key = key.to_string();
        let noted = log_keys::of_log(db, &log).await?;
        if noted.iter().any(|noted| noted.verifier_key == verifier_key) {
            continue;
        }
        let is_own = log == ACTS || log == journal;
        let (first_size, first_ms) = since(db, &log, &key, clock).await?;
        // Of another node's journal it is known only that the same file signed it from its beginning.
        if is_own || first_size == 0 {
            news.push(LogKey { log, verifier_key, first_size, first_ms });
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
