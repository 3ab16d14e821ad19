//! The grants on which the permissions of a check rested, computed again from the log as it was.
//!
//! The journal says which works a check matched and permitted, and not by which grants: the log of that size says so for ever. It
//! keeps what held for the whole check, and not what single items said otherwise; for a work that is not permitted so, no grant is told.

use std::collections::BTreeSet;

use super::works::{PageOf, Reader};
use super::{Found, find};
use crate::domain::decide::decide;
use crate::domain::decision::Outcome;
use crate::domain::ids::{CheckId, WorkId};
use crate::domain::index::Index;
use crate::domain::journal::MatchedWork;
use crate::domain::key::SubjectKey;
use crate::domain::question::Question;
use crate::domain::uses::Use;
use crate::log::receipt::CheckRecord;
use crate::registry::authority::Verified;
use crate::registry::failure::Failure;
use crate::registry::inquiries::Sight;
use crate::registry::node::Registry;

/// A work that a check permitted, and the grants on which that rested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestedOn {
    /// The work.
    pub work: WorkId,
    /// For which uses.
    pub uses: Vec<Use>,
    /// The entries of the grants: sorted, distinct.
    pub entries: Vec<u64>,
}

/// The works that a check permitted, from the one of this number on, with the grants on which that rested. A page may be empty and
/// not the last.
///
/// # Errors
/// [`Failure::NotFound`] where there is no such check that the caller sees whole.
pub async fn grants(
    registry: &Registry,
    by: &Verified,
    sight: &Sight,
    check: CheckId,
    from: u64,
    most: usize,
) -> Result<PageOf<RestedOn>, Failure> {
    let found = find(registry, by, sight, check).await?;
    if !found.sees_whole {
        return Err(Failure::NotFound);
    }
    let (rows, next) = Reader { found: &found }.page(None, from, most).await?;
    let Found { record, .. } = found;
    let works = registry.read(|now| rested_on(now.index, &record, rows)).await?;
    Ok(PageOf { record, works, next })
}

/// The permitted ones of these works, with the grants on which that rested.
pub(in crate::registry) fn rested_on(
    index: &Index,
    record: &CheckRecord,
    rows: Vec<MatchedWork>,
) -> Vec<RestedOn> {
    let permitted = rows.into_iter().filter(|row| row.permitted);
    permitted.map(|row| rest(index, record, row)).collect()
}

fn rest(index: &Index, record: &CheckRecord, row: MatchedWork) -> RestedOn {
    let question = Question {
        developer: record.developer,
        model: record.context.model,
        uses: row.uses.iter().copied().collect(),
        territory: record.context.territory,
        subject: std::iter::once(SubjectKey::work(row.work)).collect(),
        with_parts: record.context.with_parts,
    };
    let decision = decide(index, record.log.size, record.at_ms, &question);
    let permitted = decision.uses.iter().filter_map(|answer| match &answer.outcome {
        Outcome::Permitted(permitted) => Some(permitted.entries()),
        Outcome::NotPermitted(_) => None,
    });
    let entries: BTreeSet<u64> = permitted.flatten().collect();
    RestedOn { work: row.work, uses: row.uses, entries: entries.into_iter().collect() }
}
