//! What needs a second person waits for one (R6).

mod four_eyes;

use futures_util::StreamExt;
use kyodaku::domain::entry::Entry;
use kyodaku::registry::bootstrap::remove_registrar;
use kyodaku::store::{entries, heads};
use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::client::Answer;
use crate::world::{World, both};

async fn propose(stage: &Stage, key: &str) -> Answer {
    stage.registrar.post_once("/v1/settings", &json!({ "second_person": false }), key).await
}

async fn proposed(stage: &Stage) -> String {
    let answer = propose(stage, &fresh_key()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json::<Value>()["proposal"].as_str().unwrap().to_owned()
}

async fn decide(who: &Actor, proposal: &str, verb: &str) -> Answer {
    who.post(&format!("/v1/proposals/{proposal}/{verb}"), &json!({})).await
}

async fn state(stage: &Stage, proposal: &str) -> Value {
    stage.second.get(&format!("/v1/proposals/{proposal}")).await.json::<Value>()["state"].clone()
}

async fn second_person_needed(stage: &Stage) -> bool {
    stage.registrar.get("/v1/settings").await.json::<Value>()["second_person"].as_bool().unwrap()
}

async fn last_entry(stage: &Stage) -> Entry {
    let size = stage.log_size().await;
    let pages = entries::stream(stage.registry.db(), heads::ACTS, size - 1..size);
    let page = std::pin::pin!(pages).next().await.unwrap().unwrap();
    serde_json::from_slice(&page[0].bytes).unwrap()
}

both!(what_needs_two_persons_waits_and_is_recorded_with_both, async |world: World| {
    let stage = world.stage().await;
    let size = stage.log_size().await;
    let key = fresh_key();
    let first = propose(&stage, &key).await;
    let again = propose(&stage, &key).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(first.body, again.body);
    let told: Value = first.json();
    let proposal = told["proposal"].as_str().unwrap();
    assert_eq!(told["expires_at"], "2025-11-10T00:00:00Z");
    assert_eq!(first.headers["location"], format!("/v1/proposals/{proposal}"));
    let listed: Value = stage.second.get("/v1/proposals").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "the repetition made no second one");
    let shown = &listed["items"][0];
    assert_eq!(
        shown["command"]["acts"][0]["act"],
        json!({ "type": "settings.changed", "second_person": false })
    );
    assert_eq!(
        (&shown["operation"], &shown["proposed_by"]),
        (&json!("changeSettings"), &json!(stage.registrar.person))
    );
    assert_eq!(stage.log_size().await, size, "nothing is recorded yet");
    assert!(second_person_needed(&stage).await);

    // Not by the same person, also with another key of that person.
    let other_key = stage.registrar.with_scopes(&["read", "register", "approve"]).await;
    for same in [&stage.registrar, &other_key] {
        let refused = decide(same, proposal, "approve").await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (403, "not_allowed".to_owned()));
    }
    assert_eq!(stage.log_size().await, size);

    let approved = decide(&stage.second, proposal, "approve").await;
    assert_eq!(approved.status, 200, "{approved:?}");
    let body: Value = approved.json();
    assert_eq!((&body["second_person"], &body["recorded"]["first_entry"]), (&json!(false), &json!(size)));
    assert!(!second_person_needed(&stage).await);
    let by: Vec<String> = last_entry(&stage).await.by.iter().map(ToString::to_string).collect();
    assert_eq!(by, [stage.registrar.person.clone(), stage.second.person.clone()]);

    let repeated = decide(&stage.second, proposal, "approve").await;
    assert_eq!((repeated.status, &repeated.body), (approved.status, &approved.body));
    assert_eq!(decide(&stage.second, proposal, "reject").await.problem(), "conflict");
    assert_eq!(stage.log_size().await, size + 1);
    // From now on one is enough.
    let alone = stage.registrar.post("/v1/settings", &json!({ "second_person": true })).await;
    assert_eq!(alone.status, 200, "{alone:?}");
});

