//! Receipts as people use them: fetched, handed on and verified by programs, ours and one that shares nothing with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use kyodaku::log::merkle::leaf_hash;
use kyodaku::log::receipt::{CheckRecord, Receipt, signed};
use kyodaku::registry::offline::Folder;
use kyodaku::registry::offline::decision::{Computed, Past};
use serde_json::{Value, json};

use super::{Answered, page};
use crate::checks::scene::Scene;
use crate::cli::import::{file, served};
use crate::cli::serve::{Server, ask};
use crate::cli::{Said, kyodaku, said};
use crate::world::actors::{Actor, Stage};
use crate::world::python::installed;
use crate::world::works::{grant, registration};
use crate::world::{World, both};

/// What is done to a statement.
type Alter = fn(&mut signed::Statement);

/// The verifier that is run beside ours.
const SECOND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verify_receipt.py");

fn verify(words: &[&str]) -> Said {
    said(kyodaku().args(["verify", "receipt"]).args(words).output().unwrap())
}

fn second(words: &[&str]) -> Said {
    let python = installed("cryptography", "50.0.2").join("python");
    said(Command::new(python).arg(SECOND).args(words).output().unwrap())
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The keys of the logs as arguments.
async fn logs(stage: &Stage) -> Vec<String> {
    let logs: Value = stage.nobody.get("/logs").await.json();
    let keys =
        logs["items"].as_array().unwrap().iter().flat_map(|log| log["keys"].as_array().unwrap().clone());
    keys.flat_map(|key| ["--log".to_owned(), key["verifier_key"].as_str().unwrap().to_owned()]).collect()
}

/// A developer asks by command about a permitted page and two others, and keeps the answer.
async fn kept(world: &World, stage: &Stage, server: &Server) -> (Actor, PathBuf) {
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let mut body = registration("星屑", &[&holder]);
    body["keys"] = json!([{ "type": "url", "value": page(1) }]);
    let work = stage.confirmed(&holder, &body).await;
    assert_eq!(holder.post("/v1/grants", &grant(&work.work)).await.status, 201);
    let answer = world.folder.path().join("answer.ndjson");
    let asked = ["check", "--use", "train.finetune", "--keep", path(&answer), &page(1), &page(2), &page(3)];
    let asked = ask(server, &developer.key, &asked);
    assert_eq!(asked.code, 10, "{}{}", asked.out, asked.err);
    (developer, answer)
}

both!(a_check_is_kept_and_its_receipt_holds_anywhere, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (developer, answer) = kept(&world, &stage, &server).await;
    let logs = logs(&stage).await;
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    let folder = world.folder.path().join("receipts");
    let fetched =
        ask(&server, &developer.key, &["receipt", "--answer", path(&answer), "--folder", path(&folder)]);
    assert_eq!(fetched.code, 0, "{}{}", fetched.out, fetched.err);
    let receipt = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();

    let more = ["--answer", path(&answer), "--developer", &developer.org];
    let held = verify(&[&[path(&receipt)], &logs[..], &more].concat());
    assert_eq!(held.code, 0, "{}{}", held.out, held.err);
    for part in [
        ": holds\n",
        "1 of 3 items permitted",
        &format!("item 0: permitted: {}\n    train.finetune: permitted", page(1)),
        "    who asked called it \"0\"\n",
        ": grant.recorded\n",
    ] {
        assert!(held.out.contains(part), "{part}: {}", held.out);
    }
    let told = verify(&[&[path(&receipt), "--json"], &logs[..]].concat());
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        (&told["holds"], &told["developer"], &told["shown"][2]["item"]),
        (&json!(true), &json!(developer.org), &json!(2))
    );
    // One item alone, which tells nothing of the others.
    let one = ask(&server, &developer.key, &["receipt", "--answer", path(&answer), "--item", "1"]);
    assert_eq!(Receipt::read(one.out.trim_end().as_bytes()).unwrap().items.len(), 1);
    assert!(!one.out.contains(&page(3)));
    // Not for another developer, not without a key, and not with a word altered.
    let competitor = stage.developer("Mugen Models").await;
    let other = verify(&[&[path(&receipt), "--developer", &competitor.org], &logs[..]].concat());
    assert!(other.code == 65 && other.out.contains("DOES NOT HOLD: the developer is"), "{}", other.out);
    assert_eq!(verify(&[path(&receipt)]).code, 65);
    let text = std::fs::read_to_string(&receipt).unwrap();
    let lie = file(&world, "lie.json", &text.replacen("not_permitted", "permitted", 1));
    let lie = verify(&[&[path(&lie)], &logs[..]].concat());
    assert!(lie.code == 65 && lie.out.contains("DOES NOT HOLD: item 1"), "{}", lie.out);
    // Nothing in a file begins a line of what is said of it.
    let origin = "\"origin\":\"x\\nreceipt.json: holds\\n";
    let lie = text.replacen("\"origin\":\"", origin, 1);
    assert_ne!(lie, text);
    let lie = file(&world, "lines.json", &lie);
    let lie = verify(&[&[path(&lie)], &logs[..]].concat());
    assert_eq!((lie.code, lie.out.lines().count()), (65, 1), "{}", lie.out);
    // An answer that was altered has no receipt, and one that was kept is not written over.
    let altered =
        std::fs::read_to_string(&answer).unwrap().replacen("not_permitted\",\"with", "permitted\",\"with", 1);
    let altered = file(&world, "altered.ndjson", &altered);
    let refused = ask(&server, &developer.key, &["receipt", "--answer", path(&altered)]);
    assert!(refused.code == 1 && refused.err.contains("is not the one"), "{}{}", refused.out, refused.err);
    let again =
        ask(&server, &developer.key, &["check", "--use", "search", "--keep", path(&answer), &page(1)]);
    assert!(again.code == 2 && again.err.contains("is there already"), "{}", again.err);
    assert_eq!(ask(&server, &competitor.key, &["receipt", "--answer", path(&answer)]).code, 1);
    assert_eq!(ask(&server, &developer.key, &["receipt", "--answer", path(&answer), "--item", "3"]).code, 2);
});

