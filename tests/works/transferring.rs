//! A share in a work goes to another organization (R4).

use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage};
use crate::world::works::{Made, grant, id, registration};
use crate::world::{World, both};

async fn offered(from: &Actor, made: &Made, to: &Actor) -> String {
    let path = format!("/v1/holdings/{}/transfers", made.holdings[0]);
    id(&from.post(&path, &json!({ "to": to.org })).await, "transfer")
}

async fn verdict(stage: &Stage, developer: &Actor, work: &str, leaf: &str) -> Value {
    stage.state_of(developer, work, leaf).await["state"].clone()
}

both!(a_share_goes_over_when_it_is_accepted_and_its_powers_with_it, async |world: World| {
    let stage = world.stage().await;
    let (former, next) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let developer = stage.developer("Kasane Labs").await;
    let made = stage.confirmed(&former, &registration("星屑", &[&former])).await;
    let work = &made.work;
    let early = id(&former.post("/v1/grants", &grant(work)).await, "grant");
    let no_search = json!({ "work": work, "uses": { "only": ["search"] } });
    let denial = id(&former.post("/v1/denials", &no_search).await, "denial");

    let transfer = offered(&former, &made, &next).await;
    let path = format!("/v1/transfers/{transfer}");
    for who in [&former, &next, &stage.registrar] {
        let view: Value = who.get(&path).await.json();
        assert_eq!((&view["state"], &view["to"]), (&json!("offered"), &json!(next.org)));
    }
    assert_eq!(stage.stranger().await.get(&path).await.status, 404);
    // An offer changes nothing: not who may speak, and not by being accepted by somebody else.
    assert_eq!(next.post("/v1/grants", &grant(work)).await.status, 403);
    assert_eq!(former.post(&format!("{path}/accept"), &json!({})).await.problem(), "not_allowed");
    assert!(next.get("/v1/works").await.json::<Value>()["items"].as_array().unwrap().is_empty());

    assert_eq!(next.post(&format!("{path}/accept"), &json!({})).await.status, 200);
    assert_eq!(next.post(&format!("{path}/accept"), &json!({})).await.problem(), "refused");
    assert_eq!(former.get(&path).await.json::<Value>()["state"], "ended");
    let view: Value = next.get(&format!("/v1/works/{work}")).await.json();
    assert_eq!(
        (&view["holders"][0]["holder"]["name"], &view["holders"][0]["confirmed"], &view["roster_complete"]),
        (&json!("Tsukimi Film"), &json!(true), &json!(true))
    );
    let own: Value = next.get("/v1/works").await.json();
    assert_eq!(own["items"][0]["work"], json!(work), "it is one of the new holder's works");

    // What was granted and refused before stays.
    assert_eq!(verdict(&stage, &developer, work, "train.finetune").await, "granted");
    assert_eq!(verdict(&stage, &developer, work, "search").await, "denied");
    // The former holder has nothing more to say, the new one has all of it.
    let mut more = grant(work);
    more["uses"] = json!({ "only": ["ground"] });
    let revoke = format!("/v1/grants/{early}/revoke");
    for (path, body) in [
        ("/v1/grants", &more),
        ("/v1/denials", &json!({ "work": work })),
        (revoke.as_str(), &json!({ "from": "on_record" })),
        (&format!("/v1/denials/{denial}/withdraw"), &json!({})),
        (&format!("/v1/holdings/{}/transfers", made.holdings[0]), &json!({ "to": former.org })),
        (&format!("/v1/holdings/{}/relinquish", made.holdings[0]), &json!({})),
    ] {
        let refused = former.post(path, body).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (403, "not_allowed".into()), "{path}");
    }
    assert_eq!(next.post("/v1/grants", &more).await.status, 201);
    assert_eq!(verdict(&stage, &developer, work, "ground").await, "granted");
    assert_eq!(next.post(&format!("/v1/denials/{denial}/withdraw"), &json!({})).await.status, 200);
    assert_eq!(verdict(&stage, &developer, work, "search").await, "not_permitted");
    assert_eq!(next.post(&revoke, &json!({ "from": "on_record" })).await.status, 200);
    assert_eq!(verdict(&stage, &developer, work, "train.finetune").await, "not_permitted");
    assert_eq!(next.post("/v1/denials", &json!({ "work": work })).await.status, 201);
    assert_eq!(verdict(&stage, &developer, work, "ground").await, "denied");
});

