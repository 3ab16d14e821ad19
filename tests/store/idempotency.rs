//! A key is answered once in 30 days.

use kyodaku::store::idempotency::{self, Answer, KEEP_MS};

use crate::world::{START_MS, World, both};

fn answer(at_ms: i64) -> Answer {
    Answer {
        operation: "grantPermission".to_owned(),
        body_digest: [3; 32],
        status: 201,
        response: "{\"id\":\"grt_1\"}".to_owned(),
        at_ms,
    }
}

both!(a_key_is_answered_once_in_thirty_days, async |world: World| {
    let db = world.db().await;
    let mut tx = db.begin().await.unwrap();
    assert_eq!(idempotency::find_in(&mut tx, "org_a", "key", START_MS).await.unwrap(), None);
    idempotency::insert(&mut tx, "org_a", "key", &answer(START_MS)).await.unwrap();
    idempotency::insert(&mut tx, "org_b", "key", &answer(START_MS)).await.unwrap();
    assert_eq!(
        idempotency::find_in(&mut tx, "org_a", "key", START_MS).await.unwrap(),
        Some(answer(START_MS))
    );
    let again = idempotency::insert(&mut tx, "org_a", "key", &answer(START_MS + KEEP_MS - 1)).await;
    assert!(again.unwrap_err().is_conflict());
    tx.commit().await.unwrap();

    let last = START_MS + KEEP_MS - 1;
    assert!(idempotency::find(&db, "org_a", "key", last).await.unwrap().is_some());
    assert!(idempotency::find(&db, "org_a", "key", last + 1).await.unwrap().is_none());
    let mut tx = db.begin().await.unwrap();
    // Forgotten, though no purge came by yet.
    idempotency::insert(&mut tx, "org_a", "key", &answer(last + 1)).await.unwrap();
    assert_eq!(idempotency::purge(&mut tx, last).await.unwrap(), 0);
    assert_eq!(idempotency::purge(&mut tx, last + 1).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(idempotency::find(&db, "org_a", "key", last + 1).await.unwrap(), Some(answer(last + 1)));
    assert!(idempotency::find(&db, "org_b", "key", START_MS).await.unwrap().is_none());
});