both!(the_signed_word_of_the_registry_is_verified_offline, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (developer, answer) = kept(&world, &stage, &server).await;
    let check = std::fs::read_to_string(&answer).unwrap();
    let check = check.split('"').find(|part| part.starts_with("chk_")).unwrap().to_owned();
    let jws = ask(&server, &developer.key, &["receipt", &check, "--jws"]);
    let jws = file(&world, "receipt.jws", &jws.out);
    let jwks = String::from_utf8(stage.nobody.get("/receipts/jwks").await.body.to_vec()).unwrap();
    let keys = file(&world, "jwks.json", &jwks);
    let held = verify(&[path(&jws), "--jwks", path(&keys), "--developer", &developer.org]);
    assert!(held.code == 0 && held.out.contains("alone, not by the logs"), "{}{}", held.out, held.err);
    assert_eq!(verify(&[path(&jws)]).code, 65);
    // The answer beside it is held against it too, and what can't be is refused.
    let beside = ["--jwks", path(&keys), "--answer"];
    assert_eq!(verify(&[&[path(&jws)], &beside[..], &[path(&answer)]].concat()).code, 0);
    let lie = std::fs::read_to_string(&answer)
        .unwrap()
        .replace("\"verdict\":\"not_permitted\"", "\"verdict\":\"permitted\"");
    let lie = file(&world, "lie.ndjson", &lie);
    assert_eq!(verify(&[&[path(&jws)], &beside[..], &[path(&lie)]].concat()).code, 65);
    let other =
        kyodaku::registry::keys::signer(&world.folder.path().join("other.key"), "other.example/log").unwrap();
    let other = other.verifier_key().to_string();
    assert_eq!(verify(&[path(&jws), "--jwks", path(&keys), "--log", &other]).code, 65);
    let text = std::fs::read_to_string(&jws).unwrap();
    let cut = file(&world, "cut.jws", text.trim_end().strip_suffix(|_| true).unwrap());
    assert_eq!(verify(&[path(&cut), "--jwks", path(&keys)]).code, 65);
    assert_eq!(verify(&[path(&jws), "--jwks", path(&jws)]).code, 2);
    // What does not hold weighs more than what can't be read, and neither keeps the others from being judged.
    let nowhere = world.folder.path().join("nowhere");
    assert_eq!(verify(&[path(&nowhere)]).code, 69);
    let with_good = verify(&[path(&nowhere), path(&jws), "--jwks", path(&keys)]);
    assert!(with_good.code == 69 && with_good.out.contains("alone, not by the logs"), "{}", with_good.out);
    assert_eq!(with_good.err.matches("can't be read").count(), 1, "{}", with_good.err);
    let with_all = verify(&[path(&nowhere), path(&cut), path(&jws), "--jwks", path(&keys)]);
    assert_eq!(with_all.code, 65, "{}{}", with_all.out, with_all.err);
    assert_eq!(with_all.out.matches("receipt.jws").count(), 1, "{}", with_all.out);
});