both!(an_offer_can_be_taken_back_and_goes_to_verified_rights_holders_alone, async |world: World| {
    let stage = world.stage().await;
    let (former, next) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let made = stage.confirmed(&former, &registration("星屑", &[&former])).await;
    let path = format!("/v1/holdings/{}/transfers", made.holdings[0]);
    for to in [&former, &stage.developer("Kasane Labs").await, &stage.unverified().await] {
        let told: Value = former.post(&path, &json!({ "to": to.org })).await.json();
        assert_eq!(
            (&told["code"], &told["errors"][0]["pointer"]),
            (&json!("refused"), &json!("/to")),
            "{told}"
        );
    }
    assert_eq!(next.post(&path, &json!({ "to": next.org })).await.problem(), "not_allowed");
    let transfer = offered(&former, &made, &next).await;
    let (accept, withdraw) =
        (format!("/v1/transfers/{transfer}/accept"), format!("/v1/transfers/{transfer}/withdraw"));
    assert_eq!(next.post(&withdraw, &json!({})).await.problem(), "not_allowed");
    assert_eq!(former.post(&withdraw, &json!({})).await.status, 200);
    assert_eq!(next.post(&accept, &json!({})).await.problem(), "refused");

    // Of two offers of one share the one that is accepted ends the other.
    let third = stage.association("Works Association").await;
    let (to_next, to_third) = (offered(&former, &made, &next).await, offered(&former, &made, &third).await);
    assert_eq!(third.post(&format!("/v1/transfers/{to_third}/accept"), &json!({})).await.status, 200);
    assert_eq!(next.post(&format!("/v1/transfers/{to_next}/accept"), &json!({})).await.problem(), "refused");
    let view: Value = next.get(&format!("/v1/transfers/{to_next}")).await.json();
    assert_eq!(view["state"], "ended");
    // An unconfirmed share that goes over is as unconfirmed as before.
    let asserted = stage.registered_work(&former, &registration("月", &[&former])).await;
    let transfer = offered(&former, &asserted, &next).await;
    assert_eq!(next.post(&format!("/v1/transfers/{transfer}/accept"), &json!({})).await.status, 200);
    assert_eq!(next.post("/v1/grants", &grant(&asserted.work)).await.status, 201);
    let state = stage.state_of(&next, &asserted.work, "train.finetune").await;
    assert_eq!(state["reasons"][0]["code"], "holder_unconfirmed", "{state}");
});

both!(what_an_impostor_granted_does_not_come_alive_in_the_hands_of_the_holder, async |world: World| {
    let stage = world.stage().await;
    let (impostor, holder) = (stage.holder("Kumo Trading").await, stage.holder("Hoshikuzu Press").await);
    let developer = stage.developer("Kasane Labs").await;
    let mut body = registration("星屑", &[&impostor]);
    body["roster_complete"] = json!(true);
    body["layers_complete"] = json!(true);
    let made = stage.registered_work(&impostor, &body).await;
    let mut for_ever = grant(&made.work);
    for_ever["revocable"] = json!("never");
    assert_eq!(impostor.post("/v1/grants", &for_ever).await.status, 201);
    let transfer = offered(&impostor, &made, &holder).await;
    assert_eq!(holder.post(&format!("/v1/transfers/{transfer}/accept"), &json!({})).await.status, 200);
    stage.confirm(&made.holdings, &made.bindings).await;
    let position: Value = holder.get(&format!("/v1/works/{}/position", made.work)).await.json();
    let permitted = |position: &Value| position.to_string().contains("\"granted\"");
    assert!(!permitted(&position), "{position}");
    let check = json!({ "context": { "uses": ["train.finetune"] }, "items": [{ "work": made.work }] });
    let answer: Value = developer.post("/v1/checks", &check).await.json();
    assert_eq!(answer["items"][0]["verdict"], "not_permitted", "{answer}");
    // What the holder itself declares and grants counts.
    for list in ["roster", "layers"] {
        let path = format!("/v1/works/{}/{list}/declare", made.work);
        assert_eq!(holder.post(&path, &json!({})).await.status, 200);
    }
    let answer: Value = developer.post("/v1/checks", &check).await.json();
    assert!(answer.to_string().contains("no_grant"), "{answer}");
    holder.post("/v1/grants", &grant(&made.work)).await;
    assert_eq!(verdict(&stage, &developer, &made.work, "train.finetune").await, "granted");
});
