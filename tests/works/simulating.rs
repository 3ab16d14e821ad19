//! What a grant would open.

use serde_json::{Value, json};

use crate::world::works::{grant, registration};
use crate::world::{World, both};

both!(a_simulation_says_what_would_turn_and_records_nothing, async |world: World| {
    let stage = world.stage().await;
    let (holder, member) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let developer = stage.developer("Kasane Labs").await;
    let alone = stage.confirmed(&holder, &registration("独り", &[&holder])).await.work;
    let shared = stage.confirmed(&holder, &registration("共有", &[&holder, &member])).await.work;
    member.post(&format!("/v1/works/{shared}/roster/declare"), &json!({})).await;
    member.post(&format!("/v1/works/{shared}/layers/declare"), &json!({})).await;
    let size = stage.log_size().await;
    let ask = async |who: &crate::world::actors::Actor, body: &Value| {
        who.client.json("POST", "/v1/simulations/grant", body, &[]).await
    };

    let mut body = grant(&alone);
    body["developers"] = json!({ "only": [developer.org] });
    let told: Value = ask(&holder, &body).await.json();
    let change = &told["changes"][0];
    assert_eq!(
        (&change["work"], &change["developer"], &change["opens"]),
        (&json!(alone), &json!(developer.org), &json!(["train.finetune"]))
    );
    assert_eq!(
        (&change["still_refused"], &told["more"], &told["log_size"]),
        (&json!([]), &json!(false), &json!(size))
    );
    let any: Value = ask(&holder, &grant(&alone)).await.json();
    assert_eq!(
        (&any["changes"][0]["developer"], &any["changes"][0]["opens"]),
        (&Value::Null, &json!(["train.finetune"]))
    );

    // The other holder has not granted, and is named.
    let told: Value = ask(&holder, &grant(&shared)).await.json();
    let refused = &told["changes"][0]["still_refused"][0];
    assert_eq!(
        (&told["changes"][0]["opens"], &refused["reasons"][0]["code"]),
        (&json!([]), &json!("partly_granted"))
    );
    assert_eq!(refused["reasons"][0]["ask"][0]["name"], "Tsukimi Film");
    member.post("/v1/grants", &grant(&shared)).await;
    let told: Value = ask(&holder, &grant(&shared)).await.json();
    assert_eq!(told["changes"][0]["opens"], json!(["train.finetune"]));

    // Refused as the real one would be.
    assert_eq!(ask(&member, &grant(&alone)).await.status, 403);
    let mut past = grant(&alone);
    past["from"] = json!("2020-01-01T00:00:00Z");
    assert_eq!(ask(&holder, &past).await.problem(), "refused");
    assert_eq!(stage.log_size().await, size + 1, "only the member's grant");
    assert_eq!(stage.state_of(&developer, &alone, "train.finetune").await["state"], "not_permitted");
    // And the real one is recorded where the simulation said.
    holder.post("/v1/grants", &grant(&alone)).await;
    assert_eq!(stage.state_of(&developer, &alone, "train.finetune").await["state"], "granted");
    let told: Value = ask(&holder, &grant(&alone)).await.json();
    assert_eq!(
        (&told["changes"][0]["opens"], &told["changes"][0]["already"]),
        (&json!([]), &json!(["train.finetune"]))
    );
});

both!(parts_are_asked_about_too, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let whole = stage.confirmed(&holder, &registration("シリーズ", &[&holder])).await.work;
    for number in 0..3 {
        let mut body = registration(&format!("第{number}巻"), &[&holder]);
        body["part_of"] = json!([whole]);
        stage.confirmed(&holder, &body).await;
    }
    let mut body = grant(&whole);
    for (covers, works) in [("work", 1), ("with_parts", 4)] {
        body["covers"] = json!(covers);
        let told: Value = holder.client.json("POST", "/v1/simulations/grant", &body, &[]).await.json();
        let changes = told["changes"].as_array().unwrap();
        assert_eq!(changes.len(), works);
        assert!(changes.iter().all(|change| change["opens"] == json!(["train.finetune"])), "{told}");
    }
});
