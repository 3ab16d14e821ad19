//! A request with several mistakes is answered once, with all of them, each in its place; and nothing is recorded.

use serde_json::{Value, json};

use crate::world::actors::{Actor, fresh_key};
use crate::world::client::Answer;
use crate::world::works::registration;
use crate::world::{World, both};

/// The places of a refused body, with their codes.
fn places(answer: &Answer) -> Vec<(String, String)> {
    let told: Value = answer.json();
    assert_eq!((answer.status.as_u16(), &told["code"]), (422, &json!("invalid_body")), "{told}");
    let errors = told["errors"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    errors.map(|error| (text(&error["pointer"]), text(&error["code"]))).collect()
}

async fn refused(who: &Actor, uri: &str, body: &Value, expected: &[(&str, &str)]) {
    let answer = who.post(uri, body).await;
    let found = places(&answer);
    let found: Vec<_> = found.iter().map(|(place, code)| (place.as_str(), code.as_str())).collect();
    assert_eq!(found, expected, "{uri}");
}

/// A registration that is wrong in fields of every kind, and all the places.
fn wrong(holder: &Actor) -> (Value, [(&'static str, &'static str); 8]) {
    let mut body = registration("星屑", &[holder]);
    body["titles"] = json!([
        { "text": " ", "lang": "日本" },
        { "text": "星屑", "lang": "ja" },
        { "text": "a\u{202E}b", "lang": "ja", "reading": "" },
    ]);
    body["published"] = json!("1988-13");
    body["part_of"] = json!(vec![format!("wrk_{}", "0".repeat(26)); 17]);
    body["keys"] = json!([
        { "type": "id", "scheme": "story", "value": "fine" },
        { "type": "url", "value": "nonsense" },
        { "type": "sha256", "value": "abc" },
    ]);
    let places = [
        ("/keys/1", "invalid_key"),
        ("/keys/2", "invalid_key"),
        ("/part_of", "length"),
        ("/published", "invalid_date"),
        ("/titles/0/lang", "invalid_language"),
        ("/titles/0/text", "blank"),
        ("/titles/2/reading", "blank"),
        ("/titles/2/text", "forbidden_character"),
    ];
    (body, places)
}

both!(every_mistake_of_a_registration_is_told_at_once, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let (body, expected) = wrong(&holder);
    let size = stage.log_size().await;
    refused(&holder, "/v1/works", &body, &expected).await;
    // One mistake alone is as wrong as all of them together.
    for (place, code) in expected {
        let mut alone = registration("星屑", &[&holder]);
        let field = place.split('/').nth(1).unwrap();
        alone[field] = body[field].clone();
        let found = places(&holder.post("/v1/works", &alone).await);
        assert!(found.contains(&(place.to_owned(), code.to_owned())), "{place}: {found:?}");
    }
    // In a batch the same places, in their line; and the line beside it is recorded.
    let lines = [
        json!({ "idempotency_key": "no spaces please", "registration": body }),
        json!({ "idempotency_key": fresh_key(), "registration": registration("月", &[&holder]) }),
    ];
    let request = holder.client.request(axum::http::Method::POST, "/v1/works/batch");
    let request = request.header("content-type", "application/x-ndjson");
    let text = format!("{}\n{}", lines[0], lines[1]);
    let answer = holder.client.send(request.body(text.into()).unwrap()).await;
    let told: Vec<Value> = std::str::from_utf8(&answer.body)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let found: Vec<_> = told[0]["problem"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect();
    let inside = expected.iter().map(|(place, _)| format!("/registration{place}"));
    let in_line: Vec<_> = std::iter::once("/idempotency_key".to_owned()).chain(inside).collect();
    assert_eq!((found, &told[1]["status"]), (in_line, &json!(201)));
    assert_eq!(stage.log_size().await, size + 1, "only the good line");
});

both!(what_has_the_wrong_form_hides_no_other_mistake, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let (mut body, expected) = wrong(&holder);
    body["kind"] = json!("statue");
    body["holders"] = json!(["org_1", holder.org, 7]);
    body["layers"] = json!("none");
    body["roster_complete"] = json!("yes");
    body["extra/field"] = json!({});
    body.as_object_mut().unwrap().remove("layers_complete");
    body["keys"][0] = json!({ "type": "id", "scheme": "story" });
    let size = stage.log_size().await;
    let mut found = places(&holder.post("/v1/works", &body).await);
    found.sort();
    let form = [
        ("/extra~1field", "unknown_field"),
        ("/holders/0", "invalid_value"),
        ("/holders/2", "wrong_type"),
        ("/keys/0/value", "missing_field"),
        ("/kind", "unknown_value"),
        ("/layers", "wrong_type"),
        ("/layers_complete", "missing_field"),
        ("/roster_complete", "wrong_type"),
    ];
    let mut all: Vec<_> =
        expected.iter().chain(&form).map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect();
    all.sort();
    assert_eq!(found, all);

    let granted = json!({
        "work": "wrk_", "covers": "all", "as_layer_of": "any", "by_location": 1, "uses": { "only": ["train.finetune", "x"] },
        "developers": "everybody", "models": "any", "territories": { "only": [] }, "from": "now", "until": "2026-13-01",
        "revocable": { "notice_days": -1 }, "conditions": ["credit", "smile"], "on_behalf_of": 0,
    });
    let found = places(&holder.post("/v1/grants", &granted).await);
    let found: Vec<_> = found.iter().map(|(place, _)| place.split('/').nth(1).unwrap()).collect();
    for field in [
        "work",
        "covers",
        "by_location",
        "uses",
        "developers",
        "territories",
        "from",
        "until",
        "revocable",
        "conditions",
        "on_behalf_of",
        "terms",
    ] {
        assert_eq!(found.iter().filter(|it| **it == field).count(), 1, "{field}: {found:?}");
    }
    assert_eq!((found.len(), stage.log_size().await), (12, size));
});

