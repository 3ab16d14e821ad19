//! The files of a backup: for the owner's eyes alone, and on the disk before they are named.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::BackupError;
use crate::log::merkle::Hash;
use crate::store::private;

/// A file of a backup, as its manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name in the folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Hash,
}

pub(super) fn refuse(path: &Path) -> impl Fn(std::io::Error) -> BackupError {
    move |source| BackupError::File { path: path.to_owned(), source }
}

/// Makes a folder that only its owner can enter. One that is there must be empty.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    private::make_folder(path).map_err(refuse(path))?;
    if std::fs::read_dir(path).map_err(refuse(path))?.next().is_some() {
        return Err(BackupError::Refused(format!("the folder `{}` is not empty", path.display())));
    }
    Ok(())
}

/// A new file that only its owner can read.
pub(super) fn create(path: &Path) -> Result<File, BackupError> {
    private::to_write().create_new(true).open(path).map_err(refuse(path))
}

/// Writes a new file that the disk has when this returns.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = create(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(refuse(path))
}

/// Length and digest of a file.
pub(super) fn name(folder: &Path, name: &str) -> Result<Named, BackupError> {
    let path = folder.join(name);
    let mut digest = Sha256::new();
    let bytes = pour(&path, |part| {
        digest.update(part);
        Ok(())
    })?;
    Ok(Named { name: name.to_owned(), bytes, sha256: Hash(digest.finalize().into()) })
}

/// Copies a named file; refuses one that is not as it was named.
pub(super) fn fetch(named: &Named, from: &Path, to: &Path) -> Result<(), BackupError> {
    let (source, target) = (from.join(&named.name), to.join(&named.name));
    let (mut file, mut digest) = (create(&target)?, Sha256::new());
    let bytes = pour(&source, |part| {
        digest.update(part);
        file.write_all(part)
    })?;
    file.sync_all().map_err(refuse(&target))?;
    if bytes != named.bytes || Hash(digest.finalize().into()) != named.sha256 {
        let path = source.display();
        return Err(BackupError::Refused(format!("`{path}` is not the file that the backup was made with")));
    }
    Ok(())
}

fn pour(path: &Path, mut into: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<u64, BackupError> {
    let mut file = File::open(path).map_err(refuse(path))?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
    loop {
        let read = file.read(&mut buffer).map_err(refuse(path))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { return Ok(bytes) };
        into(part).map_err(refuse(path))?;
        bytes += part.len() as u64;
    }
}

/// Lets the disk have the names of a folder.
pub(super) fn settle(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(refuse(folder))
}
