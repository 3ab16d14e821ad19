//! Where keys are, and what is told of them.

use std::os::unix::fs::PermissionsExt;

use kyodaku::clock::Clock;
use kyodaku::registry::Registry;
use kyodaku::registry::keys::{KeyName, KeySettings, KeySource, Seed};
use serde_json::json;

use super::{listed, must_not_tell, run, secrets};
use crate::cli::{kyodaku, said};
use crate::world::{World, both};

both!(every_key_is_listed_by_its_public_half, async |world: World| {
    let stage = world.stage().await;
    let told = listed(&world, &[]);
    let logs = stage.nobody.get("/logs").await.json::<serde_json::Value>();
    let receipts = stage.nobody.get("/receipts/jwks").await.json::<serde_json::Value>();
    let tokens = stage.nobody.get("/oauth/jwks").await.json::<serde_json::Value>();
    let uses: Vec<&str> = told.iter().map(|key| key["use"].as_str().unwrap()).collect();
    assert_eq!(uses, ["act_log", "journal", "receipt", "token"]);
    assert!(told.iter().all(|key| key["state"] == "signs" && key["secret"] == "data folder"), "{told:?}");
    assert_eq!(told[0]["key"], logs["items"][0]["keys"][0]["verifier_key"]);
    assert_eq!((&told[0]["first_size"], &told[0]["log"]), (&json!(0), &json!("acts")));
    assert_eq!(told[0]["since"], "2025-10-27T00:00:00Z");
    assert_eq!(told[2]["key"], receipts["keys"][0]["kid"]);
    assert_eq!(told[3]["key"], tokens["keys"][0]["kid"]);
    let data = world.settings("a").data_dir;
    // The log has a name of its own, whatever the settings say.
    let mut command = kyodaku();
    command.args(["keys", "list", "--json", "--database-url", &world.url, "--origin", "other.example/log"]);
    let other = said(command.args(["--node", "a", "--data-dir"]).arg(&data).output().unwrap());
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&other.out).unwrap(), told, "{}", other.err);
    // For people: a line each, and no secret in any.
    for words in [&["keys", "list"][..], &["keys", "list", "--json"], &["config", "print"]] {
        let said = run(&world, words, &[]);
        assert_eq!(said.code, 0, "{}", said.err);
        must_not_tell(&said, &secrets(&data));
    }
    assert_eq!(run(&world, &["keys", "list"], &[]).out.lines().count(), 4);

    // A key that another one replaced stays listed.
    let old = told[2]["key"].clone();
    std::fs::write(data.join("receipts.key"), format!("{}\n", "5a".repeat(32))).unwrap();
    Registry::open(world.settings("b"), world.clock.clone()).await.unwrap();
    let receipts: Vec<_> = listed(&world, &[]).into_iter().filter(|key| key["use"] == "receipt").collect();
    assert_eq!(receipts.len(), 2, "{receipts:?}");
    let states = |key: &serde_json::Value| (key["key"] == old, key["state"].clone(), key["secret"].clone());
    let mut states: Vec<_> = receipts.iter().map(states).collect();
    states.sort_by_key(|(is_old, ..)| *is_old);
    assert_eq!(
        states,
        [(false, json!("signs"), json!("data folder")), (true, json!("published"), json!(null))]
    );
});

both!(listing_makes_nothing, async |world: World| {
    let nothing = run(&world, &["keys", "list"], &[]);
    // There is no file of an embedded database; an empty one has no keys.
    assert_eq!(nothing.code, i32::from(world.url.starts_with("sqlite:")), "{}{}", nothing.out, nothing.err);
    assert_eq!(nothing.out, "");
    assert!(!world.settings("a").data_dir.exists());
});

