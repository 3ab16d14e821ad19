//! One JSON request.

use serde_json::{Value, json};

use super::scene::{Scene, catalogue, codes, post, training, url, verdicts};
use crate::world::works::{grant, registration};
use crate::world::{World, both};

const PAGE: &str = "https://hoshikuzu.example/library/1";

both!(every_form_of_an_item_is_answered_in_its_place, async |world: World| {
    let scene = Scene::open(&world).await;
    let digest = kyodaku::domain::key::Sha256::of(b"a page");
    let keys = [url(PAGE), catalogue("4711"), kyodaku::domain::key::Key::sha256(digest)];
    let work = scene.work(&keys).await;
    scene.grant(work).await;
    let answer = scene
        .check(json!([
            { "url": "HTTPS://hoshikuzu.example:443/library/./1#top", "reference": "a" },
            { "url": "https://hoshikuzu.example/library/2", "reference": "b" },
            { "work": work.to_string(), "reference": "a" },
            { "sha256": digest.to_string().to_uppercase() },
            { "id": { "scheme": "catalogue", "value": "4711" } },
            { "keys": [{ "type": "url", "value": PAGE }, { "type": "id", "scheme": "catalogue", "value": "4711" }] },
            { "keys": [{ "type": "url", "value": PAGE }, { "type": "id", "scheme": "catalogue", "value": "0" }] },
            { "url": PAGE },
        ]))
        .await;
    assert_eq!(verdicts(&answer), [true, false, true, true, true, true, true, true]);
    let items = answer["items"].as_array().unwrap();
    assert_eq!([&items[0]["reference"], &items[1]["reference"], &items[2]["reference"]], ["a", "b", "a"]);
    assert!(items[3].get("reference").is_none());
    assert_eq!(items[0]["keys"], json!([{ "type": "url", "value": PAGE }]), "the normal form is answered");
    assert_eq!(items[0]["matched"], json!([work.to_string()]));
    assert_eq!(items[0]["uses"][0]["conditions"], json!(["credit"]));
    assert_eq!(items[0]["uses"][0]["terms"].as_array().unwrap().len(), 1);
    assert_eq!(codes(&items[1]), ["not_registered"]);
    assert_eq!((&answer["permitted"], &answer["not_permitted"]), (&json!(7), &json!(1)));
    assert_eq!(answer["log_size"], scene.stage.log_size().await);
    assert_eq!(
        (&answer["valid_until"], &answer["recheck_by"]),
        (&Value::Null, &json!("2025-10-28T00:00:00Z"))
    );
});

both!(an_item_says_otherwise_than_the_context, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[url(PAGE)]).await;
    let model = scene.developer.model("Kasane One").await;
    let mut grant = scene.grant_to(&scene.developer, work);
    grant.models = kyodaku::domain::scope::Scope::Only(vec![model.parse().unwrap()]);
    grant.territories = kyodaku::domain::scope::Scope::Only(vec!["JP".parse().unwrap()]);
    scene.submit(&[&scene.holder], vec![grant.into()]).await;
    let context = json!({ "uses": ["train.generative"], "model": model, "territory": "JP" });
    let answer = scene
        .ask(
            context,
            json!([
                { "url": PAGE },
                { "url": PAGE, "uses": ["train.generative", "search"] },
                { "url": PAGE, "model": null },
                { "url": PAGE, "territory": null },
                { "url": PAGE, "territory": "US" },
                { "url": PAGE, "with_parts": true },
                { "url": PAGE, "model": "mdl_01h455vb4pex5vsknk084sn02q" },
            ]),
        )
        .await
        .json::<Value>();
    assert_eq!(verdicts(&answer), [true, false, false, false, false, true, false]);
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items[1]["uses"][0]["verdict"], "permitted");
    assert_eq!(items[1]["uses"][1]["reasons"][0]["code"], "use_not_covered");
    assert_eq!([codes(&items[2]), codes(&items[3])].concat(), ["model_not_covered", "territory_not_covered"]);
    assert!(items[2].get("model").is_none() && items[0]["model"] == json!(model));
});

