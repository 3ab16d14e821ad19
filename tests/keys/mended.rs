//! A rotation that was stopped half way goes on at the next start, and loses nothing.

use std::os::unix::fs::PermissionsExt;

use kyodaku::registry::Registry;
use kyodaku::registry::keys::{self, KeyName};
use serde_json::json;

use super::{ORIGIN, SIGNING, again, listed, proof, run};
use crate::cli::{kyodaku, said};
use crate::world::actors::Stage;
use crate::world::{World, both};

/// Asks once, about nothing that is known.
async fn ask(stage: &Stage, key: &str) -> u16 {
    let item = json!({ "keys": [{ "type": "id", "scheme": "story", "value": "nothing" }] });
    let body = json!({ "context": { "uses": ["train.finetune"] }, "items": [item] });
    stage.nobody.with_key(key).json("POST", "/v1/checks", &body, &[]).await.status.as_u16()
}

/// What signs now, by use.
fn signing(world: &World) -> Vec<(String, String)> {
    let signs = listed(world, &[]).into_iter().filter(|key| key["state"] == "signs");
    signs
        .map(|key| (key["use"].as_str().unwrap().to_owned(), key["key"].as_str().unwrap().to_owned()))
        .collect()
}

both!(an_act_whose_files_were_not_switched_is_followed_at_the_next_start, async |world: World| {
    let mut stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await.key;
    assert_eq!(ask(&stage, &developer).await, 200);
    let data = world.settings("a").data_dir;
    for (name, _) in SIGNING {
        let (file, next) = (data.join(name.file()), data.join(name.next_file()));
        keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
        stage = again(&world, stage).await;
        let (old, new) = (std::fs::read(&file).unwrap(), std::fs::read(&next).unwrap());
        let kept = data.join("kept");
        std::fs::copy(&file, &kept).unwrap();
        let by = proof(&stage.registry, &stage.registrar.key).await;
        keys::rotate(&stage.registry, &by, name).await.unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), new);
        // As if it had been killed between the act and the files.
        std::fs::rename(&file, &next).unwrap();
        std::fs::rename(&kept, &file).unwrap();
        let size = stage.log_size().await;
        // The list says what the act says, and not what the files do.
        let told = listed(&world, &[]);
        let of_use: Vec<_> = told.iter().filter(|key| key["ended_by"] == json!(size - 1)).collect();
        assert!(!of_use.is_empty() && of_use.iter().all(|key| key["state"] == "published"), "{told:?}");
        stage = again(&world, stage).await;
        assert_eq!(std::fs::read(&file).unwrap(), new, "{name:?}");
        assert!(!next.exists() && old != new);
        assert_eq!(stage.log_size().await, size, "nothing is recorded twice");
        assert_eq!(ask(&stage, &developer).await, 200);
        stage.developer(&format!("Kasane Labs {name:?}")).await;
    }
    assert_eq!(run(&world, &["rebuild", "--check"], &[]).code, 0);
});

both!(files_that_were_switched_before_the_act_sign_and_the_act_follows, async |world: World| {
    let mut stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await.key;
    assert_eq!(ask(&stage, &developer).await, 200);
    let data = world.settings("a").data_dir;
    for name in [KeyName::ActLog, KeyName::Journal] {
        keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
        let before = signing(&world);
        std::fs::rename(data.join(name.next_file()), data.join(name.file())).unwrap();
        stage = again(&world, stage).await;
        assert_eq!(ask(&stage, &developer).await, 200);
        stage.developer(&format!("Kasane Labs {name:?}")).await;
        // As long as no act says so, that another key signed before is not taken for granted.
        let checked = run(&world, &["rebuild", "--check"], &[]);
        assert!(
            checked.code == 1 && checked.out.contains("unknown_key, log"),
            "{}{}",
            checked.out,
            checked.err
        );
        let by = proof(&stage.registry, &stage.registrar.key).await;
        let rotated = keys::rotate(&stage.registry, &by, name).await.unwrap();
        assert_eq!(rotated.acts.len(), 1);
        assert!(before.iter().any(|(_, key)| *key == rotated.acts[0].old), "{before:?} {rotated:?}");
        assert!(signing(&world).iter().any(|(_, key)| *key == rotated.acts[0].new));
        assert_eq!(ask(&stage, &developer).await, 200);
    }
    let checked = run(&world, &["rebuild", "--check"], &[]);
    assert_eq!(
        (checked.code, checked.err.contains("not verified")),
        (0, false),
        "{}{}",
        checked.out,
        checked.err
    );
});

