//! A small world in memory: an installation, a registrar with two persons, and whoever a test adds.

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Covers, DenialRecorded, GrantRecorded, Holding, LayerLinked,
    LogOpened, MandateGiven, MembershipAccepted, MembershipOffered, ModelRegistered, OrgRegistered,
    OrgVerified, PartLinked, PersonAdded, Power, Revocable, Role, RulesActivated, WorkKind, WorkRegistered,
    WorksMerged,
};
use kyodaku::domain::admit::{Refusal, admit};
use kyodaku::domain::command::{Command, Proposed, record};
use kyodaku::domain::entry::{Entry, Salt};
use kyodaku::domain::ids::{
    BindingId, DenialId, GrantId, HoldingId, Id, Kind, LinkId, MandateId, MembershipId, ModelId, OrgId,
    PersonId, WorkId,
};
use kyodaku::domain::index::Index;
use kyodaku::domain::key::{Key, Sha256};
use kyodaku::domain::scope::{From, Scope, Until};

/// When the world begins.
pub(super) const START_MS: i64 = 1_761_523_200_000;
/// A day.
pub(super) const DAY_MS: i64 = 86_400_000;

/// Somebody who acts: an organization with the persons that it brings, perhaps for another.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) party: OrgId,
    pub(super) on_behalf_of: Option<OrgId>,
    pub(super) by: Vec<PersonId>,
}

impl Actor {
    /// The same one as an agent.
    pub(super) fn for_(&self, principal: &Self) -> Self {
        Self { on_behalf_of: Some(principal.party), ..self.clone() }
    }

    /// The same one with other persons.
    pub(super) fn by(&self, by: &[PersonId]) -> Self {
        Self { by: by.to_vec(), ..self.clone() }
    }
}

/// The world.
pub(super) struct Stage {
    pub(super) index: Index,
    pub(super) now: i64,
    names: u128,
    pub(super) installation: Actor,
    /// The registrar with both of its persons.
    pub(super) registrar: Actor,
    /// The registrar with one of them.
    pub(super) alone: Actor,
}

/// What stands behind a digest.
pub(super) fn digest() -> Sha256 {
    Sha256::of(b"seen")
}

impl Stage {
    /// A log that is opened, with rules, a verified registrar and its two persons.
    pub(super) fn new() -> Self {
        let nobody = Actor { party: Id::new(uuid::Uuid::nil()), on_behalf_of: None, by: Vec::new() };
        let mut stage = Self {
            index: Index::new(),
            now: START_MS,
            names: 0,
            installation: nobody.clone(),
            registrar: nobody.clone(),
            alone: nobody,
        };
        let registry = stage.id();
        stage.installation.party = registry;
        let installation = stage.installation.clone();
        stage.ok(&installation, LogOpened { origin: "log.example/acts".into(), registry, continues: None });
        stage.ok(&installation, RulesActivated { version: 1 });
        let org = stage.id();
        stage.ok(&installation, OrgRegistered { org, roles: vec![Role::Registrar] });
        stage.ok(&installation, OrgVerified { org, evidence: None });
        let by: Vec<PersonId> = vec![stage.id(), stage.id()];
        for person in by.clone() {
            stage.ok(&installation, PersonAdded { person, org });
        }
        stage.registrar = Actor { party: org, on_behalf_of: None, by };
        stage.alone = stage.registrar.by(&stage.registrar.by[..1]);
        stage
    }

    /// A new name.
    pub(super) fn id<K: Kind>(&mut self) -> Id<K> {
        self.names += 1;
        Id::new(uuid::Uuid::from_u128((0x0199 << 112) | self.names))
    }

    /// What these acts would be as one command.
    pub(super) fn command(actor: &Actor, acts: Vec<Act>) -> Command {
        let acts = acts.into_iter().map(|act| Proposed { act, payload: None }).collect();
        Command { party: actor.party, on_behalf_of: actor.on_behalf_of, by: actor.by.clone(), acts }
    }

    /// Whether the act would be admitted now; nothing changes.
    pub(super) fn would(&self, actor: &Actor, act: &Act) -> Result<Vec<OrgId>, Vec<Refusal>> {
        admit(&self.index, &Self::command(actor, Vec::new()), act, self.now)
    }

