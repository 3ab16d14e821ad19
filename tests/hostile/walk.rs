//! Every operation of the table is sent everything: broken bodies, parameters and headers. The description alone says what must be
//! refused: a body that its schema refuses, but not one that it takes, such as a title of many blanks.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Method, Request};
use kyodaku::store::{Engine, archive};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::bodies::{self, Broken};
use crate::world::actors::{Actor, Stage, fresh_key};
use crate::world::beside::number;
use crate::world::client::{Answer, Client};
use crate::world::contract::{Contract, ExampleRequest, Operation, written};
use crate::world::people::PASSWORD;
use crate::world::samples::Samples;
use crate::world::{World, both};

/// Operations that take what their schema refuses, and why.
const LENIENT: &[(&str, &str)] = &[
    (
        "check",
        "an item that can't be read is answered `not_permitted`, and its neighbours as if it were not there",
    ),
    ("evaluate", "what can't be read is answered `false`, as the standard has it"),
    ("evaluateMany", "the same, for each evaluation"),
];

/// What may grow although nothing was done: what was refused is on the trail, and its key is kept.
const BESIDE: [&str; 2] = ["security_events", "idempotency"];

/// Header fields that no answer has: there are no cookies, and no page of another origin may ask.
const UNSENT: [&str; 3] = ["set-cookie", "access-control-allow-origin", "access-control-allow-credentials"];

/// Everybody who is needed to get past the gate, and what they get at.
struct Scene {
    stage: Stage,
    auditor: Actor,
    samples: Samples,
    /// Somebody who signed in with a password.
    person: Client,
    faults: Vec<String>,
    sent: usize,
}

impl Scene {
    async fn new(world: &World) -> Self {
        let stage = world.stage().await;
        let auditor = stage.auditor().await;
        let samples = Samples::new(&stage).await;
        stage.invited(&samples.victim, "admin", "mori@example.jp").await;
        let person = stage.signed_in("mori@example.jp").await.client;
        Self { stage, auditor, samples, person, faults: Vec::new(), sent: 0 }
    }

    /// Whoever may use the operation of an example.
    fn rightful(&self, example: &ExampleRequest) -> &Client {
        if example.operation.path.starts_with("/v1/proposals/") {
            return &self.stage.registrar.client;
        }
        match example.operation.access.as_str() {
            "public" => &self.stage.nobody,
            "own" => &self.person,
            "registrar" => &self.stage.registrar.client,
            "auditor" => &self.auditor.client,
            _ => &self.samples.victim.client,
        }
    }

    fn uri(&self, example: &ExampleRequest) -> String {
        let query = example.uri.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        format!("{}{query}", self.samples.path(&example.operation.path))
    }

    /// The example as it would be carried out, to be broken in one place.
    fn request(&self, example: &ExampleRequest, uri: &str) -> axum::http::request::Builder {
        let method = Method::from_bytes(example.operation.method.as_bytes()).unwrap();
        let mut request = self.rightful(example).request(method, uri);
        for (name, value) in &example.headers {
            let fresh = fresh_key();
            request = request
                .header(name, if name.eq_ignore_ascii_case("idempotency-key") { &fresh } else { value });
        }
        match &example.body {
            Some((media_type, _)) => request.header(CONTENT_TYPE, media_type),
            None => request,
        }
    }

    /// The body of a request that is broken elsewhere: what writes gets one that nobody can read, so that nothing is done
    /// which stands in the way of the next.
    fn body_beside(example: &ExampleRequest) -> Body {
        if example.operation.method == "GET" { Body::empty() } else { Body::from("{") }
    }

