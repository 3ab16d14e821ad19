//! What is appended by one question to the database, in a transaction of its own.

use kyodaku::log::merkle::TreeHead;
use kyodaku::store::heads::{self, ACTS, Head, checks_log};
use kyodaku::store::{Batch, Db, StoreError, tiles};

use super::{append_all, entries, journal_signer, meddle, signer};
use crate::world::beside::number;
use crate::world::{START_MS, World, both};

const ENTRIES: &str = "SELECT count(*) FROM entries";

/// A journal with one entry, and a log of acts with three.
async fn open(world: &World) -> (Db, Head, TreeHead) {
    let db = world.db().await;
    let acts = append_all(&db, &entries(0, 3)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let log = checks_log("one");
    let (empty, _) =
        heads::lock_or_create_beside(&mut tx, &log, ACTS, &journal_signer(), START_MS).await.unwrap();
    let journal =
        kyodaku::store::append(&mut tx, &empty, &["first"], &journal_signer(), START_MS).await.unwrap();
    tx.commit().await.unwrap();
    (db, journal, acts.tree())
}

async fn alone(
    db: &Db,
    expected: &Head,
    rests_on: TreeHead,
    new: &[&str],
) -> Result<Option<Head>, StoreError> {
    let signer = journal_signer();
    let entries: Vec<&[u8]> = new.iter().map(|text| text.as_bytes()).collect();
    let batch = Batch { expected, entries: &entries, signer: &signer, at_ms: START_MS, noted: &[] };
    batch.append_alone(db.alone().await.unwrap(), ACTS, rests_on).await
}

both!(what_is_appended_alone_is_durable_and_the_next_one_builds_on_it, async |world: World| {
    let (db, mut journal, acts) = open(&world).await;
    for new in [vec!["second"], vec!["x"; 300], vec!["last"]] {
        journal = alone(&db, &journal, acts, &new).await.unwrap().unwrap();
        // Another process sees it, and the tree is that of the head.
        let other = world.db().await;
        assert_eq!(heads::read(&other, &journal.log).await.unwrap().unwrap(), journal);
        let root = tiles::root_at(&other, &journal.log, journal.size()).await.unwrap();
        assert_eq!(root, journal.tree().root);
    }
    assert_eq!(journal.size(), 303);
    // The connection is out of any transaction.
    db.begin().await.unwrap().rollback().await.unwrap();
    assert_eq!(number(&db, ENTRIES).await, 306);
});

both!(nothing_is_appended_alone_to_another_head_or_on_other_acts, async |world: World| {
    let (db, old, acts) = open(&world).await;
    let journal = alone(&db, &old, acts, &["second"]).await.unwrap().unwrap();
    let again = alone(&db, &old, acts, &["second"]).await;
    assert!(matches!(again, Ok(None) | Err(StoreError::AppendOnly(_))), "{again:?}");
    assert_eq!(alone(&db, &old, acts, &["another"]).await.unwrap(), None);
    let another = TreeHead { root: old.tree().root, ..acts };
    for wrong in [TreeHead { size: 2, ..acts }, TreeHead { size: 4, ..acts }, another, TreeHead::EMPTY] {
        assert_eq!(alone(&db, &journal, wrong, &["third"]).await.unwrap(), None, "{wrong:?}");
    }
    let more = append_all(&db, &entries(3, 4)).await.unwrap().tree();
    assert_eq!(alone(&db, &journal, acts, &["third"]).await.unwrap(), None);
    assert_eq!(number(&db, ENTRIES).await, 6);
    assert_eq!(heads::read(&db, &journal.log).await.unwrap().unwrap(), journal);
    assert_eq!(alone(&db, &journal, more, &["third"]).await.unwrap().unwrap().size(), 3);
});

both!(a_tile_that_is_not_that_of_the_tree_undoes_what_is_appended_alone, async |world: World| {
    let (db, journal, acts) = open(&world).await;
    // As if a tile were there that the tree does not have yet.
    meddle(
        &db,
        "INSERT INTO tiles (log, level, idx, data) SELECT log, 0, 1, data FROM tiles WHERE log <> 'acts'",
    )
    .await
    .unwrap();
    let error = alone(&db, &journal, acts, &["x"; 300]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
    assert_eq!(heads::read(&db, &journal.log).await.unwrap().unwrap(), journal);
    assert_eq!(number(&db, ENTRIES).await, 4);
    // Whoever comes next is in no transaction, and what is right goes on.
    let journal = alone(&db, &journal, acts, &["x"; 200]).await.unwrap().unwrap();
    assert_eq!(heads::read(&world.db().await, &journal.log).await.unwrap().unwrap(), journal);
});

both!(a_key_of_another_log_appends_nothing_alone, async |world: World| {
    let (db, journal, acts) = open(&world).await;
    let signer = signer();
    let entries: Vec<&[u8]> = vec![b"second"];
    let batch = Batch { expected: &journal, entries: &entries, signer: &signer, at_ms: START_MS, noted: &[] };
    let refused = batch.append_alone(db.alone().await.unwrap(), ACTS, acts).await.unwrap_err();
    assert!(matches!(refused, StoreError::Program(_)), "{refused:?}");
    let earlier = Batch { signer: &journal_signer(), at_ms: START_MS - 1, ..batch };
    let refused = earlier.append_alone(db.alone().await.unwrap(), ACTS, acts).await.unwrap_err();
    assert!(matches!(refused, StoreError::AppendOnly(_)), "{refused:?}");
    assert_eq!(number(&db, ENTRIES).await, 4);
});
