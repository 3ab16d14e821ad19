//! Everything that is stored, held against what was signed: by the same reader that verifies exported logs, and nothing is written.
//!
//! [`examine`] pins the logs as they were at one moment, so it can run beside a server that writes. It reads them as
//! [`offline`] reads a folder: every leaf from its entry, every tile and root from the leaves, every checkpoint by the key
//! that stood, each act by the rules that stood. Then what only a database has: heads, payloads, rows that belong to nothing, the
//! tables that are made from the logs, and the marks outside. What does not hold bears the same names.
//!
//! `kyodaku fsck` does it, `kyodaku rebuild` before it mends anything, `kyodaku restore` before it believes a backup, and the
//! [scrub](super::scrub) slowly, all the time.

mod checks;
mod copy;
mod keys;
mod pace;
mod payloads;
mod public_keys;
mod rows;
mod stored;

use std::path::{Path, PathBuf};

use super::marks;
use super::node::Settings;
use super::offline::{self, Finding, Findings, Kind, Report, Teller, Unreadable};
use crate::clock::Clock;
use crate::domain::act::Act;
use crate::domain::entry::Entry;
use crate::log::checkpoint::CosignerKey;
use crate::store::entries::{self, StoredEntry};
use crate::store::heads::{self, ACTS};
use crate::store::high_water::{self, HighWater};
use crate::store::payloads as kept;
use crate::store::{Db, StoreError, archive, catalogue};
use copy::Copy;
use keys::{Ended, Own};
use payloads::Payloads;
use stored::{Stored, name};

pub(super) use checks::write_all as write_checks;
pub(super) use copy::write_all as write_catalogue;
pub use pace::Pace;

/// How many entries are read at once.
const STEP: u64 = 256;

/// How much is examined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What needs no more memory than a page: hashes, signatures, payloads, rows.
    Hashes,
    /// That, and the acts judged by the rules that stood, and the catalogue: in an index beside the one of the server.
    All,
}

/// What is asked.
#[derive(Debug)]
pub struct Asked {
    /// How much.
    pub scope: Scope,
    /// The witnesses whose cosignatures are verified.
    pub witnesses: Vec<CosignerKey>,
    /// How many findings of a kind are kept.
    pub most: usize,
    /// Whom each finding is told at once.
    pub teller: Option<Teller>,
    /// How fast.
    pub pace: Pace,
    /// In which folder the catalogue is written anew, to be compared.
    pub scratch: PathBuf,
}

impl Asked {
    /// Everything, as fast as it goes.
    pub fn all(scratch: PathBuf) -> Self {
        Self { scope: Scope::All, witnesses: Vec::new(), most: 20, teller: None, pace: Pace::full(), scratch }
    }
}

impl Asked {
    /// What is asked of the logs alone.
    fn of_logs(&self) -> offline::Asked {
        offline::Asked {
            keys: Vec::new(),
            witnesses: self.witnesses.clone(),
            witnesses_needed: 0,
            needs_entries: true,
            only_hashes: self.scope == Scope::Hashes,
            most: self.most,
            teller: self.teller.clone(),
        }
    }
}

/// Why nothing can be examined. It says nothing about what is stored.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// There is nothing.
    #[error("there is no registry here: {0}")]
    Nothing(String),
    /// The keys.
    #[error(transparent)]
    Key(#[from] super::keys::SigningKeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The logs in it.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A folder for the fresh tables.
    #[error("the folder `{path}` for the fresh tables can't be used: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What is examined: a database, and the data folder beside it.
#[derive(Clone, Debug)]
pub struct Ground {
    pub(super) db: Db,
    data_dir: PathBuf,
    node: String,
    own: Own,
    /// Whether a server of this program noted its keys: not in a database that was only just brought up to date.
    keys_are_noted: bool,
    clock: Clock,
}

impl Ground {
    /// A database that is open, and the data folder of these settings.
    ///
    /// # Errors
    /// [`FsckError::Nothing`] where there is no key or no log.
    pub async fn new(db: Db, settings: &Settings, clock: &Clock) -> Result<Self, FsckError> {
        // Before the logs are looked at: what signs there was here by then.
        let own = Own::read(settings)?;
        let own =
            own.ok_or_else(|| FsckError::Nothing(format!("`{}` holds no key", settings.data_dir.display())))?;
        if heads::every(&db).await?.iter().all(|head| head.log != ACTS || head.size == 0) {
            return Err(FsckError::Nothing("the database holds no log".to_owned()));
        }
        Ok(Self {
            db,
            data_dir: settings.data_dir.clone(),
            node: settings.node.clone(),
            own,
            keys_are_noted: true,
            clock: clock.clone(),
        })
    }

    /// The database of these settings, which is only read.
    pub async fn open(settings: &Settings, clock: &Clock) -> Result<Self, FsckError> {
        refuse_missing_file(&settings.database_url)?;
        Self::new(Db::connect_to_read(&settings.database_url, 4).await?, settings, clock).await
    }

    /// The same, of a program that may have noted no keys.
    #[must_use]
    pub(super) fn of_older(self) -> Self {
        Self { keys_are_noted: false, ..self }
    }

    /// Closes the database.
    pub async fn close(self) {
        self.db.close().await;
    }
}

/// Opening a database makes it, which an examination must not.
pub fn refuse_missing_file(url: &str) -> Result<(), FsckError> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(()) };
    let path = path.trim_start_matches("//");
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if Path::new(path).is_file() {
        Ok(())
    } else {
        Err(FsckError::Nothing(format!("`{path}` is not a file")))
    }
}

