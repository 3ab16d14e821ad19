//! `kyodaku rebuild`: what is stored is what the log says, or the first row that is not is named.

use kyodaku::domain::act::{OrgRegistered, OrgVerified, Role};
use kyodaku::domain::ids::OrgId;
use kyodaku::domain::key::{Key, Sha256, SubjectKey};
use kyodaku::domain::payload::Payload;
use kyodaku::domain::question::Question;
use kyodaku::domain::uses::{Use, Uses};
use kyodaku::registry::checks::{Check, Context, Item};
use kyodaku::registry::{Body, Registry, Settings, Submission};
use kyodaku::store::Engine;
use smallvec::smallvec;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::{Said, run};
use crate::world::{World, both};

pub(super) const ORIGIN: &str = "kyodaku.example/log";

/// A registry with a registrar, two sealed checks and one check after the seal.
pub(super) async fn filled(world: &World) -> Registry {
    let settings = Settings {
        database_url: world.url.clone(),
        data_dir: world.folder.path().join("data"),
        origin: ORIGIN.to_owned(),
        node: "one".to_owned(),
        recheck_max_ms: 1_000,
        mail: kyodaku::registry::MailSettings::folder(&world.folder.path().join("data")),
        four_eyes: false,
        admitting: kyodaku::registry::sequencer::ADMITTING,
        keys: kyodaku::registry::keys::KeySettings::default(),
    };
    let registry = Registry::open(settings, world.clock.clone()).await.expect("a node opens");
    let party = registry.installation().expect("the log has begun");
    let org = OrgId::new(world.clock.new_uuid());
    let name = Payload::Org { name: "Registrar of the Test".to_owned() };
    let registered = OrgRegistered { org, roles: vec![Role::Registrar] };
    let verified = OrgVerified { org, evidence: None };
    let submission = Submission {
        accounts: Vec::new(),
        unchanged: None,
        party,
        acts: vec![(registered.into(), Some(name)), (verified.into(), None)],
        on_behalf_of: None,
        by: Vec::new(),
        once: None,
        body: Body::none(),
    };
    registry.submit(submission).await.expect("the installation may enter the first registrar");
    for round in 0..3 {
        registry.check(question(org)).await.expect("an answer");
        if round == 1 {
            let (size, recorded) = registry.seal_journal(0).await.expect("a seal");
            assert!(recorded.is_some() && size == 2, "{size} {recorded:?}");
            assert_eq!(registry.seal_journal(0).await.unwrap(), (2, None), "a size is sealed once");
            assert_eq!(registry.seal_journal(2).await.unwrap(), (2, None));
        }
    }
    registry
}

pub(super) fn question(developer: OrgId) -> Check {
    let uses = vec![Use::TrainGenerative];
    let question = Question {
        developer,
        model: None,
        uses: Uses::from_slice(&uses),
        territory: None,
        subject: smallvec![SubjectKey::Key(Key::sha256(Sha256::of(b"nothing")))],
        with_parts: false,
    };
    let item = Item { reference: None, question: Ok(question) };
    Check {
        asked_by: None,
        developer,
        context: Context { uses, model: None, territory: None, with_parts: false },
        items: vec![item],
    }
}

fn rebuild(world: &World, more: &[&str]) -> Said {
    let data = world.folder.path().join("data");
    let data = data.to_str().unwrap();
    let settings =
        ["rebuild", "--database-url", &world.url, "--data-dir", data, "--origin", ORIGIN, "--node", "one"];
    run(settings.iter().chain(more))
}

/// Does to the database what no function of the program does.
async fn tamper(world: &World, sqlite: &'static str, postgres: &'static str) {
    match world.engine {
        Engine::Sqlite => {
            let mut db = SqliteConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sqlite)).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        }
        Engine::Postgres => {
            let mut db = PgConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(postgres)).execute(&mut db).await.unwrap();
            db.close().await.unwrap();
        }
    }
}

both!(a_registry_as_it_was_written_has_nothing_to_tell, async |world: World| {
    let registry = filled(&world).await;
    // The server still runs: the command reads beside it.
    let said = rebuild(&world, &["--check"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("log `acts`: 5 entries"), "{}", said.out);
    assert!(said.out.contains("log `checks-one`: 3 entries"), "{}", said.out);
    assert!(said.out.contains("everything stored is what the log says"), "{}", said.out);
    assert!(!said.err.contains("not verified"), "{}", said.err);
    assert_eq!(rebuild(&world, &[]).code, 0);
    let left = std::fs::read_dir(world.folder.path().join("data")).unwrap();
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("rebuild-")));
    registry.check(question(OrgId::new(world.clock.new_uuid()))).await.expect("the server goes on");
});

