//! What a thief could do to an act log, with the disk alone, with a key, or with both: each is named for what it is.

use std::fs;
use std::path::Path;

use kyodaku::log::checkpoint::CheckpointSigner;
use kyodaku::log::tile::encode_bundle;
use kyodaku::registry::offline::{Finding, Kind};
use serde_json::{Value, json};

use super::forge::{Forge, list, note_of};
use super::{Site, asked, copy, examine, findings, kinds};
use crate::world::{World, both};

/// What is done to a log.
type Attack = fn(&Forge);
/// What is found, and in which file.
type Found = (Kind, &'static str);
/// What is done to something that is told.
type Change = fn(&mut Value);

/// The act log of one exported folder, to be attacked again and again.
struct Prey {
    folder: tempfile::TempDir,
    key: std::path::PathBuf,
    keys: Vec<String>,
}

impl Prey {
    async fn of(world: &World) -> Self {
        let site = Site::open(world).await;
        site.grow(270).await;
        let key = world.settings("a").data_dir.join("act-log.key");
        Self { folder: site.exported().await, key, keys: site.keys().await }
    }

    /// What is found after an attack on a fresh copy, by somebody who has the keys.
    async fn after(&self, attack: impl FnOnce(&mut Forge)) -> Vec<Finding> {
        let folder = copy(self.folder.path());
        let mut forge = Forge::of(folder.path(), "acts", &self.key);
        attack(&mut forge);
        findings(folder.path(), &asked(&self.keys)).await
    }

    /// The act log written anew by a thief of its key, and what is found in it. The journal, whose key was not stolen, says of
    /// every rewritten history that it is another one.
    async fn stolen(&self, attack: impl FnOnce(&mut Forge)) -> Vec<Finding> {
        let found = self.after(|forge| {
            attack(forge);
            forge.write();
        });
        found.await.into_iter().filter(|it| it.log.as_deref() == Some("acts")).collect()
    }
}

fn bundle(forge: &Forge, index: usize) -> std::path::PathBuf {
    let width = forge.entries.len().saturating_sub(256 * index).min(256);
    forge.path(&if width == 256 {
        format!("tile/entries/{index:03}")
    } else {
        format!("tile/entries/{index:03}.p/{width}")
    })
}

fn entries_of(findings: &[Finding]) -> Vec<u64> {
    findings.iter().filter_map(|finding| finding.entry).collect()
}

both!(whoever_has_the_disk_alone_is_named, async |world: World| {
    let prey = Prey::of(&world).await;
    assert_eq!(prey.after(|_| ()).await, []);
    assert_eq!(prey.stolen(|_| ()).await, [], "what is forged without an attack is what was there");

    // Entries swapped: both, with the place of each.
    let found = prey
        .after(|forge| {
            forge.entries.swap(7, 9);
            fs::write(bundle(forge, 0), encode_bundle(&forge.entries[..256]).unwrap()).unwrap();
        })
        .await;
    assert_eq!((kinds(&found), entries_of(&found)), (vec![Kind::EntryAltered], vec![7, 9]));
    assert_eq!(found[0].file.as_deref(), Some("acts/tile/entries/000"));
    let offset: usize = {
        let forge = Forge::of(prey.folder.path(), "acts", &prey.key);
        forge.entries[..7].iter().map(|entry| 2 + entry.len()).sum::<usize>() + 2
    };
    assert_eq!(found[0].offset, u64::try_from(offset).ok());

    // One dropped, one inserted: from there on everything is another.
    let found = prey
        .after(|forge| {
            forge.entries.remove(200);
            fs::write(bundle(forge, 0), encode_bundle(&forge.entries[..255]).unwrap()).unwrap();
        })
        .await;
    assert!(
        found[1..].iter().all(|it| it.kind == Kind::EntryAltered) && entries_of(&found[1..])[0] == 200,
        "{found:?}"
    );
    assert_eq!((found[0].kind, found[0].entry, found.len()), (Kind::Truncated, Some(255), 1 + 55));
    let found = prey
        .after(|forge| {
            forge.entries.insert(250, b"{}".to_vec());
            fs::write(bundle(forge, 0), encode_bundle(&forge.entries[..256]).unwrap()).unwrap();
        })
        .await;
    assert_eq!((kinds(&found), entries_of(&found)), (vec![Kind::EntryAltered], (250..256).collect()));

    // Entries with their tiles, but no key: the root is not the one that was signed.
    let found = prey
        .after(|forge| {
            let kept = forge.signer.clone();
            let notes: Vec<(String, Vec<u8>)> = forge
                .sizes
                .iter()
                .map(|size| format!("checkpoints/{size}"))
                .chain(["checkpoint".to_owned()])
                .map(|piece| (piece.clone(), fs::read(forge.path(&piece)).unwrap()))
                .collect();
            forge.change(100, |entry| entry["salt"] = "11".repeat(16).into());
            forge.write();
            for (piece, note) in notes {
                forge.put(&piece, &note);
            }
            forge.signer = kept;
        })
        .await;
    assert_eq!(kinds(&found), [Kind::Root], "{found:?}");
    assert!(found[0].what.contains("the checkpoint of size 1"), "{:?}", found[0]);
    assert_eq!(found.last().unwrap().file.as_deref(), Some("acts/checkpoint"));
});

/// Files that are gone, cut, added, linked; each with what is found.
const FILES: &[(&str, Attack, &[Found])] = &[
    ("the newest checkpoint is gone", |it| rm(&it.path("checkpoint")), &[(Kind::Absent, "acts/checkpoint")]),
    ("a full tile is gone", |it| rm(&it.path("tile/0/000")), &[(Kind::Absent, "acts/tile/0/000")]),
    ("a tile above is gone", |it| rm(&edge(it, 1)), &[(Kind::Absent, "acts/tile/1/000.p/1")]),
    ("a bundle is gone", |it| rm(&it.path("tile/entries/000")), &[(Kind::Absent, "acts/tile/entries/000")]),
    (
        "a bundle is cut",
        |it| cut(&it.path("tile/entries/000"), 1),
        &[(Kind::Truncated, "acts/tile/entries/000")],
    ),
    (
        "a bundle is cut to nothing",
        |it| cut(&it.path("tile/entries/000"), usize::MAX),
        &[(Kind::Truncated, "acts/tile/entries/000")],
    ),
    (
        "a bundle is longer",
        |it| add(&it.path("tile/entries/000")),
        &[(Kind::Truncated, "acts/tile/entries/000")],
    ),
    ("a tile is cut", |it| cut(&it.path("tile/0/000"), 32), &[(Kind::Truncated, "acts/tile/0/000")]),
    ("a tile is longer", |it| add(&it.path("tile/0/000")), &[(Kind::Truncated, "acts/tile/0/000")]),
    (
        "a checkpoint is cut",
        |it| cut(&it.path("checkpoint"), 1),
        &[(Kind::CheckpointForm, "acts/checkpoint")],
    ),
    ("a checkpoint is that of another size", other_size, &[(Kind::CheckpointForm, "acts/checkpoints/1")]),
    ("a tile beyond the log", |it| it.put("tile/0/009", b"x"), &[(Kind::Stray, "acts/tile/0/009")]),
    ("a file that has no place", |it| it.put("tile/0/..%2f", b"x"), &[(Kind::Stray, "acts/tile/0/..%2f")]),
    (
        "a checkpoint that is none",
        |it| it.put("checkpoints/01", b"x"),
        &[(Kind::Stray, "acts/checkpoints/01")],
    ),
    ("a file beside the logs", |it| fs::write(it.path("../notes"), "x").unwrap(), &[(Kind::Stray, "notes")]),
    (
        "a link in place of a tile",
        |it| {
            fs::rename(it.path("tile/0/000"), it.path("../../kept")).unwrap_or_default();
            let elsewhere = it.path("elsewhere");
            fs::copy(it.path("tile/entries/000"), &elsewhere).unwrap();
            drop(fs::remove_file(it.path("tile/0/000")));
            std::os::unix::fs::symlink(&elsewhere, it.path("tile/0/000")).unwrap();
        },
        &[
            (Kind::Absent, "acts/tile/0/000"),
            (Kind::Stray, "acts/elsewhere"),
            (Kind::Stray, "acts/tile/0/000"),
        ],
    ),
];

fn rm(path: &Path) {
    fs::remove_file(path).unwrap();
}

fn cut(path: &Path, bytes: usize) {
    let mut all = fs::read(path).unwrap();
    all.truncate(all.len().saturating_sub(bytes));
    fs::write(path, all).unwrap();
}

fn add(path: &Path) {
    let mut all = fs::read(path).unwrap();
    all.push(0);
    fs::write(path, all).unwrap();
}

fn edge(forge: &Forge, level: u8) -> std::path::PathBuf {
    forge.path(&format!("tile/{level}/000.p/1"))
}

fn other_size(forge: &Forge) {
    forge.put("checkpoints/1", forge.note(forge.sizes[3]).as_bytes());
}

both!(files_that_are_gone_cut_added_or_linked_are_named, async |world: World| {
    let prey = Prey::of(&world).await;
    for (name, attack, expected) in FILES {
        let mut found = prey.after(|forge| attack(forge)).await;
        found.sort_by_key(|finding| (finding.kind, finding.file.clone()));
        // Entries of a bundle that is cut are named beside it.
        let found: Vec<_> = found
            .iter()
            .filter(|it| it.kind != Kind::EntryAltered)
            .map(|it| (it.kind, it.file.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, *expected, "{name}");
    }
});

both!(whoever_has_a_key_is_named_by_what_the_rules_say, async |world: World| {
    let prey = Prey::of(&world).await;
    let only = |found: &[Finding], kind, at: usize, words: &str| {
        let [one] = found else { panic!("{found:?}") };
        assert_eq!((one.kind, one.entry), (kind, Some(at as u64)), "{one:?}");
        assert!(one.what.contains(words), "{one:?}");
    };
    // An entry dated back; what follows can't be replayed.
    let found = prey.stolen(|forge| forge.change(40, |entry| entry["at_ms"] = json!(5))).await;
    only(&found, Kind::BackDated, 40, "it is of 5 ms");
    // An act that its party may not record: nobody approved it.
    let mut at = 0;
    let found = prey
        .stolen(|forge| {
            at = forge.first("assertions.confirmed");
            forge.change(at, |entry| entry["by"] = json!([entry["by"][0]]));
        })
        .await;
    only(&found, Kind::NotAdmitted, at, "second_person_required");
    let found = prey
        .stolen(|forge| {
            at = forge.first("grant.recorded");
            forge.change(at, |entry| entry["act"]["work"] = json!("wrk_01h455vb4pex5vsknk084sn02q"));
        })
        .await;
    assert_eq!((found[0].kind, found[0].entry), (Kind::NotAdmitted, Some(at as u64)), "{found:?}");
    // A grant dated before its entry: no permission is ever recorded after the use.
    let found = prey
        .stolen(|forge| {
            at = forge.first("grant.recorded");
            forge.change(at, |entry| entry["act"]["from"] = json!(5));
        })
        .await;
    assert_eq!((found[0].kind, found[0].entry), (Kind::NotAdmitted, Some(at as u64)), "{found:?}");
    // The rules again, or others, without a word to anybody.
    for (version, words) in [(1, "rules only go upwards"), (2, "knows no version 2")] {
        let found = prey
            .stolen(|forge| {
                let mut entry = forge.entry(1);
                assert_eq!(entry["act"]["type"], "rules.activated", "{entry}");
                entry["at_ms"] = forge.entry(59)["at_ms"].clone();
                entry["act"]["version"] = json!(version);
                forge.entries[60] = kyodaku::log::canonical::to_canonical(&entry).unwrap();
            })
            .await;
        assert_eq!((found[0].kind, found[0].entry), (Kind::NotAdmitted, Some(60)), "{found:?}");
        assert!(found[0].what.contains(words), "{found:?}");
        assert_eq!(found.len() > 1, version == 2, "a log of unknown rules is not followed: {found:?}");
    }
    // Somebody more may read it.
    let found = prey
        .stolen(|forge| {
            at = forge.first("grant.recorded");
            forge.change(at, |entry| {
                entry["parties"].as_array_mut().unwrap().push(json!("org_7zzzzzzzzzzzzzzzzzzzzzzzzz"));
            });
        })
        .await;
    only(&found, Kind::Readers, at, "`parties` says otherwise");
    // The same thing in other words, and nothing that can be read at all.
    let found = prey.stolen(|forge| forge.entries[50].push(b' ')).await;
    only(&found, Kind::EntryForm, 50, "not written as entries are");
    let found = prey.stolen(|forge| forge.entries[50] = b"{}".to_vec()).await;
    only(&found, Kind::EntryForm, 50, "can't be read");
    // A log that was opened as another one.
    let found =
        prey.stolen(|forge| forge.change(0, |entry| entry["act"]["origin"] = json!("other.example"))).await;
    assert_eq!(found[0].kind, Kind::Origin, "{found:?}");
});

/// A checkpoint that somebody else signed.
type Signed = Box<dyn Fn(&Forge)>;

both!(checkpoints_are_held_against_the_key_that_stood, async |world: World| {
    let prey = Prey::of(&world).await;
    let old = kyodaku::registry::keys::signer(&prey.key, "kyodaku.example/log").unwrap();
    let new = CheckpointSigner::from_seed("kyodaku.example/log", &[0x5a; 32]).unwrap();
    let stranger = CheckpointSigner::from_seed("kyodaku.example/log", &[0x77; 32]).unwrap();
    let new_key = new.verifier_key().to_string();
    let mut keys = prey.keys.clone();
    keys.push(new_key.clone());
    let rotate = |forge: &Forge, at: u64| {
        forge.tell(|told| {
            let key = json!({ "verifier_key": new_key, "first_size": at, "first": "2025-10-27T00:00:00Z" });
            told["keys"].as_array_mut().unwrap().push(key);
        });
        for size in forge.sizes.iter().copied().filter(|size| *size > at) {
            forge.put(&format!("checkpoints/{size}"), note_of(size, &forge.leaves(), &new).as_bytes());
        }
        let size = forge.entries.len() as u64;
        forge.put("checkpoint", note_of(size, &forge.leaves(), &new).as_bytes());
    };
    let signed_by = |signer: &CheckpointSigner, place: usize| {
        let signer = signer.clone();
        move |forge: &Forge| {
            let size = forge.sizes[place];
            forge.put(&format!("checkpoints/{size}"), note_of(size, &forge.leaves(), &signer).as_bytes());
        }
    };
    let cases: [(&str, Option<Signed>, &[Kind]); 5] = [
        ("nothing", None, &[]),
        ("a retired key", Some(Box::new(signed_by(&old, 12))), &[Kind::RetiredKey]),
        ("a key that was not ready", Some(Box::new(signed_by(&new, 3))), &[Kind::EarlyKey]),
        ("an unknown key", Some(Box::new(signed_by(&stranger, 8))), &[Kind::UnknownKey]),
        ("a false signature", Some(Box::new(falsify)), &[Kind::Signature]),
    ];
    for (name, attack, expected) in cases {
        let folder = copy(prey.folder.path());
        let forge = Forge::of(folder.path(), "acts", &prey.key);
        rotate(&forge, forge.sizes[8]);
        if let Some(attack) = attack {
            attack(&forge);
        }
        let found = findings(folder.path(), &asked(&keys)).await;
        assert_eq!(kinds(&found), expected, "{name}: {found:?}");
        assert!(
            found.iter().all(|it| it.file.as_ref().unwrap().starts_with("acts/checkpoints/")),
            "{found:?}"
        );
    }
    // Whoever knows since when a key signs is not told otherwise by the folder.
    let folder = copy(prey.folder.path());
    let forge = Forge::of(folder.path(), "acts", &prey.key);
    rotate(&forge, forge.sizes[8]);
    let since = |size: u64| vec![keys[0].clone(), keys[1].clone(), format!("{new_key}@{size}")];
    assert_eq!(findings(folder.path(), &asked(&since(forge.sizes[8]))).await, []);
    let found = findings(folder.path(), &asked(&since(forge.sizes[4]))).await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::RetiredKey], 4), "{found:?}");
    // A key that was not given does not count, whatever the folder tells of it.
    let found = findings(folder.path(), &asked(&prey.keys)).await;
    assert_eq!(kinds(&found), [Kind::UnknownKey], "{found:?}");
    // A log of another name is not the one that was meant.
    let elsewhere = CheckpointSigner::from_seed("elsewhere.example/log", &[1; 32]).unwrap();
    let found = findings(prey.folder.path(), &asked(&[elsewhere.verifier_key().to_string()])).await;
    assert_eq!(kinds(&found), [Kind::NoSuchLog]);
});

