//! Rows that belong to nothing, and rows that say twice what must be the same.

use super::stored::{Stored, name};
use super::{FsckError, Pace};
use crate::domain::entry::Entry;
use crate::log::checkpoint::claimed;
use crate::log::merkle::HASH_BYTES;
use crate::log::tile::TileId;
use crate::registry::offline::{Finding, Findings, Kind};
use crate::store::entries::StoredEntry;
use crate::store::heads::ACTS;
use crate::store::{Db, entries, extent, tiles};

/// How many checkpoints are read at once.
const PAGE: u32 = 500;
/// The levels that a tree can have.
const LEVELS: u8 = 7;

/// Examines what no reader of the logs looks at.
pub(super) async fn examine(
    db: &Db,
    stored: &Stored<'_>,
    pace: &Pace,
    findings: &mut Findings,
) -> Result<(), FsckError> {
    for (table, log) in extent::named(db).await? {
        // One that was begun since the logs were pinned has a head by now.
        if !stored.has(&log) && extent::reach(db, &log).await?.is_none() {
            let what = format!("there are rows of `{log}`, and there is no such log");
            findings.push(Finding::new(stray_in(table), what).in_table(table));
        }
    }
    for log in stored.logs() {
        for finding in beyond(db, log).await?.into_iter().chain(edges(db, log).await?) {
            findings.push(finding.in_log(&name(log)));
        }
        let signed = signed(db, log, stored.size(log), pace).await?;
        for finding in signed.into_iter().chain(newest_time(db, stored, log).await?) {
            findings.push(finding.in_log(&name(log)));
        }
    }
    Ok(())
}

/// The table of checks can be written anew.
fn stray_in(table: &str) -> Kind {
    if table == "checks" { Kind::Derived } else { Kind::Stray }
}

/// Rows after the last entry.
async fn beyond(db: &Db, log: &str) -> Result<Vec<Finding>, FsckError> {
    let Some(reach) = extent::reach(db, log).await? else { return Ok(Vec::new()) };
    let size = reach.size;
    let last = [
        ("entries", reach.entry),
        ("checks", reach.check),
        ("payloads", reach.payload),
        ("checkpoints", reach.checkpoint.and_then(|signed| signed.checked_sub(1))),
    ];
    let beyond =
        last.into_iter().filter_map(|(table, last)| Some((table, last.filter(|last| *last >= size)?)));
    Ok(beyond
        .map(|(table, last)| {
            let what = format!("there is a row of it, and the log has {size} entries");
            Finding::new(stray_in(table), what).in_table(table).of_entry(last)
        })
        .collect())
}

/// The right edge of the tree: no tile after it, and no hash.
async fn edges(db: &Db, log: &str) -> Result<Vec<Finding>, FsckError> {
    let mut findings = Vec::new();
    for level in 0..=LEVELS {
        let Some(edge) = extent::edge(db, log, level).await? else { continue };
        let id = TileId { level, index: edge.index };
        let due = u64::from(id.width_at(edge.size)) * HASH_BYTES as u64;
        if edge.bytes > due {
            let (index, bytes) = (edge.index, edge.bytes);
            let what = format!("tile {index} of level {level} has {bytes} bytes, and {due} belong there");
            findings.push(Finding::new(Kind::Stray, what).in_table("tiles"));
        }
    }
    Ok(findings)
}

/// What was appended at once is of one moment: the last entries, the head and its checkpoint. Nothing where the time that is noted is that
/// of the entry, and it is the row of the entry that says another.
fn signed_time(what: &str, log: &str, noted_ms: i64, last: &StoredEntry) -> Option<Finding> {
    let own: Option<Entry> = if log == ACTS { serde_json::from_slice(&last.bytes).ok() } else { None };
    let last_ms = own.map_or(last.at_ms, |own| own.at_ms);
    let (size, is_other) = (last.index.saturating_add(1), noted_ms != last_ms);
    is_other.then(|| {
        let what = format!("{what} of size {size} is of {noted_ms} ms, and its last entry of {last_ms} ms");
        Finding::new(Kind::SignedTime, what)
    })
}

/// The head is of the time of the last entry.
async fn newest_time(db: &Db, stored: &Stored<'_>, log: &str) -> Result<Option<Finding>, FsckError> {
    let (size, noted_ms) = (stored.size(log), stored.at_ms(log).unwrap_or_default());
    let Some(last) = size.checked_sub(1) else { return Ok(None) };
    let last = entries::present(db, log, last..size).await?.pop();
    let finding = last.and_then(|last| signed_time("the head", log, noted_ms, &last));
    Ok(finding.map(|finding| finding.in_table("logs")))
}

/// The newest checkpoint is kept, and each has its root a second time, in a column of its own; and is of the time of the last
/// entry that it covers.
async fn signed(db: &Db, log: &str, size: u64, pace: &Pace) -> Result<Vec<Finding>, FsckError> {
    let (mut findings, mut before) = (Vec::new(), size.saturating_add(1));
    if size > 0 && tiles::checkpoint_at(db, log, size).await?.is_none() {
        let what = format!("the checkpoint of size {size} is not kept");
        findings.push(Finding::new(Kind::Absent, what).in_table("checkpoints"));
    }
    loop {
        let page = tiles::checkpoints(db, log, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(findings) };
        before = last.tree.size;
        pace.rest().await;
        let newest = page.first().map_or(before, |newest| newest.tree.size);
        for (size, noted_ms) in tiles::of_other_time(db, log, before..=newest).await? {
            let last = entries::present(db, log, size.saturating_sub(1)..size).await?.pop();
            let finding = last.and_then(|last| signed_time("the checkpoint", log, noted_ms, &last));
            findings.extend(finding.map(|finding| finding.in_table("checkpoints")));
        }
        for stored in &page {
            let signed = claimed(stored.note.as_bytes());
            if signed.is_ok_and(|signed| signed.head() != stored.tree) {
                let size = stored.tree.size;
                let what = format!(
                    "its row says another size or root of the checkpoint of size {size} than is signed"
                );
                findings.push(Finding::new(Kind::Root, what).in_table("checkpoints"));
            }
        }
    }
}

/// The rows of a journal follow each other in time.
pub(super) fn times(page: &[StoredEntry], last_ms: &mut i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for stored in page {
        if stored.at_ms < *last_ms {
            let what = format!("its row is of {} ms, and the one before it of {last_ms} ms", stored.at_ms);
            findings.push(Finding::new(Kind::RowTime, what).of_entry(stored.index).in_table("entries"));
        }
        *last_ms = stored.at_ms;
    }
    findings
}