/// Examines everything and changes nothing. `progress` is told how many of how many entries are read.
///
/// # Errors
/// When nothing can be read. Whatever is read and does not hold is in the report.
pub async fn examine(
    ground: &Ground,
    asked: &Asked,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, FsckError> {
    let findings = Findings::told_to(asked.most, asked.teller.clone());
    let mut report = Report { findings, ..Report::default() };
    match read(ground, asked, &mut report, progress).await {
        Ok(()) => {}
        // What can't be read is not what was written.
        Err(FsckError::Store(StoreError::Corrupt(why))) => {
            report.findings.push(Finding::new(Kind::Damaged, why));
        }
        Err(error) => return Err(error),
    }
    Ok(report)
}

async fn read(
    ground: &Ground,
    asked: &Asked,
    report: &mut Report,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), FsckError> {
    let Report { logs, findings, unverified } = report;
    marks(ground, findings).await?;
    let stored = Stored::pin(ground, &asked.pace, findings).await?;
    let total = stored.entries();
    let whole = asked.scope == Scope::All;
    // Each entry is read twice: with the tree, and with what belongs to it.
    let twice = total.saturating_mul(2);
    let of_logs = asked.of_logs();
    let verified = offline::verify(&stored, &of_logs, &|done, _| progress(done, twice)).await;
    let verified = verified.map_err(|error| match stored.damage() {
        Some(why) => StoreError::Corrupt(why).into(),
        None => FsckError::from(error),
    })?;
    let acts_hold = !verified.findings.kept().iter().any(|it| it.log.as_deref() == Some(ACTS));
    findings.absorb(verified.findings);
    logs.extend(verified.logs);
    unverified.extend(verified.unverified);
    rows::examine(&ground.db, &stored, &asked.pace, findings).await?;
    let reading = Reading { ground, asked, done: total, of: twice, progress };
    // It holds a whole index.
    let ended = Box::pin(reading.acts(&stored, whole && acts_hold, findings)).await?;
    unverified.extend(reading.keys(&stored, &ended, findings).await?);
    if whole && !acts_hold {
        unverified.push("the catalogue: the act log itself does not hold".to_owned());
    }
    reading.journals(&stored, findings).await
}

/// The database must be the one that was published from here, by whichever node.
async fn marks(ground: &Ground, findings: &mut Findings) -> Result<(), FsckError> {
    let mut nodes = high_water::nodes(&ground.data_dir)?;
    let keys = ground.own.of_acts()?;
    if !nodes.contains(&ground.node) {
        nodes.push(ground.node.clone());
    }
    for node in nodes {
        let marked = match HighWater::open(&ground.data_dir, &node).await {
            // Those of a history that was given up say nothing of this one.
            Ok(marks) => marks::fit(&ground.db, &marks, &keys).await.map(|_| ()),
            Err(error) => Err(error),
        };
        match marked {
            Err(StoreError::HighWater(why) | StoreError::Corrupt(why)) => {
                findings.push(Finding::new(Kind::HighWater, why));
            }
            other => other?,
        }
    }
    Ok(())
}

/// The second reading: what belongs to the entries.
struct Reading<'a> {
    ground: &'a Ground,
    asked: &'a Asked,
    /// How many entries were read before, and of how many.
    done: u64,
    of: u64,
    progress: &'a (dyn Fn(u64, u64) + Send + Sync),
}