fn falsify(forge: &Forge) {
    let size = forge.sizes[5];
    let mut leaves = forge.leaves();
    leaves.swap(0, 1);
    // The root of one note under the signature of another one.
    let [good, other] = [forge.note(size), note_of(size, &leaves, &forge.signer)];
    let (text, _) = other.split_once("\n\n").unwrap();
    let (_, signatures) = good.split_once("\n\n").unwrap();
    forge.put(&format!("checkpoints/{size}"), format!("{text}\n\n{signatures}").as_bytes());
}

both!(two_histories_are_a_fork, async |world: World| {
    let prey = Prey::of(&world).await;
    let (mut place, mut size) = (0, 0);
    let other = |forge: &Forge| {
        let mut leaves = forge.leaves();
        leaves[2] = kyodaku::log::merkle::leaf_hash(b"another history");
        leaves
    };
    // What was signed earlier is of another history than what is here.
    let found = prey
        .after(|forge| {
            place = forge.sizes.len() / 2;
            size = forge.sizes[place];
            forge.put(&format!("checkpoints/{size}"), note_of(size, &other(forge), &forge.signer).as_bytes());
        })
        .await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::Fork], 1), "{found:?}");
    assert_eq!(found[0].file, Some(format!("acts/checkpoints/{size}")));
    // Two of one size.
    let found = prey
        .after(|forge| {
            size = forge.entries.len() as u64;
            forge.put(&format!("checkpoints/{size}"), note_of(size, &other(forge), &forge.signer).as_bytes());
        })
        .await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::Fork], 1), "{found:?}");
    // The newest is of another one: the entries are not what it says.
    let found = prey
        .after(|forge| {
            size = forge.entries.len() as u64;
            forge.put("checkpoint", note_of(size, &other(forge), &forge.signer).as_bytes());
        })
        .await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::Root], 1), "{found:?}");
    // Fewer than are told of.
    let found = prey
        .after(|forge| {
            let size = forge.sizes[forge.sizes.len() - 2];
            forge.put("checkpoint", forge.note(size).as_bytes());
        })
        .await;
    assert!(kinds(&found).contains(&Kind::Shrunk), "{found:?}");
});

