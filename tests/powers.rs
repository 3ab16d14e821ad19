//! Memberships and mandates, through the face for machines.

use serde_json::{Value, json};

use crate::world::{World, both};

both!(a_membership_takes_both_sides_and_is_theirs_to_see, async |world: World| {
    let stage = world.stage().await;
    let (holder, union) = (stage.holder("Hoshikuzu Press").await, stage.association("Sosaku Rengo").await);
    let stranger = stage.stranger().await;
    let body = json!({ "member": holder.org, "association": union.org });
    // Not by a third, and not of one that can't be an association.
    assert_eq!(stranger.post("/v1/memberships", &body).await.problem(), "not_allowed");
    let wrong = json!({ "member": union.org, "association": holder.org });
    let wrong = holder.post("/v1/memberships", &wrong).await;
    assert_eq!(wrong.problem(), "not_allowed", "{wrong:?}");
    let pointers: Vec<_> =
        wrong.json::<Value>()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/member", "/association", ""]);

    let offered = holder.post("/v1/memberships", &body).await;
    assert_eq!(offered.status, 201, "{offered:?}");
    let path = offered.headers["location"].to_str().unwrap().to_owned();
    let accept = format!("{path}/accept");
    assert_eq!(holder.post(&accept, &json!({})).await.problem(), "not_allowed");
    for hidden in [stranger.get(&path).await, stranger.post(&accept, &json!({})).await] {
        assert_eq!((hidden.status.as_u16(), hidden.problem()), (404, "not_found".to_owned()));
    }
    assert_eq!(union.post(&accept, &json!({})).await.status, 200);
    assert_eq!(union.post(&accept, &json!({})).await.problem(), "refused");
    let seen: Value = union.get(&path).await.json();
    assert_eq!((&seen["state"], &seen["offered_by"]), (&json!("accepted"), &json!(holder.org)));
    assert!(stranger.get("/v1/memberships").await.json::<Value>()["items"].as_array().unwrap().is_empty());
    assert_eq!(holder.get("/v1/memberships").await.json::<Value>()["items"], json!([seen]));
    assert_eq!(holder.post(&format!("{path}/end"), &json!({})).await.status, 200);
    assert_eq!(union.get(&path).await.json::<Value>()["state"], "ended");
});

both!(a_mandate_states_everything_and_ends_by_time_or_word, async |world: World| {
    let stage = world.stage().await;
    let (holder, agent) = (stage.holder("Hoshikuzu Press").await, stage.association("Sosaku Rengo").await);
    let stranger = stage.stranger().await;
    let body = json!({
        "agent": agent.org, "works": "any", "powers": ["grant", "deny"], "from": "on_record",
        "until": "2025-10-28T00:00:00Z", "grants_survive": false,
    });
    for field in ["agent", "works", "powers", "from", "until", "grants_survive"] {
        let mut less = body.clone();
        less.as_object_mut().unwrap().remove(field);
        let answer = holder.post("/v1/mandates", &less).await;
        assert_eq!(answer.problem(), "invalid_body", "{field}");
        assert_eq!(answer.json::<Value>()["errors"][0]["pointer"], format!("/{field}"));
    }
    let mut bad = body.clone();
    bad["until"] = json!("2025-10-26T00:00:00Z");
    bad["agent"] = json!(holder.org);
    let refused = holder.post("/v1/mandates", &bad).await;
    assert_eq!(refused.problem(), "refused");
    let pointers: Vec<_> =
        refused.json::<Value>()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert!(pointers.contains(&json!("/agent")) && pointers.contains(&json!("/until")), "{pointers:?}");

    let given = holder.post("/v1/mandates", &body).await;
    assert_eq!(given.status, 201, "{given:?}");
    let path = given.headers["location"].to_str().unwrap().to_owned();
    let seen: Value = agent.get(&path).await.json();
    assert_eq!((&seen["in_force"], &seen["from"]), (&json!(true), &json!("2025-10-27T00:00:00Z")));
    assert_eq!(stranger.get(&path).await.status, 404);
    assert_eq!(stranger.post(&format!("{path}/end"), &json!({})).await.status, 404);
    stage.clock().advance(std::time::Duration::from_hours(24));
    assert_eq!(agent.get(&path).await.json::<Value>()["in_force"], json!(false));
    for _ in 0..2 {
        let mut open = body.clone();
        open["until"] = json!("open");
        assert_eq!(holder.post("/v1/mandates", &open).await.status, 201);
    }
    let page: Value = agent.get("/v1/mandates?limit=2").await.json();
    let rest: Value =
        agent.get(&format!("/v1/mandates?cursor={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((page["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 1));
    assert_eq!(rest["items"][0]["until"], "open");
    assert_eq!(agent.post(&format!("{path}/end"), &json!({})).await.status, 200);
    assert_eq!(holder.post(&format!("{path}/end"), &json!({})).await.problem(), "refused");
});
