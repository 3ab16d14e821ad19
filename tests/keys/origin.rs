//! The way out of a key that was lost or stolen, step by step as `docs/operating.md` has it: the log goes on under another name.

use std::path::Path;

use data_encoding::BASE64;
use kyodaku::clock::Clock;
use kyodaku::domain::act::{Act, LogContinued};
use kyodaku::domain::entry::Entry;
use kyodaku::domain::key::Sha256;
use kyodaku::http::{App, routes};
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner, Cosigner, VerifierKey};
use kyodaku::log::merkle::TreeHead;
use kyodaku::registry::keys::{self, KeyName};
use kyodaku::registry::witness::Witness;
use kyodaku::registry::{Body, OpenError, Registry, Settings, Submission};
use kyodaku::store::{Db, entries, heads};
use serde_json::{Value, json};

use super::rotating::{asked, newest, run_beside, told, verified};
use super::{ORIGIN, program, served};
use crate::cli::{kyodaku, said};
use crate::world::actors::{Actor, Stage};
use crate::world::client::Client;
use crate::world::{World, both};

pub(super) const NEW: &str = "kyodaku.example/log-2";

/// The settings once the log has gone on: the new name, and a node that none has been.
pub(super) fn after(world: &World) -> Settings {
    Settings { origin: NEW.to_owned(), ..world.settings("b") }
}

/// A node on what goes on, and whoever had a key.
pub(super) async fn reopened(settings: Settings, world: &World, before: &Stage) -> Stage {
    let registry = Registry::open(settings, world.clock.clone()).await.expect("the node opens");
    let router = routes::router(&App::new(registry.clone()), routes::table());
    let nobody = Client::new(router.clone());
    let actor = |actor: &Actor| Actor { client: nobody.with_key(&actor.key), ..actor.clone() };
    let (registrar, second) = (actor(&before.registrar), actor(&before.second));
    Stage { registry, router, nobody: nobody.clone(), registrar, second }
}

pub(super) async fn export(url: &str, key: &str, folder: &Path) {
    let mut command = kyodaku();
    command.args(["export", folder.to_str().unwrap()]).env("KYODAKU_URL", url).env("KYODAKU_API_KEY", key);
    let export = run_beside(command).await;
    assert_eq!(export.code, 0, "{}{}", export.out, export.err);
}

async fn monitored(url: &str, folder: &Path, keys: &[&str]) -> crate::cli::Said {
    let mut command = kyodaku();
    command.args(["monitor", "--once", "--url", url, "--folder"]).arg(folder);
    command.args(keys.iter().flat_map(|key| ["--log", key]));
    run_beside(command).await
}

/// Every key that is told of.
pub(super) fn verifier_keys(logs: &Value) -> Vec<String> {
    let keys = logs.as_array().unwrap().iter().flat_map(|log| log["keys"].as_array().unwrap());
    keys.map(|key| key["verifier_key"].as_str().unwrap().to_owned()).collect()
}

