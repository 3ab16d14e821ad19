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

use crate::domain::act::Condition;
use crate::domain::decision::{Decision, Note, NoteCode, Outcome, Reason, ReasonCode, UseDecision, Verdict};
use crate::domain::escapes::plain_length;
use crate::domain::key::{Key, Sha256, SubjectKey};
use crate::domain::question::Question;

/// Adds the bytes of one item to what is there: its question with the decision, as its viewer may see it, unless the item
/// could not be read.
pub(super) fn write(
    reference: Option<&str>,
    answered: Option<(&Question, &Decision)>,
    error: Option<&str>,
    out: &mut Vec<u8>,
) {
    let (question, decision) = answered.unzip();
    match error {
        None => put(out, "{\"keys\":"),
        Some(error) => {
            put(out, "{\"error\":");
            text(out, error);
            put(out, ",\"keys\":");
        }
    }
    list(out, question.map_or(&[], |question| question.subject.as_slice()), key);
    put(out, ",\"matched\":");
    let matched = decision.map_or(&[][..], |decision| decision.matched.as_slice());
    list(out, matched, |out, work| quoted(out, |out| work.write(out)));
    if let Some(model) = question.and_then(|question| question.model) {
        put(out, ",\"model\":");
        quoted(out, |out| model.write(out));
    }
    put(out, ",\"notes\":");
    list(out, decision.map_or(&[], |decision| decision.notes.as_slice()), note);
    if let Some(reference) = reference {
        put(out, ",\"reference\":");
        text(out, reference);
    }
    if let Some(territory) = question.and_then(|question| question.territory) {
        put(out, ",\"territory\":");
        quoted(out, |out| put(out, territory.code()));
    }
    put(out, ",\"uses\":");
    list(out, decision.map_or(&[], |decision| decision.uses.as_slice()), of_use);
    put(out, ",\"verdict\":");
    put(out, verdict(decision.map_or(Verdict::NotPermitted, Decision::verdict)));
    let with_parts = question.is_some_and(|question| question.with_parts);
    put(out, if with_parts { ",\"with_parts\":true}" } else { ",\"with_parts\":false}" });
}

