//! One log, read from its first entry to its newest checkpoint.

mod history;
mod leaves;

use std::collections::VecDeque;

use super::finding::{Finding, Findings, Kind};
use super::journals::{Acts, Checks};
use super::keys::{Keys, cosigned};
use super::replay::{Replay, Seal};
use super::told::ToldLog;
use super::tree::Tree;
use super::{Asked, LogReport, Piece, Report, Signed, Source, Unreadable, Voucher};
use crate::log::checkpoint::Checkpoint;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::tile::TILE_WIDTH;
use crate::registry::published::LogName;
use history::History;

/// Who reads the entries.
enum Reader<'a> {
    /// Nobody: there are none, or they are hashed alone.
    Nobody,
    Acts(Box<Replay<'a>>),
    Checks(Box<Checks<'a>>),
}

/// One log while it is read.
pub(super) struct Walk<'a, S> {
    source: &'a S,
    told: &'a ToldLog,
    asked: &'a Asked,
    findings: &'a mut Findings,
    reports: &'a mut Vec<LogReport>,
    unverified: &'a mut Vec<String>,
    keys: Keys<'a>,
    /// The newest checkpoint, if it is believed, and its note.
    newest: Option<Checkpoint>,
    note: Option<Vec<u8>>,
    size: u64,
    tree: Tree<'a, S>,
    /// The next sizes of which a checkpoint is kept, the smallest first; whether there are more; and how many were examined.
    signed: VecDeque<u64>,
    last_signed: Option<u64>,
    more_signed: bool,
    examined: u64,
    /// What the act log says of this journal, by size, and how much of it was held against the tree.
    seals: Vec<Seal>,
    sealed: usize,
    history: History,
    reader: Reader<'a>,
    /// How many keys the act log had ended, as far as it was read.
    ended: usize,
    from_entries: bool,
    /// Whether every tile so far is what it should be.
    is_whole: bool,
}

impl<'a, S: Source> Walk<'a, S> {
    pub(super) async fn open(
        source: &'a S,
        told: &'a ToldLog,
        asked: &'a Asked,
        acts: &'a Acts,
        report: &'a mut Report,
    ) -> Result<Self, Unreadable> {
        let Report { logs: reports, findings, unverified } = report;
        let from_entries = source.has_entries(&told.log).await?;
        let reader = match from_entries && !asked.only_hashes {
            false => Reader::Nobody,
            true if told.log == LogName::acts() => Reader::Acts(Box::new(Replay::of(told))),
            true => Reader::Checks(Box::new(Checks::beside(acts, &told.origin))),
        };
        let mut seals = acts.seals.get(&told.origin).cloned().unwrap_or_default();
        seals.sort_by_key(|seal| seal.size);
        let mut walk = Self {
            source,
            told,
            asked,
            findings,
            reports,
            unverified,
            keys: Keys::of(told, &asked.keys),
            newest: None,
            note: None,
            size: 0,
            tree: Tree::new(source, &told.log, 0),
            signed: VecDeque::new(),
            last_signed: None,
            more_signed: true,
            examined: 0,
            seals,
            sealed: 0,
            history: History::default(),
            reader,
            ended: 0,
            from_entries,
            is_whole: true,
        };
        walk.begin().await?;
        walk.tree = Tree::new(source, &told.log, walk.size);
        Ok(walk)
    }

    fn find(&mut self, finding: Finding) {
        self.is_whole &= !matches!(finding.kind, Kind::TileAltered | Kind::Truncated | Kind::Absent);
        let file = finding.file.as_ref().map(|file| format!("{}/{file}", self.told.log));
        self.findings.push(Finding { file, ..finding }.in_log(&self.told.log));
    }

    async fn read(&self, piece: Piece) -> Result<Option<Vec<u8>>, Unreadable> {
        self.source.read(&self.told.log, piece).await
    }

    /// Reads the newest checkpoint, which says how long the log is.
    async fn begin(&mut self) -> Result<(), Unreadable> {
        let Some(note) = self.read(Piece::Newest).await? else {
            self.find(
                Finding::new(Kind::Absent, "the newest checkpoint is not there").in_file(&Piece::Newest),
            );
            self.size = self.largest_signed().await?;
            return Ok(());
        };
        match self.keys.examine(&note) {
            Err(error) => {
                self.find(Finding::new(Kind::CheckpointForm, error.to_string()).in_file(&Piece::Newest));
                self.size = self.largest_signed().await?;
            }
            Ok((checkpoint, fault)) => {
                self.size = checkpoint.size;
                if checkpoint.size < self.told.size {
                    let (told, signed) = (self.told.size, checkpoint.size);
                    let what = format!("{told} entries are told of, and the newest checkpoint has {signed}");
                    self.find(Finding::new(Kind::Shrunk, what).in_file(&Piece::Newest));
                }
                match fault {
                    Some(fault) => self.find(fault.in_file(&Piece::Newest)),
                    None => self.newest = Some(checkpoint),
                }
            }
        }
        self.note = Some(note);
        Ok(())
    }

