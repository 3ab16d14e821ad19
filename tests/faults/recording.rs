//! A disk as it may be after a power cut, made from a recording of what a process asked of it.
//!
//! Of a file everything is there that was written before a sync of it began which ended before the cut. Of what was
//! written since, each write may be there, or not, or in part (sectors of 512 bytes), whatever the order. Names in a
//! folder are there in the order in which they were made, at least up to the last sync of the folder. No more is
//! promised by POSIX and by a disk with a cache, and no less is taken away here.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::below;

/// The calls that must be recorded.
const RECORDED: &str = "openat,lseek,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat";
const SECTOR: usize = 512;

/// Makes a `strace` that records into this file; the command follows as its arguments.
pub(super) fn recorder(into: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-ttt", "-s", "70000"]);
    strace.arg(format!("--trace={RECORDED}")).arg("-o").arg(into);
    strace
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Opened; made if it was not there, emptied if so asked.
    Open {
        path: PathBuf,
        creates: bool,
        empties: bool,
    },
    /// The place of the next write without one.
    Seek {
        path: PathBuf,
        to: u64,
    },
    /// Written at a place, or after what this opening wrote last.
    Write {
        path: PathBuf,
        at: Option<u64>,
        data: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        length: u64,
    },
    Sync {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
}

/// A call that went well.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) what: What,
    /// The line at which it had ended.
    ended: usize,
    /// The line at which it began.
    pub(super) begun: usize,
    /// When it began, in milliseconds.
    pub(super) at_ms: i64,
}

/// Reads a recording.
pub(super) fn events(recording: &Path) -> Vec<Event> {
    let text = std::fs::read_to_string(recording).unwrap();
    // By thread: the line, the moment and the first half of a call that another thread's interrupted.
    let mut begun: HashMap<&str, (usize, i64, &str)> = HashMap::new();
    let mut events = Vec::new();
    for (line, whole) in text.lines().enumerate() {
        let mut words = whole.splitn(2, ' ');
        let (Some(thread), Some(rest)) = (words.next(), words.next()) else { continue };
        let Some((moment, rest)) = rest.trim_start().split_once(' ') else { continue };
        let Some(at_ms) = milliseconds(moment) else { continue };
        let found = if let Some(half) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, (line, at_ms, half));
            None
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let end = resumed.split_once("resumed>").map_or("", |(_, end)| end);
            begun.remove(thread).map(|(line, at_ms, half)| (line, at_ms, format!("{half}{end}")))
        } else {
            Some((line, at_ms, rest.to_owned()))
        };
        let Some((first, at_ms, call)) = found else { continue };
        if !is_done(&call) {
            continue;
        }
        // A call that is passed over would be a loss that never was.
        let what = of_call(&call).unwrap_or_else(|| panic!("not understood: {call}"));
        events.push(Event { what, ended: line, begun: first, at_ms });
    }
    events.sort_by_key(|event| event.begun);
    events
}

fn milliseconds(moment: &str) -> Option<i64> {
    let (seconds, fraction) = moment.split_once('.')?;
    Some(seconds.parse::<i64>().ok()? * 1_000 + fraction.get(..3)?.parse::<i64>().ok()?)
}

/// Whether it is a call that went well; signals and ends are none.
fn is_done(call: &str) -> bool {
    let result = call.rsplit_once(" = ").map_or("?", |(_, result)| result);
    !call.starts_with(['-', '+']) && !result.starts_with(['-', '?'])
}

