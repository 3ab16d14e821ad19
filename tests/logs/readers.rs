//! Who reads which entries, and what is answered to paths that lead nowhere.

use kyodaku::log::merkle::leaf_hash;
use kyodaku::log::proof::ProofFile;
use kyodaku::log::tile::decode_bundle;
use serde_json::Value;

use super::Scene;
use crate::world::actors::Actor;
use crate::world::works::registration;
use crate::world::{World, both};

/// The entries that a reader is told of, from the pages of its list.
async fn own(reader: &Actor) -> Vec<(u64, String)> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: Value = reader.get(&format!("/v1/entries?limit=2{cursor}")).await.json();
        for item in page["items"].as_array().unwrap() {
            found.push((item["index"].as_u64().unwrap(), item["entry"].as_str().unwrap().to_owned()));
        }
        let Value::String(next) = &page["next"] else { return found };
        cursor = format!("&cursor={next}");
    }
}

both!(a_party_reads_the_entries_that_name_it_and_no_others, async |world: World| {
    let scene = Scene::open(&world).await;
    let stage = &scene.stage;
    let (hoshikuzu, kumo) = (stage.holder("Hoshikuzu Press").await, stage.holder("Kumo Trading").await);
    stage.confirmed(&hoshikuzu, &registration("夜の庭", &[&hoshikuzu])).await;
    stage.confirmed(&kumo, &registration("朝の庭", &[&kumo, &hoshikuzu])).await;
    let auditor = stage.auditor().await;
    let size = stage.log_size().await;
    let bundle = auditor.get(&format!("/logs/acts/tile/entries/000.p/{size}")).await;
    let all: Vec<Vec<u8>> = decode_bundle(&bundle.body).unwrap().into_iter().map(<[u8]>::to_vec).collect();
    assert_eq!(all.len() as u64, size);
    let key = stage.registry.verifier_key().parse().unwrap();
    for reader in [&hoshikuzu, &kumo, &scene.developer] {
        let names = |entry: &[u8]| {
            let entry: Value = serde_json::from_slice(entry).unwrap();
            entry["parties"].as_array().unwrap().iter().any(|party| *party == reader.org.as_str())
        };
        let expected: Vec<(u64, String)> = (0..)
            .zip(&all)
            .filter(|(_, entry)| names(entry))
            .map(|(index, entry)| (index, String::from_utf8(entry.clone()).unwrap()))
            .collect();
        assert!(expected.len() >= 2, "{expected:?}");
        assert_eq!(own(reader).await, expected);
        let later: Value = reader.get(&format!("/v1/entries?from={}", expected[1].0)).await.json();
        assert_eq!(later["items"].as_array().unwrap().len(), expected.len() - 1);
        for (index, entry) in &expected {
            let file = stage.nobody.get(&format!("/logs/acts/proofs/file?index={index}")).await;
            let file: ProofFile = std::str::from_utf8(&file.body).unwrap().parse().unwrap();
            file.verify(&key, leaf_hash(entry.as_bytes())).unwrap();
        }
        for index in 0..=size {
            let answer = reader.get(&format!("/v1/entries/{index}")).await;
            let named = expected.iter().find(|(named, _)| *named == index);
            match named {
                Some((_, entry)) => assert_eq!(answer.json::<Value>()["entry"], entry.as_str()),
                None => assert_eq!(answer.problem(), "not_found", "entry {index}"),
            }
        }
    }
    // The registrar and auditors read each, but an auditor's key only with the scope for it.
    for reader in [&auditor, &stage.registrar] {
        let answer: Value = reader.get("/v1/entries/0").await.json();
        assert_eq!(answer["entry"].as_str().unwrap().as_bytes(), all[0]);
    }
    let reads = auditor.with_scopes(&["read"]).await;
    assert_eq!(reads.get("/v1/entries/0").await.problem(), "not_found");
});

