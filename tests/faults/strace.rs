//! `strace`: what a process asks of the disk, and faults in place of what the disk would say.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Every call with which a process changes what a disk holds.
pub(super) const CHANGES: &str = "openat,write,pwrite64,pwritev,writev,ftruncate,fallocate,fsync,fdatasync,\
                                  rename,renameat,renameat2,link,linkat,unlink,unlinkat";

/// Options that let only calls on these files be seen; those that are not there yet count too.
pub(super) fn only<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<String> {
    paths.into_iter().flat_map(|path| ["-P".to_owned(), path.to_str().unwrap().to_owned()]).collect()
}

/// Lets `strace` run this command.
pub(super) fn behind(strace: &mut Command, command: &Command) {
    strace.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
}

/// Ends the program that `strace` runs, and so `strace`.
pub(super) fn end_behind(strace: &Child) {
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    for child in std::fs::read_to_string(children).unwrap().split_whitespace() {
        assert!(Command::new("kill").args(["-KILL", child]).status().unwrap().success());
    }
}

/// One call as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// The thread.
    pub(super) thread: u32,
    /// The call's name.
    pub(super) name: String,
    /// The rest of the line.
    pub(super) rest: String,
}

/// `strace` on a running process.
pub(super) struct Attached {
    child: Child,
    written: PathBuf,
}

impl Attached {
    /// Takes hold of all threads of a process; when this returns it has them.
    pub(super) fn to(process: u32, options: &[String], written: &Path) -> Self {
        let mut child = Command::new("strace")
            .args(["-f", "-p", &process.to_string(), "-o"])
            .arg(written)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`strace` is installed: `sh tests/run` does so");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let attached = lines.by_ref().find(|line| line.contains("attached"));
        assert!(attached.is_some(), "strace may not trace here: it needs the right to `ptrace`");
        // Whoever reads no more would stop it once the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, written: written.to_owned() }
    }

    /// Lets go, and gives the calls that were seen.
    pub(super) fn release(mut self) -> Vec<Call> {
        let id = self.child.id().to_string();
        // It has ended already where the process that it held has.
        let _ = Command::new("kill").args(["-INT", &id]).stderr(Stdio::null()).status();
        self.child.wait().unwrap();
        calls(&std::fs::read_to_string(&self.written).unwrap())
    }

    /// Ends it at once. It does not always see the end of a process that it has killed itself, and whose parent then waits
    /// for ever.
    pub(super) fn abandon(self) {
        drop(self);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The calls in what `strace -f -o` wrote; one that was interrupted by another thread's stands where it began.
pub(super) fn calls(written: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in written.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let (Ok(thread), rest) = (thread.parse(), rest.trim_start()) else { continue };
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let begun = calls.iter_mut().rev().find(|call| call.thread == thread);
            if let Some(call) = begun {
                call.rest.push_str(resumed.split_once("resumed>").unwrap_or_default().1);
            }
            continue;
        }
        let Some((name, rest)) = rest.split_once('(') else { continue };
        if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let rest = rest.trim_end_matches("<unfinished ...>").to_owned();
            calls.push(Call { thread, name: name.to_owned(), rest });
        }
    }
    calls
}