both!(what_a_holder_was_told_of_its_works_is_verified_offline, async |world: World| {
    let it = Answered::open(&world).await;
    let text = it.scene.holder.get(&it.path("receipt.jws")).await;
    let jws = file(&world, "works.jws", std::str::from_utf8(&text.body).unwrap());
    let jwks = String::from_utf8(it.scene.stage.nobody.get("/receipts/jwks").await.body.to_vec()).unwrap();
    let keys = file(&world, "jwks.json", &jwks);
    let alone = verify(&[path(&jws), "--jwks", path(&keys)]);
    assert_eq!(alone.code, 0, "{}{}", alone.out, alone.err);
    let without = "whose receipt is not at hand, or does not hold";
    for part in [": permitted\n", ": not permitted\n", without, "alone, not by the logs"] {
        assert!(alone.out.contains(part), "{part}: {}", alone.out);
    }
    // Beside the receipt of the check, which auditors have, in whatever order.
    let (_, bytes) = it.receipt(&it.auditor).await;
    let receipt = file(&world, "receipt.json", std::str::from_utf8(&bytes).unwrap());
    let logs = logs(&it.scene.stage).await;
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    let more = ["--jwks", path(&keys), "--developer", &it.scene.developer.org, "--json"];
    for files in [[path(&jws), path(&receipt)], [path(&receipt), path(&jws)]] {
        let both = verify(&[&files[..], &more, &logs[..]].concat());
        assert_eq!(both.code, 0, "{}{}", both.out, both.err);
        let told = both.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut told = told;
        let told = told.find(|told| told["works"].is_array()).unwrap();
        assert_eq!((&told["has_receipt"], &told["check"]), (&json!(true), &it.told["check"]), "{told}");
        assert_eq!(told["works"].as_array().unwrap().len(), 2);
    }
    // Not by another key, not of another developer or registry, not with an answer, and not altered.
    let other = signed::ReceiptSigner::from_seed(&[7; 32]);
    let refused = |words: &[&str], part: &str| {
        let refused = verify(words);
        assert_eq!(refused.code, 65, "{part}: {}{}", refused.out, refused.err);
        assert!(refused.out.contains(part), "{part}: {}", refused.out);
    };
    refused(&[path(&jws)], "needs `--jwks`");
    refused(
        &[path(&jws), "--jwks", path(&keys), "--developer", &it.scene.competitor.org],
        "the developer is",
    );
    let answer = file(&world, "answer.json", std::str::from_utf8(&it.answer).unwrap());
    refused(&[path(&jws), "--jwks", path(&keys), "--answer", path(&answer)], "no answer can be held against");
    let strange =
        kyodaku::registry::keys::signer(&world.folder.path().join("other.key"), "other.example/log");
    let strange = strange.unwrap().verifier_key().to_string();
    refused(&[path(&jws), "--jwks", path(&keys), "--log", &strange], "no key of that was given");
    let statement = signed::verify(
        std::str::from_utf8(&text.body).unwrap(),
        &crate::receipts::signed::public_keys(&it).await,
    )
    .unwrap();
    let public = json!({ "keys": [{ "x": BASE64URL_NOPAD.encode(&other.public()) }] }).to_string();
    let others = file(&world, "others.json", &public);
    refused(&[path(&jws), "--jwks", path(&others)], "no key");
    // What whoever has a key of receipts states otherwise than the receipt of the check.
    let alters: [(Alter, &str); 5] = [
        (|it| it.journal.index += 1, "the place in the journal is not that of the receipt"),
        (|it| it.journal.leaf = leaf_hash(b"x"), "the place in the journal is not that of the receipt"),
        (|it| it.iat += 1, "the moment is not that of the receipt"),
        (
            |it| it.sub = "org_01h455vb4pex5vsknk084sn02q".parse().unwrap(),
            "the developer is not that of the receipt",
        ),
        (|it| it.works.as_mut().unwrap().reverse(), "the list of works is not as a registry states it"),
    ];
    for (alter, part) in alters {
        let mut statement = statement.clone();
        alter(&mut statement);
        let lie = file(&world, "lie.jws", &other.sign(signed::WORKS_TYP, &statement).unwrap());
        refused(&[&[path(&lie), path(&receipt), "--jwks", path(&others)], &logs[..]].concat(), part);
    }
});

