//! What somebody would have to alter so that a receipt says something else, and what finds it.

use data_encoding::BASE64;
use kyodaku::domain::act::JournalSealed;
use kyodaku::log::checkpoint::{Checkpoint, CheckpointError};
use kyodaku::log::merkle::{Hash, TreeHead, leaf_hash};
use kyodaku::log::receipt::{Answer, Expected, FormError, Receipt, ReceiptError, answers};
use kyodaku::registry::keys::signer;
use kyodaku::registry::{Body, Submission};
use serde_json::json;

use super::{Answered, page};
use crate::world::{World, both};

fn says(error: &ReceiptError, part: &str) {
    assert!(error.to_string().contains(part), "`{error}` does not say `{part}`");
}

both!(no_byte_of_a_receipt_can_be_altered, async |world: World| {
    let it = Answered::open(&world).await;
    let whole = it.whole().await;
    let bytes = serde_json::to_vec(&whole).unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        let Ok(receipt) = Receipt::read(&altered) else { continue };
        let verified = it.verify(&receipt);
        assert!(verified.is_err() || receipt == whole, "byte {at}: {}", String::from_utf8_lossy(&altered));
    }
});

both!(each_thing_that_a_receipt_could_lie_about_is_named, async |world: World| {
    let it = Answered::open(&world).await;
    let whole = it.whole().await;
    let refused = |alter: &dyn Fn(&mut Receipt)| {
        let mut receipt = whole.clone();
        alter(&mut receipt);
        it.verify(&receipt).unwrap_err()
    };
    // A changed verdict.
    let lie = refused(&|it| it.items[1].item = it.items[1].item.replace("not_permitted", "permitted"));
    says(&lie, "item 1");
    // An answer in the place of another one, and one shown twice.
    says(&refused(&|it| it.items[1].index = 0), "item 0");
    says(
        &refused(&|it| it.items[1] = kyodaku::log::receipt::Shown { index: 2, ..it.items[0].clone() }),
        "item 2",
    );
    // Another entry of the same journal in its place, with its own good proof.
    let other = it.scene.developer.get("/v1/checks").await.json::<serde_json::Value>();
    let other = format!("/v1/checks/{}/receipt", other["items"][1]["check"].as_str().unwrap());
    let other = Receipt::read(&it.scene.developer.get(&other).await.body).unwrap();
    it.verify(&other).unwrap();
    says(&refused(&|it| it.journal = other.journal.clone()), "the check");
    // The window of another check.
    says(&refused(&|it| it.journal.checkpoint.clone_from(&other.journal.checkpoint)), "the journal entry");
    // A check that is dated back, for another developer, or with another question.
    says(
        &refused(&|it| it.journal.entry = it.journal.entry.replace("\"at_ms\":1", "\"at_ms\":0")),
        "the journal entry",
    );
    let competitor = it.scene.competitor.org.clone();
    let own = it.scene.developer.org.clone();
    says(&refused(&|it| it.journal.entry = it.journal.entry.replace(&own, &competitor)), "the journal entry");
    // The act log in the place of the journal's, and a journal's in the place of the act log's.
    says(&refused(&|it| it.acts.clone_from(&it.journal.checkpoint)), "the act log");
    // A size of the act log that it was not answered from.
    let later = it.whole_acts().await;
    says(&refused(&|it| it.acts.clone_from(&later)), "the size of the act log");
    // A basis that is another entry.
    says(&refused(&|it| it.basis[0].index -= 1), "of the act log");
    says(
        &refused(&|it| {
            it.basis[0].entry = it.basis[0].entry.as_ref().map(|entry| entry.replace("grant", "denial"));
        }),
        "the leaf hash",
    );
    // A seal of something else, or of less.
    says(&refused(&|it| it.sealed.as_mut().unwrap().proof.clear()), "in what was sealed");
    says(&refused(&|it| it.sealed.as_mut().unwrap().continues.push(leaf_hash(b"x"))), "continues the window");
    says(&refused(&|it| it.sealed.as_mut().unwrap().extends.clear()), "the act log with the seal");
    // Nobody's word but that of the keys that were given.
    let none = whole.verify(&[], &Expected::default()).unwrap_err();
    assert!(matches!(none, ReceiptError::NoKey(_)), "{none}");
    let journals: Vec<_> = it.keys.iter().filter(|key| key.name().contains("/checks/")).cloned().collect();
    assert!(matches!(whole.verify(&journals, &Expected::default()), Err(ReceiptError::NoKey(_))));
});

