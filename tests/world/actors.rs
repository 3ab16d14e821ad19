//! Those who act in the stories: typed clients of one running face, each with a key of its own.
//!
//! ```ignore
//! let stage = world.stage().await;
//! let holder = stage.holder("Hoshikuzu Press").await;
//! let answer = holder.post("/v1/works", &json!({ … })).await;
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use kyodaku::clock::Clock;
use kyodaku::http::app::App;
use kyodaku::http::routes;
use kyodaku::registry::bootstrap::create_registrar;
use kyodaku::registry::{MailSettings, Registry, Settings};
use serde_json::{Value, json};

use super::World;
use super::client::{Answer, Client};

/// A fresh `Idempotency-Key` for each call in this process.
pub(crate) fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("story-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl World {
    /// The settings of a node of this world. Every node on its database shares the folder, and so the keys.
    pub(crate) fn settings(&self, node: &str) -> Settings {
        Settings {
            database_url: self.url.clone(),
            data_dir: self.folder.path().join("data"),
            origin: "kyodaku.example/log".to_owned(),
            node: node.to_owned(),
            recheck_max_ms: 86_400_000,
            mail: MailSettings::folder(&self.folder.path().join("data")),
            four_eyes: false,
            admitting: kyodaku::registry::sequencer::ADMITTING,
            keys: kyodaku::registry::keys::KeySettings::default(),
        }
    }

    /// A running node with a registrar of two people, and the whole table of routes.
    pub(crate) async fn stage(&self) -> Stage {
        let registry = Registry::open(self.settings("a"), self.clock.clone()).await.expect("a node");
        Stage::of(registry).await
    }
}

/// A running node, its face, and its registrar.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) registry: Registry,
    pub(crate) router: Router,
    /// A client without credentials.
    pub(crate) nobody: Client,
    /// The registrar's first person.
    pub(crate) registrar: Actor,
    /// The registrar's second person: what needs two needs both.
    pub(crate) second: Actor,
}

async fn registrar_person(registry: &Registry, nobody: &Client, label: &str) -> Actor {
    let made = create_registrar(registry, "Kyodaku Office", label).await.expect("a registrar");
    Actor {
        org: made.org.to_string(),
        person: made.person.to_string(),
        key: made.secret.expose().to_owned(),
        client: nobody.with_key(made.secret.expose()),
    }
}

/// Somebody with a key.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) org: String,
    pub(crate) person: String,
    pub(crate) key: String,
    /// Sends requests with the key.
    pub(crate) client: Client,
}

impl Stage {
    /// The stage on a node: makes the registrar.
    pub(crate) async fn of(registry: Registry) -> Self {
        let router = routes::router(&App::new(registry.clone()), routes::table());
        let nobody = Client::new(router.clone());
        let registrar = registrar_person(&registry, &nobody, "first").await;
        let second = registrar_person(&registry, &nobody, "second").await;
        Self { registry, router, nobody, registrar, second }
    }

    /// Another person of the registrar.
    pub(crate) async fn registrar_person(&self, label: &str) -> Actor {
        registrar_person(&self.registry, &self.nobody, label).await
    }

    /// The clock that the story moves.
    pub(crate) fn clock(&self) -> &Clock {
        self.registry.clock()
    }

    /// How many entries the log holds.
    pub(crate) async fn log_size(&self) -> u64 {
        self.registry.head().await.expect("a head").0.size()
    }

    /// An organization with these roles that the registrar has not verified.
    pub(crate) async fn registered(&self, name: &str, roles: &[&str]) -> Actor {
        let person = json!({ "label": "first", "key": { "label": "story" } });
        let body = json!({ "name": name, "roles": roles, "person": person });
        let answer = self.registrar.post("/v1/organizations", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let told: Value = answer.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let key = text(&told["key"]["secret"]);
        Actor {
            org: text(&told["organization"]),
            person: text(&told["person"]),
            client: self.nobody.with_key(&key),
            key,
        }
    }

    /// The registrar verifies, suspends or reinstates.
    pub(crate) async fn state(&self, actor: &Actor, verb: &str) {
        let path = format!("/v1/organizations/{}/{verb}", actor.org);
        let answer = self.registrar.post(&path, &json!({ "note": "for the story" })).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// A verified organization with these roles.
    pub(crate) async fn verified(&self, name: &str, roles: &[&str]) -> Actor {
        let actor = self.registered(name, roles).await;
        self.state(&actor, "verify").await;
        actor
    }

    /// A verified rights holder.
    pub(crate) async fn holder(&self, name: &str) -> Actor {
        self.verified(name, &["rights_holder"]).await
    }

    /// A verified association.
    pub(crate) async fn association(&self, name: &str) -> Actor {
        self.verified(name, &["association"]).await
    }

    /// A verified AI developer.
    pub(crate) async fn developer(&self, name: &str) -> Actor {
        self.verified(name, &["ai_developer"]).await
    }

    /// A verified auditor.
    pub(crate) async fn auditor(&self) -> Actor {
        self.auditor_named("Tadashi Audit").await
    }

    /// As [`Stage::auditor`], under another name.
    pub(crate) async fn auditor_named(&self, name: &str) -> Actor {
        self.verified(name, &["auditor"]).await
    }

    /// A verified organization with every role that one can have, unrelated to everybody else.
    pub(crate) async fn stranger(&self) -> Actor {
        self.verified("Yosomono", &["rights_holder", "association", "ai_developer"]).await
    }

    /// An organization that nobody has verified.
    pub(crate) async fn unverified(&self) -> Actor {
        self.registered("Mikakunin", &["rights_holder", "ai_developer"]).await
    }

    /// An organization that was suspended.
    pub(crate) async fn suspended(&self) -> Actor {
        let actor = self.verified("Teishi", &["rights_holder", "ai_developer"]).await;
        self.state(&actor, "suspend").await;
        actor
    }
}

impl Actor {
    /// GET.
    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.client.get(uri).await
    }

    /// POST of a JSON body with a fresh idempotency key.
    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.post_once(uri, body, &fresh_key()).await
    }

    /// POST of a JSON body with this idempotency key.
    pub(crate) async fn post_once(&self, uri: &str, body: &Value, key: &str) -> Answer {
        self.client.json("POST", uri, body, &[("idempotency-key", key)]).await
    }

    /// Any method with a JSON body, an idempotency key and these headers.
    pub(crate) async fn send(
        &self,
        method: &str,
        uri: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let key = fresh_key();
        let headers: Vec<_> = headers.iter().copied().chain([("idempotency-key", key.as_str())]).collect();
        self.client.json(method, uri, body, &headers).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, uri: &str) -> Answer {
        let request = self.client.request(axum::http::Method::DELETE, uri);
        self.client.send(request.body(axum::body::Body::empty()).expect("a request")).await
    }

    /// Registers a model, and gives its id.
    pub(crate) async fn model(&self, name: &str) -> String {
        let answer = self.post("/v1/models", &json!({ "name": name })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json::<Value>()["model"].as_str().expect("an id").to_owned()
    }

    /// Another key of the same person with these scopes.
    pub(crate) async fn with_scopes(&self, scopes: &[&str]) -> Self {
        let answer = self.post("/v1/keys", &json!({ "label": "other", "scopes": scopes })).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let key = answer.json::<Value>()["key"]["secret"].as_str().expect("a secret").to_owned();
        Self { client: self.client.with_key(&key), key, ..self.clone() }
    }
}
