//! A database that lacks what was published is refused.

use kyodaku::store::StoreError;
use kyodaku::store::heads::{self, ACTS};
use kyodaku::store::high_water::HighWater;

use super::{append_all, entries};
use crate::world::{World, both};

fn refused(found: Result<(), StoreError>, why: &str) {
    let error = found.expect_err("the mark refuses");
    assert!(matches!(&error, StoreError::HighWater(text) if text.contains(why)), "{error:?}");
}

both!(a_restored_older_database_is_refused, async |world: World| {
    let folder = world.folder.path();
    let db = world.db().await;
    let mut mark = HighWater::open(folder, "one").await.unwrap();
    mark.check(&db).await.unwrap();
    let early = append_all(&db, &entries(0, 3)).await.unwrap();
    mark.raise(&[(ACTS, early.tree())]).await.unwrap();
    mark.check(&db).await.unwrap();

    // The backup: the same history, made again up to here. Then the original goes on.
    let older = World::new(world.engine).await;
    let backup = older.db().await;
    append_all(&backup, &entries(0, 3)).await.unwrap();
    let late = append_all(&db, &entries(3, 300)).await.unwrap();
    mark.raise(&[(ACTS, late.tree()), ("checks/one", heads::read_tree(&db, ACTS).await.unwrap().unwrap())])
        .await
        .unwrap();
    mark.raise(&[(ACTS, early.tree())]).await.unwrap();

    // What the next start reads.
    let mark = HighWater::open(folder, "one").await.unwrap();
    assert_eq!(mark.mark(ACTS), Some(late.tree()), "marks never sink");
    refused(mark.check(&backup).await, "3 entries here, and 300 were published");
    refused(mark.check(&db).await, "log `checks/one` has 0 entries");
});

both!(another_history_is_refused_however_long, async |world: World| {
    let folder = world.folder.path();
    let db = world.db().await;
    let head = append_all(&db, &entries(0, 260)).await.unwrap();
    HighWater::open(folder, "one").await.unwrap().raise(&[(ACTS, head.tree())]).await.unwrap();
    append_all(&db, &entries(260, 520)).await.unwrap();
    let mark = HighWater::open(folder, "one").await.unwrap();
    mark.check(&db).await.unwrap();

    let other = World::new(world.engine).await;
    let fork = other.db().await;
    append_all(&fork, &entries(1, 261)).await.unwrap();
    refused(mark.check(&fork).await, "another root at size 260");
    append_all(&fork, &entries(261, 600)).await.unwrap();
    refused(mark.check(&fork).await, "another root at size 260");
});

#[tokio::test]
async fn an_unreadable_mark_is_not_no_mark() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "{", "{\"logs\":{\"acts\":{\"size\":1}}}", "{\"logs\":{},\"more\":1}"] {
        std::fs::write(folder.path().join("high-water.one"), text).unwrap();
        let error = HighWater::open(folder.path(), "one").await.unwrap_err();
        assert!(matches!(error, StoreError::HighWater(_)), "{error:?}");
    }
    let error = HighWater::open(std::path::Path::new("/no/such/folder"), "one")
        .await
        .unwrap()
        .raise(&[(ACTS, kyodaku::log::merkle::TreeHead { size: 1, ..kyodaku::log::merkle::TreeHead::EMPTY })])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error:?}");
}
