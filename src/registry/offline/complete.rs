//! What an evidence bundle leaves out of what its inquiry lays open, by an export of the logs: a part of a log can't show that.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;
use super::entries::{LogError, each};
use crate::domain::act::{Act, JournalSealed};
use crate::domain::entry::Entry;
use crate::domain::ids::{CheckId, WorkId};
use crate::domain::index::Index;
use crate::domain::inquiry::Extent;
use crate::domain::journal::{JournalEntry, matched_works};
use crate::log::evidence::Evidence;
use crate::log::merkle::{Hash, TreeHead};

/// The entries and checks that the inquiry lays open, that the act log of this size holds or has sealed, and that are not in the bundle.
///
/// The bundle is verified already.
///
/// # Errors
/// [`LogError::Other`] where the logs are not those of the bundle, or their entries are not there.
pub async fn missing<S: Source>(
    source: &S,
    evidence: &Evidence,
    origin: &str,
    head: TreeHead,
) -> Result<Vec<String>, LogError> {
    let Some((at_ms, opened)) = evidence.opened() else {
        return Err(LogError::Other("the bundle does not hold the act that opened its inquiry".to_owned()));
    };
    let extent = Extent::new(&opened, at_ms);
    let given: BTreeSet<u64> = evidence.entries.iter().map(|it| it.index).collect();
    let (mut index, mut missing) = (Index::new(), Vec::new());
    let mut seals: BTreeMap<String, JournalSealed> = BTreeMap::new();
    each(source, origin, head, |at, bytes| {
        let entry: Entry =
            serde_json::from_slice(bytes).map_err(|error| format!("entry {at} can't be read: {error}"))?;
        index.fold(at, &entry).map_err(|error| error.to_string())?;
        // Nothing folded here is ever undone.
        index.keep();
        let is_open = extent.holds_entry(&entry, &index.works_of(&entry.act));
        if is_open && !given.contains(&at) {
            missing.push(format!("entry {at} (`{}`)", entry.act.code()));
        }
        if let Act::JournalSealed(seal) = entry.act {
            seals.insert(seal.journal.clone(), seal);
        }
        Ok(())
    })
    .await?;
    let given: BTreeSet<CheckId> = evidence.checks.iter().map(|it| it.receipt.check).collect();
    for (journal, JournalSealed { size, root, .. }) in seals {
        let mut checks = Checks { extent: &extent, given: &given, open: None, missing: &mut missing };
        let head = TreeHead { size, root: Hash(root.0) };
        each(source, &journal, head, |at, bytes| checks.entry(at, bytes)).await?;
        checks.end();
    }
    Ok(missing)
}

/// The checks of a journal while it is read.
struct Checks<'a> {
    extent: &'a Extent,
    given: &'a BTreeSet<CheckId>,
    /// The check that is read, if its time and parties are laid open, and whether its works are.
    open: Option<(CheckId, bool)>,
    missing: &'a mut Vec<String>,
}

impl Checks<'_> {
    fn entry(&mut self, at: u64, bytes: &[u8]) -> Result<(), String> {
        let entry: JournalEntry = serde_json::from_slice(bytes)
            .map_err(|error| format!("entry {at} of a journal can't be read: {error}"))?;
        match entry {
            JournalEntry::Check { check, at_ms, developer, asked_by, .. } => {
                self.end();
                let is_open = self.extent.holds_asked(at_ms, developer, asked_by);
                self.open = is_open.then_some((check, self.extent.is_about_any()));
            }
            JournalEntry::Matched { check, works, .. } => {
                let rows =
                    matched_works(&works).ok_or_else(|| format!("entry {at} of a journal holds no works"))?;
                let works: Vec<WorkId> = rows.into_iter().map(|row| row.work).collect();
                if let Some((of, is_about)) = &mut self.open
                    && *of == check
                {
                    *is_about |= self.extent.is_about(&works);
                }
            }
        }
        Ok(())
    }

    /// The check that was read is whole.
    fn end(&mut self) {
        if let Some((check, true)) = self.open.take()
            && !self.given.contains(&check)
        {
            self.missing.push(format!("the check `{check}`"));
        }
    }
}