both!(keys_come_from_files_elsewhere_and_from_the_environment, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let first = world.stage().await;
    first.registry.db().close().await;
    let data = world.settings("a").data_dir;
    let before = listed(&world, &[]);
    let all = secrets(&data);
    // As a secret store gives them: one file each, or a variable.
    let elsewhere = world.folder.path().join("secrets");
    std::fs::create_dir(&elsewhere).unwrap();
    let file = elsewhere.join("acts");
    std::fs::rename(data.join("act-log.key"), &file).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    for name in [KeyName::Journal, KeyName::Receipt, KeyName::Token, KeyName::Sealing] {
        std::fs::remove_file(data.join(name.file())).unwrap();
    }
    let file = file.to_str().unwrap();
    let environment = [
        ("KYODAKU_ACT_LOG_KEY", file),
        ("KYODAKU_JOURNAL_KEY", &all[1]),
        ("KYODAKU_RECEIPT_KEY", &all[2]),
        ("KYODAKU_TOKEN_KEY", &all[3]),
        ("KYODAKU_SEALING_KEY", &all[4]),
    ];
    let now = listed(&world, &environment);
    let keys = |told: &[serde_json::Value]| told.iter().map(|key| key["key"].clone()).collect::<Vec<_>>();
    assert_eq!(keys(&now), keys(&before));
    let places: Vec<_> = now.iter().map(|key| key["secret"].as_str().unwrap()).collect();
    assert_eq!(places, ["file", "environment", "environment", "environment"]);
    // A node opens with them, and makes none of its own; the log of its act is signed by the same key.
    let made = run(&world, &["admin", "create-registrar", "--person", "third"], &environment);
    assert_eq!(made.code, 0, "{}{}", made.out, made.err);
    assert!(KeyName::ALL.iter().all(|name| !data.join(name.file()).exists()));
    let checked = run(&world, &["rebuild", "--check"], &environment);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    assert!(!checked.err.contains("not verified"), "{}", checked.err);
    // A backup with keys has those that are in the data folder.
    let to = world.folder.path().join("backup");
    let backup = run(&world, &["backup", to.to_str().unwrap(), "--with-keys"], &environment);
    assert_eq!(backup.code, 0, "{}{}", backup.out, backup.err);
    assert!(!to.join("act-log.key").exists());
    let print = run(&world, &["config", "print"], &environment);
    for key in ["act_log_key", "journal_key", "receipt_key", "token_key", "sealing_key"] {
        assert!(print.out.contains(&format!("{key} = \"(set)\" # environment")), "{}", print.out);
    }
    assert!(!print.out.contains(file));
    for said in [made, checked, backup, print] {
        must_not_tell(&said, &all);
    }
});

both!(a_rotation_says_where_the_old_key_still_is, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    let data = world.settings("a").data_dir;
    let elsewhere = world.folder.path().join("receipts");
    std::fs::rename(data.join("receipts.key"), &elsewhere).unwrap();
    let token = std::fs::read_to_string(data.join("token.key")).unwrap().trim_end().to_owned();
    std::fs::remove_file(data.join("token.key")).unwrap();
    let places = [("KYODAKU_RECEIPT_KEY", elsewhere.to_str().unwrap()), ("KYODAKU_TOKEN_KEY", &token)];
    let environment = [&places[..], &[("KYODAKU_API_KEY", stage.registrar.key.as_str())]].concat();
    for (word, name, place) in [
        ("receipt", KeyName::Receipt, Some("file")),
        ("token", KeyName::Token, Some("environment")),
        ("act-log", KeyName::ActLog, None),
    ] {
        let before = secrets(&data);
        let prepared = run(&world, &["keys", "prepare", word], &environment);
        assert_eq!(prepared.code, 0, "{}{}", prepared.out, prepared.err);
        let rotated = run(&world, &["keys", "rotate", word], &environment);
        assert_eq!(rotated.code, 0, "{}{}", rotated.out, rotated.err);
        let told = rotated.err.as_str();
        match place {
            None => {
                assert!(told.contains("the old key is deleted here") && secrets(&data) != before, "{told}");
            }
            Some(place) => {
                let is_told = told.contains(&format!("`{}` says ({place})", name.setting()));
                assert!(is_told && told.contains(name.next_file()), "{told}");
                assert!(!told.contains("deleted here") && data.join(name.next_file()).exists(), "{told}");
            }
        }
    }
    assert!(elsewhere.exists());
});

both!(a_key_that_others_can_read_is_refused_with_what_to_do, async |world: World| {
    world.stage().await.registry.db().close().await;
    let data = world.settings("a").data_dir;
    let all = secrets(&data);
    for name in KeyName::ALL {
        let path = data.join(name.file());
        for mode in [0o644, 0o640, 0o604, 0o620, 0o700, 0o440] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let said = run(&world, &["admin", "create-registrar", "--person", "third"], &[]);
            assert_eq!(said.code, 1, "{mode:o} {}", said.out);
            let told = [name.file(), &format!("mode {mode:04o}"), "chmod 600"];
            assert!(told.iter().all(|word| said.err.contains(word)), "{}", said.err);
            must_not_tell(&said, &all);
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(run(&world, &["keys", "list"], &[]).code, 0);
    }
});