impl Answered {
    /// The newest checkpoint of the act log.
    async fn whole_acts(&self) -> String {
        String::from_utf8(self.scene.stage.nobody.get("/logs/acts/checkpoint").await.body.to_vec()).unwrap()
    }
}

both!(a_receipt_for_another_developer_or_answer_is_found, async |world: World| {
    let it = Answered::open(&world).await;
    let (receipt, _) = it.receipt(&it.scene.developer).await;
    let with = |expected: Expected| receipt.verify(&it.keys, &expected);
    let developer = Some(it.scene.competitor.org.parse().unwrap());
    says(&with(Expected { developer, ..Expected::default() }).unwrap_err(), "the developer");
    let check = Some(it.scene.id());
    says(&with(Expected { check, ..Expected::default() }).unwrap_err(), "the check");
    let refused = |alter: &dyn Fn(&mut Answer), part: &str| {
        let mut answer = it.kept();
        alter(&mut answer);
        says(&with(Expected { answer: Some(answer), ..Expected::default() }).unwrap_err(), part);
    };
    with(Expected { answer: Some(it.kept()), ..Expected::default() }).unwrap();
    refused(&|it| drop(it.items.pop()), "the number of items");
    refused(&|it| it.items[2] = it.items[2].replace("not_permitted", "permitted"), "the root over the items");
    refused(&|it| it.items.swap(1, 2), "the root over the items");
    // What is said of all items is bound too.
    let day = jiff::SignedDuration::from_hours(24);
    refused(&|it| it.permitted = 2, "the number permitted");
    refused(&|it| it.log_size += 1, "the log size");
    refused(&|it| it.at -= day, "the moment");
    refused(&|it| it.recheck_by += day, "by when to ask again");
    let competitor = it.scene.competitor.org.parse().unwrap();
    refused(&|it| it.developer = competitor, "the developer");
    refused(&|answer| answer.check = it.scene.id(), "the check");
    // Of two members with one name one reader takes the first, another the last.
    let twice = String::from_utf8(it.answer.clone()).unwrap();
    let twice = twice.replacen("{\"keys\"", "{\"verdict\":\"permitted\",\"keys\"", 1);
    assert!(matches!(answers(twice.as_bytes()), Err(FormError::Item { at: 0, .. })));
});

/// The receipt of a check that the operator, with all keys, wrote as it liked: one item, these bytes, so many permitted.
fn written(it: &Answered, receipt: &Receipt, item: &str, permitted: u64) -> Receipt {
    let settings = it.scene.stage.registry.settings().clone();
    let key = signer(&settings.data_dir.join("journal.key"), &receipt.journal.origin).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(&receipt.journal.entry).unwrap();
    let record = kyodaku::log::receipt::CheckRecord::read(&receipt.journal.entry).unwrap();
    let digest = kyodaku::log::digest::salted(&record.salt.0, item.as_bytes());
    entry["items_root"] = json!(leaf_hash(digest.as_bytes()));
    (entry["items"], entry["permitted"]) = (json!(1), json!(permitted));
    let entry = entry.to_string();
    let head = TreeHead { size: 1, root: leaf_hash(entry.as_bytes()) };
    let checkpoint = key.sign(&Checkpoint::new(key.origin(), head)).unwrap();
    let origin = receipt.journal.origin.clone();
    let journal = kyodaku::log::receipt::Recorded { origin, index: 0, entry, proof: Vec::new(), checkpoint };
    let shown = kyodaku::log::receipt::Shown { index: 0, item: item.to_owned(), path: Vec::new() };
    Receipt { journal, sealed: None, basis: Vec::new(), items: vec![shown], ..receipt.clone() }
}

