//! What people read of an entry is erased, with every copy of it; and everything that was proved goes on being proved.

use std::time::Duration;

use data_encoding::HEXLOWER;
use kyodaku::domain::act::Act;
use kyodaku::domain::entry::Entry;
use kyodaku::domain::key::Sha256;
use kyodaku::log::digest::salted;
use kyodaku::registry::backup::{backup, restore};
use kyodaku::registry::{Registry, Settings};
use kyodaku::store::entries;
use kyodaku::store::payloads::{self, Payload};
use kyodaku::store::{Db, Engine, archive};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::cli::run;
use crate::cli::serve::{Server, ask, create_registrar, serve};
use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::client::Answer;
use crate::world::works::{Made, grant, id, registration};
use crate::world::{World, both};

/// Titles, a reading, a name and a note that stand nowhere else.
const TITLE: &str = "消えるべき題名";
const READING: &str = "キエルベキダイメイ";
const LONG: &str = "A very long title of something that somebody wants forgotten, in English";
const NOTE: &str = "the letter that Tanaka Hanako wrote";

fn titled(key: &str, titles: &Value, holder: &Actor) -> Value {
    let mut body = registration(key, &[holder]);
    body["titles"] = titles.clone();
    body
}

fn titles() -> Value {
    json!([{ "text": TITLE, "lang": "ja", "reading": READING }, { "text": LONG.repeat(6), "lang": "en" }])
}

fn erasure(entry: u64) -> String {
    format!("/v1/entries/{entry}/erasure")
}

async fn erase(stage: &Stage, entry: u64) -> Answer {
    stage.both_persons(&erasure(entry), &json!({})).await
}

async fn registered_entry(who: &Actor, made: &Made) -> u64 {
    let view: Value = who.get(&format!("/v1/works/{}", made.work)).await.json();
    view["registered_entry"].as_u64().unwrap()
}