both!(two_who_approve_at_once_make_one_record, async |world: World| {
    let stage = world.stage().await;
    let third = stage.registrar_person("third").await;
    for _ in 0..5 {
        let proposal = proposed(&stage).await;
        let size = stage.log_size().await;
        let (one, two, three) = tokio::join!(
            decide(&stage.second, &proposal, "approve"),
            decide(&third, &proposal, "approve"),
            decide(&stage.second, &proposal, "approve"),
        );
        let accepted: Vec<_> =
            [&one, &two, &three].into_iter().filter(|answer| answer.status == 200).collect();
        assert!(!accepted.is_empty(), "{one:?} {two:?} {three:?}");
        assert!(accepted.iter().all(|answer| answer.body == accepted[0].body));
        assert_eq!(stage.log_size().await, size + 1);
        // Back to where two are needed.
        assert_eq!(stage.registrar.post("/v1/settings", &json!({ "second_person": true })).await.status, 200);
    }
});

both!(an_approval_and_a_rejection_at_once_end_as_one_of_them, async |world: World| {
    let stage = world.stage().await;
    let third = stage.registrar_person("third").await;
    for _ in 0..5 {
        let proposal = proposed(&stage).await;
        let size = stage.log_size().await;
        let (yes, no) =
            tokio::join!(decide(&stage.second, &proposal, "approve"), decide(&third, &proposal, "reject"));
        let recorded = stage.log_size().await - size;
        match state(&stage, &proposal).await.as_str().unwrap() {
            "approved" => assert_eq!((yes.status.as_u16(), recorded), (200, 1), "{yes:?} {no:?}"),
            "rejected" => assert_eq!((no.status.as_u16(), recorded), (200, 0), "{yes:?} {no:?}"),
            other => panic!("{other}"),
        }
        if recorded == 1 {
            stage.registrar.post("/v1/settings", &json!({ "second_person": true })).await;
        }
    }
});

both!(a_proposal_ends_by_rejection_withdrawal_or_time, async |world: World| {
    let stage = world.stage().await;
    let size = stage.log_size().await;
    let rejected = proposed(&stage).await;
    let answer = decide(&stage.second, &rejected, "reject").await;
    assert_eq!(answer.json::<Value>()["decided_by"], stage.second.person);
    assert_eq!(decide(&stage.second, &rejected, "reject").await.status, 200);
    let withdrawn = proposed(&stage).await;
    assert_eq!(decide(&stage.registrar, &withdrawn, "reject").await.json::<Value>()["state"], "withdrawn");
    let late = proposed(&stage).await;
    let orphan = {
        let third = stage.registrar_person("third").await;
        let made = third.post("/v1/settings", &json!({ "second_person": false })).await;
        remove_registrar(&stage.registry, third.person.parse().unwrap()).await.unwrap();
        assert_eq!(third.get("/v1/me").await.problem(), "invalid_credentials");
        made.json::<Value>()["proposal"].as_str().unwrap().to_owned()
    };
    // Its proposer no longer stands for the registrar: the rules refuse, and nothing is recorded.
    let refused = decide(&stage.second, &orphan, "approve").await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (422, "refused".to_owned()));
    assert_eq!(state(&stage, &orphan).await, "waiting");

    stage.clock().advance(std::time::Duration::from_millis(14 * 24 * 3_600_000 - 1));
    assert_eq!(state(&stage, &late).await, "waiting");
    stage.clock().advance(std::time::Duration::from_millis(1));
    assert_eq!(state(&stage, &late).await, "expired");
    for ended in [&rejected, &withdrawn, &late] {
        let answer = decide(&stage.second, ended, "approve").await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (409, "conflict".to_owned()));
    }
    // A third person came and went, which is two entries.
    assert_eq!(stage.log_size().await, size + 2);
    assert!(second_person_needed(&stage).await);
});
