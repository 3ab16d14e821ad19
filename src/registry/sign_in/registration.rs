//! An organization enters itself, with its first person, whose address is proved by a mailed token.
//!
//! It is registered and not verified: until the registrar has verified it, it reads its own state, tries the sandbox, and nothing
//! else (R1). Whoever asks is answered the same whether the address is known or not.

use std::net::IpAddr;

use super::credentials::refuse_bad;
use super::letters::{self, Letter};
use super::password::Password;
use super::secret::MailedToken;
use super::{DAY_MS, SPENT};
use crate::domain::act::{OrgRegistered, PersonAdded, Role};
use crate::domain::ids::{OrgId, PersonId};
use crate::domain::payload::Payload;
use crate::registry::accounts::{AccountChange, NewPerson, detached, make_person};
use crate::registry::answer::moment;
use crate::registry::authority::{PersonRole, Roles, Scopes, role_name};
use crate::registry::failure::Failure;
use crate::registry::node::Registry;
use crate::registry::sequencer::{Body, Submission};
use crate::store::logins::{self, Login, email_key};
use crate::store::registrations::{self, Registration};

/// How long the token is good.
const GOOD_MS: i64 = DAY_MS;
/// How many tokens may be on their way to one address, and in all: nobody's mailbox is flooded, and no disk.
const ON_THEIR_WAY: (i64, i64) = (3, 10_000);
/// The roles that an organization gives itself. Auditors see everything, so the registrar enters them.
pub const ROLES: [Role; 3] = [Role::RightsHolder, Role::Association, Role::AiDeveloper];

/// Mails a token with which the organization enters, if nobody signs in with the address; otherwise, that somebody does. The work
/// is done after the answer, which is the same where nothing is mailed: to an address that is mailed enough, or for a network that
/// asked for too many today.
///
/// # Errors
/// A fault at `/roles` for one that is not among [`ROLES`], or there twice; [`Failure::TooMany`].
pub fn request(
    registry: &Registry,
    name: String,
    roles: &[Role],
    email: &str,
    peer: IpAddr,
) -> Result<(), Failure> {
    let is_fine = |(at, role): (usize, &Role)| {
        ROLES.contains(role) && !roles.iter().take(at).any(|other| other == role)
    };
    if !roles.iter().enumerate().all(is_fine) {
        let detail =
            "an organization enters itself as `rights_holder`, `association` or `ai_developer`, each once";
        return Err(Failure::fault("/roles", "invalid_value", detail));
    }
    let throttle = &registry.desk().throttle;
    throttle.admit(peer, Some(&email_key(email)))?;
    if !throttle.admits_registration(peer) {
        tracing::info!(target: "kyodaku::sign_in", "a registration was not mailed: its network asked for too many today");
        return Ok(());
    }
    let roles: Vec<&str> = roles.iter().map(|role| role_name(*role)).collect();
    let row = Registration { email: email.to_owned(), name, roles: roles.join(" ") };
    let registry = registry.clone();
    tokio::spawn(async move {
        if let Err(error) = mail(&registry, row).await {
            tracing::warn!(target: "kyodaku::sign_in", %error, "a registration was not mailed");
        }
    });
    Ok(())
}

async fn mail(registry: &Registry, row: Registration) -> Result<(), Failure> {
    let (token, now_ms) = (MailedToken::new(), registry.clock().now_ms());
    let expires_ms = now_ms.saturating_add(GOOD_MS);
    let known = logins::by_email(registry.db(), &row.email).await?.is_some();
    let letter = if known {
        Letter::Known
    } else {
        Letter::Registration { token: &token.expose(), until: &moment(expires_ms) }
    };
    let letter = letters::letter(&letter, &row.email, &registry.desk().public_url, &row.name);
    let mail = registry.desk().mailer.prepare(&letter)?;
    let db = registry.db().clone();
    detached(async move {
        let mut tx = db.begin().await?;
        // A known address takes a slot too, under a token that nobody has: it is mailed no more than others.
        if registrations::insert(&mut tx, &token.hash(), &row, (now_ms, expires_ms), ON_THEIR_WAY).await? {
            tx.commit().await?;
            mail.send();
        }
        Ok(())
    })
    .await
}

/// Registers the organization that waits for this token, with its first person, who manages it and signs in with the address and
/// this password. The token is spent.
///
/// # Errors
/// [`Failure::NotYou`] for a token that is unknown, spent or over; a fault at `/password` when that is not good enough, which does
/// not spend the token; [`Failure::Conflict`] when somebody signs in with the address.
pub async fn complete(
    registry: &Registry,
    token: &str,
    password: Password,
    peer: IpAddr,
) -> Result<(PersonId, OrgId), Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, None)?;
    let token_hash = MailedToken::read(token).ok_or(Failure::NotYou(SPENT))?.hash();
    let now_ms = registry.clock().now_ms();
    let row = registrations::find(registry.db(), &token_hash, now_ms).await?.ok_or(Failure::NotYou(SPENT))?;
    refuse_bad(&password, &row.email, &row.name, "/password")?;
    if logins::by_email(registry.db(), &row.email).await?.is_some() {
        return Err(Failure::Conflict("somebody signs in with this address already".to_owned()));
    }
    let password = desk.passwords.hash(password).await?;
    let org = OrgId::new(registry.clock().new_uuid());
    let words: Vec<&str> = row.roles.split(' ').collect();
    let roles: Vec<Role> = ROLES.into_iter().filter(|role| words.contains(&role_name(*role))).collect();
    let first = NewPerson { label: "first".to_owned(), role: PersonRole::Admin, key: None };
    let made = make_person(registry, org, Scopes::of_roles(Roles::of(&roles)), &first)?;
    let person = made.person;
    let login = Login {
        person: person.to_string(),
        org: org.to_string(),
        email: row.email,
        password,
        changed_ms: now_ms,
    };
    let mut accounts = made.changes();
    accounts.push(AccountChange::Enter { token_hash, login });
    let party = registry.installation();
    let submission = Submission {
        party: party.ok_or_else(|| Failure::Unavailable("the log is empty".to_owned()))?,
        on_behalf_of: None,
        by: Vec::new(),
        acts: vec![
            (OrgRegistered { org, roles }.into(), Some(Payload::Org { name: row.name })),
            (PersonAdded { person, org }.into(), None),
        ],
        once: None,
        body: Body::none(),
        accounts,
        unchanged: None,
    };
    registry.submit(submission).await?;
    Ok((person, org))
}
