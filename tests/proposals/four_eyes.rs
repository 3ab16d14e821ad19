//! Organizations that let nobody open anything alone.

use serde_json::{Value, json};

use super::{decide, last_entry};
use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::people::PASSWORD;
use crate::world::works::{grant, registration};
use crate::world::{World, both};

/// A holder with a second admin, who both let nobody do it alone from now on, and a confirmed work.
async fn careful(stage: &Stage) -> (Actor, Actor, String) {
    let first = stage.holder("Hoshikuzu Press").await;
    let person = json!({ "label": "second", "role": "admin", "key": { "label": "second" } });
    let added: Value = first.post("/v1/people", &person).await.json();
    let key = added["key"]["secret"].as_str().unwrap().to_owned();
    let second = Actor {
        org: first.org.clone(),
        person: added["person"].as_str().unwrap().to_owned(),
        client: stage.nobody.with_key(&key),
        key,
    };
    let work = stage.confirmed(&first, &registration("星屑", &[&first])).await.work;
    let on: Value = policy(&first, true).await;
    assert_eq!(on, json!({ "second_person": true, "by_installation": false, "off_asked_by": null }));
    (first, second, work)
}

async fn policy(who: &Actor, second_person: bool) -> Value {
    who.client.json("PUT", "/v1/policy", &json!({ "second_person": second_person }), &[]).await.json()
}

both!(a_grant_waits_for_a_colleague_and_what_closes_does_not, async |world: World| {
    let stage = world.stage().await;
    let (first, second, work) = careful(&stage).await;
    let size = stage.log_size().await;
    // A mistake is told now, not to the one who approves.
    let mut wrong = grant(&work);
    wrong["until"] = json!("2001-01-01T00:00:00Z");
    assert_eq!(first.post("/v1/grants", &wrong).await.status, 422);
    let key = fresh_key();
    let proposed = first.post_once("/v1/grants", &grant(&work), &key).await;
    assert_eq!(proposed.status, 202, "{proposed:?}");
    assert_eq!(first.post_once("/v1/grants", &grant(&work), &key).await.body, proposed.body);
    let proposal = proposed.json::<Value>()["proposal"].as_str().unwrap().to_owned();
    assert_eq!(stage.log_size().await, size);
    let listed: Value = second.get("/v1/proposals").await.json();
    assert_eq!(listed["items"][0]["operation"], "recordGrant");
    // Not oneself, with another key either; not others; not a colleague whose key can't.
    let again = first.with_scopes(&["read", "approve"]).await;
    for same in [&first, &again] {
        assert_eq!(decide(same, &proposal, "approve").await.problem(), "not_allowed");
    }
    let stranger = stage.stranger().await;
    assert_eq!(decide(&stranger, &proposal, "approve").await.status, 404);
    assert_eq!(decide(&stage.registrar, &proposal, "approve").await.status, 404);
    let narrow = second.with_scopes(&["read", "permissions:write"]).await;
    assert_eq!(decide(&narrow, &proposal, "approve").await.problem(), "scope_required");
    // Two who approve at once record it once.
    let size = stage.log_size().await;
    let both = futures_util::future::join(
        decide(&second, &proposal, "approve"),
        decide(&second, &proposal, "approve"),
    );
    let (one, other) = both.await;
    assert_eq!((one.status.as_u16(), &one.body), (201, &other.body), "{one:?} {other:?}");
    assert_eq!(stage.log_size().await, size + 1);
    let entry = last_entry(&stage).await;
    assert_eq!(
        entry.by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [first.person.clone(), second.person.clone()]
    );

    // What closes something never waits; taking it back does.
    let denial = first.post("/v1/denials", &json!({ "work": work })).await;
    assert_eq!(denial.status, 201, "{denial:?}");
    let denial = denial.json::<Value>()["denial"].as_str().unwrap().to_owned();
    assert_eq!(first.post(&format!("/v1/denials/{denial}/withdraw"), &json!({})).await.status, 202);
    let granted = one.json::<Value>()["grant"].as_str().unwrap().to_owned();
    let revoked = first.post(&format!("/v1/grants/{granted}/revoke"), &json!({ "from": "on_record" })).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let agent = stage.association("Nakama").await;
    let mandate = json!({
        "agent": agent.org, "works": "any", "powers": ["grant"], "from": "on_record", "until": "open",
        "grants_survive": false,
    });
    assert_eq!(first.post("/v1/mandates", &mandate).await.status, 202);
});

