//! The scrub: what does not hold takes the node out of readiness, until it holds again; and nothing else does.

use std::pin::pin;
use std::time::Duration;

use kyodaku::registry::fsck::Scope;
use kyodaku::registry::rebuild::rebuild;
use kyodaku::registry::scrub::ScrubSettings;
use serde_json::{Value, json};

use crate::cli::fsck::damage;
use crate::cli::serve::{Server, create_registrar, serve};
use crate::world::actors::Stage;
use crate::world::works::registration;
use crate::world::{World, both};

fn settings(scope: Scope) -> ScrubSettings {
    ScrubSettings { scope, percent: 100, interval: Duration::from_hours(24), witnesses: Vec::new() }
}

async fn round(stage: &Stage, scope: Scope) {
    stage.registry.scrub_once(&settings(scope)).await.expect("a round");
}

/// What `/readyz` says of the scrub; nothing where the node is ready.
async fn found(stage: &Stage) -> Option<String> {
    let answer = stage.nobody.get("/readyz").await;
    assert_eq!(stage.nobody.get("/healthz").await.status, 200);
    if answer.status == 200 {
        return None;
    }
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".to_owned()));
    Some(answer.json::<Value>()["detail"].as_str().unwrap().to_owned())
}

async fn events(stage: &Stage) -> usize {
    let events: Value = stage.registrar.get("/v1/security-events?limit=200").await.json();
    events["items"].as_array().unwrap().iter().filter(|event| event["operation"] == "scrubFinding").count()
}

fn figure(stage: &Stage, name: &str) -> String {
    let text = stage.registry.metrics().text(&stage.registry).unwrap();
    let line =
        text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("{text}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

both!(what_does_not_hold_is_told_until_it_is_mended, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    stage.registered_work(&holder, &registration("星屑", &[&holder])).await;
    assert_eq!(found(&stage).await, None, "nothing was examined yet");
    round(&stage, Scope::All).await;
    assert_eq!(found(&stage).await, None);
    assert_eq!((figure(&stage, "kyodaku_scrub_rounds_total"), events(&stage).await), ("1".to_owned(), 0));

    damage(&world, "UPDATE catalog_works SET title = '他人の題名'").await;
    round(&stage, Scope::Hashes).await;
    assert_eq!(found(&stage).await, None, "hashes say nothing of the catalogue");
    for _ in 0..2 {
        round(&stage, Scope::All).await;
        let told = found(&stage).await.unwrap();
        assert!(told.contains("derived, table `catalog_works`") && !told.contains('題'), "{told}");
        assert_eq!(figure(&stage, "kyodaku_scrub_findings"), "1");
    }
    // Everything else goes on.
    assert_eq!(holder.get("/v1/works").await.status, 200);
    stage.registered_work(&holder, &registration("月", &[&holder])).await;
    rebuild(&world.settings("a"), &world.clock, &|_, _| {}).await.unwrap();
    assert!(found(&stage).await.is_some(), "nobody has looked since");
    round(&stage, Scope::All).await;
    assert_eq!(found(&stage).await, None);
    assert_eq!((figure(&stage, "kyodaku_scrub_findings"), events(&stage).await), ("0".to_owned(), 1));
});

both!(each_of_several_nodes_looks_for_itself, async |world: World| {
    let stage = world.stage().await;
    let other = kyodaku::registry::Registry::open(world.settings("b"), world.clock.clone()).await.unwrap();
    damage(&world, "UPDATE entries SET at_ms = at_ms + 1 WHERE log = 'acts' AND idx = 1").await;
    round(&stage, Scope::Hashes).await;
    let told = found(&stage).await.unwrap();
    assert!(told.contains("row_time, log `acts`, entry 1, table `entries`"), "{told}");
    assert_eq!(other.scrub_finding(), None);
    other.scrub_once(&settings(Scope::All)).await.unwrap();
    assert!(other.scrub_finding().is_some());
});

both!(what_grows_meanwhile_is_no_finding, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    tokio::join!(
        async {
            for number in 0..30 {
                let made =
                    stage.registered_work(&holder, &registration(&number.to_string(), &[&holder])).await;
                let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
                let path = format!("/v1/entries/{}/erasure", view["registered_entry"]);
                assert_eq!(stage.both_persons(&path, &json!({})).await.status, 200);
            }
        },
        async {
            for _ in 0..6 {
                round(&stage, Scope::All).await;
                round(&stage, Scope::Hashes).await;
            }
        }
    );
    assert_eq!(found(&stage).await, None);
});

both!(it_may_be_dropped_at_any_point, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let mut ended = false;
    for steps in 0_u32.. {
        let settings = settings(Scope::All);
        let mut scrubbing = pin!(stage.registry.scrub_once(&settings));
        let mut left = steps * steps;
        // It is polled so often and then dropped, wherever it is.
        let polled = std::future::poll_fn(|context| {
            let poll = scrubbing.as_mut().poll(context).map(Some);
            left = left.saturating_sub(1);
            if poll.is_pending() && left == 0 { std::task::Poll::Ready(None) } else { poll }
        });
        if let Some(done) = polled.await {
            done.unwrap();
            ended = true;
        }
        if ended {
            break;
        }
        stage.registered_work(&holder, &registration(&steps.to_string(), &[&holder])).await;
        stage.registry.clear_scrub();
        let left = std::fs::read_dir(world.folder.path().join("data")).unwrap();
        assert!(left.flatten().all(|file| file.file_name() != "scrub"));
    }
    round(&stage, Scope::All).await;
    assert_eq!(found(&stage).await, None);
});

both!(a_server_scrubs_over_and_over_and_says_what_it_found, async |world: World| {
    let quick = ["--set", "scrub_percent=100", "--set", "scrub_interval_s=1"];
    let mut server = Server::start(serve(&world).args(quick));
    create_registrar(&world, "first");
    server.wait_for("the scrub ended a round");
    damage(&world, "UPDATE catalog_orgs SET state = 'suspended'").await;
    let line = server.wait_for("run `kyodaku fsck`");
    assert!(line.contains("catalog_orgs") && line.contains("ERROR"), "{line}");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = format!("{}/readyz", server.url);
    assert_eq!(http.get(&ready).send().await.unwrap().status(), 503);
    rebuild(&world.settings("main"), &world.clock, &|_, _| {}).await.unwrap();
    for rounds in 0.. {
        assert!(rounds < 20, "it is mended, and still stands");
        server.wait_for("the scrub ended a round");
        if http.get(&ready).send().await.unwrap().status() == 200 {
            break;
        }
    }
    assert_eq!(server.stop(), 0);
    assert!(!world.folder.path().join("data/scrub").exists());
});