both!(what_is_no_key_is_refused_without_a_word_of_it, async |world: World| {
    world.stage().await.registry.db().close().await;
    let data = world.settings("a").data_dir;
    let all = secrets(&data);
    let words = ["admin", "create-registrar", "--person", "third"];
    // Half a key, a key in capitals, a key where a path belongs: none is told back.
    let capitals = all[0].to_uppercase();
    for bad in [&all[0][1..], &capitals, "act-log.key"] {
        let said = run(&world, &words, &[("KYODAKU_ACT_LOG_KEY", bad)]);
        assert_eq!(said.code, 2, "{}{}", said.out, said.err);
        assert!(
            said.err.contains("act_log_key") && said.err.contains("(set)") && !said.err.contains(bad),
            "{}",
            said.err
        );
    }
    // Where others could read it, a key itself is not taken at all.
    let stated = format!("act_log_key={}", all[0]);
    let flag = run(&world, &[&words[..], &["--set", &stated]].concat(), &[]);
    assert_eq!(flag.code, 2, "{}{}", flag.out, flag.err);
    assert!(flag.err.contains("from the environment alone"), "{}", flag.err);
    let toml = world.folder.path().join("kyodaku.toml");
    std::fs::write(&toml, format!("act_log_key = '{}'\n", all[0])).unwrap();
    let file = run(&world, &[&words[..], &["--config", toml.to_str().unwrap()]].concat(), &[]);
    assert_eq!(file.code, 2, "{}{}", file.out, file.err);
    // A file that is not there is not made: the wrong folder would get a key that nobody knows.
    let nowhere = world.folder.path().join("nowhere.key");
    let nowhere = nowhere.to_str().unwrap();
    let missing = run(&world, &words, &[("KYODAKU_ACT_LOG_KEY", nowhere)]);
    assert_eq!(missing.code, 1, "{}{}", missing.out, missing.err);
    assert!(
        missing.err.contains("`act_log_key` names is not there") && !missing.err.contains(nowhere),
        "{}",
        missing.err
    );
    assert!(!std::path::Path::new(nowhere).exists());
    std::fs::write(data.join("token.key"), &all[3][1..]).unwrap();
    let broken = run(&world, &words, &[]);
    assert!(broken.code == 1 && broken.err.contains("64 hexadecimal digits"), "{}", broken.err);
    for said in [flag, file, missing, broken] {
        must_not_tell(&said, &all);
        assert!(!said.err.contains(&all[3][1..]));
    }
});

both!(the_sandbox_has_keys_of_its_own_wherever_those_of_the_registry_are, async |world: World| {
    let given = |byte: u8| KeySource::Given(Seed::from([byte; 32]));
    let keys: KeySettings =
        [(KeyName::ActLog, given(1)), (KeyName::Journal, given(2)), (KeyName::Token, given(3))]
            .into_iter()
            .collect();
    let settings = kyodaku::registry::Settings { keys, ..world.settings("a") };
    let registry = Registry::open(settings.clone(), world.clock.clone()).await.unwrap();
    let beside = format!("sqlite:{}", world.folder.path().join("sandbox.db").display());
    let sandbox = kyodaku::registry::sandbox::open(&settings, &beside, world.clock.clone()).await.unwrap();
    let key = |registry: &Registry| registry.verifier_key().rsplit('+').next().unwrap().to_owned();
    assert_ne!(key(&registry), key(&sandbox));
    assert!(
        !settings.data_dir.join("act-log.key").exists()
            && settings.data_dir.join("sandbox/act-log.key").exists()
    );
    assert!(!format!("{settings:?}").contains("1, 1, 1"), "{settings:?}");
});

both!(a_key_that_is_gone_is_not_made_again_where_the_log_has_one, async |world: World| {
    let world = World { clock: Clock::system(), ..world };
    let stage = world.stage().await;
    stage.registry.db().close().await;
    let data = world.settings("a").data_dir;
    let kept = world.folder.path().join("kept.key");
    for name in [KeyName::ActLog, KeyName::Journal] {
        let file = data.join(name.file());
        std::fs::rename(&file, &kept).unwrap();
        let refused = Registry::open(world.settings("a"), world.clock.clone()).await.err().expect("no node");
        assert!(refused.to_string().contains(name.file()), "{refused}");
        assert!(refused.to_string().contains("a key that is not here"), "{refused}");
        let said = run(&world, &["admin", "create-registrar", "--person", "third"], &[]);
        assert!(said.code == 1 && said.err.contains(name.file()), "{}{}", said.out, said.err);
        assert!(!file.exists(), "no other is made in its place");
        std::fs::rename(&kept, &file).unwrap();
    }
    // Of an empty folder none of the others is left either.
    let empty = world.folder.path().join("empty");
    let settings = kyodaku::registry::Settings { data_dir: empty.clone(), ..world.settings("a") };
    assert!(Registry::open(settings, world.clock.clone()).await.is_err());
    assert!(KeyName::ALL.iter().all(|name| !empty.join(name.file()).exists()));
    Registry::open(world.settings("a"), world.clock.clone()).await.expect("with its keys it opens");
});
