//! A node whose tasks have ended says so: it is not busy, and nobody is to come again.

use std::time::Duration;

use kyodaku::domain::ids::OrgId;
use kyodaku::domain::key::Key;
use kyodaku::http::{App, routes};
use kyodaku::log::merkle::TreeHead;
use kyodaku::registry::checks::{Check, CheckError, Context, Item};
use kyodaku::registry::{Body, Registry, Submission, SubmitError};
use kyodaku::store::heads;
use serde_json::Value;

use super::scene::{Scene, settings};
use crate::world::client::Client;
use crate::world::{World, both};

both!(a_node_whose_tasks_have_ended_is_not_ready_and_says_why, async |world: World| {
    // What a node does beside answering, it does on the runtime that opened it.
    let beneath = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (settings, clock) = (settings(&world, "one"), world.clock.clone());
    let opened =
        tokio::task::spawn_blocking(move || (beneath.block_on(Registry::open(settings, clock)), beneath));
    let (registry, beneath) = opened.await.unwrap();
    let registry = registry.expect("the node opens");
    let client = Client::new(routes::router(&App::new(registry.clone()), routes::table()));
    assert_eq!((client.get("/readyz").await.status.as_u16(), registry.stopped()), (200, None));
    tokio::task::spawn_blocking(move || beneath.shutdown_timeout(Duration::from_mins(1))).await.unwrap();

    let answer = client.get("/readyz").await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "unavailable".to_owned()));
    assert_eq!(answer.json::<Value>()["detail"], "the sequencer has stopped");
    assert_eq!(client.get("/healthz").await.status, 200);
    let party = OrgId::new(world.clock.new_uuid());
    let submission = Submission {
        party,
        on_behalf_of: None,
        by: Vec::new(),
        acts: Vec::new(),
        once: None,
        body: Body::none(),
        accounts: Vec::new(),
        unchanged: None,
    };
    match registry.submit(submission).await {
        Err(SubmitError::Unavailable(why)) => assert_eq!(why, "the sequencer has stopped"),
        other => panic!("{other:?}"),
    }
    let item = Item { reference: None, question: Err("none".into()) };
    let context = Context { uses: Vec::new(), model: None, territory: None, with_parts: false };
    let check = Check { asked_by: None, developer: party, context, items: vec![item] };
    match registry.check(check).await {
        Err(CheckError::Unavailable(why)) => assert_eq!(why, "the journal has stopped"),
        other => panic!("{other:?}"),
    }
    assert!(registry.read(|seen| seen.size).await.is_err());
});

both!(a_node_that_stopped_answers_no_check_when_the_database_is_the_old_one_again, async |world: World| {
    let scene = Scene::open(&world).await;
    let unknown = Key::identifier("catalogue", "unknown").unwrap();
    scene.check(&[&unknown]).await;
    let (db, shared) = (scene.registry.db(), scene.registry.shared());
    let head = shared.head();
    // An older copy took its place for a moment.
    let published = TreeHead { size: head.size + 1, ..head };
    shared.catch_up_to(db, published, head).await.unwrap_err();
    let journal = heads::read(db, &heads::checks_log("one")).await.unwrap();
    for items in [1, 40] {
        let refused = scene.registry.check(scene.check_of(&vec![&unknown; items])).await;
        assert!(matches!(refused, Err(CheckError::Unavailable(_))), "{refused:?}");
    }
    assert_eq!(heads::read(db, &heads::checks_log("one")).await.unwrap(), journal);
});
