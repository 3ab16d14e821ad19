//! The first registrar: recorded by the installation itself, from the machine it runs on.

use super::accounts::{AccountChange, MadePerson, NewKey, NewPerson, make_person};
use super::authority::{PersonRole, Roles, Scopes, State};
use super::credential::Secret;
use super::failure::Failure;
use super::node::Registry;
use super::sequencer::{Body, Submission};
use crate::domain::act::{Act, OrgRegistered, OrgVerified, PersonAdded, PersonRemoved, Role};
use crate::domain::ids::{OrgId, PersonId};
use crate::domain::payload::Payload;

/// Who may act from now on. The secret is shown once.
#[derive(Clone, Debug)]
pub struct NewAccess {
    /// The organization.
    pub org: OrgId,
    /// The new person.
    pub person: PersonId,
    /// The person's key.
    pub secret: Secret,
}

/// Makes the registrar's organization, called `name`, with a first person, called `label`, and a key. Where there is a
/// registrar, a person with a key is added to it instead, and `name` is not used: confirming needs two people.
///
/// Whoever can call this can read the signing keys anyway.
pub async fn create_registrar(registry: &Registry, name: &str, label: &str) -> Result<NewAccess, Failure> {
    let installation = registry.installation();
    let installation = installation.ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?;
    let present = registry.read(present_registrar).await?;
    let org = present.unwrap_or_else(|| OrgId::new(registry.clock().new_uuid()));
    let key = NewKey { label: label.to_owned(), scopes: None, days: super::accounts::MAX_KEY_DAYS };
    let new = NewPerson { label: label.to_owned(), role: PersonRole::Admin, key: Some(key) };
    let made = make_person(registry, org, Scopes::of_roles(Roles::REGISTRAR), &new)?;
    let mut acts: Vec<(Act, Option<Payload>)> = Vec::new();
    if present.is_none() {
        let registered = OrgRegistered { org, roles: vec![Role::Registrar] };
        acts.push((registered.into(), Some(Payload::Org { name: name.to_owned() })));
        acts.push((OrgVerified { org, evidence: None }.into(), None));
    }
    acts.push((PersonAdded { person: made.person, org }.into(), None));
    let submission = Submission {
        unchanged: None,
        party: installation,
        on_behalf_of: None,
        by: Vec::new(),
        acts,
        once: None,
        body: Body::none(),
        accounts: made.changes(),
    };
    registry.submit(submission).await?;
    shown(made, org)
}

/// Adds an admin with a key to an organization that nobody can act for any more, as the installation. The log shows it.
///
/// Whoever can call this can read the signing keys anyway.
pub async fn restore_access(registry: &Registry, org: OrgId, label: &str) -> Result<NewAccess, Failure> {
    let installation = registry.installation();
    let installation = installation.ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?;
    let known = registry.read(|now| State::of(now, org)).await?;
    let (_, roles) = known.ok_or(Failure::NotFound)?;
    let key = NewKey { label: label.to_owned(), scopes: None, days: super::accounts::MAX_KEY_DAYS };
    let new = NewPerson { label: label.to_owned(), role: PersonRole::Admin, key: Some(key) };
    let made = make_person(registry, org, Scopes::of_roles(roles), &new)?;
    let submission = Submission {
        unchanged: None,
        party: installation,
        on_behalf_of: None,
        by: Vec::new(),
        acts: vec![(PersonAdded { person: made.person, org }.into(), None)],
        once: None,
        body: Body::none(),
        accounts: made.changes(),
    };
    registry.submit(submission).await?;
    shown(made, org)
}

fn shown(made: MadePerson, org: OrgId) -> Result<NewAccess, Failure> {
    let secret = made.key.map(|key| key.secret);
    let secret = secret.ok_or_else(|| Failure::Unavailable("no key was made".to_owned()))?;
    Ok(NewAccess { org, person: made.person, secret })
}

/// Removes a person of the registrar, with all keys, as the installation: the registrar can't do so itself.
pub async fn remove_registrar(registry: &Registry, person: PersonId) -> Result<(), Failure> {
    let installation = registry.installation();
    let installation = installation.ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?;
    let org = registry.read(present_registrar).await?.ok_or(Failure::NotFound)?;
    let submission = Submission {
        unchanged: None,
        party: installation,
        on_behalf_of: None,
        by: Vec::new(),
        acts: vec![(PersonRemoved { person, org }.into(), None)],
        once: None,
        body: Body::none(),
        accounts: vec![AccountChange::RemovePerson { org, person }],
    };
    registry.submit(submission).await?;
    Ok(())
}

/// The oldest registrar that may act.
fn present_registrar(now: crate::domain::index::AsOf<'_>) -> Option<OrgId> {
    let mut orgs = now.index.orgs.iter().map(|(_, id, _)| id);
    orgs.find(|id| {
        State::of(now, *id)
            .is_some_and(|(state, roles)| state == State::Verified && roles.meets(Roles::REGISTRAR))
    })
}
