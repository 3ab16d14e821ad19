//! The snapshot file makes a start fast and never changes an answer.

use kyodaku::domain::decision::Verdict;
use kyodaku::registry::snapshot::FILE_NAME;

use super::scene::{Scene, node};
use crate::world::{World, both};

both!(a_start_from_a_snapshot_answers_as_before, async |world: World| {
    let scene = Scene::open(&world).await;
    let (one, two) = (scene.work("one").await, scene.work("two").await);
    let grant = scene.grant(one.work).await;
    scene.registry.write_snapshot().await.unwrap();
    // What came after the snapshot is folded from the log.
    scene.grant(two.work).await;
    scene.revoke(grant).await;
    let again = node(&world, "two").await;
    assert_eq!(again.shared().head(), scene.registry.shared().head());
    let answer = again.check(scene.check_of(&[&one.key, &two.key])).await.unwrap();
    assert_eq!(answer.items[0].verdict, Verdict::NotPermitted);
    assert_eq!(answer.items[1].verdict, Verdict::Permitted);
});

both!(a_damaged_snapshot_is_not_used, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    scene.grant(work.work).await;
    scene.registry.write_snapshot().await.unwrap();
    let path = world.folder.path().join(FILE_NAME);
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(&path, &damaged).unwrap();
        let again = node(&world, "two").await;
        assert_eq!(again.shared().head(), scene.registry.shared().head(), "byte {at}");
        assert_eq!(
            again.check(scene.check_of(&[&work.key])).await.unwrap().items[0].verdict,
            Verdict::Permitted
        );
        again.db().close().await;
    }
});

both!(a_snapshot_of_another_log_is_not_used, async |world: World| {
    let (scene, other) = (Scene::open(&world).await, World::new(world.engine).await);
    let work = scene.work("one").await;
    scene.grant(work.work).await;
    scene.registry.write_snapshot().await.unwrap();
    let foreign = Scene::open(&other).await;
    std::fs::copy(world.folder.path().join(FILE_NAME), other.folder.path().join(FILE_NAME)).unwrap();
    let again = node(&other, "two").await;
    assert_eq!(again.shared().head(), foreign.registry.shared().head());
    let answer = again.check(foreign.check_of(&[&work.key])).await.unwrap();
    assert_eq!(answer.items[0].verdict, Verdict::NotPermitted);
});