both!(a_node_without_the_next_key_signs_nothing_after_the_act, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await;
    let item = json!({ "keys": [{ "type": "id", "scheme": "story", "value": "nothing" }] });
    let body = json!({ "context": { "uses": ["train.finetune"] }, "items": [item] });
    let asked = developer.client.json("POST", "/v1/checks", &body, &[]).await.json::<serde_json::Value>();
    let receipt = format!("/v1/checks/{}/receipt.jws", asked["check"].as_str().unwrap());
    assert_eq!(developer.get(&receipt).await.status, 200);
    let data = world.settings("a").data_dir;
    let folder = world.folder.path().join("old");
    std::fs::create_dir(&folder).unwrap();
    for name in KeyName::ALL {
        std::fs::copy(data.join(name.file()), folder.join(name.file())).unwrap();
    }
    for (name, _) in SIGNING {
        // `stage` was started before there was a next key, and is not started again.
        keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
    }
    for (name, _) in SIGNING.into_iter().rev() {
        let other = Registry::open(world.settings("a"), world.clock.clone()).await.unwrap();
        let by = proof(&other, &stage.registrar.key).await;
        keys::rotate(&other, &by, name).await.unwrap();
        let size = other.head().await.unwrap().0.size();
        assert_eq!(stage.log_size().await, size, "it follows");
        match name {
            // `tokens` tells of those.
            KeyName::Token => {}
            KeyName::Receipt => assert_eq!(developer.get(&receipt).await.status, 503),
            KeyName::Journal => assert_eq!(ask(&stage, &developer.key).await, 503),
            _ => {
                let body = json!({ "name": "x", "roles": ["auditor"] });
                assert_eq!(stage.registrar.post("/v1/organizations", &body).await.status, 503);
                assert_eq!(other.head().await.unwrap().0.size(), size);
            }
        }
    }
    // A node that has the old files alone does not start.
    let settings = kyodaku::registry::Settings { data_dir: folder.clone(), ..world.settings("b") };
    for (name, _) in SIGNING {
        let refused = Registry::open(settings.clone(), world.clock.clone()).await;
        let refused = refused.err().expect("the key gave way").to_string();
        assert!(refused.contains(name.next_file()), "{refused}");
        std::fs::copy(data.join(name.file()), folder.join(name.next_file())).unwrap();
    }
    Registry::open(settings, world.clock.clone()).await.unwrap();
    let left = |name: KeyName| std::fs::read(folder.join(name.file())).unwrap();
    assert!(KeyName::ALL.iter().all(|name| left(*name) == std::fs::read(data.join(name.file())).unwrap()));
    // Started again, with the files as the rotation left them, it goes on.
    let stage = again(&world, stage).await;
    assert_eq!(ask(&stage, &developer.key).await, 200);
    stage.developer("Kasane Labs 2").await;
});

