//! The file of marks: two places of the same length, of which each holds marks in a line of JSON.
//!
//! The one that was not written last is overwritten, so that after a power cut in the midst the other one is there, whole.
//! Nothing is made or renamed for that, which is what takes long on a disk: one wait for it and not two.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Marks, StoreError};
use crate::domain::key::Sha256;

/// The least length of a place, so that two places have no block of a disk in common.
const PLACE: usize = 4_096;

/// Marks as they stand in a place, behind the digest of their bytes: another one where a place was not written to its end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// How many times the marks were raised: of two lines the one of more is the newer.
    raised: u64,
    marks: Marks,
}

impl Line {
    fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let json = serde_json::to_string(self).map_err(|error| StoreError::Program(error.to_string()))?;
        Ok(format!("{} {json}", Sha256::of(json.as_bytes())).into_bytes())
    }

    /// As it was written, or none.
    fn of(place: &[u8]) -> Option<Self> {
        let (digest, json) = std::str::from_utf8(place).ok()?.trim_ascii_end().split_once(' ')?;
        if Sha256::of(json.as_bytes()).to_string() != digest {
            return None;
        }
        serde_json::from_str(json).ok()
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) marks: Marks,
    raised: u64,
    /// Where the next ones are to be written, and in what length; none where there is no file, or an older program's.
    free: Option<(usize, usize)>,
}

impl Stored {
    /// What was read from this file; nothing is marked where there is none.
    ///
    /// # Errors
    /// [`StoreError::HighWater`] where it holds no marks that were written to their end.
    pub(super) fn found(path: &Path, read: std::io::Result<Vec<u8>>) -> Result<Self, StoreError> {
        match read {
            Ok(bytes) => Self::of(&bytes).ok_or_else(|| {
                let path = path.display();
                StoreError::HighWater(format!(
                    "the high-water mark `{path}` is unreadable: no mark in it is whole"
                ))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(file_error(path, error)),
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let places = [(first, first.len()), (second, 0)];
        let lines = places.into_iter().filter_map(|(place, other)| Some((Line::of(place)?, other)));
        if let Some((line, other)) = lines.max_by_key(|(line, _)| line.raised) {
            let free = Some((other, first.len()));
            return Some(Self { marks: line.marks, raised: line.raised, free });
        }
        // As older programs wrote them, alone.
        let marks = serde_json::from_slice(bytes).ok()?;
        Some(Self { marks, ..Self::default() })
    }
}

/// Changes the marks in the file as it is now, while no other process does, and gives all of them when the disk has them.
pub(super) fn change(
    folder: &Path,
    file: &str,
    change: impl FnOnce(&mut Marks),
) -> Result<Marks, StoreError> {
    let path = folder.join(file);
    // Another process may have raised it since: writing what this one remembers would lower it again.
    let mut lock = Lock::take(folder, file)?;
    let Stored { mut marks, raised, free } = Stored::found(&path, std::fs::read(&path))?;
    change(&mut marks);
    let line = Line { raised: raised.saturating_add(1), marks };
    let bytes = line.to_bytes()?;
    let is_in_doubt = lock.is_in_doubt()?;
    lock.set_in_doubt(true)?;
    let written = match free.filter(|(_, length)| !is_in_doubt && bytes.len() < *length) {
        Some((from, length)) => overwrite(&path, from, &filled(bytes, length)),
        None => replace(folder, &path, &whole(bytes)),
    };
    written.map_err(|error| file_error(&path, error))?;
    lock.set_in_doubt(false)?;
    Ok(line.marks)
}

/// Keeps all others from changing a file, as long as it is held, and says whether the disk has what the file holds.
///
/// What a write has failed on, or a process was killed in, is read back all the same until the power is cut. Only a whole file
/// may be written then, since what is overwritten could be all that the disk has.
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    const SOUND: u8 = b'0';
    const IN_DOUBT: u8 = b'1';

    pub(super) fn take(folder: &Path, file: &str) -> Result<Self, StoreError> {
        let path = folder.join(format!("{file}.lock"));
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let locked = open.and_then(|file| file.lock().map(|()| file));
        locked.map(|file| Self { path: path.clone(), file }).map_err(|error| file_error(&path, error))
    }

    /// Also where nothing was said yet.
    fn is_in_doubt(&mut self) -> Result<bool, StoreError> {
        let mut said = Vec::new();
        let read = self.file.rewind().and_then(|()| self.file.read_to_end(&mut said));
        read.map_err(|error| file_error(&self.path, error))?;
        Ok(said != [Self::SOUND])
    }

    fn set_in_doubt(&mut self, is_in_doubt: bool) -> Result<(), StoreError> {
        let said = if is_in_doubt { Self::IN_DOUBT } else { Self::SOUND };
        let written = self.file.rewind().and_then(|()| self.file.write_all(&[said]));
        written.map_err(|error| file_error(&self.path, error))
    }
}

/// A line that takes up a whole place.
fn filled(mut line: Vec<u8>, length: usize) -> Vec<u8> {
    line.resize(length.saturating_sub(1), b' ');
    line.push(b'\n');
    line
}

/// A file with this line, and a free place; both leave some room.
fn whole(line: Vec<u8>) -> Vec<u8> {
    let length = PLACE.max((2 * line.len()).next_multiple_of(PLACE));
    [filled(line, length), filled(Vec::new(), length)].concat()
}

/// Overwrites a part of a file. The disk has it then; cut off in the midst, it has any part of it.
fn overwrite(path: &Path, from: usize, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(from as u64))?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Replaces a file so that after a power cut either the old or the new one is there, whole.
fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temporary = folder.join(format!("{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}

pub(super) fn file_error(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::File { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::merkle::TreeHead;

    const FILE: &str = "high-water.one";

    fn raise(folder: &Path, logs: usize, size: u64) -> Marks {
        let log = |number: usize| (format!("checks/{number}"), TreeHead { size, ..TreeHead::EMPTY });
        change(folder, FILE, |marks| marks.logs.extend((0..logs).map(log))).unwrap()
    }

    fn stored(path: &Path) -> Result<Stored, StoreError> {
        Stored::found(path, std::fs::read(path))
    }

    fn size(folder: &Path) -> u64 {
        stored(&folder.join(FILE)).unwrap().marks.logs["checks/0"].size
    }

    #[test]
    fn what_was_not_written_to_its_end_leaves_what_was_before() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join(FILE));
        raise(folder, 2, 1);
        for last in 2..6 {
            let before = std::fs::read(&path).unwrap();
            raise(folder, 2, last);
            let after = std::fs::read(&path).unwrap();
            assert_eq!((after.len(), before.len()), (2 * PLACE, 2 * PLACE));
            let at = |(before, after): (&u8, &u8)| before != after;
            let from = before.iter().zip(&after).position(at).unwrap();
            let until = before.iter().zip(&after).rposition(at).unwrap() + 1;
            assert_eq!(from / PLACE, (until - 1) / PLACE, "one place was written");
            for cut in from..until {
                // A disk may have the beginning, or the end.
                let begun = [&after[..cut], &before[cut..]].concat();
                let ended = [&before[..cut], &after[cut..]].concat();
                for torn in [begun, ended] {
                    std::fs::write(&path, &torn).unwrap();
                    let is_whole = torn == after;
                    assert_eq!(size(folder), if is_whole { last } else { last - 1 }, "cut at {cut}");
                }
            }
            std::fs::write(&path, &after).unwrap();
            assert_eq!(size(folder), last);
        }
    }

    #[test]
    fn a_file_of_which_nothing_is_whole_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join(FILE));
        raise(folder, 1, 1);
        raise(folder, 1, 2);
        let bytes = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, bytes.replace("\"size\"", "\"eize\"")).unwrap();
        assert!(matches!(stored(&path), Err(StoreError::HighWater(_))));
        // Another number in it is none that was written.
        std::fs::write(&path, bytes.replace("\"size\":2", "\"size\":1")).unwrap();
        assert_eq!(size(folder), 1);
        std::fs::write(&path, bytes.replace("\"size\":", "\"size\":1")).unwrap();
        assert!(matches!(stored(&path), Err(StoreError::HighWater(_))));
    }

