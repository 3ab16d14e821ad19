//! The first registrar: recorded by the installation itself, from the machine it runs on.

use super::accounts::{AccountChange, MAX_KEY_DAYS, NewKey, NewPerson, make_person};
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
    let present = registry.read(present_registrar).await?;
    let org = present.unwrap_or_else(|| OrgId::new(registry.clock().new_uuid()));
    let mut acts: Vec<(Act, Option<Payload>)> = Vec::new();
    if present.is_none() {
        let registered = OrgRegistered { org, roles: vec![Role::Registrar] };
        acts.push((registered.into(), Some(Payload::Org { name: name.to_owned() })));
        acts.push((OrgVerified { org, evidence: None }.into(), None));
    }
    let_in(registry, acts, org, Roles::REGISTRAR, label).await
}

/// Adds an admin with a key to an organization, as the installation: where nobody can act for it any more, or where nobody may
/// bring in another person alone. The log shows it.
///
/// Whoever can call this can read the signing keys anyway.
pub async fn restore_access(registry: &Registry, org: OrgId, label: &str) -> Result<NewAccess, Failure> {
    let known = registry.read(|now| State::of(now, org)).await?;
    let (_, roles) = known.ok_or(Failure::NotFound)?;
    let_in(registry, Vec::new(), org, roles, label).await
}

/// Records these acts, and that an admin with a key stands for the organization.
async fn let_in(
    registry: &Registry,
    mut acts: Vec<(Act, Option<Payload>)>,
    org: OrgId,
    roles: Roles,
    label: &str,
) -> Result<NewAccess, Failure> {
    let key = NewKey { label: label.to_owned(), scopes: None, days: MAX_KEY_DAYS, public_key: None };
    let new = NewPerson { label: label.to_owned(), role: PersonRole::Admin, key: Some(key) };
    let made = make_person(registry, org, Scopes::of_roles(roles), &new)?;
    acts.push((PersonAdded { person: made.person, org }.into(), None));
    submit(registry, acts, made.changes()).await?;
    let secret = made.key.and_then(|key| key.secret);
    let secret = secret.ok_or_else(|| Failure::Unavailable("no key was made".to_owned()))?;
    Ok(NewAccess { org, person: made.person, secret })
}

/// Removes a person of the registrar, with all keys, as the installation: the registrar can't do so itself.
pub async fn remove_registrar(registry: &Registry, person: PersonId) -> Result<(), Failure> {
    let org = registry.read(present_registrar).await?.ok_or(Failure::NotFound)?;
    let acts = vec![(PersonRemoved { person, org }.into(), None)];
    submit(registry, acts, vec![AccountChange::RemovePerson { org, person }]).await
}

/// Records acts of the installation itself.
async fn submit(
    registry: &Registry,
    acts: Vec<(Act, Option<Payload>)>,
    accounts: Vec<AccountChange>,
) -> Result<(), Failure> {
    let party = registry.installation();
    let party = party.ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?;
    let submission = Submission {
        party,
        on_behalf_of: None,
        by: Vec::new(),
        acts,
        once: None,
        body: Body::none(),
        accounts,
        unchanged: None,
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
