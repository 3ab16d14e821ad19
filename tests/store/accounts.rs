//! People, keys, proposals and challenges.

use kyodaku::log::merkle::TreeHead;
use kyodaku::store::accounts::{self, ApiKey, LiveKey, Person, TOUCH_INTERVAL_MS};
use kyodaku::store::challenges::{self, Challenge};
use kyodaku::store::proposals::ProposalState::{Approved, Rejected, Waiting, Withdrawn};
use kyodaku::store::proposals::{self, Proposal};
use kyodaku::store::{Db, Engine, StoreError};
use tokio::task::JoinSet;

use crate::world::beside::number;
use crate::world::{START_MS, World, both};

async fn add_person(db: &Db, person: &str) {
    let person = Person {
        person: person.to_owned(),
        org: "org_a".to_owned(),
        label: "Sato".to_owned(),
        role: "member".to_owned(),
        created_ms: START_MS,
        removed_ms: None,
    };
    let mut tx = db.begin().await.unwrap();
    accounts::insert_person(&mut tx, &person).await.unwrap();
    tx.commit().await.unwrap();
}

fn key(id: u8, expires_ms: Option<i64>) -> ApiKey {
    ApiKey {
        id: format!("key_{id}"),
        org: "org_a".to_owned(),
        person: "prs_1".to_owned(),
        prefix: format!("kyo_live_{id}"),
        scopes: "checks".to_owned(),
        label: "batch".to_owned(),
        created_ms: START_MS,
        expires_ms,
        last_used_ms: None,
        revoked_ms: None,
        public_key: None,
    }
}

async fn add_key(db: &Db, key: &ApiKey, hash: u8) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    accounts::insert_key(&mut tx, key, &[hash; 32]).await?;
    tx.commit().await
}