async fn goes_on(world: World, is_lost: bool) {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    let (auditor, developer) = (stage.auditor().await, stage.developer("Kasane Labs").await);
    let receipt = asked(&developer).await;
    stage.registry.seal_journal(0).await.unwrap();
    let unsealed = asked(&developer).await;
    let before = told(&stage).await;
    let old_key = before[0]["keys"][0]["verifier_key"].as_str().unwrap().to_owned();
    let watched = world.folder.path().join("monitor");
    assert_eq!(monitored(&served(&stage).await, &watched, &[&old_key]).await.code, 0);
    let size = stage.log_size().await;
    let state = format!("sqlite:{}", world.folder.path().join("witness.db").display());
    let witness = async |key: &str| {
        let cosigner = Cosigner::from_seed("witness.example", &[9; 32]).unwrap();
        let db = Db::connect(&state).await.unwrap();
        Witness::of(db, cosigner, [key.parse::<VerifierKey>().unwrap()], world.clock.clone())
    };
    let request =
        async |stage: &Stage| format!("old 0\n\n{}", String::from_utf8(newest(stage, "acts").await).unwrap());
    witness(&old_key).await.add_checkpoint(request(&stage).await.as_bytes()).await.unwrap();

    // One that was prepared lay beside it.
    let prepared = if is_lost {
        None
    } else {
        let (settings, db) = (world.settings("a"), stage.registry.db());
        keys::prepare(&settings, db, &world.clock, KeyName::ActLog).await.unwrap();
        Some(std::fs::read(settings.data_dir.join("act-log.next.key")).unwrap())
    };

    // 1. Stop every server. 2. The key is gone, or somebody else has it.
    stage.registry.db().close().await;
    let file = world.settings("a").data_dir.join("act-log.key");
    let stolen = keys::signer(&file, ORIGIN).unwrap();
    let (next, kept) = (file.with_extension("next.key"), file.with_extension("kept"));
    std::fs::copy(&file, &kept).unwrap();
    if is_lost {
        std::fs::remove_file(&file).unwrap();
    }
    // 3. The log goes on; a name that it had is refused.
    let went_on = said(program(&world, &["keys", "new-origin", NEW]).output().unwrap());
    assert_eq!(went_on.code, 0, "{}{}", went_on.out, went_on.err);
    assert!(went_on.out.contains(&format!("`{ORIGIN}` ends with {size} entries")), "{}", went_on.out);
    assert_ne!(std::fs::read(&file).ok(), prepared, "whoever has the one may have the other");
    // Killed between the act and the file, it is run again.
    std::fs::rename(&file, &next).unwrap();
    if !is_lost {
        std::fs::rename(&kept, &file).unwrap();
    }
    let again = said(program(&world, &["keys", "new-origin", NEW]).output().unwrap());
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert!(again.err.contains("it went on before") && !next.exists(), "{}{}", again.out, again.err);
    let back = said(program(&world, &["keys", "new-origin", ORIGIN]).output().unwrap());
    assert!(back.code == 1 && back.err.contains("had the name"), "{}{}", back.out, back.err);

    // 4. Neither the old name nor an old journal is served; the new name by another node is.
    let refused = Registry::open(world.settings("a"), world.clock.clone()).await;
    assert!(matches!(refused, Err(OpenError::Origin { .. })), "{:?}", refused.err());
    let journal = Settings { node: "a".to_owned(), ..after(&world) };
    let refused = Registry::open(journal, world.clock.clone()).await;
    assert!(matches!(refused, Err(OpenError::Journal { .. })), "{:?}", refused.err());
    let stage = reopened(after(&world), &world, &stage).await;
    let [auditor, developer] =
        [auditor, developer].map(|actor| Actor { client: stage.nobody.with_key(&actor.key), ..actor });
    stage.developer("Later Labs").await;
    let later = asked(&developer).await;
    stage.registry.seal_journal(0).await.unwrap();

    // 5. What others see: where the old name ended, and the new key.
    let logs = told(&stage).await;
    assert_eq!(logs[0]["origin"], NEW);
    assert_eq!(logs[0]["continues"], json!([{ "origin": ORIGIN, "size": size, "root": before[0]["root"] }]));
    let states: Vec<_> = logs[0]["keys"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect();
    let expected = if is_lost { &["retired", "current"][..] } else { &["retired", "retired", "current"] };
    assert_eq!(states, expected);
    assert_eq!(logs[0]["keys"][0]["last_size"], json!(size));
    let entry = entries::read(stage.registry.db(), "acts", size..size + 1).await.unwrap();
    let entry: Entry = serde_json::from_slice(&entry[0].bytes).unwrap();
    let Act::LogContinued(act) = entry.act else { panic!("{entry:?}") };
    assert_eq!((act.from.as_str(), act.origin.as_str(), act.size), (ORIGIN, NEW, size));
    assert_eq!(Value::from(BASE64.encode(&act.root.0)), before[0]["root"]);
    let mut check = kyodaku();
    check.args(["rebuild", "--check", "--database-url", &world.url, "--origin", NEW, "--node", "b"]);
    check.arg("--data-dir").arg(world.settings("b").data_dir);
    let checked = said(check.output().unwrap());
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);

    // 6. Who follows takes the new key from us, and goes on from what it kept.
    let url = served(&stage).await;
    let behind = monitored(&url, &watched, &[&old_key]).await;
    assert!(behind.code == 1 && behind.out.contains("alarm signature"), "{}{}", behind.out, behind.err);
    let new_key = logs[0]["keys"].as_array().unwrap().last().unwrap()["verifier_key"].as_str().unwrap();
    let followed = monitored(&url, &watched, &[&old_key, new_key]).await;
    assert_eq!(followed.code, 0, "{}{}", followed.out, followed.err);
    // To a witness it is a log that it has not seen.
    witness(&old_key).await.add_checkpoint(request(&stage).await.as_bytes()).await.unwrap_err();
    witness(new_key).await.add_checkpoint(request(&stage).await.as_bytes()).await.unwrap();

    let asked = Asked { receipts: [receipt, unsealed, later], auditor, developer };
    all_holds(&world, &stage, &url, &asked).await;
    the_old_key_is_void(&world, &stage, &stolen).await;
}

