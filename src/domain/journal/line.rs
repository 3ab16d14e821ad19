//! The bytes of an entry of the journal, written in one pass: its members stand in the order of their names already.
//!
//! `tests/checks/form.rs` holds them against a canonicalizer. Nothing in an entry counts as far as 2^53.

use serde::Serialize;

use super::{ContextRecord, JournalEntry};
use crate::domain::entry::Salt;
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

#[derive(Serialize)]
struct MatchedLine<'a> {
    check: CheckId,
    chunk: u32,
    r#type: &'static str,
    v: u8,
    works: &'a str,
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
        JournalEntry::Matched { v, check, chunk, works } => {
            let (check, chunk, v) = (*check, *chunk, *v);
            serde_json::to_vec(&MatchedLine { check, chunk, r#type: "matched", v, works })
        }
    }
}
