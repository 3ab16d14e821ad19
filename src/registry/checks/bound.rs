//! What a receipt binds of one item: what was asked and what was answered, as the developer was told.
//!
//! It is the item's JSON on the wire, byte for byte, and it is canonical (RFC 8785), so that a client that kept only the
//! values can make the same bytes again. With the salt of the journal entry,
//! `SHA-256(salt ‖ bytes)` of each item, in order, are the digests under `items_root`; see
//! [`ItemTree`](crate::log::proof::ItemTree).
//!
//! The bytes are written by hand, in one pass: members stand in the order of their names, no number is above 2^53, and
//! `serde_json` escapes strings as RFC 8785 asks. A test holds them against a canonicalizer.

use std::sync::LazyLock;

use serde::Serialize;

use super::{ItemAnswer, UseAnswer};
use crate::domain::act::Condition;
use crate::domain::decision::{Note, NoteCode, Reason, ReasonCode, Verdict};
use crate::domain::key::{Key, SubjectKey};

/// The bytes of one item.
pub fn json(answer: &ItemAnswer) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write(answer, &mut out);
    out
}

/// Adds the bytes of one item to what is there.
pub fn write(answer: &ItemAnswer, out: &mut Vec<u8>) {
    put(out, "{");
    if let Some(error) = &answer.error {
        put(out, "\"error\":");
        text(out, error);
        put(out, ",");
    }
    put(out, "\"keys\":");
    list(out, &answer.keys, key);
    put(out, ",\"matched\":");
    list(out, &answer.matched, |out, work| quoted(out, |out| work.write(out)));
    if let Some(model) = answer.model {
        put(out, ",\"model\":");
        quoted(out, |out| model.write(out));
    }
    put(out, ",\"notes\":");
    list(out, &answer.notes, note);
    if let Some(reference) = &answer.reference {
        put(out, ",\"reference\":");
        text(out, reference);
    }
    if let Some(territory) = answer.territory {
        put(out, ",\"territory\":");
        any(out, &territory);
    }
    put(out, ",\"uses\":");
    list(out, &answer.uses, use_answer);
    put(out, ",\"verdict\":");
    put(out, verdict(answer.verdict));
    put(out, if answer.with_parts { ",\"with_parts\":true}" } else { ",\"with_parts\":false}" });
}

fn use_answer(out: &mut Vec<u8>, answer: &UseAnswer) {
    put(out, "{");
    if !answer.conditions.is_empty() {
        put(out, "\"conditions\":");
        list(out, &answer.conditions, |out, condition: &Condition| any(out, condition));
        put(out, ",");
    }
    put(out, "\"reasons\":");
    list(out, &answer.reasons, reason);
    if !answer.rests_on.is_empty() {
        put(out, ",\"rests_on\":");
        entries(out, &answer.rests_on);
    }
    if !answer.terms.is_empty() {
        put(out, ",\"terms\":");
        list(out, &answer.terms, |out, digest| quoted(out, |out| digest.write(out)));
    }
    put(out, ",\"use\":\"");
    put(out, answer.r#use.code());
    put(out, "\",\"verdict\":");
    put(out, verdict(answer.verdict));
    put(out, "}");
}

fn reason(out: &mut Vec<u8>, reason: &Reason) {
    put(out, "{");
    if !reason.ask.is_empty() {
        put(out, "\"ask\":");
        list(out, &reason.ask, |out, org| quoted(out, |out| org.write(out)));
        put(out, ",");
    }
    if let Some(because) = reason.because {
        put(out, "\"because\":");
        code(out, &REASON_CODES, because as usize);
        put(out, ",");
    }
    put(out, "\"code\":");
    code(out, &REASON_CODES, reason.code as usize);
    if !reason.entries.is_empty() {
        put(out, ",\"entries\":");
        entries(out, &reason.entries);
    }
    if let Some(work) = reason.work {
        put(out, ",\"work\":");
        quoted(out, |out| work.write(out));
    }
    put(out, "}");
}

fn note(out: &mut Vec<u8>, note: &Note) {
    put(out, "{\"code\":");
    code(out, &NOTE_CODES, note.code as usize);
    put(out, ",\"entries\":");
    entries(out, &note.entries);
    if let Some(work) = note.work {
        put(out, ",\"work\":");
        quoted(out, |out| work.write(out));
    }
    put(out, "}");
}

/// A key, members in order: `{"type":"url","value":…}`, `{"id":…,"type":"work"}` and so on.
fn key(out: &mut Vec<u8>, key: &SubjectKey) {
    match key {
        SubjectKey::Work(key) => {
            put(out, "{\"id\":");
            quoted(out, |out| key.id.write(out));
            put(out, ",\"type\":\"work\"}");
        }
        SubjectKey::Key(Key::Url { value }) => {
            put(out, "{\"type\":\"url\",\"value\":");
            text(out, value);
            put(out, "}");
        }
        SubjectKey::Key(Key::UrlPrefix { value }) => {
            put(out, "{\"type\":\"url_prefix\",\"value\":");
            text(out, value);
            put(out, "}");
        }
        SubjectKey::Key(Key::Sha256 { value }) => {
            put(out, "{\"type\":\"sha256\",\"value\":");
            quoted(out, |out| value.write(out));
            put(out, "}");
        }
        SubjectKey::Key(Key::Id { scheme, value }) => {
            put(out, "{\"scheme\":");
            text(out, scheme);
            put(out, ",\"type\":\"id\",\"value\":");
            text(out, value);
            put(out, "}");
        }
        SubjectKey::Key(Key::Iscc { header, body }) => {
            put(out, "{\"body\":");
            text(out, body);
            put(out, ",\"header\":");
            text(out, header);
            put(out, ",\"type\":\"iscc\"}");
        }
    }
}

/// The codes as JSON, by their number.
static REASON_CODES: LazyLock<Vec<String>> = LazyLock::new(|| codes(ReasonCode::ALL));
static NOTE_CODES: LazyLock<Vec<String>> = LazyLock::new(|| codes(NoteCode::ALL));

fn codes(all: &[impl Serialize]) -> Vec<String> {
    all.iter().map(|code| serde_json::to_string(code).unwrap_or_default()).collect()
}

fn code(out: &mut Vec<u8>, codes: &[String], number: usize) {
    put(out, codes.get(number).map_or("null", String::as_str));
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Permitted => "\"permitted\"",
        Verdict::NotPermitted => "\"not_permitted\"",
    }
}