both!(a_key_that_gave_way_itself_signs_nothing_more, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await;
    assert_eq!(ask(&stage, &developer.key).await, 200);
    for (name, _) in SIGNING {
        keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
    }
    // It has the first keys and the second, and is not started again.
    let stage = again(&world, stage).await;
    for name in [KeyName::Journal, KeyName::ActLog] {
        for _ in 0..2 {
            keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
            let other = Registry::open(world.settings("a"), world.clock.clone()).await.unwrap();
            let by = proof(&other, &stage.registrar.key).await;
            keys::rotate(&other, &by, name).await.unwrap();
        }
        if name == KeyName::Journal {
            assert_eq!(ask(&stage, &developer.key).await, 503);
        } else {
            let body = json!({ "name": "x", "roles": ["auditor"] });
            assert_eq!(stage.registrar.post("/v1/organizations", &body).await.status, 503);
        }
    }
    let stage = again(&world, stage).await;
    assert_eq!(ask(&stage, &developer.key).await, 200);
    stage.developer("Kasane Labs 2").await;
});

both!(a_key_that_is_taken_away_takes_the_next_one_with_it, async |world: World| {
    let stage = world.stage().await;
    let data = world.settings("a").data_dir;
    for name in [KeyName::Token, KeyName::Receipt] {
        keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, name).await.unwrap();
    }
    stage.registry.db().close().await;
    for name in [KeyName::Token, KeyName::Receipt] {
        std::fs::remove_file(data.join(name.file())).unwrap();
    }
    Registry::open(world.settings("a"), world.clock.clone()).await.unwrap();
    for name in [KeyName::Token, KeyName::Receipt] {
        assert!(data.join(name.file()).exists() && !data.join(name.next_file()).exists(), "{name:?}");
    }
});

both!(a_key_of_a_log_is_not_replaced_by_a_file, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await.key;
    assert_eq!(ask(&stage, &developer).await, 200);
    stage.registry.db().close().await;
    let data = world.settings("a").data_dir;
    for name in [KeyName::ActLog, KeyName::Journal] {
        let (file, kept) = (data.join(name.file()), data.join("kept"));
        std::fs::rename(&file, &kept).unwrap();
        // None there, and none is made; and another one.
        for why in ["is signed by a key that is not here", "is signed by another key"] {
            let refused = Registry::open(world.settings("a"), world.clock.clone()).await;
            let refused = refused.err().expect("no key that the log knows").to_string();
            assert!(refused.contains(why) && refused.contains(name.file()), "{refused}");
            assert_eq!(file.exists(), why.ends_with("another key"));
            std::fs::write(&file, "5a".repeat(32)).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::rename(&kept, &file).unwrap();
    }
    Registry::open(world.settings("a"), world.clock.clone()).await.unwrap();
});

both!(a_journal_has_a_next_key_before_it_has_a_check, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await.key;
    let next = world.settings("a").data_dir.join(KeyName::Journal.next_file());
    // Under a name that no server had there is nothing to sign, and nothing is made.
    let mut command = kyodaku();
    command.args(["keys", "prepare", "journal", "--database-url", &world.url, "--origin", ORIGIN]);
    command.args(["--node", "nobody", "--data-dir"]).arg(world.settings("a").data_dir);
    let nobody = said(command.output().unwrap());
    assert!(nobody.code == 1 && nobody.err.contains("start it once"), "{}{}", nobody.out, nobody.err);
    assert!(!next.exists(), "nothing is left behind");
    let prepared = run(&world, &["keys", "prepare", "journal"], &[]);
    assert!(prepared.code == 0 && next.exists(), "{}{}", prepared.out, prepared.err);
    let stage = again(&world, stage).await;
    let by = proof(&stage.registry, &stage.registrar.key).await;
    let rotated = keys::rotate(&stage.registry, &by, KeyName::Journal).await.unwrap();
    assert_eq!((rotated.acts.len(), next.exists()), (1, false));
    assert_eq!(ask(&stage, &developer).await, 200);
    let stage = again(&world, stage).await;
    assert_eq!(ask(&stage, &developer).await, 200);
    assert!(signing(&world).iter().any(|(_, key)| *key == rotated.acts[0].new));
    for more in [&["fsck"][..], &["fsck", "--only-hashes"], &["rebuild", "--check"]] {
        let checked = run(&world, more, &[]);
        assert_eq!(checked.code, 0, "{more:?}: {}{}", checked.out, checked.err);
    }
});
