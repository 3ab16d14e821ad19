//! Logs in a folder, as `kyodaku export` writes them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::finding::{Finding, Kind};
use super::told::{MAX_LIST_BYTES, ToldLog, read_list};
use super::{Piece, Report, Signed, Source, Unreadable};
use crate::log::checkpoint::parse_size;
use crate::log::tile::{TILE_WIDTH, TilePath, TileRef};
use crate::registry::published::LogName;

/// The list of logs, as `GET /logs` tells it; written last.
pub const LIST: &str = "logs.json";
/// A file that is there as long as the folder is not complete.
pub const INCOMPLETE: &str = "incomplete";

/// A folder of logs.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder of this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where a file of a log lies.
    pub fn path(&self, log: &LogName, piece: Piece) -> PathBuf {
        // The names are made here, of numbers and of names of nodes: no text of anybody else is ever part of a path.
        self.0.join(log.to_string()).join(piece.to_string())
    }
}

fn refuse(path: &Path, error: &dyn std::fmt::Display) -> Unreadable {
    Unreadable(format!("`{}` can't be read: {error}", path.display()))
}

/// A plain file, if there is one; one byte more than `most` at most. What a link leads to is not looked at.
fn read_plain(path: &Path, most: usize) -> Result<Option<Vec<u8>>, Unreadable> {
    let told = match fs::symlink_metadata(path) {
        Ok(told) => told,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(refuse(path, &error)),
    };
    if !told.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).open(path).map_err(|error| refuse(path, &error))?;
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(told.len().min(most)).unwrap_or_default());
    File::take(file, most).read_to_end(&mut bytes).map_err(|error| refuse(path, &error))?;
    Ok(Some(bytes))
}

impl Source for Folder {
    async fn logs(&self) -> Result<Vec<ToldLog>, Unreadable> {
        if fs::symlink_metadata(self.0.join(INCOMPLETE)).is_ok() {
            return Err(Unreadable(format!(
                "`{}` is not complete: export into it again, until it ends well",
                self.0.display()
            )));
        }
        let path = self.0.join(LIST);
        let bytes = read_plain(&path, MAX_LIST_BYTES)?.ok_or_else(|| refuse(&path, &"it is not there"))?;
        read_list(&bytes).map_err(|why| refuse(&path, &why))
    }

    async fn signed(&self, log: &LogName, after: Option<u64>) -> Result<Signed, Unreadable> {
        let path = self.0.join(log.to_string()).join("checkpoints");
        let sizes = list(&path)?.into_iter().filter_map(|name| parse_size(&name));
        let mut sizes: Vec<u64> = sizes.filter(|size| Some(*size) > after).collect();
        sizes.sort_unstable();
        Ok(Signed { sizes, more: false })
    }

    async fn has_entries(&self, log: &LogName) -> Result<bool, Unreadable> {
        Ok(self.0.join(log.to_string()).join("tile/entries").is_dir())
    }

    async fn read(&self, log: &LogName, piece: Piece) -> Result<Option<Vec<u8>>, Unreadable> {
        read_plain(&self.path(log, piece), piece.max_bytes())
    }
}

/// The names in a folder that are text; none where there is no folder.
fn list(path: &Path) -> Result<Vec<String>, Unreadable> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(refuse(path, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(|error| refuse(path, &error))?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

impl Folder {
    /// Examines what [`verify`](super::verify) had no need of: earlier widths of tiles and bundles, each of which must be how
    /// its last one begins; and whatever lies where nothing belongs.
    pub fn examine_rest(&self, report: &mut Report) -> Result<(), Unreadable> {
        let Report { logs, findings, .. } = report;
        for name in list(&self.0)? {
            let told = fs::symlink_metadata(self.0.join(&name));
            let is_log = logs.iter().any(|it| it.log.to_string() == name);
            if !told.is_ok_and(|told| if is_log { told.is_dir() } else { name == LIST && told.is_file() }) {
                findings.push(stray(&name));
            }
        }
        for log in logs {
            let rest = Rest { folder: self, log: &log.log, size: log.size };
            for finding in rest.all()? {
                findings.push(finding.in_log(&log.log));
            }
        }
        Ok(())
    }
}

fn stray(file: &str) -> Finding {
    Finding::new(Kind::Stray, "nothing belongs here").in_file(&file)
}

/// What lies in the folder of one log.
struct Rest<'a> {
    folder: &'a Folder,
    log: &'a LogName,
    size: u64,
}

impl Rest<'_> {
    fn all(&self) -> Result<Vec<Finding>, Unreadable> {
        let (mut findings, mut folders) = (Vec::new(), vec![String::new()]);
        while let Some(below) = folders.pop() {
            for name in list(&self.folder.0.join(self.log.to_string()).join(&below))? {
                let path = if below.is_empty() { name } else { format!("{below}/{name}") };
                let place = self.folder.0.join(self.log.to_string()).join(&path);
                let told = fs::symlink_metadata(&place).map_err(|error| refuse(&place, &error))?;
                let shown = format!("{}/{path}", self.log);
                if told.is_dir() {
                    // No tile lies deeper: its path would be longer than can be right.
                    if path.split('/').count() > 12 {
                        findings.push(stray(&shown));
                    } else {
                        folders.push(path);
                    }
                } else {
                    findings.extend(self.file(&path, told.is_file())?.map(|finding| finding.in_file(&shown)));
                }
            }
        }
        Ok(findings)
    }

    fn file(&self, path: &str, is_plain: bool) -> Result<Option<Finding>, Unreadable> {
        let is_signed = path.strip_prefix("checkpoints/").is_some_and(|size| parse_size(size).is_some());
        if is_plain && (path == "checkpoint" || is_signed) {
            return Ok(None);
        }
        match path.parse() {
            Ok(tile) if is_plain => self.tile(tile),
            _ => Ok(Some(stray(path))),
        }
    }

    /// A tile or bundle, of whatever width.
    fn tile(&self, tile: TilePath) -> Result<Option<Finding>, Unreadable> {
        let (width, last, whole) = match tile {
            TilePath::Hashes(TileRef { id, width }) => {
                let last = id.width_at(self.size);
                (width, last, TilePath::Hashes(TileRef { id, width: last }))
            }
            TilePath::Entries { index, width } => {
                let left = self.size.saturating_sub(index.saturating_mul(u64::from(TILE_WIDTH)));
                let last = u16::try_from(left).map_or(TILE_WIDTH, |left| left.min(TILE_WIDTH));
                (width, last, TilePath::Entries { index, width: last })
            }
        };
        if width > last {
            return Ok(Some(stray("")));
        }
        if width == last {
            return Ok(None);
        }
        let read =
            |tile| read_plain(&self.folder.path(self.log, Piece::Tile(tile)), Piece::Tile(tile).max_bytes());
        let (Some(earlier), Some(whole)) = (read(tile)?, read(whole)?) else { return Ok(None) };
        let due = match tile {
            TilePath::Hashes(_) => usize::from(width) * crate::log::merkle::HASH_BYTES,
            TilePath::Entries { .. } => super::bundle::read(&whole, width).end,
        };
        let begin = whole.get(..due).unwrap_or(&whole);
        let what = "it is not how the last width of it begins";
        Ok(match earlier.iter().zip(begin).position(|(one, other)| one != other) {
            Some(at) => Some(Finding::new(Kind::TileAltered, what).at_byte(at)),
            None if earlier.len() != begin.len() => {
                Some(Finding::new(Kind::Truncated, what).at_byte(earlier.len().min(begin.len())))
            }
            None => None,
        })
    }
}