fn put(out: &mut Vec<u8>, json: &str) {
    out.extend_from_slice(json.as_bytes());
}

/// What needs no escape, in quotes.
fn quoted(out: &mut Vec<u8>, write: impl Fn(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        any(out, text);
    } else {
        quoted(out, |out| put(out, text));
    }
}

fn entries(out: &mut Vec<u8>, entries: &[u64]) {
    list(out, entries, |out, entry: &u64| any(out, entry));
}

fn any(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Nothing here has a form that JSON lacks, and a `Vec` takes every byte.
    let _ = serde_json::to_writer(out, value);
}

fn list<T>(out: &mut Vec<u8>, members: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, member) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, member);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ModelId, OrgId, WorkId};
    use crate::domain::key::Sha256;
    use crate::domain::uses::Use;
    use crate::log::canonical::to_canonical;
    use bytes::Bytes;
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
            json: Bytes::new(),
        };
        assert_canonical(&answer);
        // What may be left out is left out.
        let bare = ItemAnswer {
            reference: None,
            keys: Vec::new(),
            model: None,
            territory: None,
            with_parts: false,
            verdict: Verdict::Permitted,
            matched: vec![work, work],
            uses: vec![UseAnswer {
                r#use: Use::Search,
                verdict: Verdict::Permitted,
                reasons: Vec::new(),
                conditions: Vec::new(),
                terms: Vec::new(),
                rests_on: Vec::new(),
            }],
            notes: vec![Note { code: NoteCode::ClaimNoted, work: None, entries: Vec::new() }],
            error: None,
            ..answer
        };
        assert_canonical(&bare);
        assert_canonical(&ItemAnswer { uses: Vec::new(), notes: Vec::new(), ..bare });
    }

    #[test]
    fn every_code_is_written_as_serde_writes_it() {
        for code in ReasonCode::ALL {
            assert_eq!(REASON_CODES[*code as usize], serde_json::to_string(code).unwrap());
        }
        for code in NoteCode::ALL {
            assert_eq!(NOTE_CODES[*code as usize], serde_json::to_string(code).unwrap());
        }
        for each in [Verdict::Permitted, Verdict::NotPermitted] {
            assert_eq!(verdict(each), serde_json::to_string(&each).unwrap());
        }
    }

    fn assert_canonical(answer: &ItemAnswer) {
        let bytes = json(answer);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(String::from_utf8(bytes), String::from_utf8(to_canonical(&value).unwrap()));
    }
}