both!(a_past_answer_comes_out_of_the_log_again, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (developer, answer) = kept(&world, &stage, &server).await;
    let auditor = stage.auditor().await;
    let receipts = world.folder.path().join("receipts");
    let words = ["receipt", "--answer", path(&answer), "--folder", path(&receipts)];
    assert_eq!(ask(&server, &developer.key, &words).code, 0);
    let receipt = std::fs::read_dir(&receipts).unwrap().next().unwrap().unwrap().path();
    // The log goes on: what was answered then rests on what stood then.
    let later = stage.holder("Ato Press").await;
    stage.confirmed(&later, &registration("後の本", &[&later])).await;
    let folder = world.folder.path().join("logs");
    let exported = ask(&server, &auditor.key, &["export", path(&folder)]);
    assert_eq!(exported.code, 0, "{}{}", exported.out, exported.err);
    let logs = logs(&stage).await;
    let decide = |receipt: &Path, folder: &Path, more: &[&str]| {
        let logs = logs.iter().map(String::as_str);
        let words = ["verify", "decision", path(receipt), "--folder", path(folder)];
        said(kyodaku().args(words).args(logs).args(more).output().unwrap())
    };
    let held = decide(&receipt, &folder, &["--answer", path(&answer)]);
    assert_eq!(held.code, 0, "{}{}", held.out, held.err);
    assert!(held.out.ends_with(": holds: 3 items come out the same\n"), "{}", held.out);
    let told: Value = serde_json::from_str(&decide(&receipt, &folder, &["--json"]).out).unwrap();
    assert_eq!((&told["holds"], &told["same"]), (&json!(true), &json!(3)));

    // What was never answered so does not come out so.
    let read = Receipt::read(&std::fs::read(&receipt).unwrap()).unwrap();
    let record = CheckRecord::read(&read.journal.entry).unwrap();
    let past = Past::read(&Folder::new(&folder), "kyodaku.example/log", record.log).await.unwrap();
    let [permitted, refused] = [&read.items[0].item, &read.items[1].item];
    assert_eq!(
        past.compute(&record, permitted).unwrap(),
        Computed::Same { permitted: true, valid_until_ms: i64::MAX }
    );
    let lie = refused.replace("not_permitted", "permitted");
    assert_eq!(past.compute(&record, &lie).unwrap(), Computed::Other(refused.clone()));
    let other = CheckRecord { at_ms: record.at_ms - 86_400_000, ..record.clone() };
    let before = past.compute(&other, permitted).unwrap();
    assert!(matches!(before, Computed::Other(_)), "the grant was not yet recorded");
    assert!(past.contradicts(&other).unwrap().contains("older than the last entry"));
    let rules = CheckRecord { rule_version: 2, ..record.clone() };
    assert!(past.contradicts(&rules).unwrap().contains("rules 1 stood"));
    // Another log, a shorter one, one whose entries are not there, and a receipt that does not hold.
    let short = kyodaku::log::merkle::TreeHead { size: 10_000, ..record.log };
    let read_log = async |origin: &str, head| {
        Past::read(&Folder::new(&folder), origin, head).await.unwrap_err().to_string()
    };
    assert!(read_log("other.example/log", record.log).await.contains("there is no log"));
    assert!(read_log("kyodaku.example/log", short).await.contains("10000 are needed"));
    let root = leaf_hash(b"another");
    let wrong = kyodaku::log::merkle::TreeHead { root, ..record.log };
    assert!(read_log("kyodaku.example/log", wrong).await.contains("are not those"));
    let hashes = world.folder.path().join("hashes");
    assert_eq!(
        said(kyodaku().args(["export", path(&hashes), "--url", &server.url]).output().unwrap()).code,
        0
    );
    let refused = decide(&receipt, &hashes, &[]);
    assert!(refused.code == 65 && refused.out.contains("is not here"), "{}{}", refused.out, refused.err);
    // A bundle that is empty or cut is no log, and no reason to go on for ever.
    let bundle = std::fs::read_dir(folder.join("acts/tile/entries")).unwrap().next().unwrap().unwrap().path();
    let bundle =
        std::fs::read_dir(&bundle).map_or(bundle.clone(), |mut below| below.next().unwrap().unwrap().path());
    let kept_bundle = std::fs::read(&bundle).unwrap();
    for length in [0, 1, kept_bundle.len() / 2] {
        std::fs::write(&bundle, &kept_bundle[..length]).unwrap();
        let cut = decide(&receipt, &folder, &[]);
        assert!(cut.code == 65 && cut.out.contains("breaks off"), "{}{}", cut.out, cut.err);
    }
    std::fs::write(&bundle, &kept_bundle).unwrap();
    let bare = Receipt { items: Vec::new(), ..read };
    let bare = file(&world, "bare.json", &serde_json::to_string(&bare).unwrap());
    assert!(decide(&bare, &folder, &[]).out.contains("name the answer with `--answer`"));
    let nowhere = world.folder.path().join("nowhere");
    assert_eq!(decide(&receipt, &nowhere, &[]).code, 69);
    let both = decide(&nowhere, &folder, &[path(&bare)]);
    assert!(
        both.code == 65 && both.out.contains("name the answer with `--answer`"),
        "{}{}",
        both.out,
        both.err
    );
});