both!(what_is_bound_must_be_one_thing_and_possible, async |world: World| {
    let it = Answered::open(&world).await;
    let (receipt, _) = it.receipt(&it.scene.developer).await;
    let item = it.kept().items.remove(0);
    it.verify(&written(&it, &receipt, &item, 1)).unwrap();
    says(&it.verify(&written(&it, &receipt, &item, 7)).unwrap_err(), "permits 7 of 1");
    // Two members of one name, and any other form of the same thing.
    let twice = item.replacen('{', "{\"verdict\":\"permitted\",", 1);
    for item in [twice, format!("{item} "), item.replacen(':', ": ", 1)] {
        says(&it.verify(&written(&it, &receipt, &item, 1)).unwrap_err(), "not canonical");
    }
    // The same shown twice counts twice for a reader.
    let whole = it.whole().await;
    let mut items = whole.items.clone();
    items[1] = items[0].clone();
    let twice = serde_json::to_vec(&Receipt { items, ..whole.clone() }).unwrap();
    assert!(matches!(Receipt::read(&twice), Err(FormError::Order("items"))));
    let basis = vec![whole.basis[0].clone(), whole.basis[0].clone()];
    let twice = serde_json::to_vec(&Receipt { basis, ..whole }).unwrap();
    assert!(matches!(Receipt::read(&twice), Err(FormError::Order("entries"))));
});

both!(a_journal_that_was_written_anew_contradicts_its_seal, async |world: World| {
    let it = Answered::open(&world).await;
    let mut whole = it.whole().await;
    // The operator, with all keys, writes another entry for the check and signs a window of its own.
    let settings = it.scene.stage.registry.settings().clone();
    let key = signer(&settings.data_dir.join("journal.key"), &whole.journal.origin).unwrap();
    let entry = whole.journal.entry.replace("\"permitted\":1", "\"permitted\":0");
    assert_ne!(entry, whole.journal.entry);
    let head = TreeHead { size: 1, root: leaf_hash(entry.as_bytes()) };
    let checkpoint = key.sign(&Checkpoint::new(key.origin(), head)).unwrap();
    let origin = whole.journal.origin.clone();
    whole.journal =
        kyodaku::log::receipt::Recorded { origin, index: 0, entry, proof: Vec::new(), checkpoint };
    says(&it.verify(&whole).unwrap_err(), "in what was sealed");
    // Without its seal it verifies: until it is sealed, a journal is the word of its key alone.
    whole.sealed = None;
    whole.items.clear();
    it.verify(&whole).unwrap();
});

/// Records a seal as a node does, and gives its entry.
async fn record_seal(it: &Answered, seal: JournalSealed) -> u64 {
    let registry = &it.scene.stage.registry;
    let submission = Submission {
        party: registry.installation().unwrap(),
        on_behalf_of: None,
        by: Vec::new(),
        acts: vec![(seal.into(), None)],
        once: None,
        body: Body::none(),
        accounts: Vec::new(),
        unchanged: None,
    };
    registry.submit(submission).await.unwrap().recorded.unwrap().first
}

both!(a_seal_that_was_late_is_passed_over, async |world: World| {
    let it = Answered::open(&world).await;
    let (receipt, _) = it.receipt(&it.scene.developer).await;
    assert!(receipt.journal.index > 0);
    // Read before the answer was written, and recorded after it.
    let stored = kyodaku::store::entries::read(it.scene.stage.registry.db(), "checks/a", 0..1).await.unwrap();
    let root = kyodaku::domain::key::Sha256(leaf_hash(&stored[0].bytes).0);
    record_seal(&it, JournalSealed { journal: receipt.journal.origin.clone(), size: 1, root }).await;
    assert_eq!(it.receipt(&it.scene.developer).await.0.sealed, None);
    assert!(it.whole().await.sealed.is_some());
});

