//! Works in the stories: bodies with sane values, and the steps that most stories begin with.

use serde_json::{Value, json};

use super::actors::{Actor, Stage};
use super::client::Answer;

/// A work that was registered.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) work: String,
    pub(crate) holdings: Vec<String>,
    pub(crate) bindings: Vec<String>,
}

/// A complete registration of a comic without layers, held by these, known by an address of its own.
pub(crate) fn registration(title: &str, holders: &[&Actor]) -> Value {
    let holders: Vec<_> = holders.iter().map(|holder| &holder.org).collect();
    registration_of(title, &holders)
}

/// As [`registration`], with the ids of the holders.
pub(crate) fn registration_of(title: &str, holders: &[&String]) -> Value {
    json!({
        "kind": "comic",
        "titles": [{ "text": title, "lang": "ja" }],
        "holders": holders,
        "roster_complete": true,
        "layers": [],
        "layers_complete": true,
        "part_of": [],
        "keys": [{ "type": "id", "scheme": "story", "value": title }],
    })
}

/// A grant of fine-tuning on a work, for any developer and model, anywhere, open, revocable at once.
pub(crate) fn grant(work: &str) -> Value {
    json!({
        "work": work,
        "covers": "work",
        "as_layer_of": "any",
        "by_location": false,
        "uses": { "only": ["train.finetune"] },
        "developers": "any",
        "models": "any",
        "territories": "any",
        "from": "on_record",
        "until": "open",
        "revocable": { "notice_days": 0 },
        "conditions": [],
        "terms": null,
    })
}

/// The id in this member of an answer that made something.
pub(crate) fn id(answer: &Answer, member: &str) -> String {
    assert!(answer.status.is_success(), "{answer:?}");
    answer.json::<Value>()[member].as_str().expect("an id").to_owned()
}

fn ids(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|item| item[member].as_str().expect("an id").to_owned()).collect()
}

/// What a registration made.
pub(crate) fn made(answer: &Answer) -> Made {
    assert_eq!(answer.status, 201, "{answer:?}");
    let told: Value = answer.json();
    Made {
        work: id(answer, "work"),
        holdings: ids(&told["holdings"], "holding"),
        bindings: ids(&told["bindings"], "binding"),
    }
}

impl Stage {
    /// The first person of the registrar asks, and where that needs a second, the second approves.
    pub(crate) async fn both_persons(&self, uri: &str, body: &Value) -> Answer {
        let answer = self.registrar.post(uri, body).await;
        if answer.status != 202 {
            return answer;
        }
        let proposal = id(&answer, "proposal");
        self.second.post(&format!("/v1/proposals/{proposal}/approve"), &json!({})).await
    }

    /// The registrar confirms holdings and bindings.
    pub(crate) async fn confirm(&self, holdings: &[String], bindings: &[String]) {
        let evidence = json!({ "text": "seen in the story" });
        let body = json!({ "holdings": holdings, "bindings": bindings, "evidence": evidence });
        let answer = self.both_persons("/v1/assertions/confirm", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Registers a work.
    pub(crate) async fn registered_work(&self, by: &Actor, body: &Value) -> Made {
        made(&by.post("/v1/works", body).await)
    }

    /// Registers a work, and the registrar confirms all of it.
    pub(crate) async fn confirmed(&self, by: &Actor, body: &Value) -> Made {
        let made = self.registered_work(by, body).await;
        self.confirm(&made.holdings, &made.bindings).await;
        made
    }

    /// What is on record for a use of a work, as this actor sees it.
    pub(crate) async fn state_of(&self, by: &Actor, work: &str, r#use: &str) -> Value {
        let position: Value = by.get(&format!("/v1/works/{work}/position")).await.json();
        let uses = position["uses"].as_array().expect("uses").clone();
        uses.into_iter().find(|it| it["use"] == r#use).expect("the use")
    }
}