/// What was asked before and after, and by whom.
struct Asked {
    receipts: [String; 3],
    auditor: Actor,
    developer: Actor,
}

async fn all_holds(world: &World, stage: &Stage, url: &str, asked: &Asked) {
    // 7. Everything verifies, from its first entry; receipts of before and after too.
    let logs = told(stage).await;
    let folder = world.folder.path().join("exported");
    export(url, &asked.auditor.key, &folder).await;
    for given in [verifier_keys(&logs), Vec::new()] {
        let good = verified(&folder, &given).await;
        assert_eq!(good.code, 0, "{}{}", good.out, good.err);
    }
    for path in &asked.receipts {
        let answer = asked.developer.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let file = world.folder.path().join("receipt.json");
        std::fs::write(&file, &answer.body).unwrap();
        let mut command = kyodaku();
        command.args(["verify", "receipt"]).arg(&file);
        command.args(verifier_keys(&logs).iter().flat_map(|key| ["--log", key]));
        let holds = run_beside(command).await;
        assert_eq!(holds.code, 0, "{path}: {}{}", holds.out, holds.err);
        assert_eq!(asked.developer.get(&format!("{path}.jws")).await.status, 200);
    }
}

async fn the_old_key_is_void(world: &World, stage: &Stage, stolen: &CheckpointSigner) {
    let (logs, folder) = (told(stage).await, world.folder.path().join("exported"));
    // 8. Nothing that the old key signs after that is believed.
    let note = newest(stage, "acts").await;
    let head = kyodaku::log::checkpoint::claimed(&note).unwrap().head();
    let lie = stolen.sign(&Checkpoint::new(ORIGIN, head)).unwrap();
    for place in ["checkpoint".to_owned(), format!("checkpoints/{}", head.size)] {
        let file = folder.join("acts").join(place);
        let kept = std::fs::read(&file).unwrap();
        std::fs::write(&file, &lie).unwrap();
        let bad = verified(&folder, &verifier_keys(&logs)).await;
        assert!(bad.code == 65 && bad.out.contains("origin"), "{}{}", bad.out, bad.err);
        std::fs::write(&file, kept).unwrap();
    }
}

both!(a_lost_key_is_left_behind_and_all_that_was_signed_stays_valid, async |world: World| {
    Box::pin(goes_on(world, true)).await;
});

both!(nothing_that_a_stolen_key_signs_later_is_believed, async |world: World| {
    Box::pin(goes_on(world, false)).await;
});

