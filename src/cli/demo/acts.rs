//! What is done before each question, by the API, as anybody would. Each step is done once, however often the demo runs.

use std::time::Duration;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::notes::{Issued, Made, Notes};
use super::script::{COMMITTEE, OPT_OUTS, ORGS, WORKS, WorkTold};
use crate::cli::Failure;
use crate::cli::client::{NoAnswer, Server};
use crate::domain::explain::Lang;
use crate::registry::Registry;
use crate::registry::bootstrap::create_registrar;

/// The persons of the registrar.
const REGISTRARS: [&str; 2] = ["registrar-one", "registrar-two"];
const WAIT: Duration = Duration::from_secs(30);

/// Everybody in the story.
pub(super) struct Cast {
    pub(super) url: String,
    pub(super) lang: Lang,
    pub(super) notes: Notes,
}

impl Cast {
    /// The server, asked by somebody.
    pub(super) fn asked_by(&self, who: &str) -> Result<Server, Failure> {
        Ok(Server::with_key(&self.url, self.notes.key(who)?, WAIT)?.speaking(self.lang))
    }

    /// Makes the registrar's two persons, and enters and verifies the organizations.
    pub(super) async fn enter(&mut self, registry: &Registry) -> Result<(), Failure> {
        for who in REGISTRARS {
            let name = format!("org:{who}");
            if self.notes.step(&name).is_none() {
                let made = create_registrar(registry, "Demo Registry（見本登録機関）", who).await;
                let made = made.map_err(|error| Failure::new(error.to_string()))?;
                let key = Issued { secret: Some(made.secret.expose().to_owned()) };
                let organization = Some(made.org.to_string());
                self.notes.done(&name, Made { organization, key: Some(key), ..Made::default() })?;
            }
        }
        for (who, name, role) in ORGS {
            self.enter_one(who, name, role).await?;
        }
        Ok(())
    }

    async fn enter_one(&mut self, who: &str, name: &str, role: &str) -> Result<(), Failure> {
        let step = format!("org:{who}");
        let person = json!({ "label": "first", "key": { "label": "demo" } });
        let body = json!({ "name": name, "roles": [role], "person": person });
        // A secret is shown once. A run that was killed before it was noted enters the organization again.
        for attempt in 0..10 {
            if self.notes.step(&step).is_some() {
                break;
            }
            let server = self.asked_by(REGISTRARS[0])?;
            let once = format!("demo-{step}-{attempt}");
            let made: Made =
                server.post("/v1/organizations", &body, Some(&once)).await.map_err(NoAnswer::told)?;
            if made.key.as_ref().is_some_and(|key| key.secret.is_some()) {
                self.notes.done(&step, made)?;
            }
        }
        let path = format!("/v1/organizations/{}/verify", self.notes.org(who)?);
        let note = json!({ "note": "entered for the demo" });
        self.deed(&format!("verify:{who}"), REGISTRARS[0], &path, note).await
    }

    /// Does a step, or gives what it made when it was done.
    async fn step(&mut self, name: &str, who: &str, path: &str, body: Value) -> Result<Made, Failure> {
        if let Some(made) = self.notes.step(name) {
            return Ok(made.clone());
        }
        let made: Made = self.post(name, who, path, &body).await?;
        self.notes.done(name, made.clone())?;
        Ok(made)
    }

    /// Does a step of whose answer nothing is needed later, unless it was done.
    async fn deed(&mut self, name: &str, who: &str, path: &str, body: Value) -> Result<(), Failure> {
        if self.notes.step(name).is_none() {
            let _: IgnoredAny = self.post(name, who, path, &body).await?;
            self.notes.done(name, Made::default())?;
        }
        Ok(())
    }

    async fn post<T: DeserializeOwned>(
        &self,
        name: &str,
        who: &str,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        let once = format!("demo-{name}");
        self.asked_by(who)?.post(path, body, Some(&once)).await.map_err(NoAnswer::told)
    }

    /// What happens in a scene before its question.
    pub(super) async fn act(&mut self, scene: &str) -> Result<(), Failure> {
        match scene {
            "registered" => self.register_all().await,
            "opted_out" => self.opt_out().await,
            "withdrawn" => self.withdraw().await,
            "half" => self.grant_anime(&COMMITTEE[..4]).await,
            "layer" => {
                self.grant_anime(&COMMITTEE[4..]).await?;
                for layer in ["manga", "character"] {
                    self.grant(layer, "hoshikuzu", layer, "nimbus", json!("any")).await?;
                }
                Ok(())
            }
            "granted" => {
                let only = json!({ "only": [self.notes.work("anime")?] });
                self.grant("music", "kazaguruma", "music", "nimbus", only).await
            }
            "agent" => self.grant_as_agent().await,
            "revoked" => {
                let grant = self.notes.step("grant:anime:tsukimi").and_then(|made| made.grant.clone());
                let path = format!("/v1/grants/{}/revoke", grant.unwrap_or_default());
                self.deed("revoke", "tsukimi", &path, json!({ "from": "on_record" })).await
            }
            "unknown" | "alone" | "competitor" => Ok(()),
            other => Err(Failure::new(format!("the story has no scene `{other}`"))),
        }
    }

