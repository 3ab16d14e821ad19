//! OpenID AuthZEN Authorization API 1.0.

use serde_json::{Value, json};

use super::scene::{Scene, catalogue, url};
use crate::world::client::Answer;
use crate::world::{World, both};

const PAGE: &str = "https://hoshikuzu.example/library/1";

async fn post(scene: &Scene, path: &str, body: &Value) -> Answer {
    scene.developer.client.json("POST", path, body, &[("x-request-id", "bfe9eb29-ab87")]).await
}

fn evaluation(scene: &Scene, kind: &str, id: &str) -> Value {
    json!({
        "subject": { "type": "organization", "id": scene.developer.org, "properties": { "team": "vision" } },
        "action": { "name": "train.generative" },
        "resource": { "type": kind, "id": id },
        "context": { "time": "1985-10-26T01:22-07:00" },
    })
}

both!(one_evaluation_is_a_check, async |world: World| {
    let scene = Scene::open(&world).await;
    let digest = kyodaku::domain::key::Sha256::of(b"a page");
    let keys = [url(PAGE), catalogue("7"), kyodaku::domain::key::Key::sha256(digest)];
    let work = scene.work(&keys).await;
    let grant = scene.grant(work).await;
    for (kind, id, decision) in [
        ("url", PAGE, true),
        ("work", &*work.to_string(), true),
        ("sha256", &*digest.to_string(), true),
        ("id:catalogue", "7", true),
        ("id:catalogue", "8", false),
        ("url", "https://hoshikuzu.example/", false),
        ("url", "nothing", false),
        ("document", "7", false),
    ] {
        let answer = post(&scene, "/access/v1/evaluation", &evaluation(&scene, kind, id)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["x-request-id"], "bfe9eb29-ab87");
        let told: Value = answer.json();
        assert_eq!(told["decision"], decision, "{kind} {id}");
        assert_eq!(
            told["context"].get("reason").is_some(),
            !decision && told["context"].get("error").is_none()
        );
    }
    let mut asked = evaluation(&scene, "url", PAGE);
    asked["subject"]["id"] = json!(scene.competitor.org);
    let other = post(&scene, "/access/v1/evaluation", &asked).await.json::<Value>();
    assert_eq!((&other["decision"], &other["context"]["error"]["status"]), (&json!(false), &json!(400)));
    asked = evaluation(&scene, "url", PAGE);
    asked["action"]["name"] = json!("read");
    assert_eq!(post(&scene, "/access/v1/evaluation", &asked).await.json::<Value>()["decision"], false);
    scene.revoke(grant).await;
    let answer =
        post(&scene, "/access/v1/evaluation", &evaluation(&scene, "url", PAGE)).await.json::<Value>();
    assert_eq!(answer["context"]["item"]["uses"][0]["reasons"][0]["code"], "revoked");
});

both!(what_is_not_an_evaluation_is_400, async |world: World| {
    let scene = Scene::open(&world).await;
    let whole = evaluation(&scene, "url", PAGE);
    for name in ["subject", "action", "resource"] {
        let mut broken = whole.clone();
        broken.as_object_mut().unwrap().remove(name);
        for path in ["/access/v1/evaluation", "/access/v1/evaluations"] {
            let answer = post(&scene, path, &broken).await;
            assert_eq!(answer.status, 400, "{path} without {name}");
            assert_eq!(answer.json::<Value>()["errors"][0]["pointer"], format!("/{name}"));
        }
        broken[name] = json!({ "id": 7 });
        assert_eq!(post(&scene, "/access/v1/evaluation", &broken).await.status, 400, "{name}");
    }
    let mut broken = whole.clone();
    broken["evaluations"] = json!([{}]);
    broken["options"] = json!({ "evaluations_semantic": "first_applicable" });
    assert_eq!(post(&scene, "/access/v1/evaluations", &broken).await.status, 400);
    broken["options"] = json!({});
    broken["evaluations"] = json!(vec![json!({}); 10_001]);
    assert_eq!(post(&scene, "/access/v1/evaluations", &broken).await.status, 400);
});

both!(many_evaluations_take_defaults_and_end_as_asked, async |world: World| {
    let scene = Scene::open(&world).await;
    let work = scene.work(&[catalogue("7")]).await;
    scene.grant(work).await;
    let mut body = evaluation(&scene, "id:catalogue", "7");
    body["evaluations"] = json!([
        {},
        { "resource": { "type": "id:catalogue", "id": "8" } },
        { "action": { "name": "search" } },
        { "resource": { "type": "id:catalogue" } },
        { "resource": { "type": "work", "id": work.to_string() } },
        17,
    ]);
    let decisions = |answer: &Answer| {
        let told: Value = answer.json();
        assert!(told.get("decision").is_none());
        let all = told["evaluations"].as_array().unwrap().clone();
        all.iter().map(|one| one["decision"] == true).collect::<Vec<_>>()
    };
    let answer = post(&scene, "/access/v1/evaluations", &body).await;
    assert_eq!(decisions(&answer), [true, false, false, false, true, false]);
    let told: Value = answer.json();
    assert!(told["evaluations"][3]["context"]["error"]["message"].is_string());
    for (semantic, expected) in [
        ("execute_all", vec![true, false, false, false, true, false]),
        ("deny_on_first_deny", vec![true, false]),
        ("permit_on_first_permit", vec![true]),
    ] {
        body["options"] = json!({ "evaluations_semantic": semantic, "another_option": "value" });
        assert_eq!(decisions(&post(&scene, "/access/v1/evaluations", &body).await), expected, "{semantic}");
    }
    body["evaluations"] = json!([]);
    let single = post(&scene, "/access/v1/evaluations", &body).await.json::<Value>();
    assert_eq!(single["decision"], true, "without evaluations it is one question");
});

both!(the_metadata_names_the_endpoints_under_the_host_asked, async |world: World| {
    let scene = Scene::open(&world).await;
    for (host, base) in [
        ("registry.example", Some("https://registry.example")),
        ("registry.example:8443", Some("https://registry.example:8443")),
        ("127.0.0.1:8080", Some("http://127.0.0.1:8080")),
        ("localhost:8080", Some("http://localhost:8080")),
        ("[::1]:8080", Some("http://[::1]:8080")),
        ("a/b", None),
        ("user@a.example", None),
        ("", None),
    ] {
        let request =
            scene.stage.nobody.request(axum::http::Method::GET, "/.well-known/authzen-configuration");
        let request = request.header("host", host).body(axum::body::Body::empty()).unwrap();
        let answer = scene.stage.nobody.send(request).await;
        match base {
            Some(base) => {
                let told: Value = answer.json();
                assert_eq!(told["policy_decision_point"], base);
                assert_eq!(told["access_evaluations_endpoint"], format!("{base}/access/v1/evaluations"));
            }
            None => assert_eq!(answer.status, 400, "{host}"),
        }
    }
});