both!(a_row_of_the_catalogue_that_differs_is_named_and_mended, async |world: World| {
    let registry = filled(&world).await;
    let change = "UPDATE catalog_orgs SET name = 'Somebody Else'; DELETE FROM catalog_history";
    tamper(&world, change, change).await;
    let said = rebuild(&world, &["--check"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("table `catalog_orgs`") && said.out.contains("Somebody Else"), "{}", said.out);
    assert!(
        said.out.contains("Registrar of the Test") && said.out.contains("nothing was changed"),
        "{}",
        said.out
    );
    assert_eq!(rebuild(&world, &["--check"]).code, 1, "an examination mends nothing");
    let mended = rebuild(&world, &[]);
    assert_eq!(mended.code, 0, "{}{}", mended.out, mended.err);
    assert!(mended.out.contains("written anew"), "{}", mended.out);
    assert_eq!(rebuild(&world, &["--check"]).code, 0);
    drop(registry);
});

both!(a_check_that_is_noted_otherwise_than_in_its_journal_is_named_and_mended, async |world: World| {
    drop(filled(&world).await);
    for change in [
        "UPDATE checks SET developer = 'org_00000000000000000000000000' WHERE idx = 1",
        "UPDATE checks SET permitted = 1 WHERE idx = 0",
        "DELETE FROM checks WHERE idx = 2",
        "UPDATE checks SET log = 'checks/ghost' WHERE idx = 1",
        "INSERT INTO checks (check_id, log, idx, developer, at_ms, items, permitted) VALUES ('chk_x', 'checks/ghost', 9, 'org_x', 1, 1, 1)",
    ] {
        tamper(&world, change, change).await;
        let said = rebuild(&world, &["--check"]);
        assert!(said.code == 1 && said.out.contains("table `checks`"), "{change}: {}{}", said.out, said.err);
        let mended = rebuild(&world, &[]);
        assert_eq!(mended.code, 0, "{}{}", mended.out, mended.err);
        assert_eq!(rebuild(&world, &["--check"]).code, 0, "{change}");
    }
});

both!(what_older_programs_did_not_note_is_filled_in_from_the_logs, async |world: World| {
    drop(filled(&world).await);
    let older = "DROP TABLE prepared_keys; DROP TABLE log_key_ends; DROP TABLE token_keys; DROP TABLE checks; DROP TABLE receipt_keys; ALTER TABLE security_events DROP COLUMN inquiry; DELETE FROM catalog_history WHERE subject LIKE '%/checks/%'; \
        DELETE FROM _sqlx_migrations WHERE version >= 14";
    tamper(&world, older, older).await;
    let said = rebuild(&world, &["--check"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
});

both!(whatever_is_rewritten_in_a_log_is_found_and_left_alone, async |world: World| {
    drop(filled(&world).await);
    let rewrite = [
        (
            "DROP TRIGGER payloads_only_erased; UPDATE payloads SET body = replace(body, 'Test', 'Best') WHERE body LIKE '%Test%'",
            "ALTER TABLE payloads DISABLE TRIGGER USER; UPDATE payloads SET body = replace(body, 'Test', 'Best') WHERE body LIKE '%Test%'",
            "UPDATE payloads SET body = replace(body, 'Best', 'Test') WHERE body LIKE '%Best%'",
            "payload_altered, log `acts`, entry 2",
        ),
        (
            "DROP TRIGGER tiles_only_grow; UPDATE tiles SET data = CAST(substr(data, 33) || substr(data, 1, 32) AS BLOB) WHERE log = 'acts'",
            "ALTER TABLE tiles DISABLE TRIGGER USER; UPDATE tiles SET data = substr(data, 33) || substr(data, 1, 32) WHERE log = 'acts'",
            "UPDATE tiles SET data = CAST(substr(data, length(data) - 31) || substr(data, 1, length(data) - 32) AS BLOB) WHERE log = 'acts'",
            "file `acts/tile/0/000.p/5`",
        ),
        (
            "DROP TRIGGER entries_stay_as_written; UPDATE entries SET at_ms = at_ms + 1 WHERE log = 'acts' AND idx = 3",
            "ALTER TABLE entries DISABLE TRIGGER USER; UPDATE entries SET at_ms = at_ms + 1 WHERE log = 'acts' AND idx = 3",
            "UPDATE entries SET at_ms = at_ms - 1 WHERE log = 'acts' AND idx = 3",
            "row_time, log `acts`, entry 3",
        ),
        (
            "DROP TRIGGER checkpoints_stay_as_written; UPDATE checkpoints SET note = replace(note, 'kyodaku', 'kyodakv') WHERE log = 'acts' AND size = 4",
            "ALTER TABLE checkpoints DISABLE TRIGGER USER; UPDATE checkpoints SET note = replace(note, 'kyodaku', 'kyodakv') WHERE log = 'acts' AND size = 4",
            "UPDATE checkpoints SET note = replace(note, 'kyodakv', 'kyodaku') WHERE log = 'acts' AND size = 4",
            "file `acts/checkpoints/4`",
        ),
        (
            "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"permitted\":0', '\"permitted\":1') AS BLOB) WHERE log = 'checks/one' AND idx = 1",
            "UPDATE entries SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), '\"permitted\":0', '\"permitted\":1'), 'UTF8') WHERE log = 'checks/one' AND idx = 1",
            "",
            "entry_altered, log `checks-one`, entry 1",
        ),
    ];
    for (sqlite, postgres, back, told) in rewrite {
        tamper(&world, sqlite, postgres).await;
        let said = rebuild(&world, &[]);
        assert_eq!(said.code, 1, "{told}: {}{}", said.out, said.err);
        assert!(said.out.contains(told) && said.out.contains("nothing was changed"), "{told}: {}", said.out);
        if !back.is_empty() {
            let plain: &'static str = match world.engine {
                Engine::Sqlite => back,
                Engine::Postgres => {
                    Box::leak(back.replace("CAST(", "").replace(" AS BLOB)", "").into_boxed_str())
                }
            };
            tamper(&world, plain, plain).await;
            let said = rebuild(&world, &["--check"]);
            assert_eq!(said.code, 0, "{told}, taken back: {}{}", said.out, said.err);
        }
    }
});

#[test]
fn where_there_is_no_registry_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let said = run(["rebuild", "--check", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.err.contains("there is no registry here"), "{}", said.err);
    assert!(!data.exists());
}
