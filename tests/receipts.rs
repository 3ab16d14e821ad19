//! Receipts: what was asked and answered is proved to others, offline, and nothing else passes for it.

mod forged;
mod programs;
mod signed;
mod told;

use kyodaku::log::checkpoint::VerifierKey;
use kyodaku::log::receipt::{Answer, Expected, Items, Receipt, ReceiptError, Verified, answers};
use serde_json::{Value, json};

use crate::checks::scene::{Scene, training, url};
use crate::world::World;
use crate::world::actors::Actor;

/// A developer that was answered about three items, the first of which is permitted.
pub(crate) struct Answered {
    pub(crate) scene: Scene,
    pub(crate) auditor: Actor,
    /// The answer as it came.
    pub(crate) answer: Vec<u8>,
    pub(crate) told: Value,
    /// The keys of the logs, as the server tells them.
    pub(crate) keys: Vec<VerifierKey>,
}

fn page(number: u32) -> String {
    format!("https://hoshikuzu.example/library/{number}")
}

impl Answered {
    pub(crate) async fn open(world: &World) -> Self {
        let scene = Scene::open(world).await;
        let auditor = scene.stage.verified("Kansa Office", &["auditor"]).await;
        let granted = scene.work(&[url(&page(1))]).await;
        scene.work(&[url(&page(2))]).await;
        scene.grant(granted).await;
        // Another check before it, so that its entry is not the first.
        scene.check(json!([{ "url": page(9) }])).await;
        let items =
            json!([{ "url": page(1) }, { "url": page(2), "reference": "許諾 \"2\"" }, { "url": page(3) }]);
        let answer = scene.ask(training(), items).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let told: Value = answer.json();
        assert_eq!(told["items"][0]["verdict"], "permitted");
        let keys = keys(&scene).await;
        Self { scene, auditor, answer: answer.body.to_vec(), told, keys }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1/checks/{}/{rest}", self.told["check"].as_str().unwrap())
    }

    /// The answer, as whoever asked kept it.
    pub(crate) fn kept(&self) -> Answer {
        answers(&self.answer).unwrap().remove(0)
    }

    /// The entry of the grant on which the first item rests.
    pub(crate) fn grant(&self) -> u64 {
        self.told["items"][0]["uses"][0]["rests_on"][0].as_u64().unwrap()
    }

    /// The receipt as this one gets it, with the grant's entry, and the bytes in which it came.
    pub(crate) async fn receipt(&self, by: &Actor) -> (Receipt, Vec<u8>) {
        let answer = by.get(&self.path(&format!("receipt?basis={}", self.grant()))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        (Receipt::read(&answer.body).unwrap(), answer.body.to_vec())
    }

    /// The same with all items in it, sealed.
    pub(crate) async fn whole(&self) -> Receipt {
        self.scene.stage.registry.seal_journal(0).await.unwrap().1.expect("a seal");
        let (mut receipt, _) = self.receipt(&self.scene.developer).await;
        assert!(receipt.sealed.is_some());
        let items = self.kept().items;
        let salt = self.verify(&receipt).unwrap().record.salt;
        let items = Items::new(&salt, &items);
        receipt.items = (0..3).map(|at| items.show(at).unwrap()).collect();
        receipt
    }

    pub(crate) fn verify(&self, receipt: &Receipt) -> Result<Verified, ReceiptError> {
        receipt.verify(&self.keys, &Expected::default())
    }
}

/// The keys of the logs, as the server tells them.
pub(crate) async fn keys(scene: &Scene) -> Vec<VerifierKey> {
    let logs: Value = scene.stage.nobody.get("/logs").await.json();
    let logs = logs["items"].as_array().unwrap().iter();
    let keys = logs.flat_map(|log| log["keys"].as_array().unwrap().clone());
    keys.map(|key| key["verifier_key"].as_str().unwrap().parse().unwrap()).collect()
}
