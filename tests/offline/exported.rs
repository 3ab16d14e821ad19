//! The honest path: what a registry exports holds, for an auditor and for a stranger, in a folder and over HTTP.

use std::path::Path;

use kyodaku::log::checkpoint::Cosigner;
use serde_json::Value;
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};

use super::forge::Forge;
use super::{Site, asked, copy, examine, findings, kinds};
use crate::world::{World, both};
use kyodaku::registry::offline::Kind;

/// The files of a folder, below it.
fn files(folder: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn keys(keys: &[String]) -> Vec<&str> {
    keys.iter().flat_map(|key| ["--log", key.as_str()]).collect()
}

async fn verified(site: &Site, folder: &Path, more: &[&str]) -> (i32, Value) {
    let words = [&["verify", "log", folder.to_str().unwrap(), "--json"], more].concat();
    let told = site.run(None, &words).await;
    let json = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{}{}", told.out, told.err));
    (told.code, json)
}

both!(what_an_auditor_exports_holds, async |world: World| {
    let site = Site::open(&world).await;
    site.grow(300).await;
    let folder = site.exported().await;
    let given = site.keys().await;
    let size = site.stage.log_size().await;
    let (code, told) = verified(&site, folder.path(), &keys(&given)).await;
    assert_eq!(
        (code, &told["holds"], &told["not_verified"]),
        (0, &Value::Bool(true), &serde_json::json!([])),
        "{told}"
    );
    let [acts, checks] = told["logs"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&acts["log"], &checks["log"]), (&"acts".into(), &"checks-a".into()));
    assert_eq!((&acts["size"], &acts["replayed"]), (&size.into(), &size.into()), "{acts}");
    assert_eq!(
        (&acts["rules"], &acts["keys"], &acts["from_entries"]),
        (&1.into(), &"given".into(), &true.into())
    );
    assert!(acts["checkpoints"].as_u64().unwrap() > 20 && acts["tiles"].as_u64().unwrap() >= 3, "{acts}");
    assert_eq!((&checks["size"], &checks["replayed"]), (&5.into(), &5.into()), "{checks}");
    // The same in words, without keys from anybody: said so.
    let path = folder.path().to_str().unwrap();
    let plain = site.run(None, &["verify", "log", path]).await;
    assert_eq!(plain.code, 0, "{}", plain.err);
    assert!(plain.out.ends_with("everything holds\n"), "{}", plain.out);
    assert!(plain.err.contains("the keys are those that the logs tell of themselves"), "{}", plain.err);
    let trusted = site.run(None, &[&["verify", "log", path][..], &keys(&given)].concat()).await;
    assert_eq!((trusted.code, trusted.err.as_str()), (0, ""), "{}", trusted.out);
    let hashed =
        site.run(None, &[&["verify", "log", path, "--only-hashes"][..], &keys(&given)].concat()).await;
    assert_eq!(hashed.code, 0, "{}", hashed.out);
    assert!(
        hashed.err.contains("not verified: what the entries of `acts` say: they are only hashed"),
        "{}",
        hashed.err
    );
});

both!(what_a_stranger_exports_holds_as_far_as_hashes_go, async |world: World| {
    let site = Site::open(&world).await;
    site.grow(260).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let exported = site.run(None, &["export", path]).await;
    assert_eq!(exported.code, 0, "{}", exported.err);
    assert!(exported.err.contains("no entries in it"), "{}", exported.err);
    assert!(!files(folder.path()).iter().any(|file| file.contains("entries")));
    let (code, told) = verified(&site, folder.path(), &keys(&site.keys().await)).await;
    assert_eq!((code, &told["holds"]), (0, &Value::Bool(true)), "{told}");
    assert_eq!(told["logs"][0]["from_entries"], false);
    assert!(told["not_verified"][0].as_str().unwrap().contains("only their hashes"), "{told}");
    // Whoever wants more says so.
    let refused = site.run(None, &["verify", "log", path, "--entries"]).await;
    assert_eq!(refused.code, 65, "{}", refused.out);
    assert!(refused.out.contains("does not hold: no_entries, log `acts`"), "{}", refused.out);
    // A key that may not read entries is told so, and nothing looks complete.
    let other = tempfile::tempdir().unwrap();
    let refused = site.run(Some(&site.developer.key), &["export", other.path().to_str().unwrap()]).await;
    assert_eq!((refused.code, refused.out.as_str()), (69, ""), "{}", refused.err);
    assert!(refused.err.contains("the server answered 403"), "{}", refused.err);
    let unread = site.run(None, &["verify", "log", other.path().to_str().unwrap()]).await;
    assert_eq!((unread.code, unread.out.as_str()), (69, ""), "{}", unread.err);
    assert!(unread.err.contains("is not complete"), "{}", unread.err);
});

