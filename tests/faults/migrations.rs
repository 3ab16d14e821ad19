//! A start that is killed at each of its steps, on nothing and on an older database: the next one completes it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kyodaku::store::Engine;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::ledger::{Ledger, Outcome};
use super::site::Site;
use super::strace::{behind, calls, end_behind, only};
use super::wire::{Side, Wire};
use super::{copy, count, is_full};
use crate::world::{World, run};

/// Takes back what the migrations after the fourth made: the tables as an older program left them. A new migration takes
/// back here what it makes.
const OLDER: &str = "DROP TABLE prepared_keys; DROP TABLE log_key_ends; DROP TABLE token_keys; DROP TABLE checks; DROP TABLE receipt_keys; DROP TABLE cosignatures; DROP TABLE witnessed; DROP TABLE log_keys; DROP TABLE identities; DROP TABLE sign_ins; DROP TABLE registrations; DROP TABLE contractors; \
                     DROP TABLE security_events; DROP TABLE revoked_tokens; DROP TABLE used_assertions; \
                     ALTER TABLE api_keys DROP COLUMN public_key; DROP TABLE org_policies; \
                     UPDATE api_keys SET scopes = replace(replace(scopes, ' approve', ''), ' inquire', ''); \
                     DELETE FROM _sqlx_migrations WHERE version > 4;";

/// A registry with three grants, in the tables of an older program.
async fn older(site: &Site, url: &str) -> Ledger {
    let mut server = site.start();
    let ledger = Ledger::open(site, &server.url, 3).await;
    for line in 0..3 {
        assert_eq!(ledger.step(0, line).await, Outcome::Acknowledged);
    }
    assert_eq!(server.stop(), 0);
    let text = AssertSqlSafe(OLDER);
    if url.starts_with("sqlite:") {
        let mut db = SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(text).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    } else {
        let mut db = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(text).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
    }
    ledger
}

/// The next start completes, and everything is there.
async fn must_complete(site: &Site, ledger: Option<&Ledger>) {
    let mut server = site.start();
    if let Some(ledger) = ledger {
        ledger.door.leads_to(&[&server.url]);
        ledger.recover(&[]).await;
    }
    assert_eq!(server.stop(), 0);
    site.verify();
    let left: Vec<_> =
        std::fs::read_dir(&site.data).unwrap().flatten().map(|file| file.file_name()).collect();
    let is_key = |name: &&std::ffi::OsString| name.to_string_lossy().ends_with(".key");
    assert_eq!(left.iter().filter(is_key).count(), 5, "{left:?}");
}

/// A start under `strace`, which sees these calls on these files, or on any where none are named; killed at the `nth` of
/// them in a thread, if there is one. Gives how many a thread made at most, and whether it came as far as to serve.
fn start(site: &Site, files: &[PathBuf], call: &str, nth: Option<usize>) -> (usize, bool) {
    let written = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(written.path()).args(only(files)).arg(format!("--trace={call}"));
    if let Some(nth) = nth {
        strace.arg(format!("--inject={call}:signal=SIGKILL:when={nth}"));
    }
    behind(&mut strace, &site.serve());
    let mut child = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let serves = serves(&mut child);
    if serves {
        end_behind(&child);
    }
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), Some(9), "it ended otherwise than by the kill");
    let mut made: HashMap<u32, usize> = HashMap::new();
    for call in calls(&std::fs::read_to_string(written.path()).unwrap()) {
        *made.entry(call.thread).or_default() += 1;
    }
    (made.into_values().max().unwrap_or_default(), serves)
}

/// Whether a server that was begun comes as far as to serve.
fn serves(child: &mut Child) -> bool {
    let said = BufReader::new(child.stderr.take().unwrap()).lines();
    said.map_while(Result::ok).any(|line| line.contains("listening on"))
}

/// Every number from 1 to `of`, or in the small run three of them.
fn chosen(of: usize) -> Vec<usize> {
    let mut all: Vec<usize> = if is_full() { (1..=of).collect() } else { vec![1, of.div_ceil(2), of] };
    all.dedup();
    all.retain(|nth| *nth > 0);
    all
}

/// What a start changes on the disk, each group by one thread.
fn groups(site: &Site) -> Vec<(Vec<PathBuf>, &'static str)> {
    let database = site.database_url.trim_start_matches("sqlite:").to_owned();
    let database = ["", "-wal", "-journal"].map(|end| PathBuf::from(format!("{database}{end}"))).to_vec();
    let marks = vec![site.data.join("high-water.main.new")];
    let folder = vec![site.data.clone()];
    vec![
        (database.clone(), "pwrite64"),
        (database.clone(), "fsync,fdatasync"),
        (marks.clone(), "write"),
        (marks, "rename"),
        (folder, "fsync"),
    ]
}

