//! What a receipt binds of one item: what was asked and what was answered, as the developer was told.
//!
//! It is the item's JSON on the wire, byte for byte, and it is canonical (RFC 8785), so that a client that kept only the
//! values can make the same bytes again. With the salt of the journal entry,
//! `SHA-256(salt ‖ bytes)` of each item, in order, are the digests under `items_root`; see
//! [`ItemTree`](crate::log::proof::ItemTree).
//!
//! The bytes are written in one pass: members stand in the order of their names, no number is above 2^53, and
//! `serde_json` escapes strings as RFC 8785 asks. A test holds them against a canonicalizer.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{ItemAnswer, UseAnswer};
use crate::domain::act::Condition;
use crate::domain::decision::{Note, NoteCode, Reason, ReasonCode, Verdict};
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::key::{Key, Sha256, SubjectKey};
use crate::domain::territory::Territory;
use crate::domain::uses::Use;

/// The bytes of one item.
pub fn json(answer: &ItemAnswer) -> Vec<u8> {
    // Nothing here has a form that JSON lacks, and a `Vec` takes every byte.
    serde_json::to_vec(&Bound::of(answer)).unwrap_or_default()
}

#[derive(Serialize)]
struct Bound<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(serialize_with = "keys")]
    keys: &'a [SubjectKey],
    matched: &'a [WorkId],
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelId>,
    #[serde(serialize_with = "notes")]
    notes: &'a [Note],
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    territory: Option<Territory>,
    #[serde(serialize_with = "uses")]
    uses: &'a [UseAnswer],
    verdict: Verdict,
    with_parts: bool,
}

impl<'a> Bound<'a> {
    fn of(answer: &'a ItemAnswer) -> Self {
        Self {
            error: answer.error.as_deref(),
            keys: &answer.keys,
            matched: &answer.matched,
            model: answer.model,
            notes: &answer.notes,
            reference: answer.reference.as_deref(),
            territory: answer.territory,
            uses: &answer.uses,
            verdict: answer.verdict,
            with_parts: answer.with_parts,
        }
    }
}

/// The answer for one use, members in order.
#[derive(Serialize)]
struct BoundUse<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    conditions: &'a [Condition],
    #[serde(serialize_with = "reasons")]
    reasons: &'a [Reason],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    rests_on: &'a [u64],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    terms: &'a [Sha256],
    r#use: Use,
    verdict: Verdict,
}

/// One reason, members in order.
#[derive(Serialize)]
struct BoundReason<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ask: &'a [OrgId],
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<ReasonCode>,
    code: ReasonCode,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entries: &'a [u64],
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<WorkId>,
}

#[derive(Serialize)]
struct BoundNote<'a> {
    code: NoteCode,
    entries: &'a [u64],
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<WorkId>,
}

/// A key, members in order: `{"type":"url","value":…}`, `{"id":…,"type":"work"}` and so on.
#[derive(Clone, Copy, Debug)]
pub struct KeyForm<'a>(pub &'a SubjectKey);

impl Serialize for KeyForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut text = |name: &str, value: &str| map.serialize_entry(name, value);
        match self.0 {
            SubjectKey::Work(key) => {
                text("id", &key.id.to_string())?;
                text("type", "work")?;
            }
            SubjectKey::Key(Key::Url { value }) => {
                text("type", "url")?;
                text("value", value)?;
            }
            SubjectKey::Key(Key::UrlPrefix { value }) => {
                text("type", "url_prefix")?;
                text("value", value)?;
            }
            SubjectKey::Key(Key::Sha256 { value }) => {
                text("type", "sha256")?;
                text("value", &value.to_string())?;
            }
            SubjectKey::Key(Key::Id { scheme, value }) => {
                text("scheme", scheme)?;
                text("type", "id")?;
                text("value", value)?;
            }
            SubjectKey::Key(Key::Iscc { header, body }) => {
                text("body", body)?;
                text("header", header)?;
                text("type", "iscc")?;
            }
        }
        map.end()
    }
}

fn list<S: Serializer, T: Serialize>(
    serializer: S,
    members: impl ExactSizeIterator<Item = T>,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(members.len()))?;
    for member in members {
        list.serialize_element(&member)?;
    }
    list.end()
}

fn keys<S: Serializer>(keys: &&[SubjectKey], serializer: S) -> Result<S::Ok, S::Error> {
    list(serializer, keys.iter().map(KeyForm))
}

/// Reasons in the form in which receipts bind them.
pub fn reasons<S: Serializer>(reasons: &&[Reason], serializer: S) -> Result<S::Ok, S::Error> {
    let bound = reasons.iter().map(|reason| BoundReason {
        ask: &reason.ask,
        because: reason.because,
        code: reason.code,
        entries: &reason.entries,
        work: reason.work,
    });
    list(serializer, bound)
}

fn notes<S: Serializer>(notes: &&[Note], serializer: S) -> Result<S::Ok, S::Error> {
    let bound =
        notes.iter().map(|note| BoundNote { code: note.code, entries: &note.entries, work: note.work });
    list(serializer, bound)
}

fn uses<S: Serializer>(uses: &&[UseAnswer], serializer: S) -> Result<S::Ok, S::Error> {
    let bound = uses.iter().map(|answer| BoundUse {
        conditions: &answer.conditions,
        reasons: &answer.reasons,
        rests_on: &answer.rests_on,
        terms: &answer.terms,
        r#use: answer.r#use,
        verdict: answer.verdict,
    });
    list(serializer, bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::canonical::to_canonical;
    use uuid::Uuid;

    #[test]
    fn the_bytes_of_an_item_are_canonical_json() {
        let work = WorkId::new(Uuid::from_u128(7));
        let reason = Reason {
            code: ReasonCode::LayerNotPermitted,
            because: Some(ReasonCode::Denied),
            work: Some(work),
            ask: vec![OrgId::new(Uuid::from_u128(9))],
            entries: vec![3, 9_007_199_254_740_991],
        };
        let answer = ItemAnswer {
            reference: Some("a\"\\/\u{1}\u{8}\t\u{7f}\u{2028}許諾👩‍🚀é".to_owned()),
            keys: vec![
                SubjectKey::work(work),
                SubjectKey::Key(Key::url("https://a.example/あ?q=\"").unwrap()),
                SubjectKey::Key(Key::sha256(Sha256::of(b"x"))),
                SubjectKey::Key(Key::identifier("isan", "0000-1").unwrap()),
                SubjectKey::Key(Key::iscc("0010", "0011223344556677").unwrap()),
                SubjectKey::Key(Key::url_prefix("https://a.example/b").unwrap()),
            ],
            model: Some(ModelId::new(Uuid::from_u128(1))),
            territory: Some("JP".parse().unwrap()),
            with_parts: true,
            verdict: Verdict::NotPermitted,
            matched: vec![work],
            uses: vec![UseAnswer {
                r#use: Use::TrainGenerative,
                verdict: Verdict::NotPermitted,
                reasons: vec![reason],
                conditions: vec![Condition::Credit],
                terms: vec![Sha256::of(b"t")],
                rests_on: vec![1, 2],
            }],
            notes: vec![Note { code: NoteCode::OptOutRecorded, work: Some(work), entries: vec![4] }],
            error: Some("an `error`".to_owned()),
            valid_until_ms: 5,
            json: Box::default(),
        };
        let bytes = json(&answer);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(String::from_utf8(bytes), String::from_utf8(to_canonical(&value).unwrap()));
    }
}