both!(what_was_published_and_is_lost_is_given_up_only_when_it_is_said, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    let auditor = stage.auditor().await;
    let backup = world.folder.path().join("backup");
    let made = said(program(&world, &["backup", backup.to_str().unwrap(), "--with-keys"]).output().unwrap());
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    let kept = stage.log_size().await;
    stage.developer("Forgotten Labs").await;
    stage.registry.db().close().await;
    // The newest database that there is lacks what was published; it is restored where no mark is, and the mark is put there.
    let fresh = World { clock: Clock::system(), ..World::new(world.engine).await };
    let restored = said(program(&fresh, &["restore", backup.to_str().unwrap()]).output().unwrap());
    assert_eq!(restored.code, 0, "{}{}", restored.out, restored.err);
    let (from, to) = (world.settings("a").data_dir, fresh.settings("a").data_dir);
    std::fs::copy(from.join("high-water.a"), to.join("high-water.a")).unwrap();
    assert!(Registry::open(fresh.settings("a"), fresh.clock.clone()).await.is_err());
    let refused = said(program(&fresh, &["keys", "new-origin", NEW]).output().unwrap());
    assert!(refused.code == 1 && refused.err.contains("--give-up"), "{}{}", refused.out, refused.err);
    let went_on = said(program(&fresh, &["keys", "new-origin", NEW, "--give-up"]).output().unwrap());
    assert_eq!(went_on.code, 0, "{}{}", went_on.out, went_on.err);
    assert!(went_on.out.contains(&format!("ends with {kept} entries")), "{}", went_on.out);
    assert!(to.join("high-water.a.given-up-1").exists() && to.join("high-water.a").exists());
    let stage = reopened(after(&fresh), &fresh, &stage).await;
    stage.developer("Later Labs").await;
    let folder = fresh.folder.path().join("exported");
    export(&served(&stage).await, &auditor.key, &folder).await;
    let good = verified(&folder, &verifier_keys(&told(&stage).await)).await;
    assert_eq!(good.code, 0, "{}{}", good.out, good.err);
});

both!(a_commitment_to_another_history_is_named, async |world: World| {
    let stage = world.stage().await;
    let auditor = stage.auditor().await;
    let TreeHead { size, root } = stage.registry.head().await.unwrap().0.tree();
    let mut other = root.0;
    other[0] ^= 1;
    let (from, origin) = (ORIGIN.to_owned(), NEW.to_owned());
    let act = LogContinued { from, origin, size, root: Sha256(other), gives_up: false };
    let submission = Submission {
        party: stage.registry.installation().unwrap(),
        on_behalf_of: None,
        by: Vec::new(),
        acts: vec![(act.into(), None)],
        once: None,
        body: Body::none(),
        accounts: Vec::new(),
        unchanged: None,
    };
    stage.registry.submit(submission).await.unwrap();
    let folder = world.folder.path().join("exported");
    export(&served(&stage).await, &auditor.key, &folder).await;
    for more in [&[][..], &["--only-hashes"]] {
        let mut command = kyodaku();
        command.args(["verify", "log"]).arg(&folder).args(more);
        let bad = run_beside(command).await;
        assert!(bad.code == 65 && bad.out.contains("continues_other"), "{more:?}: {}{}", bad.out, bad.err);
        assert!(bad.out.contains("goes on from"), "{more:?}, the root too: {}", bad.out);
        assert!(bad.out.contains("it is told of"), "{more:?}, the names too: {}", bad.out);
    }
    let checked = said(program(&world, &["rebuild", "--check"]).output().unwrap());
    assert!(
        checked.code == 1 && checked.out.contains("continues_other, log `acts`"),
        "{}{}",
        checked.out,
        checked.err
    );
});

both!(a_log_goes_on_by_the_clock_and_not_by_a_journal_that_was_ahead_of_it, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Early Labs").await;
    let now_ms = world.clock.now_ms();
    // A grant that begins then would be permitted from now on.
    world.clock.set(now_ms + 20 * 86_400_000);
    asked(&developer).await;
    world.clock.set(now_ms);
    stage.registry.db().close().await;
    let db = Db::connect(&world.url).await.unwrap();
    keys::continue_log(&world.settings("a"), NEW, &db, &world.clock, false).await.unwrap();
    let head = heads::read(&db, "acts").await.unwrap().unwrap();
    assert_eq!((head.origin.as_str(), head.at_ms), (NEW, now_ms));
    db.close().await;
});
