//! Permission, refusal, and opt-outs.

use serde_json::{Value, json};

use crate::world::works::{grant, id, registration};
use crate::world::{World, both};

both!(a_grant_states_everything, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let whole = grant(&work);
    for field in whole.as_object().unwrap().keys() {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(field);
        let told: Value = holder.post("/v1/grants", &body).await.json();
        assert_eq!(told["errors"][0]["pointer"], json!(format!("/{field}")), "{told}");
        assert_eq!(told["errors"][0]["code"], "missing_field");
    }
    let refused = [
        ("uses", json!({ "only": [] })),
        ("uses", json!({ "only": ["train"] })),
        ("uses", json!("all")),
        ("developers", json!({ "only": [holder.org, holder.org] })),
        ("territories", json!({ "only": ["jp"] })),
        ("from", json!(1_761_523_200_000_i64)),
        ("until", json!("2026-01-01T00:00:00+09:00")),
        ("revocable", json!({ "notice_days": -1 })),
        ("by_location", json!("no")),
        ("conditions", json!(["be nice"])),
        ("extra", json!(1)),
    ];
    for (field, value) in refused {
        let mut body = whole.clone();
        body[field] = value;
        let answer = holder.post("/v1/grants", &body).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid_body".into()), "{body}");
    }
    // Broken by the rules: all at once, each with its place in the body.
    let mut body = whole.clone();
    body["developers"] = json!({ "only": [holder.org] });
    body["from"] = json!("2025-10-26T00:00:00Z");
    body["until"] = json!("2025-10-25T00:00:00Z");
    let told: Value = holder.post("/v1/grants", &body).await.json();
    let places: Vec<_> =
        told["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(told["code"], "refused");
    for place in ["/from", "/until"] {
        assert!(places.contains(&place), "{told}");
    }
    assert!(places.iter().any(|place| place.starts_with("/developers")), "{told}");
    assert_eq!(stage.stranger().await.post("/v1/grants", &whole).await.status, 403);
    assert_eq!(stage.registrar.post("/v1/grants", &whole).await.status, 403);
});

both!(a_grant_is_its_parties_secret_and_ends_as_its_terms_allow, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let (developer, rival) = (stage.developer("Kasane Labs").await, stage.developer("Rival").await);
    let auditor = stage.auditor().await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let mut body = grant(&work);
    body["developers"] = json!({ "only": [developer.org] });
    body["revocable"] = json!({ "notice_days": 30 });
    body["until"] = json!("2026-10-27T00:00:00Z");
    let recorded = holder.post("/v1/grants", &body).await;
    let path = recorded.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(path, format!("/v1/grants/{}", id(&recorded, "grant")));
    for who in [&holder, &developer, &auditor, &stage.registrar] {
        let read = who.get(&path).await;
        assert_eq!(read.headers["etag"], recorded.headers["etag"]);
        let view: Value = read.json();
        assert_eq!((&view["state"], &view["until"]), (&json!("in_term"), &json!("2026-10-27T00:00:00Z")));
        assert_eq!(view["revocable"], json!({ "notice_days": 30 }));
        let listed: Value = who.get(&format!("/v1/grants?work={work}")).await.json();
        assert_eq!(listed["items"], json!([view]));
    }
    assert_eq!(rival.get(&path).await.status, 404);
    for uri in ["/v1/grants".to_owned(), format!("/v1/grants?work={work}")] {
        assert_eq!(rival.get(&uri).await.json::<Value>()["items"], json!([]));
    }
    assert_eq!(stage.state_of(&developer, &work, "train.finetune").await["state"], "granted");
    assert_eq!(stage.state_of(&rival, &work, "train.finetune").await["state"], "not_permitted");

    let revoke = format!("{path}/revoke");
    assert_eq!(developer.post(&revoke, &json!({ "from": "on_record" })).await.status, 403);
    let soon = holder.post(&revoke, &json!({ "from": "on_record" })).await;
    assert_eq!(soon.json::<Value>()["errors"][0]["code"], "too_soon");
    let revoked = holder.post(&revoke, &json!({ "from": "2025-11-26T00:00:00Z" })).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    let view = developer.get(&path).await;
    assert_eq!(view.headers["etag"], revoked.headers["etag"]);
    assert_eq!(view.json::<Value>()["state"], "in_term");
    stage.clock().advance(std::time::Duration::from_hours(720));
    assert_eq!(developer.get(&path).await.json::<Value>()["state"], "revoked");
    assert_eq!(stage.state_of(&developer, &work, "train.finetune").await["state"], "not_permitted");
});

both!(lists_come_in_pages_the_newest_first, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let developer = stage.developer("Kasane Labs").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let mut made = Vec::new();
    for number in 0..5 {
        let mut body = grant(&work);
        if number % 2 == 0 {
            body["developers"] = json!({ "only": [developer.org] });
        }
        made.push(id(&holder.post("/v1/grants", &body).await, "grant"));
    }
    made.reverse();
    for (who, filter) in [
        (&holder, String::new()),
        (&developer, String::new()),
        (&stage.registrar, String::new()),
        (&holder, format!("&work={work}")),
    ] {
        let (mut found, mut uri) = (Vec::new(), format!("/v1/grants?limit=2{filter}"));
        loop {
            let page: Value = who.get(&uri).await.json();
            found.extend(
                page["items"].as_array().unwrap().iter().map(|it| it["grant"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else { break };
            uri = format!("/v1/grants?limit=2{filter}&cursor={next}");
        }
        assert_eq!(found, made);
    }
});

both!(a_denial_may_leave_anything_out_and_overrides, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let developer = stage.developer("Kasane Labs").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    assert_eq!(holder.post("/v1/grants", &grant(&work)).await.status, 201);
    let denied = holder.post("/v1/denials", &json!({ "work": work, "uses": { "only": ["train"] } })).await;
    let path = denied.headers["location"].to_str().unwrap().to_owned();
    let view: Value = developer.get(&path).await.json();
    assert_eq!(
        (&view["state"], &view["until"], &view["developers"]),
        (&json!("standing"), &json!("open"), &json!("any"))
    );
    let state = stage.state_of(&developer, &work, "train.finetune").await;
    assert_eq!(state["state"], "denied");
    assert!(state["words"]["en"].as_str().unwrap().contains("refuses"), "{state}");
    assert_eq!(stage.stranger().await.post(&format!("{path}/withdraw"), &json!({})).await.status, 403);
    assert_eq!(holder.post(&format!("{path}/withdraw"), &json!({})).await.status, 200);
    assert_eq!(holder.post(&format!("{path}/withdraw"), &json!({})).await.problem(), "refused");
    assert_eq!(holder.get(&path).await.json::<Value>()["state"], "withdrawn");
    assert_eq!(stage.state_of(&developer, &work, "train.finetune").await["state"], "granted");
    let secret = json!({ "work": work, "developers": { "only": [developer.org] } });
    let secret = id(&holder.post("/v1/denials", &secret).await, "denial");
    assert_eq!(stage.developer("Rival").await.get(&format!("/v1/denials/{secret}")).await.status, 404);
    let listed: Value = developer.get("/v1/denials").await.json();
    assert_eq!(listed["items"][0]["denial"], json!(secret));
});

both!(an_agent_acts_within_its_mandate, async |world: World| {
    let stage = world.stage().await;
    let (holder, agent) = (stage.holder("Hoshikuzu Press").await, stage.association("Association").await);
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let mut body = grant(&work);
    body["on_behalf_of"] = json!(holder.org);
    let refused = agent.post("/v1/grants", &body).await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (403, "not_allowed".to_owned()));
});
