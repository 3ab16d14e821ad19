//! The results file: what became of each row, one line a row. It is what the next run goes on from.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::Failure;

/// What became of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct RowResult {
    /// The number of its line in the catalogue.
    pub(in crate::cli) line: u64,
    /// The row's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) reference: Option<String>,
    /// The key under which it was sent: the same row has the same key in every run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) key: Option<String>,
    /// The work that it became; none when it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) work: Option<String>,
    /// The work's holdings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) holdings: Vec<String>,
    /// The work's bindings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) bindings: Vec<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) errors: Vec<String>,
}

/// The file, open at its end.
pub(super) struct Results {
    path: PathBuf,
    file: File,
    recorded: HashSet<String>,
}

impl Results {
    /// Opens the file, and reads which rows were recorded by earlier runs.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| of_file(path, &error);
        let mut file = File::options().read(true).append(true).create(true).open(path).map_err(refuse)?;
        let mut recorded = HashSet::new();
        for result in read(&file, path)? {
            if let (Some(key), Some(_)) = (result.key, result.work) {
                recorded.insert(key);
            }
        }
        // A line that a killed run left half written must not swallow the next one.
        if file.seek(SeekFrom::End(0)).map_err(refuse)? > 0 {
            file.write_all(b"\n").map_err(refuse)?;
        }
        Ok(Self { path: path.to_owned(), file, recorded })
    }

    /// Whether an earlier run, or this one, has recorded the row with this key.
    pub(super) fn is_recorded(&self, key: &str) -> bool {
        self.recorded.contains(key)
    }

    /// Adds results; when this returns the disk has them.
    pub(super) fn add(&mut self, results: &[RowResult]) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for result in results {
            serde_json::to_writer(&mut lines, result).map_err(|error| Failure::new(error.to_string()))?;
            lines.push(b'\n');
            if let (Some(key), Some(_)) = (&result.key, &result.work) {
                self.recorded.insert(key.clone());
            }
        }
        self.file
            .write_all(&lines)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| of_file(&self.path, &error))
    }
}

/// The results of a file. Blank lines and one that was cut off are passed over.
pub(in crate::cli) fn read_all(path: &Path) -> Result<Vec<RowResult>, Failure> {
    let file = File::open(path).map_err(|error| of_file(path, &error))?;
    read(&file, path)
}

fn read(file: &File, path: &Path) -> Result<Vec<RowResult>, Failure> {
    let mut results = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|error| of_file(path, &error))?;
        results.extend(serde_json::from_slice::<RowResult>(&line));
    }
    Ok(results)
}

fn of_file(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("the results file `{}` can't be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_is_not_recorded_and_swallows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        let done = |line: u64, key: &str| RowResult {
            line,
            key: Some(key.to_owned()),
            work: Some("wrk_x".to_owned()),
            ..RowResult::default()
        };
        let refused = RowResult { line: 2, key: Some("b".to_owned()), ..RowResult::default() };
        Results::open(&path).unwrap().add(&[done(1, "a"), refused]).unwrap();
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(br#"{"line":3,"key":"c","wo"#);
        std::fs::write(&path, text).unwrap();
        let mut results = Results::open(&path).unwrap();
        assert_eq!(["a", "b", "c"].map(|key| results.is_recorded(key)), [true, false, false]);
        results.add(&[done(3, "c")]).unwrap();
        let again = Results::open(&path).unwrap();
        assert!(again.is_recorded("a") && again.is_recorded("c"));
        assert_eq!(read_all(&path).unwrap().len(), 3);
    }
}