    /// Sends a request and notes what is wrong with the answer. A refusal is a problem that names the request; after
    /// it the log is as it was.
    async fn send(&mut self, example: &ExampleRequest, what: &str, request: Request<Body>, must: bool) {
        let size = self.stage.log_size().await;
        let (answer, undocumented) = self.stage.nobody.judged(request).await;
        let grown = self.stage.log_size().await != size;
        let is_error = answer.status.is_client_error() || answer.status.is_server_error();
        let fault = if let Some(fault) = undocumented {
            Some(fault)
        } else if let Some(name) = UNSENT.iter().find(|name| answer.headers.contains_key(**name)) {
            Some(format!("it sent `{name}`"))
        } else if answer.status.is_redirection() {
            Some("it leads elsewhere".to_owned())
        } else if answer.status.is_server_error() {
            Some("the server failed".to_owned())
        } else if must && !is_error {
            Some("it was not refused".to_owned())
        } else if is_error && grown {
            Some("it was refused and recorded".to_owned())
        } else if is_error {
            badly_said(&answer)
        } else {
            None
        };
        self.sent += 1;
        if let Some(fault) = fault {
            let body: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            let what: String = what.chars().take(120).collect();
            self.faults
                .push(format!("{} with {what}: {fault} ({} {body})", example.operation.id, answer.status));
        }
    }

    /// How many rows each table has.
    async fn rows(&self) -> Vec<(&'static str, i64)> {
        let mut rows = Vec::new();
        for table in archive::TABLES.iter().filter(|table| !BESIDE.contains(&table.name)) {
            let text = AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name));
            rows.push((table.name, number(self.stage.registry.db(), text).await));
        }
        rows
    }

    fn done(&self, least: usize) {
        // A few of each operation: what is wrong with one is often wrong in many places.
        let mut seen = HashMap::new();
        let mut is_among_the_first = |fault: &&String| {
            let count = seen.entry(fault.split(' ').next().map(ToOwned::to_owned)).or_insert(0);
            *count += 1;
            *count <= 4
        };
        let shown: Vec<_> = self.faults.iter().filter(&mut is_among_the_first).cloned().collect();
        assert!(shown.is_empty(), "{} of {} went wrong:\n{}", self.faults.len(), self.sent, shown.join("\n"));
        assert!(self.sent > least, "{}", self.sent);
    }
}

/// What is wrong with how a refusal is told.
fn badly_said(answer: &Answer) -> Option<String> {
    let told: Value = match serde_json::from_slice(&answer.body) {
        Ok(told) => told,
        Err(error) => return Some(format!("the refusal is no JSON: {error}")),
    };
    // What OAuth refuses is told in its own form.
    if told.get("error").is_some() {
        return None;
    }
    let kind = answer.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if kind.is_none_or(|kind| !kind.starts_with(b"application/problem+json")) {
        return Some(format!("the refusal is of the type {kind:?}"));
    }
    let id = answer.headers.get("x-request-id").map(HeaderValue::as_bytes);
    let named = told["request_id"].as_str().map(str::as_bytes);
    (id.is_none() || id != named).then(|| "the refusal does not name the request".to_owned())
}

fn json_examples() -> Vec<ExampleRequest> {
    let is_json = |it: &ExampleRequest| {
        it.body
            .as_ref()
            .is_some_and(|(media_type, _)| media_type.ends_with("json") && !media_type.ends_with("ndjson"))
    };
    Contract::shared().example_requests().into_iter().filter(is_json).collect()
}

both!(a_broken_body_is_refused_and_changes_nothing, async |world: World| {
    let mut scene = Scene::new(&world).await;
    let mut before = scene.rows().await;
    let is_lenient = |example: &ExampleRequest| LENIENT.iter().any(|(id, _)| *id == example.operation.id);
    let mut soft: Vec<(ExampleRequest, Broken)> = Vec::new();
    for example in json_examples() {
        let (media_type, body) = example.body.clone().unwrap();
        let uri = scene.uri(&example);
        for broken in bodies::of(&example.operation, &media_type, &scene.samples.body(&body)) {
            if !broken.must_be_refused || is_lenient(&example) {
                soft.push((example.clone(), broken));
                continue;
            }
            // What is refused when it is read never meets a database.
            if world.engine == Engine::Postgres {
                continue;
            }
            let request = scene.request(&example, &uri).body(Body::from(broken.bytes)).unwrap();
            scene.send(&example, &broken.what, request, true).await;
        }
        let now = scene.rows().await;
        if now != before {
            let grown = before.iter().zip(&now).filter(|(before, now)| before != now);
            scene.faults.push(format!("{} changed {:?}", example.operation.id, grown.collect::<Vec<_>>()));
            before = now;
        }
    }
    // What the description allows may be done, and so comes last.
    for (example, broken) in soft {
        let request = scene.request(&example, &scene.uri(&example)).body(Body::from(broken.bytes)).unwrap();
        scene.send(&example, &broken.what, request, false).await;
    }
    scene.done(1_500);
});

