//! A node that is killed and comes back while everybody goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::rig::{Caller, Reply, Rig, Work, check_body, entries_of, every, revocation};
use super::{count, on_postgres};
use crate::cli::serve::Server;
use crate::world::actors::fresh_key;
use crate::world::works::grant;

/// What was acknowledged.
#[derive(Default)]
pub(super) struct Acknowledged {
    pub(super) grants: Vec<String>,
    pub(super) checks: Vec<String>,
    /// Grants that were revoked, and never permitted again.
    pub(super) races: usize,
    /// How often somebody had to ask again.
    pub(super) again: usize,
}

/// Those who ask while something is broken: each repeats what was not answered, with the same key, on the next node.
pub(super) struct Load {
    urls: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Acknowledged>>,
}

impl Load {
    /// Some who grant and some who check, over these nodes.
    pub(super) fn start(rig: &Rig, urls: Vec<String>, of_each: usize) -> Self {
        let (urls, stopped) = (Arc::new(Mutex::new(urls)), Arc::new(AtomicBool::new(false)));
        let mut load = Self { urls, stopped, tasks: Vec::new() };
        for number in 0..of_each {
            let work = rig.works[0].clone();
            load.tasks.push(tokio::spawn(granting(load.turn(number), rig.holder(), work.clone())));
            load.tasks.push(tokio::spawn(checking(load.turn(number), rig.developer(), work)));
        }
        if let [_, work, ..] = rig.works.as_slice() {
            load.tasks.push(tokio::spawn(racing(load.turn(0), rig.holder(), rig.developer(), work.clone())));
        }
        load
    }

    fn turn(&self, first: usize) -> Turn {
        Turn { urls: Arc::clone(&self.urls), stopped: Arc::clone(&self.stopped), next: first }
    }

    /// A node has another address from now on.
    pub(super) fn moved(&self, node: usize, url: &str) {
        url.clone_into(&mut self.urls.lock().unwrap_or_else(PoisonError::into_inner)[node]);
    }

    /// Ends it and tells what was acknowledged.
    pub(super) async fn stop(self) -> Acknowledged {
        self.stopped.store(true, Ordering::Relaxed);
        let mut all = Acknowledged::default();
        for task in self.tasks {
            let one = task.await.unwrap();
            all.grants.extend(one.grants);
            all.checks.extend(one.checks);
            all.races += one.races;
            all.again += one.again;
        }
        all
    }
}

struct Turn {
    urls: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    next: usize,
}

impl Turn {
    fn next(&mut self) -> String {
        self.next += 1;
        let urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        urls[self.next % urls.len()].clone()
    }

    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }
}

