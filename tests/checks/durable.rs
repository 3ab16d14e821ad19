//! What is answered is written down before, and what is written down proves what was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use data_encoding::BASE64;
use kyodaku::domain::decision::Verdict;
use kyodaku::domain::journal::{JournalEntry, matched_works};
use kyodaku::domain::key::SubjectKey;
use kyodaku::domain::question::Question;
use kyodaku::domain::uses::Use;
use kyodaku::log::digest::salted;
use kyodaku::log::merkle::Hash;
use kyodaku::log::proof::{ItemTree, verify_item};
use kyodaku::registry::Registry;
use kyodaku::registry::checks::{Check, Context, Item};
use kyodaku::store::{entries, heads};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use smallvec::smallvec;

use super::scene::{Scene, catalogue, training, url};
use crate::world::{World, both};

/// The journal, entry by entry.
async fn journal(registry: &Registry) -> Vec<JournalEntry> {
    let log = heads::checks_log(&registry.settings().node);
    let Some(head) = heads::read(registry.db(), &log).await.unwrap() else { return Vec::new() };
    let stored = entries::read(registry.db(), &log, 0..head.size()).await.unwrap();
    stored.iter().map(|entry| serde_json::from_slice(&entry.bytes).expect("an entry decodes")).collect()
}

#[derive(Deserialize)]
struct Told<'a> {
    items_root: String,
    journal: Place,
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Place {
    origin: String,
    entry: u64,
}

both!(the_items_root_is_made_of_the_bytes_of_the_answer, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[url("https://hoshikuzu.example/library/1"), catalogue("7")]).await;
    scene.grant(work).await;
    scene.check(json!([{ "url": "https://elsewhere.example/" }])).await;
    let items = json!([
        { "id": { "scheme": "catalogue", "value": "7" }, "reference": "一番 \"quoted\" \\ \u{2028}" },
        { "url": "nothing" },
        { "url": "https://hoshikuzu.example/library/1?x=\u{3042}" },
    ]);
    let answer = scene.ask(training(), items).await;
    let told: Told<'_> = serde_json::from_slice(&answer.body).unwrap();
    let entries = journal(&scene.stage.registry).await;
    let JournalEntry::Check { items, items_root, permitted, chunks, salt, developer, .. } =
        &entries[told.journal.entry as usize]
    else {
        panic!("a check")
    };
    assert_eq!(told.journal.origin, "kyodaku.example/log/checks/a");
    assert_eq!((*items, *permitted, *chunks, developer.to_string()), (3, 1, 1, scene.developer.org.clone()));
    let digests: Vec<Hash> = told.items.iter().map(|item| salted(&salt.0, item.get().as_bytes())).collect();
    let tree = ItemTree::new(&digests);
    assert_eq!(tree.head().root.0, items_root.0);
    assert_eq!(BASE64.encode(&items_root.0), told.items_root);
    verify_item(tree.head(), 1, digests[1], &tree.path(1).unwrap()).unwrap();
    assert!(verify_item(tree.head(), 1, digests[0], &tree.path(1).unwrap()).is_err());
    let JournalEntry::Matched { works, .. } = &entries[told.journal.entry as usize + 1] else {
        panic!("its works")
    };
    let works = matched_works(works).unwrap();
    assert_eq!(works.len(), 1);
    assert_eq!((works[0].work, works[0].permitted), (work, true));
    assert_eq!(works[0].uses, [Use::TrainGenerative]);
});

/// Makes every commit to a log fail, or work again.
async fn break_logs(world: &World, broken: bool) {
    let (from, to) = if broken { ("checkpoints", "gone") } else { ("gone", "checkpoints") };
    let text = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
    match world.engine {
        kyodaku::store::Engine::Sqlite => {
            use sqlx::Connection;
            let mut connection = sqlx::SqliteConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
        }
        kyodaku::store::Engine::Postgres => {
            use sqlx::Connection;
            let mut connection = sqlx::PgConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
        }
    }
}

both!(what_is_not_written_down_is_not_answered, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    scene.grant(work).await;
    let items = json!([{ "work": work.to_string() }]);
    let before = scene.check(items.clone()).await;
    assert_eq!(before["permitted"], 1);
    let written = journal(&scene.stage.registry).await.len();

    break_logs(&world, true).await;
    let answer = scene.ask(training(), items.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".to_owned()));
    assert!(answer.headers.contains_key("retry-after"));
    assert!(!String::from_utf8_lossy(&answer.body).contains("permitted"), "no answer");
    break_logs(&world, false).await;

    assert_eq!(journal(&scene.stage.registry).await.len(), written, "nothing half written");
    let after = scene.check(items).await;
    assert_eq!(after["journal"]["entry"], written, "the journal goes on without a gap");
});

fn training_check(scene: &Scene, work: kyodaku::domain::ids::WorkId) -> Check {
    let developer = scene.developer.org.parse().unwrap();
    let context =
        Context { uses: vec![Use::TrainGenerative], model: None, territory: None, with_parts: false };
    let question: Question = context.question(developer, smallvec![SubjectKey::work(work)]);
    Check {
        asked_by: None,
        developer,
        context,
        items: vec![Item { reference: None, question: Ok(question) }],
    }
}

both!(no_check_asked_after_a_revocation_permits_on_any_node, async |world: World| {
    let scene = Scene::open(&world).await;
    let other = Registry::open(world.settings("b"), world.clock.clone()).await.unwrap();
    let work = scene.work(&[catalogue("7")]).await;
    for round in 0..120 {
        let grant = scene.grant(work).await;
        // A node that never heard of the grant would pass what follows for nothing.
        for node in [&other, &scene.stage.registry] {
            let granted = node.check(training_check(&scene, work)).await.unwrap();
            assert_eq!(granted.items[0].verdict, Verdict::Permitted, "round {round}");
        }
        let revoked = Arc::new(AtomicBool::new(false));
        let asking: Vec<_> = [&other, &scene.stage.registry, &other]
            .into_iter()
            .map(|node| {
                let (node, revoked) = (node.clone(), Arc::clone(&revoked));
                let check = training_check(&scene, work);
                tokio::spawn(async move {
                    let mut after = 0;
                    while after < 2 {
                        let was_revoked = revoked.load(Ordering::SeqCst);
                        let answer = node.check(check.clone()).await.unwrap();
                        let verdict = answer.items[0].verdict;
                        assert!(!was_revoked || verdict == Verdict::NotPermitted, "round {round}");
                        after += usize::from(was_revoked);
                    }
                })
            })
            .collect();
        scene.revoke(grant).await;
        revoked.store(true, Ordering::SeqCst);
        for each in asking {
            each.await.unwrap();
        }
    }
    for node in [&scene.stage.registry, &other] {
        let mut left = 0;
        for entry in journal(node).await {
            match entry {
                JournalEntry::Check { chunks, .. } => {
                    assert_eq!(left, 0, "the works of a check follow it");
                    left = chunks;
                }
                JournalEntry::Matched { .. } => left -= 1,
            }
        }
        assert_eq!(left, 0);
    }
});
