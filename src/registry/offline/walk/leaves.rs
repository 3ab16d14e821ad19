//! The leaves of one tile, from the entries and from the hashes that are stored.

use super::{Reader, Walk};
use crate::domain::act::SigningKeyUse;
use crate::log::merkle::{HASH_BYTES, Hash, leaf_hash};
use crate::log::tile::{TILE_WIDTH, TileId, TilePath, TileRef};
use crate::registry::offline::finding::{Finding, Kind};
use crate::registry::offline::replay::{KeyEnded, only_hashed};
use crate::registry::offline::tree::difference;
use crate::registry::offline::{Piece, Source, Unreadable, bundle};
use crate::registry::published::LogName;

impl<S: Source> Walk<'_, S> {
    /// The leaf hashes of a tile, by whatever leads to what was signed; none when neither entries nor hashes are whole.
    pub(super) async fn leaves(&mut self, index: u64, width: u16) -> Result<Option<Vec<Hash>>, Unreadable> {
        let tile = TileRef { id: TileId { level: 0, index }, width };
        let stored = self.read(Piece::Tile(TilePath::Hashes(tile))).await?;
        let due = usize::from(width);
        let hashes: Vec<Hash> =
            stored.iter().flat_map(|data| data.as_chunks::<HASH_BYTES>().0).copied().map(Hash).collect();
        let is_whole = stored.as_ref().is_some_and(|data| data.len() == due * HASH_BYTES);
        if !self.from_entries {
            let length = vec![0; if is_whole { 0 } else { due * HASH_BYTES }];
            let finding = match &stored {
                None => difference(None, &length),
                Some(data) if !is_whole => {
                    let what =
                        format!("the tile has {} bytes, and must have {}", data.len(), due * HASH_BYTES);
                    Some(Finding::new(Kind::Truncated, what).at_byte(data.len().min(due * HASH_BYTES)))
                }
                Some(_) => None,
            };
            if let Some(finding) = finding {
                self.find(finding.in_file(&tile));
            }
            return Ok(is_whole.then_some(hashes));
        }
        let file = TilePath::Entries { index, width };
        let bytes = self.read(Piece::Tile(file)).await?;
        if bytes.is_none() {
            self.find(Finding::new(Kind::Absent, "the entries are not there").in_file(&file));
        }
        let is_there = bytes.is_some();
        let bytes = bytes.unwrap_or_default();
        let read = bundle::read(&bytes, width);
        let computed: Vec<Hash> = read.entries.iter().map(|(_, entry)| leaf_hash(entry)).collect();
        let is_cut = computed.len() < due || read.end != bytes.len();
        if is_cut && is_there {
            let what =
                format!("{} entries can be read of it, and it must hold exactly {due}", computed.len());
            let finding = Finding::new(Kind::Truncated, what).in_file(&file).at_byte(read.end);
            let broken = index * u64::from(TILE_WIDTH) + computed.len() as u64;
            self.find(if computed.len() < due { finding.of_entry(broken) } else { finding });
        }
        let is_same = is_whole && hashes == computed;
        let stored_leads =
            is_whole && (is_same || self.tree.leads_up(index, &hashes, self.signed_head()).await?);
        let leaves = match (stored_leads, computed.len() == due) {
            (true, _) => hashes,
            (false, true) => {
                self.compare(tile, stored.as_deref(), &computed);
                computed.clone()
            }
            (false, false) if is_whole => hashes,
            (false, false) => {
                self.compare(tile, stored.as_deref(), &computed);
                self.stop(index * u64::from(TILE_WIDTH));
                return Ok(None);
            }
        };
        self.tree.compared += 1;
        self.entries(index * u64::from(TILE_WIDTH), file, &read.entries, &computed, &leaves).await?;
        Ok(Some(leaves))
    }

    /// Names what a stored tile of leaves has otherwise than the entries.
    fn compare(&mut self, tile: TileRef, stored: Option<&[u8]>, computed: &[Hash]) {
        let flat: Vec<u8> = computed.iter().flat_map(|hash| hash.0).collect();
        if let Some(finding) = difference(stored, &flat) {
            let first = tile.id.index * u64::from(TILE_WIDTH);
            let entry = finding.offset.filter(|_| finding.kind == Kind::TileAltered);
            let entry = entry.map(|offset| first + offset / HASH_BYTES as u64);
            self.find(Finding { entry, ..finding }.in_file(&tile));
        }
    }

    /// Reads those entries that are what was hashed, and names those that are not.
    async fn entries(
        &mut self,
        first: u64,
        file: TilePath,
        entries: &[(usize, &[u8])],
        computed: &[Hash],
        leaves: &[Hash],
    ) -> Result<(), Unreadable> {
        for (place, leaf) in leaves.iter().enumerate() {
            let at = first + place as u64;
            let (Some((offset, bytes)), Some(hash)) = (entries.get(place), computed.get(place)) else {
                self.stop(at);
                return Ok(());
            };
            if hash != leaf {
                let what = "the entry is not the one that was hashed";
                self.find(
                    Finding::new(Kind::EntryAltered, what).of_entry(at).in_file(&file).at_byte(*offset),
                );
                self.stop(at);
                continue;
            }
            for finding in self.entry(at, bytes).await? {
                self.find(finding.of_entry(at).in_file(&file).at_byte(*offset));
            }
        }
        Ok(())
    }

    /// An entry can't be read.
    fn stop(&mut self, at: u64) {
        match &mut self.reader {
            Reader::Nobody => {}
            Reader::Acts(replay) => replay.stop(at),
            Reader::Checks(checks) => checks.skip(),
        }
    }

    async fn entry(&mut self, at: u64, bytes: &[u8]) -> Result<Vec<Finding>, Unreadable> {
        let findings = match &mut self.reader {
            Reader::Nobody if self.told.log == LogName::acts() => {
                // It costs nothing to compare what the tree is held against anyway.
                let (commitment, finding) = only_hashed(self.told, at, bytes);
                self.seals.extend(commitment);
                finding.into_iter().collect()
            }
            Reader::Nobody => Vec::new(),
            Reader::Acts(replay) => {
                let findings = replay.entry(at, bytes);
                // The tree has not come so far yet: it stops there.
                self.seals.extend(replay.commitments());
                findings
            }
            Reader::Checks(checks) => checks.entry(self.source, at, bytes).await?,
        };
        self.end_keys(at);
        Ok(findings)
    }

    /// Takes up which keys the act log has ended: its own with the entry that says so, those of a journal with the first check
    /// that was answered from it.
    fn end_keys(&mut self, at: u64) {
        let (of, ended): (_, Vec<KeyEnded>) = match &self.reader {
            Reader::Nobody => return,
            Reader::Acts(replay) => {
                let new = replay.ended().get(self.ended..).unwrap_or_default();
                (SigningKeyUse::ActLog, new.to_vec())
            }
            Reader::Checks(checks) => {
                (SigningKeyUse::Journal, checks.ended().skip(self.ended).copied().collect())
            }
        };
        self.ended += ended.len();
        for key in ended.iter().filter(|key| key.of == of) {
            self.keys.end(&key.public, at);
        }
    }
}
