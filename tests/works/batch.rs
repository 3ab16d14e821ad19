//! Registering many works at once.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::world::actors::Actor;
use crate::world::client::Answer;
use crate::world::works::registration;
use crate::world::{World, both};

async fn send(who: &Actor, body: String) -> Answer {
    let request =
        who.client.request(Method::POST, "/v1/works/batch").header(CONTENT_TYPE, "application/x-ndjson");
    who.client.send(request.body(Body::from(body)).unwrap()).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &HeaderValue::from_static("application/x-ndjson"))
    );
    let text = std::str::from_utf8(&answer.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

both!(each_line_is_recorded_or_refused_by_itself_and_answered_in_order, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let line = |key: &str, title: &str| {
        json!({ "idempotency_key": key, "registration": registration(title, &[&holder]) }).to_string()
    };
    let mut bad = registration("悪", &[&holder]);
    bad["keys"] = json!([{ "type": "url", "value": "nonsense" }]);
    let mut refused = registration("誰", &[&holder]);
    refused["keys"] =
        json!([{ "type": "id", "scheme": "s", "value": "v" }, { "type": "id", "scheme": "s", "value": "v" }]);
    let body = [
        line("a", "一"),
        String::new(),
        "{".to_owned(),
        json!({ "idempotency_key": "b", "registration": bad }).to_string(),
        json!({ "idempotency_key": "c", "registration": refused }).to_string(),
        json!({ "idempotency_key": "", "registration": registration("空", &[&holder]) }).to_string(),
        line("a", "一"),
        line("a", "二"),
        line("d", "三"),
    ];
    let size = stage.log_size().await;
    let answers = lines(&send(&holder, body.join("\n")).await);
    let told: Vec<_> =
        answers.iter().map(|it| (it["line"].as_u64().unwrap(), it["status"].as_u64().unwrap())).collect();
    assert_eq!(told, [(1, 201), (3, 400), (4, 422), (5, 422), (6, 422), (7, 201), (8, 422), (9, 201)]);
    assert_eq!(answers[0]["answer"], answers[5]["answer"], "repeated within the batch");
    assert_eq!(answers[2]["problem"]["errors"][0]["pointer"], "/registration/keys/0");
    assert_eq!(answers[3]["problem"]["errors"][0]["pointer"], "/registration/keys/1");
    assert_eq!(answers[6]["problem"]["code"], "idempotency_key_reused");
    assert_eq!(stage.log_size().await, size + 2);
    // The whole batch again: what was recorded is answered the same, what was refused is refused.
    let again = lines(&send(&holder, body.join("\r\n")).await);
    assert_eq!((&again[0], &again[7]), (&answers[0], &answers[7]));
    assert_eq!(stage.log_size().await, size + 2);
});

both!(a_thousand_lines_are_answered, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let line = |number: usize| {
        json!({ "idempotency_key": number.to_string(), "registration": registration(&format!("作品 {number}"), &[&holder]) }).to_string()
    };
    let body: Vec<_> = (0..1_000).map(line).collect();
    let answers = lines(&send(&holder, body.join("\n")).await);
    assert_eq!(answers.len(), 1_000);
    for (number, answer) in (1..).zip(&answers) {
        assert_eq!((&answer["line"], &answer["status"]), (&json!(number), &json!(201)), "{answer}");
        assert_eq!(answer["answer"]["bindings"][0]["key"]["value"], json!(format!("作品 {}", number - 1)));
    }
});

both!(a_batch_has_limits, async |world: World| {
    let stage = world.stage().await;
    let holder = stage.holder("Hoshikuzu Press").await;
    assert_eq!(send(&holder, "x\n".repeat(10_001)).await.problem(), "body_too_large");
    assert_eq!(send(&holder, " ".repeat(33 << 20)).await.problem(), "body_too_large");
    assert_eq!(lines(&send(&holder, String::new()).await).len(), 0);
    let long = lines(&send(&holder, "x".repeat(300 * 1024)).await);
    assert_eq!(long[0]["problem"]["code"], "body_too_large");
    let json = holder.client.json("POST", "/v1/works/batch", &json!({}), &[]).await;
    assert_eq!(json.problem(), "unsupported_media_type");
});