both!(a_second_export_fetches_only_what_grew, async |world: World| {
    let site = Site::open(&world).await;
    site.grow(230).await;
    let folder = site.exported().await;
    let before = files(folder.path());
    let again = site.export(folder.path()).await;
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(again.out.lines().all(|line| line.ends_with(", 0 files fetched")), "{}", again.out);
    assert_eq!(files(folder.path()), before);
    let full = folder.path().join("acts/tile/0/000");
    assert!(full.is_file(), "{before:?}");
    let touched = std::fs::metadata(&full).unwrap().modified().unwrap();
    site.grow(70).await;
    site.ask("夜の庭").await;
    assert_eq!(site.export(folder.path()).await.code, 0);
    assert_eq!(std::fs::metadata(&full).unwrap().modified().unwrap(), touched);
    assert!(files(folder.path()).len() > before.len());
    let given = asked(&site.keys().await);
    let report = examine(folder.path(), &given).await.unwrap();
    assert_eq!(report.findings.kept(), [], "earlier widths hold too");
    // An earlier width that says something else does not.
    let earlier =
        before.iter().find(|file| file.starts_with("acts/tile/0/") && file.contains(".p/")).unwrap();
    let mut bytes = std::fs::read(folder.path().join(earlier)).unwrap();
    bytes[31] ^= 1;
    std::fs::write(folder.path().join(earlier), bytes).unwrap();
    let found = findings(folder.path(), &given).await;
    assert_eq!(kinds(&found), [Kind::TileAltered]);
    assert_eq!((found[0].file.as_ref(), found[0].offset), (Some(earlier), Some(31)));
});

both!(an_export_that_broke_off_is_never_taken_for_a_whole_one, async |world: World| {
    let site = Site::open(&world).await;
    let folder = site.exported().await;
    let path = folder.path().to_str().unwrap();
    // As a run leaves it that was killed: the mark is there, and a file that had not its name yet.
    std::fs::write(folder.path().join("incomplete"), "").unwrap();
    std::fs::remove_file(folder.path().join("checks-a/checkpoint")).unwrap();
    let unread = site.run(None, &["verify", "log", path]).await;
    assert_eq!((unread.code, unread.out.as_str()), (69, ""), "{}", unread.err);
    assert_eq!(site.export(folder.path()).await.code, 0);
    assert_eq!(site.run(None, &["verify", "log", path]).await.code, 0);
    // A folder of somebody else is left alone, and so is one in which another export is at work.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("letter"), "mine").unwrap();
    assert_eq!(site.export(other.path()).await.code, 2);
    assert_eq!(files(other.path()), ["letter"]);
    let mark = std::fs::File::create(folder.path().join("incomplete")).unwrap();
    mark.try_lock().unwrap();
    let busy = site.export(folder.path()).await;
    assert_eq!(busy.code, 1, "{}", busy.err);
    assert!(busy.err.contains("is under way"), "{}", busy.err);
});

both!(a_log_that_is_not_what_was_exported_before_is_not_exported, async |world: World| {
    let site = Site::open(&world).await;
    let folder = site.exported().await;
    // As if the log had been longer, and another one.
    let key = world.settings("a").data_dir.join("act-log.key");
    let mut forge = Forge::of(folder.path(), "acts", &key);
    let last = forge.entries.last().unwrap().clone();
    forge.entries.push(last);
    forge.write();
    let told = site.export(folder.path()).await;
    assert_eq!((told.code, told.out.as_str()), (65, ""), "{}", told.err);
    assert!(told.err.contains("do not begin with the"), "{}", told.err);
    assert_eq!(files(folder.path()).iter().filter(|file| file.starts_with("evidence-acts-")).count(), 1);
    // Shorter, and another one.
    let other = copy(folder.path());
    let mut forge = Forge::of(other.path(), "acts", &key);
    forge.entries.truncate(5);
    forge.change(4, |entry| entry["salt"] = "00".repeat(16).into());
    forge.write();
    let told = site.export(other.path()).await;
    assert_eq!((told.code, told.out.as_str()), (65, ""), "{}", told.err);
});

