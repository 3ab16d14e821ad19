//! What one caller asks or records does not keep others waiting for long.

use std::time::Duration;

use futures_util::future::join_all;
use kyodaku::registry::{Body, Registry, Settings};

use super::scene::{Scene, settings, submission};
use crate::world::{World, both};

both!(a_batch_ends_when_its_time_is_over_and_the_others_keep_their_order, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let at_once = Settings { admitting: Duration::ZERO, ..settings(&world, "two") };
    let two = Registry::open(at_once, world.clock.clone()).await.unwrap();
    let (holder, person) = scene.holder;
    // Time goes on with each command that is admitted; a commit has one moment.
    let one = |_| {
        let (clock, (_, act)) = (world.clock.clone(), scene.grant_of(work.work));
        let body = Body::new(move |recorded| {
            clock.advance(Duration::from_millis(1));
            (201, recorded.first.to_string())
        });
        let mut submission = submission(holder, &[person], vec![act], None);
        submission.body = body;
        two.submit(submission)
    };
    let answers = join_all((0..40).map(one)).await;
    let recorded: Vec<_> =
        answers.into_iter().map(|it| it.expect("it is recorded").recorded.expect("it is new")).collect();
    let firsts: Vec<u64> = recorded.iter().map(|it| it.first).collect();
    let in_order: Vec<u64> = (firsts[0]..firsts[0] + 40).collect();
    assert_eq!(firsts, in_order, "they are recorded in the order in which they came");
    assert!(recorded.is_sorted_by(|one, next| one.at_ms < next.at_ms), "each has a commit of its own");
    let grants = scene.registry.read(|seen| seen.index.grants.len()).await.unwrap();
    assert_eq!(grants, 40);
});
