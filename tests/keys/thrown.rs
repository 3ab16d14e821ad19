//! A key that was thrown away before its turn came is told no more, once no node has it.

use std::time::Duration;

use kyodaku::registry::keys::{self, KeyName};
use kyodaku::registry::{Registry, Settings};
use serde_json::Value;

use super::rotating::asked;
use super::{SIGNING, again, listed, proof};
use crate::world::actors::Stage;
use crate::world::{World, both};

/// Another node on the same database, with a data folder of its own.
fn other(world: &World) -> Settings {
    Settings { data_dir: world.folder.path().join("other"), ..world.settings("b") }
}

/// Copies what keys the node `a` has, the next ones too.
fn copy_keys(world: &World, to: &Settings) {
    std::fs::create_dir_all(&to.data_dir).unwrap();
    for name in KeyName::ALL {
        for file in [name.file(), name.next_file()] {
            let from = world.settings("a").data_dir.join(file);
            if from.exists() {
                std::fs::copy(from, to.data_dir.join(file)).unwrap();
            }
        }
    }
}

fn throw_away(settings: &Settings) {
    for (name, _) in SIGNING {
        std::fs::remove_file(settings.data_dir.join(name.next_file())).unwrap();
    }
}

async fn prepare(world: &World, stage: &Stage) {
    for (name, _) in SIGNING {
        keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
    }
}

/// How many keys are told, of the act log, of its journal, of receipts and of tokens.
async fn told(stage: &Stage) -> Vec<usize> {
    let logs = stage.nobody.get("/logs").await.json::<Value>();
    let of_log = |name: &str| {
        let log = logs["items"].as_array().unwrap().iter().find(|log| log["log"] == name);
        log.map_or(0, |log| log["keys"].as_array().unwrap().len())
    };
    let mut told = vec![of_log("acts"), of_log("checks-a")];
    for path in ["/receipts/jwks", "/oauth/jwks"] {
        told.push(stage.nobody.get(path).await.json::<Value>()["keys"].as_array().unwrap().len());
    }
    told
}

both!(what_was_thrown_away_before_its_turn_is_told_until_no_node_has_it, async |world: World| {
    let stage = world.stage().await;
    asked(&stage.developer("Kasane Labs").await).await;
    let unready = stage.clone();
    prepare(&world, &stage).await;
    assert_eq!(told(&stage).await, [2; 4]);
    let settings = other(&world);
    copy_keys(&world, &settings);
    let second = Registry::open(settings.clone(), world.clock.clone()).await.unwrap();
    throw_away(&world.settings("a"));
    let stage = again(&world, stage).await;
    assert_eq!(told(&stage).await, [2; 4], "the other node has them still");
    throw_away(&settings);
    second.state_next_keys().await.unwrap();
    for stage in [&stage, &unready] {
        assert_eq!(told(stage).await, [1; 4], "nobody has them");
    }
    let states: Vec<_> = listed(&world, &[]).into_iter().map(|key| key["state"].clone()).collect();
    assert_eq!(states, ["signs"; 4], "nor are they listed");

    // Another one that is prepared takes the place of one that is thrown away, at once.
    prepare(&world, &stage).await;
    assert_eq!(told(&stage).await, [2; 4]);
    throw_away(&world.settings("a"));
    prepare(&world, &stage).await;
    assert_eq!(told(&stage).await, [2; 4]);
    // Whoever puts one back is heard.
    let kept = world.settings("a").data_dir.join("receipts.next.key");
    let away = kept.with_extension("kept");
    std::fs::rename(&kept, &away).unwrap();
    stage.registry.state_next_keys().await.unwrap();
    assert_eq!(told(&stage).await, [2, 2, 1, 2]);
    std::fs::rename(&away, &kept).unwrap();
    stage.registry.state_next_keys().await.unwrap();
    assert_eq!(told(&stage).await, [2; 4]);
});

both!(what_had_its_turn_is_told_for_ever_whoever_has_it, async |world: World| {
    let stage = world.stage().await;
    asked(&stage.developer("Kasane Labs").await).await;
    let settings = other(&world);
    copy_keys(&world, &settings);
    prepare(&world, &stage).await;
    copy_keys(&world, &settings);
    let second = Registry::open(settings.clone(), world.clock.clone()).await.unwrap();
    let mut stage = again(&world, stage).await;
    for (name, _) in SIGNING {
        let by = proof(&stage.registry, &stage.registrar.key).await;
        keys::rotate(&stage.registry, &by, name).await.unwrap();
    }
    // The files of the other node are lost: an act let them sign.
    throw_away(&settings);
    second.state_next_keys().await.unwrap();
    for _ in 0..2 {
        assert_eq!(told(&stage).await, [2; 4]);
        stage = again(&world, stage).await;
    }
    // A key that was replaced by a file signed too; only the key of tokens says nothing then.
    prepare(&world, &stage).await;
    let data = world.settings("a").data_dir;
    for name in [KeyName::Receipt, KeyName::Token] {
        std::fs::rename(data.join(name.next_file()), data.join(name.file())).unwrap();
    }
    let stage = again(&world, stage).await;
    assert_eq!(told(&stage).await[2], 3);
    for name in [KeyName::Receipt, KeyName::Token] {
        std::fs::remove_file(data.join(name.file())).unwrap();
    }
    let stage = again(&world, stage).await;
    assert_eq!(told(&stage).await[2], 4);
});

both!(a_node_that_is_gone_for_ever_holds_nothing, async |world: World| {
    let stage = world.stage().await;
    asked(&stage.developer("Kasane Labs").await).await;
    prepare(&world, &stage).await;
    let settings = other(&world);
    copy_keys(&world, &settings);
    let second = Registry::open(settings, world.clock.clone()).await.unwrap();
    throw_away(&world.settings("a"));
    stage.registry.state_next_keys().await.unwrap();
    world.clock.advance(Duration::from_hours(13 * 24));
    assert_eq!(told(&stage).await, [2; 4]);
    second.state_next_keys().await.unwrap();
    world.clock.advance(Duration::from_hours(13 * 24));
    assert_eq!(told(&stage).await, [2; 4], "it said so again");
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(told(&stage).await, [1; 4]);
});