both!(nobody_alone_brings_in_the_second_person_or_switches_it_off, async |world: World| {
    let stage = world.stage().await;
    let alone = stage.holder("Tsukimi Film").await;
    let on = alone.client.json("PUT", "/v1/policy", &json!({ "second_person": true }), &[]).await;
    assert_eq!(on.problem(), "conflict", "nobody could switch it off again");
    let (first, second, work) = careful(&stage).await;
    let person = json!({ "label": "puppet", "role": "admin", "key": { "label": "puppet" } });
    assert_eq!(first.post("/v1/people", &person).await.problem(), "not_allowed");
    let key = json!({ "person": second.person, "label": "theirs" });
    assert_eq!(first.post("/v1/keys", &key).await.problem(), "not_allowed");
    let invite = format!("/v1/people/{}/invitations", second.person);
    assert_eq!(
        first.post(&invite, &json!({ "email": "x@hoshikuzu.example" })).await.problem(),
        "not_allowed"
    );
    // Oneself is no second person.
    let own = format!("/v1/people/{}/invitations", first.person);
    assert_eq!(first.post(&own, &json!({ "email": "first@hoshikuzu.example" })).await.status, 202);
    // One who asks twice is still one; two who ask within 14 days switch it off.
    for _ in 0..2 {
        let asked = policy(&first, false).await;
        assert_eq!((&asked["second_person"], &asked["off_asked_by"]), (&json!(true), &json!(first.person)));
    }
    stage.clock().advance(std::time::Duration::from_hours(14 * 24));
    let late = policy(&second, false).await;
    assert_eq!((&late["second_person"], &late["off_asked_by"]), (&json!(true), &json!(second.person)));
    assert_eq!(first.post("/v1/grants", &grant(&work)).await.status, 202);
    assert_eq!(policy(&first, false).await["second_person"], json!(false));
    assert_eq!(first.post("/v1/grants", &grant(&work)).await.status, 201);
    assert_eq!(first.post("/v1/people", &person).await.status, 201);
});

both!(whoever_approves_in_a_session_needs_a_second_factor, async |world: World| {
    let stage = world.stage().await;
    let first = stage.holder("Hoshikuzu Press").await;
    stage.invited(&first, "admin", "hanako@hoshikuzu.example").await;
    let work = stage.confirmed(&first, &registration("星屑", &[&first])).await.work;
    policy(&first, true).await;
    let proposed: Value = first.post("/v1/grants", &grant(&work)).await.json();
    let path = format!("/v1/proposals/{}/approve", proposed["proposal"].as_str().unwrap());
    let hanako = stage.signed_in("hanako@hoshikuzu.example").await;
    let refused = hanako.client.json("POST", &path, &json!({}), &[("idempotency-key", "a")]).await;
    assert_eq!(refused.problem(), "second_factor_required");
    // Nor is there a way round: no key that may approve, by its own word or by none, and no end of the policy.
    let key = async |path: &str, body: Value| {
        hanako.client.json("POST", path, &body, &[("idempotency-key", &fresh_key())]).await
    };
    for scopes in [json!(["read", "approve"]), json!(["approve"])] {
        let refused = key("/v1/keys", json!({ "label": "approver", "scopes": scopes })).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (403, "second_factor_required".to_owned()));
    }
    assert_eq!(key("/v1/keys", json!({ "label": "all" })).await.problem(), "second_factor_required");
    let off = async || hanako.client.json("PUT", "/v1/policy", &json!({ "second_person": false }), &[]).await;
    assert_eq!(off().await.problem(), "second_factor_required");
    assert_eq!(first.get("/v1/policy").await.json::<Value>()["off_asked_by"], Value::Null);
    assert_eq!(key("/v1/keys", json!({ "label": "reader", "scopes": ["read"] })).await.status, 201);
    let offered = json!({ "password": PASSWORD });
    let offered: Value = hanako.client.json("POST", "/v1/second-factor", &offered, &[]).await.json();
    let code = crate::sign_in::factor::device(&stage, offered["secret"].as_str().unwrap());
    let confirmed = json!({ "code": code });
    assert_eq!(hanako.client.json("POST", "/v1/second-factor/confirm", &confirmed, &[]).await.status, 200);
    let approved = hanako.client.json("POST", &path, &json!({}), &[("idempotency-key", "b")]).await;
    assert_eq!(approved.status, 201, "{approved:?}");
    assert_eq!(key("/v1/keys", json!({ "label": "approver" })).await.status, 201);
    assert_eq!(off().await.json::<Value>()["off_asked_by"], json!(hanako.person));
});

both!(a_session_by_password_alone_brings_in_nobody_who_may_approve, async |world: World| {
    let stage = world.stage().await;
    let first = stage.holder("Hoshikuzu Press").await;
    stage.invited(&first, "admin", "hanako@hoshikuzu.example").await;
    let hanako = stage.signed_in("hanako@hoshikuzu.example").await;
    let add = async |key: Value| {
        let body = json!({ "label": "colleague", "role": "admin", "key": key });
        hanako.client.json("POST", "/v1/people", &body, &[("idempotency-key", &fresh_key())]).await
    };
    assert_eq!(add(json!({ "label": "all" })).await.problem(), "second_factor_required");
    assert_eq!(add(json!({ "label": "reader", "scopes": ["read"] })).await.status, 201);
});
