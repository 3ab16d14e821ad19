//! Each key gives way to another, by commands beside a running node; and everything that was signed verifies afterwards.

use std::path::Path;

use data_encoding::HEXLOWER;
use kyodaku::clock::Clock;
use kyodaku::domain::act::Act;
use kyodaku::domain::entry::Entry;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner, VerifierKey, claimed};
use kyodaku::registry::keys::KeyName;
use kyodaku::store::entries;
use serde_json::{Value, json};

use super::{ORIGIN, SIGNING, again, listed, must_not_tell, program, run, secrets, served};
use crate::cli::{Said, kyodaku, said};
use crate::world::actors::{Actor, Stage};
use crate::world::python::installed;
use crate::world::{World, both};

/// The verifier that is run beside ours.
const SECOND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");

/// Runs a command that may ask a server of this process.
pub(super) async fn run_beside(mut command: std::process::Command) -> Said {
    tokio::task::spawn_blocking(move || said(command.output().unwrap())).await.unwrap()
}

/// Runs the program, with this API key.
async fn with_key(world: &World, words: &[&str], key: &str) -> Said {
    let mut command = program(world, words);
    command.env("KYODAKU_API_KEY", key);
    run_beside(command).await
}

/// The keys of the logs and what is told of them.
pub(super) async fn told(stage: &Stage) -> Value {
    stage.nobody.get("/logs").await.json::<Value>()["items"].clone()
}