both!(what_the_rules_refuse_is_told_at_once_in_the_places_of_the_body, async |world: World| {
    let stage = world.stage().await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let unknown = format!("wrk_{}", "0".repeat(26));
    let mut body = registration("星屑", &[&developer]);
    body["layers"] = json!([unknown]);
    body["part_of"] = json!([unknown, unknown]);
    let key = json!({ "type": "id", "scheme": "story", "value": "twice" });
    body["keys"] = json!([key, key]);
    let size = stage.log_size().await;
    let told: Value = holder.post("/v1/works", &body).await.json();
    assert_eq!(told["code"], "refused", "{told}");
    let errors = told["errors"].as_array().unwrap();
    for place in ["/holders/0", "/holders", "/layers/0", "/part_of/0", "/part_of/1", "/keys/1"] {
        assert!(errors.iter().any(|error| error["pointer"] == place), "{place}: {told}");
    }
    for error in errors {
        assert!(body.pointer(error["pointer"].as_str().unwrap()).is_some(), "{error}");
    }
    assert_eq!(stage.log_size().await, size);
});

both!(other_bodies_tell_all_their_mistakes_too, async |world: World| {
    let stage = world.stage().await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let work = stage.registered_work(&holder, &registration("星屑", &[&holder])).await.work;
    let size = stage.log_size().await;
    let url = json!({ "type": "url", "value": "javascript:1" });
    let body = json!({ "kind": "comic", "titles": [], "published": "soon" });
    let amended = holder.send("PATCH", &format!("/v1/works/{work}"), &body, &[("if-match", "*")]).await;
    let found = places(&amended);
    assert_eq!(found.iter().map(|(place, _)| place).collect::<Vec<_>>(), ["/published", "/titles"]);
    let reservation =
        json!({ "subject": { "key": url }, "form": "notice", "signal": "reserve", "uses": "any" });
    refused(&holder, "/v1/reservations", &reservation, &[("/subject/key", "invalid_key")]).await;
    let bound = format!("/v1/works/{work}/bindings");
    refused(&holder, &bound, &json!({ "key": url }), &[("/key", "invalid_key")]).await;
    let judged = json!({ "holdings": [], "bindings": [], "evidence": { "text": "\u{0}" } });
    let place = [("/evidence/text", "forbidden_character")];
    refused(&stage.registrar, "/v1/assertions/confirm", &judged, &place).await;
    let person = json!({ "label": "", "key": { "label": "\u{7}", "scopes": [], "expires_in_days": 0 } });
    let organization = json!({ "name": " ", "roles": [], "person": person });
    refused(
        &stage.registrar,
        "/v1/organizations",
        &organization,
        &[
            ("/name", "blank"),
            ("/person/key/expires_in_days", "range"),
            ("/person/key/label", "forbidden_character"),
            ("/person/key/scopes", "length"),
            ("/person/label", "blank"),
            ("/roles", "length"),
        ],
    )
    .await;

    let twice = json!({ "uses": ["search", "search"] });
    let check = json!({ "context": twice, "items": [] });
    let answer = developer.client.json("POST", "/v1/checks", &check, &[]).await;
    let wrong = |place: &str, code: &str| (place.to_owned(), code.to_owned());
    assert_eq!(places(&answer), [wrong("/context/uses", "invalid_value"), wrong("/items", "length")]);
    let question = json!({
        "context": twice,
        "item": { "url": "nonsense" },
        "as_of": { "moment": "1969-01-01T00:00:00Z" },
        "at": "1960-01-01T00:00:00Z",
    });
    let answer = developer.client.json("POST", "/v1/explanations", &question, &[]).await;
    let all = ["/context/uses", "/item", "/as_of/moment", "/at"].map(|place| wrong(place, "invalid_value"));
    assert_eq!(places(&answer), all);
    assert_eq!(stage.log_size().await, size);
});