both!(names_that_lead_elsewhere_are_refused, async |world: World| {
    let prey = Prey::of(&world).await;
    let wrong: [(&str, Change); 9] = [
        ("a log above", |told| told["log"] = json!("../acts")),
        ("an absolute one", |told| told["log"] = json!("/etc")),
        ("a journal that climbs", |told| told["log"] = json!("checks-../../x")),
        ("a name in other letters", |told| told["log"] = json!("checks-A")),
        ("a key of another log", |told| told["origin"] = json!("other.example/log")),
        ("no key", |told| told["keys"][0]["verifier_key"] = json!("kyodaku.example/log")),
        ("a size that can't be", |told| told["size"] = json!(u64::MAX)),
        ("a root that can't be", |told| told["root"] = json!("AAAA")),
        ("no act log", |told| told["log"] = json!("checks-b")),
    ];
    for (name, change) in wrong {
        let folder = copy(prey.folder.path());
        let forge = Forge::of(folder.path(), "acts", &prey.key);
        forge.tell(change);
        let refused = examine(folder.path(), &asked(&[])).await.expect_err(name);
        assert!(refused.0.contains("logs.json"), "{name}: {refused}");
    }
    let folder = copy(prey.folder.path());
    let mut twice = list(folder.path());
    let again = twice["items"][0].clone();
    twice["items"].as_array_mut().unwrap().push(again);
    fs::write(folder.path().join("logs.json"), twice.to_string()).unwrap();
    assert!(examine(folder.path(), &asked(&[])).await.unwrap_err().0.contains("twice"));
    // A log whose folder is a link is read, and named.
    let folder = copy(prey.folder.path());
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(folder.path().join("acts"), elsewhere.path().join("acts")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("acts"), folder.path().join("acts")).unwrap();
    let found = findings(folder.path(), &asked(&prey.keys)).await;
    assert_eq!((kinds(&found), found[0].file.as_deref()), (vec![Kind::Stray], Some("acts")), "{found:?}");
});