both!(another_act_log_and_the_seal_of_another_journal_are_named, async |world: World| {
    let it = Answered::open(&world).await;
    let whole = it.whole().await;
    let settings = it.scene.stage.registry.settings().clone();
    let key = signer(&settings.data_dir.join("act-log.key"), &settings.origin).unwrap();
    // Two histories of the act log, of one size and both signed.
    let size = it.verify(&whole).unwrap().record.log.size;
    let fork = TreeHead { size, root: leaf_hash(b"another") };
    let acts = key.sign(&Checkpoint::new(key.origin(), fork)).unwrap();
    says(&it.verify(&Receipt { acts, ..whole.clone() }).unwrap_err(), "the root of the act log");
    // The same tree in a log of another name, whose key the reader has too.
    let other = signer(&world.folder.path().join("other.key"), "other.example/log").unwrap();
    let mut copied = whole.clone();
    let act = &mut copied.sealed.as_mut().unwrap().act;
    let head = Checkpoint::parse_and_verify(act.checkpoint.as_bytes(), key.verifier_key()).unwrap().head();
    act.checkpoint = other.sign(&Checkpoint::new(other.origin(), head)).unwrap();
    act.origin = other.origin().to_owned();
    let keys = [it.keys.clone(), vec![other.verifier_key().clone()]].concat();
    says(&copied.verify(&keys, &Expected::default()).unwrap_err(), "the log of the seal");
    // A seal of another journal, of the same size and root.
    let mut entry: serde_json::Value =
        serde_json::from_str(&whole.sealed.as_ref().unwrap().act.entry).unwrap();
    let seal = JournalSealed {
        journal: format!("{}/checks/b", settings.origin),
        size: entry["act"]["size"].take().as_u64().unwrap(),
        root: serde_json::from_value(entry["act"]["root"].take()).unwrap(),
    };
    let index = record_seal(&it, seal).await;
    let asked = async |path: String| it.auditor.get(&path).await;
    let entry = asked(format!("/v1/entries/{index}")).await.json::<serde_json::Value>()["entry"].clone();
    let hashes = async |path: String| -> Vec<Hash> {
        let proof: serde_json::Value = asked(format!("/logs/acts/proofs/{path}")).await.json();
        let hash = |it: &serde_json::Value| BASE64.decode(it.as_str().unwrap().as_bytes()).unwrap();
        proof["hashes"].as_array().unwrap().iter().map(|it| hash(it).as_slice().try_into().unwrap()).collect()
    };
    let new = index + 1;
    let mut forged = whole.clone();
    let sealed = forged.sealed.as_mut().unwrap();
    sealed.act.proof = hashes(format!("inclusion?index={index}&size={new}")).await;
    sealed.extends = hashes(format!("consistency?old={size}&new={new}")).await;
    sealed.act.checkpoint =
        String::from_utf8(asked("/logs/acts/checkpoint".to_owned()).await.body.to_vec()).unwrap();
    (sealed.act.index, sealed.act.entry) = (index, entry.as_str().unwrap().to_owned());
    says(&it.verify(&forged).unwrap_err(), "the journal that is sealed");
});

both!(a_seal_from_before_the_answer_seals_nothing, async |world: World| {
    let it = Answered::open(&world).await;
    it.scene.stage.registry.seal_journal(0).await.unwrap();
    // Asked after the seal, from a log that holds it already.
    let told = it.scene.check(json!([{ "url": page(1) }])).await;
    let path = format!("/v1/checks/{}/receipt", told["check"].as_str().unwrap());
    let receipt = Receipt::read(&it.scene.developer.get(&path).await.body).unwrap();
    assert_eq!(receipt.sealed, None);
    let mut dated = receipt.clone();
    dated.sealed = it.receipt(&it.scene.developer).await.0.sealed;
    says(&it.verify(&dated).unwrap_err(), "the place of the seal");
});

both!(a_checkpoint_of_another_key_is_not_believed, async |world: World| {
    let it = Answered::open(&world).await;
    let (mut receipt, _) = it.receipt(&it.scene.developer).await;
    let folder = tempfile::tempdir().unwrap();
    let thief = signer(&folder.path().join("journal.key"), &receipt.journal.origin).unwrap();
    let head = it
        .keys
        .iter()
        .find_map(|key| Checkpoint::parse_and_verify(receipt.journal.checkpoint.as_bytes(), key).ok());
    receipt.journal.checkpoint = thief.sign(&head.unwrap()).unwrap();
    let refused = it.verify(&receipt).unwrap_err();
    let unsigned = ReceiptError::Checkpoint { what: "the journal entry", error: CheckpointError::Unsigned };
    assert_eq!(refused, unsigned);
});
