//! Each key gives way to another, by commands beside a running node; and everything that was signed verifies afterwards.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use kyodaku::clock::Clock;
use kyodaku::domain::act::{Act, KeyRotated, OrgRegistered, Role, SigningKeyUse};
use kyodaku::domain::entry::Entry;
use kyodaku::domain::ids::OrgId;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointSigner, VerifierKey, claimed};
use kyodaku::registry::keys::{self, KeyName};
use kyodaku::registry::{Body, Submission};
use kyodaku::store::{entries, heads};
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
pub(super) async fn with_key(world: &World, words: &[&str], key: &str) -> Said {
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

/// A registry in which each key gives way to another.
struct House {
    world: World,
    stage: Stage,
    auditor: Actor,
    developer: Actor,
    /// The first secrets, and the seeds of those that sign logs.
    old: Vec<String>,
    seeds: [[u8; 32]; 2],
    receipts: Vec<String>,
    /// What is told of the logs once all are prepared.
    logs: Value,
}

impl House {
    async fn open(world: World) -> Self {
        let world = World { clock: Clock::system(), ..world };
        let stage = world.stage().await;
        let (auditor, developer) = (stage.auditor().await, stage.developer("Kasane Labs").await);
        let data = world.settings("a").data_dir;
        let seeds = [KeyName::ActLog, KeyName::Journal].map(|name| seed(&data.join(name.file())));
        let old = secrets(&data);
        Self { world, stage, auditor, developer, old, seeds, receipts: Vec::new(), logs: Value::Null }
    }

    /// Something is recorded and asked, and what is asked is sealed.
    async fn live(&mut self, name: &str) {
        self.stage.auditor_named(name).await;
        self.receipts.push(asked(&self.developer).await);
        self.stage.registry.seal_journal(0).await.unwrap();
    }

    async fn again(&mut self) {
        self.stage = again(&self.world, self.stage.clone()).await;
        for actor in [&mut self.auditor, &mut self.developer] {
            actor.client = self.stage.nobody.with_key(&actor.key);
        }
    }

    /// The key of this number of the act log, or of the journal.
    fn key(&self, log: usize, key: usize) -> String {
        self.logs[log]["keys"][key]["verifier_key"].as_str().unwrap().to_owned()
    }

    fn keys(&self) -> Vec<String> {
        [self.key(0, 0), self.key(0, 1), self.key(1, 0), self.key(1, 1)].into()
    }

    /// Whether the newest checkpoint of each log is signed by the old key, and by the new one.
    async fn must_be_signed(&self, by_old: bool, by_new: bool) {
        for (place, log) in ["acts", "checks-a"].into_iter().enumerate() {
            let note = newest(&self.stage, log).await;
            let signed = (is_signed(&note, &self.key(place, 0)), is_signed(&note, &self.key(place, 1)));
            assert_eq!(signed, (by_old, by_new), "{log}");
        }
    }

    /// What each key is doing, as it is listed, and as `/logs` tells.
    async fn must_be(&self, listed_as: [&str; 2], told_as: [&str; 2]) {
        let states: Vec<_> = listed(&self.world, &[]).iter().map(|key| key["state"].clone()).collect();
        assert_eq!(states, listed_as.repeat(4));
        for log in told(&self.stage).await.as_array().unwrap() {
            let states: Vec<_> = log["keys"].as_array().unwrap().iter().map(|key| &key["state"]).collect();
            assert_eq!(states, told_as, "{log}");
        }
    }

    async fn prepare(&mut self) {
        for (name, word) in SIGNING {
            let prepared = with_key(&self.world, &["keys", "prepare", word], "").await;
            assert_eq!(prepared.code, 0, "{}{}", prepared.out, prepared.err);
            let twice = with_key(&self.world, &["keys", "prepare", word], "").await;
            assert_eq!((twice.code, &twice.out), (0, &prepared.out));
            let next = self.world.settings("a").data_dir.join(name.next_file());
            let next = std::fs::read_to_string(next).unwrap().trim_end().to_owned();
            let list = run(&self.world, &["keys", "list"], &[]);
            for said in [prepared, twice, list] {
                must_not_tell(&said, &self.old);
                must_not_tell(&said, std::slice::from_ref(&next));
            }
        }
        self.logs = told(&self.stage).await;
        for path in ["/receipts/jwks", "/oauth/jwks"] {
            let keys = self.stage.nobody.get(path).await.json::<Value>();
            assert_eq!(keys["keys"].as_array().unwrap().len(), 2, "{path}");
        }
    }

    /// Only the registrar, and by an act; gives the entry of the first.
    async fn rotate(&self) -> u64 {
        let size = self.stage.log_size().await;
        for secret in [self.developer.key.as_str(), "", "kyo_live_nothing"] {
            let refused = with_key(&self.world, &["keys", "rotate", "act-log"], secret).await;
            assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
            must_not_tell(&refused, &self.old);
        }
        assert_eq!(run(&self.world, &["keys", "rotate", "act-log"], &[]).code, 2);
        assert_eq!(self.stage.log_size().await, size);
        let registrar = &self.stage.registrar;
        for (_, word) in SIGNING {
            let rotated = with_key(&self.world, &["keys", "rotate", word], &registrar.key).await;
            assert_eq!(rotated.code, 0, "{}{}", rotated.out, rotated.err);
            must_not_tell(&rotated, &self.old);
            let none = with_key(&self.world, &["keys", "rotate", word], &registrar.key).await;
            assert!(none.code == 1 && none.err.contains("keys prepare"), "{}", none.err);
        }
        let stored = entries::read(self.stage.registry.db(), "acts", size..size + 4).await.unwrap();
        assert_eq!(self.stage.log_size().await, size + 4);
        for (stored, log) in stored.iter().zip(0..2) {
            let entry: Entry = serde_json::from_slice(&stored.bytes).unwrap();
            let Act::KeyRotated(act) = &entry.act else { panic!("{entry:?}") };
            let by = (entry.party.to_string(), entry.by[0].to_string());
            assert_eq!(by, (registrar.org.clone(), registrar.person.clone()));
            assert_eq!((&act.old, &act.new), (&self.key(log, 0), &self.key(log, 1)));
        }
        // Nothing of the old secrets is left, but of the one that signs nothing.
        let data = self.world.settings("a").data_dir;
        assert!(SIGNING.iter().all(|(name, _)| !data.join(name.next_file()).exists()));
        let now = secrets(&data);
        assert_eq!(self.old.iter().filter(|secret| now.contains(*secret)).count(), 1);
        size
    }

    async fn monitor(&self, url: &str, keys: &[String]) -> Said {
        let mut command = kyodaku();
        command.args(["monitor", "--once", "--url", url, "--folder"]);
        command.arg(self.world.folder.path().join("monitor"));
        command.args(keys.iter().flat_map(|key| ["--log", key]));
        run_beside(command).await
    }

    /// The whole, offline: with the keys of a friend, and with those that it tells of itself.
    async fn exported(&self, url: &str) -> PathBuf {
        let folder = self.world.folder.path().join("exported");
        let mut export = kyodaku();
        export.args(["export", folder.to_str().unwrap()]);
        export.env("KYODAKU_URL", url).env("KYODAKU_API_KEY", &self.auditor.key);
        let export = run_beside(export).await;
        assert_eq!(export.code, 0, "{}{}", export.out, export.err);
        for keys in [self.keys(), Vec::new()] {
            let good = verified(&folder, &keys).await;
            assert_eq!(good.code, 0, "{}{}", good.out, good.err);
        }
        folder
    }

    /// Receipts from before, between and after, by both verifiers, and signed.
    async fn receipts_hold(&self) {
        let (keys, folder) = (self.keys(), self.world.folder.path());
        let (file, jwks) = (folder.join("receipt.json"), folder.join("jwks.json"));
        std::fs::write(&jwks, &self.stage.nobody.get("/receipts/jwks").await.body).unwrap();
        for path in &self.receipts {
            let receipt = self.developer.get(path).await;
            assert_eq!(receipt.status, 200, "{receipt:?}");
            std::fs::write(&file, &receipt.body).unwrap();
            let words = keys.iter().flat_map(|key| ["--log", key]);
            let mut ours = kyodaku();
            ours.args(["verify", "receipt"]).arg(&file).args(words.clone());
            let mut second = std::process::Command::new(installed("cryptography", "50.0.2").join("python"));
            second.arg(SECOND).arg(&file).args(words);
            for command in [ours, second] {
                let holds = run_beside(command).await;
                assert_eq!(holds.code, 0, "{path}: {}{}", holds.out, holds.err);
            }
            std::fs::write(&file, &self.developer.get(&format!("{path}.jws")).await.body).unwrap();
            let mut signed = kyodaku();
            signed.args(["verify", "receipt"]).arg(&file).arg("--jwks").arg(&jwks);
            let signed = run_beside(signed).await;
            assert_eq!(signed.code, 0, "{}{}", signed.out, signed.err);
        }
    }

    /// A thief of an old key signs what is there, and is named: by what the list says, and by the acts whatever it says.
    async fn a_thief_is_named(&self, folder: &Path) {
        let journal = format!("{ORIGIN}/checks/a");
        for (log, origin, seed) in
            [("acts", ORIGIN, &self.seeds[0]), ("checks-a", journal.as_str(), &self.seeds[1])]
        {
            let file = folder.join(log).join("checkpoint");
            let head = claimed(&std::fs::read(&file).unwrap()).unwrap();
            let stolen = CheckpointSigner::from_seed(origin, seed).unwrap().sign(&head).unwrap();
            let signed = folder.join(log).join("checkpoints").join(head.size.to_string());
            for place in [&file, &signed] {
                let kept = std::fs::read(place).unwrap();
                std::fs::write(place, &stolen).unwrap();
                let list = folder.join("logs.json");
                let text = std::fs::read_to_string(&list).unwrap();
                for (text, keys) in
                    [(text.clone(), self.keys()), (text.clone(), Vec::new()), (unended(&text), self.keys())]
                {
                    std::fs::write(&list, text).unwrap();
                    let bad = verified(folder, &keys).await;
                    let is_named = bad.code == 65 && bad.out.contains("retired_key");
                    assert!(is_named, "{log}: {}{}", bad.out, bad.err);
                }
                std::fs::write(&list, text).unwrap();
                std::fs::write(place, kept).unwrap();
            }
        }
        assert_eq!(verified(folder, &self.keys()).await.code, 0);
    }
}

/// The list of logs as if no key had ended.
fn unended(list: &str) -> String {
    let mut list: Value = serde_json::from_str(list).unwrap();
    for log in list["items"].as_array_mut().unwrap() {
        for key in log["keys"].as_array_mut().unwrap() {
            key["state"] = json!("current");
            key.as_object_mut().unwrap().remove("last_size");
        }
    }
    list.to_string()
}

both!(each_key_gives_way_and_all_that_was_signed_verifies, async |world: World| {
    let mut house = House::open(world).await;
    house.live("Early Audit").await;
    // Prepared beside the running node: told at once, and signing nothing yet.
    house.prepare().await;
    house.must_be(["signs", "next"], ["current", "next"]).await;
    house.must_be_signed(true, false).await;
    // Started again, it signs with both: whoever follows with the one key or the other believes it.
    house.again().await;
    house.live("Overlap Audit").await;
    house.must_be_signed(true, true).await;
    let looked = house.monitor(&served(&house.stage).await, &[house.key(0, 0)]).await;
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);
    // By acts; the node that runs signs with the new ones alone, and so does one that is started again.
    let at = house.rotate().await;
    let journal =
        heads::read_tree(house.stage.registry.db(), &heads::checks_log("a")).await.unwrap().unwrap();
    // Who reads meanwhile has the node know of the acts before the next check.
    assert_eq!(house.auditor.client.get("/v1/works").await.status, 200);
    asked(&house.developer).await;
    house.live("Later Audit").await;
    asked(&house.developer).await;
    house.must_be_signed(false, true).await;
    house.again().await;
    house.live("Last Audit").await;
    house.must_be_signed(false, true).await;
    house.must_be(["published", "signs"], ["retired", "current"]).await;
    let logs = told(&house.stage).await;
    assert_eq!(logs[0]["keys"][0]["last_size"], json!(at));
    assert_eq!(logs[1]["keys"][0]["last_size"], json!(journal.size), "it signed nothing since");
    assert!(logs[1]["keys"][0]["last"].is_string() && logs[1]["keys"][1]["last"].is_null());
    let checked = run(&house.world, &["rebuild", "--check"], &[]);
    let is_whole = checked.code == 0 && !checked.err.contains("not verified");
    assert!(is_whole, "{}{}", checked.out, checked.err);
    // Who followed goes on with the new key, and with the old one alone is told.
    let url = served(&house.stage).await;
    let behind = house.monitor(&url, &[house.key(0, 0)]).await;
    assert!(behind.code == 1 && behind.out.contains("alarm signature"), "{}{}", behind.out, behind.err);
    let looked = house.monitor(&url, &[house.key(0, 0), house.key(0, 1)]).await;
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);
    let folder = house.exported(&url).await;
    house.receipts_hold().await;
    house.a_thief_is_named(&folder).await;
});