/// A sealed receipt and its answer in files, and the keys of its logs.
struct Files {
    it: Answered,
    receipt: Receipt,
    logs: Vec<String>,
    answer: PathBuf,
}

impl Files {
    async fn new(world: &World) -> Self {
        let it = Answered::open(world).await;
        let receipt = it.whole().await;
        let answer = file(world, "answer.json", std::str::from_utf8(&it.answer).unwrap());
        let logs = logs(&it.scene.stage).await;
        Self { it, receipt, logs, answer }
    }

    /// What both verifiers say of a receipt; they must agree.
    fn verdict(&self, world: &World, receipt: &Receipt) -> bool {
        let text = serde_json::to_string(receipt).unwrap();
        let receipt = file(world, "receipt.json", &text);
        let mut words = vec![path(&receipt), "--answer", path(&self.answer)];
        words.extend(self.logs.iter().map(String::as_str));
        let (ours, theirs) = (verify(&words), second(&words));
        assert_eq!(ours.code, theirs.code, "{}{}{}{}\n{text}", ours.out, ours.err, theirs.out, theirs.err);
        assert!(ours.code == 0 || theirs.out.starts_with("does not hold: "), "{}", theirs.err);
        ours.code == 0
    }
}

both!(a_verifier_that_shares_nothing_with_ours_says_the_same, async |world: World| {
    let files = Files::new(&world).await;
    let whole = &files.receipt;
    assert!(files.verdict(&world, whole));
    let lie = |alter: &dyn Fn(&mut Receipt)| {
        let mut receipt = whole.clone();
        alter(&mut receipt);
        assert_ne!(&receipt, whole);
        assert!(!files.verdict(&world, &receipt), "{receipt:?}");
    };
    lie(&|it| it.items[1].item = it.items[1].item.replace("not_permitted", "permitted"));
    lie(&|it| it.journal.entry = it.journal.entry.replace("\"permitted\":1", "\"permitted\":3"));
    lie(&|it| it.journal.index -= 1);
    lie(&|it| it.acts = it.sealed.as_ref().unwrap().act.checkpoint.clone());
    lie(&|it| it.basis[0].index -= 1);
    lie(&|it| it.sealed.as_mut().unwrap().proof.clear());
    lie(&|it| it.sealed.as_mut().unwrap().extends.clear());
    lie(&|it| it.sealed.as_mut().unwrap().act.index += 1);
    lie(&|it| it.journal.checkpoint = it.journal.checkpoint.replacen('\u{2014}', "-", 1));
    lie(&|it| it.v = 2);
    lie(&|it| it.basis.push(it.basis[0].clone()));
    lie(&|it| it.items.swap(0, 1));
    // Without the seal, and without the items, it holds and proves less.
    let less = Receipt { sealed: None, items: Vec::new(), ..whole.clone() };
    assert!(files.verdict(&world, &less));
    let mut swapped = files.it.told.clone();
    swapped["items"].as_array_mut().unwrap().swap(0, 1);
    let files = Files { answer: file(&world, "swapped.json", &swapped.to_string()), ..files };
    assert!(!files.verdict(&world, &files.receipt));
});

