//! Folding the log again, into fresh tables and a fresh index, and comparing with what is stored.
//!
//! [`examine`] changes nothing: it computes every log's tree from its entries and holds it against the tiles, the
//! signed checkpoints, the head, the high-water mark and the seals; it holds every payload against its digest; it folds
//! the act log as a node does; it holds the table of checks against the journals; and it writes the catalogue anew into a database of its own, to compare it row by row.
//! [`rebuild`] does the same, and where only the catalogue differs writes it again in place.

mod checks;
mod copy;
mod logs;

use std::path::{Path, PathBuf};

use super::keys::KeyName;
use super::node::Settings;
use crate::clock::Clock;
use crate::store::heads::{self, ACTS};
use crate::store::high_water::HighWater;
use crate::store::{Db, StoreError, archive, catalogue};
use copy::Copy;

/// How often the comparison begins again because the log grew meanwhile.
const ATTEMPTS: usize = 8;

/// Something stored that is not what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: String,
    /// What is there and what should be.
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every log with its number of entries.
    pub logs: Vec<(String, u64)>,
    /// How many checkpoints were verified.
    pub checkpoints: u64,
    /// Faults of the logs, which nothing mends but a good backup; the first of each log.
    pub logs_differ: Vec<Finding>,
    /// Tables of the catalogue that differ, the first row of each; the log can mend those.
    pub catalogue_differs: Vec<Finding>,
    /// What could not be verified here, and why.
    pub unverified: Vec<String>,
}

impl Report {
    /// Whether everything is as the log says.
    pub fn is_clean(&self) -> bool {
        self.logs_differ.is_empty() && self.catalogue_differs.is_empty()
    }
}

/// Why nothing could be examined.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is nothing.
    #[error("there is no registry here: {0}")]
    Nothing(String),
    /// The keys.
    #[error(transparent)]
    Key(#[from] super::keys::SigningKeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder for the fresh tables.
    #[error("the folder `{path}` for the fresh tables can't be used: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Writers were faster, again and again.
    #[error("the log grows faster than its copy can be compared: stop the server, then try again")]
    Growing,
}

/// What [`examine`] and [`rebuild`] work on.
struct Ground {
    db: Db,
    settings: Settings,
}

impl Ground {
    async fn open(settings: &Settings) -> Result<Self, RebuildError> {
        refuse_missing_file(&settings.database_url)?;
        if settings.key(KeyName::ActLog).existing()?.is_none() {
            return Err(RebuildError::Nothing(format!("`{}` holds no key", settings.data_dir.display())));
        }
        let db = Db::connect(&settings.database_url).await?;
        if heads::read_tree(&db, ACTS).await?.is_none_or(|head| head.size == 0) {
            return Err(RebuildError::Nothing("the database holds no log".to_owned()));
        }
        Ok(Self { db, settings: settings.clone() })
    }
}

/// Opening a database makes it, which an examination must not.
pub fn refuse_missing_file(url: &str) -> Result<(), RebuildError> {
    let Some(path) = url.strip_prefix("sqlite:") else { return Ok(()) };
    let path = path.trim_start_matches("//");
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if Path::new(path).is_file() {
        Ok(())
    } else {
        Err(RebuildError::Nothing(format!("`{path}` is not a file")))
    }
}

/// Examines everything and changes nothing. `progress` is told how many of how many entries are read.
pub async fn examine(
    settings: &Settings,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, RebuildError> {
    let ground = Ground::open(settings).await?;
    let (report, copy) = examine_ground(&ground, clock, progress).await?;
    copy.remove().await;
    ground.db.close().await;
    Ok(report)
}

/// Examines everything, and where only the catalogue differs writes it anew, in one transaction that writers wait for.
/// The report says what was found before.
pub async fn rebuild(
    settings: &Settings,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, RebuildError> {
    let ground = Ground::open(settings).await?;
    let (report, copy) = examine_ground(&ground, clock, progress).await?;
    copy.remove().await;
    if report.logs_differ.is_empty() && !report.catalogue_differs.is_empty() {
        let mut tx = ground.db.begin().await?;
        archive::take_time(&mut tx).await?;
        // Nobody appends until this is committed, so the catalogue is that of this size.
        let head = heads::lock(&mut tx, ACTS).await?;
        let size = head.map_or(0, |head| head.size());
        catalogue::clear(&mut tx).await?;
        copy::write_all(&ground.db, &mut tx, size, progress).await?;
        checks::write_all(&ground.db, &mut tx).await?;
        tx.commit().await?;
    }
    ground.db.close().await;
    Ok(report)
}

async fn examine_ground(
    ground: &Ground,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(Report, Copy), RebuildError> {
    let mut report = Report::default();
    if let Err(error) =
        HighWater::open(&ground.settings.data_dir, &ground.settings.node).await?.check(&ground.db).await
    {
        report.logs_differ.push(Finding { place: "high-water mark".to_owned(), what: error.to_string() });
    }
    logs::examine(ground, &mut report, progress).await?;
    let folder = ground.settings.data_dir.join(format!("rebuild-{}", clock.new_uuid()));
    let mut copy = Copy::make(folder).await?;
    // Where the act log itself is broken, a copy of it says nothing more.
    let acts_broken = report.logs_differ.iter().any(|finding| finding.place.starts_with("log `acts`"));
    if !acts_broken && let Err(error) = compare(ground, &mut copy, &mut report, progress).await {
        copy.remove().await;
        return Err(error);
    }
    Ok((report, copy))
}

async fn compare(
    ground: &Ground,
    copy: &mut Copy,
    report: &mut Report,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<(), RebuildError> {
    for _ in 0..ATTEMPTS {
        let size = heads::read_tree(&ground.db, ACTS).await?.map_or(0, |head| head.size);
        if let Some(finding) = copy.fold_to(&ground.db, size, progress).await? {
            report.logs_differ.push(finding);
            return Ok(());
        }
        let differences = catalogue::compare(&ground.db, copy.db()).await?;
        let after = heads::read_tree(&ground.db, ACTS).await?.map_or(0, |head| head.size);
        if differences.is_empty() || after == size {
            report.catalogue_differs.extend(differences.into_iter().map(finding_of));
            return Ok(());
        }
    }
    Err(RebuildError::Growing)
}

fn finding_of(difference: catalogue::Difference) -> Finding {
    let row = |row: Option<String>| row.unwrap_or_else(|| "no such row".to_owned());
    Finding {
        place: format!("table `{}`", difference.table),
        what: format!("stored is {}, and the log says {}", row(difference.here), row(difference.there)),
    }
}