/// Repeats an act with one key until it is acknowledged; none when it is not before all ends.
async fn act(
    turn: &mut Turn,
    holder: &Caller,
    path: &str,
    body: &Value,
    told: &mut Acknowledged,
) -> Option<Reply> {
    let key = fresh_key();
    loop {
        match holder.try_post(&format!("{}{path}", turn.next()), body, &key).await {
            Ok(reply) if reply.is_ok() => return Some(reply),
            Ok(reply) => assert_eq!(reply.status, 503, "{reply:?}"),
            Err(error) => assert!(!error.is_timeout(), "nobody waits for ever: {error}"),
        }
        told.again += 1;
        if !turn.goes_on() {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn granting(mut turn: Turn, holder: Caller, work: Work) -> Acknowledged {
    let mut told = Acknowledged::default();
    while turn.goes_on() {
        let granted = act(&mut turn, &holder, "/v1/grants", &grant(&work.id), &mut told).await;
        told.grants.extend(granted.map(|reply| reply.text("grant")));
    }
    told
}

/// Grants, revokes, and asks all nodes: what was revoked is not permitted by any that answers.
async fn racing(mut turn: Turn, holder: Caller, developer: Caller, work: Work) -> Acknowledged {
    let mut told = Acknowledged::default();
    while turn.goes_on() {
        let granted = act(&mut turn, &holder, "/v1/grants", &grant(&work.id), &mut told).await;
        let Some(granted) = granted.map(|reply| reply.text("grant")) else { break };
        told.grants.push(granted.clone());
        let path = format!("/v1/grants/{granted}/revoke");
        let revoked = act(&mut turn, &holder, &path, &revocation(), &mut told).await;
        if revoked.is_none() {
            break;
        }
        for _ in 0..2 {
            let url = format!("{}/v1/checks", turn.next());
            match developer.try_post(&url, &check_body(&work), "check").await {
                Ok(reply) if reply.status == 200 => {
                    assert!(!reply.is_permitted(), "{granted} was revoked: {reply:?} {revoked:?}");
                    told.checks.push(reply.text("check"));
                }
                Ok(reply) => assert_eq!(reply.status, 503, "{reply:?}"),
                Err(error) => assert!(!error.is_timeout(), "nobody waits for ever: {error}"),
            }
        }
        told.races += 1;
    }
    told
}

async fn checking(mut turn: Turn, developer: Caller, work: Work) -> Acknowledged {
    let mut told = Acknowledged::default();
    while turn.goes_on() {
        let url = format!("{}/v1/checks", turn.next());
        match developer.try_post(&url, &check_body(&work), "check").await {
            Ok(reply) if reply.status == 200 => told.checks.push(reply.text("check")),
            Ok(reply) => {
                assert_eq!(reply.status, 503, "{reply:?}");
                told.again += 1;
            }
            Err(error) => {
                assert!(!error.is_timeout(), "nobody waits for ever: {error}");
                told.again += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    told
}

/// All that was acknowledged is in the logs, once; and the logs verify.
pub(super) async fn nothing_is_lost(rig: &Rig, told: &Acknowledged, nodes: &[&str]) {
    rig.verify(nodes[0]);
    let acts = entries_of(&rig.world, "acts").await;
    let granted: Vec<_> = acts.into_iter().filter(|entry| entry["act"]["type"] == "grant.recorded").collect();
    let mut recorded = every(&granted, "grant");
    recorded.sort_unstable();
    let all = recorded.len();
    recorded.dedup();
    assert_eq!(recorded.len(), all, "no act is recorded twice");
    for grant in &told.grants {
        assert!(recorded.binary_search(grant).is_ok(), "the grant {grant} was acknowledged and is lost");
    }
    let mut journaled = Vec::new();
    for node in nodes {
        journaled.extend(every(&entries_of(&rig.world, &format!("checks/{node}")).await, "check"));
    }
    journaled.sort_unstable();
    for check in &told.checks {
        assert!(journaled.binary_search(check).is_ok(), "the check {check} was answered and is lost");
    }
}

#[test]
fn a_node_that_is_killed_comes_back_and_nothing_is_lost() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 2).await;
        let steady = rig.start("steady");
        let mut other = rig.start("other");
        let load = Load::start(&rig, vec![steady.url.clone(), other.url.clone()], 3);
        let kills = count(3, 50);
        for kill in 0..kills {
            tokio::time::sleep(Duration::from_millis(300 + 97 * (kill as u64 % 7))).await;
            other.child.kill().unwrap();
            other.child.wait().unwrap();
            other = rejoin(&rig).await;
            load.moved(1, &other.url);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let told = load.stop().await;
        println!(
            "{kills} kills: {} grants, {} checks and {} races acknowledged, {} times asked again, 0 lost",
            told.grants.len(),
            told.checks.len(),
            told.races,
            told.again
        );
        assert!(told.grants.len() > kills && told.checks.len() > kills);
        drop((steady, other));
        nothing_is_lost(&rig, &told, &["steady", "other"]).await;
    });
}

/// The node under its old name: it goes on where it was.
async fn rejoin(rig: &Rig) -> Server {
    let before = entries_of(&rig.world, "checks/other").await.len();
    let server = rig.start("other");
    let developer = rig.developer();
    developer.check(&server.url, &rig.works[0]).await;
    assert!(entries_of(&rig.world, "checks/other").await.len() > before, "its journal goes on");
    server
}