    /// The smallest size of which a checkpoint is kept that was not examined yet.
    async fn next_signed(&mut self) -> Result<Option<u64>, Unreadable> {
        while self.signed.is_empty() && self.more_signed {
            let Signed { sizes, more } = self.source.signed(&self.told.log, self.last_signed).await?;
            self.more_signed = more && !sizes.is_empty();
            self.last_signed = sizes.last().copied().or(self.last_signed);
            self.signed = sizes.into();
        }
        Ok(self.signed.front().copied())
    }

    /// The largest size of which a checkpoint is kept.
    async fn largest_signed(&self) -> Result<u64, Unreadable> {
        let mut largest = None;
        loop {
            let Signed { sizes, more } = self.source.signed(&self.told.log, largest).await?;
            largest = sizes.last().copied().or(largest);
            if !more || sizes.is_empty() {
                return Ok(largest.unwrap_or_default());
            }
        }
    }

    fn signed_head(&self) -> Option<TreeHead> {
        self.newest.as_ref().map(Checkpoint::head)
    }

    /// Reads all of it, and gives what journals are held against, of the act log.
    pub(super) async fn all(
        mut self,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Option<Acts>, Unreadable> {
        if self.asked.needs_entries && !self.from_entries && self.size > 0 {
            self.find(Finding::new(Kind::NoEntries, "there are no entries, only their hashes"));
        }
        let width = u64::from(TILE_WIDTH);
        for index in 0..self.size.div_ceil(width) {
            let due = (self.size - index * width).min(width);
            let due = u16::try_from(due).unwrap_or(TILE_WIDTH);
            let Some(leaves) = self.leaves(index, due).await? else { break };
            self.grow(&leaves).await?;
            progress(self.tree.size());
        }
        self.end().await
    }

    /// Appends leaves, and stops at each size that was signed or sealed.
    async fn grow(&mut self, mut leaves: &[Hash]) -> Result<(), Unreadable> {
        while !leaves.is_empty() {
            let next = [self.next_signed().await?, self.seals.get(self.sealed).map(|it| it.size)];
            let due = next.into_iter().flatten().min().unwrap_or(u64::MAX).saturating_sub(self.tree.size());
            let (now, later) =
                leaves.split_at(usize::try_from(due).unwrap_or(usize::MAX).clamp(1, leaves.len()));
            for finding in self.tree.append(now).await? {
                self.find(finding);
            }
            leaves = later;
            self.at_seals();
            self.at_signed(self.tree.size(), true).await?;
        }
        Ok(())
    }

    /// Examines the checkpoints of at most this size that were not examined yet.
    async fn at_signed(&mut self, until: u64, is_reached: bool) -> Result<(), Unreadable> {
        while let Some(size) = self.next_signed().await?.filter(|size| *size <= until) {
            self.signed.pop_front();
            self.examined += 1;
            let piece = Piece::Signed(size);
            let Some(note) = self.read(piece).await? else {
                self.find(Finding::new(Kind::Absent, "the checkpoint is not there").in_file(&piece));
                continue;
            };
            let (_, wrong) = cosigned(&note, &self.asked.witnesses);
            for finding in wrong {
                self.find(finding.in_file(&piece));
            }
            let (checkpoint, fault) = match self.keys.examine(&note) {
                Ok(examined) => examined,
                Err(error) => {
                    self.find(Finding::new(Kind::CheckpointForm, error.to_string()).in_file(&piece));
                    continue;
                }
            };
            if let Some(fault) = fault {
                self.find(fault.in_file(&piece));
            } else if checkpoint.size != size {
                let what = format!("the checkpoint is one of size {}", checkpoint.size);
                self.find(Finding::new(Kind::CheckpointForm, what).in_file(&piece));
            } else if is_reached {
                self.judge(checkpoint.head(), piece);
            }
        }
        Ok(())
    }

    /// Holds a signed head against the tree, which has its size.
    fn judge(&mut self, signed: TreeHead, piece: Piece) {
        let forks = self.history.judge(signed, self.tree.head(), piece);
        for fork in forks {
            self.find(fork);
        }
    }

    /// Holds the seals of the tree's size against it.
    fn at_seals(&mut self) {
        let head = self.tree.head();
        while let Some(seal) = self.seals.get(self.sealed).copied().filter(|seal| seal.size <= head.size) {
            self.sealed += 1;
            if seal.size == head.size && seal.root != head.root {
                let (verb, kind) = if self.told.log == LogName::acts() {
                    ("goes on from", Kind::ContinuesOther)
                } else {
                    ("seals", Kind::SealContradicts)
                };
                let what = format!(
                    "entry {} of the act log {verb} {} entries with the root {}, and they have {}",
                    seal.entry, seal.size, seal.root, head.root
                );
                self.find(Finding::new(kind, what));
            }
        }
    }

    async fn end(mut self) -> Result<Option<Acts>, Unreadable> {
        let is_reached = self.tree.size() == self.size;
        if is_reached {
            for finding in self.tree.compare_edge().await? {
                self.find(finding);
            }
        }
        self.at_signed(u64::MAX, false).await?;
        self.newest_again();
        if is_reached && let Some(signed) = self.signed_head() {
            self.judge(signed, Piece::Newest);
        }
        for finding in self.history.rest() {
            self.find(finding);
        }
        let beyond =
            self.seals.get(self.sealed..).unwrap_or_default().iter().find(|seal| seal.size > self.size);
        if let Some(Seal { entry, size, .. }) = beyond.copied() {
            let what = format!("entry {entry} of the act log seals {size} entries, and it has {}", self.size);
            self.find(Finding::new(Kind::SealBeyond, what));
        }
        if let Reader::Checks(checks) = &mut self.reader
            && is_reached
            && let Some(finding) = checks.end()
        {
            self.find(finding);
        }
        self.witnessed();
        if self.keys.is_empty() {
            self.unverified.push(format!("the signatures of `{}`: no key of it is told of", self.told.log));
        }
        let is_good = self.is_whole && is_reached && self.signed_head() == Some(self.tree.head());
        Ok(self.report(is_good))
    }

    /// The newest checkpoint was believed before it was known which keys the act log had ended.
    fn newest_again(&mut self) {
        let Some(Ok((_, Some(fault)))) = self.note.as_ref().map(|note| self.keys.examine(note)) else {
            return;
        };
        if self.newest.take().is_some() {
            self.find(fault.in_file(&Piece::Newest));
        }
    }

    /// Counts the witnesses of the newest checkpoint.
    fn witnessed(&mut self) {
        let Some(note) = self.note.take() else { return };
        let (good, wrong) = cosigned(&note, &self.asked.witnesses);
        for finding in wrong {
            self.find(finding.in_file(&Piece::Newest));
        }
        let needed = self.asked.witnesses_needed;
        if good < needed {
            let what =
                format!("{good} of the witnesses cosigned the newest checkpoint, and {needed} are needed");
            self.find(Finding::new(Kind::NotWitnessed, what).in_file(&Piece::Newest));
        }
        self.history.witnesses = good;
    }

    fn report(self, is_good: bool) -> Option<Acts> {
        let keys = match (self.keys.is_empty(), self.keys.are_self_told) {
            (true, _) => Voucher::Nobody,
            (false, true) => Voucher::SelfTold,
            (false, false) => Voucher::Given,
        };
        let log = self.told.log.clone();
        let mut report = LogReport {
            log: log.clone(),
            origin: self.told.origin.clone(),
            size: self.tree.size(),
            root: self.tree.head().root.to_string(),
            keys,
            from_entries: self.from_entries,
            checkpoints: self.examined + 1,
            tiles: self.tree.compared,
            replayed: 0,
            rules: None,
            witnesses: self.history.witnesses,
        };
        let head = is_good.then(|| self.tree.head());
        let acts = match self.reader {
            Reader::Acts(replay) => {
                report.replayed = replay.replayed();
                if let Some(at) = replay.stopped() {
                    self.unverified.push(format!("the acts from entry {at} on: they could not be replayed"));
                }
                let acts = replay.into_acts(head);
                report.rules = Some(acts.index.latest().rule_version());
                Some(acts)
            }
            Reader::Checks(checks) => {
                report.replayed = checks.read;
                if !checks.is_compared() && checks.read > 0 {
                    self.unverified.push(format!(
                        "the checks of `{log}`, against the act log: that is not as it was signed"
                    ));
                }
                if let Some(first) = checks.first_after_seal {
                    self.unverified.push(format!(
                        "when {} checks of `{log}` were answered, from entry {first} on: they say later than they were sealed, as where a clock was ahead",
                        checks.after_seal
                    ));
                }
                if checks.beyond > 0 {
                    self.unverified.push(format!(
                        "{} checks of `{log}`, against the act log: they are younger than what is here of it",
                        checks.beyond
                    ));
                }
                None
            }
            Reader::Nobody => {
                if report.size > 0 {
                    let why =
                        if self.from_entries { "they are only hashed" } else { "only their hashes are here" };
                    self.unverified.push(format!("what the entries of `{log}` say: {why}"));
                }
                (log == LogName::acts()).then(|| Acts { head, ..Acts::default() })
            }
        };
        self.reports.push(report);
        acts
    }
}