both!(bundles_are_for_auditors_and_each_reading_is_on_the_trail, async |world: World| {
    let scene = Scene::open(&world).await;
    scene.ask().await;
    let auditor = scene.stage.auditor().await;
    let reads = auditor.with_scopes(&["read"]).await;
    for path in ["/logs/acts/tile/entries/000.p/2", "/logs/checks-a/tile/entries/000.p/1"] {
        assert_eq!(scene.stage.nobody.get(path).await.status, 401);
        for other in [&scene.developer, &scene.stage.registrar] {
            assert_eq!(other.get(path).await.problem(), "role_required");
        }
        assert_eq!(reads.get(path).await.problem(), "scope_required");
        let bundle = auditor.get(path).await;
        assert_eq!(bundle.headers["cache-control"], "private, no-store");
        let leaves = scene.stage.nobody.get(&path.replace("entries", "0")).await;
        let entries = decode_bundle(&bundle.body).unwrap();
        let hashes: Vec<u8> = entries.iter().flat_map(|entry| leaf_hash(entry).0).collect();
        assert_eq!(hashes, leaves.body);
    }
    let events: Value = scene.stage.registrar.get("/v1/security-events?limit=200").await.json();
    let reads = events["items"].as_array().unwrap().iter().filter(|event| {
        event["operation"] == "getEntryBundle"
            && event["status"] == 200
            && event["person"] == auditor.person.as_str()
    });
    assert_eq!(reads.count(), 2);
    let size = scene.stage.log_size().await;
    for beyond in
        [format!("000.p/{}", size + 1), "000".to_owned(), "001.p/1".to_owned(), "x999/999".to_owned()]
    {
        let answer = auditor.get(&format!("/logs/acts/tile/entries/{beyond}")).await;
        assert_eq!(answer.problem(), "not_found", "{beyond}");
    }
});

both!(what_leads_nowhere_is_answered_with_a_reason_and_not_cached, async |world: World| {
    let scene = Scene::open(&world).await;
    let size = scene.stage.log_size().await;
    let more = size + 1;
    let cases = [
        ("nothing/checkpoint".to_owned(), 400),
        ("checks-/checkpoint".to_owned(), 400),
        ("checks-A/checkpoint".to_owned(), 400),
        ("checks%2Fa/checkpoint".to_owned(), 400),
        ("checks-z/checkpoint".to_owned(), 404),
        ("checks-z/checkpoints".to_owned(), 404),
        ("checks-z/tile/0/000.p/1".to_owned(), 404),
        ("acts/checkpoints/0".to_owned(), 404),
        ("acts/checkpoints/x".to_owned(), 400),
        ("acts/checkpoints/-1".to_owned(), 400),
        ("acts/checkpoints/99999999999999999999".to_owned(), 400),
        ("acts/checkpoints/18446744073709551615".to_owned(), 404),
        ("acts/checkpoints?cursor=e30".to_owned(), 400),
        (format!("acts/tile/0/000.p/{more}"), 404),
        ("acts/tile/0/000".to_owned(), 404),
        ("acts/tile/0/000.p/0".to_owned(), 400),
        ("acts/tile/0/000.p/256".to_owned(), 400),
        ("acts/tile/0/000.p/01".to_owned(), 400),
        ("acts/tile/0/000.p/65536".to_owned(), 400),
        ("acts/tile/0/0".to_owned(), 400),
        ("acts/tile/0/x000/000".to_owned(), 400),
        ("acts/tile/0/x001/000".to_owned(), 404),
        ("acts/tile/00/000.p/1".to_owned(), 400),
        ("acts/tile/+0/000.p/1".to_owned(), 400),
        ("acts/tile/1/000.p/1".to_owned(), 404),
        ("acts/tile/7/000.p/1".to_owned(), 404),
        ("acts/tile/63/000.p/1".to_owned(), 404),
        ("acts/tile/64/000.p/1".to_owned(), 400),
        ("acts/tile/0/x018/x446/x744/x073/x709/x551/615.p/255".to_owned(), 404),
        ("acts/tile/0/x018/x446/x744/x073/x709/x551/616".to_owned(), 400),
        ("acts/tile/0/../0/000.p/1".to_owned(), 400),
        ("acts/tile/0/%00".to_owned(), 400),
        ("acts/tile/0/%ff".to_owned(), 400),
        ("acts/proofs/inclusion".to_owned(), 400),
        ("acts/proofs/inclusion?index=0".to_owned(), 400),
        ("acts/proofs/inclusion?index=0&size=0".to_owned(), 400),
        ("acts/proofs/inclusion?index=2&size=2".to_owned(), 400),
        (format!("acts/proofs/inclusion?index=0&size={more}"), 404),
        ("acts/proofs/inclusion?index=0&size=9007199254740992".to_owned(), 404),
        ("acts/proofs/inclusion?index=0&size=9007199254740993".to_owned(), 400),
        ("acts/proofs/inclusion?index=%2B0&size=2".to_owned(), 400),
        ("acts/proofs/inclusion?index=0&size=2&size=2".to_owned(), 400),
        ("acts/proofs/consistency?old=2&new=1".to_owned(), 400),
        (format!("acts/proofs/consistency?old=0&new={more}"), 404),
        (format!("acts/proofs/file?index={size}"), 404),
        (format!("acts/proofs/file?index=0&size={more}"), 404),
        ("acts/proofs/file?index=-1".to_owned(), 400),
    ];
    for (path, status) in cases {
        let answer = scene.stage.nobody.get(&format!("/logs/{path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {answer:?}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert!(!answer.problem().is_empty());
    }
});
