//! Opt-outs and foreign signals: on record as evidence, and never an answer (R13).

use serde_json::{Value, json};

use crate::world::actors::{Actor, Stage};
use crate::world::works::{grant, id, registration};
use crate::world::{World, both};

const FORMS: [&str; 11] = [
    "notice",
    "robots_txt",
    "ai_txt",
    "tdmrep",
    "aipref",
    "content_signals",
    "cawg",
    "rsl",
    "company_form",
    "metadata",
    "other",
];

const NOWHERE: &str = "https://nobody.example/picture/1";

/// Three items that a developer asks about: one that is granted, one that is not, one that nobody registered.
struct Asked {
    stage: Stage,
    holder: Actor,
    developer: Actor,
    granted: String,
    silent: String,
}

impl Asked {
    async fn new(world: &World) -> Self {
        let stage = world.stage().await;
        let holder = stage.holder("Hoshikuzu Press").await;
        let developer = stage.developer("Kasane Labs").await;
        let granted = stage.confirmed(&holder, &registration("granted", &[&holder])).await.work;
        let silent = stage.confirmed(&holder, &registration("silent", &[&holder])).await.work;
        assert_eq!(holder.post("/v1/grants", &grant(&granted)).await.status, 201);
        Self { stage, holder, developer, granted, silent }
    }

    /// The answers: verdicts and reasons, and apart from them the codes of the notes.
    async fn answers(&self) -> (Vec<Value>, Vec<Vec<String>>) {
        let story = |value: &str| json!({ "id": { "scheme": "story", "value": value } });
        let body = json!({
            "context": { "uses": ["train.finetune"] },
            "items": [story("granted"), story("silent"), { "url": NOWHERE }],
        });
        let answer: Value = self.developer.client.json("POST", "/v1/checks", &body, &[]).await.json();
        let items = answer["items"].as_array().unwrap();
        let code = |note: &Value| note["code"].as_str().unwrap().to_owned();
        let notes = items.iter().map(|item| item["notes"].as_array().unwrap().iter().map(code).collect());
        let verdicts = items.iter().map(|item| json!([item["verdict"], item["uses"]]));
        (verdicts.collect(), notes.collect())
    }

    /// What can be reserved: a work or a key, and which item that is.
    fn subjects(&self) -> [(usize, Value); 5] {
        let story = |value: &str| json!({ "key": { "type": "id", "scheme": "story", "value": value } });
        [
            (0, json!({ "work": self.granted })),
            (0, story("granted")),
            (1, json!({ "work": self.silent })),
            (1, story("silent")),
            (2, json!({ "key": { "type": "url_prefix", "value": "https://nobody.example/picture" } })),
        ]
    }
}

fn reservation(subject: &Value, form: &str, signal: &str) -> Value {
    json!({ "subject": subject, "form": form, "signal": signal, "uses": "any" })
}

both!(an_opt_out_of_any_form_changes_no_answer_when_it_comes_or_goes, async |world: World| {
    let asked = Asked::new(&world).await;
    let (before, none) = asked.answers().await;
    let verdicts: Vec<_> = before.iter().map(|answer| answer[0].clone()).collect();
    assert_eq!(verdicts, ["permitted", "not_permitted", "not_permitted"]);
    assert_eq!(none, vec![Vec::<String>::new(); 3]);
    for form in FORMS {
        for (signal, code) in [
            ("reserve", "opt_out_recorded"),
            ("unclear", "opt_out_recorded"),
            ("allow", "allow_signal_recorded"),
        ] {
            for (at, subject) in asked.subjects() {
                let body = reservation(&subject, form, signal);
                let recorded = id(&asked.holder.post("/v1/reservations", &body).await, "reservation");
                let (during, notes) = asked.answers().await;
                assert_eq!(during, before, "{form} {signal} {subject}");
                for (item, codes) in notes.iter().enumerate() {
                    let expected: &[&str] = if item == at { &[code] } else { &[] };
                    assert_eq!(codes, expected, "{form} {signal} {subject}, item {item}");
                }
                let path = format!("/v1/reservations/{recorded}/withdraw");
                assert_eq!(asked.holder.post(&path, &json!({})).await.status, 200);
                assert_eq!(
                    asked.answers().await,
                    (before.clone(), none.clone()),
                    "{form} {signal} {subject}"
                );
            }
        }
    }
});

