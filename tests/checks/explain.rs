//! Explanations: hypotheses for those who may have them.

use std::time::Duration;

use kyodaku::domain::act::DenialRecorded;
use serde_json::{Value, json};

use super::scene::{Scene, catalogue, codes, training};
use crate::world::actors::Actor;
use crate::world::client::Answer;
use crate::world::{START_MS, World, both};

async fn explain(actor: &Actor, body: Value) -> Answer {
    actor.client.json("POST", "/v1/explanations", &body, &[]).await
}

fn about(value: &str, more: Value) -> Value {
    let mut body =
        json!({ "context": training(), "item": { "id": { "scheme": "catalogue", "value": value } } });
    let Value::Object(more) = more else { panic!("an object is added") };
    body.as_object_mut().unwrap().extend(more);
    body
}

fn found(answer: &Value) -> Vec<String> {
    answer["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["found"].as_str().unwrap().to_owned())
        .collect()
}

both!(the_past_and_the_future_are_answered_from_their_log, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    let before = scene.stage.log_size().await;
    scene.stage.clock().advance(Duration::from_hours(1));
    let grant = scene.grant(work).await;
    let granted = scene.stage.log_size().await;
    scene.stage.clock().advance(Duration::from_hours(1));
    scene.revoke(grant).await;
    let ask = async |more: Value| explain(&scene.developer, about("7", more)).await.json::<Value>();

    let now = ask(json!({})).await;
    assert_eq!((&now["hypothetical"], &now["view"]), (&json!(true), &json!("developer")));
    assert_eq!(codes(&now["item"]), ["revoked"]);
    assert_eq!(now["log_size"], granted + 1);
    assert_eq!(found(&now), ["developer_stands", "matches", "missed"]);
    assert_eq!((&now["steps"][2]["rule"], &now["steps"][2]["code"]), (&json!("R12"), &json!("revoked")));

    let then = ask(json!({ "as_of": { "log_size": granted } })).await;
    assert_eq!(
        (&then["item"]["verdict"], &then["at"]),
        (&json!("permitted"), &json!("2025-10-27T01:00:00Z"))
    );
    assert_eq!(found(&then), ["developer_stands", "matches", "covered"]);
    assert_eq!(then["steps"][2]["entries"], json!([granted - 1]));
    assert_eq!(codes(&ask(json!({ "as_of": { "log_size": before } })).await["item"]), ["no_grant"]);
    let unopened = ask(json!({ "as_of": { "log_size": 0 } })).await;
    assert_eq!(
        (&unopened["rule_version"], &unopened["item"]["verdict"]),
        (&json!(0), &json!("not_permitted"))
    );

    for (moment, permitted) in [
        ("2025-10-27T00:59:59.999Z", false),
        ("2025-10-27T01:00:00Z", true),
        ("2025-10-27T10:30:00+09:00", true),
        ("2025-10-27T01:59:59.999Z", true),
        ("2025-10-27T02:00:00Z", false),
        ("2030-01-01T00:00:00Z", false),
        ("1999-01-01T00:00:00Z", false),
    ] {
        let answer = ask(json!({ "as_of": { "moment": moment } })).await;
        assert_eq!(answer["item"]["verdict"] == "permitted", permitted, "{moment}: {answer}");
    }
    let earlier = ask(json!({ "as_of": { "log_size": granted }, "at": "2025-10-27T00:30:00Z" })).await;
    assert_eq!(codes(&earlier["item"]), ["not_yet_effective"], "prior: no grant reaches back");
    let size = scene.stage.log_size().await;
    let beyond = explain(&scene.developer, about("7", json!({ "as_of": { "log_size": size + 1 } }))).await;
    assert_eq!((beyond.status.as_u16(), beyond.problem()), (422, "invalid_body".to_owned()));
    assert_eq!(beyond.json::<Value>()["errors"][0]["pointer"], "/as_of/log_size");
    assert_eq!(START_MS, 1_761_523_200_000, "the moments above are those of the story");
});