both!(a_checkpoint_that_was_kept_is_held_against_the_receipt, async |world: World| {
    let files = Files::new(&world).await;
    let scene: &Scene = &files.it.scene;
    let own = files.it.verify(&files.receipt).unwrap().newest.size;
    scene.work(&[]).await;
    let note = scene.stage.nobody.get("/logs/acts/checkpoint").await;
    let note = file(&world, "kept", std::str::from_utf8(&note.body).unwrap());
    let new = scene.stage.log_size().await;
    let proof = scene.stage.nobody.get(&format!("/logs/acts/proofs/consistency?old={own}&new={new}")).await;
    let proof: Value = proof.json();
    let receipt = file(&world, "receipt.json", &serde_json::to_string(&files.receipt).unwrap());
    let with = |proof: &Value| {
        let proof = file(&world, "proof.json", &proof.to_string());
        let mut words = vec![path(&receipt), "--checkpoint", path(&note), "--consistency", path(&proof)];
        words.extend(files.logs.iter().map(String::as_str));
        verify(&words)
    };
    let held = with(&proof);
    assert_eq!(held.code, 0, "{}{}", held.out, held.err);
    let mut other = proof.clone();
    other["old"] = json!(own - 1);
    assert!(with(&other).out.contains("ask for that"));
    other = proof.clone();
    other["hashes"][0] = other["hashes"][1].clone();
    let fork = with(&other);
    assert!(fork.code == 65 && fork.out.contains("two histories, both signed"), "{}", fork.out);
});
