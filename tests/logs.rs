//! The logs in public, read through HTTP alone as strangers, parties and auditors read them, and verified by programs that are
//! not ours.

mod desk;
mod mirror;
mod readers;

use kyodaku::domain::act::ModelRegistered;
use kyodaku::registry::{Body, Submission};
use serde_json::{Value, json};

use crate::world::World;
use crate::world::actors::{Actor, Stage};

/// A running node, and a developer that acts and asks.
struct Scene {
    stage: Stage,
    developer: Actor,
}

impl Scene {
    async fn open(world: &World) -> Self {
        let stage = world.stage().await;
        let developer = stage.developer("Kasane Labs").await;
        Self { stage, developer }
    }

    /// Records so many acts in one commit.
    async fn grow(&self, acts: u64) {
        let registered = |_| {
            let model =
                ModelRegistered { model: kyodaku::domain::ids::ModelId::new(self.stage.clock().new_uuid()) };
            (model.into(), None)
        };
        let submission = Submission {
            party: self.developer.org.parse().unwrap(),
            on_behalf_of: None,
            by: vec![self.developer.person.parse().unwrap()],
            acts: (0..acts).map(registered).collect(),
            once: None,
            body: Body::none(),
            accounts: Vec::new(),
            unchanged: None,
        };
        self.stage.registry.submit(submission).await.expect("the acts are recorded");
    }

    /// Asks once: one entry of the journal.
    async fn ask(&self) {
        let item = json!({ "keys": [{ "type": "url", "value": "https://hoshikuzu.example/1" }] });
        let body = json!({ "context": { "uses": ["search"] }, "items": [item] });
        let answer = self.developer.post("/v1/checks", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// What anybody reads as JSON.
    async fn told(&self, path: &str) -> Value {
        let answer = self.stage.nobody.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }
}
