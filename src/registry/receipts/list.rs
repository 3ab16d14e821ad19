//! What was asked before: one's own checks, those that were asked for others, and for auditors everybody's.

use super::{Logs, works};
use crate::domain::ids::{CheckId, OrgId, WorkId};
use crate::registry::authority::{Proof, Verified};
use crate::registry::failure::Failure;
use crate::registry::inquiries::Sight;
use crate::registry::node::Registry;
use crate::store::checks::{self, StoredCheck, Whose};

/// How many checks are gone through for one page, and how many of them for the works that they matched.
const SCAN: usize = 2_000;
const OPENED: usize = 100;
/// How many are read at once.
const STEP: u32 = 200;
/// By how much the clock of a node that answered may have been behind the log, and its id behind the moment of its answer.
const SLACK_MS: i64 = 24 * 60 * 60 * 1_000;

/// Whose checks are to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Those whose questions were this developer's; of the caller's own where none is named.
    Developer(Option<OrgId>),
    /// Those that the caller asked for others.
    Contractor,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose.
    pub of: Of,
    /// That matched this work.
    pub work: Option<WorkId>,
    /// Answered at this moment or later.
    pub since_ms: Option<i64>,
    /// Answered before this moment.
    pub until_ms: Option<i64>,
}

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The checks, the latest first.
    pub found: Vec<StoredCheck>,
    /// After which check the next page begins; none on the last.
    pub next: Option<CheckId>,
}

/// A page of checks, the latest first, as far as they are seen. A page may be empty and not the last.
///
/// # Errors
/// [`Failure::NotFound`] for another's checks, to who may not see them.
pub async fn list(
    registry: &Registry,
    by: &Verified,
    sight: &Sight,
    wanted: &Wanted,
    before: Option<CheckId>,
    most: usize,
) -> Result<Listed, Failure> {
    let own = by.actor().org();
    let org = match (wanted.of, sight) {
        (Of::Contractor, _) | (Of::Developer(None), Sight::Own) => Some(own),
        (Of::Developer(Some(org)), Sight::Own) if org != own => return Err(Failure::NotFound),
        (Of::Developer(org), _) => org,
    };
    let org = org.map(|org| org.to_string());
    let whose = match (wanted.of, org.as_deref()) {
        (Of::Contractor, Some(own)) => Whose::AskedBy(own),
        (_, Some(org)) => Whose::Developer(org),
        (_, None) => Whose::Everybody,
    };
    let (since_ms, until_ms) = sight.narrowed(wanted.since_ms, wanted.until_ms);
    let look = Look { registry, sight, work: wanted.work, since_ms, until_ms };
    look.page(whose, look.start(before), most).await
}

struct Look<'a> {
    registry: &'a Registry,
    sight: &'a Sight,
    work: Option<WorkId>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl Look<'_> {
    /// Ids tell the time: what was answered before a moment has no id that was made long after it.
    fn start(&self, before: Option<CheckId>) -> Option<CheckId> {
        let end = self.until_ms.and_then(|until_ms| id_at(until_ms.saturating_add(SLACK_MS)));
        before.into_iter().chain(end).min()
    }

    async fn page(
        &self,
        whose: Whose<'_>,
        mut before: Option<CheckId>,
        most: usize,
    ) -> Result<Listed, Failure> {
        let first = self.since_ms.and_then(|since_ms| id_at(since_ms.saturating_sub(SLACK_MS)));
        let mut logs = Logs::new(self.registry);
        let (mut found, mut scanned, mut opened) = (Vec::new(), 0, 0);
        while scanned < SCAN && opened < OPENED {
            let place = before.map(|before| before.to_string());
            let rows = checks::list(self.registry.db(), whose, place.as_deref(), STEP).await?;
            let is_last = rows.len() < STEP as usize;
            for row in rows {
                let check = id_of(&row)?;
                if first.is_some_and(|first| check < first) {
                    return Ok(Listed { found, next: None });
                }
                if found.len() == most || opened == OPENED {
                    return Ok(Listed { found, next: before });
                }
                let is_found = self.is_in_time(row.at_ms) && {
                    opened += usize::from(self.must_open());
                    self.is_wanted(&row, &mut logs).await?
                };
                (before, scanned) = (Some(check), scanned + 1);
                if is_found {
                    found.push(row);
                }
            }
            if is_last {
                return Ok(Listed { found, next: None });
            }
        }
        Ok(Listed { found, next: before })
    }

    fn is_in_time(&self, at_ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| since_ms <= at_ms)
            && self.until_ms.is_none_or(|until_ms| at_ms < until_ms)
    }

    /// Whether the journal must tell what a check matched.
    fn must_open(&self) -> bool {
        self.work.is_some() || self.sight.inquiry().is_some()
    }

    async fn is_wanted(&self, row: &StoredCheck, logs: &mut Logs<'_>) -> Result<bool, Failure> {
        if !self.must_open() {
            return Ok(true);
        }
        let found = logs.check(row).await?;
        if let Some(inquiry) = self.sight.inquiry()
            && !works::is_laid_open(&found, inquiry.extent()).await?
        {
            return Ok(false);
        }
        match self.work {
            Some(wanted) => works::matched(&found, |work| work == wanted).await,
            None => Ok(true),
        }
    }
}

fn id_of(row: &StoredCheck) -> Result<CheckId, Failure> {
    let id = row.check.parse().map_err(|_| format!("`{}` is no check", row.check));
    Ok(id.map_err(crate::store::StoreError::Corrupt)?)
}

/// The first id of this moment.
fn id_at(at_ms: i64) -> Option<CheckId> {
    let at_ms = u64::try_from(at_ms).ok()?;
    Some(CheckId::new(uuid::Builder::from_unix_timestamp_millis(at_ms, &[0; 10]).into_uuid()))
}