/// Where these bytes stand in the database, or in any file of it.
async fn places(world: &World, bytes: &[u8]) -> Vec<String> {
    let mut places = Vec::new();
    match world.engine {
        Engine::Sqlite => {
            for file in std::fs::read_dir(world.folder.path()).unwrap() {
                let file = file.unwrap().path();
                if file.is_file() && std::fs::read(&file).unwrap().windows(bytes.len()).any(|it| it == bytes)
                {
                    places.push(file.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        Engine::Postgres => {
            let mut db = PgConnection::connect(&world.url).await.unwrap();
            for table in archive::TABLES {
                let table = table.name;
                let mut found = false;
                for needle in [String::from_utf8(bytes.to_vec()).ok(), Some(HEXLOWER.encode(bytes))] {
                    let Some(needle) = needle else { continue };
                    let text = format!("SELECT COUNT(*) FROM {table} AS t WHERE position($1 in t::text) > 0");
                    let count: i64 = sqlx::query_scalar(AssertSqlSafe(text))
                        .bind(needle)
                        .fetch_one(&mut db)
                        .await
                        .unwrap();
                    found |= count > 0;
                }
                if found {
                    places.push(table.to_owned());
                }
            }
        }
    }
    places
}

/// Until nothing is left of it in the write-ahead log, which has been emptied by itself unless somebody was just reading.
async fn settled(world: &World, stage: &Stage) {
    if world.engine == Engine::Sqlite {
        while !stage.registry.db().empty_wal().await.unwrap() {
            tokio::task::yield_now().await;
        }
    }
}

async fn salt(world: &World, entry: u64) -> Vec<u8> {
    let db: Db = world.db().await;
    let found = payloads::read(&db, entry..entry + 1).await.unwrap();
    match found.into_iter().next() {
        Some((_, Payload::Kept { salt, .. })) => salt,
        other => panic!("{other:?}"),
    }
}

fn rebuild(world: &World) -> i32 {
    let data = world.folder.path().join("data");
    let arguments =
        ["rebuild", "--check", "--database-url", &world.url, "--data-dir", data.to_str().unwrap()];
    let said = run(arguments.into_iter().chain(["--origin", "kyodaku.example/log", "--node", "a"]));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    said.code
}

async fn check(developer: &Actor, work: &str) -> Value {
    let context = json!({ "uses": ["train.finetune"], "with_parts": false });
    let asked = json!({ "context": context, "items": [{ "work": work }] });
    let answer = developer.post("/v1/checks", &asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

both!(what_is_erased_is_shown_no_more_and_stands_in_no_table_and_no_file, async |world: World| {
    let stage = world.stage().await;
    let (holder, reader) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let made = stage.registered_work(&holder, &titled("one", &titles(), &holder)).await;
    let entry = registered_entry(&reader, &made).await;
    let salt = salt(&world, entry).await;
    let erased: [&[u8]; 4] = [TITLE.as_bytes(), READING.as_bytes(), LONG.as_bytes(), &salt];
    for bytes in erased {
        assert!(!places(&world, bytes).await.is_empty(), "{bytes:?}");
    }
    let path = format!("/v1/works/{}", made.work);
    let before = reader.get(&path).await;
    let answer = erase(&stage, entry).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json::<Value>()["entry"], entry);

    let after = reader.get(&path).await;
    let view: Value = after.json();
    assert_eq!((&view["titles"], &view["state"]), (&json!([]), &json!("registered")), "{view}");
    assert_ne!(before.headers["etag"], after.headers["etag"], "what was read before is not what stands now");
    for title in [TITLE, LONG] {
        let found: Value = reader.get(&format!("/v1/works?title={}", encoded(title))).await.json();
        assert_eq!(found["items"], json!([]), "{found}");
    }
    let own: Value = holder.get("/v1/works").await.json();
    assert_eq!((&own["items"][0]["work"], &own["items"][0]["title"]), (&json!(made.work), &Value::Null));
    settled(&world, &stage).await;
    for bytes in erased {
        assert_eq!(places(&world, bytes).await, [""; 0], "{}", String::from_utf8_lossy(bytes));
    }
    rebuild(&world);
});

both!(
    a_work_whose_titles_are_erased_stays_and_matches_and_what_was_proved_is_proved,
    async |world: World| {
        let stage = world.stage().await;
        let (holder, developer) =
            (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
        let made = stage.confirmed(&holder, &titled("one", &titles(), &holder)).await;
        id(&holder.post("/v1/grants", &grant(&made.work)).await, "grant");
        let entry = registered_entry(&developer, &made).await;
        let before = check(&developer, &made.work).await;
        assert_eq!(before["items"][0]["verdict"], "permitted", "{before}");
        let size = stage.log_size().await;
        let proof = format!("/logs/acts/proofs/inclusion?index={entry}&size={size}");
        let (proved, stored) =
            (stage.nobody.get(&proof).await, holder.get(&format!("/v1/entries/{entry}")).await);

        assert_eq!(erase(&stage, entry).await.status, 200);
        assert_eq!(stage.log_size().await, size + 1, "it is an act");
        assert_eq!(stage.nobody.get(&proof).await.body, proved.body);
        assert_eq!(holder.get(&format!("/v1/entries/{entry}")).await.body, stored.body);
        let after = check(&developer, &made.work).await;
        assert_eq!(after["items"], before["items"]);
        let receipt = format!("/v1/checks/{}/receipt", before["check"].as_str().unwrap());
        assert_eq!(developer.get(&receipt).await.status, 200);
        rebuild(&world);

        // The holder describes it anew, and then that is erased too; what was said before does not come back.
        let amended = json!({ "kind": "comic", "titles": [{ "text": "新しい題名", "lang": "ja" }] });
        let path = format!("/v1/works/{}", made.work);
        let answer = holder.send("PATCH", &path, &amended, &[("if-match", "*")]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let amendment = answer.json::<Value>()["recorded"]["first_entry"].as_u64().unwrap();
        let view: Value = developer.get(&path).await.json();
        assert_eq!(view["titles"][0]["text"], "新しい題名");
        rebuild(&world);
        assert_eq!(erase(&stage, amendment).await.status, 200);
        let view: Value = developer.get(&path).await.json();
        assert_eq!(view["titles"], json!([]));
        rebuild(&world);
    }
);

both!(an_earlier_description_is_erased_without_touching_the_one_that_stands, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let made = stage.registered_work(&holder, &titled("one", &titles(), &holder)).await;
    // A part that is registered later has a line in the history of the whole, and describes another work.
    let mut part = titled("part", &json!([{ "text": "部分", "lang": "ja" }]), &holder);
    part["part_of"] = json!([made.work]);
    let part = stage.registered_work(&holder, &part).await;
    let path = format!("/v1/works/{}", made.work);
    let amended = json!({ "kind": "comic", "titles": [{ "text": "新しい題名", "lang": "ja" }] });
    assert_eq!(holder.send("PATCH", &path, &amended, &[("if-match", "*")]).await.status, 200);
    let first = registered_entry(&holder, &made).await;
    assert_eq!(erase(&stage, first).await.status, 200);
    let of_part = registered_entry(&holder, &part).await;
    assert_eq!(erase(&stage, of_part).await.status, 200);
    let view: Value = holder.get(&path).await.json();
    assert_eq!(view["titles"][0]["text"], "新しい題名");
    assert_eq!(
        (&view["parts"][0]["work"]["work"], &view["parts"][0]["work"]["title"]),
        (&json!(part.work), &Value::Null)
    );
    settled(&world, &stage).await;
    for text in [TITLE, READING, LONG, "部分"] {
        assert_eq!(places(&world, text.as_bytes()).await, [""; 0], "{text}");
    }
    rebuild(&world);
});

both!(names_are_erased_and_words_say_so_in_both_languages, async |world: World| {
    let stage = world.stage().await;
    let (holder, reader) = (stage.holder("消える出版社").await, stage.developer("Kasane Labs").await);
    let model = reader.model("忘れられる模型").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let told: Value = holder.get(&format!("/v1/organizations/{}", holder.org)).await.json();
    assert_eq!(told["name"], "消える出版社");
    let entries: Value = holder.get("/v1/entries?limit=1").await.json();
    let entered = entries["items"][0]["index"].as_u64().unwrap();
    let entered = if entries["items"][0]["entry"].as_str().unwrap().contains("org.registered") {
        entered
    } else {
        told["entry"].as_u64().unwrap() - 2
    };
    let of_model: Value = reader.get(&format!("/v1/models/{model}")).await.json();
    for entry in [entered, of_model["entry"].as_u64().unwrap()] {
        let answer = erase(&stage, entry).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for path in [format!("/v1/organizations/{}", holder.org), format!("/v1/models/{model}")] {
        let after = reader.get(&path).await;
        assert_eq!(after.json::<Value>()["name"], Value::Null);
        assert!(after.headers.contains_key("etag"));
    }
    let state = stage.state_of(&reader, &work, "search").await;
    let (ja, en) = (state["words"]["ja"].as_str().unwrap(), state["words"]["en"].as_str().unwrap());
    assert!(ja.contains(&format!("{}（名称は消去されました）", holder.org)), "{ja}");
    assert!(en.contains(&format!("Ask {} (its name was erased)", holder.org)), "{en}");
    let made: Value = reader.get(&format!("/v1/works/{work}")).await.json();
    assert_eq!(erase(&stage, made["registered_entry"].as_u64().unwrap()).await.status, 200);
    let added = json!({ "kind": "comic", "titles": [{ "text": "月", "lang": "ja" }] });
    let state = stage.state_of(&reader, &work, "search").await;
    let (ja, en) = (state["words"]["ja"].as_str().unwrap(), state["words"]["en"].as_str().unwrap());
    assert!(ja.contains(&format!("「{work}（題名は消去されました）」")), "{ja}");
    assert!(en.contains(&format!("“{work} (its title was erased)”")), "{en}");
    // One that is given a title again is called by it.
    let path = format!("/v1/works/{work}");
    assert_eq!(holder.send("PATCH", &path, &added, &[("if-match", "*")]).await.status, 200);
    let state = stage.state_of(&reader, &work, "search").await;
    assert!(state["words"]["ja"].as_str().unwrap().contains("「月」"), "{state}");
    settled(&world, &stage).await;
    for text in ["消える出版社", "忘れられる模型"] {
        assert_eq!(places(&world, text.as_bytes()).await, [""; 0], "{text}");
    }
    rebuild(&world);
});

/// The digest of evidence in words is of the text and the salt that lies beside it.
async fn the_act_holds_a_salted_digest(world: &World, entry: u64) {
    let db = world.db().await;
    let stored = entries::read(&db, "acts", entry..entry + 1).await.unwrap().remove(0);
    let Act::AssertionsConfirmed(act) = serde_json::from_slice::<Entry>(&stored.bytes).unwrap().act else {
        panic!("{stored:?}");
    };
    let (_, kept) = payloads::read(&db, entry..entry + 1).await.unwrap().remove(0);
    let Payload::Kept { body, .. } = kept else { panic!("{kept:?}") };
    let typed: kyodaku::domain::payload::Payload = serde_json::from_str(&body).unwrap();
    let kyodaku::domain::payload::Payload::Evidence { salt, text } = typed else { panic!("{typed:?}") };
    assert_eq!((text.as_str(), act.evidence.0), (NOTE, salted(&salt.0, NOTE.as_bytes()).0));
}

both!(a_note_is_erased_from_the_proposal_that_brought_it_too, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let made = stage.registered_work(&holder, &registration("one", &[&holder])).await;
    let evidence = json!({ "text": NOTE });
    let body = json!({ "holdings": made.holdings, "bindings": [], "evidence": evidence });
    let key = fresh_key();
    let proposed = stage.registrar.post_once("/v1/assertions/confirm", &body, &key).await;
    let path = format!("/v1/proposals/{}", id(&proposed, "proposal"));
    let approved = stage.second.post(&format!("{path}/approve"), &json!({})).await;
    let entry = approved.json::<Value>()["recorded"]["first_entry"].as_u64().unwrap();
    assert!(!places(&world, NOTE.as_bytes()).await.is_empty());
    let plain = Sha256::of(NOTE.as_bytes()).to_string();
    assert_eq!(places(&world, plain.as_bytes()).await, [""; 0], "whoever guesses the text finds its digest");
    the_act_holds_a_salted_digest(&world, entry).await;
    assert_eq!(erase(&stage, entry).await.status, 200);
    let shown: Value = stage.second.get(&path).await.json();
    let act = &shown["command"]["acts"][0];
    assert_eq!(
        (&act["payload"], &act["erased"], &shown["state"]),
        (&Value::Null, &json!(true), &json!("approved"))
    );
    // The answer stays; that the request was the same can't be known any more, and so it is not answered again.
    let again = stage.second.post(&format!("{path}/approve"), &json!({})).await;
    assert_eq!(again.body, approved.body);
    let repeated = stage.registrar.post_once("/v1/assertions/confirm", &body, &key).await;
    assert_eq!(repeated.problem(), "idempotency_key_reused", "{repeated:?}");
    settled(&world, &stage).await;
    assert_eq!(places(&world, NOTE.as_bytes()).await, [""; 0]);
    rebuild(&world);
});

both!(an_erasure_is_the_registrars_by_two_people_and_once, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let made = stage.registered_work(&holder, &titled("one", &titles(), &holder)).await;
    let entry = registered_entry(&holder, &made).await;
    for who in [&holder, &stage.auditor().await] {
        assert_eq!(who.post(&erasure(entry), &json!({})).await.status, 403);
    }
    let size = stage.log_size().await;
    assert_eq!(stage.registrar.post(&erasure(size), &json!({})).await.problem(), "not_found");
    let why = json!({ "note": "they asked us to" });
    assert_eq!(stage.registrar.post(&erasure(entry), &why).await.problem(), "invalid_body");
    // Entry 0 opens the log, and nobody has ever said anything with it.
    let nothing = stage.registrar.post(&erasure(0), &json!({})).await;
    assert_eq!(
        (nothing.problem(), &nothing.json::<Value>()["errors"][0]["code"]),
        ("refused".to_owned(), &json!("no_payload"))
    );

    let proposed = stage.registrar.post(&erasure(entry), &json!({})).await;
    assert_eq!(proposed.status, 202, "{proposed:?}");
    let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
    assert_eq!(view["titles"][0]["text"], TITLE, "a proposal erases nothing");
    let (approve, key) = (format!("/v1/proposals/{}/approve", id(&proposed, "proposal")), fresh_key());
    let other = stage.registrar.post_once(&erasure(entry), &json!({}), &key).await;
    assert_eq!(stage.second.post(&approve, &json!({})).await.status, 200);
    assert_eq!(stage.second.post(&approve, &json!({})).await.status, 200, "the same answer again");
    let late = format!("/v1/proposals/{}/approve", id(&other, "proposal"));
    for again in
        [stage.registrar.post(&erasure(entry), &json!({})).await, stage.second.post(&late, &json!({})).await]
    {
        let told: Value = again.json();
        assert_eq!(
            (again.problem(), &told["errors"][0]["code"]),
            ("refused".to_owned(), &json!("already")),
            "{told}"
        );
        assert!(told["errors"][0]["detail"].as_str().unwrap().contains("was erased at 2025-10-27"), "{told}");
    }
    assert_eq!(stage.log_size().await, size + 1);
    let seen: Value =
        stage.auditor().await.get(&format!("/v1/log?work={}&type=payload.erased", made.work)).await.json();
    let seen = &seen["items"][0];
    assert_eq!(seen["index"], size, "the history of the work tells it: {seen}");
    assert!(!seen["entry"].as_str().unwrap().contains("\"payload\":"), "no reason is kept: {seen}");
});

/// A copy of the database as a process that is killed now leaves it.
fn as_if_killed(world: &World, to: &std::path::Path) {
    std::fs::create_dir(to).unwrap();
    for name in ["registry.db", "registry.db-wal"] {
        std::fs::copy(world.folder.path().join(name), to.join(name)).unwrap();
    }
}

#[test]
fn what_is_erased_is_in_no_file_when_it_is_answered_and_after_a_crash_when_the_next_start_is_done() {
    crate::world::run(Engine::Sqlite, async |world: World| {
        let stage = world.stage().await;
        let holder = stage.holder("Hoshikuzu Press").await;
        // Somebody reads as of now: nothing that is written from here on leaves the write-ahead log.
        let mut reader = sqlx::SqliteConnection::connect(&world.url).await.unwrap();
        sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
        sqlx::query("SELECT * FROM logs").fetch_all(&mut reader).await.unwrap();
        let made = stage.registered_work(&holder, &titled("one", &titles(), &holder)).await;
        let entry = registered_entry(&holder, &made).await;
        let proposed = stage.registrar.post(&erasure(entry), &json!({})).await;
        let approve = format!("/v1/proposals/{}/approve", id(&proposed, "proposal"));
        let (size, second) = (stage.log_size().await, stage.second.clone());
        let begun = kyodaku::clock::stopwatch();
        let erasing = tokio::spawn(async move { second.post(&approve, &json!({})).await });
        while stage.log_size().await == size {
            tokio::task::yield_now().await;
        }
        let killed = world.folder.path().join("killed");
        as_if_killed(&world, &killed);
        let stands = |file: &std::path::Path| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes.windows(TITLE.len()).any(|it| it == TITLE.as_bytes())
        };
        assert!(stands(&killed.join("registry.db-wal")), "it was only written over in a later page");
        for _ in 0..50 {
            stage.log_size().await;
        }
        // For so long whoever erases is kept waiting, on a machine that is not slower than that.
        let is_kept_waiting = begun.elapsed() > Duration::from_secs(5) || !erasing.is_finished();
        assert!(is_kept_waiting, "it is answered while its text stands in a file");
        reader.close().await.unwrap();
        assert_eq!(erasing.await.unwrap().status, 200);
        assert_eq!(places(&world, TITLE.as_bytes()).await, [""; 0]);

        let settings = Settings {
            database_url: format!("sqlite:{}", killed.join("registry.db").display()),
            ..world.settings("a")
        };
        let again = Registry::open(settings, world.clock.clone()).await.expect("it opens");
        assert!(!stands(&killed.join("registry.db-wal")) && !stands(&killed.join("registry.db")));
        assert_eq!(again.head().await.unwrap().0.size(), size + 1);
    });
}

both!(a_backup_made_after_an_erasure_brings_nothing_back, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let made = stage.registered_work(&holder, &titled("one", &titles(), &holder)).await;
    assert_eq!(erase(&stage, registered_entry(&holder, &made).await).await.status, 200);
    let (to, back) = (world.folder.path().join("backup"), World::new(world.engine).await);
    backup(&world.settings("a"), &world.clock, &to, true).await.unwrap();
    for file in std::fs::read_dir(&to).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(TITLE.len()).any(|it| it == TITLE.as_bytes()));
    }
    restore(&back.settings("a"), &world.clock, &to, &|_, _| {}).await.unwrap();
    rebuild(&back);
});

both!(the_command_proposes_and_a_second_person_approves, async |world: World| {
    let server = Server::start(&mut serve(&world));
    let keys = ["first", "second"]
        .map(|person| create_registrar(&world, person)["key"].as_str().unwrap().to_owned());
    // The name of the registrar itself, which the first of these entries bears.
    let proposed = ask(&server, &keys[0], &["admin", "erase", "2"]);
    assert_eq!(proposed.code, 0, "{}{}", proposed.out, proposed.err);
    assert!(proposed.err.contains("nothing is erased yet"), "{}", proposed.err);
    let approved = ask(&server, &keys[1], &["admin", "approve", proposed.out.trim()]);
    assert_eq!(approved.code, 0, "{}{}", approved.out, approved.err);
    let again = ask(&server, &keys[0], &["admin", "erase", "2"]);
    assert!(again.code == 1 && again.err.contains("was erased at"), "{} {}", again.code, again.err);
    let nothing = ask(&server, &keys[0], &["admin", "erase", "0"]);
    assert!(
        nothing.code == 1 && nothing.err.contains("nothing to erase"),
        "{} {}",
        nothing.code,
        nothing.err
    );
    assert_eq!(places(&world, "Office".as_bytes()).await, [""; 0]);
});