    /// Records acts in one piece.
    pub(super) fn all(&mut self, actor: &Actor, acts: Vec<Act>) -> Result<Vec<Entry>, Vec<Refusal>> {
        let recorded = record(&mut self.index, &Self::command(actor, acts), self.now, || Salt([7; 16]));
        self.index.keep();
        recorded
    }

    /// Records an act that must be admitted, and gives its readers.
    #[track_caller]
    pub(super) fn ok(&mut self, actor: &Actor, act: impl Into<Act>) -> Vec<OrgId> {
        let act = act.into();
        let shown = format!("{act:?}");
        match self.all(actor, vec![act]) {
            Ok(entries) => entries[0].parties.clone(),
            Err(refusals) => panic!("{shown} was refused: {refusals:#?}"),
        }
    }

    /// Tries an act that must be refused for exactly these reasons: code and pointer, in this order.
    #[track_caller]
    pub(super) fn no(&mut self, actor: &Actor, act: impl Into<Act>, expected: &[(&str, &str)]) {
        let (act, size) = (act.into(), self.index.size());
        let refusals = self.all(actor, vec![act]).expect_err("the act must be refused");
        let found: Vec<_> = refusals.iter().map(|r| (r.code, r.pointer.as_str())).collect();
        assert_eq!(found, expected, "{refusals:#?}");
        assert_eq!(self.index.size(), size, "a refused act changes nothing");
    }

    /// A registered organization with one person, neither verified nor suspended.
    pub(super) fn newcomer(&mut self, roles: &[Role]) -> Actor {
        let (org, person) = (self.id(), self.id());
        let registrar = self.alone.clone();
        self.ok(&registrar, OrgRegistered { org, roles: roles.to_vec() });
        self.ok(&registrar, PersonAdded { person, org });
        Actor { party: org, on_behalf_of: None, by: vec![person] }
    }

    /// A verified organization with one person.
    pub(super) fn org(&mut self, roles: &[Role]) -> Actor {
        let actor = self.newcomer(roles);
        let registrar = self.alone.clone();
        self.ok(&registrar, OrgVerified { org: actor.party, evidence: None });
        actor
    }

    /// A verified rights holder.
    pub(super) fn holder(&mut self) -> Actor {
        self.org(&[Role::RightsHolder])
    }

    /// A model of a developer.
    pub(super) fn model(&mut self, developer: &Actor) -> ModelId {
        let model = self.id();
        self.ok(developer, ModelRegistered { model });
        model
    }

    /// An act that registers a work with these holders and nothing else.
    pub(super) fn registration(&mut self, holders: &[&Actor]) -> WorkRegistered {
        WorkRegistered {
            work: self.id(),
            kind: WorkKind::Comic,
            holders: holders.iter().map(|h| Holding { holding: self.id(), holder: h.party }).collect(),
            roster_complete: true,
            layers: Vec::new(),
            layers_complete: true,
            part_of: Vec::new(),
            bindings: Vec::new(),
        }
    }

    /// A work that these hold, the first of whom registered it; nothing is confirmed.
    pub(super) fn asserted(&mut self, holders: &[&Actor]) -> (WorkId, Vec<HoldingId>) {
        let act = self.registration(holders);
        let (work, holdings) = (act.work, act.holders.iter().map(|h| h.holding).collect());
        self.ok(holders[0], act);
        (work, holdings)
    }

    /// The same, with every holding confirmed.
    pub(super) fn work(&mut self, holders: &[&Actor]) -> (WorkId, Vec<HoldingId>) {
        let (work, holdings) = self.asserted(holders);
        self.confirm(&holdings, &[]);
        (work, holdings)
    }

    /// Confirms.
    pub(super) fn confirm(&mut self, holdings: &[HoldingId], bindings: &[BindingId]) {
        let registrar = self.registrar.clone();
        let act = confirmation(holdings, bindings);
        self.ok(&registrar, act);
    }

    /// A work that an organization registered and that nobody holds.
    pub(super) fn unheld(&mut self, registrant: &Actor) -> WorkId {
        let act = self.registration(&[]);
        let work = act.work;
        self.ok(registrant, act);
        work
    }

