//! How people get a password, change it, and get another one.

use std::net::IpAddr;

use super::factor::{proved, session_of};
use super::letters::{self, Letter};
use super::password::Password;
use super::secret::MailedToken;
use super::{DAY_MS, SPENT, corrupt};
use crate::domain::ids::{OrgId, PersonId};
use crate::registry::accounts::{before, detached, manages};
use crate::registry::answer::{keep, moment};
use crate::registry::authority::{Actor, PersonRole, Proof, Scopes, State, Verified};
use crate::registry::failure::Failure;
use crate::registry::four_eyes::refuse_alone;
use crate::registry::lasting::refuse_token;
use crate::registry::mail::Mail;
use crate::registry::node::Registry;
use crate::registry::sequencer::{Once, Submitted};
use crate::registry::trail::Event;
use crate::store::logins::{self, MailLink, Purpose};
use crate::store::sessions::{self, Ended};
use crate::store::{accounts, catalogue, idempotency, identities};

/// How long an invitation is good.
const INVITATION_MS: i64 = 7 * DAY_MS;
/// How long a mailed reset is good.
const RESET_MS: i64 = 60 * 60 * 1_000;
/// How many resets of one person may be on their way: nobody's mailbox is flooded.
const RESETS: i64 = 3;

/// Changes the caller's password, and ends all other sessions of the caller. Only who signed in may: an API key that was
/// stolen must not become a password.
///
/// # Errors
/// [`Failure::Forbidden`] for an API key, a fault at `/current` when that is wrong, at `/new` when that is not good enough.
pub async fn change_password(
    registry: &Registry,
    actor: &Actor,
    current: Password,
    new: Password,
    peer: IpAddr,
) -> Result<(), Failure> {
    let session = session_of(actor)?.to_string();
    let login = proved(registry, actor, current, "/current", peer).await?;
    refuse_bad(&new, &login.email, &name_of(registry, &login.org).await?, "/new")?;
    let (db, hash, now_ms) =
        (registry.db().clone(), registry.desk().passwords.hash(new).await?, registry.clock().now_ms());
    let is_changed = detached(async move {
        let mut tx = db.begin().await?;
        if !logins::hold(&mut tx, &login.person, &login.password).await? {
            return Ok(false);
        }
        logins::put(&mut tx, &login.person, &login.email, &hash, now_ms).await?;
        logins::spend_links_of(&mut tx, &login.person, now_ms).await?;
        sessions::end_of_person(&mut tx, &login.person, Some(&session), Ended::Password, now_ms).await?;
        tx.commit().await?;
        Ok(true)
    });
    if is_changed.await? {
        Ok(())
    } else {
        Err(Failure::Conflict("your password was changed meanwhile: sign in again".to_owned()))
    }
}

/// Refuses a password that is easy to guess for one with this address, at an organization of this name.
pub(super) fn refuse_bad(
    new: &Password,
    email: &str,
    organization: &str,
    pointer: &'static str,
) -> Result<(), Failure> {
    match new.fault(&[email, organization]) {
        Some((code, detail)) => Err(Failure::fault(pointer, code, detail)),
        None => Ok(()),
    }
}

async fn name_of(registry: &Registry, org: &str) -> Result<String, Failure> {
    let row = catalogue::org(registry.db(), org).await?;
    Ok(row.and_then(|row| row.name).unwrap_or_default())
}

/// Invites a person, who has no password yet, by mail: oneself, as an admin a colleague, as the registrar the first person of an
/// organization that nobody has access to yet. An earlier invitation of the person is void with it.
///
/// # Errors
/// [`Failure::Conflict`] for a person who has a password: it can be reset. [`Failure::Forbidden`] for the token of a program, and for
/// the registrar where somebody has, or had, access: whoever reads the mail can act as the organization.
pub async fn invite(
    registry: &Registry,
    by: &Verified,
    person: PersonId,
    email: &str,
    once: Once,
) -> Result<Submitted, Failure> {
    let actor = by.actor();
    refuse_token(actor, "invites nobody")?;
    let row = accounts::person(registry.db(), &person.to_string()).await?;
    let row = row.filter(|row| row.removed_ms.is_none()).ok_or(Failure::NotFound)?;
    let of: OrgId = row.org.parse().map_err(|_| corrupt("organization", &row.org))?;
    if person != actor.person() {
        manages(actor, of)?;
        refuse_alone(registry, actor, of).await?;
    }
    // Whoever reads the mail may all that the person may: nobody gets there with a key for a part of it.
    let known = registry.read(|now| State::of(now, of)).await?;
    let (_, roles) = known.ok_or(Failure::NotFound)?;
    let role = PersonRole::from_stored(&row.role).scopes();
    let needed =
        if of == actor.org() { role.and(Scopes::of_roles(roles)) } else { Scopes::of_roles(actor.roles()) };
    if !actor.scopes().hold(needed) {
        let why = "your key has not all the scopes that the person has who is invited: use a key with all, or sign in";
        return Err(Failure::Forbidden(why.to_owned()));
    }
    let (token, now_ms) = (MailedToken::new(), registry.clock().now_ms());
    let link = MailLink {
        token_hash: token.hash(),
        person: row.person.clone(),
        purpose: Purpose::Invitation,
        email: email.to_owned(),
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(INVITATION_MS),
    };
    let told = serde_json::json!({ "person": row.person, "expires": moment(link.expires_ms) });
    let body = keep(None, None, &told);
    let answer = once.answered(202, body.clone(), now_ms);
    // What can't be mailed is not recorded as mailed.
    let mail = registry.desk().mailer.prepare(&letter(registry, &link, &row.org, &token).await?)?;
    let (db, org, is_outsider) = (registry.db().clone(), actor.org(), of != actor.org());
    let invited = detached(async move {
        let mut tx = db.begin().await?;
        if let Some(before) = before(&mut tx, org, &once, now_ms).await? {
            return Ok(before.map_err(Failure::from));
        }
        if is_outsider && accounts::had_access(&mut tx, &row.org).await? {
            let why = "somebody has, or had, access to the organization: one of its admins invites";
            return Ok(Err(Failure::Forbidden(why.to_owned())));
        }
        if !logins::invite(&mut tx, &link).await? {
            let why = format!("`{person}` has a password: it can be reset, not given again");
            return Ok(Err(Failure::Conflict(why)));
        }
        idempotency::insert(&mut tx, &org.to_string(), &once.key, &answer).await?;
        tx.commit().await?;
        mail.send();
        Ok(Ok(Submitted { recorded: None, status: 202, body }))
    });
    invited.await?
}

