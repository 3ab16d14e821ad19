//! Logs verified from what was exported of them: no database, no key of the registry, nothing believed that is told.
//!
//! [`verify`] reads each log once, in order, in little memory: it computes every leaf from the entries (from the leaf hashes
//! where there are no entries), every tile and every root from the leaves, and holds them against what is stored and signed;
//! it judges each act of the act log by the rules that stood, with the same `admit` and `fold` as the sequencer; and it holds
//! the journals against the act log, and the act log's seals against the journals.
//!
//! [`decision`] computes past answers again from them, [`complete`] says what an evidence bundle leaves out of them.
//!
//! Where entries and tiles differ, what leads to the signed root is right and the other is named; so one altered byte is one
//! finding, however many roots lie above it.

mod bundle;
pub mod complete;
pub mod decision;
mod entries;
mod finding;
mod folder;
mod journals;
mod keys;
mod replay;
mod told;
mod tree;
mod walk;

use std::fmt;

use serde::Serialize;

use super::published::LogName;
use crate::log::checkpoint::{CosignerKey, MAX_NOTE_BYTES};
use crate::log::merkle::HASH_BYTES;
use crate::log::tile::{MAX_ENTRY_BYTES, TILE_WIDTH, TilePath};
use journals::Acts;
use walk::Walk;

pub use entries::LogError;
pub use finding::{Finding, Findings, Kind, Teller};
pub use folder::{Folder, INCOMPLETE, LIST};
pub use keys::GivenKey;
pub use told::{MAX_LIST_BYTES, MAX_LOGS, ToldEarlier, ToldKey, ToldLog, ToldPage, check_list, read_list};

/// A file of a log, below the log's folder or prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// The newest checkpoint.
    Newest,
    /// The checkpoint of a size.
    Signed(u64),
    /// A tile of hashes, or a bundle of entries.
    Tile(TilePath),
}

impl Piece {
    /// The most bytes that it can have.
    pub fn max_bytes(self) -> usize {
        let width = |width: u16| usize::from(width.min(TILE_WIDTH));
        match self {
            Self::Newest | Self::Signed(_) => MAX_NOTE_BYTES,
            Self::Tile(TilePath::Hashes(tile)) => width(tile.width) * HASH_BYTES,
            Self::Tile(TilePath::Entries { width: entries, .. }) => width(entries) * (2 + MAX_ENTRY_BYTES),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("checkpoint"),
            Self::Signed(size) => write!(f, "checkpoints/{size}"),
            Self::Tile(path) => path.fmt(f),
        }
    }
}

/// Sizes of which a checkpoint is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The sizes, the smallest first.
    pub sizes: Vec<u64>,
    /// Whether there may be more after the last of them.
    pub more: bool,
}

/// Why nothing can be read. It says nothing about the logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// Where logs are read: a folder, or a server.
pub trait Source: Sync {
    /// The logs that there are said to be, the act log first.
    fn logs(&self) -> impl Future<Output = Result<Vec<ToldLog>, Unreadable>> + Send;

    /// The sizes of the checkpoints that are kept and larger than this one, the smallest first: all of them, or some.
    fn signed(
        &self,
        log: &LogName,
        after: Option<u64>,
    ) -> impl Future<Output = Result<Signed, Unreadable>> + Send;

    /// Whether entries of the log are to be had.
    fn has_entries(&self, log: &LogName) -> impl Future<Output = Result<bool, Unreadable>> + Send;

    /// A file, if it is there. One that is longer than [`Piece::max_bytes`] is cut after one byte more.
    fn read(
        &self,
        log: &LogName,
        piece: Piece,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Unreadable>> + Send;
}

/// What is asked of the logs.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The keys that are trusted. A log without one among them is held against those that it tells of itself.
    pub keys: Vec<GivenKey>,
    /// The witnesses whose cosignatures count.
    pub witnesses: Vec<CosignerKey>,
    /// How many of them must have cosigned the newest checkpoint of each log.
    pub witnesses_needed: usize,
    /// Whether hashes alone do not do.
    pub needs_entries: bool,
    /// Whether entries are hashed alone, and neither decoded nor judged: in memory that does not grow with the log.
    pub only_hashes: bool,
    /// How many findings of a kind are kept.
    pub most: usize,
    /// Whom each finding is told at once.
    pub teller: Option<Teller>,
}

/// Who vouches for the keys of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// Whoever asked.
    Given,
    /// Nobody but the log itself.
    SelfTold,
    /// There is no key.
    Nobody,
}

/// One log, as far as it was read.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    /// Its public name.
    pub log: LogName,
    /// The first line of its checkpoints.
    pub origin: String,
    /// How many entries the newest checkpoint covers.
    pub size: u64,
    /// The root of what was read, in hexadecimal.
    pub root: String,
    /// Who vouches for its keys.
    pub keys: Voucher,
    /// Whether leaves were computed from entries; if not, from the hashes of entries.
    pub from_entries: bool,
    /// How many checkpoints were examined.
    pub checkpoints: u64,
    /// How many tiles were compared.
    pub tiles: u64,
    /// How many entries were decoded and, in the act log, replayed.
    pub replayed: u64,
    /// The version of the rules that stands at the end of the act log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<u32>,
    /// How many of the witnesses cosigned the newest checkpoint.
    pub witnesses: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Each log.
    pub logs: Vec<LogReport>,
    /// What does not hold.
    pub findings: Findings,
    /// What could not be verified here, and why.
    pub unverified: Vec<String>,
}

/// Verifies all logs of a source. `progress` is told how many of how many entries are read.
///
/// # Errors
/// When nothing can be read. Whatever is read and does not hold is in the report.
pub async fn verify<S: Source>(
    source: &S,
    asked: &Asked,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, Unreadable> {
    let logs = source.logs().await?;
    let mut report =
        Report { findings: Findings::told_to(asked.most, asked.teller.clone()), ..Report::default() };
    for given in &asked.keys {
        if !logs.iter().any(|told| told.has_name(given.name())) {
            let what = format!("a key of `{}` was given, and no log has that origin", given.name());
            report.findings.push(Finding::new(Kind::NoSuchLog, what));
        }
    }
    let total = logs.iter().fold(0_u64, |total, told| total.saturating_add(told.size));
    let (mut acts, mut done) = (Acts::default(), 0_u64);
    for told in &logs {
        let walk = Walk::open(source, told, asked, &acts, &mut report).await?;
        let walked = walk.all(&|read| progress(u64::saturating_add(done, read), total)).await?;
        if let Some(known) = walked {
            acts = known;
        }
        done = done.saturating_add(told.size);
    }
    for (journal, entry) in acts.unknown_seals(&logs) {
        let what = format!("the entry seals the journal `{journal}`, and nothing is told of such a journal");
        report
            .findings
            .push(Finding::new(Kind::UnknownJournal, what).in_log(&LogName::acts()).of_entry(entry));
    }
    Ok(report)
}
