//! What a check is answered on the wire.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;

use crate::domain::decision::{Note, NoteCode, Reason, ReasonCode};
use crate::domain::explain::{self, Lang};
use crate::domain::ids::{CheckId, OrgId};
use crate::http::language::Language;
use crate::http::problem::Problem;
use crate::http::reply::Reply;
use crate::registry::answer::moment;
use crate::registry::checks::{Checked, Codes};

/// Everything that is said once for all items.
#[derive(Debug, Serialize)]
pub(in crate::http) struct Head<'a> {
    check: CheckId,
    developer: OrgId,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<OrgId>,
    at: String,
    log_size: u64,
    log_root: String,
    rule_version: u32,
    valid_until: Option<String>,
    recheck_by: String,
    journal: Journal<'a>,
    items_root: String,
    permitted: u64,
    not_permitted: u64,
    words: Vec<Words>,
}

#[derive(Debug, Serialize)]
struct Journal<'a> {
    origin: &'a str,
    entry: u64,
}

/// A code that stands in one of the answers, in words.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::http) struct Words {
    code: AnyCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<ReasonCode>,
    text: String,
}

/// Reasons and notes share no code.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum AnyCode {
    Reason(ReasonCode),
    Note(NoteCode),
}

impl<'a> Head<'a> {
    /// What is said of a check.
    pub(in crate::http) fn of(checked: &'a Checked, language: Language) -> Self {
        Self {
            check: checked.check,
            developer: checked.developer,
            asked_by: checked.asked_by,
            at: moment(checked.moment_ms),
            log_size: checked.log.size,
            log_root: BASE64.encode(checked.log.root.as_bytes()),
            rule_version: checked.rule_version,
            valid_until: (checked.valid_until_ms != i64::MAX).then(|| moment(checked.valid_until_ms)),
            recheck_by: moment(checked.recheck_by_ms),
            journal: Journal { origin: &checked.journal.0, entry: checked.journal.1 },
            items_root: BASE64.encode(checked.items_root.as_bytes()),
            permitted: checked.permitted,
            not_permitted: checked.items.len() as u64 - checked.permitted,
            words: in_words(&checked.codes, language.0),
        }
    }
}

/// Codes in words.
pub(in crate::http) fn in_words(codes: &Codes, lang: Lang) -> Vec<Words> {
    let of_reason = |&(code, because): &(ReasonCode, Option<ReasonCode>)| {
        let reason = Reason { because, ..Reason::of(code) };
        Words { code: AnyCode::Reason(code), because, text: explain::words(&reason, lang, &explain::Ids) }
    };
    let of_note = |&code: &NoteCode| {
        let note = Note { code, work: None, entries: Vec::new() };
        Words {
            code: AnyCode::Note(code),
            because: None,
            text: explain::note_words(&note, lang, &explain::Ids),
        }
    };
    codes.reasons.iter().map(of_reason).chain(codes.notes.iter().map(of_note)).collect()
}

/// About how many bytes a head takes.
const HEAD_BYTES: usize = 2_048;

/// The answer to one JSON request. The items' bytes go out as the receipt binds them.
pub(super) fn reply(checked: &Checked, language: Language) -> Result<Reply, Problem> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    serde_json::to_writer(&mut head, &Head::of(checked, language))
        .map_err(|error| Problem::internal(&error))?;
    head.pop();
    head.extend_from_slice(b",\"items\":[");
    let (name, value) = language.header();
    let parts = [head.into(), checked.json.clone(), Bytes::from_static(b"]}")];
    Ok(Reply::of_json_parts(parts).header(name, value))
}
