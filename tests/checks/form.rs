//! The entries of the journal as bytes.

use kyodaku::domain::entry::Salt;
use kyodaku::domain::ids::{CheckId, ModelId, OrgId};
use kyodaku::domain::journal::{ContextRecord, JournalEntry};
use kyodaku::domain::key::Sha256;
use kyodaku::domain::uses::Use;
use kyodaku::log::canonical::to_canonical;
use uuid::Uuid;

#[test]
fn the_bytes_of_an_entry_are_canonical_json() {
    let check = CheckId::new(Uuid::from_u128(3));
    let of = |model, territory, asked_by, recheck_by_ms| JournalEntry::Check {
        v: 2,
        check,
        at_ms: 1_750_000_000_000,
        asked_by,
        developer: OrgId::new(Uuid::from_u128(2)),
        context: ContextRecord { uses: vec![Use::Search, Use::Derive], model, territory, with_parts: true },
        items: 10_000,
        items_root: Sha256::of(b"items"),
        permitted: 7,
        log_size: 4_000_000_000,
        log_root: Sha256::of(b"log"),
        rule_version: 1,
        recheck_by_ms,
        chunks: 5,
        salt: Salt([9; 16]),
    };
    let model = ModelId::new(Uuid::from_u128(1));
    let matched = JournalEntry::Matched { v: 2, check, chunk: 4, works: "AAEC+/8=".to_owned() };
    let contractor = OrgId::new(Uuid::from_u128(4));
    let full = of(Some(model), Some("JP".parse().unwrap()), Some(contractor), Some(1_750_000_900_000));
    for entry in [of(None, None, None, None), full, matched] {
        assert_eq!(
            String::from_utf8(entry.to_bytes().unwrap()),
            String::from_utf8(to_canonical(&entry).unwrap())
        );
    }
}

#[test]
fn an_entry_of_the_first_version_is_read_as_it_was_written() {
    let (check, org) = (CheckId::new(Uuid::from_u128(3)), OrgId::new(Uuid::from_u128(2)));
    let (root, salt) = ("ab".repeat(32), "09".repeat(16));
    let written = format!(
        r#"{{"at_ms":1750000000000,"check":"{check}","chunks":0,"context":{{"uses":["search"],"with_parts":false}},"developer":"{org}","items":1,"items_root":"{root}","log_root":"{root}","log_size":2,"permitted":0,"rule_version":1,"salt":"{salt}","type":"check","v":1}}"#
    );
    let entry: JournalEntry = serde_json::from_str(&written).unwrap();
    let JournalEntry::Check { v, recheck_by_ms, .. } = &entry else { panic!("{entry:?}") };
    assert_eq!((*v, *recheck_by_ms), (1, None));
    assert_eq!(String::from_utf8(entry.to_bytes().unwrap()).unwrap(), written);
}
