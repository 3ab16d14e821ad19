//! Two servers: on one folder one of them is refused, on one PostgreSQL they keep one log between them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kyodaku::store::Engine;

use super::count;
use super::kill::{after, load};
use super::ledger::Ledger;
use super::site::Site;
use crate::cli::serve::Server;
use crate::world::{World, both, run};

both!(of_two_servers_that_begin_at_once_on_one_folder_one_serves, async |world: World| {
    for round in 0..count(2, 20) {
        let folder = world.folder.path().join(format!("round-{round}"));
        let site = match world.engine {
            Engine::Sqlite => Site::embedded(&folder),
            Engine::Postgres => Site::new(&world.url, &folder, &format!("node-{round}")),
        };
        if round > 0 && world.engine == Engine::Postgres {
            // The keys of the log that is there.
            std::fs::create_dir_all(&folder).unwrap();
            for key in ["act-log.key", "journal.key"] {
                std::fs::copy(world.folder.path().join("round-0").join(key), folder.join(key)).unwrap();
            }
        }
        // Each is begun, and ends or serves.
        let begun = [(); 2].map(|()| {
            let mut child = site.serve().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::spawn(move || {
                let mut said = String::new();
                let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
                for line in lines.by_ref() {
                    said.push_str(&line);
                    if line.contains("listening on") {
                        // It goes on talking.
                        std::thread::spawn(move || lines.for_each(drop));
                        return Ok(Server::of(child));
                    }
                }
                assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
                Err(said)
            })
        });
        let ended = begun.map(|one| one.join().unwrap());
        let (mut serving, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_ok);
        assert_eq!((serving.len(), refused.len()), (1, 1), "{refused:?}");
        let told = refused[0].as_ref().unwrap_err();
        assert!(
            told.contains("another server uses the data folder") && told.contains("stop it first"),
            "{told}"
        );
        assert_eq!(serving[0].as_mut().unwrap().stop(), 0);
        site.verify();
    }
});

#[test]
fn a_database_file_has_one_server_whatever_its_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::embedded(folder.path());
    let mut server = site.start();
    let beside = site.beside("main");
    let told = beside.refusal();
    assert!(told.contains("another server uses the database"), "{told}");
    assert_eq!(server.stop(), 0);
    let mut other = beside.start();
    assert_eq!(other.stop(), 0);
}

#[test]
fn two_servers_on_one_postgres_keep_one_log_though_both_are_killed() {
    run(Engine::Postgres, async |world: World| {
        let first = Site::of(&world);
        let mut server = first.start();
        let ledger = Arc::new(Ledger::open(&first, &server.url, 8).await);
        let second = first.beside("second");
        let mut other = second.start();
        for round in 0..count(2, 50) {
            ledger.door.leads_to(&[&server.url, &other.url]);
            let from = ledger.marks();
            let over = Arc::new(AtomicBool::new(false));
            let mut tasks = load(&ledger, &over);
            after(&ledger, 60).await;
            let victim = if round % 2 == 0 { &mut server } else { &mut other };
            victim.child.kill().unwrap();
            victim.child.wait().unwrap();
            after(&ledger, 20).await;
            over.store(true, Ordering::SeqCst);
            while let Some(ended) = tasks.join_next().await {
                ended.unwrap();
            }
            let (again, left) = if round % 2 == 0 { (&first, &other) } else { (&second, &server) };
            // The one that was left alone knows everything.
            ledger.door.leads_to(&[&left.url]);
            ledger.recover(&from).await;
            let restarted = again.start();
            ledger.door.leads_to(&[&restarted.url]);
            ledger.recover(&from).await;
            if round % 2 == 0 { server = restarted } else { other = restarted }
        }
        ledger.is_in(&world.url).await;
        first.verify();
        second.verify();
    });
}
