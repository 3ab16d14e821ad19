//! Organizations and their states, and the models of AI developers.

use serde::Serialize;

use super::accounts::{AccountChange, KeyView, MadeKey, NewPerson, make_person};
use super::answer::{Answer, moment};
use super::authority::{
    Actor, CredentialId, Developer, PersonRole, Proof, Registrar, Roles, Scope, Scopes, State, Verified,
    role_name, submission,
};
use super::failure::Failure;
use super::lasting::refuse_token;
use super::node::Registry;
use super::sequencer::{Once, Submitted};
use crate::domain::act::{
    Act, ModelRegistered, ModelRetired, OrgRegistered, OrgReinstated, OrgSuspended, OrgVerified, PersonAdded,
    Role,
};
use crate::domain::ids::{KeyId, ModelId, OrgId, PersonId, SessionId};
use crate::domain::key::Sha256;
use crate::domain::payload::Payload;
use crate::store::catalogue;

/// An organization as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrgView {
    /// Its id.
    pub organization: String,
    /// Its name; none after an erasure.
    pub name: Option<String>,
    /// Its roles.
    pub roles: Vec<String>,
    /// `registered`, `verified` or `suspended`.
    pub state: String,
    /// When it was registered.
    pub registered: String,
    /// The last entry that changed it.
    pub entry: u64,
}

impl From<catalogue::Org> for OrgView {
    fn from(row: catalogue::Org) -> Self {
        Self {
            organization: row.org,
            name: row.name,
            roles: row.roles.split(' ').map(str::to_owned).collect(),
            state: row.state,
            registered: moment(row.registered_ms),
            entry: row.updated_idx,
        }
    }
}

/// A model as its readers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelView {
    /// Its id.
    pub model: String,
    /// Whose.
    pub developer: String,
    /// Its name; none after an erasure.
    pub name: Option<String>,
    /// `registered` or `retired`.
    pub state: String,
    /// When it was registered.
    pub registered: String,
    /// The last entry that changed it.
    pub entry: u64,
}

impl From<catalogue::Model> for ModelView {
    fn from(row: catalogue::Model) -> Self {
        Self {
            model: row.model,
            developer: row.developer,
            name: row.name,
            state: row.state,
            registered: moment(row.registered_ms),
            entry: row.updated_idx,
        }
    }
}

/// What a new organization shall be.
#[derive(Clone, Debug)]
pub struct NewOrganization {
    /// Its name.
    pub name: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Its first person.
    pub person: Option<NewPerson>,
}

#[derive(Serialize)]
struct RegisteredAnswer {
    organization: OrgId,
    person: Option<PersonId>,
    key: Option<KeyView>,
}

/// Registers an organization, which is not verified by that, with its first person and key if they are given. The key
/// is to be shown now: a repetition gets the same answer without it.
pub async fn register(
    registry: &Registry,
    by: &Registrar,
    new: &NewOrganization,
    once: Once,
) -> Result<(Submitted, Option<MadeKey>), Failure> {
    if new.person.is_some() {
        refuse_token(by.actor(), "adds no people")?;
    }
    let org = OrgId::new(registry.clock().new_uuid());
    let mut acts: Vec<(Act, _)> = vec![(
        OrgRegistered { org, roles: new.roles.clone() }.into(),
        Some(Payload::Org { name: new.name.clone() }),
    )];
    let person = new.person.as_ref();
    let made = person
        .map(|person| make_person(registry, org, Scopes::of_roles(Roles::of(&new.roles)), person))
        .transpose()?;
    acts.extend(made.as_ref().map(|made| (PersonAdded { person: made.person, org }.into(), None)));
    let (accounts, person, key) = match made {
        Some(made) => (made.changes(), Some(made.person), made.key),
        None => (Vec::<AccountChange>::new(), None, None),
    };
    let fields = RegisteredAnswer { organization: org, person, key: key.as_ref().map(MadeKey::view) };
    let answer = Answer::created(format!("/v1/organizations/{org}"), &fields);
    let mut submission = submission(by, None, acts, Some(once), answer.body());
    submission.accounts = accounts;
    let submitted = registry.submit(submission).await?;
    let key = key.filter(|_| submitted.recorded.is_some());
    Ok((submitted, key))
}

/// A change of an organization's state by the registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// It is who it says.
    Verify,
    /// It must stop.
    Suspend,
    /// It may go on.
    Reinstate,
}

/// Changes the state of an organization. `note` says why, `evidence` is the digest of what the registrar saw.
pub async fn change_state(
    registry: &Registry,
    by: &Registrar,
    org: OrgId,
    change: StateChange,
    note: Option<String>,
    evidence: Option<Sha256>,
    once: Once,
) -> Result<Submitted, Failure> {
    if registry.read(|now| now.org(org)).await?.is_none() {
        return Err(Failure::NotFound);
    }
    let (act, state): (Act, _) = match change {
        StateChange::Verify => (OrgVerified { org, evidence }.into(), State::Verified),
        StateChange::Suspend => (OrgSuspended { org, evidence }.into(), State::Suspended),
        StateChange::Reinstate => (OrgReinstated { org, evidence }.into(), State::Verified),
    };
    let answer = Answer::done(&serde_json::json!({ "organization": org, "state": state.as_str() }));
    let acts = vec![(act, note.map(|text| Payload::Note { text }))];
    let mut submission = submission(by, None, acts, Some(once), answer.body());
    if change == StateChange::Suspend {
        submission.accounts = vec![AccountChange::EndSessions(org)];
    }
    Ok(registry.submit(submission).await?)
}

