//! What is stored holds, before a key gives way, while it does and afterwards; and a key that somebody noted for himself counts nothing.

use std::path::Path;
use std::time::Duration;

use kyodaku::clock::Clock;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner};
use kyodaku::registry::Registry;
use kyodaku::registry::fsck::Scope;
use kyodaku::registry::keys;
use kyodaku::registry::scrub::ScrubSettings;
use kyodaku::store::{Db, heads, tiles};
use serde_json::{Value, json};

use super::origin::{NEW, after, export, reopened, verifier_keys};
use super::rotating::{asked, run_beside, told, verified, with_key};
use super::{ORIGIN, again, program, run, served};
use crate::cli::fsck::damage;
use crate::cli::{Said, kyodaku};
use crate::world::actors::{Actor, Stage};
use crate::world::works::registration;
use crate::world::{World, both};

async fn fsck(world: &World, (node, origin): (&str, &str), more: &[&str]) -> Said {
    let mut command = kyodaku();
    command.args(["fsck", "--database-url", &world.url, "--origin", origin, "--node", node, "--data-dir"]);
    command.arg(world.settings(node).data_dir).args(more);
    run_beside(command).await
}

/// Everything holds, and no key is left open: by the command, and by the scrub of the node.
async fn holds(world: &World, of: (&str, &str), registry: &Registry) {
    for more in [&[][..], &["--only-hashes"]] {
        let said = fsck(world, of, more).await;
        assert_eq!(said.code, 0, "{more:?}: {}{}", said.out, said.err);
        assert!(!said.err.contains("is a key of log"), "{more:?}: {}", said.err);
        assert!(!more.is_empty() || !said.err.contains("not verified"), "{}", said.err);
    }
    for scope in [Scope::All, Scope::Hashes] {
        let settings =
            ScrubSettings { scope, percent: 100, interval: Duration::from_hours(24), witnesses: Vec::new() };
        registry.scrub_once(&settings).await.expect("a round");
        assert_eq!(registry.scrub_finding(), None);
    }
}