both!(an_item_that_can_not_be_read_is_refused_alone, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[url(PAGE)]).await;
    scene.grant(work).await;
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    let long = "x".repeat(9_000);
    let broken = [
        r#"{"url":"not a url"}"#.to_owned(),
        r#"{"url":"file:///etc/passwd"}"#.to_owned(),
        r#"{"url":"https://user:secret@a.example/"}"#.to_owned(),
        format!(r#"{{"url":"https://a.example/{long}"}}"#),
        r#"{"keys":[{"type":"title","value":"Hoshikuzu"}]}"#.to_owned(),
        r#"{"keys":[{"type":"url_prefix","value":"https://hoshikuzu.example/"}]}"#.to_owned(),
        r#"{"keys":[]}"#.to_owned(),
        format!(r#"{{"keys":[{}]}}"#, vec![r#"{"type":"id","scheme":"a","value":"b"}"#; 17].join(",")),
        r#"{"keys":[{"type":"work","id":"wrk_1"}]}"#.to_owned(),
        r#"{"keys":[{"type":"url","value":"https://a.example/","scheme":"x"}]}"#.to_owned(),
        format!(r#"{{"url":"{PAGE}","uses":["train.everything"]}}"#),
        format!(r#"{{"url":"{PAGE}","uses":[]}}"#),
        format!(r#"{{"url":"{PAGE}","uses":["search","search"]}}"#),
        format!(r#"{{"url":"{PAGE}","model":"my model"}}"#),
        format!(r#"{{"url":"{PAGE}","territory":"Japan"}}"#),
        format!(r#"{{"url":"{PAGE}","url":"{PAGE}"}}"#),
        format!(r#"{{"url":"{PAGE}","work":"{work}"}}"#),
        format!(r#"{{"url":"{PAGE}","pemitted":true}}"#),
        format!(r#"{{"url":"{PAGE}","reference":"{}"}}"#, "r".repeat(257)),
        format!(r#"{{"url":"{PAGE}","with_parts":"yes"}}"#),
        r#"{"id":{"scheme":"ISAN","value":"1"}}"#.to_owned(),
        r#"{"id":{"scheme":"isan","value":"1\u0000\u202e"}}"#.to_owned(),
        r#"{"sha256":"abc"}"#.to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        "17".to_owned(),
        "1e999".to_owned(),
        r#""https://hoshikuzu.example/library/1""#.to_owned(),
        deep,
    ];
    let good = format!(r#"{{"url":"{PAGE}","reference":"{}"}}"#, "許".repeat(256));
    let items = broken.iter().flat_map(|item| [item.as_str(), &good]).collect::<Vec<_>>().join(",");
    let body = format!(r#"{{"context":{{"uses":["train.generative"]}},"items":[{items}]}}"#);
    let answer = post(&scene.developer, "/v1/checks", "application/json", body).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let answer: Value = answer.json();
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 2 * broken.len(), "one answer for every item");
    for (at, pair) in items.chunks(2).enumerate() {
        let asked: String = broken[at].chars().take(120).collect();
        assert!(
            pair[0]["error"].is_string() && pair[0]["verdict"] == "not_permitted",
            "{asked}: {}",
            pair[0]
        );
        assert!(pair[0]["error"].as_str().unwrap().len() < 1_000, "{asked}");
        assert_eq!(pair[1]["verdict"], "permitted", "beside {asked}");
    }
    let kept = r#"[{"url":"nothing","reference":"mine"},{"what":1,"reference":"mine too"}]"#;
    let answer = scene.check(serde_json::from_str(kept).unwrap()).await;
    assert_eq!([&answer["items"][0]["reference"], &answer["items"][1]["reference"]], ["mine", "mine too"]);
});

both!(a_broken_envelope_fails_as_a_whole, async |world: World| {
    let scene = Scene::open(&world).await;
    let size = scene.stage.log_size().await;
    let one = json!([{ "url": PAGE }]);
    for (context, items, pointer) in [
        (json!({ "uses": [] }), one.clone(), "/context/uses"),
        (json!({ "uses": ["search", "search"] }), one.clone(), "/context/uses"),
        (json!({ "uses": ["train"] }), one.clone(), "/context/uses/0"),
        (json!({ "uses": ["search"], "model": "x" }), one.clone(), "/context/model"),
        (json!({ "uses": ["search"], "territory": "ZZ" }), one.clone(), "/context/territory"),
        (json!({ "uses": ["search"], "parts": true }), one.clone(), "/context/parts"),
        (json!({}), one.clone(), "/context/uses"),
        (training(), json!([]), "/items"),
        (training(), json!(vec![json!({ "url": PAGE }); 10_001]), "/items"),
        (training(), json!({ "url": PAGE }), "/items"),
    ] {
        let answer = scene.ask(context.clone(), items).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (422, "invalid_body".to_owned()), "{context}");
        assert_eq!(answer.json::<Value>()["errors"][0]["pointer"], pointer, "{context}");
    }
    let twice = r#"{"context":{"uses":["search"]},"context":{"uses":["search"]},"items":[{"url":"https://a.example/"}]}"#;
    // The members of an object in a list, in the order in which a program happens to declare them.
    let listed = r#"[{"uses":["search"]},[{"url":"https://a.example/"}]]"#;
    let bodies = [("{", 400), ("", 400), (twice, 422), ("[]", 422), (listed, 422)];
    for (body, status) in bodies {
        let answer = post(&scene.developer, "/v1/checks", "application/json", body).await;
        assert_eq!(answer.status, status, "{body}");
    }
    let answer = post(&scene.developer, "/v1/checks", "text/plain", "x").await;
    assert_eq!(answer.status, 415);
    let large = vec![b' '; (16 << 20) + 1];
    let answer = post(&scene.developer, "/v1/checks", "application/json", large).await;
    assert_eq!(answer.status, 413);
    let body = json!({ "context": training(), "items": one });
    let answer = scene.developer.client.json("POST", "/v1/checks?at_least=99999", &body, &[]).await;
    assert_eq!((answer.status.as_u16(), answer.problem()), (503, "not_caught_up".to_owned()));
    let seen = format!("/v1/checks?at_least={size}");
    assert_eq!(scene.developer.client.json("POST", &seen, &body, &[]).await.status, 200);
    assert_eq!(scene.stage.log_size().await, size, "checks are no acts");
});

both!(ten_thousand_items_and_duplicates_are_answered_one_by_one, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    scene.grant(work).await;
    let item = |at: usize| json!({ "id": { "scheme": "catalogue", "value": (at % 10).to_string() }, "reference": at.to_string() });
    let answer = scene.check((0..10_000).map(item).collect()).await;
    let items = answer["items"].as_array().unwrap();
    assert_eq!((items.len(), &answer["permitted"]), (10_000, &json!(1_000)));
    for (at, item) in items.iter().enumerate() {
        assert_eq!(item["reference"], at.to_string());
        assert_eq!(item["verdict"] == "permitted", at % 10 == 7, "{at}");
    }
});

both!(a_competitors_licence_does_not_show, async |world: World| {
    let scene = Scene::open(&world).await;
    let (licensed, plain) = (scene.work(&[catalogue("1")]).await, scene.work(&[catalogue("2")]).await);
    let grant = scene.grant_to(&scene.competitor, licensed);
    scene.submit(&[&scene.holder], vec![grant.into()]).await;
    let items = json!([{ "work": licensed.to_string() }, { "work": plain.to_string() }]);
    let mut answer = scene.check(items.clone()).await;
    let shown = |answer: &Value, at: usize| answer["items"][at]["uses"].to_string();
    let same = shown(&answer, 0).replace(&licensed.to_string(), &plain.to_string());
    assert_eq!(same, shown(&answer, 1), "a work with a secret licence looks like one without");
    assert_eq!(codes(&answer["items"][0]), ["no_grant"]);
    let body = json!({ "context": training(), "items": items });
    answer = scene.competitor.client.json("POST", "/v1/checks", &body, &[]).await.json();
    assert_eq!(verdicts(&answer), [true, false]);
});

both!(only_a_verified_developer_asks, async |world: World| {
    let scene = Scene::open(&world).await;
    let body = json!({ "context": training(), "items": [{ "url": PAGE }] });
    let auditor = scene.stage.auditor().await;
    let unverified = scene.stage.unverified().await;
    let suspended = scene.stage.suspended().await;
    let no_scope = scene.developer.with_scopes(&["read"]).await;
    for (actor, code) in [
        (&scene.holder, "role_required"),
        (&auditor, "role_required"),
        (&scene.stage.registrar, "role_required"),
        (&unverified, "not_verified"),
        (&suspended, "not_verified"),
        (&no_scope, "scope_required"),
    ] {
        for path in ["/v1/checks", "/access/v1/evaluation", "/access/v1/evaluations", "/api/v2/query/urls/"] {
            let answer = actor.client.json("POST", path, &body, &[]).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (403, code.to_owned()), "{path}");
        }
    }
    assert_eq!(scene.stage.nobody.json("POST", "/v1/checks", &body, &[]).await.status, 401);
});

both!(reasons_are_told_in_the_language_asked_for, async |world: World| {
    let scene = Scene::open(&world).await;
    let body = json!({ "context": training(), "items": [{ "url": PAGE }, { "url": PAGE }] });
    for (accepted, lang) in [("ja,en;q=0.5", "ja"), ("en", "en"), ("fr", "en")] {
        let answer =
            scene.developer.client.json("POST", "/v1/checks", &body, &[("accept-language", accepted)]).await;
        assert_eq!(answer.headers["content-language"], lang);
        let words = answer.json::<Value>()["words"].clone();
        assert_eq!(words.as_array().unwrap().len(), 1, "each code once");
        assert_eq!(words[0]["code"], "not_registered");
        assert_eq!(words[0]["text"].as_str().unwrap().is_ascii(), lang == "en", "{words}");
    }
});

both!(another_key_beside_an_address_does_not_widen_what_the_address_may_be_used_for, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let developer = stage.developer("Kasane Labs").await;
    let mut body = registration("星屑", &[&holder]);
    body["keys"] = json!([{ "type": "url_prefix", "value": "https://hoshikuzu.example/library" }]);
    let work = stage.confirmed(&holder, &body).await.work;
    let mut elsewhere = grant(&work);
    elsewhere["by_location"] = json!(false);
    assert_eq!(holder.post("/v1/grants", &elsewhere).await.status, 201);
    let (page, id) = (
        json!({ "type": "url", "value": "https://hoshikuzu.example/library/1" }),
        json!({ "type": "work", "id": work }),
    );
    for (keys, verdict) in [
        (json!([id]), "permitted"),
        (json!([page]), "not_permitted"),
        (json!([page, id]), "not_permitted"),
        (json!([id, page]), "not_permitted"),
    ] {
        let check = json!({ "context": { "uses": ["train.finetune"] }, "items": [{ "keys": keys }] });
        let answer: Value = developer.post("/v1/checks", &check).await.json();
        assert_eq!(answer["items"][0]["verdict"], verdict, "{keys}: {answer}");
    }
});