both!(a_key_that_gives_way_amid_a_command_ends_with_its_act, async |world: World| {
    let stage = world.stage().await;
    keys::prepare(&world.settings("a"), stage.registry.db(), &world.clock, KeyName::ActLog).await.unwrap();
    let stage = again(&world, stage).await;
    let listed = listed(&world, &[]);
    let of = |state: &str| {
        let key = listed.iter().find(|key| key["use"] == "act_log" && key["state"] == state).unwrap();
        key["key"].as_str().unwrap().to_owned()
    };
    let rotated = KeyRotated { key_use: SigningKeyUse::ActLog, old: of("signs"), new: of("next") };
    let registered = OrgRegistered { org: OrgId::new(world.clock.new_uuid()), roles: vec![Role::Auditor] };
    let size = stage.log_size().await;
    let submission = Submission {
        party: stage.registrar.org.parse().unwrap(),
        on_behalf_of: None,
        by: vec![stage.registrar.person.parse().unwrap()],
        acts: vec![(registered.into(), None), (rotated.into(), None)],
        once: None,
        body: Body::none(),
        accounts: Vec::new(),
        unchanged: None,
    };
    stage.registry.submit(submission).await.unwrap();
    // Whoever follows looks for the act there.
    assert_eq!(told(&stage).await[0]["keys"][0]["last_size"], json!(size + 1));
});