    #[test]
    fn a_file_of_an_older_program_is_read_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join(FILE));
        let head = TreeHead { size: 7, ..TreeHead::EMPTY };
        let older =
            Marks { logs: [("checks/0".to_owned(), head)].into(), origin: Some("kyodaku.example".into()) };
        std::fs::write(&path, serde_json::to_vec(&older).unwrap()).unwrap();
        assert_eq!(stored(&path).unwrap().marks, older);
        assert_eq!(raise(folder, 0, 0), older);
        assert_eq!(stored(&path).unwrap().marks, older);
        raise(folder, 1, 8);
        assert_eq!(size(folder), 8);
    }

    #[test]
    fn more_marks_than_a_place_has_room_for_get_a_larger_one() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join(FILE));
        for (raised, logs) in [1, 2, 40, 41, 400, 401, 402].into_iter().enumerate() {
            let marks = raise(folder, logs, raised as u64 + 1);
            assert_eq!(stored(&path).unwrap().marks, marks);
            assert_eq!(marks.logs.len(), logs);
            let length = std::fs::metadata(&path).unwrap().len();
            assert!(length < 8 * PLACE as u64 + 800 * logs as u64, "{length} bytes for {logs}");
        }
    }

    #[test]
    fn what_the_disk_may_lack_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join(FILE));
        let lock = folder.join(format!("{FILE}.lock"));
        let is_replaced = || std::fs::read(&path).unwrap()[PLACE..].iter().all(u8::is_ascii_whitespace);
        raise(folder, 1, 1);
        raise(folder, 1, 2);
        assert!(!is_replaced());
        // Somebody was killed in the midst, or an older program held the lock, or the disk refused the write.
        for said in ["1", "", "?"] {
            std::fs::write(&lock, said).unwrap();
            let marks = raise(folder, 1, 3);
            assert!(is_replaced(), "{said:?}: one place is free");
            assert_eq!(stored(&path).unwrap().marks, marks);
            assert_eq!(std::fs::read(&lock).unwrap(), [Lock::SOUND]);
            raise(folder, 1, 4);
            assert!(!is_replaced());
        }
        let before = std::fs::read(&path).unwrap();
        let temporary = folder.join(format!("{FILE}.new"));
        std::fs::create_dir(&temporary).unwrap();
        std::fs::write(&lock, "1").unwrap();
        change(folder, FILE, |_| ()).unwrap_err();
        assert_eq!((std::fs::read(&lock).unwrap(), std::fs::read(&path).unwrap()), (b"1".to_vec(), before));
    }
}
