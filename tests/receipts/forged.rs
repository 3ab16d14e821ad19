//! What somebody would have to alter so that a receipt says something else, and what finds it.

use kyodaku::log::checkpoint::{Checkpoint, CheckpointError};
use kyodaku::log::merkle::{TreeHead, leaf_hash};
use kyodaku::log::receipt::{Expected, FormError, Receipt, ReceiptError, answers};
use kyodaku::registry::keys::signer;
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
    let items = it.items();
    let answer = |items: Vec<String>| with(Expected { answer: Some(items), ..Expected::default() });
    answer(items.clone()).unwrap();
    says(&answer(items[..2].to_vec()).unwrap_err(), "the number of items");
    let mut lie = items.clone();
    lie[2] = lie[2].replace("not_permitted", "permitted");
    says(&answer(lie).unwrap_err(), "the root over the items");
    let mut swapped = items.clone();
    swapped.swap(1, 2);
    says(&answer(swapped).unwrap_err(), "the root over the items");
    // Of two members with one name one reader takes the first, another the last.
    let twice = String::from_utf8(it.answer.clone()).unwrap();
    let twice = twice.replacen("{\"keys\"", "{\"verdict\":\"permitted\",\"keys\"", 1);
    assert!(matches!(answers(twice.as_bytes()), Err(FormError::Item { at: 0, .. })));
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
