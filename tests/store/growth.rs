//! Logs grow by one code, in order, without gaps, whoever appends.

use futures_util::TryStreamExt;
use kyodaku::log::checkpoint::Checkpoint;
use kyodaku::log::merkle::{Hash, leaf_hash, root_of};
use kyodaku::log::tile::{TileId, TileRef};
use kyodaku::store::heads::{self, ACTS};
use kyodaku::store::{Db, Engine, StoreError, append, entries as stored, tiles};
use tokio::task::JoinSet;

use super::{ORIGIN, append_all, entries, journal_signer, meddle, signer};
use crate::world::{START_MS, World, both};

fn root(texts: &[String]) -> Hash {
    root_of(&texts.iter().map(|text| leaf_hash(text.as_bytes())).collect::<Vec<_>>())
}

both!(what_is_appended_is_read_back_and_signed, async |world: World| {
    let db = world.db().await;
    assert!(heads::read(&db, ACTS).await.unwrap().is_none());
    let mut size = 0;
    // Across the borders of tiles of both levels.
    for batch in [0, 1, 2, 253, 1, 255, 300, 700] {
        let new = entries(size, size + batch);
        let head = append_all(&db, &new).await.unwrap();
        size += batch;
        assert_eq!(head.tree().root, root(&entries(0, size)));
        assert_eq!(heads::read(&db, ACTS).await.unwrap().unwrap(), head);
        assert_eq!(heads::read_tree(&db, ACTS).await.unwrap().unwrap(), head.tree());
        let checkpoint =
            Checkpoint::parse_and_verify(head.checkpoint.as_bytes(), signer().verifier_key()).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.head()), (ORIGIN, head.tree()));
        assert_eq!(tiles::root_at(&db, ACTS, size).await.unwrap(), head.tree().root);
    }
    // Every earlier root can be computed, and every checkpoint is found.
    for size in [1, 3, 255, 256, 257, 512, 811, 1_511] {
        assert_eq!(tiles::root_at(&db, ACTS, size).await.unwrap(), root(&entries(0, size)), "at {size}");
    }
    let covering = tiles::checkpoint_covering(&db, ACTS, 4).await.unwrap().unwrap();
    assert_eq!((covering.tree.size, covering.tree.root), (256, root(&entries(0, 256))));
    assert!(tiles::checkpoint_covering(&db, ACTS, size + 1).await.unwrap().is_none());

    let pages: Vec<_> = stored::stream(&db, ACTS, 0..size).try_collect().await.unwrap();
    let read: Vec<_> = pages.into_iter().flatten().collect();
    assert_eq!(read.iter().map(|entry| entry.index).collect::<Vec<_>>(), (0..size).collect::<Vec<_>>());
    let texts: Vec<String> =
        read.iter().map(|entry| String::from_utf8(entry.bytes.clone()).unwrap()).collect();
    assert_eq!(texts, entries(0, size));
    assert!(matches!(stored::read(&db, ACTS, 1_500..size + 1).await, Err(StoreError::Corrupt(_))));

    let tile = TileRef { id: TileId { level: 0, index: 5 }, width: 10 };
    let expected: Vec<u8> =
        entries(1_280, 1_290).iter().flat_map(|text| leaf_hash(text.as_bytes()).0).collect();
    assert_eq!(tiles::read_one(&db, ACTS, tile).await.unwrap().unwrap(), expected);
    assert!(tiles::read_one(&db, ACTS, TileRef { width: 256, ..tile }).await.unwrap().is_none());
});

