//! What the registrar judges.

use serde_json::{Value, json};

use crate::world::works::{grant, id, registration};
use crate::world::{World, both};

both!(a_claim_suspends_for_a_while_and_a_dispute_until_it_is_settled, async |world: World| {
    let stage = world.stage().await;
    let (holder, outsider) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let developer = stage.developer("Kasane Labs").await;
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    assert_eq!(holder.post("/v1/grants", &grant(&work)).await.status, 201);
    let state = async || stage.state_of(&developer, &work, "train.finetune").await;
    let codes = |state: &Value| {
        state["reasons"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(state().await["state"], "granted");
    assert_eq!(holder.post(&format!("/v1/works/{work}/claims"), &json!({})).await.problem(), "not_allowed");
    let claim = id(
        &outsider.post(&format!("/v1/works/{work}/claims"), &json!({ "note": "we drew it" })).await,
        "claim",
    );
    assert_eq!(codes(&state().await), ["claimed"]);
    let queue: Value = stage.registrar.get("/v1/queue").await.json();
    assert_eq!((&queue["items"][0]["type"], &queue["items"][0]["claim"]), (&json!("claim"), &json!(claim)));
    let dispute = id(
        &stage.registrar.post(&format!("/v1/works/{work}/disputes"), &json!({ "claim": claim })).await,
        "dispute",
    );
    stage.clock().advance(std::time::Duration::from_hours(336));
    assert_eq!(codes(&state().await), ["disputed"]);
    let view: Value = outsider.get(&format!("/v1/works/{work}")).await.json();
    assert_eq!(
        (&view["claims"][0]["claim"], &view["disputes"][0]["dispute"]),
        (&json!(claim), &json!(dispute))
    );
    assert_eq!(holder.post(&format!("/v1/claims/{claim}/withdraw"), &json!({})).await.status, 403);
    assert_eq!(outsider.post(&format!("/v1/claims/{claim}/withdraw"), &json!({})).await.status, 200);
    let settle = json!({ "evidence": { "text": "both agree" } });
    let settled = stage.both_persons(&format!("/v1/disputes/{dispute}/settle"), &settle).await;
    assert_eq!(settled.status, 200, "{settled:?}");
    assert_eq!(state().await["state"], "granted");
    let queue: Value = stage.registrar.get("/v1/queue").await.json();
    assert_eq!(queue["items"], json!([]));
});
