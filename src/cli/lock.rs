//! One server a database file: the lock in the data folder.
//!
//! Commands beside a running server are allowed: on SQLite and on PostgreSQL alike the log grows by compare-and-swap
//! under the database's own lock, and every process reads the head before it answers. Two *servers* on one SQLite file
//! are refused all the same, because they would have one journal and one name between them, and are always a mistake.

use std::fs::{File, TryLockError};

use super::Failure;
use crate::config::Config;

/// Held as long as the server runs; the operating system takes it back from a process that is gone.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is held as long as the file is open")] File);

impl Lock {
    /// Takes the lock of the data folder, which is made if it is not there. Several nodes on one PostgreSQL may share
    /// a folder: there each node's name has a lock of its own.
    pub(super) fn take(config: &Config) -> Result<Self, Failure> {
        let folder = &config.data_dir;
        let refuse = |error: std::io::Error| {
            Failure::new(format!("the data folder `{}` can't be used: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(refuse)?;
        let embedded = config.database_url.is_embedded();
        let name = if embedded { "serve.lock".to_owned() } else { format!("serve.{}.lock", config.node) };
        let file = File::options().create(true).append(true).open(folder.join(name)).map_err(refuse)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Failure::new(format!(
                "another server uses the data folder `{}`{}: stop it first, or give this one another folder with \
                 `--data-dir`",
                folder.display(),
                if embedded { String::new() } else { format!(" as the node `{}`", config.node) }
            ))),
            Err(TryLockError::Error(error)) => Err(refuse(error)),
        }
    }
}