both!(every_character_of_an_entry_is_read_back_as_it_was_hashed, async |world: World| {
    let db = world.db().await;
    let all: Vec<char> = (' '..=char::MAX).collect();
    let texts: Vec<String> = all.chunks(4_096).map(|part| part.iter().collect()).collect();
    // As they stand in JSON within JSON: what is escaped once stays so.
    let texts: Vec<String> =
        texts.into_iter().chain([r#"{"a":"\u0000\n\"\\ \ud83d\ude00"}"#.to_owned()]).collect();
    let head = append_all(&db, &texts).await.unwrap();
    assert_eq!(head.tree().root, root(&texts));
    let read = stored::read(&db, ACTS, 0..texts.len() as u64).await.unwrap();
    assert!(read.iter().map(|entry| entry.bytes.as_slice()).eq(texts.iter().map(String::as_bytes)));
});

both!(logs_do_not_mix, async |world: World| {
    let db = world.db().await;
    append_all(&db, &entries(0, 5)).await.unwrap();
    let journal = heads::checks_log("one");
    let journal_signer = journal_signer();
    let mut tx = db.begin().await.unwrap();
    let head = heads::lock_or_create(&mut tx, &journal, &journal_signer, START_MS).await.unwrap();
    let head = append(&mut tx, &head, &[b"a check"], &journal_signer, START_MS).await.unwrap();
    // The act log's head is read in the journal's own transaction.
    assert_eq!(heads::read_tree_in(&mut tx, ACTS).await.unwrap().unwrap().size, 5);
    // A key of another log signs nothing here.
    let refused = append(&mut tx, &head, &[b"a check"], &signer(), START_MS).await.unwrap_err();
    assert!(matches!(refused, StoreError::Program(_)), "{refused:?}");
    tx.commit().await.unwrap();
    let sizes: Vec<_> =
        heads::list(&db).await.unwrap().into_iter().map(|(log, tree)| (log, tree.size)).collect();
    assert_eq!(sizes, [(ACTS.to_owned(), 5), (journal, 1)]);
});

both!(what_is_not_committed_leaves_no_trace, async |world: World| {
    let db = world.db().await;
    let before = append_all(&db, &entries(0, 250)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let head = heads::lock(&mut tx, ACTS).await.unwrap().unwrap();
    append(&mut tx, &head, &entries(250, 600), &signer(), START_MS).await.unwrap();
    assert_eq!(heads::read(&db, ACTS).await.unwrap().unwrap(), before);
    drop(tx);
    let after = append_all(&db, &["another".to_owned()]).await.unwrap();
    assert_eq!(after.size(), 251);
    assert_eq!(tiles::root_at(&db, ACTS, 251).await.unwrap(), after.tree().root);
});

both!(a_tile_that_is_not_that_of_the_tree_is_not_added_to, async |world: World| {
    let db = world.db().await;
    append_all(&db, &entries(0, 3)).await.unwrap();
    let text = match world.engine {
        Engine::Sqlite => "UPDATE tiles SET data = CAST(data || data AS BLOB)",
        Engine::Postgres => "UPDATE tiles SET data = data || data",
    };
    meddle(&db, text).await.unwrap();
    let error = append_all(&db, &entries(3, 5)).await.unwrap_err();
    let says = "log `acts` does not grow as its head says";
    assert!(matches!(&error, StoreError::Corrupt(text) if text.starts_with(says)), "{error:?}");
    assert_eq!(heads::read_tree(&db, ACTS).await.unwrap().unwrap().size, 3);
});

both!(an_old_head_appends_nothing, async |world: World| {
    let db = world.db().await;
    let old = append_all(&db, &entries(0, 2)).await.unwrap();
    append_all(&db, &entries(2, 3)).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let error = append(&mut tx, &old, &entries(2, 4), &signer(), START_MS).await.unwrap_err();
    assert!(matches!(&error, StoreError::HeadMoved { log, expected: 2 } if log == ACTS), "{error:?}");
    assert!(error.is_transient());
    drop(tx);
    let head = heads::read(&db, ACTS).await.unwrap().unwrap();
    let mut tx = db.begin().await.unwrap();
    let error = append(&mut tx, &head, &entries(3, 4), &signer(), START_MS - 1).await.unwrap_err();
    assert!(matches!(error, StoreError::AppendOnly(_)), "{error:?}");
});

// Optimistic appenders, each with connections of its own, as several processes have: they read a head, and build on
// it without a lock.
both!(racing_appenders_make_one_tree_without_gaps, async |world: World| {
    const APPENDERS: usize = 6;
    const BATCHES: usize = 15;
    append_all(&world.db().await, &[]).await.unwrap();
    let mut tasks = JoinSet::new();
    for appender in 0..APPENDERS {
        let db = world.db().await;
        tasks.spawn(async move {
            let mut lost = 0;
            for batch in 0..BATCHES {
                let new = [format!("{appender}/{batch}/a"), format!("{appender}/{batch}/b")];
                while let Err(error) = append_unlocked(&db, &new).await {
                    assert!(matches!(error, StoreError::HeadMoved { .. }), "{error:?}");
                    lost += 1;
                }
            }
            lost
        });
    }
    let lost: usize = tasks.join_all().await.into_iter().sum();
    assert!(lost > 0, "the appenders never met: this test shows nothing");
    let db = world.db().await;
    let head = heads::read(&db, ACTS).await.unwrap().unwrap();
    assert_eq!(head.size() as usize, 2 * APPENDERS * BATCHES);
    let read = stored::read(&db, ACTS, 0..head.size()).await.unwrap();
    let mut texts: Vec<String> =
        read.into_iter().map(|entry| String::from_utf8(entry.bytes).unwrap()).collect();
    assert_eq!(head.tree().root, root(&texts));
    assert_eq!(tiles::root_at(&db, ACTS, head.size()).await.unwrap(), head.tree().root);
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 2 * APPENDERS * BATCHES);
});

async fn append_unlocked(db: &Db, new: &[String]) -> Result<(), StoreError> {
    let head = heads::read(db, ACTS).await?.expect("the log is made");
    tokio::task::yield_now().await;
    let mut tx = db.begin().await?;
    append(&mut tx, &head, new, &signer(), START_MS).await?;
    tx.commit().await
}

// With a plain BEGIN, SQLite refuses nearly all of these with SQLITE_BUSY: the transaction reads, another one
// commits, and the upgrade to a writer fails at once, whatever the timeout.
both!(reading_before_writing_is_never_busy, async |world: World| {
    const TASKS: u64 = 12;
    const ROUNDS: u64 = 10;
    append_all(&world.db().await, &[]).await.unwrap();
    let databases = [world.db().await, world.db().await, world.db().await];
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let db = databases[task as usize % databases.len()].clone();
        tasks.spawn(async move {
            for _ in 0..ROUNDS {
                append_all(&db, &entries(0, 1)).await.expect("never busy");
            }
        });
    }
    tasks.join_all().await;
    let size = heads::read_tree(&databases[0], ACTS).await.unwrap().unwrap().size;
    assert_eq!(size, TASKS * ROUNDS);
});

both!(a_snapshot_sees_one_moment, async |world: World| {
    let db = world.db().await;
    append_all(&db, &entries(0, 1)).await.unwrap();
    let mut snapshot = db.snapshot().await.unwrap();
    assert_eq!(heads::read_tree_in(&mut snapshot, ACTS).await.unwrap().unwrap().size, 1);
    append_all(&db, &entries(1, 2)).await.unwrap();
    assert_eq!(heads::read_tree_in(&mut snapshot, ACTS).await.unwrap().unwrap().size, 1);
    assert_eq!(heads::read_tree(&db, ACTS).await.unwrap().unwrap().size, 2);
    let head = heads::read(&db, ACTS).await.unwrap().unwrap();
    let refused = append(&mut snapshot, &head, &entries(2, 3), &signer(), START_MS).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert_eq!(world.engine == Engine::Sqlite, matches!(db, Db::Sqlite { .. }));
});