fn sees_all(by: &Verified) -> bool {
    by.actor().roles().meets(Roles::REGISTRAR | Roles::AUDITORS)
}

/// An organization: any for the registrar and auditors, its own and verified ones for all others.
pub async fn one(registry: &Registry, by: &Verified, org: OrgId) -> Result<OrgView, Failure> {
    let row = catalogue::org(registry.db(), &org.to_string()).await?.ok_or(Failure::NotFound)?;
    let seen = sees_all(by) || row.state == State::Verified.as_str() || org == by.actor().org();
    if seen { Ok(row.into()) } else { Err(Failure::NotFound) }
}

/// Organizations by id: all, or those in one state, for the registrar and auditors; verified ones for all others.
pub async fn list(
    registry: &Registry,
    by: &Verified,
    state: Option<State>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<OrgView>, Failure> {
    let state = if sees_all(by) { state } else { Some(State::Verified) };
    let rows = catalogue::orgs(registry.db(), state.map(State::as_str), after, limit).await?;
    Ok(rows.into_iter().map(OrgView::from).collect())
}

/// What a caller is, in its own words: also for one that is not verified or is suspended.
pub async fn own(registry: &Registry, actor: &Actor) -> Result<OwnView, Failure> {
    let row = catalogue::org(registry.db(), &actor.org().to_string()).await?;
    Ok(OwnView {
        organization: actor.org(),
        name: row.and_then(|row| row.name),
        roles: actor.roles().iter().map(role_name).collect(),
        state: actor.state().as_str(),
        person: actor.person(),
        role: actor.role(),
        key: match actor.credential() {
            CredentialId::Key(key) => Some(key),
            CredentialId::Session(_) => None,
        },
        session: match actor.credential() {
            CredentialId::Key(_) => None,
            CredentialId::Session(session) => Some(session),
        },
        scopes: actor.scopes().iter().map(Scope::as_str).collect(),
    })
}

/// What a caller is.
#[derive(Clone, Debug, Serialize)]
pub struct OwnView {
    /// The organization.
    pub organization: OrgId,
    /// Its name.
    pub name: Option<String>,
    /// Its roles.
    pub roles: Vec<&'static str>,
    /// `registered`, `verified` or `suspended`.
    pub state: &'static str,
    /// The person who asks, or whose key it is.
    pub person: PersonId,
    /// What that person may do within the organization.
    pub role: PersonRole,
    /// The id of the key, where one is used.
    pub key: Option<KeyId>,
    /// The id of the session, where one is used.
    pub session: Option<SessionId>,
    /// What it may be used for.
    pub scopes: Vec<&'static str>,
}

/// Registers a model of the caller.
pub async fn register_model(
    registry: &Registry,
    by: &Developer,
    name: String,
    once: Once,
) -> Result<Submitted, Failure> {
    let model = ModelId::new(registry.clock().new_uuid());
    let answer = Answer::created(format!("/v1/models/{model}"), &serde_json::json!({ "model": model }));
    let acts = vec![(ModelRegistered { model }.into(), Some(Payload::Model { name }))];
    Ok(registry.submit(submission(by, None, acts, Some(once), answer.body())).await?)
}

/// Retires a model of the caller.
pub async fn retire_model(
    registry: &Registry,
    by: &Developer,
    model: ModelId,
    once: Once,
) -> Result<Submitted, Failure> {
    let own = by.actor().org();
    let is_own = |now: crate::domain::index::AsOf<'_>| {
        let found = now.index.models.find(model).map(|ix| now.index.models.at(ix));
        found.is_some_and(|found| now.seen(found.registered) && now.org_id(found.developer) == own)
    };
    if !registry.read(is_own).await? {
        return Err(Failure::NotFound);
    }
    let answer = Answer::done(&serde_json::json!({ "model": model, "state": "retired" }));
    let acts = vec![(ModelRetired { model }.into(), None)];
    Ok(registry.submit(submission(by, None, acts, Some(once), answer.body())).await?)
}

/// A model; every verified organization may see it, to name it in a grant.
pub async fn model(registry: &Registry, _by: &Verified, model: ModelId) -> Result<ModelView, Failure> {
    let row = catalogue::model(registry.db(), &model.to_string()).await?.ok_or(Failure::NotFound)?;
    Ok(row.into())
}

/// The models of a developer, the caller when none is named, by id.
pub async fn models(
    registry: &Registry,
    by: &Verified,
    developer: Option<OrgId>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<ModelView>, Failure> {
    let developer = developer.unwrap_or(by.actor().org()).to_string();
    let rows = catalogue::models(registry.db(), &developer, after, limit).await?;
    Ok(rows.into_iter().map(ModelView::from).collect())
}
