//! Recorded once, in one piece, and dated by a clock that can be believed.

use std::time::Duration;

use futures_util::future::join_all;
use kyodaku::domain::decision::Verdict;
use kyodaku::registry::checks::CheckError;
use kyodaku::registry::sequencer::Once;
use kyodaku::registry::{Registry, SubmitError};
use kyodaku::store::catalogue;

use super::scene::{Scene, node, settings, submission};
use crate::world::{World, both};

const DAY: Duration = Duration::from_hours(24);

fn once(key: &str, body: &[u8]) -> Once {
    let digest = kyodaku::domain::key::Sha256::of(body).0;
    Once { key: key.to_owned(), operation: "recordGrant", digest }
}

both!(a_repeated_command_gets_the_first_answer, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let (_, act) = scene.grant_of(work.work);
    let (holder, person) = scene.holder;
    let submission =
        |body: &[u8]| submission(holder, &[person], vec![act.clone()], Some(once("key-1", body)));

    let first = scene.registry.submit(submission(b"body")).await.unwrap();
    let size = scene.registry.shared().published();
    let again = scene.registry.submit(submission(b"body")).await.unwrap();
    assert_eq!((again.recorded, again.status, &again.body), (None, first.status, &first.body));
    assert_eq!(scene.registry.shared().published(), size);

    let other = scene.registry.submit(submission(b"another body")).await;
    assert!(matches!(other, Err(SubmitError::KeyReused)), "{other:?}");
    // After 30 days the key is forgotten; then the grant's own id refuses the repetition.
    world.clock.advance(31 * DAY);
    let late = scene.registry.submit(submission(b"body")).await;
    assert!(matches!(late, Err(SubmitError::Refused(_))), "{late:?}");
});

both!(one_of_many_that_come_at_once_under_one_key_is_recorded, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let (holder, person) = scene.holder;
    let size = scene.registry.shared().published();
    // Most of them wait together, and are taken up in one batch; each would be recorded alone.
    let one = |number: usize| {
        let body: &[u8] = if number % 5 == 4 { b"another body" } else { b"body" };
        let (_, act) = scene.grant_of(work.work);
        scene.registry.submit(submission(holder, &[person], vec![act], Some(once("key-1", body))))
    };
    let answers = join_all((0..40).map(one)).await;
    assert_eq!(scene.registry.shared().published(), size + 1);
    let recorded = answers.iter().filter(|it| it.as_ref().is_ok_and(|it| it.recorded.is_some())).count();
    let reused = answers.iter().filter(|it| matches!(it, Err(SubmitError::KeyReused))).count();
    assert_eq!((recorded, reused), (1, 8), "{answers:?}");
    let bodies: Vec<_> = answers.iter().flatten().map(|answer| &answer.body).collect();
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:?}");
    // Each act of a batch has its lines in the histories.
    let (_, second) = scene.grant_of(work.work);
    let (_, third) = scene.grant_of(work.work);
    let both = join_all([second, third].map(|act| scene.as_holder(act))).await;
    assert!(both.iter().all(Result::is_ok), "{both:?}");
    let history = catalogue::history(scene.registry.db(), &work.work.to_string(), None, 3).await.unwrap();
    let places: Vec<_> = history.iter().map(|line| line.index).collect();
    assert_eq!(places, [size + 2, size + 1, size]);
});

both!(a_refused_command_leaves_nothing, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let (_, grant) = scene.grant_of(work.work);
    let (_, elsewhere) = scene.grant_of(scene.id());
    let size = scene.registry.shared().published();
    let (holder, person) = scene.holder;
    // The first act is good, the second is not: neither is recorded.
    let refused = scene.submit(holder, &[person], vec![grant.clone(), elsewhere]).await;
    assert!(
        matches!(&refused, Err(SubmitError::Refused(why)) if why.iter().all(|it| it.act == 1)),
        "{refused:?}"
    );
    assert_eq!(scene.registry.shared().published(), size);
    assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::NotPermitted);
    // And the good one can still be recorded under the same id.
    scene.as_holder(grant).await.unwrap();
    assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::Permitted);
});

both!(a_caller_that_goes_away_changes_nothing_of_what_was_taken_up, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    for _ in 0..50 {
        let (_, act) = scene.grant_of(work.work);
        let (holder, person) = scene.holder;
        let future = scene.registry.submit(submission(holder, &[person], vec![act], None));
        // Polled once: taken up. Then dropped.
        let mut future = Box::pin(future);
        let polled = futures_util::poll!(&mut future);
        assert!(polled.is_pending());
    }
    let size = scene.registry.shared().published();
    let (grant, act) = scene.grant_of(work.work);
    scene.as_holder(act).await.unwrap();
    let fresh = node(&world, "two").await;
    let seen = fresh
        .read(|seen| (seen.size, seen.index.grants.find(grant).is_some(), seen.index.grants.len()))
        .await;
    let (fresh_size, found, grants) = seen.unwrap();
    assert!(found && grants == 51, "{grants} grants");
    assert!(fresh_size > size);
});

both!(a_clock_that_is_far_off_dates_nothing, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work("one").await;
    let before = scene.registry.shared().published();
    world.clock.advance(400 * DAY);
    let (_, act) = scene.grant_of(work.work);
    let refused = scene.as_holder(act.clone()).await;
    assert!(matches!(refused, Err(SubmitError::Clock)), "{refused:?}");
    assert_eq!(scene.registry.shared().published(), before);
    // Nor is a check answered: what begins in a year must not be permitted today.
    let unanswered = scene.registry.check(scene.check_of(&[&work.key])).await;
    assert!(
        matches!(&unanswered, Err(CheckError::Unavailable(why)) if why == kyodaku::clock::NOT_BELIEVED),
        "{unanswered:?}"
    );
    assert!(!scene.registry.is_clock_believed());
    assert_eq!(scene.registry.moment_ms(), crate::world::START_MS);
    // Backwards: entries keep the time of the head, and the log never goes back.
    world.clock.set(crate::world::START_MS - 86_400_000);
    scene.as_holder(act).await.unwrap();
    assert_eq!(scene.registry.shared().head_ms(), crate::world::START_MS);
    assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::Permitted);
});

both!(
    a_registry_that_slept_for_more_than_a_year_goes_on_when_somebody_vouches_for_the_clock,
    async |world: World| {
        let scene = Scene::open(&world).await;
        let work = scene.work("one").await;
        let (grant, act) = scene.grant_of(work.work);
        world.clock.advance(400 * DAY);
        let now_ms = world.clock.now_ms();
        let vouched =
            |at_ms| Registry::open(settings(&world, "two"), world.clock.clone().vouched(at_ms).unwrap());
        // A word for another moment is none for this one.
        let asleep = vouched(now_ms - 2 * 86_400_000).await.unwrap();
        let (holder, person) = scene.holder;
        let refused = asleep.submit(submission(holder, &[person], vec![act.clone()], None)).await;
        assert!(matches!(refused, Err(SubmitError::Clock)), "{refused:?}");
        let awake = vouched(now_ms).await.unwrap();
        assert_eq!(awake.check(scene.check_of(&[&work.key])).await.unwrap().moment_ms, now_ms);
        awake.submit(submission(holder, &[person], vec![act], None)).await.unwrap();
        // From then on nobody needs to vouch for it.
        assert!(scene.registry.read(|seen| seen.index.grants.find(grant).is_some()).await.unwrap());
        assert!(scene.registry.is_clock_believed());
        assert_eq!(scene.check(&[&work.key]).await.items[0].verdict, Verdict::Permitted);
    }
);
