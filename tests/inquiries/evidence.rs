//! Evidence bundles: gathered from a node, verified without it, and nothing else passes for one.

use std::collections::BTreeMap;

use kyodaku::log::checkpoint::VerifierKey;
use kyodaku::log::evidence::{Evidence, Trust, TypedText, pack, unpack};
use kyodaku::log::receipt::Receipt;
use kyodaku::log::tile::TileRef;
use serde_json::{Value, json};

use super::{Scene, opened};
use crate::receipts::keys;
use crate::world::actors::Actor;
use crate::world::works::registration;
use crate::world::{World, both};

/// A bundle as whoever inquires gets it, and the keys of the logs from elsewhere.
struct Bundle {
    scene: Scene,
    id: String,
    bytes: Vec<u8>,
    keys: Vec<VerifierKey>,
}

impl Bundle {
    async fn open(world: &World) -> Self {
        let scene = Scene::open(world).await;
        // Works that somebody typed titles of, which the inquiry lays open or not.
        let stage = &scene.of.stage;
        let made = stage.confirmed(&scene.of.holder, &registration("星屑 <1>", &[&scene.of.holder])).await;
        let other = stage.confirmed(&scene.of.holder, &registration("海", &[&scene.of.holder])).await;
        let works = json!({ "works": { "only": [scene.works[0], made.work] } });
        let id = scene.inquiry(&works).await;
        scene.of.stage.registry.seal_journal(0).await.unwrap().1.expect("a seal");
        assert_ne!(made.work, other.work);
        let bytes = fetch(&scene.investigator, &id, "").await;
        let keys = keys(&scene.of).await;
        Self { scene, id, bytes, keys }
    }

    fn evidence(&self) -> Evidence {
        let written = Evidence::read(unpack(&self.bytes).unwrap()).unwrap();
        assert_eq!(written.differences, Vec::<String>::new());
        written.evidence
    }

    fn trust(&self) -> Trust {
        Trust { logs: self.keys.clone(), witnesses: Vec::new() }
    }

    fn faults(&self, evidence: &Evidence) -> Vec<String> {
        evidence.verify(&self.trust()).faults.iter().map(ToString::to_string).collect()
    }

    /// What is found once this was done to it.
    fn after(&self, change: impl FnOnce(&mut Evidence)) -> Vec<String> {
        let mut evidence = self.evidence();
        change(&mut evidence);
        self.faults(&evidence)
    }
}

