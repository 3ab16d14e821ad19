//! Whatever is sent to any operation about works and permissions, the answer is a documented refusal and never a 5xx.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::contract::{Contract, ExampleRequest};
use crate::world::{World, both};

/// Values that no field of ours takes, or that a careless one chokes on.
fn nasty() -> Vec<String> {
    let mut deep = String::new();
    for _ in 0..200 {
        deep.push_str("{\"a\":[");
    }
    [
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "18446744073709551616",
        "9007199254740993",
        "0.1",
        "\"\"",
        "\" \"",
        "[]",
        "{}",
        "[[]]",
        "{\"only\":[]}",
        "{\"only\":\"any\"}",
        "\"a\\u0000b\"",
        "\"\\u202Eabc\"",
        "\"\\uFEFF\"",
        "\"\\uD800\"",
        "\"https://a:b@localhost/%00\"",
        "\"javascript:alert(1)\"",
        "\"wrk_00000000000000000000000000\"",
        "\"org_zzzzzzzzzzzzzzzzzzzzzzzzzz\"",
        "\"9999-12-31T23:59:60Z\"",
        "\"' OR 1=1 --\"",
        "\"\u{FFFF}\"",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("\"{}\"", "長".repeat(5_000)), deep])
    .collect()
}

/// Bodies made of an example by breaking it in one place, or as a whole.
fn broken(example: &Value) -> Vec<String> {
    let text = example.to_string();
    let mut bodies: Vec<String> = nasty();
    bodies.extend(["", "{", "}", "[1,", "\u{0}", "nul", "{\"a\":1}{"].map(str::to_owned));
    bodies.push(text.replacen('{', "{\"unheard_of\":1,", 1));
    let Some(map) = example.as_object() else { return bodies };
    for (field, value) in map {
        bodies.push(text.replacen('{', &format!("{{{}:{value},", json!(field)), 1));
        for nasty in nasty() {
            let whole: Vec<_> = map
                .iter()
                .map(|(name, value)| {
                    let value = if name == field { nasty.clone() } else { value.to_string() };
                    format!("{}:{value}", json!(name))
                })
                .collect();
            bodies.push(format!("{{{}}}", whole.join(",")));
        }
    }
    bodies
}

async fn attempt(actor: &Actor, example: &ExampleRequest, uri: &str, body: String) {
    let (media_type, _) = example.body.as_ref().unwrap();
    let method = Method::from_bytes(example.operation.method.as_bytes()).unwrap();
    let mut request = actor.client.request(method, uri).header(CONTENT_TYPE, media_type);
    for (name, value) in &example.headers {
        let fresh = fresh_key();
        let value = if name.eq_ignore_ascii_case("idempotency-key") { &fresh } else { value };
        request = request.header(name, value);
    }
    // The client fails on an undocumented answer.
    let answer = actor.client.send(request.body(Body::from(body.clone())).unwrap()).await;
    assert!(!answer.status.is_server_error(), "{} {body}: {answer:?}", example.operation.id);
}

fn is_ours(example: &ExampleRequest) -> bool {
    const OURS: [&str; 14] = [
        "works",
        "holdings",
        "bindings",
        "transfers",
        "links",
        "claims",
        "disputes",
        "assertions",
        "queue",
        "grants",
        "denials",
        "reservations",
        "simulations",
        "control-challenges",
    ];
    let part = example.operation.path.split('/').nth(2);
    example.operation.path == "/v1/who-may-train" || part.is_some_and(|part| OURS.contains(&part))
}

fn actor_for(stage: &Stage, holder: &Actor, example: &ExampleRequest) -> Actor {
    if example.operation.access == "registrar" { stage.registrar.clone() } else { holder.clone() }
}

async fn bodies(stage: &Stage, holder: &Actor) -> usize {
    let mut sent = 0;
    for example in Contract::shared().example_requests().iter().filter(|it| is_ours(it)) {
        let Some((_, body)) = &example.body else { continue };
        let actor = actor_for(stage, holder, example);
        for text in broken(body) {
            attempt(&actor, example, &example.uri, text).await;
            sent += 1;
        }
    }
    sent
}

async fn queries(stage: &Stage, holder: &Actor) -> usize {
    let mut sent = 0;
    for example in Contract::shared().example_requests().iter().filter(|it| is_ours(it)) {
        if example.operation.method != "GET" {
            continue;
        }
        let actor = actor_for(stage, holder, example);
        for query in [
            "limit=-1",
            "limit=999999999999999999999",
            "limit=%00",
            "cursor=",
            "cursor=%F0%9F",
            "cursor=AAAA",
            "at_least=-1",
            "at_least=99999999999999999999",
            "work=x",
            "holder=%E2%80%AE",
            "title=%E2%80%AE",
            "title=",
            "x",
            "=",
            "&&",
            "%",
        ] {
            let answer = actor.get(&format!("{}?{query}", example.uri)).await;
            assert!(answer.status.as_u16() < 500, "{} {query}: {answer:?}", example.operation.id);
            sent += 1;
        }
    }
    sent
}

both!(nothing_that_is_sent_breaks_the_server, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    assert!(bodies(&stage, &holder).await > 1_500);
    assert!(queries(&stage, &holder).await > 150);
    assert_eq!(stage.nobody.get("/readyz").await.status, 200);
});