both!(a_key_lives_until_it_expires_is_revoked_or_its_person_goes, async |world: World| {
    let db = world.db().await;
    add_person(&db, "prs_1").await;
    add_key(&db, &key(1, Some(START_MS + 10)), 1).await.unwrap();
    add_key(&db, &key(2, None), 2).await.unwrap();
    let third = add_key(&db, &key(3, None), 3).await.unwrap_err();
    assert!(
        matches!(&third, StoreError::Limit(text) if text.contains("`prs_1` has 2 live keys")),
        "{third:?}"
    );
    assert_eq!(
        accounts::find_key(&db, &[1; 32], START_MS + 9).await.unwrap(),
        Some((LiveKey { key: key(1, Some(START_MS + 10)), role: "member".to_owned() }, TreeHead::EMPTY))
    );
    assert_eq!(accounts::find_key(&db, &[1; 32], START_MS + 10).await.unwrap(), None);
    assert_eq!(accounts::find_key(&db, &[9; 32], START_MS).await.unwrap(), None);

    // Expired keys make room.
    let later = ApiKey { created_ms: START_MS + 10, ..key(3, None) };
    add_key(&db, &later, 3).await.unwrap();
    let same = add_key(&db, &ApiKey { id: "key_4".to_owned(), person: "prs_2".to_owned(), ..later }, 3).await;
    assert!(same.unwrap_err().is_conflict(), "nobody is prs_2");

    let mut tx = db.begin().await.unwrap();
    assert!(!accounts::revoke_key(&mut tx, "org_b", "key_2", START_MS).await.unwrap(), "not their key");
    assert!(accounts::revoke_key(&mut tx, "org_a", "key_2", START_MS).await.unwrap());
    assert!(!accounts::revoke_key(&mut tx, "org_a", "key_2", START_MS + 1).await.unwrap());
    let touch = START_MS + 20;
    assert!(accounts::touch_key(&mut tx, "key_3", touch).await.unwrap());
    assert!(!accounts::touch_key(&mut tx, "key_3", touch + TOUCH_INTERVAL_MS - 1).await.unwrap());
    assert!(accounts::touch_key(&mut tx, "key_3", touch + TOUCH_INTERVAL_MS).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(accounts::find_key(&db, &[2; 32], START_MS).await.unwrap(), None);
    let (found, _) = accounts::find_key(&db, &[3; 32], touch).await.unwrap().unwrap();
    assert_eq!(found.key.last_used_ms, Some(touch + TOUCH_INTERVAL_MS));

    let mut tx = db.begin().await.unwrap();
    assert!(accounts::remove_person(&mut tx, "org_a", "prs_1", touch).await.unwrap());
    assert!(!accounts::remove_person(&mut tx, "org_a", "prs_1", touch).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(accounts::find_key(&db, &[3; 32], touch).await.unwrap(), None);
    let listed = accounts::keys(&db, "org_a", Some("key_1"), 10).await.unwrap();
    let revoked: Vec<_> = listed.iter().map(|key| (key.id.as_str(), key.revoked_ms)).collect();
    assert_eq!(revoked, [("key_2", Some(START_MS)), ("key_3", Some(touch))]);
    assert_eq!(accounts::people(&db, "org_a", None, 10).await.unwrap()[0].removed_ms, Some(touch));
    assert_eq!(accounts::person(&db, "prs_1").await.unwrap().unwrap().removed_ms, Some(touch));
});

both!(a_race_for_keys_gives_two, async |world: World| {
    let db = world.db().await;
    add_person(&db, "prs_1").await;
    add_key(&db, &key(1, None), 1).await.unwrap();
    let mut first = db.begin().await.unwrap();
    accounts::insert_key(&mut first, &key(2, None), &[2; 32]).await.unwrap();
    // A second one at the same time, from another process: it must wait for the first to end, and then count it.
    let other = world.db().await;
    let second = tokio::spawn(async move { add_key(&other, &key(3, None), 3).await });
    while !second.is_finished() && !somebody_waits(&db).await {
        tokio::task::yield_now().await;
    }
    first.commit().await.unwrap();
    let refused = second.await.unwrap();
    assert!(matches!(refused, Err(StoreError::Limit(_))), "{refused:?}");

    add_person(&db, "prs_2").await;
    let mut tasks = JoinSet::new();
    for id in 10..18 {
        let db = world.db().await;
        let key = ApiKey { person: "prs_2".to_owned(), created_ms: world.clock.now_ms(), ..key(id, None) };
        tasks.spawn(async move { add_key(&db, &key, id).await });
    }
    let (made, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 2);
    assert!(refused.iter().all(|end| matches!(end, Err(StoreError::Limit(_)))), "{refused:?}");
    assert_eq!(accounts::keys(&db, "org_a", None, 10).await.unwrap().len(), 4);
});

/// Whether a statement waits for a lock. On SQLite the second writer waits before its first statement, and nobody
/// can see it.
async fn somebody_waits(db: &Db) -> bool {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    db.engine() == Engine::Sqlite || number(db, WAITING).await > 0
}

both!(a_proposal_is_decided_once_and_by_a_second_person, async |world: World| {
    let db = world.db().await;
    let proposal = Proposal {
        id: "prp_1".to_owned(),
        org: "org_a".to_owned(),
        proposed_by: "prs_1".to_owned(),
        operation: "confirmHoldings".to_owned(),
        command: "{}".to_owned(),
        body_digest: vec![5; 32],
        created_ms: START_MS,
        expires_ms: START_MS + 100,
        state: Waiting,
        decided_by: None,
        decided_ms: None,
        response: None,
    };
    let mut tx = db.begin().await.unwrap();
    proposals::insert(&mut tx, &proposal).await.unwrap();
    proposals::insert(&mut tx, &Proposal { id: "prp_2".to_owned(), ..proposal.clone() }).await.unwrap();
    for (person, state, now_ms, decided) in [
        ("prs_1", Approved, START_MS + 1, false),
        ("prs_1", Rejected, START_MS + 1, false),
        ("prs_2", Approved, START_MS + 100, false),
        ("prs_2", Approved, START_MS + 99, true),
        ("prs_3", Rejected, START_MS + 99, false),
    ] {
        let found =
            proposals::decide(&mut tx, "prp_1", person, state, Some("{\"ok\":1}"), now_ms).await.unwrap();
        assert_eq!(found, decided, "{person} {state:?} {now_ms}");
    }
    assert!(proposals::decide(&mut tx, "prp_2", "prs_1", Withdrawn, None, START_MS).await.unwrap());
    tx.commit().await.unwrap();
    let found = proposals::find(&db, "prp_1").await.unwrap().unwrap();
    let expected = Proposal {
        state: Approved,
        decided_by: Some("prs_2".to_owned()),
        decided_ms: Some(START_MS + 99),
        response: Some("{\"ok\":1}".to_owned()),
        ..proposal
    };
    assert_eq!(found, expected);
    assert_eq!(proposals::list(&db, "org_a", Waiting, None, 10).await.unwrap(), []);
    assert_eq!(proposals::list(&db, "org_a", Approved, None, 10).await.unwrap(), [expected]);
});

both!(a_challenge_is_proved_once_and_in_time, async |world: World| {
    let db = world.db().await;
    let challenge = Challenge {
        id: "chl_1".to_owned(),
        org: "org_a".to_owned(),
        host: "night-garden.example".to_owned(),
        method: "dns".to_owned(),
        token: "kyodaku-proof=1".to_owned(),
        created_ms: START_MS,
        expires_ms: START_MS + 100,
        proved_idx: None,
    };
    let mut tx = db.begin().await.unwrap();
    challenges::insert(&mut tx, &challenge).await.unwrap();
    assert!(!challenges::prove(&mut tx, "chl_1", 7, START_MS + 100).await.unwrap());
    assert!(challenges::prove(&mut tx, "chl_1", 7, START_MS + 99).await.unwrap());
    assert!(!challenges::prove(&mut tx, "chl_1", 8, START_MS + 99).await.unwrap());
    tx.commit().await.unwrap();
    let proved = Challenge { proved_idx: Some(7), ..challenge };
    assert_eq!(challenges::find(&db, "chl_1").await.unwrap(), Some(proved.clone()));
    assert_eq!(challenges::list(&db, "org_a", None, 10).await.unwrap(), [proved]);
});
