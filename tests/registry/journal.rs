//! The check journal: durable before an answer leaves, gapless, and binding what was answered.

use kyodaku::domain::act::Act;
use kyodaku::domain::decision::{ReasonCode, Verdict};
use kyodaku::domain::journal::JournalEntry;
use kyodaku::domain::key::Key;
use kyodaku::domain::scope::Until;
use kyodaku::log::checkpoint::{Checkpoint, VerifierKey};
use kyodaku::log::merkle::TreeHead;
use kyodaku::registry::checks::{CheckError, Item, MAX_ITEMS};
use kyodaku::registry::journal::{QUEUE, WINDOW};
use kyodaku::store::{Db, Engine, append, entries, heads};

use tokio::task::JoinSet;

use super::scene::{Scene, node};
use crate::world::beside::number;
use crate::world::{World, both};

both!(every_item_is_answered_in_order_and_written_down, async |world: World| {
    let scene = Scene::open(&world).await;
    let (granted, asked) = (scene.work("granted").await, scene.work("asked").await);
    scene.grant(granted.work).await;
    let unknown = Key::identifier("catalogue", "unknown").unwrap();
    let mut check = scene.check_of(&[&granted.key, &asked.key, &unknown, &granted.key]);
    check.items.push(Item { reference: Some("broken".into()), question: Err("not a URL".into()) });
    let answer = scene.registry.check(check).await.unwrap();

    let verdicts: Vec<_> = answer.items.iter().map(|item| item.verdict).collect();
    let no = Verdict::NotPermitted;
    assert_eq!(verdicts, [Verdict::Permitted, no, no, Verdict::Permitted, no]);
    let json = format!("[{}]", std::str::from_utf8(&answer.json).unwrap());
    let items: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    let references: Vec<_> = items.iter().map(|item| item["reference"].as_str().unwrap()).collect();
    assert_eq!(references, ["item 0", "item 1", "item 2", "item 3", "broken"]);
    for (item, value) in answer.items.iter().zip(&items) {
        assert_eq!(&serde_json::from_slice::<serde_json::Value>(answer.json_of(item)).unwrap(), value);
    }
    let code_of = |at: usize| answer.why(&answer.items[at]).first().map(|reason| reason.code);
    let codes = [None, Some(ReasonCode::NoGrant), Some(ReasonCode::NotRegistered), None, None];
    assert_eq!([0, 1, 2, 3, 4].map(code_of), codes);
    assert_eq!(answer.codes.reasons, [(ReasonCode::NotRegistered, None), (ReasonCode::NoGrant, None)]);
    assert_eq!(answer.why(&answer.items[4]).error.as_deref(), Some("not a URL"));

    let log = heads::checks_log("one");
    let head = heads::read(scene.registry.db(), &log).await.unwrap().unwrap();
    let stored = entries::read(scene.registry.db(), &log, 0..head.size()).await.unwrap();
    let entry: JournalEntry = serde_json::from_slice(&stored[answer.journal.1 as usize].bytes).unwrap();
    let JournalEntry::Check { check, items, permitted, log_size, items_root, chunks, .. } = entry else {
        panic!("the entry of a check")
    };
    assert_eq!((check, items, permitted, chunks), (answer.check, 5, 2, 1));
    assert_eq!(log_size, answer.log.size);
    assert_eq!(items_root.0, answer.items_root.0);
});

both!(a_window_is_signed_under_the_journals_own_origin, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let answer = scene.check(&[&work.key]).await;
    let head = heads::read(scene.registry.db(), &heads::checks_log("one")).await.unwrap().unwrap();
    assert_eq!(head.origin, answer.journal.0);
    let note = Checkpoint::parse_and_verify(head.checkpoint.as_bytes(), &journal_key(&scene)).unwrap();
    assert_eq!(note.head(), head.tree());
});

fn journal_key(scene: &Scene) -> VerifierKey {
    let settings = scene.registry.settings();
    let origin = format!("{}/checks/{}", settings.origin, settings.node);
    kyodaku::registry::keys::signer(&settings.data_dir.join("journal.key"), &origin)
        .unwrap()
        .verifier_key()
        .clone()
}

both!(what_can_not_be_written_down_is_not_answered, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    scene.grant(work.work).await;
    assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::Permitted);
    scene.registry.db().close().await;
    let refused = scene.registry.check(scene.check_of(&[&work.key])).await;
    assert!(matches!(refused, Err(CheckError::Unavailable(_))), "{refused:?}");
    assert!(scene.registry.read(|seen| seen.size).await.is_err(), "no head, no answer");
});

