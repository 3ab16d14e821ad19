//! Contractors ask for the developer that named them: its questions, its answers, and nothing when it has ended.

use std::time::Duration;

use futures_util::future::join_all;
use kyodaku::domain::ids::ContractorId;
use kyodaku::domain::journal::JournalEntry;
use kyodaku::store::contractors::{self as table, Contractor};
use kyodaku::store::heads::checks_log;
use kyodaku::store::{Engine, entries};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::scene::{Scene, training, url};
use crate::world::actors::{Actor, fresh_key};
use crate::world::client::Answer;
use crate::world::{World, both};

const PAGE: &str = "https://hoshikuzu.example/library/1";

async fn name(developer: &Actor, body: &Value) -> Answer {
    developer.post("/v1/contractors", body).await
}

/// Asks for training, for whoever the header names.
async fn ask(by: &Actor, developer: Option<&str>) -> Answer {
    let body = json!({ "context": training(), "items": [{ "url": PAGE }] });
    let header = developer.map(|id| ("kyodaku-on-behalf-of", id));
    by.client.json("POST", "/v1/checks", &body, header.as_slice()).await
}

fn verdict(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json::<Value>()["items"][0]["verdict"].clone()
}

both!(a_contractor_asks_as_the_developer_and_the_journal_says_so, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[url(PAGE)]).await;
    scene.grant(work).await;
    let contractor = scene.stage.developer("Shitauke Works").await;
    // Its own question is not the developer's, and nobody asks for one that has not named it.
    assert_eq!(verdict(&ask(&contractor, None).await), "not_permitted");
    let nobody = "org_01h455vb4pex5vsknk084sn02q";
    for stranger in [scene.developer.org.as_str(), scene.holder.org.as_str(), nobody] {
        let refused = ask(&contractor, Some(stranger)).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (403, "not_allowed".to_owned()));
    }
    let named: Value = name(&scene.developer, &json!({ "organization": contractor.org })).await.json();
    let answer = ask(&contractor, Some(&scene.developer.org)).await;
    assert_eq!(verdict(&answer), "permitted");
    let told: Value = answer.json();
    assert_eq!(
        (&told["developer"], &told["asked_by"]),
        (&json!(scene.developer.org), &json!(contractor.org))
    );
    let own: Value = ask(&scene.developer, None).await.json();
    assert_eq!((&own["developer"], own.get("asked_by")), (&json!(scene.developer.org), None));
    // It is no way back: the developer does not ask for the contractor.
    assert_eq!(ask(&scene.developer, Some(&contractor.org)).await.status, 403);
    let index = told["journal"]["entry"].as_u64().unwrap();
    let log = checks_log(&scene.stage.registry.settings().node);
    let stored = entries::read(scene.stage.registry.db(), &log, index..index + 1).await.unwrap();
    let JournalEntry::Check { developer, asked_by, .. } = serde_json::from_slice(&stored[0].bytes).unwrap()
    else {
        panic!("not a check");
    };
    assert_eq!(
        (developer.to_string(), asked_by.unwrap().to_string()),
        (scene.developer.org.clone(), contractor.org.clone())
    );
    // Ended by either side, it ends at once.
    let path = format!("/v1/contractors/{}", named["contractor"].as_str().unwrap());
    assert_eq!(scene.competitor.delete(&path).await.status, 404);
    let ended: Value = contractor.delete(&path).await.json();
    assert!(ended["ended"].is_string());
    assert_eq!(scene.developer.delete(&path).await.json::<Value>(), ended);
    assert_eq!(ask(&contractor, Some(&scene.developer.org)).await.status, 403);
});

both!(every_door_of_checks_knows_for_whom, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[url(PAGE)]).await;
    scene.grant(work).await;
    let contractor = scene.stage.developer("Shitauke Works").await;
    assert_eq!(name(&scene.developer, &json!({ "organization": contractor.org })).await.status, 201);
    let for_whom = [("kyodaku-on-behalf-of", scene.developer.org.as_str())];
    let evaluation = json!({
        "subject": { "type": "organization", "id": scene.developer.org },
        "action": { "name": "train.generative" },
        "resource": { "type": "url", "id": PAGE },
    });
    for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
        let own: Value = contractor.client.json("POST", path, &evaluation, &[]).await.json();
        assert_eq!(own["decision"], json!(false), "{path} without the header");
        let told: Value = contractor.client.json("POST", path, &evaluation, &for_whom).await.json();
        assert_eq!(told["decision"], json!(true), "{path}");
    }
    let opted_out = async |header: Option<&str>| -> Value {
        let request = contractor.client.request(axum::http::Method::POST, "/api/v2/query/urls/");
        let request = request.header("content-type", "text/plain");
        let request = header.iter().fold(request, |request, id| request.header("kyodaku-on-behalf-of", *id));
        contractor.client.send(request.body(PAGE.into()).unwrap()).await.json::<Value>()["urls"][0]["optOut"]
            .clone()
    };
    assert_eq!(
        (opted_out(None).await, opted_out(Some(&scene.developer.org)).await),
        (json!(true), json!(false))
    );
    let lines = format!("{}\n{}\n", training(), json!({ "url": PAGE }));
    let request = contractor.client.request(axum::http::Method::POST, "/v1/checks");
    let request = request.header("content-type", "application/x-ndjson").header(for_whom[0].0, for_whom[0].1);
    let answer = contractor.client.send(request.body(lines.into()).unwrap()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""verdict":"permitted""#), "{answer:?}");
});

