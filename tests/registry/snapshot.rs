//! The snapshot file makes a start fast and never changes an answer.

use kyodaku::domain::decision::Verdict;
use kyodaku::registry::snapshot::{self, FILE_NAME};

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
        assert!(snapshot::read(world.folder.path()).is_none(), "byte {at}");
        let again = node(&world, "two").await;
        assert_eq!(again.shared().head(), scene.registry.shared().head(), "byte {at}");
        assert_eq!(
            again.check(scene.check_of(&[&work.key])).await.unwrap().items[0].verdict,
            Verdict::Permitted
        );
        again.db().close().await;
    }
});

/// What a snapshot says of its two parts, and the parts: that of the bindings comes last.
fn taken_apart(file: &[u8]) -> (serde_json::Value, Vec<u8>, Vec<u8>) {
    let (length, rest) = file[8..].split_first_chunk::<4>().unwrap();
    let (header, parts) = rest.split_at(u32::from_be_bytes(*length) as usize);
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let (index, bindings) = parts.split_at(header["index"]["bytes"].as_u64().unwrap() as usize);
    (header, index.to_vec(), bindings.to_vec())
}

both!(the_parts_of_two_snapshots_make_none, async |world: World| {
    let scene = Scene::open(&world).await;
    let folder = world.folder.path();
    scene.work("one").await;
    scene.registry.write_snapshot().await.unwrap();
    let earlier = taken_apart(&std::fs::read(folder.join(FILE_NAME)).unwrap());
    scene.work("two").await;
    scene.registry.write_snapshot().await.unwrap();
    let whole = std::fs::read(folder.join(FILE_NAME)).unwrap();
    let (header, index, _) = taken_apart(&whole);
    let joined = |header: &serde_json::Value, bindings: &[u8]| {
        let header = serde_json::to_vec(header).unwrap();
        let length = u32::try_from(header.len()).unwrap().to_be_bytes();
        [&whole[..8], &length, &header, &index, bindings].concat()
    };
    for file in [joined(&header, &earlier.2), [&whole[..], b"\0"].concat(), whole[..whole.len() - 1].to_vec()]
    {
        std::fs::write(folder.join(FILE_NAME), file).unwrap();
        assert!(snapshot::read(folder).is_none());
    }
    std::fs::write(folder.join(FILE_NAME), &whole).unwrap();
    let (index, frontier) = snapshot::read(folder).expect("it is whole");
    assert_eq!((index.size(), index.bindings.len()), (frontier.size(), 2));
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
