//! The folder into which logs are exported. As long as something is missing, a file says so.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::Failure;
use crate::log::checkpoint::claimed;
use crate::log::digest::sha256;
use crate::log::merkle::TreeHead;
use crate::registry::offline::{Folder, INCOMPLETE, LIST, Piece, ToldLog, ToldPage};
use crate::registry::published::LogName;
use crate::store::private;

/// What the file says.
const NOT_YET: &str = "This folder is not complete: `kyodaku export` has not ended well. Run it again.\n";

/// A folder that is written into, by one process at a time.
pub(super) struct Keep {
    path: PathBuf,
    folder: Folder,
    /// The file that says that the folder is not complete; held as long as this one writes.
    _incomplete: File,
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("`{}` can't be used: {error}", path.display()))
}

/// Replaces a file so that after a power cut either the old or the new one is there, whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || {
        private::make_folder(folder)?;
        let mut file = private::to_write().create(true).truncate(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| failed(path, &error))
}

/// Lets the disk have the names in a folder.
fn settle(folder: &Path) -> Result<(), Failure> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))
}

impl Keep {
    /// Opens a folder, which is made if it is not there. One that holds something else is refused.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        private::make_folder(path).map_err(|error| failed(path, &error))?;
        let is_ours = [LIST, INCOMPLETE].iter().any(|name| path.join(name).is_file());
        let mut names = fs::read_dir(path).map_err(|error| failed(path, &error))?;
        if !is_ours && names.next().is_some() {
            return Err(Failure::usage(format!("the folder `{}` holds something else", path.display())));
        }
        let mark = path.join(INCOMPLETE);
        let mut incomplete = private::to_write()
            .create(true)
            .truncate(false)
            .open(&mark)
            .map_err(|error| failed(&mark, &error))?;
        match incomplete.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let shown = path.display();
                return Err(Failure::new(format!(
                    "another export into `{shown}` is under way: let it end first"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&mark, &error)),
        }
        let written = incomplete.write_all(NOT_YET.as_bytes()).and_then(|()| incomplete.sync_all());
        written.map_err(|error| failed(&mark, &error))?;
        settle(path)?;
        Ok(Self { path: path.to_owned(), folder: Folder::new(path), _incomplete: incomplete })
    }

    /// Whether a file is there. It is there whole or not at all.
    pub(super) fn has(&self, log: &LogName, piece: Piece) -> bool {
        self.folder.path(log, piece).is_file()
    }

    /// A file, if it is there.
    pub(super) fn read(&self, log: &LogName, piece: Piece) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.folder.path(log, piece);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// The head that an earlier run exported whole.
    pub(super) fn newest(&self, log: &LogName) -> Result<Option<TreeHead>, Failure> {
        let Some(note) = self.read(log, Piece::Newest)? else { return Ok(None) };
        let path = self.folder.path(log, Piece::Newest);
        claimed(&note).map(|checkpoint| Some(checkpoint.head())).map_err(|error| failed(&path, &error))
    }

    /// Keeps a file.
    pub(super) fn write(&self, log: &LogName, piece: Piece, bytes: &[u8]) -> Result<(), Failure> {
        write(&self.folder.path(log, piece), bytes)
    }

    /// Removes a file that is there.
    pub(super) fn forget(&self, log: &LogName, piece: Piece) -> Result<(), Failure> {
        let path = self.folder.path(log, piece);
        fs::remove_file(&path).map_err(|error| failed(&path, &error))
    }

    /// Keeps a checkpoint that contradicts what is here.
    pub(super) fn evidence(&self, log: &LogName, size: u64, note: &[u8]) -> Result<PathBuf, Failure> {
        let path = self.path.join(format!("evidence-{log}-{size}-{}", sha256(note)));
        write(&path, note)?;
        Ok(path)
    }

    /// Writes the list of logs: the folder is complete.
    pub(super) fn finish(&self, items: Vec<ToldLog>) -> Result<(), Failure> {
        let list = self.path.join(LIST);
        let page = ToldPage { items, next: None };
        let mut bytes = serde_json::to_vec_pretty(&page).map_err(|error| failed(&list, &error))?;
        bytes.push(b'\n');
        write(&list, &bytes)?;
        settle(&self.path)?;
        let mark = self.path.join(INCOMPLETE);
        fs::remove_file(&mark).map_err(|error| failed(&mark, &error))?;
        settle(&self.path)
    }
}