both!(bodies_that_are_no_json_break_nothing, async |world: World| {
    let mut scene = Scene::new(&world).await;
    for example in Contract::shared().example_requests() {
        let Some((media_type, body)) = example.body.clone() else { continue };
        let good = written(&media_type, &scene.samples.body(&body)).into_bytes();
        for (what, bytes) in raw(&good) {
            let request = scene.request(&example, &scene.uri(&example)).body(Body::from(bytes)).unwrap();
            scene.send(&example, what, request, false).await;
        }
        for kind in KINDS {
            let mut request = scene.request(&example, &scene.uri(&example));
            let kind = HeaderValue::from_bytes(kind).unwrap();
            request.headers_mut().unwrap().insert(CONTENT_TYPE, kind.clone());
            let request = request.body(Body::from(good.clone())).unwrap();
            scene.send(&example, &format!("{kind:?}"), request, true).await;
        }
    }
    scene.done(1_000);
});

/// Content types that no operation takes.
const KINDS: &[&[u8]] = &[
    b"",
    b"application",
    b"text/html",
    b"multipart/form-data; boundary=x",
    b"application/json; charset=utf-16",
    b"application/x-www-form-urlencoded; charset=shift_jis",
    b"application/x-ndjson; charset=utf-16",
    b"text/plain; charset=shift_jis",
    b"application/json, text/plain",
    b"\xff\xfe",
];

/// Bytes in place of, before, within and after a body.
fn raw(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let with = |bytes: &[u8]| [good, bytes].concat();
    vec![
        ("NUL", vec![0; 1_000]),
        ("no UTF-8", vec![0xff; 1_000]),
        ("no UTF-8 at its end", with(b"\xff\xfe\xed\xa0\x80")),
        ("ends of lines of all kinds", with("\r\n\n\r\u{85}\u{2028}\u{0b}\u{0c}".as_bytes())),
        ("twice", [good, b"&", good].concat()),
        ("twice, with an end of the line", [good, b"\n", good].concat()),
        ("an escape cut off", with(b"&a=%&b=%F&c=%00%ff")),
        ("another direction", with("\u{202E}\u{2066}".as_bytes())),
        ("a long line", with(&vec![b'a'; 100_000])),
        ("a thousand lines", with(&b"\n{}".repeat(1_000))),
        ("17 MiB", with(&vec![b'a'; 17 << 20])),
    ]
}

/// Values of parameters as they stand in a URI.
fn values() -> Vec<String> {
    [
        "",
        "%00",
        "%ff%fe",
        "%ED%A0%80",
        "%E2%80%AEabc",
        "%EF%BB%BF",
        "%0d%0aX-Evil:%201",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%",
        "%z",
        "-1",
        "0",
        "1e999",
        "99999999999999999999",
        "9007199254740993",
        "true",
        "null",
        "[]",
        "'%20OR%201=1--",
        "%3Cscript%3E",
        "wrk_00000000000000000000000000",
        "WRK_01H455VB4PEX5VSKNK084SN02Q",
        "org_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "%F0%9F%98%80",
        "=",
        "a;b",
        "*",
    ]
    .into_iter()
    .map(ToOwned::to_owned)
    .chain(["%E9%95%B7".repeat(3_000), "a".repeat(60_000)])
    .collect()
}

