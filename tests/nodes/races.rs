//! Concurrent acts through all nodes make one log, and a revocation that was acknowledged on one node is known on all.

use std::sync::Arc;

use kyodaku::store::{heads, tiles};
use serde_json::Value;

use super::rig::{Caller, Rig, RoundRobin, Work, entries_of};
use super::{count, on_postgres};

/// How many callers write at once.
const WRITERS: usize = 16;
/// How many races run at once, each with a work of its own.
const RACERS: usize = 6;

async fn one_tree(rig: &Rig, nodes: usize, acts: usize) {
    let servers = rig.nodes(nodes);
    let (turn, holder) = (RoundRobin::over(&servers), rig.holder());
    let before = holder.get(&format!("{}/v1/status", turn.next())).await.body["log_size"].as_u64().unwrap();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        // All on one work would be more grants than it may have.
        let work = rig.works[writer % rig.works.len()].clone();
        let (turn, holder) = (turn.clone(), holder.clone());
        writers.push(tokio::spawn(async move {
            let (mut firsts, mut heads) = (Vec::new(), Vec::new());
            for _ in (writer..acts).step_by(WRITERS) {
                let reply = holder.grant(turn.next(), &work).await;
                assert_eq!(reply.body["recorded"]["entries"], 1, "{reply:?}");
                firsts.push(reply.body["recorded"]["first_entry"].as_u64().unwrap());
                let head = holder.get(&format!("{}/v1/status", turn.next())).await.body;
                assert!(head["log_size"].as_u64().unwrap() > *firsts.last().unwrap(), "{head}");
                heads.push((head["log_size"].as_u64().unwrap(), head["root"].as_str().unwrap().to_owned()));
            }
            (firsts, heads)
        }));
    }
    let (mut firsts, mut heads_told) = (Vec::new(), Vec::new());
    for writer in writers {
        let (some, told) = writer.await.unwrap();
        firsts.extend(some);
        heads_told.extend(told);
    }
    firsts.sort_unstable();
    let expected: Vec<u64> = (before..before + acts as u64).collect();
    assert_eq!(firsts, expected, "every act has an index of its own, and none is left out");
    // What any node ever told of the log is a head of the one tree that is stored now.
    let db = rig.world.db().await;
    for (size, root) in heads_told {
        let stored = tiles::root_at(&db, heads::ACTS, size).await.unwrap();
        assert_eq!(data_encoding::BASE64.encode(stored.as_ref()), root, "at size {size}");
    }
    db.close().await;
    drop(servers);
    rig.verify("n0");
}

#[test]
fn concurrent_acts_through_two_and_four_nodes_are_one_tree() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 4).await;
        one_tree(&rig, 2, count(150, 10_000)).await;
        one_tree(&rig, 4, count(150, 10_000)).await;
    });
}

/// Grants on one node, sees it on another, and lets all nodes answer while a third records the revocation. In every second race
/// each check is of many items, which are decided before it is known whether the log has grown.
async fn race(holder: &Caller, developer: &Caller, turn: &RoundRobin, work: &Work, tally: &mut Tally) {
    let items = if tally.races.is_multiple_of(2) { 1 } else { 40 };
    let granted = holder.grant(turn.next(), work).await.text("grant");
    assert!(
        developer.check_of(items, turn.next(), work).await.is_permitted(),
        "a grant that was acknowledged is known"
    );
    let during = async {
        let mut answers = Vec::new();
        for _ in turn.urls() {
            answers.push(developer.check_of(items, turn.next(), work).await);
        }
        answers
    };
    let (revoked, during) = tokio::join!(holder.revoke(turn.next(), &granted), during);
    for answer in during {
        // Either side of the revocation is right; which one it was must be told.
        let size = answer.body["log_size"].as_u64().unwrap();
        assert_eq!(answer.is_permitted(), size < revoked.log_size(), "{answer:?} {revoked:?}");
        tally.during += usize::from(answer.is_permitted());
    }
    for url in turn.urls() {
        let after = developer.check_of(items, url, work).await;
        assert!(!after.is_permitted(), "{url} permits what was revoked: {after:?}");
        assert!(after.body["log_size"].as_u64().unwrap() >= revoked.log_size());
        tally.after += 1;
    }
    tally.races += 1;
}

#[derive(Default)]
struct Tally {
    races: usize,
    during: usize,
    after: usize,
}

#[test]
fn no_node_permits_what_was_revoked_on_any() {
    on_postgres(async |world| {
        let rig = Arc::new(Rig::new(world, RACERS).await);
        let servers = rig.nodes(4);
        let turn = RoundRobin::over(&servers);
        let races = count(120, 10_000);
        let mut racers = Vec::new();
        for racer in 0..RACERS {
            let (rig, turn) = (Arc::clone(&rig), turn.clone());
            racers.push(tokio::spawn(async move {
                let (holder, developer) = (rig.holder(), rig.developer());
                let mut tally = Tally::default();
                for _ in (racer..races).step_by(RACERS) {
                    race(&holder, &developer, &turn, &rig.works[racer], &mut tally).await;
                }
                tally
            }));
        }
        let mut all = Tally::default();
        for racer in racers {
            let tally = racer.await.unwrap();
            all.races += tally.races;
            all.during += tally.during;
            all.after += tally.after;
        }
        assert_eq!((all.races, all.after), (races, races * 4));
        println!(
            "{} races over 4 nodes: {} permits before the revocation was recorded, 0 of {} checks after it",
            all.races, all.during, all.after
        );
        drop(servers);
        rig.verify("n0");
        // Every answer is in the journal of the node that gave it.
        let mut journaled = 0;
        for node in 0..4 {
            let entries = entries_of(&rig.world, &format!("checks/n{node}")).await;
            journaled += entries.iter().filter(|entry| entry["type"] == "check").count();
        }
        assert_eq!(journaled, races * (1 + 4 + 4), "one entry a check");
    });
}

#[test]
fn what_one_node_recorded_is_read_on_another_and_what_is_not_there_yet_is_waited_for_and_refused() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 1).await;
        let servers = rig.nodes(2);
        let turn = RoundRobin::over(&servers);
        let (holder, developer, work) = (rig.holder(), rig.developer(), &rig.works[0]);
        let mut size = 0;
        for _ in 0..count(20, 1_000) {
            let granted = holder.grant(turn.next(), work).await;
            size = granted.log_size();
            let url = format!("{}/v1/grants/{}?at_least={size}", turn.next(), granted.text("grant"));
            let read = holder.get(&url).await;
            assert_eq!(read.status, 200, "{read:?}");
            let url = format!("{}/v1/checks?at_least={size}", turn.next());
            let checked = developer.post(&url, &super::rig::check_body(work)).await;
            assert!(
                checked.is_permitted() && checked.body["log_size"].as_u64().unwrap() >= size,
                "{checked:?}"
            );
            turn.next();
        }
        let list = |at_least: u64| format!("{}/v1/grants?at_least={at_least}", turn.next());
        let refused = holder.get(&list(size + 1_000)).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (503, &Value::from("not_caught_up")),
            "{refused:?}"
        );
        // One that is asked for before it is there is answered once it is.
        let (early, late) = (list(size + 1), turn.next());
        let (early, granted) = tokio::join!(holder.get(&early), async {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            holder.grant(late, work).await
        });
        assert_eq!(granted.log_size(), size + 1);
        assert_eq!(early.status, 200, "{early:?}");
        let ids = super::rig::every(&[early.body], "grant");
        assert!(ids.contains(&granted.text("grant")), "{ids:?}");
        drop(servers);
        rig.verify("n1");
    });
}
