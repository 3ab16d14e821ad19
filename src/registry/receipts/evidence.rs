//! A check as it stands in an evidence bundle: its receipt, and the entries of the journal that say what it matched.

use std::collections::BTreeSet;

use super::grants::rested_on;
use super::works::Reader;
use super::{Found, Logs, text_of};
use crate::log::checkpoint::claimed;
use crate::log::evidence::{Asked, ProvedEntry};
use crate::registry::authority::{Proof, Verified};
use crate::registry::failure::Failure;
use crate::registry::inquiries::Sight;
use crate::registry::published;
use crate::store::StoreError;
use crate::store::checks::StoredCheck;

/// The check of this row, which the caller has laid open, where the act log of this size has sealed it.
pub(in crate::registry) async fn evidence(
    by: &Verified,
    sight: &Sight,
    logs: &mut Logs<'_>,
    row: &StoredCheck,
    size: u64,
) -> Result<Option<Asked>, Failure> {
    let found = logs.check(row).await?;
    let receipt = found.receipt(by.actor(), sight, &[]).await?;
    if receipt.sealed.as_ref().is_none_or(|sealed| sealed.act.index >= size) {
        return Ok(None);
    }
    let matched = found.matched(&receipt.journal.checkpoint).await?;
    Ok(Some(Asked { receipt, matched, rests_on: found.rests_on().await? }))
}

impl Found<'_> {
    /// The entries of the grants on which its permissions rested.
    async fn rests_on(&self) -> Result<Vec<u64>, Failure> {
        let mut entries = BTreeSet::new();
        for chunk in 0..u64::from(self.record.chunks) {
            let rows = Reader { found: self }.chunk(chunk).await?;
            let rows = rows.into_iter().map(|(_, row)| row).collect();
            let registry = self.log.registry;
            let rested = registry.read(|now| rested_on(now.index, &self.record, rows)).await?;
            entries.extend(rested.into_iter().flat_map(|it| it.entries));
        }
        Ok(entries.into_iter().collect())
    }

    /// The entries that say what it matched, each proved under this checkpoint.
    async fn matched(&self, note: &str) -> Result<Vec<ProvedEntry>, Failure> {
        let window = claimed(note.as_bytes()).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut matched = Vec::new();
        for index in (self.stored.index + 1..).take(self.record.chunks as usize) {
            let stored = self.log.entry(index).await?;
            let proof = published::prove(self.log.registry, &self.log.name, index, window.size).await?;
            matched.push(ProvedEntry { index, entry: text_of(&stored)?, proof });
        }
        Ok(matched)
    }
}