both!(a_server_is_verified_over_http, async |world: World| {
    let site = Site::open(&world).await;
    site.grow(280).await;
    let given = site.keys().await;
    let words = [&["verify", "log", &site.url, "--json"], keys(&given).as_slice()].concat();
    for (key, from_entries) in [(Some(site.auditor.key.as_str()), true), (None, false)] {
        let told = site.run(key, &words).await;
        assert_eq!(told.code, 0, "{}{}", told.out, told.err);
        let json: Value = serde_json::from_str(&told.out).unwrap();
        assert_eq!((&json["holds"], &json["logs"][0]["from_entries"]), (&true.into(), &from_entries.into()));
        assert_eq!(json["logs"][0]["size"], site.stage.log_size().await);
    }
    let gone = site.run(None, &["verify", "log", "http://127.0.0.1:1"]).await;
    assert_eq!((gone.code, gone.out.as_str()), (69, ""), "{}", gone.err);
});

both!(witnesses_count_once_and_only_those_that_were_named, async |world: World| {
    let site = Site::open(&world).await;
    let folder = site.exported().await;
    let [one, other] =
        [1, 2].map(|seed| Cosigner::from_seed(&format!("witness.example/w{seed}"), &[seed; 32]).unwrap());
    let names: Vec<String> = [&one, &other].map(|it| it.public().to_string()).to_vec();
    let path = folder.path().to_str().unwrap();
    let run = async |words: &[&str]| site.run(None, &[&["verify", "log", path], words].concat()).await;
    let none = run(&["--witness", &names[0]]).await;
    assert_eq!(none.code, 65, "{}", none.out);
    assert!(
        none.out.contains("not_witnessed, log `acts`, file `acts/checkpoint`: 0 of the witnesses"),
        "{}",
        none.out
    );
    for log in ["acts", "checks-a"] {
        let file = folder.path().join(log).join("checkpoint");
        let note = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{note}{}", one.cosign(note.as_bytes(), 1_761_523_200).unwrap()))
            .unwrap();
    }
    let good = run(&["--witness", &names[0]]).await;
    assert_eq!(good.code, 0, "{}", good.out);
    assert!(good.out.contains("1 of 1 witnesses"), "{}", good.out);
    // The same one twice is not two.
    assert_eq!(
        run(&["--witness", &names[0], "--witness", &names[0], "--witnesses-needed", "2"]).await.code,
        2
    );
    assert_eq!(run(&["--witness", &names[0], "--witness", &names[1]]).await.code, 65);
    assert_eq!(
        run(&["--witness", &names[0], "--witness", &names[1], "--witnesses-needed", "1"]).await.code,
        0
    );
    // A cosignature of another checkpoint is none.
    let file = folder.path().join("acts/checkpoint");
    let line = one.cosign(&std::fs::read(folder.path().join("checks-a/checkpoint")).unwrap(), 1).unwrap();
    let mut lines: Vec<String> =
        std::fs::read_to_string(&file).unwrap().lines().map(ToOwned::to_owned).collect();
    lines.pop();
    std::fs::write(&file, format!("{}\n{line}", lines.join("\n"))).unwrap();
    let bad = run(&["--witness", &names[0]]).await;
    assert_eq!(bad.code, 65, "{}", bad.out);
    assert!(bad.out.contains("cosignature, log `acts`, file `acts/checkpoint`"), "{}", bad.out);
});

/// The tiles of a folder, as another program reads them.
struct InFolder(std::path::PathBuf);

impl TileReader for InFolder {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let path = |tile: &Tile| self.0.join(tile.path().replacen("tile/8/", "tile/", 1));
        Ok(tiles.iter().map(|tile| std::fs::read(path(tile)).unwrap()).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

both!(another_program_reads_the_folder, async |world: World| {
    let site = Site::open(&world).await;
    site.grow(300).await;
    let folder = site.exported().await;
    let note = std::fs::read(folder.path().join("acts/checkpoint")).unwrap();
    let note = signed_note::Note::from_bytes(&note).unwrap();
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    let tiles = InFolder(folder.path().join("acts"));
    let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &tiles);
    let indexes: Vec<u64> =
        (0..checkpoint.size()).map(|leaf| tlog_tiles::stored_hash_index(0, leaf)).collect();
    let leaves = reader.read_hashes(&indexes).expect("the tiles hash to the signed root");
    let forge = Forge::of(folder.path(), "acts", &world.settings("a").data_dir.join("act-log.key"));
    let ours: Vec<[u8; 32]> = forge.leaves().iter().map(|hash| hash.0).collect();
    assert_eq!(leaves.iter().map(|hash| hash.0).collect::<Vec<_>>(), ours);
});
