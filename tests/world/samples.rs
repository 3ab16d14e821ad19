//! Things of one organization, for trying every operation on what is somebody else's.
//!
//! A parameter of a path that is not here fails the test of authority: make the thing in [`Samples::new`].

use std::collections::HashMap;

use serde_json::{Value, json};

use super::actors::{Actor, Stage};
use super::people::{identity_of, session_of};
use super::works::{grant, id, registration};

/// Things that belong to others than the one who tries.
pub(crate) struct Samples {
    /// The holder, association and developer whose things these are.
    pub(crate) victim: Actor,
    /// Who inquires.
    pub(crate) auditor: Actor,
    /// By the name that the parameter of a path has.
    by_name: HashMap<&'static str, String>,
}

impl Samples {
    /// Makes one of each.
    pub(crate) async fn new(stage: &Stage) -> Self {
        let victim = stage.verified("Higaisha", &["rights_holder", "association", "ai_developer"]).await;
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        let colleague = json!({ "label": "colleague", "role": "editor", "key": { "label": "colleague" } });
        let colleague: Value = victim.post("/v1/people", &colleague).await.json();
        let proposal: Value =
            stage.registrar.post("/v1/settings", &json!({ "second_person": false })).await.json();
        let friend = stage.verified("Nakama", &["association"]).await;
        let membership = json!({ "member": victim.org, "association": friend.org });
        let membership: Value = victim.post("/v1/memberships", &membership).await.json();
        let mandate = json!({
            "agent": friend.org, "works": "any", "powers": ["grant"], "from": "on_record", "until": "open",
            "grants_survive": false,
        });
        let mandate: Value = victim.post("/v1/mandates", &mandate).await.json();
        let helper = stage.developer("Shitauke Works").await;
        let contractor = json!({ "organization": helper.org });
        let contractor: Value = victim.post("/v1/contractors", &contractor).await.json();
        let works = Works::new(stage, &victim).await;
        let own: Value = victim.get(&format!("/v1/works/{}", works.work)).await.json();
        let asked = json!({ "context": { "uses": ["search"], "with_parts": false }, "items": [{ "work": works.work }] });
        let checked: Value = victim.post("/v1/checks", &asked).await.json();
        let auditor = stage.verified("Kansa Office", &["auditor"]).await;
        let inquiry = json!({
            "auditor": auditor.org, "reason": "a complaint", "works": "any",
            "parties": "any", "from": "on_record", "until": "open", "expires": "2099-01-01T00:00:00Z",
        });
        let inquiry: Value = stage.registrar.post("/v1/inquiries", &inquiry).await.json();
        let by_name = HashMap::from([
            ("inquiry", text(&inquiry["inquiry"])),
            ("membership", text(&membership["membership"])),
            ("mandate", text(&mandate["mandate"])),
            ("organization", victim.org.clone()),
            ("person", text(&colleague["person"])),
            ("key", text(&colleague["key"]["key"])),
            ("session", session_of(stage, &victim).await),
            ("identity", identity_of(stage, &victim).await),
            ("model", victim.model("Himitsu 1").await),
            ("proposal", text(&proposal["proposal"])),
            ("code", "not_found".to_owned()),
            ("work", works.work),
            ("check", text(&checked["check"])),
            ("contractor", text(&contractor["contractor"])),
            ("holding", works.holding),
            ("binding", works.binding),
            ("link", works.link),
            ("transfer", works.transfer),
            ("claim", works.claim),
            ("dispute", works.dispute),
            ("grant", works.grant),
            ("denial", works.denial),
            ("reservation", works.reservation),
            ("challenge", works.challenge),
            ("log", "acts".to_owned()),
            ("size", "2".to_owned()),
            ("level", "0".to_owned()),
            ("index", "000.p/2".to_owned()),
            ("entry", own["registered_entry"].to_string()),
        ]);
        Self { victim, auditor, by_name }
    }

    /// A path with things of the victim in it.
    pub(crate) fn path(&self, template: &str) -> String {
        let parts = template.split('/').map(|part| {
            let name = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            name.map_or(part, |name| {
                let sample = self.by_name.get(name);
                sample.unwrap_or_else(|| {
                    panic!("`{template}`: no sample of `{name}`, add one in world/samples.rs")
                })
            })
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// A body in which each id of an example gives way to that of a thing of the victim, where there is one.
    pub(crate) fn body(&self, example: &Value) -> Value {
        match example {
            Value::String(text) => Value::String(self.same_kind(text).unwrap_or(text).to_owned()),
            Value::Array(items) => items.iter().map(|item| self.body(item)).collect(),
            Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), self.body(value))).collect(),
            other => other.clone(),
        }
    }

    fn same_kind(&self, id: &str) -> Option<&str> {
        let (prefix, rest) = id.split_once('_')?;
        let mut samples = self.by_name.values().filter(|_| rest.len() == 26);
        samples
            .find(|sample| sample.split_once('_').is_some_and(|(mine, _)| mine == prefix))
            .map(String::as_str)
    }
}

/// A work of the victim, confirmed, and one of each thing about it.
struct Works {
    work: String,
    holding: String,
    binding: String,
    link: String,
    transfer: String,
    claim: String,
    dispute: String,
    grant: String,
    denial: String,
    reservation: String,
    challenge: String,
}

impl Works {
    async fn new(stage: &Stage, victim: &Actor) -> Self {
        let claimant = stage.holder("Shinsei").await;
        let made = stage.confirmed(victim, &registration("秘密", &[victim])).await;
        let whole = stage.confirmed(victim, &registration("秘密シリーズ", &[victim])).await;
        let parts = format!("/v1/works/{}/parts", whole.work);
        let work = &made.work;
        let named = json!({ "only": [victim.org] });
        let denial = json!({ "work": work, "developers": named });
        let mut permit = grant(work);
        permit["developers"] = named;
        let reservation =
            json!({ "subject": { "work": work }, "form": "ai_txt", "signal": "reserve", "uses": "any" });
        let transfers = format!("/v1/holdings/{}/transfers", made.holdings[0]);
        let about = |what: &str| format!("/v1/works/{work}/{what}");
        let challenge = json!({ "host": "himitsu.example", "method": "dns" });
        Self {
            link: id(&victim.post(&parts, &json!({ "part": work })).await, "link"),
            transfer: id(&victim.post(&transfers, &json!({ "to": claimant.org })).await, "transfer"),
            claim: id(&claimant.post(&about("claims"), &json!({})).await, "claim"),
            dispute: id(&stage.registrar.post(&about("disputes"), &json!({})).await, "dispute"),
            grant: id(&victim.post("/v1/grants", &permit).await, "grant"),
            denial: id(&victim.post("/v1/denials", &denial).await, "denial"),
            reservation: id(&victim.post("/v1/reservations", &reservation).await, "reservation"),
            challenge: id(&victim.post("/v1/control-challenges", &challenge).await, "challenge"),
            holding: made.holdings[0].clone(),
            binding: made.bindings[0].clone(),
            work: made.work,
        }
    }
}
