//! The database that can't be reached, is slow, or is there for nobody but the network: nobody gets a permit, everybody gets an
//! answer in time, and all goes on by itself afterwards.

use std::time::Duration;

use super::kill::{Load, nothing_is_lost};
use super::proxy::{Mode, Proxy};
use super::rig::{Caller, Reply, Rig, check_body, revocation};
use super::{count, on_postgres};
use crate::cli::serve::Server;
use crate::world::World;
use crate::world::actors::fresh_key;
use crate::world::works::grant;
use kyodaku::clock::stopwatch;

/// By when everybody has an answer: the time limit of a handler, and a little.
const ANSWERED: Duration = Duration::from_secs(35);
/// By when all goes on after the cause is gone: what waits for an answer that never comes is given up after 25 s.
const RECOVERED: Duration = Duration::from_mins(1);

/// What the far node does while its database is in trouble, and how it comes back.
async fn trouble(world: World, mode: Mode, rounds: usize) {
    let rig = Rig::new(world, 3).await;
    let (proxy, url) = Proxy::before(&rig.world.url).await;
    let far = Server::start(&mut rig.command("far", &url));
    let near = rig.start("near");
    let load = Load::start(&rig, vec![far.url.clone()], 6);
    let (mut slowest, mut held_up, mut refused) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..rounds {
        let (holder, developer, work) = (rig.holder(), rig.developer(), &rig.works[2]);
        let granted = holder.grant(&near.url, work).await.text("grant");
        assert!(developer.check(&far.url, work).await.is_permitted());
        proxy.set(mode);
        held_up = held_up.max(revoked(&holder, &near, &granted).await);
        let begun = stopwatch();
        let replies = during(&rig, &far).await;
        slowest = slowest.max(begun.elapsed());
        assert!(begun.elapsed() < ANSWERED, "answered after {:?}: {replies:?}", begun.elapsed());
        for reply in &replies {
            assert!(
                !reply.is_ok() || !reply.body.to_string().contains("\"permitted\""),
                "{mode:?}: {reply:?}"
            );
            refused += usize::from(reply.status == 503);
        }
        if !matches!(mode, Mode::Delay(_)) {
            assert!(replies.iter().all(|reply| reply.status == 503), "{mode:?}: {replies:?}");
        }
        proxy.set(Mode::Pass);
        let back = recovered(&rig, &far).await;
        println!(
            "{mode:?}: answered within {slowest:.1?}, {refused} times 503, back after {back:.1?}; the other node wrote after \
             {held_up:.1?}"
        );
    }
    let told = load.stop().await;
    println!("{mode:?}: {} grants and {} checks acknowledged, 0 lost", told.grants.len(), told.checks.len());
    drop((far, near));
    nothing_is_lost(&rig, &told, &["near", "far"]).await;
}

/// Revokes on the other node, which may have to wait until the database lets go of what the far one held; how long.
async fn revoked(holder: &Caller, near: &Server, granted: &str) -> Duration {
    let (begun, key, url) = (stopwatch(), fresh_key(), format!("{}/v1/grants/{granted}/revoke", near.url));
    while !holder.try_post(&url, &revocation(), &key).await.unwrap().is_ok() {
        assert!(begun.elapsed() < ANSWERED, "the other node can't write");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    begun.elapsed()
}

/// A check of what was revoked on the other node, an act, and whether the node is ready.
async fn during(rig: &Rig, far: &Server) -> [Reply; 3] {
    let (holder, developer, work) = (rig.holder(), rig.developer(), &rig.works[2]);
    let (check, act) = (check_body(work), grant(&rig.works[0].id));
    let (checks, grants, key) =
        (format!("{}/v1/checks", far.url), format!("{}/v1/grants", far.url), fresh_key());
    let ready = format!("{}/readyz", far.url);
    let (check, act, ready) = tokio::join!(
        developer.post(&checks, &check),
        holder.try_post(&grants, &act, &key),
        holder.get(&ready)
    );
    let mut check = check;
    if check.is_ok() {
        assert!(!check.is_permitted(), "a permit although the grant was revoked: {check:?}");
        check.body = serde_json::Value::Null;
    }
    [check, act.unwrap(), ready]
}

/// Waits until the same process answers again as if nothing had been, to forty at once.
async fn recovered(rig: &Rig, far: &Server) -> Duration {
    let (developer, work) = (rig.developer(), &rig.works[2]);
    let (begun, url) = (stopwatch(), format!("{}/v1/checks", far.url));
    while developer.post(&url, &check_body(work)).await.status != 200 {
        assert!(begun.elapsed() < RECOVERED, "it does not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let after = begun.elapsed();
    let many: Vec<_> = (0..40)
        .map(|_| {
            let (developer, url, body) = (developer.clone(), url.clone(), check_body(work));
            tokio::spawn(async move { developer.post(&url, &body).await })
        })
        .collect();
    for reply in many {
        let reply = reply.await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!reply.is_permitted());
    }
    after
}

#[test]
fn a_database_that_refuses_permits_nothing_and_is_found_again() {
    on_postgres(async |world| trouble(world, Mode::Refuse, count(1, 10)).await);
}

#[test]
fn a_database_that_is_slow_is_waited_for_and_one_that_is_too_slow_permits_nothing() {
    let delays = [Duration::from_millis(100), Duration::from_secs(8)];
    for delay in &delays[..count(1, delays.len())] {
        on_postgres(async |world| trouble(world, Mode::Delay(*delay), count(1, 5)).await);
    }
}

#[test]
fn a_database_behind_a_network_that_swallows_permits_nothing_and_is_found_again() {
    on_postgres(async |world| trouble(world, Mode::Swallow, count(1, 10)).await);
}