    async fn register_all(&mut self) -> Result<(), Failure> {
        let (mut holdings, mut bindings) = (Vec::new(), Vec::new());
        for work in WORKS {
            let made = self.register(work).await?;
            holdings.extend(made.holdings.into_iter().map(|it| it.holding));
            bindings.extend(made.bindings.into_iter().map(|it| it.binding));
        }
        let body = json!({ "holdings": holdings, "bindings": bindings, "evidence": { "text": "credits and imprint" } });
        let waits = self.step("confirm", REGISTRARS[0], "/v1/assertions/confirm", body).await?;
        let path = format!("/v1/proposals/{}/approve", waits.proposal.unwrap_or_default());
        self.deed("approve", REGISTRARS[1], &path, json!({})).await
    }

    /// Registers a work, and lets every other holder declare that its holders and layers are all named.
    async fn register(&mut self, work: &WorkTold) -> Result<Made, Failure> {
        let ids = |names: &[&str], find: &dyn Fn(&str) -> Result<String, Failure>| {
            names.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()
        };
        let org = |name: &str| self.notes.org(name).map(ToOwned::to_owned);
        let known = |name: &str| self.notes.work(name).map(ToOwned::to_owned);
        let body = json!({
            "kind": work.kind,
            "titles": [{ "text": work.title, "lang": "ja" }, { "text": work.english, "lang": "en" }],
            "holders": ids(work.holders, &org)?,
            "roster_complete": true,
            "layers": ids(work.layers, &known)?,
            "layers_complete": true,
            "part_of": ids(work.part_of, &known)?,
            "keys": [{ "type": "url", "value": work.url }],
        });
        let (first, others) = work.holders.split_first().unwrap_or((&"", &[]));
        let made = self.step(&format!("work:{}", work.name), first, "/v1/works", body).await?;
        let id = made.work.clone().unwrap_or_default();
        for who in others {
            for list in ["roster", "layers"] {
                let name = format!("declare:{}:{list}:{who}", work.name);
                self.deed(&name, who, &format!("/v1/works/{id}/{list}/declare"), json!({})).await?;
            }
        }
        Ok(made)
    }

    async fn opt_out(&mut self) -> Result<(), Failure> {
        for form in OPT_OUTS {
            let subject = json!({ "work": self.notes.work("anime")? });
            let body = json!({ "subject": subject, "form": form, "signal": "reserve", "uses": "any" });
            self.step(&format!("opt-out:{form}"), "sakura", "/v1/reservations", body).await?;
        }
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), Failure> {
        for form in OPT_OUTS {
            let made = self.notes.step(&format!("opt-out:{form}")).and_then(|made| made.reservation.clone());
            let path = format!("/v1/reservations/{}/withdraw", made.unwrap_or_default());
            self.deed(&format!("opt-in:{form}"), "sakura", &path, json!({})).await?;
        }
        Ok(())
    }

    async fn grant_anime(&mut self, members: &[&str]) -> Result<(), Failure> {
        for who in members {
            self.grant(&format!("anime:{who}"), who, "anime", "nimbus", json!("any")).await?;
        }
        Ok(())
    }

    async fn grant(
        &mut self,
        name: &str,
        who: &str,
        work: &str,
        developer: &str,
        as_layer_of: Value,
    ) -> Result<(), Failure> {
        let body = self.grant_body(work, developer, &as_layer_of)?;
        self.step(&format!("grant:{name}"), who, "/v1/grants", body).await?;
        Ok(())
    }

    /// Everything is stated: nothing in a grant has a default.
    fn grant_body(&self, work: &str, developer: &str, as_layer_of: &Value) -> Result<Value, Failure> {
        Ok(json!({
            "work": self.notes.work(work)?,
            "covers": "work",
            "as_layer_of": as_layer_of,
            "by_location": false,
            "uses": { "only": ["train.generative"] },
            "developers": { "only": [self.notes.org(developer)?] },
            "models": "any",
            "territories": "any",
            "from": "on_record",
            "until": "open",
            "revocable": { "notice_days": 0 },
            "conditions": ["credit"],
            "terms": null,
        }))
    }

    async fn grant_as_agent(&mut self) -> Result<(), Failure> {
        let mandate = json!({
            "agent": self.notes.org("lantern")?, "works": "any", "powers": ["grant"], "from": "on_record",
            "until": "open", "grants_survive": false,
        });
        self.deed("mandate", "toro", "/v1/mandates", mandate).await?;
        let mut body = self.grant_body("novel", "kumo", &json!("any"))?;
        if let Value::Object(members) = &mut body {
            members.insert("on_behalf_of".to_owned(), json!(self.notes.org("toro")?));
        }
        self.deed("grant:novel", "lantern", "/v1/grants", body).await
    }
}