both!(no_path_and_no_query_breaks_the_server, async |world: World| {
    let mut scene = Scene::new(&world).await;
    let (before, mut has_written) = (scene.rows().await, false);
    let mut examples = Contract::shared().example_requests();
    // Those that only read come first: after them everything is as it was.
    examples.sort_by_key(|example| example.operation.method != "GET");
    for example in examples {
        if !has_written {
            assert_eq!(scene.rows().await, before, "before {}", example.operation.id);
            has_written = example.operation.method != "GET";
        }
        let uri = scene.uri(&example);
        let mut tries: Vec<String> = Vec::new();
        for value in values() {
            for parameter in Contract::shared().parameters(&example.operation) {
                let name = parameter["name"].as_str().unwrap();
                match parameter["in"].as_str() {
                    Some("path") => {
                        let path = example.operation.path.replace(&format!("{{{name}}}"), &value);
                        tries.push(scene.samples.path(&path));
                    }
                    Some("query") => tries.push(format!("{}?{name}={value}", uri.split('?').next().unwrap())),
                    _ => {}
                }
            }
            tries.push(format!("{}?{value}", uri.split('?').next().unwrap()));
            tries.push(format!("{}?unheard_of={value}", uri.split('?').next().unwrap()));
        }
        for uri in tries.iter().filter(|uri| uri.parse::<axum::http::Uri>().is_ok()) {
            let request = scene.request(&example, uri).body(Scene::body_beside(&example)).unwrap();
            scene.send(&example, uri, request, false).await;
        }
    }
    scene.done(5_000);
});

both!(a_method_that_is_not_described_is_refused, async |world: World| {
    let mut scene = Scene::new(&world).await;
    let operations = Contract::shared().operations();
    for example in Contract::shared().example_requests() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"] {
            let is_described = |it: &Operation| it.path == example.operation.path && it.method == method;
            if operations.iter().any(is_described) {
                continue;
            }
            let mut request =
                scene.request(&example, &scene.uri(&example)).body(Scene::body_beside(&example)).unwrap();
            *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
            scene.send(&example, method, request, true).await;
        }
    }
    scene.done(500);
});

/// Header fields with values that few expect.
fn headers() -> Vec<(&'static str, Vec<u8>)> {
    let names = [
        "authorization",
        "idempotency-key",
        "if-match",
        "accept",
        "accept-language",
        "content-encoding",
        "x-request-id",
        "x-forwarded-for",
        "forwarded",
        "host",
        "range",
        "content-length",
        "user-agent",
        "cookie",
        "traceparent",
        "expect",
    ];
    let values: [&[u8]; 14] = [
        b"",
        b" ",
        b"\xff\xfe",
        "許諾".as_bytes(),
        b"=?UTF-8?B?YQ==?=",
        b"UTF-8''%00%0d%0a",
        b"\"",
        b"a,b,,c",
        b"*",
        b"W/\"e1\"",
        b"-1",
        b"18446744073709551616",
        b"() { :;}; echo",
        b"Bearer Bearer kyo_live_",
    ];
    let mut all: Vec<_> =
        names.iter().flat_map(|name| values.iter().map(|value| (*name, value.to_vec()))).collect();
    all.extend(names.map(|name| (name, vec![b'a'; 20_000])));
    all
}

both!(no_header_breaks_the_server, async |world: World| {
    let mut scene = Scene::new(&world).await;
    for (number, example) in Contract::shared().example_requests().into_iter().enumerate() {
        // Each operation has its turn with a part of them, and each of them with many operations.
        let turn = |at: &usize| (at + number).is_multiple_of(5);
        for (at, (name, value)) in headers().into_iter().enumerate().filter(|(at, _)| turn(at)) {
            let mut request = scene.request(&example, &scene.uri(&example));
            let fields = request.headers_mut().unwrap();
            let value = HeaderValue::from_bytes(&value).unwrap();
            if (at + number).is_multiple_of(2) {
                fields.append(HeaderName::from_static(name), value.clone());
            } else {
                fields.insert(HeaderName::from_static(name), value.clone());
            }
            let request = request.body(Scene::body_beside(&example)).unwrap();
            scene.send(&example, &format!("`{name}: {value:?}`"), request, false).await;
        }
    }
    assert_eq!(scene.stage.sign_in("mori@example.jp", PASSWORD).await.status, 201);
    scene.done(3_000);
});