async fn fetch(by: &Actor, id: &str, query: &str) -> Vec<u8> {
    let answer = by.get(&format!("/v1/inquiries/{id}/evidence{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/zip");
    answer.body.to_vec()
}

fn says(told: &[String], what: &str) {
    assert!(told.iter().any(|it| it.contains(what)), "{what}: {told:?}");
}

both!(a_bundle_holds_what_is_laid_open_and_proves_it, async |world: World| {
    let bundle = Bundle::open(&world).await;
    let evidence = bundle.evidence();
    let found = evidence.verify(&bundle.trust());
    assert_eq!(found.faults, []);
    assert!(!found.is_self_told);
    let size = bundle.scene.of.stage.log_size().await;
    assert_eq!(found.acts.unwrap().1.size, size);
    let text = json!(evidence.entries.iter().map(|it| &it.entry).collect::<Vec<_>>()).to_string();
    for held in ["work.registered", "grant.recorded", "inquiry.opened"] {
        assert!(text.contains(held), "{held}");
    }
    assert!(!text.contains(&bundle.scene.works[1].to_string()), "what is not laid open is not in it");
    let checks: Vec<String> = evidence.checks.iter().map(|it| it.receipt.check.to_string()).collect();
    assert_eq!(checks, [bundle.scene.checks[0].clone()]);
    let [asked] = &evidence.checks[..] else { panic!() };
    assert_eq!((asked.matched.len(), asked.rests_on.len()), (1, 1));
    let rested = evidence.entries.iter().find(|it| it.index == asked.rests_on[0]).unwrap();
    assert!(rested.entry.contains("grant.recorded"));
    // What was typed is there, by the digest in the entry, and what it is not about is not.
    let texts = json!(evidence.texts).to_string();
    assert!(
        texts.contains("星屑 <1>") && texts.contains("Complaint 12 of 2026") && !texts.contains('海'),
        "{texts}"
    );

    // The same to the byte, whoever asks again and when.
    let again = fetch(&bundle.scene.investigator, &bundle.id, &format!("?size={size}")).await;
    assert_eq!(again, bundle.bytes);
    // Before its journal was sealed, a check is in none.
    let unsealed = fetch(&bundle.scene.investigator, &bundle.id, &format!("?size={}", size - 1)).await;
    let unsealed = Evidence::read(unpack(&unsealed).unwrap()).unwrap().evidence;
    assert_eq!((unsealed.checks.len(), unsealed.verify(&bundle.trust()).faults), (0, vec![]));
    bundle.scene.of.grant(bundle.scene.works[0]).await;
    let past = fetch(&bundle.scene.investigator, &bundle.id, &format!("?size={size}")).await;
    assert_eq!(past, bundle.bytes);
    let now = fetch(&bundle.scene.investigator, &bundle.id, "").await;
    let now = Evidence::read(unpack(&now).unwrap()).unwrap().evidence;
    assert_eq!(now.entries.len(), evidence.entries.len() + 1);
    assert_eq!(now.verify(&bundle.trust()).faults, []);
    // What was packed is what its contents make.
    assert_eq!(pack(&evidence.files().unwrap()).unwrap(), bundle.bytes);
});

both!(a_bundle_is_for_whoever_inquires, async |world: World| {
    let bundle = Bundle::open(&world).await;
    let uri = format!("/v1/inquiries/{}/evidence", bundle.id);
    let stage = &bundle.scene.of.stage;
    let auditor = stage.auditor().await;
    let other = stage.verified("Betsu Office", &["investigator"]).await;
    assert_eq!(auditor.get(&uri).await.status, 403);
    assert_eq!(other.get(&uri).await.status, 404);
    assert_eq!(stage.registrar.get(&uri).await.status, 403);
    // Not of a log that is not there, and not of one that did not hold the inquiry yet, signed as it is.
    let inquiry: Value = bundle.scene.investigator.get(&format!("/v1/inquiries/{}", bundle.id)).await.json();
    let before = inquiry["entry"].to_string();
    assert_eq!(stage.nobody.get(&format!("/logs/acts/checkpoints/{before}")).await.status, 200);
    for size in ["1", "99999", &before] {
        assert_eq!(bundle.scene.investigator.get(&format!("{uri}?size={size}")).await.status, 404);
    }
    // An auditor gets one of its own inquiry, in which others' names stand where those are laid open.
    let mut terms = bundle.scene.terms();
    terms["works"] = json!("any");
    terms.as_object_mut().unwrap().remove("auditor");
    let own = opened(&auditor, &terms).await;
    let all = Evidence::read(unpack(&fetch(&auditor, &own, "").await).unwrap()).unwrap();
    assert_eq!(all.evidence.verify(&bundle.trust()).faults, []);
    assert_eq!(all.evidence.checks.len(), 2);
    let trail: Value = stage.registrar.get("/v1/security-events").await.json();
    let under =
        |it: &&Value| it["operation"] == "getEvidence" && it["inquiry"].is_string() && it["status"] == 200;
    assert_eq!(trail["items"].as_array().unwrap().iter().filter(under).count(), 2);
    let close = format!("/v1/inquiries/{}/close", bundle.id);
    assert_eq!(bundle.scene.investigator.post(&close, &json!({})).await.status, 200);
    assert_eq!(bundle.scene.investigator.get(&uri).await.status, 403);
});

both!(what_was_not_recorded_is_found_in_a_bundle, async |world: World| {
    let bundle = Bundle::open(&world).await;
    let altered = |it: &mut Evidence| it.entries[0].entry = it.entries[0].entry.replace("\"v\":1", "\"v\":2");
    says(&bundle.after(altered), "the root");
    says(&bundle.after(|it| it.entries[1].index += 1), "the root");
    says(&bundle.after(|it| it.entries.swap(0, 1)), "in order");
    says(&bundle.after(|it| it.entries[0].works.clear()), "about other works than the bundle says");
    says(&bundle.after(|it| it.entries[2].proof.clear()), "entry");
    // Tiles: altered, one too few, one too many.
    says(&bundle.after(|it| it.tiles[0].1[0] ^= 1), "the tiles prove another entry");
    says(&bundle.after(|it| drop(it.tiles.pop())), "tiles");
    let beside = |it: &mut Evidence| {
        let (tile, bytes) = it.tiles[0].clone();
        let id = kyodaku::log::tile::TileId { level: 0, index: 9 };
        it.tiles.push((TileRef { id, width: tile.width }, bytes));
    };
    says(&bundle.after(beside), "not those that the proofs take");
    // What was typed.
    let of = |it: &Evidence| it.texts.iter().position(|text| matches!(text, TypedText::Kept { .. })).unwrap();
    let other = |it: &mut Evidence| {
        let at = of(it);
        if let TypedText::Kept { text, .. } = &mut it.texts[at] {
            *text = text.replace('1', "2");
        }
    };
    says(&bundle.after(other), "not what the entry has the digest of");
    says(&bundle.after(|it| drop(it.texts.remove(of(it)))), "missing, and not told to be erased");
    let strange = TypedText::Erased { index: 1, erased: "2025-10-27T00:00:00Z".to_owned() };
    says(&bundle.after(|it| it.texts.insert(0, strange)), "has a text");
    let erased = |words: &str| {
        let mut evidence = bundle.evidence();
        let index = evidence.texts[0].index();
        evidence.texts[0] = TypedText::Erased { index, erased: words.to_owned() };
        evidence.verify(&bundle.trust())
    };
    let told = erased("<script>").faults;
    says(&told.iter().map(ToString::to_string).collect::<Vec<_>>(), "and not when");
    let told = erased("2026-01-01T00:00:00Z");
    assert_eq!((told.faults, told.told_erased), (vec![], 1), "it is counted, and not proved");
    // The inquiry, and what it does not lay open.
    says(
        &bundle.after(|it| it.inquiry = "inq_01h455vb4pex5vsknk084sn02q".parse().unwrap()),
        "is not in the bundle",
    );
    let others = bundle.scene.inquiry(&json!({ "works": "any" })).await;
    let wide = fetch(&bundle.scene.investigator, &others, "").await;
    let wide = Evidence::read(unpack(&wide).unwrap()).unwrap().evidence;
    let opening = bundle.evidence().entries.pop().unwrap();
    let entries = [wide.entries.clone(), vec![opening]].concat();
    let narrow = Evidence { inquiry: bundle.id.parse().unwrap(), entries, ..wide };
    let told = bundle.faults(&narrow);
    says(&told, "entry 0: it is not what the inquiry lays open");
    says(&told, &format!("`{}`: it is not what the inquiry lays open", bundle.scene.checks[1]));
});

both!(a_bundle_is_believed_by_the_keys_of_the_logs_alone, async |world: World| {
    let bundle = Bundle::open(&world).await;
    let evidence = bundle.evidence();
    // By those that it tells of itself, which is said.
    let found = evidence.verify(&Trust::default());
    assert_eq!((found.faults, found.is_self_told), (vec![], true));
    let of_journal: Vec<_> =
        bundle.keys.iter().filter(|key| key.name().contains("/checks/")).cloned().collect();
    let none = evidence.verify(&Trust { logs: of_journal, witnesses: Vec::new() });
    says(&none.faults.iter().map(ToString::to_string).collect::<Vec<_>>(), "the checkpoint of the act log");
    let of_acts: Vec<_> =
        bundle.keys.iter().filter(|key| !key.name().contains("/checks/")).cloned().collect();
    let none = evidence.verify(&Trust { logs: of_acts, witnesses: Vec::new() });
    says(&none.faults.iter().map(ToString::to_string).collect::<Vec<_>>(), "no key of log");
    // A check: what it matched, its receipt, its seal.
    says(&bundle.after(|it| drop(it.checks[0].matched.pop())), "0 of 1 entries say what it matched");
    says(&bundle.after(|it| it.checks[0].matched[0].index += 1), "the journal");
    let verdict = |it: &mut Evidence| {
        let entry = &mut it.checks[0].matched[0].entry;
        *entry = entry.replace("\"chunk\":0", "\"chunk\":1");
    };
    says(&bundle.after(verdict), "of the journal");
    let denied = |it: &mut Evidence| {
        let entry = &mut it.checks[0].matched[0].entry;
        let other = entry.replace("AQ==\"", "AA==\"");
        assert_ne!(*entry, other);
        *entry = other;
    };
    says(&bundle.after(denied), "the root");
    says(&bundle.after(|it| it.checks[0].receipt.sealed = None), "not sealed");
    let more = |it: &mut Evidence| {
        let entry = &mut it.checks[0].receipt.journal.entry;
        *entry = entry.replace("\"permitted\":1", "\"permitted\":0");
    };
    says(&bundle.after(more), "the journal entry");
    // What it is told to rest on is a grant before it; and nothing comes in by its receipt.
    says(&bundle.after(|it| it.checks[0].rests_on = vec![it.entries[0].index]), "no grant before it");
    says(&bundle.after(|it| it.checks[0].rests_on = vec![9_999]), "no grant before it");
    let uri = format!("/v1/checks/{}/receipt?basis=1", bundle.scene.checks[0]);
    let receipt = bundle.scene.of.stage.auditor().await.get(&uri).await;
    let receipt = Receipt::read(&receipt.body).unwrap();
    says(&bundle.after(|it| it.checks[0].receipt = receipt), "more than what the inquiry lays open");
    // The keys that are handed on with it.
    says(&bundle.after(|it| it.keys[0].keys.clear()), "are none of those that are believed");
    let twice = |it: &mut Evidence| it.checks.push(it.checks[0].clone());
    says(&bundle.after(twice), "each once");
    // An older checkpoint, which does not hold what the bundle says.
    let older = |it: &mut Evidence| it.checkpoint = it.checks[0].receipt.acts.clone();
    assert!(!bundle.after(older).is_empty());
});

both!(each_file_of_a_bundle_is_bound, async |world: World| {
    let bundle = Bundle::open(&world).await;
    let files: Vec<(String, Vec<u8>)> = bundle.evidence().files().unwrap();
    let map = |files: &[(String, Vec<u8>)]| files.iter().cloned().collect::<BTreeMap<_, _>>();
    for at in 0..files.len() {
        let mut other = files.clone();
        other[at].1.push(b'\n');
        match Evidence::read(map(&other)) {
            Ok(written) => says(&written.differences, &files[at].0),
            Err(error) => assert!(error.to_string().contains("can't be read"), "{}: {error}", files[at].0),
        }
        let mut fewer = files.clone();
        fewer.remove(at);
        match Evidence::read(map(&fewer)) {
            Ok(written) => says(&written.differences, &files[at].0),
            // What a check matched belongs to no receipt then.
            Err(error) => says(&[error.to_string()], " is "),
        }
    }
    let mut more = files.clone();
    more.push(("../evil".to_owned(), Vec::new()));
    says(&[Evidence::read(map(&more)).unwrap_err().to_string()], "`../evil` is no file of a bundle");
    // Who alters a file and the manifest too is found by what the contents make.
    let mut forged = files.clone();
    let summary = forged.iter_mut().find(|(path, _)| path == "summary.en.html").unwrap();
    summary.1 = String::from_utf8(summary.1.clone()).unwrap().replace("1 / 1", "0 / 1").into_bytes();
    let written = Evidence::read(map(&relisted(forged))).unwrap();
    says(&written.differences, "`summary.en.html` is not what the contents make");
    // None of it depends on what the manifest says of itself.
    let mut other = files.clone();
    let text = String::from_utf8(other[0].1.clone()).unwrap();
    other[0].1 = text.replacen('{', "{\"program\":\"9\",", 1).into_bytes();
    assert!(Evidence::read(map(&other)).is_err());
    other[0].1 = text.replacen("\"v\":1", "\"v\":2", 1).into_bytes();
    says(&[Evidence::read(map(&other)).unwrap_err().to_string()], "version 2");
    // The page asks nobody for anything, and shows what was typed as it was.
    let page = |name: &str| String::from_utf8(map(&files)[name].clone()).unwrap();
    let (ja, en) = (page("summary.ja.html"), page("summary.en.html"));
    assert!(ja.contains("<html lang=\"ja\">") && en.contains("<html lang=\"en\">"));
    for page in [&ja, &en] {
        assert!(page.contains("星屑 &#60;1&#62;") && !page.contains("星屑 <1>"), "{page}");
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
        assert!(
            page.contains("default-src 'none'") && page.contains("@media print") && page.contains("1 / 1")
        );
    }
    assert!(ja.contains(": 許諾あり") && en.contains(": permitted"), "what it matched, and the answer");
    assert!(ja.contains("記録がないことは許諾ではありません") && en.contains("no record is not permission"));
});

/// The files with a manifest that lists them as they are.
fn relisted(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    use kyodaku::log::digest::sha256;
    let mut manifest: Value = serde_json::from_slice(&files[0].1).unwrap();
    let listed: Vec<Value> = files[1..]
        .iter()
        .map(|(path, bytes)| json!({ "path": path, "bytes": bytes.len(), "sha256": sha256(bytes) }))
        .collect();
    manifest["files"] = json!(listed);
    files[0].1 = serde_json::to_vec(&manifest).unwrap();
    files
}

#[test]
fn only_an_archive_as_it_is_packed_is_read() {
    let files = vec![("a/b".to_owned(), b"one".to_vec()), ("c".to_owned(), Vec::new())];
    let packed = pack(&files).unwrap();
    assert_eq!(unpack(&packed).unwrap().into_iter().collect::<Vec<_>>(), files);
    assert_eq!(pack(&files).unwrap(), packed, "the same files make the same bytes");
    for bytes in [&b""[..], b"PK", &packed[..packed.len() - 1], &packed[1..]] {
        assert!(unpack(bytes).is_err());
    }
    // Another program reads it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.zip");
    std::fs::write(&path, &packed).unwrap();
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.read('a/b'))";
    let told = std::process::Command::new("python3").args(["-c", script]).arg(&path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stdout), "b'one'\n", "{told:?}");
    // Compressed, with a name twice, or another kind of file.
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED); z.writestr('a', 'x' * 100)";
    let done = std::process::Command::new("python3").args(["-c", script]).arg(&path).status().unwrap();
    assert!(done.success());
    let compressed = std::fs::read(&path).unwrap();
    says(&[unpack(&compressed).unwrap_err().to_string()], "`a` is not stored as it is");
}
