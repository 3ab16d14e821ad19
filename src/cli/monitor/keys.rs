//! Which keys of the log have ended: as the server tells of them, and as the acts say, where they may be read.

use super::eye::{Bundle, Eye, NoLook};
use super::memory::Memory;
use super::{Alarm, Look};
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::log::checkpoint::{Checkpoint, VerifierKey, verify_by_any};
use crate::log::merkle::leaf_hash;
use crate::log::proof::verify_inclusion;
use crate::log::tile::{TILE_WIDTH, decode_bundle};
use crate::registry::offline::ToldLog;

/// The most bundles of entries that one look reads.
const MOST_BUNDLES: u64 = 400;

/// Learns which of the keys have ended, holds what is told of that against what was told before and against the acts, and says
/// whether the newest checkpoint is signed by one that has not.
pub(super) async fn examine(
    eye: &Eye,
    memory: &mut Memory,
    look: &Look<'_>,
) -> Result<Option<Alarm>, NoLook> {
    let told = eye.told().await?;
    if let Some((told, text)) = &told
        && let Some(what) = learn(memory, look, told)?
    {
        let kept = memory.keep_evidence(text)?;
        let what = format!("key: {what}; what is told of the log is kept in `{}`", kept.display());
        return Ok(Some(Alarm::fatal(what)));
    }
    if eye.is_acts() && eye.has_key() {
        if let Some(alarm) = bear_out(eye, memory, look).await? {
            return Ok(Some(alarm));
        }
        // The last thing for which the key is used: the server may ask it to wait.
        if let Some(alarm) = follow(eye, memory, look).await? {
            return Ok(Some(alarm));
        }
    }
    let size = look.newest.size;
    let has_ended = |key: &VerifierKey| memory.end_of(&key.to_string()).is_some_and(|end| size > end);
    let standing: Vec<VerifierKey> = look.keys.iter().filter(|key| !has_ended(key)).cloned().collect();
    if verify_by_any(look.note.as_bytes(), &standing).is_ok() {
        // Whoever hides the list hides what it would be held to.
        let nothing = || NoLook::NoAnswer("the server tells nothing of the log".to_owned());
        return told.map(|_| None).ok_or_else(nothing);
    }
    let ended: Vec<String> = look.keys.iter().filter(|key| has_ended(key)).map(ToString::to_string).collect();
    let what = format!(
        "retired_key: the checkpoint of {size} entries is signed by none but `{}`, which gave way before",
        ended.join("`, `")
    );
    Ok(Some(Alarm::fatal(what)))
}

/// Where a key ended, as it is told.
fn told_end(told: &ToldLog, key: &VerifierKey) -> Option<u64> {
    let text = key.to_string();
    let last = told.keys.iter().find(|it| it.verifier_key == text).and_then(|it| it.last_size);
    let earlier = told.continues.iter().find(|earlier| earlier.origin == key.name());
    [last, earlier.map(|earlier| earlier.size)].into_iter().flatten().min()
}

/// Notes which keys are told to have ended; gives what is told otherwise than before.
fn learn(memory: &mut Memory, look: &Look<'_>, told: &ToldLog) -> Result<Option<String>, NoLook> {
    for key in look.keys {
        let text = key.to_string();
        match (memory.end_of(&text), told_end(told, key)) {
            (None, Some(end)) => memory.set_end(&text, end)?,
            (Some(known), Some(end)) if known != end => {
                return Ok(Some(format!(
                    "`{key}` gave way at {known} entries, and is now told to have done so at {end}"
                )));
            }
            (Some(known), None) => {
                return Ok(Some(format!(
                    "`{key}` gave way at {known} entries, and is not told to have done so any more"
                )));
            }
            _ => {}
        }
    }
    Ok(None)
}

/// Reads the entries that are new, where the key may, for acts that end a key.
async fn follow(eye: &Eye, memory: &mut Memory, look: &Look<'_>) -> Result<Option<Alarm>, NoLook> {
    let (size, width) = (look.newest.size, u64::from(TILE_WIDTH));
    // What ended before the first look is told, and borne out by its act.
    let mut at = memory.acts_read().unwrap_or(size);
    memory.set_acts_read(at)?;
    for read in 0..MOST_BUNDLES {
        if at >= size {
            break;
        }
        let index = at / width;
        let due = u16::try_from(size - index * width).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
        let bytes = match eye.bundle(index, due).await? {
            Bundle::Told(bytes) => bytes,
            Bundle::Refused => break,
            // The next look goes on from here. Who tells nothing at all does not answer.
            Bundle::Later(_) if read > 0 => break,
            Bundle::Later(status) => return Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        };
        let entries = decode_bundle(&bytes).ok().filter(|entries| entries.len() == usize::from(due));
        let entries =
            entries.ok_or_else(|| NoLook::NoAnswer("a bundle of entries can't be read".to_owned()))?;
        for (place, entry) in (index * width..).zip(entries).filter(|(place, _)| *place >= at) {
            let Some(end) = ended_by(entry, look.keys) else { continue };
            if !is_in_log(eye, look.newest, place, entry).await? {
                return Ok(Some(super::of_entry(place)));
            }
            for key in end {
                // An earlier act ended it. That it is told to have ended earlier, and did not, is found where its act is looked for.
                if memory.end_of(&key).is_none_or(|end| place <= end) {
                    memory.bear_out(&key, place)?;
                }
            }
        }
        at = index * width + u64::from(due);
        memory.set_acts_read(at)?;
    }
    Ok(None)
}

/// Holds ends that were told against the acts that they must rest on, where those may be read.
async fn bear_out(eye: &Eye, memory: &mut Memory, look: &Look<'_>) -> Result<Option<Alarm>, NoLook> {
    for (key, at) in memory.unproved() {
        // The act is the entry at that place; it may be beyond what is looked at now. A key that is named no more is not believed.
        if at >= look.newest.size || look.keys.iter().all(|named| named.to_string() != key) {
            continue;
        }
        let Some(text) = eye.entry(at).await? else {
            // Whoever may read the first entry may read this one.
            if eye.entry(0).await?.is_none() {
                return Ok(None);
            }
            let what =
                format!("key: `{key}` is told to have given way at {at} entries, and no entry there is told");
            return Ok(Some(Alarm::fatal(what)));
        };
        if !is_in_log(eye, look.newest, at, text.as_bytes()).await? {
            return Ok(Some(super::of_entry(at)));
        }
        if !ended_by(text.as_bytes(), look.keys).is_some_and(|ended| ended.contains(&key)) {
            let what = format!(
                "key: `{key}` is told to have given way at {at} entries, and the entry there is no act that says so"
            );
            return Ok(Some(Alarm::fatal(what)));
        }
        memory.bear_out(&key, at)?;
    }
    Ok(None)
}

async fn is_in_log(eye: &Eye, newest: &Checkpoint, index: u64, entry: &[u8]) -> Result<bool, NoLook> {
    let proof = eye.inclusion(index, newest.size).await?;
    Ok(verify_inclusion(newest.head(), index, leaf_hash(entry), &proof).is_ok())
}

/// Those of the keys that this entry ends; none where it is no such act.
fn ended_by(entry: &[u8], keys: &[VerifierKey]) -> Option<Vec<String>> {
    match serde_json::from_slice::<Entry>(entry).ok()?.act {
        Act::KeyRotated(act) => Some(vec![act.old]),
        Act::LogContinued(act) => {
            let earlier = keys.iter().filter(|key| key.name() == act.from);
            Some(earlier.map(ToString::to_string).collect())
        }
        _ => None,
    }
}
