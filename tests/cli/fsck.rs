//! `kyodaku fsck`: whatever is altered in the database is named, and nothing else is.

use std::collections::BTreeMap;
use std::path::Path;

use kyodaku::domain::ids::OrgId;
use kyodaku::log::checkpoint::{CheckpointSigner, Cosigner};
use kyodaku::registry::keys::signer;
use kyodaku::store::cosignatures::{self, Cosignature};
use kyodaku::store::{Engine, append, archive, entries, heads, tiles};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

use super::rebuild::{ORIGIN, filled, question};
use super::{Said, run};
use crate::world::actors::Stage;
use crate::world::works::registration;
use crate::world::{World, both};

fn fsck(world: &World, node: &str, more: &[&str]) -> Said {
    let data = world.folder.path().join("data");
    let settings =
        ["fsck", "--database-url", &world.url, "--data-dir", data.to_str().unwrap(), "--origin", ORIGIN];
    run(settings.iter().chain(&["--node", node]).chain(more))
}

/// Does to the database what its triggers forbid.
pub(crate) async fn damage(world: &World, text: &str) {
    let text = AssertSqlSafe(text.to_owned());
    let changed = match world.engine {
        Engine::Sqlite => {
            let mut db = SqliteConnection::connect(&world.url).await.unwrap();
            let triggers =
                db.fetch_all("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").await.unwrap();
            for trigger in &triggers {
                let name: String = trigger.get(0);
                db.execute(AssertSqlSafe(format!("DROP TRIGGER {name}"))).await.unwrap();
            }
            let changed = db.execute(sqlx::raw_sql(text)).await.unwrap().rows_affected();
            for trigger in &triggers {
                let sql: String = trigger.get(1);
                db.execute(AssertSqlSafe(sql)).await.unwrap();
            }
            db.close().await.unwrap();
            changed
        }
        Engine::Postgres => {
            let mut db = PgConnection::connect(&world.url).await.unwrap();
            db.execute("SET session_replication_role = replica").await.unwrap();
            let changed = db.execute(sqlx::raw_sql(text)).await.unwrap().rows_affected();
            db.close().await.unwrap();
            changed
        }
    };
    assert_ne!(changed, 0, "nothing was damaged");
}

/// The text of an expression that replaces a word in bytes.
fn reworded(world: &World, column: &str, from: &str, to: &str) -> String {
    match world.engine {
        Engine::Sqlite => format!("CAST(replace(CAST({column} AS TEXT), '{from}', '{to}') AS BLOB)"),
        Engine::Postgres => {
            format!("convert_to(replace(convert_from({column}, 'UTF8'), '{from}', '{to}'), 'UTF8')")
        }
    }
}

/// So many bytes of zero.
fn zeros(world: &World, bytes: usize) -> String {
    match world.engine {
        Engine::Sqlite => format!("zeroblob({bytes})"),
        Engine::Postgres => format!("decode(repeat('00', {bytes}), 'hex')"),
    }
}

/// A blob from an expression over blobs, which SQLite takes for text.
fn blob(world: &World, text: &str) -> String {
    match world.engine {
        Engine::Sqlite => format!("CAST({text} AS BLOB)"),
        Engine::Postgres => text.to_owned(),
    }
}

