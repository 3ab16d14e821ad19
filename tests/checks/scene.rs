//! A holder, a developer and its competitor, and works that are registered, confirmed and granted.

use axum::body::Body;
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Condition, Covers, GrantRecorded, GrantRevoked, Holding, Revocable,
    WorkKind, WorkRegistered,
};
use kyodaku::domain::ids::{BindingId, GrantId, HoldingId, Id, Kind, OrgId, WorkId};
use kyodaku::domain::key::{Key, Sha256};
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::Use;
use kyodaku::registry::{Body as AnswerBody, Submission};
use serde_json::{Value, json};

use crate::world::World;
use crate::world::actors::{Actor, Stage};
use crate::world::client::Answer;

/// Who asks, and who is asked.
pub(crate) struct Scene {
    pub(crate) stage: Stage,
    pub(crate) holder: Actor,
    pub(crate) developer: Actor,
    pub(crate) competitor: Actor,
}

impl Scene {
    pub(crate) async fn open(world: &World) -> Self {
        let stage = world.stage().await;
        let (holder, developer) =
            (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
        let competitor = stage.developer("Mugen Models").await;
        Self { stage, holder, developer, competitor }
    }

    pub(crate) fn id<K: Kind>(&self) -> Id<K> {
        Id::new(self.stage.clock().new_uuid())
    }

    pub(crate) async fn submit(&self, by: &[&Actor], acts: Vec<Act>) {
        let submission = Submission {
            party: by[0].org.parse().unwrap(),
            on_behalf_of: None,
            by: by.iter().map(|actor| actor.person.parse().unwrap()).collect(),
            acts: acts.into_iter().map(|act| (act, None)).collect(),
            once: None,
            body: AnswerBody::none(),
            accounts: Vec::new(),
            unchanged: None,
        };
        self.stage.registry.submit(submission).await.expect("the acts are recorded");
    }

    /// A work of the holder under these keys, all confirmed.
    pub(crate) async fn work(&self, keys: &[Key]) -> WorkId {
        self.work_of(&self.holder, keys).await
    }

    pub(crate) async fn work_of(&self, holder: &Actor, keys: &[Key]) -> WorkId {
        let (work, holding): (WorkId, HoldingId) = (self.id(), self.id());
        let bindings: Vec<Binding> =
            keys.iter().map(|key| Binding { binding: self.id::<_>(), key: key.clone() }).collect();
        let confirmed: Vec<BindingId> = bindings.iter().map(|binding| binding.binding).collect();
        let registered = WorkRegistered {
            work,
            kind: WorkKind::Comic,
            holders: vec![Holding { holding, holder: holder.org.parse().unwrap() }],
            roster_complete: true,
            layers: Vec::new(),
            layers_complete: true,
            part_of: Vec::new(),
            bindings,
        };
        self.submit(&[holder], vec![registered.into()]).await;
        let evidence = Sha256::of(b"seen");
        let confirmed = AssertionsConfirmed { holdings: vec![holding], bindings: confirmed, evidence };
        self.submit(&[&self.stage.registrar, &self.stage.second], vec![confirmed.into()]).await;
        work
    }

    /// What the holder grants this developer: training, anywhere, with any model.
    pub(crate) fn grant_to(&self, developer: &Actor, work: WorkId) -> GrantRecorded {
        GrantRecorded {
            grant: self.id(),
            work,
            covers: Covers::Work,
            as_layer_of: Scope::Any,
            by_location: false,
            uses: Scope::Only(vec![Use::TrainGenerative]),
            developers: Scope::Only(vec![developer.org.parse::<OrgId>().unwrap()]),
            models: Scope::Any,
            territories: Scope::Any,
            from: From::OnRecord,
            until: Until::Open,
            revocable: Revocable::NoticeMs(0),
            conditions: vec![Condition::Credit],
            terms: Some(Sha256::of(b"the agreement")),
            request: None,
        }
    }

    pub(crate) async fn grant(&self, work: WorkId) -> GrantId {
        let act = self.grant_to(&self.developer, work);
        let grant = act.grant;
        self.submit(&[&self.holder], vec![act.into()]).await;
        grant
    }

    pub(crate) async fn revoke(&self, grant: GrantId) {
        let act = GrantRevoked { grant, from: From::OnRecord };
        self.submit(&[&self.holder], vec![act.into()]).await;
    }

    /// A check with this context and these items.
    pub(crate) async fn ask(&self, context: Value, items: Value) -> Answer {
        let body = json!({ "context": context, "items": items });
        self.developer.client.json("POST", "/v1/checks", &body, &[]).await
    }

    /// A check for training that is answered.
    pub(crate) async fn check(&self, items: Value) -> Value {
        let answer = self.ask(training(), items).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }
}

pub(crate) fn training() -> Value {
    json!({ "uses": ["train.generative"] })
}

/// A body of another type than JSON.
pub(crate) async fn post(actor: &Actor, uri: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let request = actor.client.request(Method::POST, uri).header(CONTENT_TYPE, kind);
    actor.client.send(request.body(body.into()).unwrap()).await
}

pub(crate) fn url(text: &str) -> Key {
    Key::url(text).unwrap()
}

pub(crate) fn catalogue(value: &str) -> Key {
    Key::identifier("catalogue", value).unwrap()
}

/// The verdicts of a check, `true` for permitted.
pub(crate) fn verdicts(answer: &Value) -> Vec<bool> {
    answer["items"].as_array().unwrap().iter().map(|item| item["verdict"] == "permitted").collect()
}

/// The codes of the reasons for the first use of an item.
pub(crate) fn codes(item: &Value) -> Vec<String> {
    let reasons = item["uses"][0]["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect()
}
