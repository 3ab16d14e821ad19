//! The results file: whose import it is, then what became of each row, one line a row. It is what the next run goes on
//! from.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::{Failure, output};
use crate::domain::ids::OrgId;

/// The longest line; no row has results so long.
const MAX_LINE_BYTES: u64 = 1 << 20;

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
    /// What was sent under the key, as a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) digest: Option<String>,
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

/// What a file holds the results of: its first line. The results of another import say nothing about this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Heading {
    /// The server.
    pub(in crate::cli) server: String,
    /// Who imported.
    pub(in crate::cli) organization: OrgId,
    /// For whom.
    pub(in crate::cli) on_behalf_of: Option<OrgId>,
    /// What the references are numbers of.
    pub(in crate::cli) source: String,
}

/// What was recorded of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recorded {
    /// The number of its line.
    pub(super) line: u64,
    /// The digest of what was sent.
    pub(super) digest: Option<String>,
}

/// The file, open at its end.
#[derive(Debug)]
pub(super) struct Results {
    path: PathBuf,
    file: File,
    recorded: HashMap<String, Recorded>,
}

impl Results {
    /// Opens the file, or begins it, and reads which rows were recorded by earlier runs of the same import.
    pub(super) fn open(path: &Path, heading: &Heading) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| of_file(path, &error);
        let file = File::options().read(true).append(true).create(true).open(path).map_err(refuse)?;
        let mut results = Self { path: path.to_owned(), file, recorded: HashMap::new() };
        let (found, rows, whole) = read(&results.file, path)?;
        // A line that a killed run left half written must not swallow the next one.
        results.file.set_len(whole).map_err(refuse)?;
        match found {
            Some(found) if found == *heading => {}
            Some(found) => return Err(of_another(path, &found)),
            None => results.write(heading)?,
        }
        results.keep(&rows);
        Ok(results)
    }

    /// What an earlier run, or this one, has recorded under this key.
    pub(super) fn recorded(&self, key: &str) -> Option<&Recorded> {
        self.recorded.get(key)
    }

    /// Adds results; when this returns the disk has them.
    pub(super) fn add(&mut self, results: &[RowResult]) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for result in results {
            serde_json::to_writer(&mut lines, result).map_err(|error| Failure::new(error.to_string()))?;
            lines.push(b'\n');
        }
        self.keep(results);
        self.append(&lines)
    }

    fn keep(&mut self, rows: &[RowResult]) {
        for row in rows {
            if let (Some(key), Some(_)) = (&row.key, &row.work) {
                let recorded = Recorded { line: row.line, digest: row.digest.clone() };
                self.recorded.insert(key.clone(), recorded);
            }
        }
    }

    fn write(&mut self, heading: &Heading) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(heading).map_err(|error| Failure::new(error.to_string()))?;
        line.push(b'\n');
        self.append(&line)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        written.map_err(|error| of_file(&self.path, &error))
    }
}

/// The heading and the results of a file.
pub(in crate::cli) fn read_all(path: &Path) -> Result<(Heading, Vec<RowResult>), Failure> {
    let file = File::open(path).map_err(|error| of_file(path, &error))?;
    let (heading, rows, _) = read(&file, path)?;
    Ok((
        heading.ok_or_else(|| Failure::usage(format!("the results file `{}` is empty", path.display())))?,
        rows,
    ))
}

/// The heading, the rows, and the bytes that whole lines take: a last line that was cut off is passed over.
fn read(file: &File, path: &Path) -> Result<(Option<Heading>, Vec<RowResult>, u64), Failure> {
    let mut lines = BufReader::new(file);
    let (mut heading, mut rows, mut whole) = (None, Vec::new(), 0);
    for number in 1_u64.. {
        let mut line = Vec::new();
        let read = lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        let read = read.map_err(|error| of_file(path, &error))?;
        if line.last() != Some(&b'\n') && (read as u64) < MAX_LINE_BYTES {
            break;
        }
        let is_read = match heading {
            None => serde_json::from_slice(&line).map(|found| heading = Some(found)),
            Some(_) => serde_json::from_slice(&line).map(|row| rows.push(row)),
        };
        is_read.map_err(|_| {
            let path = path.display();
            Failure::usage(format!(
                "`{path}` is not the results file of an import (line {number}): name another with `--results FILE`"
            ))
        })?;
        whole += read as u64;
    }
    Ok((heading, rows, whole))
}

fn of_another(path: &Path, found: &Heading) -> Failure {
    let (path, server, organization) = (path.display(), output::plain(&found.server), found.organization);
    Failure::usage(format!(
        "`{path}` holds the results of another import (`{organization}` at `{server}`): name another file with \
         `--results FILE`"
    ))
}

fn of_file(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("the results file `{}` can't be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(server: &str) -> Heading {
        let organization = "org_01h455vb4pex5vsknk084sn02q".parse().unwrap();
        Heading { server: server.to_owned(), organization, on_behalf_of: None, source: "c".to_owned() }
    }

    fn done(line: u64, key: &str) -> RowResult {
        let (key, work) = (Some(key.to_owned()), Some("wrk_x".to_owned()));
        RowResult { line, key, work, ..RowResult::default() }
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_recorded_and_swallows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, heading) = (folder.path().join("results"), heading("http://a.example"));
        let refused = RowResult { line: 2, key: Some("b".to_owned()), ..RowResult::default() };
        Results::open(&path, &heading).unwrap().add(&[done(1, "a"), refused]).unwrap();
        for cut in [&br#"{"line":3,"key":"c","wo"#[..], b"{"] {
            let mut text = std::fs::read(&path).unwrap();
            text.extend_from_slice(cut);
            std::fs::write(&path, text).unwrap();
            let results = Results::open(&path, &heading).unwrap();
            assert_eq!(["a", "b", "c"].map(|key| results.recorded(key).is_some()), [true, false, false]);
        }
        Results::open(&path, &heading).unwrap().add(&[done(3, "c")]).unwrap();
        let again = Results::open(&path, &heading).unwrap();
        assert!(again.recorded("a").is_some() && again.recorded("c").is_some());
        assert_eq!(read_all(&path).unwrap().1.len(), 3);
    }

    #[test]
    fn another_file_and_the_results_of_another_import_are_refused_and_left_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        Results::open(&path, &heading("http://a.example")).unwrap().add(&[done(1, "a")]).unwrap();
        let before = std::fs::read(&path).unwrap();
        let refused = Results::open(&path, &heading("http://b.example")).unwrap_err();
        assert!(refused.code == 2 && refused.message.contains("another import"), "{}", refused.message);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let broken = [before.as_slice(), b"half\n", br#"{"line":2}"#, b"\n"].concat();
        for text in [&b"title,lang\n"[..], b"{\"title\":\"x\"}\n", &broken] {
            std::fs::write(&path, text).unwrap();
            let refused = Results::open(&path, &heading("http://a.example")).unwrap_err();
            assert!(refused.code == 2 && refused.message.contains("--results"), "{}", refused.message);
            assert_eq!(std::fs::read(&path).unwrap(), text);
        }
        std::fs::write(&path, "").unwrap();
        assert_eq!(read_all(&path).unwrap_err().code, 2);
    }
}
