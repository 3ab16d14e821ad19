//! What was asked about works in a check, and answered: all of it for who sees the check whole, and for a holder its own works.

use super::{Found, find};
use crate::domain::ids::{CheckId, OrgId, WorkId};
use crate::domain::inquiry::Extent;
use crate::domain::journal::{CHUNK, JournalEntry, MatchedWork, matched_works};
use crate::log::receipt::CheckRecord;
use crate::log::receipt::signed::Row;
use crate::registry::authority::{Proof, Verified};
use crate::registry::failure::Failure;
use crate::registry::inquiries::Sight;
use crate::registry::node::Registry;

/// The most entries with matched works that are gone through for one page.
const CHUNKS_A_PAGE: u64 = 8;
/// The most works in one statement.
const MAX_STATED: usize = 5_000;

/// A part of what a check matched.
#[derive(Clone, Debug)]
pub struct PageOf<T> {
    /// The check.
    pub record: CheckRecord,
    /// The works, in the order of their ids.
    pub works: Vec<T>,
    /// Where the next page begins: the number of a work among all that the check matched. None on the last.
    pub next: Option<u64>,
}

/// The matched works of a check from the one of this number on, as far as the caller may see them. A page of a holder may be
/// empty and not the last.
///
/// # Errors
/// [`Failure::NotFound`] where there is no such check, and for a holder of none of its works.
pub async fn works(
    registry: &Registry,
    by: &Verified,
    sight: &Sight,
    check: CheckId,
    from: u64,
    most: usize,
) -> Result<PageOf<Row>, Failure> {
    let found = find(registry, by, sight, check).await?;
    let reader = Reader { found: &found };
    let own = (!found.sees_whole).then(|| by.actor().org());
    let held = match own {
        Some(org) => reader.held(org).await?,
        None => Held::All,
    };
    if held == Held::None {
        return Err(Failure::NotFound);
    }
    let (works, next) = reader.page(own, from, most).await?;
    let row = |it: MatchedWork| held.row(it);
    Ok(PageOf { works: works.into_iter().map(row).collect(), next, record: found.record })
}

/// All of the caller's own works in a check.
///
/// # Errors
/// [`Failure::NotFound`] where there are none; [`Failure::Conflict`] for more than one statement holds.
pub(super) async fn all_own(by: &Verified, found: &Found<'_>) -> Result<Vec<Row>, Failure> {
    let reader = Reader { found };
    let held = reader.held(by.actor().org()).await?;
    let mut rows = Vec::new();
    for chunk in 0..u64::from(found.record.chunks) {
        let own = reader.own(by.actor().org(), reader.chunk(chunk).await?).await?;
        rows.extend(own.into_iter().map(|(_, it)| held.row(it)));
        if rows.len() > MAX_STATED {
            let why =
                format!("this check asked about more than {MAX_STATED} of your works: read them as pages");
            return Err(Failure::Conflict(why));
        }
    }
    if rows.is_empty() { Err(Failure::NotFound) } else { Ok(rows) }
}

/// Whether an inquiry lays a check open: it was asked within its time, by or for one of its parties, and matched one of its works. A
/// check is one record, and is laid open as a whole.
pub(super) async fn is_laid_open(found: &Found<'_>, extent: &Extent) -> Result<bool, Failure> {
    let CheckRecord { at_ms, developer, asked_by, .. } = found.record;
    if !extent.holds_asked(at_ms, developer, asked_by) {
        return Ok(false);
    }
    if extent.is_about_any() {
        return Ok(true);
    }
    matched(found, |work| extent.is_about(&[work])).await
}

/// Whether a check matched a work like this.
pub(super) async fn matched(found: &Found<'_>, is_one: impl Fn(WorkId) -> bool) -> Result<bool, Failure> {
    let reader = Reader { found };
    for chunk in 0..u64::from(found.record.chunks) {
        if reader.chunk(chunk).await?.into_iter().any(|(_, row)| is_one(row.work)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the entries with matched works that follow a check in its journal.
pub(super) struct Reader<'a> {
    pub(super) found: &'a Found<'a>,
}

/// How much of what a check matched somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    None,
    Some,
    All,
}

impl Held {
    /// A work as it is told. An item may have matched works of others too, and whether those are licensed is their secret: its
    /// verdict is told to who holds all that the check matched.
    fn row(self, it: MatchedWork) -> Row {
        Row { work: it.work, uses: it.uses, permitted: (self == Self::All).then_some(it.permitted) }
    }
}

impl Reader<'_> {
    /// The works of one entry, each with its number among all.
    pub(super) async fn chunk(&self, chunk: u64) -> Result<Vec<(u64, MatchedWork)>, Failure> {
        let Found { log, stored, record, .. } = self.found;
        let at = stored.index + 1 + chunk;
        let stored = log.entry(at).await?;
        let entry = serde_json::from_slice(&stored.bytes).map_err(|error| log.corrupt(&error))?;
        let works = match entry {
            JournalEntry::Matched { check, chunk: of, works, .. }
                if check == record.check && u64::from(of) == chunk =>
            {
                matched_works(&works)
            }
            _ => None,
        };
        let works = works.ok_or_else(|| log.corrupt(&format_args!("entry {at} is not what was written")))?;
        Ok((chunk * CHUNK as u64..).zip(works).collect())
    }

    /// Those of these that the organization holds, confirmed, as of now.
    async fn own(
        &self,
        org: OrgId,
        rows: Vec<(u64, MatchedWork)>,
    ) -> Result<Vec<(u64, MatchedWork)>, Failure> {
        let own = self.found.log.registry.read(|now| {
            let Some(org) = now.org(org) else { return Vec::new() };
            let holds = |work: WorkId| {
                let work = now.work(work).map(|work| now.canonical(work));
                work.is_some_and(|work| now.is_confirmed_holder(org, work))
            };
            rows.into_iter().filter(|(_, row)| holds(row.work)).collect()
        });
        Ok(own.await?)
    }

    async fn held(&self, org: OrgId) -> Result<Held, Failure> {
        let (mut all, mut own) = (0, 0);
        for chunk in 0..u64::from(self.found.record.chunks) {
            let rows = self.chunk(chunk).await?;
            all += rows.len();
            own += self.own(org, rows).await?.len();
        }
        Ok(match own {
            0 => Held::None,
            own if own == all => Held::All,
            _ => Held::Some,
        })
    }

    /// Up to `most` works from the one of this number on, and where the next page begins.
    pub(super) async fn page(
        &self,
        own: Option<OrgId>,
        from: u64,
        most: usize,
    ) -> Result<(Vec<MatchedWork>, Option<u64>), Failure> {
        let (first, end) = (from / CHUNK as u64, u64::from(self.found.record.chunks));
        let last = end.min(first.saturating_add(CHUNKS_A_PAGE));
        let mut found = Vec::new();
        for chunk in first..last {
            let rows = self.chunk(chunk).await?;
            let rows = match own {
                Some(org) => self.own(org, rows).await?,
                None => rows,
            };
            for (number, row) in rows.into_iter().filter(|(number, _)| *number >= from) {
                if found.len() == most {
                    return Ok((found, Some(number)));
                }
                found.push(row);
            }
        }
        Ok((found, (last < end).then_some(last * CHUNK as u64)))
    }
}
