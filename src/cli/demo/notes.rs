//! What the demo has done so far, in a file of its folder: with it a second run continues, and one that was killed goes
//! on where it ended.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::Failure;
use crate::store::private;

/// The name of the file, and the sign that a folder is the demo's.
pub(super) const FILE: &str = "demo.json";

/// What an operation made, as far as the story needs it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Made {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Issued>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) work: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) holdings: Vec<HoldingMade>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) bindings: Vec<BindingMade>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reservation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proposal: Option<String>,
}

/// A new key; its secret is shown once.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Issued {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issued(…)")
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HoldingMade {
    pub(super) holding: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BindingMade {
    pub(super) binding: String,
}

/// The notes.
pub(super) struct Notes {
    path: PathBuf,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// What each step made, by its name.
    steps: BTreeMap<String, Made>,
    /// From which size of the log each scene was answered, by its name.
    scenes: BTreeMap<String, u64>,
}

impl Notes {
    /// The notes of a folder. A folder that holds something and no notes is somebody else's.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| of_folder(folder, &error);
        let path = folder.join(FILE);
        if path.exists() {
            let text = std::fs::read(&path).map_err(refuse)?;
            let kept = serde_json::from_slice(&text).map_err(|error| {
                Failure::new(format!(
                    "the demo's notes `{}` can't be read: {error}; delete the folder to begin anew",
                    path.display()
                ))
            })?;
            return Ok(Self { path, kept });
        }
        private::make_folder(folder).map_err(refuse)?;
        if std::fs::read_dir(folder).map_err(refuse)?.next().is_some() {
            return Err(Failure::usage(format!(
                "`{}` holds something that is not the demo's: name another folder with `--data-dir`",
                folder.display()
            )));
        }
        let notes = Self { path, kept: Kept::default() };
        notes.write()?;
        Ok(notes)
    }

    /// What a step made, if it was done.
    pub(super) fn step(&self, name: &str) -> Option<&Made> {
        self.kept.steps.get(name)
    }

    /// Notes that a step is done; when this returns the disk has it.
    pub(super) fn done(&mut self, name: &str, made: Made) -> Result<(), Failure> {
        self.kept.steps.insert(name.to_owned(), made);
        self.write()
    }

    /// From which size of the log a scene was answered, if it was told.
    pub(super) fn scene(&self, name: &str) -> Option<u64> {
        self.kept.scenes.get(name).copied()
    }

    /// Notes that a scene was told.
    pub(super) fn told(&mut self, name: &str, log_size: u64) -> Result<(), Failure> {
        self.kept.scenes.insert(name.to_owned(), log_size);
        self.write()
    }

    /// The key of an organization's first person.
    pub(super) fn key(&self, who: &str) -> Result<&str, Failure> {
        let made = self.step(&format!("org:{who}")).and_then(|made| made.key.as_ref());
        let secret = made.and_then(|key| key.secret.as_deref());
        secret.ok_or_else(|| self.missing(who))
    }

    /// The id of an organization.
    pub(super) fn org(&self, who: &str) -> Result<&str, Failure> {
        let made = self.step(&format!("org:{who}")).and_then(|made| made.organization.as_deref());
        made.ok_or_else(|| self.missing(who))
    }

    /// The id of a work.
    pub(super) fn work(&self, what: &str) -> Result<&str, Failure> {
        let made = self.step(&format!("work:{what}")).and_then(|made| made.work.as_deref());
        made.ok_or_else(|| self.missing(what))
    }

    fn missing(&self, name: &str) -> Failure {
        Failure::new(format!(
            "the demo's notes `{}` do not know `{name}`: delete the folder to begin anew",
            self.path.display()
        ))
    }

    fn write(&self) -> Result<(), Failure> {
        let beside = self.path.with_extension("new");
        let write = || -> std::io::Result<()> {
            // There are keys in it.
            let mut file = private::to_write().create(true).truncate(true).open(&beside)?;
            file.write_all(&serde_json::to_vec_pretty(&self.kept)?)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        };
        write().map_err(|error| of_folder(&self.path, &error))
    }
}

fn of_folder(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "`{}` can't be used: {error}; name another folder with `--data-dir`",
        path.display()
    ))
}
