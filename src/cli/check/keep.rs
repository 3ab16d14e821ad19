//! The answer as it came, kept for its receipts: a file that has its name only once the answer is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cli::Failure;

/// Where the lines of an answer are kept.
pub(super) struct Keep {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Keep {
    /// In a file of this name, which must not be there: it may be another answer, and there is no other copy.
    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        if path.exists() {
            let shown = path.display();
            return Err(Failure::usage(format!(
                "`{shown}` is there already: keep this answer under another name"
            )));
        }
        let mut keep = Self { path: path.to_owned(), file: None };
        let file = File::create(keep.unfinished()).map_err(|error| keep.refuse(&error))?;
        keep.file = Some(BufWriter::new(file));
        Ok(keep)
    }

    fn unfinished(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".part");
        name.into()
    }

    fn refuse(&self, error: &io::Error) -> Failure {
        Failure::new(format!("the answer can't be kept in `{}`: {error}", self.path.display()))
    }

    /// Keeps a line.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(line).and_then(|()| file.write_all(b"\n"));
        written.map_err(|error| self.refuse(&error))
    }

    /// Gives the file its name: the answer is whole, and is believed.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let written =
            file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        let named = written.and_then(|()| std::fs::rename(self.unfinished(), &self.path));
        named.map_err(|error| self.refuse(&error))
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // What is not whole is no answer. Where it can't be deleted it still has no name that says otherwise.
            drop(std::fs::remove_file(self.unfinished()));
        }
    }
}
