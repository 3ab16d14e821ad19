//! A history that is given up knowingly: every node follows by itself, and none follows where something else is wrong.

use std::path::Path;

use kyodaku::clock::Clock;
use kyodaku::registry::keys::KeyName;
use kyodaku::registry::{Registry, Settings};
use kyodaku::store::high_water::HighWater;
use serde_json::{Value, json};

use super::origin::{NEW, after, reopened};
use super::rotating::run_beside;
use super::{ORIGIN, program};
use crate::cli::{Said, kyodaku, said};
use crate::world::actors::Stage;
use crate::world::{World, both};

/// Another node, with a data folder of its own.
fn other(world: &World, origin: &str) -> Settings {
    let data_dir = world.folder.path().join("other");
    Settings { data_dir, origin: origin.to_owned(), ..world.settings("b") }
}

fn copy_keys(from: &Settings, to: &Settings) {
    std::fs::create_dir_all(&to.data_dir).unwrap();
    for name in KeyName::ALL {
        std::fs::copy(from.data_dir.join(name.file()), to.data_dir.join(name.file())).unwrap();
    }
}

async fn fsck(settings: &Settings) -> Said {
    let mut command = kyodaku();
    command.args(["fsck", "--database-url", &settings.database_url, "--origin", &settings.origin]);
    command.args(["--node", &settings.node, "--data-dir"]).arg(&settings.data_dir);
    run_beside(command).await
}

/// A registry of two nodes that lost what both had published: the restored one, the actors, and the size that is left.
async fn lost(world: &World) -> (World, Stage, u64) {
    let stage = world.stage().await;
    let backup = world.folder.path().join("backup");
    let made = said(program(world, &["backup", backup.to_str().unwrap(), "--with-keys"]).output().unwrap());
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let kept = stage.log_size().await;
    let second = other(world, ORIGIN);
    copy_keys(&world.settings("a"), &second);
    let beside = Registry::open(second.clone(), world.clock.clone()).await.unwrap();
    stage.developer("Forgotten Labs").await;
    beside.head().await.unwrap();
    let marks = HighWater::open(&second.data_dir, "b").await.unwrap();
    assert!(marks.mark("acts").unwrap().size > kept && marks.origin() == Some(ORIGIN));
    stage.registry.db().close().await;
    beside.db().close().await;
    let fresh = World { clock: Clock::system(), ..World::new(world.engine).await };
    let restored = said(program(&fresh, &["restore", backup.to_str().unwrap()]).output().unwrap());
    assert_eq!(restored.code, 0, "{}{}", restored.out, restored.err);
    copy_keys(&second, &other(&fresh, NEW));
    let mark = second.data_dir.join("high-water.b");
    std::fs::copy(mark, other(&fresh, NEW).data_dir.join("high-water.b")).unwrap();
    (fresh, stage, kept)
}

/// The log goes on in the restored database, and the other node gets its new key.
fn go_on(fresh: &World, more: &[&str]) {
    let went_on = said(program(fresh, &[&["keys", "new-origin", NEW], more].concat()).output().unwrap());
    assert_eq!(went_on.code, 0, "{}{}", went_on.out, went_on.err);
    copy_keys(&fresh.settings("a"), &other(fresh, NEW));
}

/// Changes the marks of the other node. They stand alone in its file then, as older programs wrote them.
fn altered(file: &Path, change: impl Fn(&mut Value)) {
    let bytes = std::fs::read(file).unwrap();
    let mut marks = serde_json::from_slice(&bytes).unwrap_or_else(|_| {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let line = |place| std::str::from_utf8(place).unwrap().split_once(' ').unwrap().1;
        let lines =
            [first, second].map(|place| serde_json::from_str::<Value>(line(place)).unwrap_or_default());
        lines.into_iter().max_by_key(|line| line["raised"].as_u64()).unwrap()["marks"].take()
    });
    change(&mut marks);
    std::fs::write(file, marks.to_string()).unwrap();
}

async fn refused(fresh: &World, settings: &Settings) -> String {
    let refused = Registry::open(settings.clone(), fresh.clock.clone()).await;
    refused.err().expect("its mark does not fit").to_string()
}

both!(what_was_given_up_is_given_up_by_every_node, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let (fresh, stage, _) = lost(&world).await;
    let from = world.settings("a").data_dir.join("high-water.a");
    std::fs::copy(from, fresh.settings("a").data_dir.join("high-water.a")).unwrap();
    go_on(&fresh, &["--give-up"]);
    let settings = other(&fresh, NEW);
    let checked = fsck(&settings).await;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let second = Registry::open(settings.clone(), fresh.clock.clone()).await.expect("it follows by itself");
    assert!(settings.data_dir.join("high-water.b.given-up-1").exists());
    let first = reopened(Settings { node: "c".to_owned(), ..after(&fresh) }, &fresh, &stage).await;
    first.developer("Later Labs").await;
    let (head, _) = second.head().await.unwrap();
    assert_eq!(head.size(), first.log_size().await);
    let marks = HighWater::open(&settings.data_dir, "b").await.unwrap();
    assert_eq!((marks.mark("acts"), marks.origin()), (Some(head.tree()), Some(NEW)));
    second.db().close().await;
    // One of which the database knew takes another name, and the mark of the old one says nothing any more.
    let mark = settings.data_dir.join("high-water.b.given-up-1");
    std::fs::copy(&mark, settings.data_dir.join("high-water.a")).unwrap();
    let known = Settings { node: "a".to_owned(), ..settings.clone() };
    assert!(refused(&fresh, &known).await.contains("give this node a name that none has had"));
    std::fs::copy(&mark, settings.data_dir.join("high-water.a")).unwrap();
    let checked = fsck(&settings).await;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    // What it has published since is not given up.
    let file = settings.data_dir.join("high-water.b");
    altered(&file, |marks| marks["logs"]["acts"]["size"] = json!(head.size() + 1));
    assert!(refused(&fresh, &settings).await.contains("an older copy"));
});

