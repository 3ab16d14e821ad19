//! A backup becomes a registry again.

use std::path::Path;

use super::{BackupError, DATABASE, FORM, KEYS, MANIFEST, Manifest, files};
use crate::clock::Clock;
use crate::log::merkle::TreeHead;
use crate::registry::keys::KeyName;
use crate::registry::marks;
use crate::registry::node::{Settings, make_folder};
use crate::registry::rebuild::examine;
use crate::store::high_water::{self, HighWater};
use crate::store::{Db, archive, heads};

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The backup.
    pub manifest: Manifest,
    /// What could not be verified, and why.
    pub unverified: Vec<String>,
    /// The signing keys that neither the backup nor the data folder has; new ones are made at the next start.
    pub keys_missing: Vec<&'static str>,
}

/// Restores the backup in the folder `from` into the empty database and the data folder of `settings`.
///
/// Everything is verified first, and nothing is changed where anything differs: the files against the manifest, the
/// logs, payloads, seals, checkpoints and the catalogue as [`examine`] does. A backup older than what was
/// published from this data folder is refused: a revocation that was acknowledged since would be lost, and what it revoked
/// would be permitted again.
pub async fn restore(
    settings: &Settings,
    clock: &Clock,
    from: &Path,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Restored, BackupError> {
    let manifest = read_manifest(from)?;
    if manifest.origin != settings.origin {
        let (found, expected) = (&manifest.origin, &settings.origin);
        return Err(BackupError::Refused(format!(
            "the log in this backup is `{found}`, and the settings say `{expected}`"
        )));
    }
    make_folder(&settings.data_dir)?;
    let staging = settings.data_dir.join(format!("restore-{}", clock.new_uuid()));
    files::make_folder(&staging)?;
    let restored = restore_by(&staging, settings, clock, (from, manifest), progress).await;
    std::fs::remove_dir_all(&staging).map_err(files::refuse(&staging))?;
    restored
}

async fn restore_by(
    staging: &Path,
    settings: &Settings,
    clock: &Clock,
    (from, manifest): (&Path, Manifest),
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<Restored, BackupError> {
    for named in &manifest.files {
        files::fetch(named, from, staging)?;
    }
    let keys_missing = stage_keys(staging, settings)?;
    let staged = Settings {
        database_url: format!("sqlite:{}", staging.join(DATABASE).display()),
        data_dir: staging.to_owned(),
        ..settings.clone()
    };
    let report = examine(&staged, clock, progress).await?;
    if let Some(finding) = report.findings.kept().first() {
        return Err(BackupError::Refused(format!("the backup is broken: {finding}")));
    }
    let source = Db::connect(&staged.database_url).await?;
    let logs = heads::list(&source).await?;
    if logs != manifest.logs {
        return Err(BackupError::Refused("the backup holds other logs than its manifest says".to_owned()));
    }
    let keys = marks::own_keys(&staged).map_err(|error| BackupError::Refused(error.to_string()))?;
    let mut given_up = Vec::new();
    for node in high_water::nodes(&settings.data_dir)? {
        if !marks::fit(&source, &HighWater::open(&settings.data_dir, &node).await?, &keys).await? {
            given_up.push(node);
        }
    }
    let heads: Vec<(&str, TreeHead)> = logs.iter().map(|(log, head)| (log.as_str(), *head)).collect();
    fill(&source, settings, staging, &heads, &given_up).await?;
    source.close().await;
    Ok(Restored { manifest, unverified: report.unverified, keys_missing })
}

fn read_manifest(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST);
    let text = std::fs::read(&path).map_err(files::refuse(&path))?;
    let manifest: Manifest = serde_json::from_slice(&text)
        .map_err(|source| BackupError::Manifest { path: path.clone(), source })?;
    let known = |name: &str| name == DATABASE || KEYS.contains(&name);
    if manifest.form != FORM || !manifest.files.iter().all(|named| known(&named.name)) {
        let program = &manifest.program;
        return Err(BackupError::Refused(format!("this program can't read a backup of version {program}")));
    }
    Ok(manifest)
}

/// Puts the keys that the data folder has beside those of the backup. Two keys of one name must be the same: which of
/// two is the registry's own nobody here can know.
fn stage_keys(staging: &Path, settings: &Settings) -> Result<Vec<&'static str>, BackupError> {
    let data = &settings.data_dir;
    let mut missing = Vec::new();
    for key in KEYS {
        // None for one that is prepared, without which everything goes on.
        let name = KeyName::ALL.into_iter().find(|name| name.file() == key);
        let (staged, own) = (staging.join(key), data.join(key));
        match (staged.exists(), own.exists()) {
            (true, true) => {
                let read = |path: &Path| std::fs::read(path).map_err(files::refuse(path));
                if read(&staged)? != read(&own)? {
                    return Err(BackupError::Refused(format!(
                        "`{}` is another key than the backup's: restore into another data folder",
                        own.display()
                    )));
                }
            }
            (false, true) => {
                let bytes = std::fs::read(&own).map_err(files::refuse(&own))?;
                files::write(&staged, &bytes)?;
            }
            (true, false) => {}
            (false, false) if name.is_none_or(|name| settings.keys.is_elsewhere(name)) => {}
            (false, false) if name == Some(KeyName::ActLog) => {
                return Err(BackupError::Refused(format!(
                    "the backup holds no signing keys: put `{key}` and the others into `{}` first",
                    data.display()
                )));
            }
            (false, false) => missing.push(key),
        }
    }
    Ok(missing)
}

/// Fills the database in one transaction. Keys and marks are in place before it is committed: a database without its keys
/// would get new ones, and one without its mark would take an older backup. Where it breaks off, it can be done again.
async fn fill(
    source: &Db,
    settings: &Settings,
    staging: &Path,
    heads: &[(&str, TreeHead)],
    given_up: &[String],
) -> Result<(), BackupError> {
    let target = Db::connect(&settings.database_url).await?;
    let (mut from, mut to) = (source.snapshot().await?, target.begin().await?);
    archive::take_time(&mut to).await?;
    if !archive::is_empty(&mut to).await? {
        return Err(BackupError::Refused("the database to restore into is not empty".to_owned()));
    }
    for table in archive::TABLES {
        let copied = archive::copy(table, &mut from, &mut to).await?;
        if archive::contents(table, &mut to).await? != copied {
            return Err(BackupError::Refused(format!("table `{}` was not stored as it was", table.name)));
        }
    }
    for key in KEYS {
        let (staged, own) = (staging.join(key), settings.data_dir.join(key));
        if staged.exists() && !own.exists() {
            let bytes = std::fs::read(&staged).map_err(files::refuse(&staged))?;
            files::write(&own, &bytes)?;
        }
    }
    // Those of other nodes follow when these start.
    if given_up.contains(&settings.node) {
        HighWater::set_aside(&settings.data_dir, &settings.node)?;
    }
    let mut marks = HighWater::open(&settings.data_dir, &settings.node).await?;
    marks.raise(heads).await?;
    marks.belong_to(&settings.origin).await?;
    files::settle(&settings.data_dir)?;
    to.commit().await?;
    from.rollback().await?;
    target.close().await;
    Ok(())
}
