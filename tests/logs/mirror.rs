//! A stranger mirrors whole logs, with `tlog_tiles` and `signed_note`, and believes only what those verify.

use std::collections::HashMap;

use ct_merkle::{ConsistencyProof, RootHash};
use data_encoding::BASE64;
use kyodaku::log::checkpoint::VerifierKey;
use kyodaku::log::merkle::Hash;
use kyodaku::log::proof::ProofFile;
use kyodaku::registry::keys::{self, KeyName, signer};
use kyodaku::store::high_water::HighWater;
use kyodaku::store::{append, heads};
use serde_json::Value;
use sha2::Sha256;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};

use super::Scene;
use crate::world::{World, both};

/// The tiles of one size, fetched before.
struct Fetched(HashMap<Tile, Vec<u8>>);

impl TileReader for Fetched {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.0[tile].clone()).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// One log as a stranger sees it.
struct Mirror<'a> {
    scene: &'a Scene,
    log: &'static str,
    key: String,
}

impl<'a> Mirror<'a> {
    async fn of(scene: &'a Scene, log: &'static str) -> Self {
        let logs = scene.told("/logs").await;
        let found = logs["items"].as_array().unwrap().iter().find(|it| it["log"] == log).unwrap();
        assert_eq!(found["prefix"], format!("/logs/{log}"));
        assert_eq!(found["keys"].as_array().unwrap().len(), 1, "{found}");
        let key = found["keys"][0]["verifier_key"].as_str().unwrap().to_owned();
        assert!(key.starts_with(&format!("{}+", found["origin"].as_str().unwrap())));
        Self { scene, log, key }
    }

    /// A checkpoint that bears a good signature of the log.
    async fn checkpoint(&self, name: &str) -> tlog_tiles::Checkpoint {
        let answer = self.scene.stage.nobody.get(&format!("/logs/{}/{name}", self.log)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.headers["cache-control"], "no-cache");
        let note = Note::from_bytes(&answer.body).unwrap();
        let key = StandardVerifier::new(&self.key).unwrap();
        let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
        assert_eq!(verified.len(), 1);
        tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap()
    }

    /// The leaf hashes under a checkpoint, from its own partial tiles, which `tlog_tiles` holds against its root.
    async fn leaves(&self, checkpoint: &tlog_tiles::Checkpoint) -> Vec<tlog_tiles::Hash> {
        let size = checkpoint.size();
        let mut fetched = HashMap::new();
        for tile in Tile::new_tiles(8, 0, size) {
            // Theirs name the height too.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            let answer = self.scene.stage.nobody.get(&format!("/logs/{}/{path}", self.log)).await;
            assert_eq!(answer.status, 200, "{path} at {size}: {answer:?}");
            assert_eq!(answer.body.len(), 32 * tile.width() as usize, "{path}");
            assert_eq!(answer.headers["content-type"], "application/octet-stream");
            assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
            fetched.insert(tile, answer.body.to_vec());
        }
        let fetched = Fetched(fetched);
        let reader = TileHashReader::new(size, *checkpoint.hash(), &fetched);
        let indexes: Vec<u64> = (0..size).map(|leaf| tlog_tiles::stored_hash_index(0, leaf)).collect();
        reader.read_hashes(&indexes).expect("the tiles hash to the signed root")
    }

    async fn hashes(&self, path: &str) -> Vec<Hash> {
        let told = self.scene.told(&format!("/logs/{}/proofs/{path}", self.log)).await;
        let hashes = told["hashes"].as_array().unwrap().iter();
        hashes
            .map(|it| {
                Hash::try_from(BASE64.decode(it.as_str().unwrap().as_bytes()).unwrap().as_slice()).unwrap()
            })
            .collect()
    }

    /// Every size that was ever signed, the largest first, from the pages of the list.
    async fn sizes(&self) -> Vec<u64> {
        let (mut sizes, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.scene.told(&format!("/logs/{}/checkpoints?limit=7{cursor}", self.log)).await;
            sizes.extend(page["items"].as_array().unwrap().iter().map(|it| it["size"].as_u64().unwrap()));
            let Value::String(next) = &page["next"] else { return sizes };
            cursor = format!("&cursor={next}");
        }
    }
}