impl Reading<'_> {
    /// Payloads and erasures; and, if it is compared, the catalogue. Gives the keys that were ended.
    async fn acts(
        &self,
        stored: &Stored<'_>,
        is_compared: bool,
        findings: &mut Findings,
    ) -> Result<Ended, FsckError> {
        let mut copy =
            if is_compared { Some(Copy::make(&self.asked.scratch, &self.ground.clock).await?) } else { None };
        let examined = self.acts_with(stored, &mut copy, findings).await;
        if let Some(copy) = copy {
            copy.remove().await;
        }
        examined
    }

    async fn acts_with(
        &self,
        stored: &Stored<'_>,
        copy: &mut Option<Copy>,
        findings: &mut Findings,
    ) -> Result<Ended, FsckError> {
        let (db, size) = (&self.ground.db, stored.size(ACTS));
        let (mut payloads, mut ended) = (Payloads::beside(self.asked.scope), Ended::default());
        let mut at = 0;
        while at < size {
            let until = size.min(at + STEP);
            let page = entries::present(db, ACTS, at..until).await?;
            let rows = kept::read(db, at..until).await?;
            payloads.page(&page, &rows, findings);
            ended.page(&page);
            if let Some(copy) = copy {
                copy.page(db, &page, rows).await?;
            }
            at = until;
            (self.progress)(self.done + at, self.of);
            self.asked.pace.rest().await;
        }
        let later = match copy {
            Some(copy) => self.compare(copy, size, findings).await?,
            None => self.later(size).await?,
        };
        payloads.end(&later, findings);
        Ok(ended)
    }

    /// The keys, beside the acts. Gives what can't be known here.
    async fn keys(
        &self,
        stored: &Stored<'_>,
        ended: &Ended,
        findings: &mut Findings,
    ) -> Result<Vec<String>, FsckError> {
        let mut unverified = Vec::new();
        for noted in stored.keys() {
            let (size, pace) = (stored.size(noted.log()), &self.asked.pace);
            unverified.extend(noted.hold(&self.ground.db, ended, (size, pace), findings).await?);
        }
        unverified.extend(public_keys::hold(self.ground, ended, findings).await?);
        Ok(unverified)
    }

    /// Compares the catalogue as it is at one moment; gives the acts that were recorded until then.
    async fn compare(
        &self,
        copy: &mut Copy,
        size: u64,
        findings: &mut Findings,
    ) -> Result<Vec<StoredEntry>, FsckError> {
        let (db, mut later, mut at) = (&self.ground.db, Vec::new(), size);
        let mut now = db.snapshot().await?;
        archive::take_time(&mut now).await?;
        let until = heads::read_tree_in(&mut now, ACTS).await?.map_or(0, |head| head.size);
        while at < until {
            let next = until.min(at + STEP);
            let page = entries::present(db, ACTS, at..next).await?;
            let rows = kept::read_in(&mut now, at..next).await?;
            copy.page(db, &page, rows).await?;
            later.extend(page.into_iter().filter(erases));
            at = next;
        }
        for difference in catalogue::compare_in(&mut now, copy.db()).await? {
            findings.push(copy::finding_of(difference));
        }
        now.rollback().await?;
        Ok(later)
    }

    /// The acts that erased something since the logs were pinned.
    async fn later(&self, size: u64) -> Result<Vec<StoredEntry>, FsckError> {
        let (db, mut later, mut at) = (&self.ground.db, Vec::new(), size);
        let until = heads::read_tree(db, ACTS).await?.map_or(0, |head| head.size);
        while at < until {
            let next = until.min(at + STEP);
            later.extend(entries::present(db, ACTS, at..next).await?.into_iter().filter(erases));
            at = next;
        }
        Ok(later)
    }

    /// The table of checks, beside the journals.
    async fn journals(&self, stored: &Stored<'_>, findings: &mut Findings) -> Result<(), FsckError> {
        let (db, mut done) = (&self.ground.db, self.done + stored.size(ACTS));
        for (log, size) in stored.journals() {
            let (mut at, mut last_ms) = (0, i64::MIN);
            while at < size {
                let until = size.min(at + STEP);
                let page = entries::present(db, log, at..until).await?;
                for finding in rows::times(&page, &mut last_ms) {
                    findings.push(finding.in_log(&name(log)));
                }
                let (told, unreadable) = checks::told(log, &page);
                if self.asked.scope == Scope::Hashes {
                    // Nobody else has read them.
                    for finding in unreadable {
                        findings.push(finding.in_log(&name(log)));
                    }
                }
                let noted = crate::store::checks::of_range(db, log, at..until).await?;
                if let Some(finding) = checks::difference(&told, &noted) {
                    findings.push(finding);
                }
                done += until - at;
                at = until;
                (self.progress)(done, self.of);
                self.asked.pace.rest().await;
            }
        }
        Ok(())
    }
}

fn erases(stored: &StoredEntry) -> bool {
    serde_json::from_slice(&stored.bytes).is_ok_and(|entry: Entry| matches!(entry.act, Act::PayloadErased(_)))
}
