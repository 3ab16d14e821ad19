//! The high-water mark: what this installation has published, kept outside the database and its backups.
//!
//! A database restored from an older backup is a perfectly good database of a log that is too short: to append to it
//! would fork a published history. So the size and root of each log are written to a file after each commit, and a
//! database that does not contain what the file says is refused at start.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::file::{Lock, Stored, file_error};
use super::db::Db;
use super::error::StoreError;
use super::{heads, tiles};
use crate::log::merkle::TreeHead;

/// How the file's name in the data folder begins; the node's name follows.
const FILE_NAME: &str = "high-water";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    /// Size and root, by log.
    logs: BTreeMap<String, TreeHead>,
    /// The name of the act log in the history to which they belong; none where an older program wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

impl Marks {
    fn covers(&self, heads: &[(&str, TreeHead)]) -> bool {
        heads.iter().all(|(log, head)| self.logs.get(*log).is_some_and(|mark| mark.size >= head.size))
    }
}

/// The marks, and the file they are in. Each node has a file of its own. A command that is run beside a node shares
/// its file: each raises what the other wrote, one at a time.
#[derive(Debug)]
pub struct HighWater {
    folder: PathBuf,
    file: String,
    marks: Marks,
    /// Whether the disk has them, and not only the operating system.
    are_durable: bool,
}

impl HighWater {
    /// Reads the marks of `node` in `folder`, which must exist; there are none yet if it has no such file.
    ///
    /// # Errors
    /// [`StoreError::HighWater`] when the file is there and unreadable: a mark that cannot be read is not "no mark".
    pub async fn open(folder: &Path, node: &str) -> Result<Self, StoreError> {
        let file = format!("{FILE_NAME}.{node}");
        let path = folder.join(&file);
        let stored = match Stored::found(&path, tokio::fs::read(&path).await) {
            // It may have been written meanwhile.
            Err(StoreError::HighWater(_)) => Stored::found(&path, tokio::fs::read(&path).await),
            found => found,
        };
        Ok(Self { folder: folder.to_owned(), file, marks: stored?.marks, are_durable: false })
    }

    /// Sets the marks of `node` aside, because what they say is given up; gives the name of the file that keeps them.
    ///
    /// # Errors
    /// [`StoreError::File`] when the file can't be renamed.
    pub fn set_aside(folder: &Path, node: &str) -> Result<String, StoreError> {
        let file = format!("{FILE_NAME}.{node}");
        let path = folder.join(&file);
        let _lock = Lock::take(folder, &file)?;
        // Never over another one: each is evidence.
        let name = (1_u32..).map(|number| format!("{FILE_NAME}.{node}.given-up-{number}"));
        let name = name.into_iter().find(|name| !folder.join(name).exists()).unwrap_or_default();
        std::fs::rename(&path, folder.join(&name)).map_err(|error| file_error(&path, error))?;
        Ok(name)
    }

    /// The name of the act log in the history to which the marks belong, where it is known.
    pub fn origin(&self) -> Option<&str> {
        self.marks.origin.as_deref()
    }

    /// Every mark, by log.
    pub fn all(&self) -> impl Iterator<Item = (&str, TreeHead)> {
        self.marks.logs.iter().map(|(log, mark)| (log.as_str(), *mark))
    }

    /// Notes that the marks belong to the history in which the act log has this name: a database of it was found to hold them.
    pub async fn belong_to(&mut self, origin: &str) -> Result<(), StoreError> {
        if self.are_durable && self.origin() == Some(origin) {
            return Ok(());
        }
        let name = origin.to_owned();
        self.change(move |marks| marks.origin = Some(name)).await
    }

    /// The mark of `log`.
    pub fn mark(&self, log: &str) -> Option<TreeHead> {
        self.marks.logs.get(log).copied()
    }

    /// Refuses a database that lacks a part of what was published from here.
    ///
    /// # Errors
    /// [`StoreError::HighWater`] when a marked log is missing, is shorter, or had another root at that size.
    pub async fn check(&self, db: &Db) -> Result<(), StoreError> {
        for (log, mark) in &self.marks.logs {
            let stored = heads::read_tree(db, log).await?.unwrap_or(TreeHead::EMPTY);
            let (size, marked) = (stored.size, mark.size);
            if size < marked {
                return Err(self.refusal(&format!(
                    "log `{log}` has {size} entries here, and {marked} were published: the database is an older copy"
                )));
            }
            let root = if size == marked { stored.root } else { tiles::root_at(db, log, marked).await? };
            if root != mark.root {
                return Err(self.refusal(&format!(
                    "log `{log}` had another root at size {marked} when it was published: the database has another \
                     history"
                )));
            }
        }
        Ok(())
    }

    /// Raises the mark of each log in `heads` and returns when the disk has it. Marks never sink: a lower head is
    /// passed over. Call it after the commit and before anything of it is published.
    ///
    /// Dropped before it returns, it still raises, or never began: the write is a task of its own, alone behind the
    /// file's lock, and what it finds there it never lowers.
    pub async fn raise(&mut self, heads: &[(&str, TreeHead)]) -> Result<(), StoreError> {
        if heads.is_empty() || self.are_durable && self.marks.covers(heads) {
            return Ok(());
        }
        let heads: Vec<(String, TreeHead)> =
            heads.iter().map(|(log, head)| ((*log).to_owned(), *head)).collect();
        self.change(move |marks| {
            for (log, head) in heads {
                let mark = marks.logs.entry(log).or_insert(TreeHead::EMPTY);
                if head.size > mark.size {
                    *mark = head;
                }
            }
        })
        .await
    }

    /// Changes the marks in the file, and takes up what they are then.
    async fn change(&mut self, change: impl FnOnce(&mut Marks) + Send + 'static) -> Result<(), StoreError> {
        let (folder, file) = (self.folder.clone(), self.file.clone());
        let changed = tokio::task::spawn_blocking(move || file::change(&folder, &file, change)).await;
        self.marks = changed.map_err(|error| StoreError::Program(error.to_string()))??;
        self.are_durable = true;
        Ok(())
    }

    fn refusal(&self, why: &str) -> StoreError {
        StoreError::HighWater(format!(
            "{why} (mark in `{}`); restore the newest database, or start a new log origin",
            self.folder.join(&self.file).display()
        ))
    }
}

/// The nodes that have marks in `folder`.
pub fn nodes(folder: &Path) -> Result<Vec<String>, StoreError> {
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let names = listed.map_err(|error| file_error(folder, error))?;
    let names = names.iter().filter_map(|entry| entry.file_name().into_string().ok());
    // What else begins so is a lock, or a file that was not finished.
    let node = |name: String| name.strip_prefix(FILE_NAME)?.strip_prefix('.').map(str::to_owned);
    let mut nodes: Vec<String> = names.filter_map(node).filter(|node| !node.contains('.')).collect();
    nodes.sort_unstable();
    Ok(nodes)
}
