//! What waits for the registrar, and how it confirms or rejects many things at once with two people.

use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage};
use crate::world::works::{Made, id, registration};
use crate::world::{World, both};

/// The ids that wait, in order, over pages of `limit`.
async fn waiting(stage: &Stage, filter: &str, limit: u16) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let uri = format!("/v1/queue?limit={limit}{filter}{cursor}");
        let page: Value = stage.registrar.get(&uri).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= usize::from(limit), "{page}");
        found.extend(items.iter().map(|item| {
            let kind = item["type"].as_str().unwrap();
            item[kind].as_str().unwrap().to_owned()
        }));
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

/// Works of two holders, and what each of them leaves waiting.
async fn registered(stage: &Stage, one: &Actor, other: &Actor) -> Vec<Made> {
    let mut made = Vec::new();
    for (holder, title) in [(one, "一"), (other, "二"), (one, "三"), (other, "四"), (one, "五")] {
        made.push(stage.registered_work(holder, &registration(title, &[holder])).await);
    }
    made
}

fn of(made: &[&Made]) -> Vec<String> {
    made.iter().flat_map(|made| made.holdings.iter().chain(&made.bindings)).cloned().collect()
}

fn judgement(made: &[&Made]) -> Value {
    let holdings: Vec<_> = made.iter().flat_map(|made| made.holdings.clone()).collect();
    let bindings: Vec<_> = made.iter().flat_map(|made| made.bindings.clone()).collect();
    json!({ "holdings": holdings, "bindings": bindings, "evidence": { "text": "contracts seen" } })
}

both!(what_waits_is_listed_oldest_first_by_work_and_holder_and_in_pages, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    assert!(waiting(&stage, "", 50).await.is_empty());
    let made = registered(&stage, &one, &other).await;
    let all: Vec<_> = of(&made.iter().collect::<Vec<_>>());
    for limit in [1, 3, 50] {
        assert_eq!(waiting(&stage, "", limit).await, all, "{limit} a page");
    }
    let of_other = of(&[&made[1], &made[3]]);
    let filter = format!("&holder={}", other.org);
    for limit in [1, 50] {
        assert_eq!(waiting(&stage, &filter, limit).await, of_other);
    }
    let filter = format!("&work={}", made[2].work);
    assert_eq!(waiting(&stage, &filter, 50).await, of(&[&made[2]]));
    let filter = format!("&work={}&holder={}", made[2].work, other.org);
    assert!(waiting(&stage, &filter, 50).await.is_empty());
    let nothing = format!("&work=wrk_{}", "0".repeat(26));
    assert!(waiting(&stage, &nothing, 50).await.is_empty());

    let page: Value = stage.registrar.get("/v1/queue?limit=2").await.json();
    assert_eq!(
        (&page["items"][0]["holder"]["name"], &page["items"][0]["work"]["title"]),
        (&json!("Hoshikuzu Press"), &json!("一"))
    );
    assert_eq!(
        (&page["items"][1]["by"]["organization"], &page["items"][1]["contests"]),
        (&json!(one.org), &json!(false))
    );
    let foreign = format!("/v1/queue?holder={}&cursor={}", other.org, page["next"].as_str().unwrap());
    assert_eq!(stage.registrar.get(&foreign).await.problem(), "invalid_cursor");
    assert_eq!(one.get("/v1/queue").await.status, 403);
});

both!(many_are_confirmed_at_once_by_two_people_and_leave_the_queue, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let made = registered(&stage, &one, &other).await;
    let (ones, others) = ([&made[0], &made[2], &made[4]], [&made[1], &made[3]]);
    let all = waiting(&stage, "", 50).await;
    let proposed = stage.registrar.post("/v1/assertions/confirm", &judgement(&ones)).await;
    assert_eq!(proposed.status, 202, "{proposed:?}");
    let approve = format!("/v1/proposals/{}/approve", id(&proposed, "proposal"));
    // A proposal confirms nothing yet, and the one who made it does not make it two.
    assert_eq!(stage.registrar.post(&approve, &json!({})).await.problem(), "not_allowed");
    assert_eq!(waiting(&stage, "", 50).await, all);
    let size = stage.log_size().await;
    assert_eq!(stage.second.post(&approve, &json!({})).await.status, 200);
    assert_eq!(stage.log_size().await, size + 1, "one act for all of them");
    assert_eq!(waiting(&stage, "", 2).await, of(&others));
    for made in ones {
        let view: Value = one.get(&format!("/v1/works/{}", made.work)).await.json();
        assert_eq!(
            (&view["holders"][0]["confirmed"], &view["keys"][0]["state"]),
            (&json!(true), &json!("confirmed"))
        );
    }
    let again = stage.registrar.post("/v1/assertions/confirm", &judgement(&ones[..1])).await;
    let told: Value = again.json();
    assert_eq!(
        (&told["errors"][0]["pointer"], &told["errors"][0]["code"]),
        (&json!("/holdings/0"), &json!("already"))
    );
    let nothing = stage.registrar.post("/v1/assertions/confirm", &judgement(&[])).await;
    assert_eq!(nothing.problem(), "refused");
    assert_eq!(one.post("/v1/assertions/confirm", &judgement(&others)).await.status, 403);
});

both!(what_is_rejected_leaves_the_queue_and_what_changed_meanwhile_stops_the_whole, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi Film").await);
    let made = registered(&stage, &one, &other).await;
    stage.confirm(&made[0].holdings, &made[0].bindings).await;
    // The other one ties a key that is confirmed for somebody else's work.
    let key = json!({ "key": { "type": "id", "scheme": "story", "value": "一" } });
    let tied = id(&other.post(&format!("/v1/works/{}/bindings", made[1].work), &key).await, "binding");
    let page: Value = stage.registrar.get(&format!("/v1/queue?work={}", made[1].work)).await.json();
    let contesting = page["items"].as_array().unwrap().iter().find(|item| item["binding"] == json!(tied));
    assert_eq!(contesting.unwrap()["contests"], json!(true));

    let mut body = judgement(&[&made[1]]);
    body["bindings"].as_array_mut().unwrap().push(json!(tied));
    let proposed = id(&stage.registrar.post("/v1/assertions/confirm", &body).await, "proposal");
    assert_eq!(other.post(&format!("/v1/bindings/{tied}/remove"), &json!({})).await.status, 200);
    let late = stage.second.post(&format!("/v1/proposals/{proposed}/approve"), &json!({})).await;
    assert_eq!(late.problem(), "refused", "{late:?}");
    let waits = waiting(&stage, "", 50).await;
    assert_eq!(waits, of(&[&made[1], &made[2], &made[3], &made[4]]), "none of it was confirmed");

    let rejected = stage.both_persons("/v1/assertions/reject", &judgement(&[&made[1], &made[2]])).await;
    assert_eq!(rejected.status, 200, "{rejected:?}");
    assert_eq!(waiting(&stage, "", 50).await, of(&[&made[3], &made[4]]));
    let view: Value = other.get(&format!("/v1/works/{}", made[1].work)).await.json();
    assert_eq!((&view["holders"], &view["keys"]), (&json!([]), &json!([])));
    let again = stage.registrar.post("/v1/assertions/confirm", &judgement(&[&made[1]])).await;
    assert_eq!(again.json::<Value>()["errors"][0]["code"], "ended");
});