async fn letter(
    registry: &Registry,
    link: &MailLink,
    org: &str,
    token: &MailedToken,
) -> Result<Mail, Failure> {
    let name = name_of(registry, org).await?;
    let (token, until) = (&token.expose(), &moment(link.expires_ms));
    let letter = match link.purpose {
        Purpose::Invitation => Letter::Invitation { token, until },
        Purpose::Reset => Letter::Reset { token, until },
    };
    Ok(letters::letter(&letter, &link.email, &registry.desk().public_url, &name))
}

/// Asks for another password by mail. The answer is the same whether anybody has the address; the work is done after it.
pub fn request_reset(registry: &Registry, email: &str, peer: IpAddr) -> Result<(), Failure> {
    registry.desk().throttle.admit(peer, Some(&logins::email_key(email)))?;
    let (registry, email) = (registry.clone(), email.to_owned());
    tokio::spawn(async move {
        if let Err(error) = mail_reset(&registry, &email).await {
            tracing::warn!(target: "kyodaku::sign_in", %error, "a reset of a password was not mailed");
        }
    });
    Ok(())
}

async fn mail_reset(registry: &Registry, email: &str) -> Result<(), Failure> {
    let Some(login) = logins::by_email(registry.db(), email).await? else { return Ok(()) };
    let (token, now_ms) = (MailedToken::new(), registry.clock().now_ms());
    let link = MailLink {
        token_hash: token.hash(),
        person: login.person,
        purpose: Purpose::Reset,
        // To the address that was confirmed, never to what somebody typed.
        email: login.email,
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(RESET_MS),
    };
    let mail = registry.desk().mailer.prepare(&letter(registry, &link, &login.org, &token).await?)?;
    let db = registry.db().clone();
    detached(async move {
        let mut tx = db.begin().await?;
        if logins::ask_reset(&mut tx, &link, RESETS).await? {
            tx.commit().await?;
            mail.send();
        }
        Ok(())
    })
    .await
}

/// Sets the password of whoever was mailed this token, ends all sessions of that person, and forgets who that is to providers:
/// whoever had the password before could have linked itself. An account whose address, as the provider says, is the person's is
/// linked again when it signs in. The token is spent.
///
/// # Errors
/// [`Failure::NotYou`] for a token that is unknown, spent or over; a fault at `/password` when that is not good enough,
/// which does not spend the token; [`Failure::Conflict`] when somebody else signs in with the address.
pub async fn set_password(
    registry: &Registry,
    token: &str,
    password: Password,
    peer: IpAddr,
) -> Result<(PersonId, OrgId), Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, None)?;
    let token = MailedToken::read(token).ok_or(Failure::NotYou(SPENT))?;
    let now_ms = registry.clock().now_ms();
    let link = logins::link(registry.db(), &token.hash(), now_ms).await?.ok_or(Failure::NotYou(SPENT))?;
    refuse_bad(&password, &link.email, &name_of(registry, &link.org).await?, "/password")?;
    let (db, hash) = (registry.db().clone(), desk.passwords.hash(password).await?);
    let person = link.person.parse().map_err(|_| corrupt("person", &link.person))?;
    let org = link.org.parse().map_err(|_| corrupt("organization", &link.org))?;
    let set = detached(async move {
        let mut tx = db.begin().await?;
        if !logins::spend_link(&mut tx, &token.hash(), now_ms).await? {
            return Ok(Err(Failure::NotYou(SPENT)));
        }
        if !logins::put(&mut tx, &link.person, &link.email, &hash, now_ms).await? {
            let detail = "somebody else signs in with this address: ask for an invitation to another one";
            return Ok(Err(Failure::Conflict(detail.to_owned())));
        }
        logins::spend_links_of(&mut tx, &link.person, now_ms).await?;
        sessions::end_of_person(&mut tx, &link.person, None, Ended::Password, now_ms).await?;
        let forgotten = identities::forget_of_person(&mut tx, &link.person).await?;
        tx.commit().await?;
        Ok(Ok(forgotten))
    });
    if set.await?? > 0 {
        let (org, person, peer) = (Some(org), Some(person), Some(peer));
        let operation = "removeIdentity";
        registry.trail().note(Event { operation, status: 204, org, person, peer, ..Event::default() });
    }
    Ok((person, org))
}
