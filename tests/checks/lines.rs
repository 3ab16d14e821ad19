//! Lines without an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use kyodaku::registry::checks::MAX_ITEMS;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::scene::{Scene, catalogue, post};
use crate::world::{World, both};

const LINES: &str = "application/x-ndjson";
const CONTEXT: &str = "{\"uses\":[\"train.generative\"]}\n";

fn item(at: usize) -> String {
    format!("{{\"id\":{{\"scheme\":\"catalogue\",\"value\":\"{}\"}},\"reference\":\"{at}\"}}\n", at % 10)
}

fn lines(body: &[u8]) -> Vec<Value> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

both!(every_line_is_answered_and_the_end_counts_them, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    scene.grant(work).await;
    let total = 2 * MAX_ITEMS + 5;
    let body: String = std::iter::once(CONTEXT.to_owned()).chain((0..total).map(item)).collect();
    let answer = post(&scene.developer, "/v1/checks", LINES, body).await;
    assert_eq!((answer.status.as_u16(), &answer.headers[CONTENT_TYPE]), (200, &LINES.parse().unwrap()));
    let lines = lines(&answer.body);
    let checks: Vec<_> = lines.iter().filter_map(|line| line.get("check")).collect();
    let sizes: Vec<_> = checks
        .iter()
        .map(|check| check["permitted"].as_u64().unwrap() + check["not_permitted"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [10_000, 10_000, 5]);
    let items: Vec<_> = lines.iter().filter_map(|line| line.get("item")).collect();
    assert_eq!(items.len(), total);
    for (at, item) in items.iter().enumerate() {
        assert_eq!(item["reference"], at.to_string());
        assert_eq!(item["verdict"] == "permitted", at % 10 == 7);
    }
    let end = &lines.last().unwrap()["end"];
    assert_eq!((&end["items"], &end["permitted"]), (&json!(total), &json!(2_000)));
    let ids: Vec<_> = checks.iter().map(|check| check["check"].clone()).collect();
    assert_eq!(end["checks"], json!(ids));
});

both!(a_broken_line_is_an_item_of_its_own, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    scene.grant(work).await;
    let long = format!("{{\"url\":\"https://a.example/{}\"}}\n", "x".repeat(70_000));
    let body = [CONTEXT, &item(7), "{\"url\":\n", "\n", &long, "\u{feff}{}\n", item(17).trim_end()].concat();
    let answer = post(&scene.developer, "/v1/checks", LINES, body).await;
    let lines = lines(&answer.body);
    let verdicts: Vec<_> =
        lines.iter().filter_map(|line| line.get("item")).map(|item| item["verdict"] == "permitted").collect();
    assert_eq!(verdicts, [true, false, false, false, true]);
    assert_eq!(lines.last().unwrap()["end"]["not_permitted"], 3);
});

both!(a_broken_first_line_fails_before_anything_is_answered, async |world: World| {
    let scene = Scene::open(&world).await;
    for (body, status) in [
        ("", 400),
        ("{\n", 400),
        ("{\"uses\":[]}\n", 422),
        ("{\"uses\":[\"train\"]}\n", 422),
        ("{\"url\":\"https://a.example/\"}\n", 422),
        ("{\"uses\":[\"search\"],\"model\":1}\n", 422),
    ] {
        let answer = post(&scene.developer, "/v1/checks", LINES, body).await;
        assert_eq!(answer.status, status, "{body}");
    }
    let long = "x".repeat(65_537);
    assert_eq!(post(&scene.developer, "/v1/checks", LINES, long).await.status, 413);
    let answer = post(&scene.developer, "/v1/checks", LINES, CONTEXT).await;
    let lines = lines(&answer.body);
    assert_eq!((lines.len(), &lines[0]["error"]["code"]), (1, &json!("invalid_body")), "no item, no end");
});

both!(a_stream_that_fails_midway_has_no_end, async |world: World| {
    let scene = Scene::open(&world).await;
    let registry = scene.stage.registry.clone();
    let first: String = std::iter::once(CONTEXT.to_owned()).chain((0..MAX_ITEMS).map(item)).collect();
    let second = stream::once(async move {
        registry.db().close().await;
        Ok::<_, std::io::Error>(Bytes::from(item(7)))
    });
    let body = Body::from_stream(stream::iter([Ok(Bytes::from(first))]).chain(second));
    let answer = post(&scene.developer, "/v1/checks", LINES, body).await;
    let told = lines(&answer.body);
    assert_eq!(told.iter().filter(|line| line.get("item").is_some()).count(), MAX_ITEMS);
    assert_eq!(told.last().unwrap()["error"]["code"], "unavailable");
    assert!(told.last().unwrap()["error"]["request_id"].is_string());
    assert!(told.iter().all(|line| line.get("end").is_none()));

    let other = World::new(world.engine).await;
    let scene = Scene::open(&other).await;
    let broken = stream::iter([
        Ok(Bytes::from(format!("{CONTEXT}{}", item(1)))),
        Err(std::io::Error::other("the sender is gone")),
    ]);
    let answer = post(&scene.developer, "/v1/checks", LINES, Body::from_stream(broken)).await;
    let told = lines(&answer.body);
    assert_eq!(told.len(), 1, "what was not wholly received is not asked: {told:?}");
    assert_eq!(told[0]["error"]["code"], "malformed_request");
});

// 300,000 items through the whole router, read no faster than they are answered.
both!(memory_stays_flat, async |world: World| {
    const TOTAL: usize = 300_000;
    const FRAME: usize = 500;
    let scene = Scene::open(&world).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let frames = stream::iter(0..TOTAL / FRAME).map(move |frame| {
        counter.fetch_add(FRAME, Ordering::SeqCst);
        let from = frame * FRAME;
        Ok::<_, std::io::Error>((from..from + FRAME).map(item).collect::<String>())
    });
    let body = Body::from_stream(stream::once(async { Ok(CONTEXT.to_owned()) }).chain(frames));
    let request = scene.developer.client.request(Method::POST, "/v1/checks").header(CONTENT_TYPE, LINES);
    let response = scene.stage.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let mut body = response.into_body();
    let (mut answered, mut most_in_flight, mut largest_frame) = (0, 0, 0);
    let mut last = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        largest_frame = largest_frame.max(data.len());
        most_in_flight = most_in_flight.max(sent.load(Ordering::SeqCst) - answered);
        answered += data.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"item\"")).count();
        last = data.to_vec();
    }
    assert_eq!(answered, TOTAL);
    assert!(most_in_flight <= MAX_ITEMS + FRAME, "{most_in_flight} items were in flight");
    assert!(largest_frame < 200_000, "{largest_frame} bytes left at once");
    assert_eq!(lines(&last).last().unwrap()["end"]["items"], TOTAL);
});