/// What `rebuild --check` says.
async fn is_as_the_log_says(world: &World) {
    let said = run_beside(program(world, &["rebuild", "--check"])).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

fn with(stage: &Stage, actor: Actor) -> Actor {
    Actor { client: stage.nobody.with_key(&actor.key), ..actor }
}

/// Both keys of the logs give way, by a command beside a node that has not got the new ones.
async fn rotate(world: &World, stage: Stage) -> Stage {
    for word in ["act-log", "journal"] {
        let prepared = run(world, &["keys", "prepare", word], &[]);
        assert_eq!(prepared.code, 0, "{}{}", prepared.out, prepared.err);
    }
    holds(world, ("a", ORIGIN), &stage.registry).await;
    for word in ["act-log", "journal"] {
        let rotated = with_key(world, &["keys", "rotate", word], &stage.registrar.key).await;
        assert_eq!(rotated.code, 0, "{}{}", rotated.out, rotated.err);
    }
    // No journal was signed by a new key yet, and nothing notes where the old one ended.
    holds(world, ("a", ORIGIN), &stage.registry).await;
    let stage = again(world, stage).await;
    holds(world, ("a", ORIGIN), &stage.registry).await;
    stage
}

/// A backup that is made now is believed.
async fn is_restored(world: &World, (node, origin): (&str, &str)) {
    let (folder, fresh) =
        (world.folder.path().join(format!("backup-{node}")), World::new(world.engine).await);
    for (of, words) in [(world, &["backup", "--with-keys"][..]), (&fresh, &["restore"])] {
        let mut command = kyodaku();
        command.args(words).arg(&folder).args(["--database-url", &of.url, "--origin", origin]);
        command.args(["--node", node, "--data-dir"]).arg(of.settings(node).data_dir);
        let said = run_beside(command).await;
        assert_eq!(said.code, 0, "{words:?}: {}{}", said.out, said.err);
    }
    let said = fsck(&fresh, (node, origin), &[]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
}

/// Everything is exported, and verifies: with the keys of a friend, and with those that are told.
async fn is_exported(stage: &Stage, auditor: &Actor, folder: &Path) {
    export(&served(stage).await, &auditor.key, folder).await;
    for keys in [verifier_keys(&told(stage).await), Vec::new()] {
        let good = verified(folder, &keys).await;
        assert_eq!(good.code, 0, "{}{}", good.out, good.err);
    }
}

async fn erase(stage: &Stage, holder: &Actor, key: &str) {
    let made = stage.registered_work(holder, &registration(key, &[holder])).await;
    let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
    let path = format!("/v1/entries/{}/erasure", view["registered_entry"].as_u64().unwrap());
    let erased = stage.both_persons(&path, &json!({})).await;
    assert_eq!(erased.status, 200, "{erased:?}");
    let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
    assert_eq!(view["titles"], json!([]));
}

both!(what_is_stored_holds_when_keys_gave_way_and_the_log_went_on, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    let (auditor, developer) = (stage.auditor().await, stage.developer("Kasane Labs").await);
    asked(&developer).await;
    stage.registry.seal_journal(0).await.unwrap();
    asked(&developer).await;
    let stage = rotate(&world, stage).await;
    let developer = with(&stage, developer);
    asked(&developer).await;
    stage.developer("Later Labs").await;
    stage.registry.seal_journal(0).await.unwrap();
    // And once more: two keys have ended.
    let stage = rotate(&world, stage).await;
    let developer = with(&stage, developer);
    asked(&developer).await;
    stage.developer("Latest Labs").await;
    holds(&world, ("a", ORIGIN), &stage.registry).await;
    is_as_the_log_says(&world).await;
    is_restored(&world, ("a", ORIGIN)).await;

    // The third key is lost, and the log goes on.
    stage.registry.db().close().await;
    std::fs::remove_file(world.settings("a").data_dir.join("act-log.key")).unwrap();
    let went_on = run_beside(program(&world, &["keys", "new-origin", NEW])).await;
    assert_eq!(went_on.code, 0, "{}{}", went_on.out, went_on.err);
    let said = fsck(&world, ("b", NEW), &[]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let stage = reopened(after(&world), &world, &stage).await;
    let (auditor, developer) = (with(&stage, auditor), with(&stage, developer));
    asked(&developer).await;
    stage.developer("Last Labs").await;
    stage.registry.seal_journal(0).await.unwrap();
    holds(&world, ("b", NEW), &stage.registry).await;
    is_exported(&stage, &auditor, &world.folder.path().join("exported")).await;
    is_restored(&world, ("b", NEW)).await;
    // Under the old name it is another's.
    let said = fsck(&world, ("b", ORIGIN), &[]).await;
    assert!(said.code == 65 && said.out.contains("unknown_key, log `acts`"), "{}{}", said.out, said.err);
});

both!(what_is_erased_after_a_rotation_leaves_everything_that_was_signed, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    let (auditor, holder) = (stage.auditor().await, stage.holder("Hoshikuzu Press").await);
    asked(&stage.developer("Kasane Labs").await).await;
    erase(&stage, &holder, "early").await;
    let stage = rotate(&world, stage).await;
    let (auditor, holder) = (with(&stage, auditor), with(&stage, holder));
    erase(&stage, &holder, "late").await;
    holds(&world, ("a", ORIGIN), &stage.registry).await;
    is_as_the_log_says(&world).await;
    is_exported(&stage, &auditor, &world.folder.path().join("exported")).await;

    stage.registry.db().close().await;
    let went_on = run_beside(program(&world, &["keys", "new-origin", NEW])).await;
    assert_eq!(went_on.code, 0, "{}{}", went_on.out, went_on.err);
    let stage = reopened(after(&world), &world, &stage).await;
    let (auditor, holder) = (with(&stage, auditor), with(&stage, holder));
    erase(&stage, &holder, "last").await;
    holds(&world, ("b", NEW), &stage.registry).await;
    is_exported(&stage, &auditor, &world.folder.path().join("exported-again")).await;
    is_restored(&world, ("b", NEW)).await;
});

/// Puts a checkpoint of the act log, signed by this key, in the place of the one that is kept.
async fn signed_anew(world: &World, size: u64, signer: &CheckpointSigner) {
    let db: Db = world.db().await;
    let tree = tiles::checkpoint_at(&db, heads::ACTS, size).await.unwrap().unwrap().tree;
    let note = signer.sign(&Checkpoint::new(ORIGIN, tree)).unwrap();
    damage(world, &format!("UPDATE checkpoints SET note = '{note}' WHERE log = 'acts' AND size = {size}"))
        .await;
}

both!(a_key_that_is_only_noted_in_the_database_counts_nothing, async |world: World| {
    let stage = world.stage().await;
    let size = stage.log_size().await;
    stage.registry.db().close().await;
    let another = CheckpointSigner::from_seed(ORIGIN, &[9; 32]).unwrap();
    let key = another.verifier_key().to_string();
    let noted = format!(
        "INSERT INTO log_keys (log, verifier_key, first_size, first_ms) VALUES ('acts', '{key}', 1, 0)"
    );
    damage(&world, &noted).await;
    // It may be one that another node has prepared, and signs nothing.
    let said = fsck(&world, ("a", ORIGIN), &[]).await;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.err.contains(&format!("not verified: that `{key}` is a key of log `acts`")), "{}", said.err);
    signed_anew(&world, size, &another).await;
    for more in [&[][..], &["--only-hashes"]] {
        let said = fsck(&world, ("a", ORIGIN), more).await;
        assert_eq!(said.code, 65, "{}{}", said.out, said.err);
        let place = format!("unknown_key, log `acts`, file `acts/checkpoints/{size}`");
        assert!(said.out.contains(&place), "{}{}", said.out, said.err);
    }
});