fn of_call(call: &str) -> Option<What> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    // Where another thread came between there is a blank more.
    let words: Vec<&str> = arguments.split(',').map(str::trim).collect();
    let path = |nth| words.iter().filter_map(|word| quoted(word)).nth(nth).map(path_of);
    let on = || words.first().and_then(|word| descriptor(word));
    Some(match name {
        "openat" => What::Open {
            path: path(0)?,
            creates: arguments.contains("O_CREAT"),
            empties: arguments.contains("O_TRUNC"),
        },
        "lseek" => What::Seek { path: on()?, to: result.split(' ').next()?.parse().ok()? },
        "write" | "pwrite64" => {
            let written: usize = result.split(' ').next()?.parse().ok()?;
            let mut data = quoted(words.get(1)?)?;
            data.truncate(written);
            let at = if name == "pwrite64" { Some(words.get(3)?.parse().ok()?) } else { None };
            What::Write { path: on()?, at, data }
        }
        "ftruncate" => What::Truncate { path: on()?, length: words.get(1)?.parse().ok()? },
        "fsync" | "fdatasync" => What::Sync { path: on()? },
        "rename" | "renameat" | "renameat2" => What::Rename { from: path(0)?, to: path(1)? },
        "link" | "linkat" => What::Link { from: path(0)?, to: path(1)? },
        "unlink" | "unlinkat" => What::Unlink { path: path(0)? },
        _ => return None,
    })
}

fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(String::from_utf8(bytes).unwrap())
}

/// The bytes of a quoted word, all of them in hexadecimal.
fn quoted(word: &str) -> Option<Vec<u8>> {
    let inner = word.strip_prefix('"')?;
    let (inner, more) = inner.rsplit_once('"')?;
    assert!(more.is_empty(), "the recording cut a string short: {more}");
    unescaped(inner)
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let digits = text.split("\\x").skip(1);
    digits.map(|two| u8::from_str_radix(two.get(..2)?, 16).ok()).collect()
}

/// The path of a descriptor such as `13<\x2f\x74>`, or with plain letters.
fn descriptor(word: &str) -> Option<PathBuf> {
    let (_, rest) = word.trim().split_once('<')?;
    let inner = rest.trim_end_matches("(deleted)").strip_suffix('>')?;
    if inner.starts_with("\\x") { unescaped(inner).map(path_of) } else { Some(PathBuf::from(inner)) }
}

/// A change of a file's bytes.
#[derive(Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

/// A file, whatever it is called.
#[derive(Debug, Default)]
struct Inode {
    /// Each with the line at which it had ended.
    changes: Vec<(usize, Change)>,
    /// Changes before this one are on the disk.
    synced: usize,
    /// Where an opening writes next.
    position: u64,
}

/// A change of a folder.
#[derive(Clone, Debug)]
enum Naming {
    Named(PathBuf, usize),
    Gone(PathBuf),
}

/// What a process asked of one folder, up to a line.
#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    /// As the process sees it.
    names: HashMap<PathBuf, usize>,
    namings: Vec<(usize, Naming)>,
    namings_synced: usize,
}

impl Disk {
    /// A disk that holds these files, and has had time for all of them.
    fn holding(before: &Path, folder: &Path) -> Self {
        let mut disk = Self::default();
        for file in std::fs::read_dir(before).unwrap().map(Result::unwrap) {
            let Ok(bytes) = std::fs::read(file.path()) else { continue };
            let changes = vec![(0, Change::Write(0, bytes))];
            disk.inodes.push(Inode { changes, synced: 1, position: 0 });
            disk.name(0, Naming::Named(folder.join(file.file_name()), disk.inodes.len() - 1));
        }
        disk.namings_synced = disk.namings.len();
        disk
    }

    fn name(&mut self, ended: usize, naming: Naming) {
        match &naming {
            Naming::Named(path, inode) => drop(self.names.insert(path.clone(), *inode)),
            Naming::Gone(path) => drop(self.names.remove(path)),
        }
        self.namings.push((ended, naming));
    }

    fn change(&mut self, path: &Path, ended: usize, change: Change) {
        if let Some(inode) = self.names.get(path) {
            self.inodes[*inode].changes.push((ended, change));
        }
    }