fn ct_root(checkpoint: &tlog_tiles::Checkpoint) -> RootHash<Sha256> {
    RootHash::new(checkpoint.hash().0.into(), checkpoint.size())
}

fn flat(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

fn sigstore<T: std::str::FromStr<Err: std::fmt::Debug>>(hash: [u8; 32]) -> T {
    Hash(hash).to_string().parse().unwrap()
}

/// The later of two checkpoints continues the earlier one, as two other programs see it.
async fn must_continue(mirror: &Mirror<'_>, old: &tlog_tiles::Checkpoint, new: &tlog_tiles::Checkpoint) {
    let proof = mirror.hashes(&format!("consistency?old={}&new={}", old.size(), new.size())).await;
    let hashes: Vec<_> = proof.iter().map(|hash| sigstore(hash.0)).collect();
    let [first, second] = [old, new].map(|it| sigstore(it.hash().0));
    sigstore_merkle::verify_consistency_proof(old.size(), new.size(), hashes.as_slice(), &first, &second)
        .unwrap();
    if old.size() < new.size() {
        let proof = ConsistencyProof::try_from_bytes(flat(&proof)).unwrap();
        ct_root(new).verify_consistency(&ct_root(old), &proof).unwrap();
    }
}

/// An entry is where it is said to be, as two other programs see it.
async fn must_include(
    mirror: &Mirror<'_>,
    index: u64,
    leaf: tlog_tiles::Hash,
    in_tree: &tlog_tiles::Checkpoint,
) {
    let proof = mirror.hashes(&format!("inclusion?index={index}&size={}", in_tree.size())).await;
    let hashes: Vec<_> = proof.iter().map(|hash| sigstore(hash.0)).collect();
    let (leaf_of, root) = (sigstore(leaf.0), sigstore(in_tree.hash().0));
    sigstore_merkle::verify_inclusion_proof(&leaf_of, index, in_tree.size(), hashes.as_slice(), &root)
        .unwrap();
    let theirs: Vec<_> = proof.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect();
    tlog_tiles::check_record(&theirs, in_tree.size(), *in_tree.hash(), index, leaf).unwrap();
}

both!(a_stranger_mirrors_the_act_log_at_every_size_that_was_signed, async |world: World| {
    let scene = Scene::open(&world).await;
    let mirror = Mirror::of(&scene, "acts").await;
    // Across the border of a tile, one by one there, and beyond another.
    for acts in [1, 1, 2, 3, 60, 90] {
        scene.grow(acts).await;
    }
    while scene.stage.log_size().await < 258 {
        let left = 258 - scene.stage.log_size().await;
        scene.grow(if left > 8 { left - 8 } else { 1 }).await;
        let newest = mirror.checkpoint("checkpoint").await;
        assert_eq!(newest.size(), scene.stage.log_size().await, "what was acknowledged is covered");
        mirror.leaves(&newest).await;
    }
    for acts in [40, 2] {
        scene.grow(acts).await;
    }
    let newest = mirror.checkpoint("checkpoint").await;
    assert!(newest.size() >= 300);
    let leaves = mirror.leaves(&newest).await;
    let sizes = mirror.sizes().await;
    assert!(sizes.len() > 20 && sizes.is_sorted_by(|a, b| a > b) && sizes[0] == newest.size(), "{sizes:?}");
    for size in sizes {
        let then = mirror.checkpoint(&format!("checkpoints/{size}")).await;
        assert_eq!(then.size(), size);
        assert_eq!(mirror.leaves(&then).await, leaves[..usize::try_from(size).unwrap()]);
        must_continue(&mirror, &then, &newest).await;
        must_include(&mirror, size - 1, leaves[usize::try_from(size - 1).unwrap()], &then).await;
    }
    for (index, leaf) in (0..).zip(&leaves) {
        must_include(&mirror, index, *leaf, &newest).await;
    }
});

both!(a_size_that_was_not_signed_has_proofs_and_no_checkpoint, async |world: World| {
    let scene = Scene::open(&world).await;
    let mirror = Mirror::of(&scene, "acts").await;
    let before = mirror.checkpoint("checkpoint").await;
    scene.grow(20).await;
    let newest = mirror.checkpoint("checkpoint").await;
    let leaves = mirror.leaves(&newest).await;
    let within = before.size() + 7;
    let missing = scene.stage.nobody.get(&format!("/logs/acts/checkpoints/{within}")).await;
    assert_eq!((missing.status.as_u16(), missing.problem()), (404, "not_found".to_owned()));
    // The tiles of the signed sizes give the root of the one between.
    let theirs: Vec<Hash> = leaves.iter().map(|leaf| Hash(leaf.0)).collect();
    let root = kyodaku::log::merkle::root_of(&theirs[..usize::try_from(within).unwrap()]);
    let proof = mirror.hashes(&format!("consistency?old={within}&new={}", newest.size())).await;
    let hashes: Vec<_> = proof.iter().map(|hash| sigstore(hash.0)).collect();
    let (first, second) = (sigstore(root.0), sigstore(newest.hash().0));
    sigstore_merkle::verify_consistency_proof(within, newest.size(), hashes.as_slice(), &first, &second)
        .unwrap();
    // A file leads to a checkpoint, the first that covers the size.
    let file = scene.stage.nobody.get(&format!("/logs/acts/proofs/file?index=3&size={within}")).await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"acts-3.tlog-proof\"", "{file:?}");
    let file: ProofFile = std::str::from_utf8(&file.body).unwrap().parse().unwrap();
    let key: VerifierKey = mirror.key.parse().unwrap();
    assert_eq!(file.verify(&key, theirs[3]).unwrap().size, newest.size());
    assert!(file.verify(&key, theirs[4]).is_err());
    let exact =
        scene.stage.nobody.get(&format!("/logs/acts/proofs/file?index=3&size={}", before.size())).await;
    let exact: ProofFile = std::str::from_utf8(&exact.body).unwrap().parse().unwrap();
    assert_eq!(exact.verify(&key, theirs[3]).unwrap().size, before.size());
});