    /// Merges the first work into the second.
    pub(super) fn merge(&mut self, duplicate: WorkId, into: WorkId) {
        let registrar = self.registrar.clone();
        self.ok(&registrar, WorksMerged { duplicate, into });
    }

    /// The act by which the first work becomes a part of the second.
    pub(super) fn part(&mut self, part: WorkId, whole: WorkId) -> PartLinked {
        PartLinked { link: self.id(), part, whole }
    }

    /// The act by which the first work incorporates the second.
    pub(super) fn layer(&mut self, work: WorkId, layer: WorkId) -> LayerLinked {
        LayerLinked { link: self.id(), work, layer }
    }

    /// The act by which a new key is tied to a work.
    pub(super) fn key(&mut self, url: &str) -> Binding {
        Binding { binding: self.id(), key: Key::url(url).unwrap() }
    }

    /// Makes one organization the agent of another.
    pub(super) fn mandate(
        &mut self,
        principal: &Actor,
        agent: &Actor,
        works: Scope<WorkId>,
        powers: &[Power],
    ) -> MandateId {
        let act = self.mandate_act(agent, works, powers);
        let mandate = act.mandate;
        self.ok(principal, act);
        mandate
    }

    /// The act that does so, from now on and without end.
    pub(super) fn mandate_act(
        &mut self,
        agent: &Actor,
        works: Scope<WorkId>,
        powers: &[Power],
    ) -> MandateGiven {
        MandateGiven {
            mandate: self.id(),
            agent: agent.party,
            works,
            powers: powers.to_vec(),
            from: From::OnRecord,
            until: Until::Open,
            grants_survive: true,
        }
    }

    /// Makes one organization a member of another.
    pub(super) fn membership(&mut self, member: &Actor, association: &Actor) -> MembershipId {
        let membership = self.id();
        let offer = MembershipOffered { membership, member: member.party, association: association.party };
        self.ok(member, offer);
        self.ok(association, MembershipAccepted { membership });
        membership
    }

    /// A grant of everything on a work to anybody, revocable at once.
    pub(super) fn grant(&mut self, work: WorkId) -> GrantRecorded {
        GrantRecorded {
            grant: self.id(),
            work,
            covers: Covers::Work,
            as_layer_of: Scope::Any,
            by_location: false,
            uses: Scope::Any,
            developers: Scope::Any,
            models: Scope::Any,
            territories: Scope::Any,
            from: From::OnRecord,
            until: Until::Open,
            revocable: Revocable::NoticeMs(0),
            conditions: Vec::new(),
            terms: None,
            request: None,
        }
    }

    /// Records such a grant.
    pub(super) fn granted(&mut self, actor: &Actor, work: WorkId) -> GrantId {
        let act = self.grant(work);
        let grant = act.grant;
        self.ok(actor, act);
        grant
    }

    /// A denial of everything on a work to everybody.
    pub(super) fn denial(&mut self, work: WorkId) -> DenialRecorded {
        DenialRecorded {
            denial: self.id(),
            work,
            parts: None,
            uses: None,
            developers: None,
            models: None,
            territories: None,
            from: None,
            until: None,
        }
    }

    /// Records such a denial.
    pub(super) fn denied(&mut self, actor: &Actor, work: WorkId) -> DenialId {
        let act = self.denial(work);
        let denial = act.denial;
        self.ok(actor, act);
        denial
    }

    /// Links by an act that must be admitted.
    #[track_caller]
    pub(super) fn link(&mut self, actor: &Actor, part: WorkId, whole: WorkId) -> LinkId {
        let act = self.part(part, whole);
        let link = act.link;
        self.ok(actor, act);
        link
    }
}

/// The act that confirms.
pub(super) fn confirmation(holdings: &[HoldingId], bindings: &[BindingId]) -> AssertionsConfirmed {
    AssertionsConfirmed { holdings: holdings.to_vec(), bindings: bindings.to_vec(), evidence: digest() }
}

/// Every power.
pub(super) const POWERS: &[Power] = &[
    Power::Register,
    Power::Grant,
    Power::Revoke,
    Power::Deny,
    Power::Notice,
    Power::Answer,
    Power::Transfer,
];