both!(only_those_whom_it_concerns_may_ask, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    let grant = scene.grant_to(&scene.competitor, work);
    scene.submit(&[&scene.holder], vec![grant.into()]).await;
    let other = scene.stage.holder("Tsukiyo Studio").await;
    let auditor = scene.stage.auditor().await;
    let body = |actor: &Actor| about("7", json!({ "developer": actor.org }));

    let own = explain(&scene.developer, body(&scene.developer)).await.json::<Value>();
    assert_eq!(codes(&own["item"]), ["no_grant"]);
    assert_eq!(own["steps"][2]["code"], "no_grant", "a competitor's licence does not show: {own}");
    assert!(own["steps"][2].get("entries").is_none() && !own.to_string().contains(&scene.competitor.org));
    for (actor, about) in
        [(&scene.developer, &scene.competitor), (&other, &scene.developer), (&scene.holder, &scene.holder)]
    {
        let answer = explain(actor, body(about)).await;
        let seen = answer.status == 200;
        assert_eq!(seen, actor.org == scene.holder.org, "{answer:?}");
    }
    for actor in [&scene.holder, &auditor, &scene.stage.registrar] {
        let answer = explain(actor, body(&scene.developer)).await.json::<Value>();
        assert_eq!(
            (&answer["view"], codes(&answer["item"])),
            (&json!("all"), vec!["developer_not_covered".to_owned()])
        );
        let theirs = explain(actor, body(&scene.competitor)).await.json::<Value>();
        assert_eq!(theirs["item"]["verdict"], "permitted");
    }
    // A key that is tied to another's work too is another's secret.
    scene.work_of(&other, &[catalogue("7"), catalogue("8")]).await;
    assert_eq!(explain(&other, body(&scene.developer)).await.status, 404);
    let its_own = explain(&other, about("8", json!({ "developer": scene.developer.org }))).await;
    assert_eq!(its_own.status, 200);
    assert_eq!(explain(&other, about("0", json!({ "developer": scene.developer.org }))).await.status, 404);
});

both!(denials_and_unreadable_questions_are_explained, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    scene.grant(work).await;
    let denial = DenialRecorded {
        denial: scene.id(),
        work,
        parts: None,
        uses: None,
        developers: None,
        models: None,
        territories: None,
        from: None,
        until: None,
    };
    scene.submit(&[&scene.holder], vec![denial.into()]).await;
    let journal = kyodaku::store::heads::checks_log("a");
    let answer = explain(&scene.developer, about("7", json!({}))).await;
    let answer: Value = answer.json();
    assert_eq!(found(&answer), ["developer_stands", "matches", "denied", "covered"]);
    assert_eq!(answer["steps"][2]["rule"], "R9");
    assert!(answer["steps"][2]["text"].as_str().unwrap().contains(&scene.holder.org), "{answer}");
    let ja = scene
        .developer
        .client
        .json("POST", "/v1/explanations", &about("7", json!({})), &[("accept-language", "ja")])
        .await;
    assert!(ja.json::<Value>()["steps"][2]["text"].as_str().unwrap().contains("拒否"));
    let head = kyodaku::store::heads::read(scene.stage.registry.db(), &journal).await.unwrap();
    assert!(head.is_none_or(|head| head.size() == 0), "an explanation is not journaled");

    let unreadable = json!({ "context": training(), "item": { "url": "nothing" } });
    let answer = explain(&scene.developer, unreadable).await;
    assert_eq!(
        (answer.status.as_u16(), answer.json::<Value>()["errors"][0]["pointer"].clone()),
        (422, json!("/item"))
    );
    for (more, pointer) in [
        (json!({ "at": "yesterday" }), "/at"),
        (json!({ "at": "1969-12-31T23:59:59Z" }), "/at"),
        (json!({ "as_of": { "size": 1 } }), "/as_of"),
        (json!({ "developer": "org_1" }), "/developer"),
    ] {
        let answer = explain(&scene.developer, about("7", more.clone())).await;
        assert_eq!(answer.status, 422, "{more}");
        assert_eq!(answer.json::<Value>()["errors"][0]["pointer"], pointer, "{answer:?}");
    }
});
