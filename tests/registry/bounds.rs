//! What one caller asks or records does not keep others waiting for long.

use std::time::Duration;

use futures_util::future::join_all;
use kyodaku::domain::act::{Act, AssertionsConfirmed, GrantRecorded, Holding, Tie, WorkKind, WorkRegistered};
use kyodaku::domain::ids::{Id, Kind, WorkId};
use kyodaku::domain::key::{Key, Sha256, SubjectKey};
use kyodaku::domain::scope::Scope;
use kyodaku::domain::uses::{Use, Uses};
use kyodaku::registry::checks::CheckError;
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

fn registered(scene: &Scene, layers: &[WorkId], part_of: &[WorkId]) -> WorkRegistered {
    fn id<K: Kind>(scene: &Scene) -> Id<K> {
        scene.id()
    }
    let ties = |works: &[WorkId]| works.iter().map(|work| Tie { link: id(scene), work: *work }).collect();
    WorkRegistered {
        work: id(scene),
        kind: WorkKind::Comic,
        holders: vec![Holding { holding: id(scene), holder: scene.holder.0 }],
        roster_complete: true,
        layers: ties(layers),
        layers_complete: true,
        part_of: ties(part_of),
        bindings: Vec::new(),
    }
}

/// A work made of 200, each part of the same 16, all of which incorporate one; and that one, of which there are many grants, each
/// for one of the 16.
async fn deep(scene: &Scene) -> (WorkId, WorkId) {
    let ids = |works: &[WorkRegistered]| works.iter().map(|it| it.work).collect::<Vec<_>>();
    let layer = registered(scene, &[], &[]);
    let layer_id = layer.work;
    let wholes: Vec<_> = (0..16).map(|_| registered(scene, &[layer_id], &[])).collect();
    let whole_ids = ids(&wholes);
    let members: Vec<_> = (0..200).map(|_| registered(scene, &[], &whole_ids)).collect();
    let top = registered(scene, &ids(&members), &[]);
    let top_id = top.work;
    let all: Vec<_> = std::iter::once(layer).chain(wholes).chain(members).chain([top]).collect();
    let holdings = all.iter().map(|it| it.holders[0].holding).collect();
    let (holder, person) = scene.holder;
    let acts = all.into_iter().map(Act::from).collect();
    scene.submit(holder, &[person], acts).await.expect("the works are registered");
    let confirmed = AssertionsConfirmed { holdings, bindings: Vec::new(), evidence: Sha256::of(b"seen") };
    let (registrar, persons) = &scene.registrar;
    scene.submit(*registrar, persons, vec![confirmed.into()]).await.expect("they are confirmed");
    let grants = (0..450).map(|number| {
        let (_, Act::GrantRecorded(grant)) = scene.grant_of(layer_id) else { unreachable!() };
        let as_layer_of = Scope::Only(vec![whole_ids[number % 16]]);
        Act::from(GrantRecorded { as_layer_of, ..grant })
    });
    let grants = grants.collect();
    scene.submit(holder, &[person], grants).await.expect("the grants are recorded");
    (top_id, layer_id)
}

both!(an_item_that_takes_too_much_ends_the_check_without_an_answer, async |world: World| {
    let scene = Scene::open(&world).await;
    let (top, layer) = deep(&scene).await;
    let check = |work: WorkId, uses: &[Use]| {
        let mut check = scene.check_of(&[&Key::identifier("catalogue", "x").unwrap()]);
        let question = check.items[0].question.as_mut().unwrap();
        question.subject = [SubjectKey::work(work)].into_iter().collect();
        question.uses = Uses::from_slice(uses);
        check
    };
    let few = scene.registry.check(check(top, &Use::ALL[..1])).await;
    let journaled = few.expect("asked for one use it is answered").journal.1;
    let all = scene.registry.check(check(top, Use::ALL)).await;
    assert!(matches!(all, Err(CheckError::TooMuch)), "{all:?}");
    let next = scene.registry.check(check(layer, Use::ALL)).await.expect("others are answered");
    // The first has an entry, and one for the work that it matched.
    assert_eq!(next.journal.1, journaled + 2, "what has no answer is not journaled");
});