fn of_use(out: &mut Vec<u8>, answer: &UseDecision) {
    match &answer.outcome {
        Outcome::Permitted(proof) => permitted(out, &proof.conditions(), &proof.entries(), &proof.terms()),
        Outcome::NotPermitted(reasons) => {
            put(out, "{\"reasons\":");
            list(out, reasons.as_slice(), reason);
        }
    }
    put(out, ",\"use\":\"");
    put(out, answer.r#use.code());
    put(out, "\",\"verdict\":");
    put(out, verdict(answer.verdict()));
    put(out, "}");
}

/// What the developer must keep to, and what the permission rests on: at least one grant.
fn permitted(out: &mut Vec<u8>, conditions: &[Condition], rests_on: &[u64], terms: &[Sha256]) {
    put(out, "{");
    if !conditions.is_empty() {
        put(out, "\"conditions\":");
        list(out, conditions, any);
        put(out, ",");
    }
    put(out, "\"reasons\":[],\"rests_on\":");
    entries(out, rests_on);
    if !terms.is_empty() {
        put(out, ",\"terms\":");
        list(out, terms, |out, digest| quoted(out, |out| digest.write(out)));
    }
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
    if plain_length(text.as_bytes()) == text.len() {
        quoted(out, |out| put(out, text));
    } else {
        any(out, text);
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
    use crate::domain::decision::NonEmpty;
    use crate::domain::ids::{ModelId, OrgId, WorkId};
    use crate::domain::uses::Use;
    use crate::log::canonical::to_canonical;
    use crate::registry::checks::Why;
    use smallvec::smallvec;
    use uuid::Uuid;

    fn question() -> Question {
        Question {
            developer: OrgId::new(Uuid::from_u128(2)),
            model: Some(ModelId::new(Uuid::from_u128(1))),
            uses: smallvec![Use::TrainGenerative],
            territory: Some("JP".parse().unwrap()),
            subject: smallvec![
                SubjectKey::work(WorkId::new(Uuid::from_u128(7))),
                SubjectKey::Key(Key::url("https://a.example/あ?q=\"").unwrap()),
                SubjectKey::Key(Key::sha256(Sha256::of(b"x"))),
                SubjectKey::Key(Key::identifier("isan", "0000-1").unwrap()),
                SubjectKey::Key(Key::iscc("0010", "0011223344556677").unwrap()),
                SubjectKey::Key(Key::url_prefix("https://a.example/b").unwrap()),
            ],
            with_parts: true,
        }
    }

    fn decision() -> Decision {
        let work = WorkId::new(Uuid::from_u128(7));
        let reason = Reason {
            code: ReasonCode::LayerNotPermitted,
            because: Some(ReasonCode::Denied),
            work: Some(work),
            ask: smallvec![OrgId::new(Uuid::from_u128(9))],
            entries: smallvec![3, 9_007_199_254_740_991],
        };
        let reasons = vec![reason, Reason::of(ReasonCode::DeveloperUnverified)];
        let outcome = Outcome::NotPermitted(NonEmpty::new(reasons).unwrap());
        Decision {
            rule_version: 1,
            log_size: 9,
            moment_ms: 4,
            matched: smallvec![work],
            unreadable: None,
            uses: smallvec![UseDecision { r#use: Use::TrainGenerative, outcome }],
            notes: vec![
                Note { code: NoteCode::OptOutRecorded, work: Some(work), entries: vec![4] },
                Note { code: NoteCode::ClaimNoted, work: None, entries: Vec::new() },
            ],
            valid_until_ms: 5,
        }
    }

    #[test]
    fn the_bytes_of_an_item_are_canonical_json() {
        let (question, decision) = (question(), decision());
        let reference = "a\"\\/\u{1}\u{8}\t\u{7f}\u{2028}許諾👩‍🚀é";
        assert_canonical(|out| write(Some(reference), Some((&question, &decision)), Some("an `error`"), out));
        // What may be left out is left out.
        let bare =
            Question { model: None, territory: None, subject: smallvec![], with_parts: false, ..question };
        let nothing = Decision { uses: smallvec![], notes: Vec::new(), ..decision };
        assert_canonical(|out| write(None, Some((&bare, &nothing)), None, out));
        assert_canonical(|out| write(None, None, Some("not read"), out));
    }

    #[test]
    fn the_bytes_of_a_permitted_use_are_canonical_json() {
        for (conditions, terms) in [(vec![], vec![]), (vec![Condition::Credit], vec![Sha256::of(b"t")])] {
            assert_canonical(|out| {
                permitted(out, &conditions, &[1, 2], &terms);
                put(out, "}");
            });
        }
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

    #[test]
    fn why_an_item_is_not_permitted_is_read_back_from_its_bytes() {
        let (question, mut decision) = (question(), decision());
        for code in ReasonCode::ALL {
            let short = Reason::of(*code);
            let long = Reason {
                because: Some(*code),
                work: Some(WorkId::new(Uuid::from_u128(7))),
                ask: smallvec![OrgId::new(Uuid::from_u128(9))],
                entries: smallvec![3, 4],
                ..short.clone()
            };
            for reason in [short, long] {
                let outcome = Outcome::NotPermitted(NonEmpty::new(vec![reason.clone()]).unwrap());
                decision.uses = smallvec![UseDecision { r#use: Use::TrainGenerative, outcome }];
                let mut bytes = Vec::new();
                write(Some("mine"), Some((&question, &decision)), None, &mut bytes);
                let why: Why = serde_json::from_slice(&bytes).unwrap();
                assert_eq!((why.first(), why.error.as_deref()), (Some(&reason), None));
            }
        }
        let mut bytes = Vec::new();
        write(None, None, Some("a \"fault\""), &mut bytes);
        let why: Why = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((why.first(), why.error.as_deref()), (None, Some("a \"fault\"")));
    }

    fn assert_canonical(write: impl Fn(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut bytes);
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(String::from_utf8(bytes), String::from_utf8(to_canonical(&value).unwrap()));
    }
}