async fn killed_at_each_call(with_older: bool) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let origin = Site::embedded(&made);
    let ledger = if with_older { Some(older(&origin, &origin.database_url).await) } else { None };
    let tried = folder.path().join("tried");
    let site = Site::embedded(&tried);
    let again = || {
        let _ = std::fs::remove_dir_all(&tried);
        if with_older {
            copy(&made, &tried);
        } else {
            std::fs::create_dir_all(&tried).unwrap();
        }
    };
    let mut kills = 0;
    for (files, call) in groups(&site) {
        again();
        let (all, _) = start(&site, &files, call, None);
        for nth in chosen(all) {
            again();
            let (_, serves) = start(&site, &files, call, Some(nth));
            kills += usize::from(!serves);
            must_complete(&site, ledger.as_ref()).await;
        }
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_on_sqlite_that_is_killed_at_any_call_is_completed_by_the_next() {
    let kills = killed_at_each_call(false).await;
    assert!(kills >= 5, "{kills}");
    println!("{kills} kills");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_on_sqlite_that_is_killed_at_any_call_is_completed_by_the_next() {
    let kills = killed_at_each_call(true).await;
    assert!(kills >= 5, "{kills}");
    println!("{kills} kills");
}

/// A process that is killed while it makes the keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_killed_while_it_makes_a_key_leaves_no_half_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::embedded(&folder.path().join("tried"));
    let mut kills = 0;
    // By the name of the call alone: how a key that is being made is called is its maker's affair.
    for call in ["write", "fsync,fdatasync", "link,linkat", "unlink,unlinkat"] {
        for nth in 1..=count(2, 8) {
            let _ = std::fs::remove_dir_all(folder.path().join("tried"));
            kills += usize::from(!start(&site, &[], call, Some(nth)).1);
            must_complete(&site, None).await;
        }
    }
    assert!(kills > 2, "{kills}");
}

async fn killed_at_each_message(world: &World, with_older: bool) -> usize {
    let made = Site::of(world);
    let ledger = if with_older { Some(older(&made, &world.url).await) } else { None };
    let mut kills = 0;
    let mut tries = 0;
    for side in [Side::Before, Side::After] {
        let (all, _) = start_by_wire(world, &made, with_older, tries, None).await;
        for at in chosen(all) {
            tries += 1;
            let (_, site) = start_by_wire(world, &made, with_older, tries, Some((at, side))).await;
            kills += 1;
            must_complete(&site, ledger.as_ref()).await;
        }
        tries += 1;
    }
    kills
}

/// A start that is killed at the message with this number, or not. Gives how many messages it sent, and where it was.
async fn start_by_wire(
    world: &World,
    made: &Site,
    with_older: bool,
    number: usize,
    kill: Option<(usize, Side)>,
) -> (usize, Site) {
    let (url, site) = fresh(world, made, with_older, number).await;
    let wire = Wire::to(&url);
    if let Some((at, side)) = kill {
        wire.kill_at(at, side);
    }
    let by_wire = Site::new(&wire.url, &site.data, "main");
    let mut child = by_wire.serve().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wire.victim(child.id());
    let serves = serves(&mut child);
    let _ = child.kill();
    child.wait().unwrap();
    // The last of them may be one that nobody waits for.
    assert!(serves || kill.is_some(), "it does not start at all");
    (wire.seen(), site)
}

/// A database and a data folder to try on: empty ones, or copies.
async fn fresh(world: &World, made: &Site, with_older: bool, number: usize) -> (String, Site) {
    let data = world.folder.path().join(format!("tried-{number}"));
    let url = if with_older {
        copy(&made.data, &data);
        super::backups::copied(world, &format!("tried_{number}")).await
    } else {
        World::new(Engine::Postgres).await.url
    };
    let site = Site::new(&url, &data, "main");
    (url, site)
}

#[test]
fn a_first_start_on_postgres_that_is_killed_at_any_statement_is_completed_by_the_next() {
    run(Engine::Postgres, async |world: World| {
        let kills = killed_at_each_message(&world, false).await;
        assert!(kills >= 4, "{kills}");
        println!("{kills} kills");
    });
}

#[test]
fn an_upgrade_on_postgres_that_is_killed_at_any_statement_is_completed_by_the_next() {
    run(Engine::Postgres, async |world: World| {
        let kills = killed_at_each_message(&world, true).await;
        assert!(kills >= 4, "{kills}");
        println!("{kills} kills");
    });
}
