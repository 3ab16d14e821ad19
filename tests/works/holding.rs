//! Who holds a work.

use serde_json::{Value, json};

use crate::world::works::{id, registration};
use crate::world::{World, both};

both!(holdings_are_asserted_confirmed_and_given_up, async |world: World| {
    let stage = world.stage().await;
    let (holder, member) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let made = stage.confirmed(&holder, &registration("星屑", &[&holder])).await;
    let path = format!("/v1/works/{}/holdings", made.work);
    // Once somebody is confirmed, an outsider claims instead.
    assert_eq!(member.post(&path, &json!({ "holder": member.org })).await.status, 403);
    let asserted = holder.post(&path, &json!({ "holder": member.org })).await;
    let holding = id(&asserted, "holding");
    let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
    assert_eq!((&view["roster_complete"], view["holders"].as_array().unwrap().len()), (&json!(false), 2));
    stage.confirm(std::slice::from_ref(&holding), &[]).await;
    for who in [&holder, &member] {
        let declared = who.post(&format!("/v1/works/{}/roster/declare", made.work), &json!({})).await;
        assert_eq!(declared.status, 200, "{declared:?}");
    }
    let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
    assert_eq!((&view["roster_complete"], &view["holders"][1]["confirmed"]), (&json!(true), &json!(true)));
    let relinquish = format!("/v1/holdings/{holding}/relinquish");
    assert_eq!(holder.post(&relinquish, &json!({})).await.status, 403);
    assert_eq!(member.post(&relinquish, &json!({})).await.status, 200);
    assert_eq!(member.post(&relinquish, &json!({})).await.problem(), "refused");
    let unknown = format!("/v1/holdings/hld_{}/relinquish", "0".repeat(26));
    assert_eq!(member.post(&unknown, &json!({})).await.status, 404);
});

both!(keys_come_and_go, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let made = stage.confirmed(&holder, &registration("星屑", &[&holder])).await;
    let path = format!("/v1/works/{}/bindings", made.work);
    let hash = "AB".repeat(32);
    let bound = holder.post(&path, &json!({ "key": { "type": "sha256", "value": hash } })).await;
    assert_eq!(bound.json::<Value>()["key"]["value"], "ab".repeat(32));
    let again = holder.post(&path, &json!({ "key": { "type": "sha256", "value": hash } })).await;
    assert_eq!(again.json::<Value>()["errors"][0]["pointer"], "/key");
    let bad = holder.post(&path, &json!({ "key": { "type": "id", "scheme": "UP", "value": "x" } })).await;
    assert_eq!(
        bad.json::<Value>()["errors"][0],
        json!({
            "pointer": "/key",
            "code": "invalid_key",
            "detail": "an identifier scheme is 1 to 32 lower-case letters, digits, `.`, `_` or `-`, and starts with a letter or digit",
        })
    );
    let states = async || {
        let view: Value = holder.get(&format!("/v1/works/{}", made.work)).await.json();
        view["keys"].as_array().unwrap().iter().map(|key| key["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(states().await, ["confirmed", "asserted"]);
    for binding in [id(&bound, "binding"), made.bindings[0].clone()] {
        let removed = holder.post(&format!("/v1/bindings/{binding}/remove"), &json!({})).await;
        assert_eq!(removed.status, 200, "{removed:?}");
    }
    assert_eq!(states().await, ["removed"], "one that was confirmed keeps matching, and refuses");
});
