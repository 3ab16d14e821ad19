//! The bytes of an entry of the journal, written in one pass: its members stand in the order of their names already.
//!
//! `tests/checks/form.rs` holds them against a canonicalizer. Nothing in an entry counts as far as 2^53.

use serde::Serialize;

use super::{ContextRecord, JournalEntry};
use crate::domain::entry::Salt;
use crate::domain::escapes::plain_length;
use crate::domain::ids::{CheckId, ModelId, OrgId};
use crate::domain::key::Sha256;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;

#[derive(Serialize)]
struct ContextLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<ModelId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    territory: Option<Territory>,
    uses: &'a [Use],
    with_parts: bool,
}

#[derive(Serialize)]
struct CheckLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<OrgId>,
    at_ms: i64,
    check: CheckId,
    chunks: u32,
    context: ContextLine<'a>,
    developer: OrgId,
    items: u64,
    items_root: Sha256,
    log_root: Sha256,
    log_size: u64,
    permitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    recheck_by_ms: Option<i64>,
    rule_version: u32,
    salt: &'a Salt,
    r#type: &'static str,
    v: u8,
}

/// The line of matched works. Their text is long, and of base64: it is searched for what JSON escapes, and then copied.
fn matched(check: CheckId, chunk: u32, v: u8, works: &str) -> Result<Vec<u8>, serde_json::Error> {
    let head = format!(r#"{{"check":"{check}","chunk":{chunk},"type":"matched","v":{v},"works":"#);
    if plain_length(works.as_bytes()) == works.len() {
        return Ok([head.as_bytes(), b"\"", works.as_bytes(), b"\"}"].concat());
    }
    Ok([head.as_bytes(), &serde_json::to_vec(works)?, b"}"].concat())
}

/// The canonical bytes (RFC 8785) of an entry.
pub(super) fn write(entry: &JournalEntry) -> Result<Vec<u8>, serde_json::Error> {
    match entry {
        JournalEntry::Check {
            v,
            check,
            at_ms,
            asked_by,
            developer,
            context: ContextRecord { uses, model, territory, with_parts },
            items,
            items_root,
            permitted,
            log_size,
            log_root,
            rule_version,
            recheck_by_ms,
            chunks,
            salt,
        } => serde_json::to_vec(&CheckLine {
            asked_by: *asked_by,
            at_ms: *at_ms,
            check: *check,
            chunks: *chunks,
            context: ContextLine { model: *model, territory: *territory, uses, with_parts: *with_parts },
            developer: *developer,
            items: *items,
            items_root: *items_root,
            log_root: *log_root,
            log_size: *log_size,
            permitted: *permitted,
            recheck_by_ms: *recheck_by_ms,
            rule_version: *rule_version,
            salt,
            r#type: "check",
            v: *v,
        }),
        JournalEntry::Matched { v, check, chunk, works } => matched(*check, *chunk, *v, works),
    }
}
