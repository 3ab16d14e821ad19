//! What witnesses have cosigned of what is kept.

use super::eye::{Eye, NoLook};
use super::memory::Memory;
use super::{Alarm, Look, told_apart};
use crate::log::checkpoint::{Checkpoint, CheckpointError, claimed, verify_by_any};

/// By how many seconds the clock of a witness may be ahead.
const MAX_AHEAD_S: u64 = 3_600;

/// Verifies the cosignatures of the newest checkpoint and, where they are too few yet, of the newest one that is cosigned; and tells
/// what was kept so long ago that enough witnesses should have cosigned it by now.
pub(super) async fn examine(eye: &Eye, memory: &mut Memory, look: &Look<'_>) -> Result<Vec<Alarm>, NoLook> {
    if look.quorum.witnesses.is_empty() {
        memory.settle(look.quorum)?;
        return Ok(Vec::new());
    }
    if let Some(alarm) = take(memory, look, look.newest.size, look.note)? {
        return Ok(vec![alarm]);
    }
    if !memory.is_cosigned(look.newest.size, look.quorum)
        && let Some(note) = eye.cosigned().await?
        && let Some(alarm) = older(eye, memory, look, &note).await?
    {
        return Ok(vec![alarm]);
    }
    memory.settle(look.quorum)?;
    memory.wait(look.newest.size, look.quorum, look.now_ms)?;
    Ok(late(memory, look).into_iter().collect())
}

/// Takes up an older checkpoint with its cosignatures. It must be one of the same history.
async fn older(eye: &Eye, memory: &mut Memory, look: &Look<'_>, note: &str) -> Result<Option<Alarm>, NoLook> {
    // From before the log went on under another name, of which no key is named any more.
    let is_named = |older: Checkpoint| look.keys.iter().any(|key| key.name() == older.origin);
    if claimed(note.as_bytes()).is_ok_and(|older| !is_named(older)) {
        return Ok(None);
    }
    let older = match verify_by_any(note.as_bytes(), look.keys) {
        Ok(older) => older,
        Err(error) => {
            memory.keep_evidence(note)?;
            return Ok(Some(super::of_signature("the newest checkpoint that is cosigned", error)));
        }
    };
    // The log grew in between: the next look knows more.
    if older.size > look.newest.size {
        return Ok(None);
    }
    if let Some(why) = told_apart(eye, older.head(), look.newest.head()).await? {
        memory.keep_evidence(note)?;
        return Ok(Some(Alarm::fatal(format!(
            "fork: the checkpoint that is cosigned is of another log: {why}"
        ))));
    }
    take(memory, look, older.size, note)
}

/// Notes who cosigned this checkpoint, which is believed.
fn take(memory: &mut Memory, look: &Look<'_>, size: u64, note: &str) -> Result<Option<Alarm>, NoLook> {
    let lines = note.rsplit_once("\n\n").map_or("", |(_, lines)| lines);
    let now_s = u64::try_from(look.now_ms / 1_000).unwrap_or_default();
    let mut cosigned = Vec::new();
    for witness in &look.quorum.witnesses {
        let why = match witness.find(note.as_bytes(), lines) {
            Err(CheckpointError::Unsigned) => continue,
            Ok((_, at_s)) if at_s <= now_s.saturating_add(MAX_AHEAD_S) => {
                cosigned.push(witness.to_string());
                continue;
            }
            Ok((_, at_s)) => format!("it is of a time to come, {at_s} seconds since 1970"),
            Err(error) => error.to_string(),
        };
        let kept = memory.keep_evidence(note)?;
        let name = witness.name();
        let what = format!(
            "cosignature: that of `{name}` on the checkpoint of {size} entries: {why}; it is kept in `{}`",
            kept.display()
        );
        return Ok(Some(Alarm::fatal(what)));
    }
    memory.keep_cosigned(size, note, cosigned)?;
    Ok(None)
}

/// The oldest checkpoint that waits for witnesses, if it has waited too long.
fn late(memory: &Memory, look: &Look<'_>) -> Option<Alarm> {
    let (size, kept_ms) = memory.waiting()?;
    let waited_s = u64::try_from(look.now_ms.saturating_sub(kept_ms) / 1_000).unwrap_or_default();
    if look.witnessed_within_s.is_none_or(|most| waited_s < most) {
        return None;
    }
    let (found, needed) = (memory.cosigners_of(size, look.quorum), look.quorum.needed);
    Some(Alarm::note(format!(
        "unwitnessed: {found} of the witnesses have cosigned the {size} entries that were signed {waited_s} seconds ago, and {needed} should have"
    )))
}
