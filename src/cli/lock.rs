//! One server a database file: the locks in the data folder and beside the file.
//!
//! Commands beside a running server are allowed: on SQLite and on PostgreSQL alike the log grows by compare-and-swap
//! under the database's own lock, and every process reads the head before it answers. Two *servers* on one SQLite file
//! are refused all the same, because they would have one journal and one name between them, and are always a mistake.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::Failure;
use crate::config::Config;
use crate::store::db::embedded_file;
use crate::store::private;

/// Held as long as the server runs; the operating system takes it back from a process that is gone.
pub(super) struct Lock(#[expect(dead_code, reason = "a lock is held as long as its file is open")] Vec<File>);

impl Lock {
    /// Takes the lock of the data folder, which is made if it is not there, and that of an embedded database, which may lie
    /// elsewhere. Several nodes on one PostgreSQL may share a folder: there each node's name has a lock of its own.
    pub(super) fn take(config: &Config) -> Result<Self, Failure> {
        let folder = &config.data_dir;
        private::make_folder(folder).map_err(|error| unusable(folder, &error))?;
        let embedded = config.database_url.is_embedded();
        let (name, node) = if embedded {
            ("serve.lock".to_owned(), String::new())
        } else {
            (format!("serve.{}.lock", config.node), format!(" as the node `{}`", config.node))
        };
        let Some(of_folder) = lock(&folder.join(name)).map_err(|error| unusable(folder, &error))? else {
            return Err(Failure::new(format!(
                "another server uses the data folder `{}`{node}: stop it first, or give this one another folder with \
                 `--data-dir`",
                folder.display(),
            )));
        };
        let mut locks = vec![of_folder];
        if let Some(file) = embedded_file(config.database_url.reveal()) {
            // By its one true name, if it is there: a link would have another lock.
            let file = file.canonicalize().unwrap_or(file);
            let mut beside = file.clone().into_os_string();
            beside.push(".lock");
            match lock(Path::new(&beside)) {
                Ok(Some(of_file)) => locks.push(of_file),
                Ok(None) => {
                    return Err(Failure::new(format!(
                        "another server uses the database `{}`: stop it first",
                        file.display()
                    )));
                }
                // Where there is no folder there is no database: whoever opens it says so.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(Path::new(&beside), &error)),
            }
        }
        Ok(Self(locks))
    }
}

/// None when another process holds it.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("the data folder or file `{}` can't be used: {error}", path.display()))
}
