//! What concerns security is on the trail, for those whom it concerns, before it is answered.

use std::time::Duration;

use kyodaku::registry::trail::Event;
use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage};
use crate::world::beside::meddle;
use crate::world::client::Client;
use crate::world::people::PASSWORD;
use crate::world::{World, both};

const HANAKO: &str = "hanako@hoshikuzu.example";

async fn events(client: &Client, query: &str) -> Vec<Value> {
    // What is noted is written in turn: after what is recorded now, all before it is there.
    client.get("/v1/security-events").await;
    let page: Value = client.get(&format!("/v1/security-events?limit=200{query}")).await.json();
    page["items"].as_array().unwrap_or_else(|| panic!("{page}")).clone()
}

async fn of(stage: &Stage, actor: &Actor, query: &str) -> Vec<Value> {
    stage.registry.trail().record(Event { operation: "story", ..Event::default() }).await.unwrap();
    events(&actor.client, query).await
}

fn count(events: &[Value], operation: &str, status: u64) -> usize {
    events.iter().filter(|event| event["operation"] == operation && event["status"] == status).count()
}

both!(an_admin_sees_who_came_in_and_who_was_kept_out, async |world: World| {
    let stage = world.stage().await;
    let (admin, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Kumo Trading").await);
    let person = stage.invited(&admin, "editor", HANAKO).await;
    let hanako = stage.signed_in(HANAKO).await;
    assert_eq!(stage.sign_in(HANAKO, "wrong").await.status, 401);
    assert_eq!(stage.sign_in("nobody@hoshikuzu.example", PASSWORD).await.status, 401);
    let reader = admin.with_scopes(&["read"]).await;
    assert_eq!(reader.post("/v1/works", &json!({})).await.problem(), "scope_required");
    let seen = of(&stage, &admin, "").await;
    assert_eq!((count(&seen, "signIn", 201), count(&seen, "signIn", 401)), (1, 1), "{seen:#?}");
    assert_eq!((count(&seen, "createKey", 201), count(&seen, "registerWork", 403)), (1, 1));
    let set = seen.iter().find(|event| event["operation"] == "setPassword").unwrap();
    assert_eq!((&set["person"], &set["status"]), (&json!(person), &json!(200)));
    assert_eq!((count(&seen, "addPerson", 201), count(&seen, "invitePerson", 202)), (1, 1));
    let signed_in =
        seen.iter().find(|event| event["operation"] == "signIn" && event["status"] == 201).unwrap();
    assert_eq!(
        (&signed_in["person"], &signed_in["credential"], &signed_in["peer"]),
        (&json!(person), &json!(hanako.session), &json!("127.0.0.1"))
    );
    assert!(signed_in["request_id"].as_str().unwrap().starts_with("rid_"));
    assert!(seen.iter().all(|event| event["organization"] == json!(admin.org)));
    // Others see nothing of it, nor does an editor; the registrar sees all.
    assert!(of(&stage, &other, "").await.iter().all(|event| event["organization"] == json!(other.org)));
    assert_eq!(
        other.get(&format!("/v1/security-events?organization={}", admin.org)).await.problem(),
        "not_found"
    );
    assert_eq!(hanako.client.get("/v1/security-events").await.problem(), "not_allowed");
    let all = of(&stage, &stage.registrar, "").await;
    assert!(count(&all, "signIn", 401) >= 3 && all.iter().any(|event| event["organization"].is_null()));
    let theirs = of(&stage, &stage.registrar, &format!("&organization={}", admin.org)).await;
    assert!(theirs.iter().all(|event| event["organization"] == json!(admin.org)));
    // Nothing that anybody typed is on it.
    let text = serde_json::to_string(&all).unwrap();
    assert!(!text.contains("hoshikuzu.example") && !text.contains(PASSWORD), "{text}");
});

both!(what_auditors_and_the_registrar_read_is_on_the_trail_or_not_answered, async |world: World| {
    let stage = world.stage().await;
    let (auditor, holder) = (stage.auditor().await, stage.holder("Hoshikuzu Press").await);
    stage.invited(&holder, "editor", HANAKO).await;
    assert_eq!(auditor.get("/v1/works").await.status, 200);
    assert_eq!(holder.get("/v1/works").await.status, 200);
    let all = of(&stage, &stage.registrar, "").await;
    let reads: Vec<_> = all.iter().filter(|event| event["operation"] == "listWorks").collect();
    assert_eq!(reads.len(), 1, "{all:#?}");
    assert_eq!(reads[0]["person"], json!(auditor.person));
    meddle(stage.registry.db(), "DROP TABLE security_events").await.unwrap();
    assert_eq!(auditor.get("/v1/works").await.status, 503);
    assert_eq!(stage.registrar.get("/v1/queue").await.status, 503);
    assert_eq!(stage.sign_in(HANAKO, PASSWORD).await.status, 503);
    assert_eq!(stage.sign_in(HANAKO, "wrong").await.status, 401);
    assert_eq!(holder.get("/v1/works").await.status, 200);
    assert_eq!(stage.nobody.with_key("kyo_live_nonsense").get("/v1/me").await.status, 401);
});

both!(what_is_done_is_on_the_trail_also_when_the_caller_goes_away, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    let body = json!({ "label": "unheard" });
    let mut call = Box::pin(admin.post("/v1/keys", &body));
    let made = async || {
        let page: Value = stage.registrar.get(&format!("/v1/keys?organization={}", admin.org)).await.json();
        page["items"].as_array().unwrap().iter().any(|key| key["label"] == "unheard")
    };
    // The caller goes away once the key is made, and before it hears of it.
    while !made().await && futures_util::poll!(&mut call).is_pending() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(call);
    for _ in 0..200 {
        if count(&of(&stage, &admin, "").await, "createKey", 201) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a key was made, and the trail does not know");
});

both!(nobody_fills_the_trail_by_being_refused, async |world: World| {
    let stage = world.stage().await;
    let (one, other) = (stage.developer("Kagami Labs").await, stage.developer("Kumo Trading").await);
    let refuse = |actor: &Actor| Event {
        operation: "grant",
        status: 403,
        org: Some(actor.org.parse().unwrap()),
        ..Event::default()
    };
    for _ in 0..1_500 {
        stage.registry.trail().note(refuse(&one));
    }
    stage.registry.trail().note(refuse(&other));
    let written = of(&stage, &stage.registrar, &format!("&organization={}", other.org)).await;
    assert_eq!(count(&written, "grant", 403), 1);
    let figures = stage.registry.metrics().text(&stage.registry).unwrap();
    assert!(figures.contains("kyodaku_security_events_lost_total 500\n"), "{figures}");
});

both!(events_are_deleted_in_time, async |world: World| {
    let stage = world.stage().await;
    assert!(!of(&stage, &stage.registrar, "").await.is_empty());
    let day = Duration::from_hours(24);
    stage.clock().advance(399 * day);
    assert_eq!(stage.registry.purge_events().await.unwrap(), 0);
    stage.clock().advance(2 * day);
    assert!(stage.registry.purge_events().await.unwrap() > 0);
});
