//! Registering, describing, finding, withdrawing, merging.

use serde_json::{Value, json};

use crate::world::actors::fresh_key;
use crate::world::works::{id, made, registration};
use crate::world::{World, both};

both!(a_work_is_registered_in_one_piece_and_read_back, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let member = stage.holder("Tsukimi Film").await;
    let layer = stage.registered_work(&holder, &registration("登場人物", &[&holder])).await;
    let mut body = registration("星屑の図書館", &[&holder, &member]);
    body["published"] = json!("1988-04");
    body["layers"] = json!([layer.work]);
    body["titles"] = json!([
        { "text": "星屑の図書館", "lang": "ja", "reading": "ホシクズノトショカン" },
        { "text": "The Library of Stardust", "lang": "en" },
    ]);
    body["keys"] = json!([{ "type": "url", "value": "HTTPS://Hoshikuzu.example/%7Ealib#top" }]);
    let answer = holder.post("/v1/works", &body).await;
    let new = made(&answer);
    let told: Value = answer.json();
    assert_eq!(answer.headers["location"], format!("/v1/works/{}", new.work));
    assert_eq!(answer.headers["etag"], format!("\"e{}\"", told["recorded"]["first_entry"]));
    assert_eq!(told["bindings"][0]["key"]["value"], "https://hoshikuzu.example/~alib");
    assert_eq!((new.holdings.len(), told["layers"][0]["work"].as_str()), (2, Some(layer.work.as_str())));

    let stranger = stage.stranger().await;
    let read = stranger.get(&format!("/v1/works/{}", new.work)).await;
    assert_eq!(read.headers["etag"], answer.headers["etag"]);
    let view: Value = read.json();
    assert_eq!((&view["published"], &view["state"]), (&json!("1988-04"), &json!("registered")));
    assert_eq!(view["titles"][0]["reading"], "ホシクズノトショカン");
    assert_eq!(view["holders"][1]["holder"]["name"], "Tsukimi Film");
    assert_eq!(view["holders"][0]["confirmed"], false);
    assert_eq!(view["roster_complete"], false, "only one of two has declared");
    assert_eq!(view["layers"][0]["work"]["title"], "登場人物");
    assert_eq!(view["keys"][0]["state"], "asserted");
    let unknown = format!("/v1/works/{}", new.work.replace(&new.work[8..], &"0".repeat(22)));
    assert_eq!(stranger.get(&unknown).await.status, 404);
});

both!(what_is_repeated_is_recorded_once, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let (key, body) = (fresh_key(), registration("星屑", &[&holder]));
    let first = holder.post_once("/v1/works", &body, &key).await;
    let size = stage.log_size().await;
    let again = holder.post_once("/v1/works", &body, &key).await;
    assert_eq!(
        (first.status, &first.body, &first.headers["etag"]),
        (again.status, &again.body, &again.headers["etag"])
    );
    assert_eq!(stage.log_size().await, size);
    let other = holder.post_once("/v1/works", &registration("月", &[&holder]), &key).await;
    assert_eq!((other.status.as_u16(), other.problem()), (422, "idempotency_key_reused".to_owned()));
    let unkeyed = holder.client.json("POST", "/v1/works", &body, &[]).await;
    assert_eq!(unkeyed.problem(), "idempotency_key_required");
});

both!(a_description_is_replaced_only_as_it_was_seen, async |world: World| {
    let stage = world.stage().await;
    let (holder, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let work = stage.registered_work(&holder, &registration("星屑", &[&holder])).await.work;
    let path = format!("/v1/works/{work}");
    let seen = holder.get(&path).await.headers["etag"].to_str().unwrap().to_owned();
    let body =
        json!({ "kind": "comic", "titles": [{ "text": "星屑の図書館", "lang": "ja" }], "published": "1989" });
    assert_eq!(holder.send("PATCH", &path, &body, &[]).await.problem(), "precondition_required");
    assert_eq!(other.send("PATCH", &path, &body, &[("if-match", &seen)]).await.status, 403);
    let amended = holder.send("PATCH", &path, &body, &[("if-match", &seen)]).await;
    assert_eq!(amended.status, 200, "{amended:?}");
    let size = stage.log_size().await;
    let stale = holder.send("PATCH", &path, &body, &[("if-match", &seen)]).await;
    assert_eq!((stale.status.as_u16(), stale.problem()), (412, "precondition_failed".to_owned()));
    assert_eq!(stage.log_size().await, size);
    let read = holder.get(&path).await;
    assert_eq!(read.headers["etag"], amended.headers["etag"]);
    let view: Value = read.json();
    assert_eq!((&view["titles"][0]["text"], &view["published"]), (&json!("星屑の図書館"), &json!("1989")));
    let any = holder.send("PATCH", &path, &body, &[("if-match", "*")]).await;
    assert_eq!(any.status, 200);
});

both!(a_withdrawn_work_refuses_and_a_merged_one_points_on, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let [first, second] = [
        stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work,
        stage.confirmed(&holder, &registration("星屑 (重複)", &[&holder])).await.work,
    ];
    let merge = format!("/v1/works/{second}/merge");
    assert_eq!(stage.registrar.post(&merge, &json!({ "into": second })).await.problem(), "refused");
    assert_eq!(holder.post(&merge, &json!({ "into": first })).await.status, 403);
    let merged = stage.both_persons(&merge, &json!({ "into": first, "note": "the same book" })).await;
    assert_eq!(merged.status, 200, "{merged:?}");
    let view: Value = holder.get(&format!("/v1/works/{second}")).await.json();
    assert_eq!((&view["state"], &view["merged_into"]), (&json!("merged"), &json!(first)));
    let amended = json!({ "kind": "comic", "titles": [{ "text": "x", "lang": "ja" }] });
    let amended = holder.send("PATCH", &format!("/v1/works/{second}"), &amended, &[("if-match", "*")]).await;
    assert_eq!(amended.problem(), "refused");
    let kept: Value = holder.get(&format!("/v1/works/{first}")).await.json();
    assert_eq!((kept["holders"].as_array().unwrap().len(), kept["keys"].as_array().unwrap().len()), (2, 2));

    let withdraw = format!("/v1/works/{first}/withdraw");
    let stranger = stage.stranger().await;
    assert_eq!(stranger.post(&withdraw, &json!({})).await.status, 403);
    assert_eq!(id(&holder.post(&withdraw, &json!({ "note": "out of print" })).await, "work"), first);
    assert_eq!(holder.post(&withdraw, &json!({})).await.problem(), "refused");
    assert_eq!(holder.get(&format!("/v1/works/{first}")).await.json::<Value>()["state"], "withdrawn");
    let state = stage.state_of(&stranger, &first, "train.finetune").await;
    assert!(
        state["reasons"].as_array().unwrap().iter().any(|reason| reason["code"] == "withdrawn"),
        "{state}"
    );
});