/// The program with these words and the settings of a node.
fn program_of(settings: &Settings, words: &[&str]) -> Said {
    let mut command = kyodaku();
    command.args(words).args(["--database-url", &settings.database_url, "--origin", &settings.origin]);
    said(command.args(["--node", &settings.node, "--data-dir"]).arg(&settings.data_dir).output().unwrap())
}

both!(a_restore_beside_marks_of_what_was_given_up_sets_them_aside, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let (fresh, stage, _) = lost(&world).await;
    let from = world.settings("a").data_dir.join("high-water.a");
    std::fs::copy(from, fresh.settings("a").data_dir.join("high-water.a")).unwrap();
    go_on(&fresh, &["--give-up"]);
    // A journal under the new name, too.
    let node = Settings { node: "c".to_owned(), ..after(&fresh) };
    let first = reopened(node.clone(), &fresh, &stage).await;
    let developer = first.developer("Later Labs").await.key;
    let item = json!({ "keys": [{ "type": "id", "scheme": "story", "value": "nothing" }] });
    let body = json!({ "context": { "uses": ["train.finetune"] }, "items": [item] });
    let asked = first.nobody.with_key(&developer).json("POST", "/v1/checks", &body, &[]).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let backup = fresh.folder.path().join("later");
    let made = program_of(&node, &["backup", backup.to_str().unwrap(), "--with-keys"]);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    first.registry.db().close().await;
    let again = World::new(world.engine).await;
    let settings = Settings { database_url: again.settings("b").database_url, ..other(&fresh, NEW) };
    let restored = program_of(&settings, &["restore", backup.to_str().unwrap()]);
    assert_eq!(restored.code, 0, "{}{}", restored.out, restored.err);
    assert!(settings.data_dir.join("high-water.b.given-up-1").exists());
    let marks = HighWater::open(&settings.data_dir, "b").await.unwrap();
    assert_eq!(marks.origin(), Some(NEW));
    let opened = Registry::open(settings, fresh.clock.clone()).await.expect("its marks fit");
    assert_eq!(opened.head().await.unwrap().0.size(), marks.mark("acts").unwrap().size);
});

both!(a_mark_that_nobody_gave_up_is_held_against_the_database, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let (fresh, _, kept) = lost(&world).await;
    let settings = other(&fresh, NEW);
    // The node that goes on knows of nothing that is lost, and nobody says that it is given up.
    go_on(&fresh, &[]);
    assert!(refused(&fresh, &settings).await.contains("an older copy"));
    let checked = fsck(&settings).await;
    assert!(checked.code == 65 && checked.out.contains("high_water"), "{}{}", checked.out, checked.err);
    // Nor can it be given up under a name that the log has already: the act says what is.
    let late = program_of(&settings, &["keys", "new-origin", NEW, "--give-up"]);
    assert!(
        late.code == 1 && late.err.contains("let it go on under another name"),
        "{}{}",
        late.out,
        late.err
    );
    assert!(kept > 2 && !settings.data_dir.join("high-water.b.given-up-1").exists());
    // Under another one it can, and by whichever node: every other follows.
    let third = format!("{NEW}-third");
    let node = Settings { node: "c".to_owned(), ..after(&fresh) };
    let given_up = program_of(&node, &["keys", "new-origin", &third, "--give-up"]);
    assert_eq!(given_up.code, 0, "{}{}", given_up.out, given_up.err);
    let settings = Settings { origin: third, ..settings };
    copy_keys(&node, &settings);
    let second = Registry::open(settings.clone(), fresh.clock.clone()).await.expect("it follows by itself");
    second.db().close().await;
    // So does the command, where it was stopped between that act and the mark.
    let (file, kept) = ("high-water.b", "high-water.b.given-up-1");
    std::fs::copy(settings.data_dir.join(kept), settings.data_dir.join(file)).unwrap();
    let again = program_of(&settings, &["keys", "new-origin", &settings.origin, "--give-up"]);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert!(settings.data_dir.join("high-water.b.given-up-2").exists());
});

both!(a_mark_within_what_was_carried_over_must_agree, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let (fresh, _, kept) = lost(&world).await;
    go_on(&fresh, &["--give-up"]);
    let (settings, file) = (other(&fresh, NEW), other(&fresh, NEW).data_dir.join("high-water.b"));
    let mark = std::fs::read(&file).unwrap();
    for size in [1, 2, kept] {
        altered(&file, |marks| marks["logs"]["acts"]["size"] = json!(size));
        assert!(refused(&fresh, &settings).await.contains("another root"), "{size}");
    }
    // An older program wrote no name: whose history it is nobody knows.
    std::fs::write(&file, &mark).unwrap();
    altered(&file, |marks| _ = marks.as_object_mut().unwrap().remove("origin"));
    assert!(refused(&fresh, &settings).await.contains("an older copy"));
    // Nor of a history that did not lead here, nor by a key that is not the node's own.
    std::fs::write(&file, &mark).unwrap();
    altered(&file, |marks| marks["origin"] = json!("kyodaku.example/other"));
    assert!(refused(&fresh, &settings).await.contains("an older copy"));
    std::fs::write(&file, &mark).unwrap();
    let key = settings.data_dir.join("act-log.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    assert!(refused(&fresh, &settings).await.contains("an older copy"));
    std::fs::write(&key, kept).unwrap();
    Registry::open(settings, fresh.clock.clone()).await.expect("it follows");
});