both!(a_stranger_mirrors_a_journal, async |world: World| {
    let scene = Scene::open(&world).await;
    let none = scene.stage.nobody.get("/logs/checks-a/checkpoint").await;
    assert_eq!(none.problem(), "not_found");
    scene.ask().await;
    let mirror = Mirror::of(&scene, "checks-a").await;
    let mut earlier = mirror.checkpoint("checkpoint").await;
    for checks in [1, 2, 3] {
        for _ in 0..checks {
            scene.ask().await;
        }
        let newest = mirror.checkpoint("checkpoint").await;
        assert_eq!(newest.size(), earlier.size() + checks, "what was answered is covered");
        let leaves = mirror.leaves(&newest).await;
        must_continue(&mirror, &earlier, &newest).await;
        must_include(&mirror, newest.size() - 1, *leaves.last().unwrap(), &newest).await;
        earlier = newest;
    }
    assert_eq!(mirror.sizes().await, (1..=7).rev().collect::<Vec<_>>());
});

both!(however_many_ask_for_a_journal_at_once_one_mark_serves_them_all, async |world: World| {
    let scene = Scene::open(&world).await;
    for _ in 0..2 {
        scene.ask().await;
        // At ten marks a second, one for each would take longer than any of them may wait.
        let asked = (0..400).map(|_| scene.stage.nobody.get("/logs/checks-a/checkpoint"));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
});

both!(what_is_told_of_a_journal_is_marked_before, async |world: World| {
    let scene = Scene::open(&world).await;
    let folder = world.settings("a").data_dir;
    let mark = async || HighWater::open(&folder, "a").await.unwrap().mark("checks/a");
    scene.ask().await;
    assert_eq!(mark().await, None);
    let checkpoint = scene.stage.nobody.get("/logs/checks-a/checkpoint").await;
    assert_eq!(checkpoint.status, 200);
    assert_eq!(mark().await.map(|head| head.size), Some(1));
    scene.ask().await;
    assert_eq!(scene.stage.nobody.get("/logs/checks-a/tile/0/000.p/2").await.status, 200);
    assert_eq!(mark().await.map(|head| head.size), Some(2));
    // Another process of this name published more than the database has: it is an older copy, and not told.
    let more = kyodaku::log::merkle::TreeHead { size: 9, root: Hash([9; 32]) };
    HighWater::open(&folder, "a").await.unwrap().raise(&[("checks/a", more)]).await.unwrap();
    scene.ask().await;
    for path in ["checkpoint", "tile/0/000.p/1", "proofs/consistency?old=1&new=2"] {
        let refused = scene.stage.nobody.get(&format!("/logs/checks-a/{path}")).await;
        assert_eq!(refused.status, 503, "{path}");
    }
});

both!(what_is_not_committed_is_never_published, async |world: World| {
    let scene = Scene::open(&world).await;
    let size = scene.stage.log_size().await;
    let settings = world.settings("a");
    let key = signer(&settings.data_dir.join("act-log.key"), &settings.origin).unwrap();
    let db = world.db().await;
    let mut tx = db.begin().await.unwrap();
    let head = heads::lock_or_create(&mut tx, heads::ACTS, &key, 0).await.unwrap();
    let at_ms = head.at_ms;
    append(&mut tx, &head, &["not committed"], &key, at_ms).await.unwrap();
    let mirror = Mirror::of(&scene, "acts").await;
    assert_eq!(mirror.checkpoint("checkpoint").await.size(), size);
    assert_eq!(mirror.sizes().await[0], size);
    let (width, more) = (size, size + 1);
    assert_eq!(scene.stage.nobody.get(&format!("/logs/acts/tile/0/000.p/{width}")).await.status, 200);
    for path in [
        format!("tile/0/000.p/{more}"),
        format!("checkpoints/{more}"),
        format!("proofs/inclusion?index={size}&size={more}"),
        format!("proofs/consistency?old=1&new={more}"),
        format!("proofs/file?index={size}"),
    ] {
        let answer = scene.stage.nobody.get(&format!("/logs/acts/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (404, "not_found".to_owned()), "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
    tx.rollback().await.unwrap();
});

both!(an_older_key_stays_published_when_another_one_signs, async |world: World| {
    let scene = Scene::open(&world).await;
    let size = scene.stage.log_size().await;
    let before = Mirror::of(&scene, "acts").await.key;
    let registry = kyodaku::registry::Registry::open(world.settings("b"), world.clock.clone()).await.unwrap();
    drop(registry);
    assert_eq!(scene.told("/logs").await["items"][0]["keys"].as_array().unwrap().len(), 1, "the same key");
    let settings = world.settings("a");
    keys::prepare(&settings, scene.stage.registry.db(), &world.clock, KeyName::ActLog).await.unwrap();
    let registry = kyodaku::registry::Registry::open(world.settings("c"), world.clock.clone()).await.unwrap();
    let by = crate::keys::proof(&registry, &scene.stage.registrar.key).await;
    keys::rotate(&registry, &by, KeyName::ActLog).await.unwrap();
    let after = registry.verifier_key();
    let keys = scene.told("/logs").await["items"][0]["keys"].clone();
    assert_eq!(keys[0]["verifier_key"], before);
    assert_eq!(keys[0]["first_size"], 0);
    assert_eq!((&keys[1]["verifier_key"], &keys[1]["first_size"]), (&Value::from(after), &Value::from(size)));
    assert_eq!((&keys[0]["state"], &keys[0]["last_size"]), (&Value::from("retired"), &Value::from(size)));
    assert_eq!((&keys[1]["state"], &keys[1]["last_size"]), (&Value::from("current"), &Value::Null));
});