async fn contents(world: &World) -> Vec<archive::Contents> {
    let db = world.db().await;
    let mut tx = db.snapshot().await.unwrap();
    let mut all = Vec::new();
    for table in archive::TABLES {
        all.push(archive::contents(table, &mut tx).await.unwrap());
    }
    all
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().flatten().filter(|file| file.path().is_file());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

both!(what_is_as_it_was_written_holds_and_nothing_is_written, async |world: World| {
    let registry = filled(&world).await;
    let data = world.folder.path().join("data");
    let before = (contents(&world).await, files(&data));
    let said = fsck(&world, "one", &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(
        said.out.contains("log `acts`: 5 entries") && said.out.contains("5 acts replayed"),
        "{}",
        said.out
    );
    assert!(said.out.contains("log `checks-one`: 3 entries"), "{}", said.out);
    assert!(
        said.out.ends_with("everything holds\n") && !said.err.contains("not verified"),
        "{}{}",
        said.out,
        said.err
    );
    let hashes = fsck(&world, "one", &["--only-hashes", "--json"]);
    assert_eq!(hashes.code, 0, "{}{}", hashes.out, hashes.err);
    let told: Value = serde_json::from_str(&hashes.out).unwrap();
    assert_eq!(
        (&told["holds"], &told["logs"][0]["size"], &told["findings"]),
        (&json!(true), &json!(5), &json!([]))
    );
    assert_eq!((contents(&world).await, files(&data)), before);
    drop(registry);
});

/// What is done, and what must be told of it.
#[expect(clippy::too_many_lines, reason = "a list, a damage an item")]
fn damages(world: &World) -> Vec<(String, Vec<&'static str>)> {
    let word = |from, to| reworded(world, "bytes", from, to);
    let of = |text: &str, told: &[&'static str]| (text.to_owned(), told.to_vec());
    let another = CheckpointSigner::from_seed(ORIGIN, &[9; 32]).unwrap().verifier_key().to_string();
    let turned = blob(world, "substr(data, 33) || substr(data, 1, 32)");
    let longer = blob(world, &format!("data || {}", zeros(world, 32)));
    vec![
        of(
            &format!(
                "UPDATE entries SET bytes = {} WHERE log = 'acts' AND idx = 3",
                word("\"v\":1", "\"v\":2")
            ),
            &["entry_altered, log `acts`, entry 3"],
        ),
        of("DELETE FROM entries WHERE log = 'acts' AND idx = 3", &["truncated, log `acts`, entry 3"]),
        of(
            "UPDATE entries SET at_ms = at_ms + 1 WHERE log = 'acts' AND idx = 3",
            &["row_time, log `acts`, entry 3, table `entries`"],
        ),
        of(
            &format!(
                "UPDATE entries SET bytes = {} WHERE log = 'checks/one' AND idx = 1",
                word("\"permitted\":0", "\"permitted\":1")
            ),
            &["entry_altered, log `checks-one`, entry 1"],
        ),
        of(
            "UPDATE entries SET at_ms = at_ms - 1 WHERE log = 'checks/one' AND idx = 1",
            &["row_time, log `checks-one`, entry 1"],
        ),
        of(
            "DELETE FROM entries WHERE log = 'checks/one' AND idx = 2",
            &["truncated, log `checks-one`, entry 2"],
        ),
        of(
            "INSERT INTO entries (log, idx, at_ms, bytes) SELECT log, 99, at_ms, bytes FROM entries WHERE log = 'acts' AND idx = 3",
            &["stray, log `acts`, entry 99, table `entries`"],
        ),
        of(
            "INSERT INTO entries (log, idx, at_ms, bytes) SELECT 'checks/ghost', 0, at_ms, bytes FROM entries WHERE log = 'acts' AND idx = 3",
            &["stray, table `entries`", "checks/ghost"],
        ),
        of(
            &format!("UPDATE tiles SET data = {turned} WHERE log = 'acts'"),
            &["tile_altered, log `acts`, entry 0, file `acts/tile/0/000.p/5`, byte 0"],
        ),
        of(
            &format!("UPDATE tiles SET data = {longer} WHERE log = 'acts'"),
            &["stray, log `acts`, table `tiles`", "tile 0 of level 0"],
        ),
        of(
            "DELETE FROM tiles WHERE log = 'checks/one'",
            &["absent, log `checks-one`, file `checks-one/tile/0/000.p/3`"],
        ),
        of(
            "INSERT INTO tiles (log, level, idx, data) SELECT log, 1, 0, data FROM tiles WHERE log = 'acts'",
            &["stray, log `acts`, table `tiles`", "tile 0 of level 1"],
        ),
        of(
            "UPDATE checkpoints SET note = replace(note, '— kyodaku', '— kyodakv') WHERE log = 'acts' AND size = 4",
            &["unknown_key, log `acts`, file `acts/checkpoints/4`"],
        ),
        of(
            "UPDATE checkpoints SET note = (SELECT checkpoint FROM logs WHERE log = 'acts') WHERE log = 'acts' AND size = 4",
            &[
                "checkpoint_form, log `acts`, file `acts/checkpoints/4`",
                "root, log `acts`, table `checkpoints`",
            ],
        ),
        of(
            &format!("UPDATE checkpoints SET root = {} WHERE log = 'acts' AND size = 4", zeros(world, 32)),
            &["root, log `acts`, table `checkpoints`"],
        ),
        of(
            "DELETE FROM checkpoints WHERE log = 'acts' AND size = 5",
            &["absent, log `acts`, table `checkpoints`"],
        ),
        of(
            "UPDATE logs SET checkpoint = (SELECT note FROM checkpoints WHERE log = 'acts' AND size = 4) WHERE log = 'acts'",
            &["shrunk, log `acts`, file `acts/checkpoint`"],
        ),
        of(
            &format!("UPDATE logs SET root = {} WHERE log = 'checks/one'", zeros(world, 32)),
            &["head, log `checks-one`, table `logs`"],
        ),
        of(
            "DELETE FROM logs WHERE log = 'checks/one'",
            &["unknown_journal, log `acts`, entry 4", "stray, table `tiles`"],
        ),
        of(
            "UPDATE logs SET at_ms = at_ms + 1 WHERE log = 'acts'",
            &["signed_time, log `acts`, table `logs`", "the head of size 5"],
        ),
        of(
            "UPDATE checkpoints SET at_ms = at_ms - 1 WHERE log = 'acts' AND size = 4",
            &["signed_time, log `acts`, table `checkpoints`", "the checkpoint of size 4"],
        ),
        of("DELETE FROM receipt_keys", &["absent, table `receipt_keys`", "which the data folder holds"]),
        of("DELETE FROM token_keys", &["absent, table `token_keys`", "which the data folder holds"]),
        of("UPDATE receipt_keys SET kid = 'another'", &["unknown_key, table `receipt_keys`", "`another`"]),
        of("DELETE FROM log_keys WHERE log = 'acts'", &["unknown_key, log `acts`, table `log_keys`"]),
        of(
            "UPDATE log_keys SET verifier_key = 'nonsense' WHERE log = 'checks/one'",
            &["unknown_key, log `checks-one`, table `log_keys`"],
        ),
        of(
            "INSERT INTO log_key_ends (log, verifier_key, last_size, last_ms) SELECT log, verifier_key, 3, 0 FROM log_keys WHERE log = 'acts'",
            &["retired_key, log `acts`, file `acts/checkpoints/4`", "no act says so"],
        ),
        of(
            &format!(
                "INSERT INTO log_keys (log, verifier_key, first_size, first_ms) VALUES ('acts', '{another}', 3, 0); \
                 INSERT INTO log_key_ends (log, verifier_key, last_size, last_ms) VALUES ('acts', '{another}', 4, 0)"
            ),
            &["retired_key, log `acts`, table `log_key_ends`", "no act says so"],
        ),
        of(
            "UPDATE payloads SET body = replace(body, 'Test', 'Best')",
            &["payload_altered, log `acts`, entry 2, table `payloads`"],
        ),
        of("DELETE FROM payloads", &["payload_absent, log `acts`, entry 2, table `payloads`"]),
        of(
            "UPDATE payloads SET salt = NULL, body = NULL, erased_ms = 1",
            &["payload_absent, log `acts`, entry 2, table `payloads`", "no act says so"],
        ),
        of(
            "INSERT INTO payloads (idx, salt, body) SELECT 3, salt, body FROM payloads",
            &["payload_stray, log `acts`, entry 3, table `payloads`"],
        ),
        of(
            "INSERT INTO payloads (idx, salt, body) SELECT 99, salt, body FROM payloads",
            &["stray, log `acts`, entry 99, table `payloads`"],
        ),
        of(
            "UPDATE catalog_orgs SET name = 'Somebody Else'",
            &["derived, table `catalog_orgs`", "Somebody Else"],
        ),
        of("DELETE FROM catalog_history WHERE idx = 3", &["derived, table `catalog_history`"]),
        of(
            "INSERT INTO catalog_models (model, developer, state, registered_idx, registered_ms, updated_idx) VALUES ('mdl_x', 'org_x', 'registered', 1, 1, 1)",
            &["derived, table `catalog_models`"],
        ),
        of("UPDATE checks SET permitted = 1 WHERE idx = 0", &["derived, table `checks`"]),
        of("DELETE FROM checks WHERE idx = 2", &["derived, table `checks`"]),
        of(
            "INSERT INTO checks (check_id, log, idx, developer, at_ms, items, permitted) VALUES ('chk_x', 'checks/ghost', 9, 'org_x', 1, 1, 1)",
            &["derived, table `checks`"],
        ),
        of(
            "INSERT INTO checks (check_id, log, idx, developer, at_ms, items, permitted) VALUES ('chk_x', 'checks/one', 9, 'org_x', 1, 1, 1)",
            &["derived, log `checks-one`, entry 9, table `checks`"],
        ),
    ]
}

both!(every_damage_is_named, async |world: World| {
    for at in 0..damages(&world).len() {
        let world = World::new(world.engine).await;
        filled(&world).await.db().close().await;
        let (text, told) = damages(&world).swap_remove(at);
        damage(&world, &text).await;
        let said = fsck(&world, "one", &[]);
        assert_eq!(said.code, 65, "{text}: {}{}", said.out, said.err);
        for place in told {
            assert!(said.out.contains(place), "{text}: {place}: {}{}", said.out, said.err);
        }
    }
});

both!(what_the_database_can_not_read_is_named_too, async |world: World| {
    filled(&world).await.db().close().await;
    let half = match world.engine {
        Engine::Sqlite => "PRAGMA ignore_check_constraints = 1; UPDATE payloads SET salt = NULL",
        Engine::Postgres => {
            "ALTER TABLE payloads DROP CONSTRAINT payloads_check; UPDATE payloads SET salt = NULL"
        }
    };
    damage(&world, half).await;
    let said = fsck(&world, "one", &[]);
    assert_eq!(said.code, 65, "{}{}", said.out, said.err);
    assert!(said.out.contains("damaged: payload 2 is half erased"), "{}", said.out);
    if world.engine == Engine::Sqlite {
        // A page of the file, as a broken disk gives it.
        let mut db = SqliteConnection::connect(&world.url).await.unwrap();
        let page = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'entries'";
        let page = db.fetch_one(page).await.unwrap();
        let (number, size): (i64, i64) = (page.get(0), page.get(1));
        db.close().await.unwrap();
        let path = world.folder.path().join("registry.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = usize::try_from((number - 1) * size).unwrap();
        bytes[at..at + usize::try_from(size).unwrap()].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let said = fsck(&world, "one", &[]);
        assert_eq!(said.code, 65, "{}{}", said.out, said.err);
        assert!(said.out.contains("damaged: "), "{}", said.out);
    }
});

both!(an_act_that_the_rules_refuse_is_named_whoever_signed_it, async |world: World| {
    filled(&world).await.db().close().await;
    let db = world.db().await;
    let key = world.folder.path().join("data/act-log.key");
    let signer: CheckpointSigner = signer(&key, ORIGIN).unwrap();
    let verified = entries::read(&db, heads::ACTS, 3..4).await.unwrap().remove(0);
    let mut tx = db.begin().await.unwrap();
    let head = heads::lock(&mut tx, heads::ACTS).await.unwrap().unwrap();
    append(&mut tx, &head, &[verified.bytes], &signer, verified.at_ms).await.unwrap();
    tx.commit().await.unwrap();
    let said = fsck(&world, "one", &[]);
    assert_eq!(said.code, 65, "{}{}", said.out, said.err);
    assert!(said.out.contains("not_admitted, log `acts`, entry 5"), "{}", said.out);
    let hashes = fsck(&world, "one", &["--only-hashes"]);
    assert_eq!(hashes.code, 0, "{}{}", hashes.out, hashes.err);
});

both!(a_mark_that_the_database_does_not_reach_is_named, async |world: World| {
    filled(&world).await.db().close().await;
    for (node, file) in [("one", "high-water.one"), ("one", "high-water.other")] {
        let marks = world.folder.path().join("data").join(file);
        let before = std::fs::read(&marks).ok();
        let beyond = json!({ "logs": { "acts": { "size": 6, "root": "0".repeat(64) } } });
        std::fs::write(&marks, beyond.to_string()).unwrap();
        let said = fsck(&world, node, &[]);
        assert_eq!(said.code, 65, "{file}: {}{}", said.out, said.err);
        assert!(
            said.out.contains("high_water: log `acts` has 5 entries here, and 6 were published"),
            "{}",
            said.out
        );
        match before {
            Some(before) => std::fs::write(&marks, before).unwrap(),
            None => std::fs::remove_file(&marks).unwrap(),
        }
    }
    assert_eq!(fsck(&world, "one", &[]).code, 0);
});

both!(a_cosignature_is_verified_where_the_key_of_its_witness_is_set, async |world: World| {
    filled(&world).await.db().close().await;
    let db = world.db().await;
    let witness = Cosigner::from_seed("witness.example/w", &[7; 32]).unwrap();
    let set = format!("witnesses={} https://witness.example", witness.public());
    for (of, is_good) in [(5, true), (2, false)] {
        let note = tiles::checkpoint_at(&db, heads::ACTS, of).await.unwrap().unwrap().note;
        let line = witness.cosign(note.as_bytes(), 1_761_523_200).unwrap();
        let size = if is_good { of } else { 4 };
        let it = Cosignature {
            log: heads::ACTS.to_owned(),
            size,
            witness: witness.public().to_string(),
            line,
            at_s: 1_761_523_200,
        };
        let mut tx = db.begin().await.unwrap();
        cosignatures::put(&mut tx, &it).await.unwrap();
        tx.commit().await.unwrap();
        let said = fsck(&world, "one", &["--set", &set]);
        assert_eq!(said.code, if is_good { 0 } else { 65 }, "{of}: {}{}", said.out, said.err);
        assert_eq!(
            said.out.contains("cosignature, log `acts`, file `acts/checkpoints/4`"),
            !is_good,
            "{}",
            said.out
        );
    }
    assert_eq!(fsck(&world, "one", &[]).code, 0, "who is not named is not listened to");
});

async fn erased(stage: &Stage) -> u64 {
    let holder = stage.holder("Hoshikuzu Press").await;
    let made = stage.registered_work(&holder, &registration("星屑", &[&holder])).await;
    let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
    let entry = view["registered_entry"].as_u64().unwrap();
    assert_eq!(stage.both_persons(&format!("/v1/entries/{entry}/erasure"), &json!({})).await.status, 200);
    entry
}

both!(what_an_act_erased_is_erased_and_nothing_else, async |world: World| {
    let stage = world.stage().await;
    let entry = erased(&stage).await;
    let said = fsck(&world, "a", &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    damage(&world, &format!("UPDATE payloads SET erased_ms = erased_ms + 1 WHERE idx = {entry}")).await;
    let said = fsck(&world, "a", &[]);
    assert!(
        said.code == 65 && said.out.contains(&format!("payload_absent, log `acts`, entry {entry}")),
        "{}",
        said.out
    );
    let back = format!(
        "UPDATE payloads SET body = '{{}}', salt = {}, erased_ms = NULL WHERE idx = {entry}",
        zeros(&world, 32)
    );
    damage(&world, &back).await;
    for more in [&[][..], &["--only-hashes"]] {
        let said = fsck(&world, "a", more);
        assert_eq!(said.code, 65, "{}{}", said.out, said.err);
        for kind in ["not_erased", "payload_altered"] {
            assert!(said.out.contains(&format!("{kind}, log `acts`, entry {entry}")), "{kind}: {}", said.out);
        }
    }
});

both!(a_registry_that_is_written_to_all_the_time_holds, async |world: World| {
    let stage = world.stage().await;
    let world = &world;
    let (said, ()) = tokio::join!(
        async {
            let mut said = Vec::new();
            for more in [&[][..], &["--only-hashes"], &[]] {
                let (url, data) = (world.url.clone(), world.folder.path().join("data"));
                let more: Vec<String> = more.iter().map(|it| (*it).to_owned()).collect();
                let examined = tokio::task::spawn_blocking(move || {
                    let settings = ["fsck", "--database-url", &url, "--data-dir", data.to_str().unwrap()];
                    let settings = settings.into_iter().chain(["--origin", ORIGIN, "--node", "a"]);
                    run(settings.chain(more.iter().map(String::as_str)))
                });
                said.push(examined.await.unwrap());
            }
            said
        },
        async {
            for _ in 0..12 {
                erased(&stage).await;
                let developer = OrgId::new(world.clock.new_uuid());
                stage.registry.check(question(developer)).await.expect("an answer");
                stage.registry.seal_journal(0).await.expect("a seal");
            }
        }
    );
    for said in said {
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    }
    let said = fsck(world, "a", &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
});

#[test]
fn where_nothing_can_be_read_nothing_is_said_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let said = run(["fsck", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(said.code, 69, "{}{}", said.out, said.err);
    assert!(said.err.contains("there is no registry here"), "{}", said.err);
    assert!(!data.exists());
    assert_eq!(run(["fsck", "--findings", "0"]).code, 2);
}
