//! Erasing what people read of an entry: its payload, and every copy of it that is kept here.
//!
//! It is an act, recorded in the same transaction. The entry keeps the digest, which says nothing without its salt: proofs, receipts and
//! replays hold as before. Why it was erased is not asked: the reason would be the next thing to erase.

use std::time::Duration;

use super::answer::moment;
use super::proposals;
use super::sequencer::Submission;
use crate::domain::act::{Act, PayloadErased};
use crate::domain::admit::{Refusal, code};
use crate::domain::entry::Entry;
use crate::store::heads::ACTS;
use crate::store::payloads::Payload;
use crate::store::{Db, StoreError, Tx, entries, idempotency, payloads};

/// The code of a refusal: nothing was kept with the entry.
pub(super) const NO_PAYLOAD: &str = "no_payload";

/// How long to wait before the write-ahead log is emptied, again and again while somebody reads from it: as long as whoever erases
/// is kept waiting, which nobody else is.
const TRIES: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// The same, once they were told that it is erased.
const LATER_TRIES: [Duration; 5] = [
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
];

fn erasures(submission: &Submission) -> impl Iterator<Item = (usize, &PayloadErased)> {
    submission.acts.iter().enumerate().filter_map(|(place, (act, _))| match act {
        Act::PayloadErased(act) => Some((place, act)),
        _ => None,
    })
}

/// Whether anything of it erases something.
pub(super) fn erases(submission: &Submission) -> bool {
    erasures(submission).next().is_some()
}

/// Why nothing can be erased there, where the log has `size` entries; what it rests on can't change until the transaction ends.
pub(super) async fn refusal(
    tx: &mut Tx,
    submission: &Submission,
    size: u64,
) -> Result<Option<Refusal>, StoreError> {
    for (place, PayloadErased { entry }) in erasures(submission) {
        let is_first = erasures(submission).all(|(other, act)| other >= place || act.entry != *entry);
        let found = if *entry < size { payloads::find_in(tx, *entry).await? } else { None };
        let (code, detail) = match found {
            _ if *entry >= size => (code::UNKNOWN, format!("there is no entry {entry}: the log has {size}")),
            _ if !is_first => (code::DUPLICATE, format!("entry {entry} stands here twice")),
            Some(Payload::Kept { .. }) => continue,
            Some(Payload::Erased { at_ms }) => {
                let at = moment(at_ms);
                (
                    code::ALREADY,
                    format!("what was kept with entry {entry} was erased at {at}: nothing is left of it"),
                )
            }
            None => {
                (NO_PAYLOAD, format!("nothing was ever kept with entry {entry}: there is nothing to erase"))
            }
        };
        let refusal = Refusal { code, pointer: "/entry".to_owned(), ..Refusal::of_command(detail) };
        return Ok(Some(refusal.in_act(place)));
    }
    Ok(None)
}

/// Erases what an entry of the log says is erased, and gives the entry with which it was kept.
pub(super) async fn carry_out(tx: &mut Tx, by: &Entry) -> Result<Option<Entry>, StoreError> {
    let Act::PayloadErased(PayloadErased { entry: at }) = by.act else { return Ok(None) };
    if !payloads::erase(tx, at, by.at_ms).await? {
        return Err(StoreError::Conflict(format!("what was kept with entry {at} was erased meanwhile")));
    }
    let stored = entries::find_in(tx, ACTS, at).await?;
    let stored = stored.ok_or_else(|| StoreError::Corrupt(format!("entry {at} is missing")))?;
    let erased: Entry = serde_json::from_slice(&stored.bytes)
        .map_err(|error| StoreError::Corrupt(format!("entry {at} can't be read: {error}")))?;
    // The requests that brought it were kept by their digests, which have no salt.
    let org = erased.party.to_string();
    let mut moments = proposals::forget(tx, &org, erased.at_ms, at).await?;
    moments.push(erased.at_ms);
    for at_ms in moments {
        idempotency::forget_requests(tx, &org, at_ms).await?;
    }
    Ok(Some(erased))
}

/// Sees to it that what was erased is left in no file of the database. False where somebody read from it all the time.
async fn is_emptied(db: &Db, tries: &[Duration]) -> bool {
    for wait in tries {
        tokio::time::sleep(*wait).await;
        match db.empty_wal().await {
            Ok(true) => return true,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(target: "kyodaku::erasure", %error, "the write-ahead log can't be emptied");
            }
        }
    }
    false
}

/// Empties the write-ahead log once when a node opens: a process that was killed may have left in it what was erased since.
pub(super) async fn empty_wal_at_start(db: &Db) {
    match db.empty_wal().await {
        Ok(true) => {}
        // Another process reads from it.
        Ok(false) => drop(tokio::spawn(empty_wal_later(db.clone()))),
        Err(error) => {
            tracing::warn!(target: "kyodaku::erasure", %error, "the write-ahead log can't be emptied");
        }
    }
}

/// Empties the write-ahead log before it returns, or, where somebody reads from it for longer than one may be kept waiting, as
/// soon as nobody does. Writers wait a tenth of a second at most, each time.
pub(super) async fn empty_wal(db: Db) {
    if !is_emptied(&db, &TRIES).await {
        tokio::spawn(empty_wal_later(db));
    }
}

async fn empty_wal_later(db: Db) {
    if !is_emptied(&db, &LATER_TRIES).await {
        let why =
            "something reads from the database all the time: what was erased may stand in its `-wal` file";
        tracing::warn!(target: "kyodaku::erasure", why, "the write-ahead log was not emptied");
    }
}
