//! Several nodes on one database: one log, and no answer that misses what was acknowledged.

use std::time::Duration;

use kyodaku::domain::decision::Verdict;
use kyodaku::registry::OpenError;
use kyodaku::store::heads;

use super::scene::{Scene, node, settings, submission};
use crate::world::{World, both};

both!(two_nodes_write_one_log, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let two = node(&world, "two").await;
    let (holder, person) = scene.holder;
    let mut writes = Vec::new();
    for number in 0..40 {
        let (_, act) = scene.grant_of(work.work);
        let registry = if number % 2 == 0 { scene.registry.clone() } else { two.clone() };
        writes.push(tokio::spawn(async move {
            registry.submit(submission(holder, &[person], vec![act], None)).await
        }));
    }
    let mut firsts = Vec::new();
    for write in writes {
        firsts.push(write.await.unwrap().expect("every command is recorded").recorded.unwrap().first);
    }
    firsts.sort_unstable();
    let expected: Vec<u64> = (firsts[0]..firsts[0] + 40).collect();
    assert_eq!(firsts, expected, "indexes are contiguous and none is given twice");
    for registry in [&scene.registry, &two, &node(&world, "three").await] {
        let grants = registry.read(|seen| seen.index.grants.len()).await.unwrap();
        assert_eq!(grants, 40);
        let head = heads::read_tree(registry.db(), heads::ACTS).await.unwrap().unwrap();
        assert_eq!(registry.shared().head(), head);
    }
});

both!(a_revocation_acknowledged_anywhere_is_seen_everywhere, async |world: World| {
    let scene = Scene::open(&world).await;
    let two = node(&world, "two").await;
    let work = scene.work("one").await;
    for round in 0..25 {
        // Few items are decided in their window, many before it.
        let keys = vec![&work.key; if round % 2 == 0 { 1 } else { 40 }];
        let grant = scene.grant(work.work).await;
        let before = two.check(scene.check_of(&keys)).await.unwrap();
        assert!(before.items.iter().all(|item| item.verdict == Verdict::Permitted), "round {round}");
        scene.revoke(grant).await;
        let after = two.check(scene.check_of(&keys)).await.unwrap();
        assert!(after.items.iter().all(|item| item.verdict == Verdict::NotPermitted), "round {round}");
        assert_eq!((before.permitted, after.permitted), (keys.len() as u64, 0));
    }
});

both!(an_older_copy_of_the_database_is_refused, async |world: World| {
    let scene = Scene::open(&world).await;
    scene.work("one").await;
    let published = scene.registry.shared().published();
    drop(scene);
    // The same folder, and so the same mark, with a database that never heard of it.
    let other = World::new(world.engine).await;
    let mut older = settings(&world, "one");
    older.database_url.clone_from(&other.url);
    let refused = kyodaku::registry::Registry::open(older, world.clock.clone()).await;
    assert!(
        matches!(&refused, Err(OpenError::Store(error)) if error.to_string().contains(&published.to_string()))
    );
});

both!(another_origin_is_refused, async |world: World| {
    drop(Scene::open(&world).await);
    let mut other = settings(&world, "one");
    other.origin = "other.example/log".to_owned();
    let refused = kyodaku::registry::Registry::open(other, world.clock.clone()).await;
    assert!(matches!(refused, Err(OpenError::Origin { .. })));
});

both!(a_reader_that_goes_away_while_it_follows_leaves_nothing_half_folded, async |world: World| {
    let scene = Scene::open(&world).await;
    let two = node(&world, "two").await;
    let work = scene.work("one").await;
    for _ in 0..30 {
        scene.grant(work.work).await;
        // Polled a few times and dropped, wherever it stands.
        let mut following = Box::pin(two.read(|seen| seen.size));
        for _ in 0..3 {
            if futures_util::poll!(&mut following).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(following);
    }
    let grants = two.read(|seen| seen.index.grants.len()).await.unwrap();
    assert_eq!(grants, 30);
    assert_eq!(two.shared().head(), scene.registry.shared().head());
});

both!(a_size_that_is_asked_for_is_waited_for_and_not_for_ever, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let two = node(&world, "two").await;
    let size = scene.registry.shared().published();
    assert!(two.wait_for(size, Duration::from_millis(1)).await.unwrap(), "what is there needs no wait");
    assert!(!two.wait_for(size + 1, Duration::from_millis(1)).await.unwrap());
    let waiting = tokio::spawn(async move { two.wait_for(size + 1, Duration::from_mins(1)).await });
    scene.grant(work.work).await;
    assert!(waiting.await.unwrap().unwrap(), "it ends when the log gets there");
});