    fn take(&mut self, event: &Event, folder: &Path, cut: usize) {
        let ended = event.ended;
        match &event.what {
            What::Open { path, creates, empties } => {
                if *creates && !self.names.contains_key(path) {
                    self.inodes.push(Inode::default());
                    self.name(ended, Naming::Named(path.clone(), self.inodes.len() - 1));
                }
                if *empties {
                    self.change(path, ended, Change::Truncate(0));
                }
                if let Some(inode) = self.names.get(path) {
                    self.inodes[*inode].position = 0;
                }
            }
            What::Seek { path, to } => {
                if let Some(inode) = self.names.get(path) {
                    self.inodes[*inode].position = *to;
                }
            }
            What::Write { path, at, data } => {
                let Some(inode) = self.names.get(path) else { return };
                let inode = &mut self.inodes[*inode];
                let place = at.unwrap_or(inode.position);
                inode.position = place + data.len() as u64;
                inode.changes.push((ended, Change::Write(place, data.clone())));
            }
            What::Truncate { path, length } => self.change(path, ended, Change::Truncate(*length)),
            What::Sync { .. } if ended > cut => {}
            // What had ended before it began is on the disk; lines of others may stand between.
            What::Sync { path } if path == folder => {
                let before = self.namings.iter().take_while(|(ended, _)| *ended < event.begun).count();
                self.namings_synced = self.namings_synced.max(before);
            }
            What::Sync { path } => {
                if let Some(inode) = self.names.get(path) {
                    let inode = &mut self.inodes[*inode];
                    let before = inode.changes.iter().take_while(|(ended, _)| *ended < event.begun).count();
                    inode.synced = inode.synced.max(before);
                }
            }
            What::Rename { from, to } => {
                if let Some(inode) = self.names.get(from).copied() {
                    // In one step, for the disk too: the new name is there, and then the old one is not.
                    self.name(ended, Naming::Named(to.clone(), inode));
                    self.name(ended, Naming::Gone(from.clone()));
                }
            }
            What::Link { from, to } => {
                if let Some(inode) = self.names.get(from).copied() {
                    self.name(ended, Naming::Named(to.clone(), inode));
                }
            }
            What::Unlink { path } => self.name(ended, Naming::Gone(path.clone())),
        }
    }
}

impl Inode {
    /// Its bytes after the cut.
    fn survived(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // At one cut most of what is not synced is there, at another little is.
        let kept_of_8 = below(9);
        for (at, (_, change)) in self.changes.iter().enumerate() {
            let is_synced = at < self.synced;
            if is_synced || below(8) < kept_of_8 {
                apply(&mut bytes, change, is_synced);
            }
        }
        bytes
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change, whole: bool) {
    match change {
        Change::Truncate(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Change::Write(at, data) => {
            let at = usize::try_from(*at).unwrap();
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            let is_torn = !whole && below(4) == 0;
            for start in (0..data.len()).step_by(SECTOR) {
                let until = data.len().min(start + SECTOR);
                if !is_torn || below(2) == 0 {
                    bytes[at + start..at + until].copy_from_slice(&data[start..until]);
                }
            }
        }
    }
}

/// Writes into the empty folder `to` what may be left of `folder`, which held what `before` holds when the recording
/// began, when the power is cut at this line.
pub(super) fn cut(events: &[Event], before: &Path, folder: &Path, line: usize, to: &Path) {
    let mut disk = Disk::holding(before, folder);
    let is_inside = |path: &Path| path.parent() == Some(folder) && !path.to_string_lossy().ends_with("-shm");
    for event in events.iter().take_while(|event| event.begun <= line) {
        let inside = match &event.what {
            What::Open { path, .. }
            | What::Seek { path, .. }
            | What::Write { path, .. }
            | What::Truncate { path, .. }
            | What::Unlink { path } => is_inside(path),
            What::Sync { path } => is_inside(path) || path == folder,
            What::Rename { from, to } | What::Link { from, to } => is_inside(from) && is_inside(to),
        };
        if inside {
            disk.take(event, folder, line);
        }
    }
    let unsure = (disk.namings.len() - disk.namings_synced) as u64;
    let kept = disk.namings_synced + usize::try_from(below(unsure + 1)).unwrap();
    let mut names: HashMap<&Path, usize> = HashMap::new();
    for (_, naming) in &disk.namings[..kept] {
        match naming {
            Naming::Named(path, inode) => drop(names.insert(path, *inode)),
            Naming::Gone(path) => drop(names.remove(path.as_path())),
        }
    }
    for (path, inode) in names {
        let left = to.join(path.file_name().unwrap());
        std::fs::write(&left, disk.inodes[inode].survived()).unwrap();
        // The mode came with the name, and is not in what was recorded.
        std::fs::set_permissions(&left, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}
