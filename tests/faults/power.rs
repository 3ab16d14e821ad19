//! Power cuts: on a disk that is made from a recording, and, where the full counts are asked for, on a real file system
//! in a loop image.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::kill::{after, load};
use super::ledger::Ledger;
use super::recording::{Event, What, cut, events, recorder};
use super::rig::{FULL, NORMAL, command, entries_in};
use super::site::Site;
use super::strace::{behind, end_behind};
use super::{below, copy, count, is_full};

use crate::cli::serve::Server;

/// What was lost at each of so many cuts through a recording of the rig.
async fn lost_at_cuts(how: &str, cuts: usize) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let (disk, told) = (folder.path().join("disk"), folder.path().join("told"));
    std::fs::create_dir(&disk).unwrap();
    let before = tempfile::tempdir().unwrap();
    let recording = folder.path().join("recording");
    let mut strace = recorder(&recording);
    behind(&mut strace, &command(how, &disk, &told, 60));
    assert!(strace.stdout(Stdio::null()).status().unwrap().success());
    let events = events(&recording);
    let is_told = |event: &&Event| matches!(&event.what, What::Write { path, .. } if *path == told);
    let acknowledged: Vec<usize> = events.iter().filter(is_told).map(|event| event.begun).collect();
    assert_eq!(acknowledged.len(), 60);
    let last = events.last().unwrap().begun as u64;
    let mut lost = Vec::new();
    for number in 0..cuts {
        let line = usize::try_from(below(last + 1)).unwrap();
        let left = folder.path().join(format!("left-{number}"));
        std::fs::create_dir(&left).unwrap();
        cut(&events, before.path(), &disk, line, &left);
        let known = acknowledged.iter().filter(|told| **told < line).count() as u64;
        lost.push(known.saturating_sub(entries_in(&left).await));
        std::fs::remove_dir_all(&left).unwrap();
    }
    lost
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_nothing_acknowledged_and_a_control_shows_that_it_could() {
    let cuts = count(40, 1_000);
    let full = lost_at_cuts(FULL, cuts).await;
    assert!(full.iter().all(|lost| *lost == 0), "{full:?}");
    let normal = lost_at_cuts(NORMAL, cuts).await;
    let losing = normal.iter().filter(|lost| **lost > 0).count();
    assert!(losing > 0, "the control lost nothing: the rig would find no loss");
    println!(
        "FULL lost at 0 of {cuts} cuts; NORMAL at {losing}, {} entries at the worst",
        normal.iter().max().unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_comes_back_from_a_power_cut_with_everything_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::embedded(folder.path());
    let mut server = site.start();
    let ledger = Arc::new(Ledger::open(&site, &server.url, 4).await);
    assert_eq!(server.stop(), 0);
    // From here on nobody but the server writes there.
    let before = folder.path().join("before");
    copy(&site.data, &before);
    let recording = folder.path().join("recording");
    let mut strace = recorder(&recording);
    behind(&mut strace, &site.serve());
    let server = Server::start(&mut strace);
    ledger.door.leads_to(&[&server.url]);
    let from_ms = kyodaku::clock::Clock::system().now_ms();
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = load(&ledger, &over);
    after(&ledger, count(40, 300)).await;
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    end_behind(&server.child);
    drop(server);
    let events = events(&recording);
    let first = events.iter().position(|event| event.at_ms > from_ms).unwrap();
    let mut remembered = 0;
    for number in 0..count(4, 200) {
        let event = &events[first + usize::try_from(below((events.len() - first) as u64)).unwrap()];
        let left = Site::embedded(&folder.path().join(format!("left-{number}")));
        std::fs::create_dir_all(&left.data).unwrap();
        cut(&events, &before, &site.data, event.begun, &left.data);
        let known = ledger.as_of(event.at_ms);
        remembered += known.marks().iter().sum::<usize>();
        let server = left.start();
        known.door.leads_to(&[&server.url]);
        known.is_in(&left.database_url).await;
        known.recover(&[]).await;
        drop(server);
        left.verify();
        std::fs::remove_dir_all(left.data.parent().unwrap()).unwrap();
    }
    assert!(remembered > 0, "every cut came before the first act");
    println!("{} cuts, {remembered} acts looked for", count(4, 200));
}

/// A file system in an image on a loop device; a power cut is its own `shutdown` without a flush.
struct Image {
    at: PathBuf,
    image: PathBuf,
}

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: what is not on the disk is gone. A sync that is under way then may
/// come back as if nothing were wrong, which no disk without power does: so what counts is how long the file of those that
/// were told is at the moment before, or when that was.
const SHUTDOWN: &str = "import fcntl, os, struct, sys, time\n\
    disk = os.open(sys.argv[1], os.O_RDONLY)\n\
    told = sum(os.stat(path).st_size for path in sys.argv[2:])\n\
    moment = time.time_ns() // 1000000\n\
    fcntl.ioctl(disk, 0x8004587D, struct.pack('I', 2))\n\
    print(told, moment)";

impl Image {
    fn new(folder: &Path) -> Self {
        let image = folder.join("image");
        std::fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
        must(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let at = folder.join("mounted");
        std::fs::create_dir(&at).unwrap();
        let image = Self { at, image };
        image.mount();
        image
    }

    fn mount(&self) {
        must(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.at));
    }

    /// Gives how many bytes were told before, where somebody tells, and when that was, in milliseconds.
    fn cut_power(&self, told: Option<&Path>) -> (u64, i64) {
        let mut command = Command::new("python3");
        let output = command.args(["-c", SHUTDOWN]).arg(&self.at).args(told).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        let (told, at_ms) = said.trim().split_once(' ').unwrap();
        (told.parse().unwrap(), at_ms.parse().unwrap())
    }

    fn back_again(&self) {
        must(Command::new("umount").arg(&self.at));
        self.mount();
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

fn must(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: the full count needs loop devices and the right to mount");
}

async fn lost_on_image(how: &str, cuts: usize) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::new(folder.path());
    let mut lost = Vec::new();
    for number in 0..cuts {
        let (disk, told) =
            (image.at.join(format!("disk-{number}")), folder.path().join(format!("told-{number}")));
        std::fs::create_dir(&disk).unwrap();
        // What was there before is no part of the story.
        std::fs::File::open(&image.at).unwrap().sync_all().unwrap();
        std::fs::write(&told, "").unwrap();
        let mut child = command(how, &disk, &told, 1_000_000).spawn().unwrap();
        let goal = 20 + below(200);
        while std::fs::metadata(&told).unwrap().len() < goal {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            tokio::task::yield_now().await;
        }
        let (known, _) = image.cut_power(Some(&told));
        child.kill().unwrap();
        child.wait().unwrap();
        image.back_again();
        lost.push(known.saturating_sub(entries_in(&disk).await));
        std::fs::remove_dir_all(&disk).unwrap();
    }
    lost
}

/// Only where the full counts were asked for: it needs loop devices and the right to mount.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_of_a_real_file_system_takes_nothing_acknowledged_and_a_control_loses() {
    if !is_full() {
        return;
    }
    let full = lost_on_image(FULL, 50).await;
    assert!(full.iter().all(|lost| *lost == 0), "{full:?}");
    let normal = lost_on_image(NORMAL, 50).await;
    let losing = normal.iter().filter(|lost| **lost > 0).count();
    assert!(losing > 0, "the control lost nothing");
    println!(
        "FULL lost at 0 of 50 cuts; NORMAL at {losing}, {} entries at the worst",
        normal.iter().max().unwrap()
    );
}

/// Only where the full counts were asked for: it needs loop devices and the right to mount.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_on_a_real_file_system_comes_back_from_power_cuts() {
    if !is_full() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = Image::new(folder.path());
    let site = Site::embedded(&image.at);
    let mut server = site.start();
    let ledger = Arc::new(Ledger::open(&site, &server.url, 8).await);
    for _ in 0..50 {
        let from = ledger.marks();
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = load(&ledger, &over);
        after(&ledger, 20).await;
        let (_, cut_ms) = image.cut_power(None);
        over.store(true, Ordering::SeqCst);
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        image.back_again();
        ledger.forget_checks_since(cut_ms);
        server = site.start();
        ledger.door.leads_to(&[&server.url]);
        ledger.recover(&from).await;
        ledger.is_in(&site.database_url).await;
    }
    drop(server);
    site.verify();
}