both!(a_contractor_is_named_by_an_admin_for_a_time_and_once, async |world: World| {
    let scene = Scene::open(&world).await;
    let contractor = scene.stage.developer("Shitauke Works").await;
    let until = scene.stage.clock().now_ms() + 60_000;
    let until = jiff::Timestamp::from_millisecond(until).unwrap().to_string();
    let body = json!({ "organization": contractor.org, "until": until });
    let colleague = json!({ "label": "colleague", "role": "editor", "key": { "label": "colleague" } });
    let colleague: Value = scene.developer.post("/v1/people", &colleague).await.json();
    let colleague = scene.stage.nobody.with_key(colleague["key"]["secret"].as_str().unwrap());
    let refused = colleague.json("POST", "/v1/contractors", &body, &[("idempotency-key", "k")]).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let key = fresh_key();
    let named = scene.developer.post_once("/v1/contractors", &body, &key).await;
    assert_eq!(named.status, 201, "{named:?}");
    let again = scene.developer.post_once("/v1/contractors", &body, &key).await;
    assert_eq!(again.json::<Value>(), named.json::<Value>());
    assert_eq!(name(&scene.developer, &body).await.problem(), "conflict");
    for other in [scene.developer.org.as_str(), scene.holder.org.as_str(), "org_01h455vb4pex5vsknk084sn02q"] {
        let refused = name(&scene.developer, &json!({ "organization": other })).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json::<Value>()["errors"][0]["pointer"].clone()),
            (422, json!("/organization"))
        );
    }
    for side in [&scene.developer, &contractor] {
        let list: Value = side.get("/v1/contractors").await.json();
        assert_eq!(list["items"], json!([named.json::<Value>()]));
    }
    assert_eq!(scene.competitor.get("/v1/contractors").await.json::<Value>()["items"], json!([]));
    assert_eq!(ask(&contractor, Some(&scene.developer.org)).await.status, 200);
    // When the time is over, so is the naming.
    scene.stage.clock().advance(Duration::from_mins(1));
    assert_eq!(ask(&contractor, Some(&scene.developer.org)).await.status, 403);
    let over = name(&scene.developer, &body).await;
    assert_eq!(over.json::<Value>()["errors"][0]["pointer"], json!("/until"));
    assert_eq!(name(&scene.developer, &json!({ "organization": contractor.org })).await.status, 201);
    // What is not an id of an organization, or there twice, is no developer and no silent fallback to the caller itself.
    let body = json!({ "context": training(), "items": [{ "url": PAGE }] });
    for bad in ["", "me", "wrk_01h455vb4pex5vsknk084sn02q"] {
        let refused =
            contractor.client.json("POST", "/v1/checks", &body, &[("kyodaku-on-behalf-of", bad)]).await;
        assert_eq!(refused.problem(), "invalid_header", "{bad}");
    }
});

both!(of_those_who_name_one_at_once_one_does, async |world: World| {
    let scene = Scene::open(&world).await;
    for _ in 0..5 {
        let contractor = scene.stage.developer("Shitauke Works").await;
        let body = json!({ "organization": contractor.org });
        let named = join_all((0..8).map(|_| name(&scene.developer, &body))).await;
        let (made, others): (Vec<_>, Vec<_>) = named.iter().partition(|answer| answer.status == 201);
        assert_eq!(made.len(), 1, "{named:?}");
        assert!(others.iter().all(|answer| answer.problem() == "conflict"), "{named:?}");
        // So it ends when it is ended.
        let path = format!("/v1/contractors/{}", made[0].json::<Value>()["contractor"].as_str().unwrap());
        assert_eq!(scene.developer.delete(&path).await.status, 200);
        assert_eq!(ask(&contractor, Some(&scene.developer.org)).await.status, 403);
    }
});

both!(those_who_were_named_twice_are_so_no_more, async |world: World| {
    let scene = Scene::open(&world).await;
    let db = scene.stage.registry.db();
    let row = async |organization: &str, created_ms: i64, expires_ms: Option<i64>| {
        let id = ContractorId::new(scene.stage.clock().new_uuid()).to_string();
        let row = Contractor {
            id: id.clone(),
            developer: scene.developer.org.clone(),
            organization: organization.to_owned(),
            created_ms,
            expires_ms,
            ended_ms: None,
        };
        let mut tx = db.begin().await.unwrap();
        table::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        id
    };
    let live = async || {
        let rows = table::list(db, &scene.developer.org, None, 100).await.unwrap();
        rows.into_iter().filter(|row| row.ended_ms.is_none()).map(|row| row.id).collect::<Vec<_>>()
    };
    let open =
        [row("twice", 10, None).await, row("twice", 11, None).await, row("twice", 10, Some(500)).await];
    let for_a_time = [
        row("for a time", 10, Some(90)).await,
        row("for a time", 11, Some(100)).await,
        row("for a time", 12, Some(100)).await,
    ];
    // One after the other is twice too, and no double.
    let in_turn = [row("in turn", 10, Some(20)).await, row("in turn", 20, None).await];
    let once = row("once", 10, None).await;
    assert_eq!(live().await.len(), 9);
    let stays = [&open[0], &for_a_time[1], &in_turn[0], &in_turn[1], &once].map(Clone::clone);
    let is_embedded = world.engine == Engine::Sqlite;
    let folder = if is_embedded { "sqlite" } else { "postgres" };
    let text = std::fs::read_to_string(format!("migrations/{folder}/0019_contractors_once.sql")).unwrap();
    for _ in 0..2 {
        let text = AssertSqlSafe(text.clone());
        if is_embedded {
            let mut other = SqliteConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut other).await.unwrap();
            other.close().await.unwrap();
        } else {
            let mut other = PgConnection::connect(&world.url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut other).await.unwrap();
            other.close().await.unwrap();
        }
        assert_eq!(live().await, stays);
    }
});
