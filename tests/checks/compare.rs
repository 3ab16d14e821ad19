//! Comparisons: what changed, by whose act, and nothing that is another's secret.

use std::time::Duration;

use kyodaku::domain::act::{DenialRecorded, WorkWithdrawn};
use kyodaku::domain::scope::{Scope, Until};
use serde_json::{Value, json};

use super::scene::{Scene, catalogue, codes, training};
use crate::world::actors::Actor;
use crate::world::client::Answer;
use crate::world::{World, both};

async fn compare(actor: &Actor, more: Value) -> Answer {
    let mut body =
        json!({ "context": training(), "item": { "id": { "scheme": "catalogue", "value": "7" } } });
    let Value::Object(more) = more else { panic!("an object is added") };
    body.as_object_mut().unwrap().extend(more);
    actor.client.json("POST", "/v1/comparisons", &body, &[]).await
}

fn types(told: &Value) -> Vec<&str> {
    told["acts"].as_array().unwrap().iter().map(|act| act["type"].as_str().unwrap()).collect()
}

both!(what_changed_is_told_with_whose_act_it_was, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    let before = json!({ "log_size": scene.stage.log_size().await });
    scene.stage.clock().advance(Duration::from_hours(1));
    let grant = scene.grant(work).await;
    let between = scene.stage.log_size().await;
    scene.stage.clock().advance(Duration::from_hours(1));
    scene.revoke(grant).await;

    let told: Value = compare(&scene.developer, json!({ "before": before })).await.json();
    assert_eq!((&told["hypothetical"], &told["view"]), (&json!(true), &json!("developer")));
    // The verdict is the same, and the reason is not.
    let changed = json!([{ "use": "train.generative", "before": "not_permitted", "after": "not_permitted",
        "by_time_alone": false }]);
    assert_eq!(told["changed"], changed);
    assert_eq!([codes(&told["before"]["item"]), codes(&told["after"]["item"])], [["no_grant"], ["revoked"]]);
    assert_eq!(types(&told), ["grant.recorded", "grant.revoked"]);
    assert_eq!(told["acts"][1]["party"], json!(scene.holder.org));
    assert_eq!(told["acts"][1]["text"], json!(format!("{} revoked a grant.", scene.holder.org)));

    let first = json!({ "before": before, "after": { "log_size": between } });
    let told: Value = compare(&scene.developer, first).await.json();
    assert_eq!((&told["changed"][0]["after"], types(&told)), (&json!("permitted"), vec!["grant.recorded"]));
    assert_eq!(told["acts"][0]["cited"], json!(true));
    let second: Value =
        compare(&scene.developer, json!({ "before": { "moment": "2025-10-27T01:30:00Z" } })).await.json();
    assert_eq!(
        (&second["changed"][0]["before"], types(&second)),
        (&json!("permitted"), vec!["grant.revoked"])
    );
    let none = json!({ "before": { "log_size": between }, "after": { "log_size": between } });
    let none: Value = compare(&scene.developer, none).await.json();
    assert_eq!((&none["changed"], &none["acts"]), (&json!([]), &json!([])));
    // Backwards is refused, and so is what is beyond the log, in the body of the request.
    let backwards = json!({ "before": { "log_size": between }, "after": before });
    let refused = compare(&scene.developer, backwards).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json::<Value>()["errors"][0]["pointer"]),
        (422, &json!("/after"))
    );
    assert_eq!(compare(&scene.developer, json!({ "before": { "log_size": 1_000 } })).await.status, 422);
    assert_eq!(compare(&scene.developer, json!({})).await.status, 422);
});

both!(a_term_that_ends_needs_no_act, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    let mut grant = scene.grant_to(&scene.developer, work);
    let until = scene.stage.clock().now_ms() + 3_600_000;
    grant.until = Until::At(until);
    scene.submit(&[&scene.holder], vec![grant.into()]).await;
    let size = scene.stage.log_size().await;
    scene.stage.clock().advance(Duration::from_hours(2));
    let told: Value = compare(&scene.developer, json!({ "before": { "log_size": size } })).await.json();
    let changed = &told["changed"][0];
    assert_eq!((&changed["before"], &changed["after"]), (&json!("permitted"), &json!("not_permitted")));
    assert_eq!((&changed["by_time_alone"], &told["acts"]), (&json!(true), &json!([])));
    assert_eq!(codes(&told["after"]["item"]), ["expired"]);
});

both!(acts_of_others_stay_their_secret, async |world: World| {
    let scene = Scene::open(&world).await;
    let auditor = scene.stage.verified("Kansa Office", &["auditor"]).await;
    let work = scene.work(&[catalogue("7")]).await;
    let before = scene.stage.log_size().await;
    // A licence of a competitor, one for everybody that is not for this use, and a denial of another use.
    scene.submit(&[&scene.holder], vec![scene.grant_to(&scene.competitor, work).into()]).await;
    let mut open = scene.grant_to(&scene.competitor, work);
    (open.developers, open.uses) = (Scope::Any, Scope::Only(vec![kyodaku::domain::uses::Use::Search]));
    scene.submit(&[&scene.holder], vec![open.into()]).await;
    let more = json!({ "before": { "log_size": before } });
    let told: Value = compare(&scene.developer, more.clone()).await.json();
    assert_eq!(types(&told), ["grant.recorded"], "the one to any developer");
    let of = |by: &Actor| {
        let (by, mut more) = (by.clone(), more.clone());
        more["developer"] = json!(scene.developer.org);
        async move { compare(&by, more).await }
    };
    for by in [&auditor, &scene.holder, &scene.stage.registrar] {
        let told: Value = of(by).await.json();
        assert_eq!((types(&told).len(), &told["view"]), (2, &json!("all")));
    }
    let stranger = scene.stage.holder("Tanin Press").await;
    for by in [&scene.competitor, &stranger] {
        assert_eq!(of(by).await.status, 404);
    }
    // An organization that is suspended and reinstated is told to auditors.
    scene.stage.state(&scene.developer, "suspend").await;
    scene.stage.state(&scene.developer, "reinstate").await;
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
    scene.submit(&[&scene.holder], vec![WorkWithdrawn { work }.into()]).await;
    let told: Value = of(&auditor).await.json();
    let expected = [
        "grant.recorded",
        "grant.recorded",
        "org.suspended",
        "org.reinstated",
        "denial.recorded",
        "work.withdrawn",
    ];
    assert_eq!(types(&told), expected);
    let told: Value = compare(&scene.developer, more.clone()).await.json();
    assert!(types(&told).contains(&"work.withdrawn"), "{told}");
});
