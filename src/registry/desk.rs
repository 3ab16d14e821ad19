//! The auditor's desk: the act log, looked through by what an entry is about, whom it names, its type and its time.
//!
//! Each look is on the trail of what concerns security, as all that an auditor reads.

use super::authority::Auditor;
use super::explanations::size_at;
use super::failure::Failure;
use super::node::Registry;
use crate::domain::entry::Entry;
use crate::domain::ids::{OrgId, WorkId};
use crate::store::StoreError;
use crate::store::catalogue::log::about;
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::ACTS;

/// How many entries are gone through for one page where nothing but their type is asked for.
const SCAN: u64 = 5_000;
/// How many of them are read at once.
const STEP: u64 = 500;

/// What is looked for. What is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// About this work.
    pub work: Option<WorkId>,
    /// Naming this organization: as who acts, for whom, or as a party.
    pub party: Option<OrgId>,
    /// Of this type.
    pub kind: Option<String>,
    /// Recorded at this moment or later.
    pub since_ms: Option<i64>,
    /// Recorded before this moment.
    pub until_ms: Option<i64>,
}

/// An entry, and what it says.
#[derive(Clone, Debug)]
pub struct Read {
    /// As it is stored.
    pub stored: StoredEntry,
    /// What it says.
    pub entry: Entry,
    /// The works that it is about.
    pub works: Vec<WorkId>,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The entries, in order.
    pub found: Vec<Read>,
    /// Where the next page begins; none on the last.
    pub next: Option<u64>,
}

/// The entries of the act log from this one on that are looked for. A page may be empty and not the last.
pub async fn look(
    registry: &Registry,
    _by: &Auditor,
    filter: &Filter,
    from: u64,
    most: usize,
) -> Result<Looked, Failure> {
    let size = registry.tree().await?.size;
    let until = match filter.until_ms {
        Some(until_ms) => size_at(registry, size, until_ms.saturating_sub(1)).await?,
        None => size,
    };
    let since = match filter.since_ms {
        Some(since_ms) => size_at(registry, size, since_ms.saturating_sub(1)).await?,
        None => 0,
    };
    let range = from.max(since).min(until)..until;
    let (stored, next) = match subjects(filter) {
        Some(subjects) => {
            let kind = filter.kind.as_deref().unwrap_or_default();
            let rows = u32::try_from(most + 1).unwrap_or(u32::MAX);
            let mut found =
                about(registry.db(), subjects.each_ref().map(String::as_str), kind, range, rows).await?;
            let next = found.get(most).map(|stored| stored.index);
            found.truncate(most);
            (found, next)
        }
        None => scan(registry, filter, range, most).await?,
    };
    let found = read(registry, stored).await?;
    Ok(Looked { found, next })
}

/// What the entries must be about: the first narrows the look, the second may be empty.
fn subjects(filter: &Filter) -> Option<[String; 2]> {
    let party = filter.party.map(|org| org.to_string());
    match (filter.work, party) {
        (Some(work), party) => Some([work.to_string(), party.unwrap_or_default()]),
        (None, Some(party)) => Some([party, String::new()]),
        (None, None) => None,
    }
}

/// Goes through all entries of a range.
async fn scan(
    registry: &Registry,
    filter: &Filter,
    range: std::ops::Range<u64>,
    most: usize,
) -> Result<(Vec<StoredEntry>, Option<u64>), Failure> {
    let (mut found, mut at) = (Vec::new(), range.start);
    let end = range.end.min(range.start.saturating_add(SCAN));
    while at < end {
        let page = entries::read(registry.db(), ACTS, at..end.min(at + STEP)).await?;
        for stored in page {
            at = stored.index + 1;
            let is_of_kind = match &filter.kind {
                Some(kind) => parse(&stored)?.act.code() == kind,
                None => true,
            };
            if is_of_kind && found.len() == most {
                return Ok((found, Some(stored.index)));
            }
            if is_of_kind {
                found.push(stored);
            }
        }
    }
    Ok((found, (end < range.end).then_some(end)))
}

fn parse(stored: &StoredEntry) -> Result<Entry, Failure> {
    serde_json::from_slice(&stored.bytes)
        .map_err(|error| StoreError::Corrupt(format!("entry {} can't be read: {error}", stored.index)).into())
}

async fn read(registry: &Registry, stored: Vec<StoredEntry>) -> Result<Vec<Read>, Failure> {
    let parsed = stored.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let read = registry.read(|now| {
        let told = stored.into_iter().zip(parsed);
        told.map(|(stored, entry)| Read { works: now.index.works_of(&entry.act), stored, entry }).collect()
    });
    Ok(read.await?)
}