both!(a_check_has_a_size, async |world: World| {
    let scene = Scene::open(&world).await;
    let key = Key::identifier("catalogue", "any").unwrap();
    assert!(matches!(scene.registry.check(scene.check_of(&[])).await, Err(CheckError::Size)));
    let many = vec![&key; MAX_ITEMS + 1];
    assert!(matches!(scene.registry.check(scene.check_of(&many)).await, Err(CheckError::Size)));
    let most = scene.check(&vec![&key; MAX_ITEMS]).await;
    assert_eq!(most.items.len(), MAX_ITEMS);
});

both!(more_checks_than_may_wait_are_told_to_come_again, async |world: World| {
    let scene = Scene::open(&world).await;
    let unknown = Key::identifier("catalogue", "unknown").unwrap();
    scene.check(&[&unknown]).await;
    // Somebody has the journal.
    let mut tx = scene.registry.db().begin().await.unwrap();
    heads::lock(&mut tx, &heads::checks_log("one")).await.unwrap().unwrap();
    let mut checks = JoinSet::new();
    for number in 0..QUEUE + WINDOW + 50 {
        let items = if number % 100 == 0 { 40 } else { 1 };
        let (registry, check) = (scene.registry.clone(), scene.check_of(&vec![&unknown; items]));
        checks.spawn(async move { registry.check(check).await });
    }
    for _ in 0..50 {
        let told = checks.join_next().await.unwrap().unwrap();
        assert!(matches!(told, Err(CheckError::Busy)), "{told:?}");
    }
    drop(tx);
    let (mut answered, mut busy) = (0, 0);
    while let Some(told) = checks.join_next().await {
        match told.unwrap() {
            Ok(_) => answered += 1,
            Err(CheckError::Busy) => busy += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(answered >= QUEUE && busy <= WINDOW, "{answered} were answered, and {busy} more refused");
    scene.check(&[&unknown]).await;
});

/// How often a log was signed.
async fn signed(db: &Db, log: &str) -> i64 {
    number(db, sqlx::AssertSqlSafe(format!("SELECT count(*) FROM checkpoints WHERE log = '{log}'"))).await
}

#[test]
fn what_comes_while_somebody_writes_is_answered_in_one_window() {
    crate::world::run(Engine::Sqlite, async |world: World| {
        let scene = Scene::open(&world).await;
        let work = scene.work("one").await;
        scene.check(&[&work.key]).await;
        let db = scene.registry.db();
        let before = signed(db, "checks/one").await;
        let tx = db.begin().await.unwrap();
        let mut checks = JoinSet::new();
        for _ in 0..5 {
            let (registry, check) = (scene.registry.clone(), scene.check_of(&[&work.key]));
            checks.spawn(async move { registry.check(check).await });
            // The first one is long on its way when the next one comes.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        tx.rollback().await.unwrap();
        assert!(checks.join_all().await.into_iter().all(|told| told.is_ok()));
        assert_eq!(signed(db, "checks/one").await, before + 1);
    });
}

both!(acts_that_come_while_somebody_has_the_log_are_recorded_at_once, async |world: World| {
    let scene = Scene::open(&world).await;
    let mut works = Vec::new();
    for name in ["one", "two", "three", "four"] {
        works.push(scene.work(name).await.work);
    }
    let db = scene.registry.db();
    let before = signed(db, heads::ACTS).await;
    let mut tx = db.begin().await.unwrap();
    heads::lock(&mut tx, heads::ACTS).await.unwrap().unwrap();
    let granted = works.iter().enumerate().map(async |(number, work)| {
        tokio::time::sleep(std::time::Duration::from_millis(20 * number as u64)).await;
        scene.as_holder(scene.grant_of(*work).1).await.unwrap()
    });
    let freed = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        tx.rollback().await.unwrap();
    };
    tokio::join!(futures_util::future::join_all(granted), freed);
    assert_eq!(signed(db, heads::ACTS).await, before + 1);
});

#[test]
fn what_was_decided_before_its_window_is_decided_again_once_time_has_changed_it() {
    crate::world::run(Engine::Postgres, async |world: World| {
        let scene = Scene::open(&world).await;
        let work = scene.work("one").await;
        let last_ms = scene.clock.now_ms() + 60_000;
        let (_, mut grant) = scene.grant_of(work.work);
        let Act::GrantRecorded(recorded) = &mut grant else { panic!("a grant") };
        recorded.until = Until::At(last_ms);
        scene.as_holder(grant).await.unwrap();
        let keys = vec![&work.key; 40];
        assert_eq!(scene.check(&keys).await.permitted, 40);
        // Somebody has the journal until the term is over.
        let db = scene.registry.db();
        let mut tx = db.begin().await.unwrap();
        heads::lock(&mut tx, &heads::checks_log("one")).await.unwrap().unwrap();
        let (registry, check) = (scene.registry.clone(), scene.check_of(&keys));
        let waiting = tokio::spawn(async move { registry.check(check).await });
        until_one_waits(db).await;
        scene.clock.set(last_ms);
        tx.commit().await.unwrap();
        let answer = waiting.await.unwrap().unwrap();
        assert_eq!((answer.moment_ms, answer.permitted), (last_ms, 0));
        assert_eq!(answer.why(&answer.items[0]).first().unwrap().code, ReasonCode::Expired);
    });
}

/// What the journal of a process of the same name, that has it now, would hold next: a check that was answered from so much.
fn answered_from(last: &[u8], acts: TreeHead) -> Vec<u8> {
    let mut entry: serde_json::Value = serde_json::from_slice(last).unwrap();
    entry["log_size"] = acts.size.into();
    entry["log_root"] = acts.root.to_string().into();
    serde_json::to_vec(&entry).unwrap()
}

/// Until somebody waits for a lock of this database.
async fn until_one_waits(db: &Db) {
    let text = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let Db::Postgres(lender) = db else { panic!("only there are rows locked") };
    let mut lent = lender.lend().await.unwrap();
    while sqlx::query_scalar::<_, i64>(text).fetch_one(&mut lent).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[test]
fn a_process_that_waits_for_another_of_its_name_answers_from_no_less() {
    crate::world::run(Engine::Postgres, async |world: World| {
        let scene = Scene::open(&world).await;
        let work = scene.work("one").await;
        let twin = node(&world, "one").await;
        let unknown = Key::identifier("catalogue", "unknown").unwrap();
        let first = twin.check(scene.check_of(&[&unknown])).await.unwrap();
        let (db, log) = (scene.registry.db(), heads::checks_log("one"));
        let last = entries::read(db, &log, first.journal.1..first.journal.1 + 1).await.unwrap();
        // Another process of this name has the journal, and a second one waits for it.
        let mut tx = db.begin().await.unwrap();
        let head = heads::lock(&mut tx, &log).await.unwrap().unwrap();
        let (another, check) = (node(&world, "one").await, scene.check_of(&[&work.key]));
        let waiting = tokio::spawn(async move { another.check(check).await });
        until_one_waits(db).await;
        // What the first one is answered from is more than the second one read.
        scene.grant(work.work).await;
        let acts = heads::read_tree(db, heads::ACTS).await.unwrap().unwrap();
        let settings = scene.registry.settings();
        let signer = kyodaku::registry::keys::signer(&settings.data_dir.join("journal.key"), &head.origin);
        let new = [answered_from(&last[0].bytes, acts)];
        append(&mut tx, &head, &new, &signer.unwrap(), head.at_ms).await.unwrap();
        tx.commit().await.unwrap();
        let answer = waiting.await.unwrap().unwrap();
        assert_eq!((answer.journal.1, answer.log), (first.journal.1 + 2, acts));
        assert_eq!(answer.items[0].verdict, Verdict::Permitted, "it was granted before");
    });
}

#[test]
fn a_window_that_waits_for_another_process_is_written_by_one_question_or_decided_again() {
    crate::world::run(Engine::Postgres, async |world: World| {
        let scene = Scene::open(&world).await;
        let work = scene.work("one").await;
        assert_eq!(scene.check(&[&work.key]).await.permitted, 0);
        let (db, log) = (scene.registry.db(), heads::checks_log("one"));
        let size = async || heads::read_tree(db, &log).await.unwrap().unwrap().size;
        let before = size().await;
        for granted in [false, true] {
            // Somebody has the journal, and leaves it as it was.
            let mut tx = db.begin().await.unwrap();
            heads::lock(&mut tx, &log).await.unwrap().unwrap();
            let (registry, check) = (scene.registry.clone(), scene.check_of(&[&work.key]));
            let waiting = tokio::spawn(async move { registry.check(check).await });
            until_one_waits(db).await;
            if granted {
                scene.grant(work.work).await;
            }
            tx.rollback().await.unwrap();
            let answer = waiting.await.unwrap().unwrap();
            // What was granted after it was asked is in it or not, and it says so.
            let is_seen = answer.log.size == heads::read_tree(db, heads::ACTS).await.unwrap().unwrap().size;
            assert_eq!(answer.permitted, u64::from(granted && is_seen));
        }
        // Each is an entry, and one of what it matched.
        assert_eq!(size().await, before + 4);
        assert_eq!(scene.check(&[&work.key]).await.permitted, 1);
    });
}