/// A check, and a path of its receipt.
pub(super) async fn asked(developer: &Actor) -> String {
    let item = json!({ "keys": [{ "type": "id", "scheme": "story", "value": "nothing" }] });
    let body = json!({ "context": { "uses": ["train.finetune"] }, "items": [item] });
    let answer = developer.client.json("POST", "/v1/checks", &body, &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    format!("/v1/checks/{}/receipt", answer.json::<Value>()["check"].as_str().unwrap())
}

fn seed(path: &Path) -> [u8; 32] {
    let text = std::fs::read_to_string(path).unwrap();
    HEXLOWER.decode(text.trim_end().as_bytes()).unwrap().try_into().unwrap()
}

pub(super) async fn newest(stage: &Stage, log: &str) -> Vec<u8> {
    stage.nobody.get(&format!("/logs/{log}/checkpoint")).await.body.to_vec()
}

fn is_signed(note: &[u8], key: &str) -> bool {
    Checkpoint::parse_and_verify(note, &key.parse::<VerifierKey>().unwrap()).is_ok()
}

/// The exported logs, verified with these keys: what the command said.
pub(super) async fn verified(folder: &Path, keys: &[String]) -> Said {
    let mut command = kyodaku();
    command.args(["verify", "log"]).arg(folder).args(keys.iter().flat_map(|key| ["--log", key]));
    run_beside(command).await
}

both!(each_key_gives_way_and_all_that_was_signed_verifies, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    let data = world.settings("a").data_dir;
    let (auditor, developer) = (stage.auditor().await, stage.developer("Kasane Labs").await);
    let mut receipts = vec![asked(&developer).await];
    stage.registry.seal_journal(0).await.unwrap();
    let old = secrets(&data);
    let seeds = [KeyName::ActLog, KeyName::Journal].map(|name| seed(&data.join(name.file())));
    let monitored = world.folder.path().join("monitor");

    // Prepared beside the running node: told at once, and signing nothing yet.
    for (_, word) in SIGNING {
        let prepared = with_key(&world, &["keys", "prepare", word], "").await;
        assert_eq!(prepared.code, 0, "{}{}", prepared.out, prepared.err);
        must_not_tell(&prepared, &old);
        let twice = with_key(&world, &["keys", "prepare", word], "").await;
        assert_eq!((twice.code, twice.out), (0, prepared.out));
    }
    for (name, _) in SIGNING {
        must_not_tell(
            &run(&world, &["keys", "list"], &[]),
            &[std::fs::read_to_string(data.join(name.next_file())).unwrap().trim_end().to_owned()],
        );
    }
    let logs = told(&stage).await;
    let key = |log: usize, key: usize| logs[log]["keys"][key]["verifier_key"].as_str().unwrap().to_owned();
    for log in 0..2 {
        assert_eq!(
            (&logs[log]["keys"][0]["state"], &logs[log]["keys"][1]["state"]),
            (&json!("current"), &json!("next"))
        );
    }
    for path in ["/receipts/jwks", "/oauth/jwks"] {
        let keys = stage.nobody.get(path).await.json::<Value>();
        assert_eq!(keys["keys"].as_array().unwrap().len(), 2, "{path}");
    }
    let states: Vec<_> =
        listed(&world, &[]).iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["signs", "next"].repeat(4));
    assert!(!is_signed(&newest(&stage, "acts").await, &key(0, 1)));

    // Started again, it signs with both: whoever follows with the one key or the other believes it.
    let stage = again(&world, stage).await;
    let (auditor, developer) = (of(&stage, auditor), of(&stage, developer));
    stage.auditor_named("Overlap Audit").await;
    receipts.push(asked(&developer).await);
    stage.registry.seal_journal(0).await.unwrap();
    for (place, log) in ["acts", "checks-a"].into_iter().enumerate() {
        let note = newest(&stage, log).await;
        assert!(is_signed(&note, &key(place, 0)) && is_signed(&note, &key(place, 1)), "{log}");
    }
    let url = served(&stage).await;
    let look = async |keys: &[String]| {
        let mut command = kyodaku();
        command.args(["monitor", "--once", "--url", &url, "--folder"]).arg(&monitored);
        command.args(keys.iter().flat_map(|key| ["--log", key]));
        run_beside(command).await
    };
    let looked = look(&[key(0, 0)]).await;
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);

    // Only the registrar, and by an act.
    let size = stage.log_size().await;
    for (secret, code) in [(developer.key.as_str(), 1), ("", 1), ("kyo_live_nothing", 1)] {
        let refused = with_key(&world, &["keys", "rotate", "act-log"], secret).await;
        assert_eq!(refused.code, code, "{}{}", refused.out, refused.err);
        must_not_tell(&refused, &old);
    }
    assert_eq!(run(&world, &["keys", "rotate", "act-log"], &[]).code, 2);
    assert_eq!(stage.log_size().await, size);
    let mut rotated_at = Vec::new();
    for (name, word) in SIGNING {
        let rotated = with_key(&world, &["keys", "rotate", word], &stage.registrar.key).await;
        assert_eq!(rotated.code, 0, "{}{}", rotated.out, rotated.err);
        must_not_tell(&rotated, &old);
        assert!(!data.join(name.next_file()).exists());
        rotated_at.push(stage.log_size().await - 1);
        let none = with_key(&world, &["keys", "rotate", word], &stage.registrar.key).await;
        assert!(none.code == 1 && none.err.contains("keys prepare"), "{}", none.err);
    }
    // The acts say who, and which.
    let stored = entries::read(stage.registry.db(), "acts", size..size + 4).await.unwrap();
    for (stored, expected) in stored.iter().zip([&logs[0], &logs[1]]) {
        let entry: Entry = serde_json::from_slice(&stored.bytes).unwrap();
        let Act::KeyRotated(act) = &entry.act else { panic!("{entry:?}") };
        assert_eq!(
            (entry.party.to_string(), entry.by[0].to_string()),
            (stage.registrar.org.clone(), stage.registrar.person.clone())
        );
        assert_eq!(
            json!([act.old, act.new]),
            json!([expected["keys"][0]["verifier_key"], expected["keys"][1]["verifier_key"]])
        );
    }
    // Nothing of the old secrets is left.
    let now = secrets(&data);
    assert!(old.iter().take(4).all(|secret| !now.contains(secret)));

    // The node that runs signs with the new ones alone, and so does one that is started again.
    receipts.push(asked(&developer).await);
    stage.auditor_named("Later Audit").await;
    stage.registry.seal_journal(0).await.unwrap();
    let must_be_new = async |stage: &Stage| {
        for (place, log) in ["acts", "checks-a"].into_iter().enumerate() {
            let note = newest(stage, log).await;
            assert!(!is_signed(&note, &key(place, 0)) && is_signed(&note, &key(place, 1)), "{log}");
        }
    };
    must_be_new(&stage).await;
    let stage = again(&world, stage).await;
    let (auditor, developer) = (of(&stage, auditor), of(&stage, developer));
    receipts.push(asked(&developer).await);
    stage.auditor_named("Last Audit").await;
    stage.registry.seal_journal(0).await.unwrap();
    must_be_new(&stage).await;

    let url = served(&stage).await;
    let logs = told(&stage).await;
    for log in 0..2 {
        let keys = logs[log]["keys"].as_array().unwrap();
        assert_eq!(
            (&keys[0]["state"], &keys[1]["state"], keys.len()),
            (&json!("retired"), &json!("current"), 2)
        );
        assert!(keys[0]["last"].is_string() && keys[1]["last_size"].is_null());
    }
    assert_eq!(logs[0]["keys"][0]["last_size"], json!(rotated_at[0]));
    let states: Vec<_> =
        listed(&world, &[]).iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["published", "signs"].repeat(4));
    let checked = run(&world, &["rebuild", "--check"], &[]);
    assert_eq!(
        (checked.code, checked.err.contains("not verified")),
        (0, false),
        "{}{}",
        checked.out,
        checked.err
    );

    // Who followed goes on with the new key, and with the old one alone is told.
    let look = async |keys: &[String]| {
        let mut command = kyodaku();
        command.args(["monitor", "--once", "--url", &url, "--folder"]).arg(&monitored);
        command.args(keys.iter().flat_map(|key| ["--log", key]));
        run_beside(command).await
    };
    let behind = look(&[key(0, 0)]).await;
    assert!(behind.code == 1 && behind.out.contains("alarm signature"), "{}{}", behind.out, behind.err);
    let looked = look(&[key(0, 0), key(0, 1)]).await;
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);

    // The whole, offline: with the keys of a friend, and with those that it tells of itself.
    let folder = world.folder.path().join("exported");
    let mut export = kyodaku();
    export
        .args(["export", folder.to_str().unwrap()])
        .env("KYODAKU_URL", &url)
        .env("KYODAKU_API_KEY", &auditor.key);
    let export = run_beside(export).await;
    assert_eq!(export.code, 0, "{}{}", export.out, export.err);
    let all: Vec<String> = [key(0, 0), key(0, 1), key(1, 0), key(1, 1)].into();
    for keys in [&all[..], &[]] {
        let good = verified(&folder, keys).await;
        assert_eq!(good.code, 0, "{}{}", good.out, good.err);
    }
    // Receipts from before, between and after, by both verifiers.
    for path in &receipts {
        let receipt = developer.get(path).await;
        assert_eq!(receipt.status, 200, "{receipt:?}");
        let file = world.folder.path().join("receipt.json");
        std::fs::write(&file, &receipt.body).unwrap();
        let words = all.iter().flat_map(|key| ["--log", key]);
        let mut ours = kyodaku();
        ours.args(["verify", "receipt"]).arg(&file).args(words.clone());
        let mut second = std::process::Command::new(installed("cryptography", "50.0.2").join("python"));
        second.arg(SECOND).arg(&file).args(words);
        for command in [ours, second] {
            let verified = run_beside(command).await;
            assert_eq!(verified.code, 0, "{path}: {}{}", verified.out, verified.err);
        }
        let jws = developer.get(&format!("{path}.jws")).await;
        std::fs::write(&file, &jws.body).unwrap();
        let jwks = world.folder.path().join("jwks.json");
        std::fs::write(&jwks, &stage.nobody.get("/receipts/jwks").await.body).unwrap();
        let mut signed = kyodaku();
        signed.args(["verify", "receipt"]).arg(&file).arg("--jwks").arg(&jwks);
        let signed = run_beside(signed).await;
        assert_eq!(signed.code, 0, "{}{}", signed.out, signed.err);
    }

    // A thief of an old key signs what is there, and is named.
    for (log, origin, seed) in
        [("acts", ORIGIN.to_owned(), &seeds[0]), ("checks-a", format!("{ORIGIN}/checks/a"), &seeds[1])]
    {
        let file = folder.join(log).join("checkpoint");
        let good = std::fs::read(&file).unwrap();
        let head = claimed(&good).unwrap();
        let stolen = CheckpointSigner::from_seed(&origin, seed).unwrap().sign(&head).unwrap();
        let signed = folder.join(log).join("checkpoints").join(head.size.to_string());
        for place in [&file, &signed] {
            let kept = std::fs::read(place).unwrap();
            std::fs::write(place, &stolen).unwrap();
            for keys in [&all[..], &[]] {
                let bad = verified(&folder, keys).await;
                assert!(bad.code == 65 && bad.out.contains("retired_key"), "{log}: {}{}", bad.out, bad.err);
            }
            // Also where the list says nothing of an end: the acts do.
            let list = folder.join("logs.json");
            let text = std::fs::read_to_string(&list).unwrap();
            let mut forged: Value = serde_json::from_str(&text).unwrap();
            for log in forged["items"].as_array_mut().unwrap() {
                for key in log["keys"].as_array_mut().unwrap() {
                    key["state"] = json!("current");
                    key.as_object_mut().unwrap().remove("last_size");
                }
            }
            std::fs::write(&list, forged.to_string()).unwrap();
            let bad = verified(&folder, &all).await;
            assert!(bad.code == 65 && bad.out.contains("retired_key"), "{log}: {}{}", bad.out, bad.err);
            std::fs::write(&list, text).unwrap();
            std::fs::write(place, kept).unwrap();
        }
    }
    assert_eq!(verified(&folder, &all).await.code, 0);
});

/// The same actor on the node that was started again.
fn of(stage: &Stage, actor: Actor) -> Actor {
    Actor { client: stage.nobody.with_key(&actor.key), ..actor }
}
