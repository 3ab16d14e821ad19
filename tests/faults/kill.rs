//! `kill -9` in the middle of writes, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::ledger::{Ledger, Outcome};
use super::site::Site;
use super::{below, count};
use crate::cli::serve::Server;
use crate::world::{World, both};

const LINES: usize = 12;

/// Writers, one a line, and two who ask about all of them, until nobody answers any more.
pub(super) fn load(ledger: &Arc<Ledger>, over: &Arc<AtomicBool>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for task in 0..ledger.lines() + 2 {
        let (ledger, over) = (Arc::clone(ledger), Arc::clone(over));
        tasks.spawn(async move {
            let mut turn = task;
            while !over.load(Ordering::SeqCst) {
                let outcome = match task.checked_sub(ledger.lines()) {
                    None => ledger.step(turn, task).await,
                    Some(_) => ledger.ask(turn).await,
                };
                turn += 1;
                // Whoever finds nobody at home waits for the end.
                if outcome != Outcome::Acknowledged {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    tasks
}

/// Waits until so many more acts were acknowledged, and then for a part of the time that one takes.
pub(super) async fn after(ledger: &Ledger, acts: usize) {
    let goal = ledger.acknowledged() + acts;
    while ledger.acknowledged() < goal {
        tokio::time::sleep(Duration::from_micros(below(500))).await;
    }
    tokio::time::sleep(Duration::from_micros(below(4_000))).await;
}

fn kill(mut server: Server) {
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

both!(nothing_acknowledged_is_lost_when_the_server_is_killed_again_and_again, async |world: World| {
    let site = Site::of(&world);
    let mut serve = site.serve();
    // Seals and their acts get killed too.
    serve.env("KYODAKU_SEAL_INTERVAL_S", "1");
    let mut server = Server::start(&mut serve);
    let ledger = Arc::new(Ledger::open(&site, &server.url, LINES).await);
    let mut cut = 0;
    for cycle in 0..count(4, 200) {
        let from = ledger.marks();
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = load(&ledger, &over);
        after(&ledger, 1 + usize::try_from(below(60)).unwrap()).await;
        kill(server);
        over.store(true, Ordering::SeqCst);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        cut += ledger.doubts();
        server = Server::start(&mut serve);
        ledger.door.leads_to(&[&server.url]);
        ledger.recover(&from).await;
        ledger.is_in(&world.url).await;
        if cycle % 10 == 0 {
            site.verify();
        }
    }
    site.verify();
    assert!(cut > 0, "no act was cut off by a kill: it was not under load");
    println!(
        "{} acts acknowledged, {} checks answered, {cut} acts cut off",
        ledger.acknowledged(),
        ledger.answered()
    );
});