both!(an_opt_out_beside_a_grant_is_told_and_the_grant_decides, async |world: World| {
    let asked = Asked::new(&world).await;
    let subject = json!({ "work": asked.granted });
    for form in FORMS {
        asked.holder.post("/v1/reservations", &reservation(&subject, form, "reserve")).await;
        asked.holder.post("/v1/reservations", &reservation(&subject, form, "allow")).await;
    }
    let (answers, notes) = asked.answers().await;
    assert_eq!(answers[0][0], "permitted");
    assert_eq!(notes[0], ["opt_out_recorded", "allow_signal_recorded"]);
    // The grant ends, and twenty-two signals make no permission of it.
    let listed: Value = asked.holder.get(&format!("/v1/grants?work={}", asked.granted)).await.json();
    let path = format!("/v1/grants/{}/revoke", listed["items"][0]["grant"].as_str().unwrap());
    assert_eq!(asked.holder.post(&path, &json!({ "from": "on_record" })).await.status, 200);
    let (answers, notes) = asked.answers().await;
    assert_eq!((&answers[0][0], notes[0].len()), (&json!("not_permitted"), 2));
    assert_eq!(answers[0][1][0]["reasons"][0]["code"], "revoked");
    // Nor does taking all of them off, or leaving only those that allow.
    let page: Value = asked.holder.get("/v1/reservations?limit=200").await.json();
    for shown in page["items"].as_array().unwrap().iter().filter(|it| it["signal"] == "reserve") {
        let path = format!("/v1/reservations/{}/withdraw", shown["reservation"].as_str().unwrap());
        assert_eq!(asked.holder.post(&path, &json!({})).await.status, 200);
    }
    let (answers, notes) = asked.answers().await;
    assert_eq!((&answers[0][0], &notes[0]), (&json!("not_permitted"), &vec!["allow_signal_recorded".into()]));
});

both!(anybody_verified_records_an_opt_out_and_takes_off_its_own, async |world: World| {
    let asked = Asked::new(&world).await;
    let subject = json!({ "key": { "type": "url", "value": "HTTPS://Nobody.example/%70icture/1#x" } });
    let mut body = reservation(&subject, "tdmrep", "reserve");
    body["evidence"] = json!("ab".repeat(32));
    body["uses"] = json!({ "only": ["tdm.analyze", "train.generative"] });
    let recorded = asked.developer.post("/v1/reservations", &body).await;
    let path = recorded.headers["location"].to_str().unwrap().to_owned();
    let view: Value = asked.stage.stranger().await.get(&path).await.json();
    assert_eq!(
        (&view["recorded_by"], &view["state"], &view["form"], &view["evidence"]),
        (&json!(asked.developer.org), &json!("standing"), &json!("tdmrep"), &json!("ab".repeat(32)))
    );
    assert_eq!(view["subject"], json!({ "key": { "type": "url", "value": NOWHERE } }), "the normal form");
    let withdraw = format!("{path}/withdraw");
    assert_eq!(asked.holder.post(&withdraw, &json!({})).await.problem(), "not_allowed");
    assert_eq!(asked.developer.post(&withdraw, &json!({})).await.status, 200);
    assert_eq!(asked.developer.post(&withdraw, &json!({})).await.problem(), "refused");
    assert_eq!(asked.holder.get(&path).await.json::<Value>()["state"], "withdrawn");
    // It can never grant, and so never records that somebody else allowed or reserved.
    assert_eq!(asked.stage.registrar.post("/v1/reservations", &body).await.status, 403);
    let unknown = reservation(&json!({ "work": format!("wrk_{}", "0".repeat(26)) }), "notice", "reserve");
    let told: Value = asked.holder.post("/v1/reservations", &unknown).await.json();
    assert_eq!(told["errors"][0]["pointer"], "/subject/work", "{told}");
    for (field, value) in [
        ("form", json!("handshake")),
        ("signal", json!("maybe")),
        ("uses", json!({ "only": [] })),
        ("subject", json!({})),
        ("subject", json!({ "work": asked.granted, "key": subject["key"] })),
    ] {
        let mut bad = body.clone();
        bad[field] = value;
        let answer = asked.holder.post("/v1/reservations", &bad).await;
        assert_eq!(answer.problem(), "invalid_body", "{bad}");
    }
});
