//! What works are made of, and what they are part of.

use serde_json::{Value, json};

use crate::world::works::{id, registration};
use crate::world::{World, both};

both!(a_part_counts_once_both_sides_have_assented, async |world: World| {
    let stage = world.stage().await;
    let (publisher, studio) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let whole = stage.confirmed(&publisher, &registration("星屑シリーズ", &[&publisher])).await.work;
    let part = stage.confirmed(&studio, &registration("劇場版 星屑", &[&studio])).await.work;
    let linked = studio.post(&format!("/v1/works/{whole}/parts"), &json!({ "part": part })).await;
    let link = id(&linked, "link");
    let effective = async || {
        let view: Value = studio.get(&format!("/v1/works/{part}")).await.json();
        assert_eq!(view["part_of"][0]["work"]["title"], "星屑シリーズ");
        view["part_of"][0]["effective"].clone()
    };
    assert_eq!(effective().await, false);
    assert_eq!(
        stage.stranger().await.post(&format!("/v1/links/{link}/accept"), &json!({})).await.status,
        403
    );
    assert_eq!(publisher.post(&format!("/v1/links/{link}/accept"), &json!({})).await.status, 200);
    assert_eq!(effective().await, true);
    let circle = publisher.post(&format!("/v1/works/{part}/parts"), &json!({ "part": whole })).await;
    assert_eq!(circle.problem(), "refused");

    let copied =
        publisher.post(&format!("/v1/works/{part}/roster/same-as-parent"), &json!({ "parent": whole })).await;
    assert_eq!(copied.status, 200, "{copied:?}");
    assert_eq!(copied.json::<Value>()["holdings"][0]["holder"], json!(publisher.org));
    let unknown = json!({ "parent": format!("wrk_{}", "0".repeat(26)) });
    let unknown = publisher.post(&format!("/v1/works/{part}/roster/same-as-parent"), &unknown).await;
    assert_eq!(unknown.problem(), "refused");

    assert_eq!(studio.post(&format!("/v1/links/{link}/remove"), &json!({})).await.status, 403);
    let removed =
        stage.both_persons(&format!("/v1/links/{link}/remove"), &json!({ "note": "a mistake" })).await;
    assert_eq!(removed.status, 200, "{removed:?}");
    let view: Value = studio.get(&format!("/v1/works/{part}")).await.json();
    assert_eq!(view["part_of"], json!([]));
});

both!(layers_are_linked_and_declared_complete, async |world: World| {
    let stage = world.stage().await;
    let studio = stage.holder("Tsukimi Film").await;
    let anime = stage.confirmed(&studio, &registration("星屑 アニメ", &[&studio])).await.work;
    let music = stage.confirmed(&studio, &registration("星屑 主題歌", &[&studio])).await.work;
    let layers = format!("/v1/works/{anime}/layers");
    assert_eq!(id(&studio.post(&layers, &json!({ "layer": music })).await, "layer"), music);
    let complete =
        async || studio.get(&format!("/v1/works/{anime}")).await.json::<Value>()["layers_complete"].clone();
    assert_eq!(complete().await, false);
    assert_eq!(studio.post(&format!("{layers}/declare"), &json!({})).await.status, 200);
    assert_eq!(complete().await, true);
    let twice = studio.post(&layers, &json!({ "layer": music })).await;
    assert_eq!(
        (twice.problem(), twice.json::<Value>()["errors"][0]["pointer"].clone()),
        ("refused".into(), json!("/layer"))
    );
    let itself = studio.post(&layers, &json!({ "layer": anime })).await;
    assert_eq!(itself.problem(), "refused");
    // The registrar may link a layer that the holders do not name.
    let score = stage.confirmed(&studio, &registration("星屑 劇伴", &[&studio])).await.work;
    assert_eq!(stage.registrar.post(&layers, &json!({ "layer": score })).await.status, 201);
    let proposed = stage.registrar.post(&format!("{layers}/declare"), &json!({})).await;
    assert_eq!(proposed.status, 202, "{proposed:?}");
});
