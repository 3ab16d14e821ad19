//! The auditor's desk: the act log, looked through by what an entry is about, whom it names, its type and its time.
//!
//! Each look is on the trail of what concerns security, as all that an auditor reads.

use std::fmt::Display;
use std::ops::Range;

use super::explanations::size_at;
use super::failure::Failure;
use super::inquiries::{Inquiry, Sight};
use super::node::Registry;
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::domain::ids::{OrgId, WorkId};
use crate::domain::scope::Scope;
use crate::store::StoreError;
use crate::store::catalogue::log::{Sought, about};
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

/// The entries of the act log from this one on that are looked for, as far as they are seen. A page may be empty and not the last.
pub async fn look(
    registry: &Registry,
    sight: &Sight,
    filter: &Filter,
    from: u64,
    most: usize,
) -> Result<Looked, Failure> {
    let size = registry.tree().await?.size;
    look_below(registry, sight, filter, from..size, most).await
}

/// As [`look`], in this part of the log.
pub(super) async fn look_below(
    registry: &Registry,
    sight: &Sight,
    filter: &Filter,
    range: Range<u64>,
    most: usize,
) -> Result<Looked, Failure> {
    let extent = sight.inquiry().map(Inquiry::extent);
    let works = narrowed(filter.work, extent.map(|extent| &extent.works));
    let parties = narrowed(filter.party, extent.map(|extent| &extent.parties));
    let range = within(registry, sight.narrowed(filter.since_ms, filter.until_ms), range).await?;
    let (kind, hides_inquiries) = (filter.kind.as_deref(), sight.inquiry().is_some());
    let (first, others) = match (works, parties) {
        (None, None) => {
            let is_wanted = |entry: &Entry| {
                kind.is_none_or(|kind| entry.act.code() == kind)
                    && !(hides_inquiries && entry.act.is_of_inquiry())
            };
            let (stored, next) = scan(registry, is_wanted, range, most).await?;
            return Ok(Looked { found: read(registry, stored).await?, next });
        }
        (Some(works), parties) => (works, parties),
        (None, Some(parties)) => (parties, None),
    };
    let rows = u32::try_from(most + 1).unwrap_or(u32::MAX);
    let sought = Sought { first: &first, others: others.as_deref(), kind, hides_inquiries };
    let mut stored = about(registry.db(), sought, range, rows).await?;
    let next = stored.get(most).map(|stored| stored.index);
    stored.truncate(most);
    let mut found = read(registry, stored).await?;
    // Nothing is taken off here, unless the tables are not what the log says.
    found.retain(|read| sight.shows_entry(&read.entry, &read.works));
    Ok(Looked { found, next })
}

/// The part of a range of the log that was recorded within this time.
pub(super) async fn within(
    registry: &Registry,
    (since_ms, until_ms): (Option<i64>, Option<i64>),
    range: Range<u64>,
) -> Result<Range<u64>, Failure> {
    let until = match until_ms {
        Some(until_ms) => size_at(registry, range.end, until_ms.saturating_sub(1)).await?,
        None => range.end,
    };
    let since = match since_ms {
        Some(since_ms) => size_at(registry, range.end, since_ms.saturating_sub(1)).await?,
        None => 0,
    };
    Ok(range.start.max(since).min(until)..until)
}

/// What is looked for of what is laid open: none where that is any, and nothing where they have nothing in common.
pub(super) fn narrowed<T: Ord + Display>(asked: Option<T>, open: Option<&Scope<T>>) -> Option<Vec<String>> {
    match (asked, open) {
        (None, None | Some(Scope::Any)) => None,
        (None, Some(Scope::Only(open))) => Some(open.iter().map(T::to_string).collect()),
        (Some(asked), open) => {
            let is_open = open.is_none_or(|open| open.covers(Some(&asked)));
            Some(if is_open { vec![asked.to_string()] } else { Vec::new() })
        }
    }
}

/// Goes through all entries of a range.
async fn scan(
    registry: &Registry,
    is_wanted: impl Fn(&Entry) -> bool,
    range: Range<u64>,
    most: usize,
) -> Result<(Vec<StoredEntry>, Option<u64>), Failure> {
    let (mut found, mut at) = (Vec::new(), range.start);
    let end = range.end.min(range.start.saturating_add(SCAN));
    while at < end {
        let page = entries::read(registry.db(), ACTS, at..end.min(at + STEP)).await?;
        for stored in page {
            at = stored.index + 1;
            let is_wanted = is_wanted(&parse(&stored)?);
            if is_wanted && found.len() == most {
                return Ok((found, Some(stored.index)));
            }
            if is_wanted {
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

pub(super) async fn read(registry: &Registry, stored: Vec<StoredEntry>) -> Result<Vec<Read>, Failure> {
    let mut told = Vec::with_capacity(stored.len());
    for stored in stored {
        let entry = parse(&stored)?;
        // An erasure is about what the erased entry is about.
        let erased = match &entry.act {
            Act::PayloadErased(act) => {
                entries::read(registry.db(), ACTS, act.entry..act.entry + 1).await?.pop()
            }
            _ => None,
        };
        told.push((stored, entry, erased.as_ref().map(parse).transpose()?));
    }
    let read = registry.read(|now| {
        let works =
            |entry: &Entry, erased: Option<Entry>| now.index.works_of(&erased.as_ref().unwrap_or(entry).act);
        told.into_iter()
            .map(|(stored, entry, erased)| Read { works: works(&entry, erased), stored, entry })
            .collect()
    });
    Ok(read.await?)
}
