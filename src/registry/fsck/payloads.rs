//! What people read, beside what was digested of it; and what was erased, beside the acts that say so.

use std::collections::{BTreeMap, HashMap};

use super::Scope;
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::log::digest::salted;
use crate::log::merkle::Hash;
use crate::registry::offline::{Finding, Findings, Kind};
use crate::store::entries::StoredEntry;
use crate::store::heads::ACTS;
use crate::store::payloads::Payload;

/// What was read so far.
pub(super) struct Payloads {
    /// Whether nobody else looks at the times of the entries.
    is_alone: bool,
    /// When each of those was erased that are.
    erased: BTreeMap<u64, i64>,
    /// The last time of an entry.
    last_ms: Option<i64>,
    /// What acts erased: by which of them, and when.
    by_act: BTreeMap<u64, (u64, i64)>,
}

impl Payloads {
    /// One that has read nothing.
    pub(super) fn beside(scope: Scope) -> Self {
        let is_alone = scope == Scope::Hashes;
        Self { is_alone, erased: BTreeMap::new(), last_ms: None, by_act: BTreeMap::new() }
    }

    /// Reads a part of the act log with its payloads.
    pub(super) fn page(&mut self, page: &[StoredEntry], rows: &[(u64, Payload)], findings: &mut Findings) {
        let mut rows: HashMap<u64, &Payload> = rows.iter().map(|(at, payload)| (*at, payload)).collect();
        for stored in page {
            let at = stored.index;
            let row = rows.remove(&at);
            // What can't be read is named by who reads the log.
            let Ok(entry) = serde_json::from_slice::<Entry>(&stored.bytes) else { continue };
            let found =
                [self.time(stored, &entry), self.payload(at, entry.payload.map(|it| Hash(it.0)), row)];
            for finding in found.into_iter().flatten() {
                findings.push(finding.in_log(&ACTS).of_entry(at));
            }
            if let Act::PayloadErased(act) = &entry.act {
                self.by_act.entry(act.entry).or_insert((at, entry.at_ms));
            }
        }
        for at in rows.into_keys() {
            let what = "something is kept with it, and it is not there";
            findings.push(Finding::new(Kind::PayloadStray, what).in_log(&ACTS).of_entry(at));
        }
    }

    fn time(&mut self, stored: &StoredEntry, entry: &Entry) -> Option<Finding> {
        let before = self.last_ms.replace(entry.at_ms);
        if stored.at_ms != entry.at_ms {
            let what = format!("its row is of {} ms, and the entry of {} ms", stored.at_ms, entry.at_ms);
            return Some(Finding::new(Kind::RowTime, what).in_table("entries"));
        }
        let before = before.filter(|before| self.is_alone && entry.at_ms < *before)?;
        let what = format!("it is of {} ms, and the one before it of {before} ms", entry.at_ms);
        Some(Finding::new(Kind::BackDated, what))
    }

    fn payload(&mut self, at: u64, digest: Option<Hash>, row: Option<&Payload>) -> Option<Finding> {
        let (kind, what) = match (digest, row) {
            (None, None) => return None,
            (Some(_), Some(Payload::Erased { at_ms })) => {
                self.erased.insert(at, *at_ms);
                return None;
            }
            (Some(digest), Some(Payload::Kept { salt, body })) => {
                let salt: Option<[u8; 32]> = salt.as_slice().try_into().ok();
                if salt.map(|salt| salted(&salt, body.as_bytes())) == Some(digest) {
                    return None;
                }
                (Kind::PayloadAltered, "what is kept with it is not what was digested in it")
            }
            (Some(_), None) => {
                (Kind::PayloadAbsent, "what was kept with it is gone, and nothing says that it was erased")
            }
            (None, Some(_)) => {
                (Kind::PayloadStray, "something is kept with it, and it has no digest of anything")
            }
        };
        Some(Finding::new(kind, what).in_table("payloads"))
    }

    /// Holds what is erased against the acts, `later` ones too: those that were recorded while this was read.
    pub(super) fn end(mut self, later: &[StoredEntry], findings: &mut Findings) {
        let before: Vec<u64> = self.by_act.keys().copied().collect();
        for stored in later {
            if let Ok(Entry { act: Act::PayloadErased(act), at_ms, .. }) =
                serde_json::from_slice(&stored.bytes)
            {
                self.by_act.entry(act.entry).or_insert((stored.index, at_ms));
            }
        }
        for (at, erased_ms) in &self.erased {
            let what = match self.by_act.get(at) {
                None => "what was kept with it is erased, and no act says so".to_owned(),
                Some((_, at_ms)) if at_ms == erased_ms => continue,
                Some((by, at_ms)) => {
                    format!(
                        "what was kept with it is erased as of {erased_ms} ms, and entry {by} says so of {at_ms} ms"
                    )
                }
            };
            findings.push(
                Finding::new(Kind::PayloadAbsent, what).in_log(&ACTS).of_entry(*at).in_table("payloads"),
            );
        }
        for at in before.into_iter().filter(|at| !self.erased.contains_key(at)) {
            let Some((by, _)) = self.by_act.get(&at) else { continue };
            let what = format!("entry {by} says that what was kept with it is erased, and it is not");
            findings
                .push(Finding::new(Kind::NotErased, what).in_log(&ACTS).of_entry(at).in_table("payloads"));
        }
    }
}
