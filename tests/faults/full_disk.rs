//! A full disk, and space again: everything that must be written is refused, nothing is lost, nothing is restarted.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::ledger::{Ledger, Outcome};
use super::site::Site;
use super::strace::{Attached, only};
use super::{count, is_full};

/// While it is full: reads are answered, writes and checks with 503; twice, so that it stays so.
async fn is_refused(ledger: &Ledger) {
    for line in [0, 1, 0] {
        assert_eq!(ledger.step(0, line).await, Outcome::Refused);
        assert_eq!(ledger.ask(0).await, Outcome::Refused);
        assert_eq!(ledger.door.get("", "/healthz").await.status(), 200);
    }
    let read = ledger.read_a_work().await;
    assert!([200, 503].contains(&read.status()), "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_space_is_refused_until_there_is_some() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::embedded(folder.path());
    let server = site.start();
    let ledger = Ledger::open(&site, &server.url, 4).await;
    let files = |names: &[&str]| names.iter().map(|name| site.data.join(name)).collect::<Vec<PathBuf>>();
    let (database, mark) =
        (files(&["kyodaku.db", "kyodaku.db-wal"]), files(&["high-water.main", "high-water.main.new"]));
    let both: Vec<_> = database.iter().chain(&mark).cloned().collect();
    for round in 0..count(1, 20) {
        for full in [&both, &database] {
            let from = ledger.marks();
            for line in 0..4 {
                assert_eq!(ledger.step(0, line).await, Outcome::Acknowledged);
            }
            let mut options = only(full);
            let calls = "write,pwrite64,ftruncate,fallocate";
            options.extend([format!("--trace={calls}"), format!("--inject={calls}:error=ENOSPC")]);
            let attached = Attached::to(server.child.id(), &options, &folder.path().join("calls.txt"));
            is_refused(&ledger).await;
            let calls = attached.release();
            assert!(calls.iter().any(|call| call.rest.contains("INJECTED")), "round {round}");
            ledger.recover(&from).await;
        }
    }
    // Only the mark has no space: what is committed is not told, nor answered from, before it is marked.
    let from = ledger.marks();
    let mut options = only(&mark);
    options.extend(["--trace=write".to_owned(), "--inject=write:error=ENOSPC".to_owned()]);
    let attached = Attached::to(server.child.id(), &options, &folder.path().join("calls.txt"));
    assert_eq!(ledger.step(0, 0).await, Outcome::Refused);
    assert_eq!(ledger.ask(0).await, Outcome::Refused);
    drop(attached);
    ledger.recover(&from).await;
    ledger.is_in(&site.database_url).await;
    site.verify();
}

/// A file system in memory of this size, as long as it is held.
struct Mounted(PathBuf);

impl Mounted {
    fn small(at: &Path, bytes: usize) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={bytes}");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).status();
        assert!(status.unwrap().success(), "the full count needs the right to mount a file system");
        Self(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Asks until it is refused again and again: what the write-ahead log holds already may be written over; then there is no way on.
async fn until_refused(ask: impl AsyncFn(usize) -> Outcome) {
    let mut refused = 0;
    for number in 0..2_000 {
        let outcome = ask(number).await;
        assert_ne!(outcome, Outcome::Silence);
        refused = if outcome == Outcome::Refused { refused + 1 } else { 0 };
        if refused == 8 {
            return;
        }
    }
    panic!("the disk did not fill up");
}

/// Only where the full counts were asked for: it needs the right to mount.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_really_full_is_told_and_left_again() {
    if !is_full() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mounted = Mounted::small(&folder.path().join("disk"), 24 << 20);
    let site = Site::embedded(&mounted.0);
    let server = site.start();
    let ledger = Ledger::open(&site, &server.url, 4).await;
    for _ in 0..20 {
        let from = ledger.marks();
        let ballast = mounted.0.join("ballast");
        // The last write fails: nothing is left then.
        let filled = std::fs::write(&ballast, vec![0; 32 << 20]);
        assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        until_refused(async |step| ledger.step(0, step % 4).await).await;
        // A check writes less, so that there may still be room for some.
        until_refused(async |_| ledger.ask(0).await).await;
        assert_eq!(ledger.door.get("", "/healthz").await.status(), 200);
        std::fs::remove_file(ballast).unwrap();
        ledger.recover(&from).await;
    }
    ledger.is_in(&site.database_url).await;
    site.verify();
    drop(server);
}
