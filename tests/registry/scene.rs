//! A registry with a registrar of two persons, a holder and a developer, told what to record without any face.

use kyodaku::clock::Clock;
use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Covers, GrantRecorded, GrantRevoked, Holding, OrgRegistered,
    OrgVerified, PersonAdded, Revocable, Role, WorkKind, WorkRegistered,
};
use kyodaku::domain::ids::{BindingId, GrantId, HoldingId, Id, Kind, OrgId, PersonId, WorkId};
use kyodaku::domain::key::{Key, Sha256, SubjectKey};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::Use;
use kyodaku::registry::checks::{Check, Checked, Context, Item};
use kyodaku::registry::sequencer::Once;
use kyodaku::registry::{Body, Registry, Settings, Submission, SubmitError, Submitted};
use smallvec::smallvec;

use crate::world::World;

/// A registry and who acts in it.
pub(super) struct Scene {
    pub(super) registry: Registry,
    pub(super) clock: Clock,
    pub(super) registrar: (OrgId, [PersonId; 2]),
    pub(super) holder: (OrgId, PersonId),
    pub(super) developer: (OrgId, PersonId),
}

/// A registered and confirmed work.
pub(super) struct Registered {
    pub(super) work: WorkId,
    pub(super) key: Key,
}

pub(super) fn settings(world: &World, node: &str) -> Settings {
    Settings {
        database_url: world.url.clone(),
        data_dir: world.folder.path().to_owned(),
        origin: "registry.example/log".to_owned(),
        node: node.to_owned(),
        recheck_max_ms: 86_400_000,
        mail: kyodaku::registry::MailSettings::folder(world.folder.path()),
        four_eyes: false,
        admitting: kyodaku::registry::sequencer::ADMITTING,
        keys: kyodaku::registry::keys::KeySettings::default(),
    }
}

/// Another node on the same database, with keys and marks of the same folder.
pub(super) async fn node(world: &World, name: &str) -> Registry {
    Registry::open(settings(world, name), world.clock.clone()).await.expect("the node opens")
}

impl Scene {
    pub(super) async fn open(world: &World) -> Self {
        let registry = node(world, "one").await;
        let clock = world.clock.clone();
        let (registrar, one, two) = (id(&clock), id(&clock), id(&clock));
        let (holder, holder_person, developer, developer_person) =
            (id(&clock), id(&clock), id(&clock), id(&clock));
        let scene = Self {
            registry,
            clock,
            registrar: (registrar, [one, two]),
            holder: (holder, holder_person),
            developer: (developer, developer_person),
        };
        let installation = scene.registry.installation().expect("the log has begun");
        let acts = member(registrar, Role::Registrar, &[one, two]);
        scene.submit(installation, &[], acts).await.expect("the installation makes the registrar");
        for (org, role, person) in
            [(holder, Role::RightsHolder, holder_person), (developer, Role::AiDeveloper, developer_person)]
        {
            let acts = member(org, role, &[person]);
            scene.submit(registrar, &[one, two], acts).await.expect("the registrar makes a member");
        }
        scene
    }

    pub(super) fn id<K: Kind>(&self) -> Id<K> {
        id(&self.clock)
    }

    pub(super) async fn submit(
        &self,
        party: OrgId,
        by: &[PersonId],
        acts: Vec<Act>,
    ) -> Result<Submitted, SubmitError> {
        self.registry.submit(submission(party, by, acts, None)).await
    }

    pub(super) async fn as_holder(&self, act: impl Into<Act>) -> Result<Submitted, SubmitError> {
        self.submit(self.holder.0, &[self.holder.1], vec![act.into()]).await
    }

    /// Registers a work of the holder under a key of its own and has both confirmed.
    pub(super) async fn work(&self, name: &str) -> Registered {
        let key = Key::identifier("catalogue", name).expect("a key");
        let (work, holding, binding): (WorkId, HoldingId, BindingId) = (self.id(), self.id(), self.id());
        let registered = WorkRegistered {
            work,
            kind: WorkKind::Comic,
            holders: vec![Holding { holding, holder: self.holder.0 }],
            roster_complete: true,
            layers: Vec::new(),
            layers_complete: true,
            part_of: Vec::new(),
            bindings: vec![Binding { binding, key: key.clone() }],
        };
        self.as_holder(registered).await.expect("the work is registered");
        let confirmed = AssertionsConfirmed {
            holdings: vec![holding],
            bindings: vec![binding],
            evidence: Sha256::of(b"seen"),
        };
        let (registrar, persons) = &self.registrar;
        self.submit(*registrar, persons, vec![confirmed.into()]).await.expect("the work is confirmed");
        Registered { work, key }
    }

    pub(super) fn grant_of(&self, work: WorkId) -> (GrantId, Act) {
        let grant = self.id();
        let act = GrantRecorded {
            grant,
            work,
            covers: Covers::Work,
            as_layer_of: Scope::Any,
            by_location: false,
            uses: Scope::Only(vec![Use::TrainGenerative]),
            developers: Scope::Only(vec![self.developer.0]),
            models: Scope::Any,
            territories: Scope::Any,
            from: From::OnRecord,
            until: Until::Open,
            revocable: Revocable::NoticeMs(0),
            conditions: Vec::new(),
            terms: None,
            request: None,
        };
        (grant, act.into())
    }

    pub(super) async fn grant(&self, work: WorkId) -> GrantId {
        let (grant, act) = self.grant_of(work);
        self.as_holder(act).await.expect("the grant is recorded");
        grant
    }

    pub(super) async fn revoke(&self, grant: GrantId) {
        self.as_holder(GrantRevoked { grant, from: From::OnRecord }).await.expect("the grant is revoked");
    }

    pub(super) fn question(&self, key: &Key) -> Question {
        Question {
            developer: self.developer.0,
            model: None,
            uses: smallvec![Use::TrainGenerative],
            territory: None,
            subject: smallvec![SubjectKey::Key(key.clone())],
            with_parts: false,
        }
    }

    pub(super) fn check_of(&self, keys: &[&Key]) -> Check {
        let item = |(number, key): (usize, &&Key)| Item {
            reference: Some(format!("item {number}")),
            question: Ok(self.question(key)),
        };
        Check {
            asked_by: None,
            developer: self.developer.0,
            context: Context {
                uses: vec![Use::TrainGenerative],
                model: None,
                territory: None,
                with_parts: false,
            },
            items: keys.iter().enumerate().map(item).collect(),
        }
    }

    pub(super) async fn check(&self, keys: &[&Key]) -> Checked {
        self.registry.check(self.check_of(keys)).await.expect("the check is answered")
    }
}

pub(super) fn submission(party: OrgId, by: &[PersonId], acts: Vec<Act>, once: Option<Once>) -> Submission {
    Submission {
        party,
        on_behalf_of: None,
        by: by.to_vec(),
        acts: acts.into_iter().map(|act| (act, None)).collect(),
        once,
        body: Body::new(|recorded| (201, format!("{{\"first\":{}}}", recorded.first))),
        accounts: Vec::new(),
        unchanged: None,
    }
}

fn id<K: Kind>(clock: &Clock) -> Id<K> {
    Id::new(clock.new_uuid())
}

fn member(org: OrgId, role: Role, persons: &[PersonId]) -> Vec<Act> {
    let mut acts: Vec<Act> =
        vec![OrgRegistered { org, roles: vec![role] }.into(), OrgVerified { org, evidence: None }.into()];
    acts.extend(persons.iter().map(|person| Act::from(PersonAdded { person: *person, org })));
    acts
}
