//! The sandbox: a second registry beside the real one, with its own database, log and keys, in which nothing is real.
//!
//! Integrations are tried in it before anything counts. Its keys begin with `kyo_test_`, and are good nowhere else; whoever
//! has a key of the real registry, verified or not, makes itself one. Besides what people try there it has the works of
//! [`magic`], whose answers are always the same, and it is held in by its [`bounds`]. It tells nobody who else tries, sends no mail, and looks at no host: whoever has
//! not been verified yet may use it.

pub mod bounds;
pub mod magic;

use std::sync::Arc;

use super::accounts::{AccountChange, MadeKey, NewKey, make_key, store_key};
use super::authority::{Actor, Roles, Scopes};
use super::control::lookup::Nowhere;
use super::credential::Realm;
use super::failure::Failure;
use super::keys::KeySettings;
use super::lasting::refuse_token;
use super::mail::NOWHERE;
use super::node::{MailSettings, OpenError, Registry, Settings};
use super::sequencer::{Body, Once, Submission, SubmitError, Submitted};
use crate::clock::Clock;
use crate::domain::act::{Act, OrgRegistered, OrgVerified, PersonAdded};
use crate::domain::payload::Payload;
use crate::store::accounts::Person;

/// Opens the sandbox of the registry with these settings in another database, and makes its works.
///
/// # Errors
/// As [`Registry::open`].
pub async fn open(of: &Settings, database_url: &str, clock: Clock) -> Result<Registry, OpenError> {
    let settings = Settings {
        database_url: database_url.to_owned(),
        data_dir: of.data_dir.join("sandbox"),
        origin: format!("{}/sandbox", of.origin),
        four_eyes: false,
        admitting: of.admitting,
        // What it signs must never verify by a key of the real one.
        keys: KeySettings::default(),
        mail: MailSettings { url: NOWHERE.to_owned(), ..of.mail.clone() },
        ..of.clone()
    };
    let registry = Registry::open_in(Realm::Test, settings, clock).await?;
    registry.look_by(Arc::new(Nowhere));
    if !registry.read(magic::is_seeded).await? {
        magic::seed(&registry).await?;
    }
    Ok(registry)
}

/// Makes a key for the sandbox. Its organization is there with the same ids and roles as in the real registry, and verified,
/// whether it is so in the real one or not, under a name that says nothing of it. The key is to be shown now: a repetition gets the same answer without it.
///
/// # Errors
/// [`Failure::Forbidden`] for the token of a program; a fault at `/scopes` for one that the organization's roles do not have; [`Failure::Conflict`] beyond two live keys.
pub async fn create_key(
    sandbox: &Registry,
    by: &Actor,
    new: &NewKey,
    once: Once,
) -> Result<(Submitted, Option<MadeKey>), Failure> {
    refuse_token(by, "makes no keys")?;
    let scopes = Scopes::of_roles(by.roles()).and(by.role().scopes());
    let made = make_key(sandbox, by.org(), by.person(), scopes, new, "/scopes")?;
    if !is_here(sandbox, by).await? {
        match bring(sandbox, by).await {
            // Another request of the same person was faster.
            Err(Failure::Submit(SubmitError::Refused(_))) if is_here(sandbox, by).await? => {}
            brought => brought?,
        }
    }
    store_key(sandbox, by.org(), made, once).await
}

async fn is_here(sandbox: &Registry, by: &Actor) -> Result<bool, Failure> {
    Ok(sandbox.read(|now| now.stands_for(by.person()).is_some()).await?)
}

/// Brings the organization, if it is not there, and the person into the sandbox.
async fn bring(sandbox: &Registry, by: &Actor) -> Result<(), Failure> {
    let org = by.org();
    let mut acts: Vec<(Act, Option<Payload>)> = Vec::new();
    if !sandbox.read(|now| now.org(org).is_some()).await? {
        let name = format!("Sandbox: {org}");
        let registered = OrgRegistered { org, roles: by.roles().iter().collect() };
        acts.push((registered.into(), Some(Payload::Org { name })));
        acts.push((OrgVerified { org, evidence: None }.into(), None));
    }
    acts.push((PersonAdded { person: by.person(), org }.into(), None));
    let person = Person {
        person: by.person().to_string(),
        org: org.to_string(),
        label: "from the real registry".to_owned(),
        role: by.role().as_str().to_owned(),
        created_ms: sandbox.clock().now_ms(),
        removed_ms: None,
    };
    let (party, by) = if by.roles().meets(Roles::REGISTRAR) {
        let installation = sandbox.installation();
        (installation.ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?, Vec::new())
    } else {
        let (registrar, person) = magic::registrar();
        (registrar, vec![person])
    };
    let submission = Submission {
        party,
        on_behalf_of: None,
        by,
        acts,
        once: None,
        body: Body::none(),
        accounts: vec![AccountChange::AddPerson(person)],
        unchanged: None,
    };
    sandbox.submit(submission).await?;
    Ok(())
}
