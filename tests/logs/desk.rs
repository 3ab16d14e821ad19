//! The auditor's desk: the act log, looked through.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checks::scene::{Scene, catalogue};
use crate::cli::import::served;
use crate::cli::serve::ask;
use crate::world::actors::Actor;
use crate::world::works::registration;
use crate::world::{World, both};

/// Every entry that is found, page by page.
async fn look(by: &Actor, query: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = by.get(&format!("/v1/log?limit=3{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
        let page: Value = page.json();
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

fn types(found: &[Value]) -> Vec<&str> {
    found.iter().map(|it| it["type"].as_str().unwrap()).collect()
}

both!(auditors_look_through_the_log_by_what_they_seek, async |world: World| {
    let scene = Scene::open(&world).await;
    let auditor = scene.stage.verified("Kansa Office", &["auditor"]).await;
    let (one, two) = (scene.work(&[catalogue("1")]).await, scene.work(&[catalogue("2")]).await);
    scene.stage.clock().advance(Duration::from_hours(1));
    let grant = scene.grant(one).await;
    scene.stage.clock().advance(Duration::from_hours(1));
    scene.revoke(grant).await;
    scene.grant(two).await;

    let all = look(&auditor, "").await;
    let size = scene.stage.log_size().await;
    let places: Vec<u64> = all.iter().map(|it| it["index"].as_u64().unwrap()).collect();
    assert_eq!(places, (0..size).collect::<Vec<_>>());
    let of_one = look(&auditor, &format!("&work={one}")).await;
    assert_eq!(
        types(&of_one),
        ["work.registered", "assertions.confirmed", "grant.recorded", "grant.revoked"]
    );
    assert_eq!(of_one[3]["text"], json!(format!("{} revoked a grant.", scene.holder.org)));
    assert_eq!(of_one[2]["works"], json!([one]));
    // What is hashed is told to the byte.
    let entry: Value = auditor.get(&format!("/v1/entries/{}", of_one[2]["index"])).await.json();
    assert_eq!(of_one[2]["entry"], entry["entry"]);
    let grants = look(&auditor, "&type=grant.recorded").await;
    assert_eq!(grants.len(), 2);
    let both = format!("&work={one}&party={}&type=grant.recorded", scene.developer.org);
    assert_eq!(types(&look(&auditor, &both).await), ["grant.recorded"]);
    assert_eq!(
        look(&auditor, &format!("&work={one}&party={}", scene.competitor.org)).await,
        Vec::<Value>::new()
    );
    let of_party = look(&auditor, &format!("&party={}", scene.developer.org)).await;
    let named: BTreeSet<&str> = types(&of_party).into_iter().collect();
    assert!(named.contains("org.verified") && named.contains("grant.revoked"), "{named:?}");
    // Within a time: from its first moment, to before its last.
    let hour = "&since=2025-10-27T01:00:00Z&until=2025-10-27T02:00:00Z";
    assert_eq!(types(&look(&auditor, hour).await), ["grant.recorded"]);
    let later = format!("&since=2025-10-27T02:00:00Z&work={one}");
    assert_eq!(types(&look(&auditor, &later).await), ["grant.revoked"]);
    assert_eq!(look(&auditor, "&until=2025-10-27T00:00:00Z").await, Vec::<Value>::new());
    assert_eq!(look(&auditor, "&since=2099-01-01T00:00:00Z").await, Vec::<Value>::new());
    assert_eq!(look(&auditor, "&type=no.such").await, Vec::<Value>::new());

    for by in [&scene.holder, &scene.developer, &scene.stage.registrar] {
        assert_eq!(by.get("/v1/log").await.status, 403);
    }
    for bad in ["work=1", "party=x", "since=yesterday", "type=", "more=1"] {
        assert_eq!(auditor.get(&format!("/v1/log?{bad}")).await.status, 400, "{bad}");
    }
    let trail: Value = scene.stage.registrar.get("/v1/security-events").await.json();
    let looks = trail["items"].as_array().unwrap().iter().filter(|it| it["operation"] == "lookThroughLog");
    assert!(looks.count() > 10);
});

both!(the_log_is_looked_through_by_command, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (holder, auditor) = (stage.holder("Hoshikuzu Press").await, stage.auditor().await);
    let work = stage.confirmed(&holder, &registration("星屑", &[&holder])).await.work;
    let words = ["log", "--work", &work];
    let told = ask(&server, &auditor.key, &words);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    assert!(told.out.contains(&format!(" {} registered the work.\n", holder.org)), "{}", told.out);
    assert!(told.err.contains("2 entries"), "{}", told.err);
    let ja = ask(&server, &auditor.key, &[&words[..], &["--lang", "ja"]].concat());
    assert!(ja.out.contains("作品を登録しました"), "{}", ja.out);
    let table = ask(&server, &auditor.key, &[&words[..], &["--csv", "--type", "work.registered"]].concat());
    let lines: Vec<&str> = table.out.split("\r\n").collect();
    assert_eq!((lines[0], lines.len()), ("entry,recorded,type,party,on_behalf_of,works,text", 3));
    assert!(lines[1].contains(&format!(",work.registered,{},,{work},", holder.org)), "{}", table.out);
    let raw = ask(&server, &auditor.key, &[&words[..], &["--json"]].concat());
    assert_eq!(raw.out.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2);
    assert_eq!(ask(&server, &holder.key, &words).code, 1);
});
