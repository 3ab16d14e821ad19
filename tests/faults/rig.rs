//! The smallest thing that acknowledges: entries appended to a log one by one, in a process of its own, with SQLite as
//! the program opens it or as the control does. What differs between the two is one setting.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use kyodaku::log::checkpoint::CheckpointSigner;
use kyodaku::store::heads::{self, ACTS};
use kyodaku::store::{Db, append};

const NAME: &str = "faults::rig::what_it_says_is_written_is_written";
const TASK: &str = "KYODAKU_TEST_RIG";
/// What the control is: the last commits are left to the operating system.
pub(super) const NORMAL: &str = "NORMAL";
/// As the program does it.
pub(super) const FULL: &str = "FULL";

/// This test program, to be run as a process that appends `entries` to the log in `folder` and writes a line to `told`
/// for each that is committed.
pub(super) fn command(how: &str, folder: &Path, told: &Path, entries: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let task = format!("{how}|{}|{}|{entries}", folder.display(), told.display());
    command.args([NAME, "--exact", "--nocapture"]).env(TASK, task);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("kyodaku.db").display())
}

async fn append_all(task: &str) {
    let words: Vec<&str> = task.split('|').collect();
    let [how, folder, told, entries] = words[..] else { panic!("{task}") };
    let url = url(Path::new(folder));
    let db = Db::connect_sized(&url, 1).await.unwrap();
    if how == NORMAL {
        let Db::Sqlite { writer, .. } = &db else { panic!("SQLite") };
        // There is one connection that writes.
        sqlx::query("PRAGMA synchronous = NORMAL").execute(&mut writer.lend().await.unwrap()).await.unwrap();
    }
    let signer = CheckpointSigner::from_seed("registry.example/acts", &[7; 32]).unwrap();
    let mut told = std::fs::File::options().create(true).append(true).open(told).unwrap();
    for entry in 0..entries.parse().unwrap() {
        let mut tx = db.begin().await.unwrap();
        let head = heads::lock_or_create(&mut tx, ACTS, &signer, entry).await.unwrap();
        append(&mut tx, &head, &[format!("entry {entry}")], &signer, entry).await.unwrap();
        tx.commit().await.unwrap();
        told.write_all(b"+").unwrap();
    }
    // It ends as at a power cut: nothing is closed.
    std::process::exit(0);
}

/// How many entries are in the log in `folder`, which must be whole.
pub(super) async fn entries_in(folder: &Path) -> u64 {
    let db = Db::connect_sized(&url(folder), 1).await.unwrap();
    let size = match heads::read(&db, ACTS).await.unwrap() {
        None => 0,
        Some(head) => {
            let stored = kyodaku::store::entries::read(&db, ACTS, 0..head.size()).await.unwrap();
            for (at, entry) in stored.iter().enumerate() {
                assert_eq!(entry.bytes, format!("entry {at}").into_bytes());
            }
            head.size()
        }
    };
    db.close().await;
    size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_says_is_written_is_written() {
    if let Ok(task) = std::env::var(TASK) {
        append_all(&task).await;
    }
    for how in [FULL, NORMAL] {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        // Without a power cut the two do not differ.
        assert!(command(how, folder.path(), &told, 20).status().unwrap().success());
        assert_eq!(std::fs::metadata(&told).unwrap().len(), 20);
        assert_eq!(entries_in(folder.path()).await, 20);
    }
}
