//! Backup and restore: one form for both databases, made while the server runs.
//!
//! A backup is a folder: `registry.db`, an SQLite database with every table as of one moment; the signing keys, where
//! they were asked for; and `manifest.json`, written last, with the digest of each file and the size and root of each
//! log. A folder without a manifest is no backup. [`restore()`] verifies all of it before it touches anything, fills an
//! empty database of either kind in one transaction, and reads it again before it commits.

mod files;
mod restore;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::fsck::{FsckError, refuse_missing_file};
use super::keys::KeyName;
use super::node::Settings;
use crate::clock::Clock;
use crate::log::merkle::TreeHead;
use crate::store::heads::{self, ACTS};
use crate::store::high_water::HighWater;
use crate::store::{Db, StoreError, archive};
pub use files::Named;
pub use restore::{Restored, restore};

/// The names of the signing keys in a data folder.
pub const KEYS: [&str; 9] = [
    KeyName::ActLog.file(),
    KeyName::Journal.file(),
    KeyName::Receipt.file(),
    KeyName::Token.file(),
    KeyName::Sealing.file(),
    // Those that are prepared.
    KeyName::ActLog.next_file(),
    KeyName::Journal.next_file(),
    KeyName::Receipt.next_file(),
    KeyName::Token.next_file(),
];
const DATABASE: &str = "registry.db";
const MANIFEST: &str = "manifest.json";
const FORM: u32 = 1;

/// What a backup is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of the folder.
    pub form: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When, in milliseconds.
    pub made_ms: i64,
    /// The name of the act log.
    pub origin: String,
    /// Size and root of each log.
    pub logs: Vec<(String, TreeHead)>,
    /// The files, the keys among them where they were asked for.
    pub files: Vec<Named>,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder.
    #[error("`{path}` can't be used: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It would be wrong.
    #[error("{0}")]
    Refused(String),
    /// The manifest.
    #[error("`{path}` is not the manifest of a backup: {source}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The comparison with the log.
    #[error(transparent)]
    Rebuild(#[from] FsckError),
    /// The data folder.
    #[error(transparent)]
    Open(#[from] super::node::OpenError),
}

/// Writes a backup of one moment into the folder `to`, which must be empty or not there; the server may run meanwhile.
/// With `keys` it holds the signing keys, and then whoever has it can sign as this registry.
pub async fn backup(
    settings: &Settings,
    clock: &Clock,
    to: &Path,
    keys: bool,
) -> Result<Manifest, BackupError> {
    refuse_missing_file(&settings.database_url)?;
    let db = Db::connect(&settings.database_url).await?;
    match heads::read(&db, ACTS).await? {
        Some(head) if head.origin == settings.origin => {}
        Some(head) => {
            let (found, expected) = (head.origin, &settings.origin);
            return Err(BackupError::Refused(format!(
                "the log in this database is `{found}`, and the settings say `{expected}`"
            )));
        }
        None => return Err(BackupError::Refused("the database holds no log".to_owned())),
    }
    HighWater::open(&settings.data_dir, &settings.node).await?.check(&db).await?;
    files::make_folder(to)?;
    let logs = copy_out(&db, &to.join(DATABASE)).await?;
    db.close().await;
    let mut named = vec![files::name(to, DATABASE)?];
    for key in KEYS.into_iter().filter(|_| keys) {
        let path = settings.data_dir.join(key);
        // Those without which the logs can't go on must be there; others come with the first start of the program that has them.
        // What is kept elsewhere is backed up there.
        let must_be = |name: &KeyName| name.file() == key && !settings.keys.is_elsewhere(*name);
        let may_lack = ![KeyName::ActLog, KeyName::Journal].iter().any(must_be);
        if may_lack && !path.exists() {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(files::refuse(&path))?;
        files::write(&to.join(key), &bytes)?;
        named.push(files::name(to, key)?);
    }
    let manifest = Manifest {
        form: FORM,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_ms: clock.now_ms(),
        origin: settings.origin.clone(),
        logs,
        files: named,
    };
    let path = to.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|source| BackupError::Manifest { path: path.clone(), source })?;
    files::settle(to)?;
    files::write(&path, &text)?;
    files::settle(to)?;
    Ok(manifest)
}

/// Copies every table as of one moment into a new SQLite file, and says what logs it holds.
async fn copy_out(db: &Db, path: &Path) -> Result<Vec<(String, TreeHead)>, BackupError> {
    drop(files::create(path)?);
    let copy = Db::connect_sized(&format!("sqlite:{}", path.display()), 1).await?;
    let (mut from, mut to) = (db.snapshot().await?, copy.begin().await?);
    archive::take_time(&mut from).await?;
    for table in archive::TABLES {
        archive::copy(table, &mut from, &mut to).await?;
    }
    to.commit().await?;
    from.rollback().await?;
    let logs = heads::list(&copy).await?;
    copy.close().await;
    Ok(logs)
}
