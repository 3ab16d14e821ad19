//! Writing again what is made from the logs: the catalogue, and the table of checks.
//!
//! [`examine`] changes nothing: it is [`fsck`] of everything. [`rebuild`] does the same, and where nothing but these
//! tables differs writes them again in place.

use super::fsck::{self, Asked, FsckError, Ground, write_catalogue, write_checks};
use super::node::Settings;
use super::offline::{Kind, Report};
use crate::clock::Clock;
use crate::store::heads::{self, ACTS};
use crate::store::{Db, StoreError, archive, catalogue};

/// Whether whatever does not hold can be written again from the logs, which hold.
pub fn is_mendable(report: &Report) -> bool {
    report.findings.counts().keys().all(|kind| *kind == Kind::Derived)
}

/// Examines everything and changes nothing. `progress` is told how many of how many entries are read.
///
/// # Errors
/// When nothing can be read.
pub async fn examine(
    settings: &Settings,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, FsckError> {
    let (ground, asked) = ground(settings, clock).await?;
    let report = fsck::examine(&ground, &asked, progress).await;
    ground.close().await;
    report
}

/// Examines everything, and where only what is made from the logs differs writes it anew, in one transaction that writers wait for.
/// The report says what was found before.
///
/// # Errors
/// When nothing can be read or written.
pub async fn rebuild(
    settings: &Settings,
    clock: &Clock,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Report, FsckError> {
    let (ground, asked) = ground(settings, clock).await?;
    let report = fsck::examine(&ground, &asked, progress).await?;
    if report.findings.total() > 0 && is_mendable(&report) {
        mend(&ground.db, progress).await?;
    }
    ground.close().await;
    Ok(report)
}

/// A database whose tables are brought up to date: what older programs did not note is filled in from the logs.
async fn ground(settings: &Settings, clock: &Clock) -> Result<(Ground, Asked), FsckError> {
    fsck::refuse_missing_file(&settings.database_url)?;
    let db = Db::connect(&settings.database_url).await?;
    let ground = Ground::new(db, settings, clock).await?.of_older();
    Ok((ground, Asked::all(settings.data_dir.clone())))
}

async fn mend(db: &Db, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    archive::take_time(&mut tx).await?;
    // Nobody appends until this is committed, so the catalogue is that of this size.
    let head = heads::lock(&mut tx, ACTS).await?;
    let size = head.map_or(0, |head| head.size());
    catalogue::clear(&mut tx).await?;
    write_catalogue(db, &mut tx, size, progress).await?;
    write_checks(db, &mut tx).await?;
    tx.commit().await
}
