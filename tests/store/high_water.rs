//! A database that lacks what was published is refused.

use futures_util::FutureExt;
use kyodaku::log::merkle::TreeHead;
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

fn head(size: u64) -> TreeHead {
    TreeHead { size, root: [u8::try_from(size % 251).unwrap(); 32].into() }
}

/// Whoever awaits it may go away at any point: what was begun ends, or is as if it had never begun, and the next one
/// finds a whole file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raises_that_are_dropped_half_way_leave_the_mark_whole_and_never_lower() {
    let folder = tempfile::tempdir().unwrap();
    let mut marks = Vec::new();
    for _ in 0..2 {
        marks.push(HighWater::open(folder.path(), "one").await.unwrap());
    }
    let (mut lowest, mut last) = (0, [0; 2]);
    for size in 1..=400_u64 {
        let [first, second] = marks.as_mut_slice() else { panic!("there are two") };
        let acts = [(ACTS, head(size))];
        let checks = [("checks/one", head(size))];
        let (mut one, mut other) =
            (Box::pin(first.raise(&acts).fuse()), Box::pin(second.raise(&checks).fuse()));
        for _ in 0..size % 4 {
            let _ = (futures_util::poll!(&mut one), futures_util::poll!(&mut other));
            tokio::task::yield_now().await;
        }
        if size % 40 == 0 {
            one.await.unwrap();
            other.await.unwrap();
            lowest = size;
        } else {
            drop((one, other));
        }
        let read = HighWater::open(folder.path(), "one").await.unwrap();
        for (log, last) in [ACTS, "checks/one"].into_iter().zip(&mut last) {
            let mark = read.mark(log).map_or(0, |mark| mark.size);
            assert!(
                (lowest.max(*last)..=size).contains(&mark),
                "{log} stands at {mark} after {size}, {last} before"
            );
            *last = mark;
        }
    }
    let read = HighWater::open(folder.path(), "one").await.unwrap();
    assert_eq!((read.mark(ACTS), read.mark("checks/one")), (Some(head(400)), Some(head(400))));
    let mut left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["high-water.one", "high-water.one.lock"], "nothing is left over");
}

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
        .raise(&[(ACTS, TreeHead { size: 1, ..TreeHead::EMPTY })])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "{error:?}");
}

/// What a process was killed in is read back, though the disk may lack it: nothing is told of it before the disk has it.
#[tokio::test]
async fn a_mark_that_the_disk_may_lack_is_written_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("high-water.one");
    let heads = [(ACTS, head(7))];
    for size in [6, 7] {
        let mut mark = HighWater::open(folder.path(), "one").await.unwrap();
        mark.raise(&[(ACTS, head(size - 1))]).await.unwrap();
        mark.raise(&[(ACTS, head(size))]).await.unwrap();
    }
    std::fs::write(folder.path().join("high-water.one.lock"), "1").unwrap();
    let before = std::fs::metadata(&file).unwrap();
    let mut mark = HighWater::open(folder.path(), "one").await.unwrap();
    assert_eq!(mark.mark(ACTS), Some(head(7)));
    mark.raise(&heads).await.unwrap();
    let inode = |metadata: &std::fs::Metadata| std::os::unix::fs::MetadataExt::ino(metadata);
    let after = std::fs::metadata(&file).unwrap();
    assert_ne!(inode(&after), inode(&before), "another file has taken its place");
    // What is known to be there is not written again.
    let written = after.modified().unwrap();
    mark.raise(&heads).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().modified().unwrap(), written);
}
