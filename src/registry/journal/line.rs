//! The bytes of an entry of the journal, written in one pass: its members stand in the order of their names already.
//!
//! A test holds them against the canonical form. Nothing in an entry counts as far as 2^53.

use serde::Serialize;

use super::{ContextRecord, JournalEntry};
use crate::domain::entry::Salt;
use crate::domain::ids::{CheckId, ModelId, OrgId};
use crate::domain::key::Sha256;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::store::StoreError;

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
pub(super) fn write(entry: &JournalEntry) -> Result<Vec<u8>, StoreError> {
    let written = match entry {
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
            rule_version: *rule_version,
            salt,
            r#type: "check",
            v: *v,
        }),
        JournalEntry::Matched { v, check, chunk, works } => {
            let (check, chunk, v) = (*check, *chunk, *v);
            serde_json::to_vec(&MatchedLine { check, chunk, r#type: "matched", v, works })
        }
    };
    written.map_err(|error| StoreError::Program(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::canonical::to_canonical;
    use uuid::Uuid;

    #[test]
    fn the_bytes_of_an_entry_are_canonical_json() {
        let check = CheckId::new(Uuid::from_u128(3));
        let of = |model, territory, asked_by| JournalEntry::Check {
            v: 1,
            check,
            at_ms: 1_750_000_000_000,
            asked_by,
            developer: OrgId::new(Uuid::from_u128(2)),
            context: ContextRecord {
                uses: vec![Use::Search, Use::Derive],
                model,
                territory,
                with_parts: true,
            },
            items: 10_000,
            items_root: Sha256::of(b"items"),
            permitted: 7,
            log_size: 4_000_000_000,
            log_root: Sha256::of(b"log"),
            rule_version: 1,
            chunks: 5,
            salt: Salt([9; 16]),
        };
        let model = ModelId::new(Uuid::from_u128(1));
        let matched = JournalEntry::Matched { v: 1, check, chunk: 4, works: "AAEC+/8=".to_owned() };
        let contractor = OrgId::new(Uuid::from_u128(4));
        let full = of(Some(model), Some("JP".parse().unwrap()), Some(contractor));
        for entry in [of(None, None, None), full, matched] {
            assert_eq!(
                String::from_utf8(write(&entry).unwrap()),
                String::from_utf8(to_canonical(&entry).unwrap())
            );
        }
    }
}