both!(what_an_ended_key_signs_later_is_named_whatever_is_noted, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    asked(&stage.developer("Kasane Labs").await).await;
    let stolen = keys::signer(&world.settings("a").data_dir.join("act-log.key"), ORIGIN).unwrap();
    let stage = rotate(&world, stage).await;
    stage.developer("Later Labs").await;
    let size = stage.log_size().await;
    stage.registry.db().close().await;
    signed_anew(&world, size, &stolen).await;
    let place = format!("acts/checkpoints/{size}`");
    for text in [
        None,
        Some(format!("UPDATE log_key_ends SET last_size = {size} - 1 WHERE log = 'acts'")),
        Some("DELETE FROM log_key_ends WHERE log = 'acts'".to_owned()),
    ] {
        if let Some(text) = &text {
            damage(&world, text).await;
        }
        for more in [&[][..], &["--only-hashes"]] {
            let said = fsck(&world, ("a", ORIGIN), more).await;
            assert_eq!(said.code, 65, "{text:?} {more:?}: {}{}", said.out, said.err);
            assert!(said.out.contains(&place), "{text:?} {more:?}: {}{}", said.out, said.err);
        }
    }
});

both!(a_key_of_receipts_or_tokens_that_is_not_noted_is_named, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let mut stage = world.stage().await;
    for (word, table) in [("receipt", "receipt_keys"), ("token", "token_keys")] {
        let prepared = run(&world, &["keys", "prepare", word], &[]);
        assert_eq!(prepared.code, 0, "{}{}", prepared.out, prepared.err);
        let rotated = with_key(&world, &["keys", "rotate", word], &stage.registrar.key).await;
        assert_eq!(rotated.code, 0, "{}{}", rotated.out, rotated.err);
        stage = again(&world, stage).await;
        // The one that gave way is in no file any more, and an act speaks of it.
        let said = fsck(&world, ("a", ORIGIN), &[]).await;
        assert!(!said.out.contains(table) && !said.err.contains(table), "{}{}", said.out, said.err);
        let entry = stage.log_size().await - 1;
        damage(&world, &format!("DELETE FROM {table} WHERE first_ms = (SELECT MIN(first_ms) FROM {table})"))
            .await;
        for more in [&[][..], &["--only-hashes"]] {
            let said = fsck(&world, ("a", ORIGIN), more).await;
            assert_eq!(said.code, 65, "{}{}", said.out, said.err);
            let place = format!("absent, table `{table}`");
            let why = format!("of which entry {entry} speaks");
            assert!(said.out.contains(&place) && said.out.contains(&why), "{}{}", said.out, said.err);
        }
    }
});
