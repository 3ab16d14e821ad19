//! Permission, refusal, and opt-outs.

use axum::http::HeaderValue;
use serde_json::{Value, json};

use crate::world::actors::Actor;
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

/// The record and the position of a work as somebody reads them, with their tags, but for how long the log is.
async fn as_read_by(who: &Actor, path: &str) -> Vec<(Option<HeaderValue>, Value)> {
    let mut told = Vec::new();
    for uri in [path.to_owned(), format!("{path}/position")] {
        let read = who.get(&uri).await;
        let mut body: Value = read.json();
        body.as_object_mut().unwrap().remove("log_size");
        if let Some(work) = body["work"].as_object_mut() {
            work.remove("log_size");
        }
        told.push((read.headers.get("etag").cloned(), body));
    }
    told
}

both!(a_work_says_nothing_of_acts_that_are_others_secret, async |world: World| {
    let stage = world.stage().await;
    let (holder, next) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let (developer, rival) = (stage.developer("Kasane Labs").await, stage.developer("Rival").await);
    let made = stage.confirmed(&holder, &registration("星屑", &[&holder])).await;
    let path = format!("/v1/works/{}", made.work);
    let before = as_read_by(&rival, &path).await;
    let for_one = json!({ "only": [developer.org] });
    let mut granted = grant(&made.work);
    granted["developers"] = for_one.clone();
    let denied = json!({ "work": made.work, "developers": for_one });
    let offered = json!({ "to": next.org });
    let offer = format!("/v1/holdings/{}/transfers", made.holdings[0]);
    for (uri, body, back, how) in [
        ("/v1/grants", granted, "revoke", json!({ "from": "on_record" })),
        ("/v1/denials", denied, "withdraw", json!({})),
        (&offer, offered, "withdraw", json!({})),
    ] {
        let told = holder.post(uri, &body).await;
        assert_eq!(told.status, 201, "{told:?}");
        assert_eq!(as_read_by(&rival, &path).await, before, "after {uri}");
        let location = told.headers["location"].to_str().unwrap();
        let back = holder.post(&format!("{location}/{back}"), &how).await;
        assert_eq!(back.status, 200, "{back:?}");
        assert_eq!(as_read_by(&rival, &path).await, before, "after {location} ended");
    }
    // What was seen of the record is still what stands there.
    let seen = before[0].0.clone().unwrap().to_str().unwrap().to_owned();
    let amended = json!({ "kind": "comic", "titles": [{ "text": "星屑", "lang": "ja" }] });
    let amended = holder.send("PATCH", &path, &amended, &[("if-match", &seen)]).await;
    assert_eq!(amended.status, 200, "{amended:?}");
    // What everybody may read moves the tag.
    let key = json!({ "key": { "type": "url", "value": "https://hoshikuzu.example/1" } });
    let bound = holder.post(&format!("{path}/bindings"), &key).await;
    let tag = as_read_by(&rival, &path).await[0].0.clone();
    assert_eq!(tag.as_ref(), bound.headers.get("etag"), "{bound:?}");
    let gone = holder.post(&format!("/v1/holdings/{}/relinquish", made.holdings[0]), &json!({})).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_ne!(as_read_by(&rival, &path).await[0].0, tag);
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
