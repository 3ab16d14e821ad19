//! People sign in: invitations, passwords, sessions.
//!
//! A sign-in is a session. It gives an access token for ten minutes and a refresh token, which is spent when it is used
//! and replaced by another of the same family (RFC 9700 section 4.14). Whoever shows a spent one, or steals and uses one
//! before its owner does, ends the session: two have the same token, and which of them is the thief can't be told.
//!
//! Nothing here tells whether somebody has an account: a wrong password and an unknown address get the same answer after
//! the same work, and asking for another password is always answered alike.

mod letters;
pub mod password;
mod secret;
mod throttle;
pub mod token;

use std::net::IpAddr;

use serde::Serialize;

use password::{Password, Passwords};
use secret::{MailedToken, RefreshToken};
use throttle::Throttle;
use token::{LIFE_S, Tokens};

use super::accounts::{before, detached, manages};
use super::answer::{keep, moment};
use super::authority::{Actor, CredentialId, Proof, Verified};
use super::failure::Failure;
use super::keys::{SigningKeyError, seed};
use super::mail::{MailError, Mailer};
use super::node::{Registry, Settings};
use super::sequencer::{Once, Submitted};
use crate::clock::Clock;
use crate::domain::ids::{OrgId, PersonId, SessionId};
use crate::store::logins::{self, Login, MailLink, Purpose};
use crate::store::sessions::{self, Ended, NewSession};
use crate::store::{StoreError, accounts, catalogue, idempotency};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a session lives without being refreshed.
const IDLE_MS: i64 = 14 * DAY_MS;
/// How long it lives at most.
const LONGEST_MS: i64 = 90 * DAY_MS;
/// How long an invitation is good.
const INVITATION_MS: i64 = 7 * DAY_MS;
/// How long a mailed reset is good.
const RESET_MS: i64 = 60 * 60 * 1_000;
/// How many resets of one person may be on their way: nobody's mailbox is flooded.
const RESETS: i64 = 3;
/// How much of what a client calls itself is kept.
const CLIENT_CHARS: usize = 200;

const WRONG: &str = "the address or the password is wrong";
const SPENT: &str = "the token is unknown, spent or over: ask for another";

/// What signing in needs, one for each process.
#[derive(Debug)]
pub(super) struct Desk {
    passwords: Passwords,
    tokens: Tokens,
    throttle: Throttle,
    mailer: Mailer,
    public_url: String,
}

/// Why nobody can sign in.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The key that signs access tokens.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// Mail.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The key that signs access tokens can't be used.
    #[error("the key of the access tokens can't be used")]
    Unusable,
}

impl Desk {
    pub(super) fn open(settings: &Settings, clock: &Clock) -> Result<Self, DeskError> {
        let seed = seed(&settings.data_dir.join("token.key"))?;
        Ok(Self {
            passwords: Passwords::default(),
            tokens: Tokens::new(&settings.origin, &seed).ok_or(DeskError::Unusable)?,
            throttle: Throttle::new(clock),
            mailer: Mailer::open(&settings.mail.url, &settings.mail.sender)?,
            public_url: settings.mail.public_url.clone(),
        })
    }

    /// The session that an access token names, and its person, if the token is good.
    pub(super) fn read_token(&self, text: &str, now_ms: i64) -> Option<(SessionId, PersonId)> {
        self.tokens.read(text, now_ms)
    }
}

/// What signing in, and staying so, is answered.
#[derive(Clone, Serialize)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Who.
    pub person: PersonId,
    /// For which organization.
    pub organization: OrgId,
    /// For the header `Authorization`.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// For how many seconds the access token is good.
    pub expires_in: i64,
    /// For the next access token, once.
    pub refresh_token: String,
    /// Until when.
    pub refresh_expires: String,
}

/// Signs somebody in from `peer`, with a program that calls itself `client`.
///
/// # Errors
/// [`Failure::NotYou`] for a wrong password and an unknown address alike, [`Failure::TooMany`].
pub async fn sign_in(
    registry: &Registry,
    email: &str,
    password: Password,
    peer: IpAddr,
    client: &str,
) -> Result<SignedIn, Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, Some(&logins::email_key(email)))?;
    let login = logins::by_email(registry.db(), email).await?;
    let kept = login.as_ref().map(|login| login.password.clone());
    let is_right = desk.passwords.verify(kept, password).await?;
    let login = login.filter(|_| is_right).ok_or(Failure::NotYou(WRONG))?;
    begin(registry, &login, client).await
}

async fn begin(registry: &Registry, login: &Login, client: &str) -> Result<SignedIn, Failure> {
    let (now_ms, id) = (registry.clock().now_ms(), SessionId::new(registry.clock().new_uuid()));
    let refresh = RefreshToken::new();
    let row = NewSession {
        id: id.to_string(),
        person: login.person.clone(),
        org: login.org.clone(),
        family_hash: refresh.family_hash(),
        refresh_hash: refresh.own_hash(),
        client: client.chars().filter(|c| !c.is_control()).take(CLIENT_CHARS).collect(),
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(IDLE_MS),
    };
    let (db, begun, password) = (registry.db().clone(), row.clone(), login.password.clone());
    let is_begun = detached(async move {
        let mut tx = db.begin().await?;
        // The password may have been changed, or the person removed, while this one was computed.
        if !logins::hold(&mut tx, &begun.person, &password).await? {
            return Ok(false);
        }
        sessions::insert(&mut tx, &begun).await?;
        tx.commit().await?;
        Ok(true)
    });
    if !is_begun.await? {
        return Err(Failure::NotYou(WRONG));
    }
    tell(registry, id, (&row.person, &row.org), &refresh, row.expires_ms)
}

/// Replaces a refresh token, which is spent with it.
///
/// # Errors
/// [`Failure::NotYou`] for a token that is unknown, over or spent; the session of a spent one ends.
pub async fn refresh(registry: &Registry, token: &str, peer: IpAddr) -> Result<SignedIn, Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, None)?;
    let token = RefreshToken::read(token).ok_or(Failure::NotYou(SPENT))?;
    let (next, now_ms, db) = (token.next(), registry.clock().now_ms(), registry.db().clone());
    let rotated = {
        let next = next.clone();
        detached(async move {
            let mut tx = db.begin().await?;
            let Some(family) = sessions::family(&mut tx, &token.family_hash(), now_ms).await? else {
                return Ok(None);
            };
            if family.refresh_hash != token.own_hash() {
                sessions::end(&mut tx, &family.id, &family.person, Ended::Reused, now_ms).await?;
                tx.commit().await?;
                tracing::warn!(target: "kyodaku::sign_in", session = family.id, person = family.person,
                    "a spent refresh token was used: the session is ended");
                return Ok(None);
            }
            let expires_ms = now_ms.saturating_add(IDLE_MS).min(family.created_ms.saturating_add(LONGEST_MS));
            sessions::rotate(&mut tx, &family.id, &next.own_hash(), now_ms, expires_ms).await?;
            tx.commit().await?;
            Ok(Some((family, expires_ms)))
        })
    };
    let (family, expires_ms) = rotated.await?.ok_or(Failure::NotYou(SPENT))?;
    let id = family.id.parse().map_err(|_| corrupt("session", &family.id))?;
    tell(registry, id, (&family.person, &family.org), &next, expires_ms)
}

fn tell(
    registry: &Registry,
    session: SessionId,
    (person, org): (&str, &str),
    refresh: &RefreshToken,
    expires_ms: i64,
) -> Result<SignedIn, Failure> {
    let person: PersonId = person.parse().map_err(|_| corrupt("person", person))?;
    let organization: OrgId = org.parse().map_err(|_| corrupt("organization", org))?;
    let token = registry.desk().tokens.issue(registry.clock(), session, person, organization);
    Ok(SignedIn {
        session,
        person,
        organization,
        access_token: token.ok_or_else(|| Failure::Unavailable("no token can be signed".to_owned()))?,
        token_type: "Bearer",
        expires_in: LIFE_S,
        refresh_token: refresh.expose(),
        refresh_expires: moment(expires_ms),
    })
}

fn corrupt(what: &str, id: &str) -> Failure {
    StoreError::Corrupt(format!("the {what} `{id}` is not one")).into()
}

/// A session as its person sees it.
#[derive(Clone, Debug, Serialize)]
pub struct SessionView {
    /// Its id.
    pub session: String,
    /// What the program called itself.
    pub client: String,
    /// When it began.
    pub created: String,
    /// When it was last refreshed.
    pub refreshed: String,
    /// Until when it lives, unless it is refreshed.
    pub expires: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The caller's live sessions, oldest first; there are few.
pub async fn list(registry: &Registry, actor: &Actor) -> Result<Vec<SessionView>, Failure> {
    let rows = sessions::list(registry.db(), &actor.person().to_string(), registry.clock().now_ms()).await?;
    let own = actor.credential().to_string();
    let view = |row: sessions::Session| SessionView {
        current: row.id == own,
        session: row.id,
        client: row.client,
        created: moment(row.created_ms),
        refreshed: moment(row.refreshed_ms),
        expires: moment(row.expires_ms),
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Ends one of the caller's sessions, at once. One that has ended stays so.
pub async fn end(registry: &Registry, actor: &Actor, session: SessionId) -> Result<(), Failure> {
    let (db, person, now_ms) = (registry.db().clone(), actor.person().to_string(), registry.clock().now_ms());
    let is_ended = detached(async move {
        let mut tx = db.begin().await?;
        let id = session.to_string();
        let ended = sessions::end(&mut tx, &id, &person, Ended::SignedOut, now_ms).await?;
        let known = ended || sessions::is_of(&mut tx, &id, &person).await?;
        tx.commit().await?;
        Ok(known)
    });
    if is_ended.await? { Ok(()) } else { Err(Failure::NotFound) }
}

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
    let CredentialId::Session(session) = actor.credential() else {
        return Err(Failure::Forbidden("sign in to change your password: an API key can't".to_owned()));
    };
    let (desk, person) = (registry.desk(), actor.person().to_string());
    desk.throttle.admit(peer, Some(&person))?;
    let login = logins::of_person(registry.db(), &person).await?.ok_or(Failure::NotFound)?;
    if !desk.passwords.verify(Some(login.password.clone()), current).await? {
        return Err(Failure::fault("/current", "wrong_password", "is not your password"));
    }
    refuse_bad(registry, &new, &login.email, &login.org, "/new").await?;
    let (db, hash, now_ms) =
        (registry.db().clone(), desk.passwords.hash(new).await?, registry.clock().now_ms());
    let is_changed = detached(async move {
        let mut tx = db.begin().await?;
        if !logins::hold(&mut tx, &login.person, &login.password).await? {
            return Ok(false);
        }
        logins::put(&mut tx, &login.person, &login.email, &hash, now_ms).await?;
        logins::spend_links_of(&mut tx, &login.person, now_ms).await?;
        let except = session.to_string();
        sessions::end_of_person(&mut tx, &login.person, Some(&except), Ended::Password, now_ms).await?;
        tx.commit().await?;
        Ok(true)
    });
    if is_changed.await? {
        Ok(())
    } else {
        Err(Failure::Conflict("your password was changed meanwhile: sign in again".to_owned()))
    }
}

async fn refuse_bad(
    registry: &Registry,
    new: &Password,
    email: &str,
    org: &str,
    pointer: &'static str,
) -> Result<(), Failure> {
    let name = name_of(registry, org).await?;
    match new.fault(&[email, &name]) {
        Some((code, detail)) => Err(Failure::fault(pointer, code, detail)),
        None => Ok(()),
    }
}

async fn name_of(registry: &Registry, org: &str) -> Result<String, Failure> {
    let row = catalogue::org(registry.db(), org).await?;
    Ok(row.and_then(|row| row.name).unwrap_or_default())
}

/// Invites a person, who has no password yet, by mail. Whoever manages the organization may; an earlier invitation of the
/// person is void with it.
///
/// # Errors
/// [`Failure::Conflict`] for a person who has a password: it can be reset.
pub async fn invite(
    registry: &Registry,
    by: &Verified,
    person: PersonId,
    email: &str,
    once: Once,
) -> Result<Submitted, Failure> {
    let row = accounts::person(registry.db(), &person.to_string()).await?;
    let row = row.filter(|row| row.removed_ms.is_none()).ok_or(Failure::NotFound)?;
    manages(by.actor(), row.org.parse().map_err(|_| corrupt("organization", &row.org))?)?;
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
    let answer = idempotency::Answer {
        operation: once.operation.to_owned(),
        body_digest: once.digest,
        status: 202,
        response: body.clone(),
        at_ms: now_ms,
    };
    let mail = letter(registry, &link, &row.org, &token).await?;
    let (db, org) = (registry.db().clone(), by.actor().org());
    let invited = detached(async move {
        let mut tx = db.begin().await?;
        if let Some(before) = before(&mut tx, org, &once, now_ms).await? {
            return Ok(Some((before, false)));
        }
        if !logins::invite(&mut tx, &link).await? {
            return Ok(None);
        }
        idempotency::insert(&mut tx, &org.to_string(), &once.key, &answer).await?;
        tx.commit().await?;
        Ok(Some((Ok(Submitted { recorded: None, status: 202, body }), true)))
    });
    let has_password =
        || Failure::Conflict(format!("`{person}` has a password: it can be reset, not given again"));
    let (submitted, is_new) = invited.await?.ok_or_else(has_password)?;
    if is_new {
        registry.desk().mailer.send(&mail)?;
    }
    Ok(submitted?)
}

async fn letter(
    registry: &Registry,
    link: &MailLink,
    org: &str,
    token: &MailedToken,
) -> Result<super::mail::Mail, Failure> {
    let name = name_of(registry, org).await?;
    let (service, until) = (&registry.desk().public_url, moment(link.expires_ms));
    Ok(letters::letter(link.purpose, &link.email, service, &name, &token.expose(), &until))
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
    let mail = letter(registry, &link, &login.org, &token).await?;
    let db = registry.db().clone();
    let is_new = detached(async move {
        let mut tx = db.begin().await?;
        let is_new = logins::ask_reset(&mut tx, &link, RESETS).await?;
        tx.commit().await?;
        Ok(is_new)
    });
    if is_new.await? { registry.desk().mailer.send(&mail) } else { Ok(()) }
}

/// Sets the password of whoever was mailed this token, and ends all sessions of that person. The token is spent.
///
/// # Errors
/// [`Failure::NotYou`] for a token that is unknown, spent or over; a fault at `/password` when that is not good enough,
/// which does not spend the token; [`Failure::Conflict`] when somebody else signs in with the address.
pub async fn set_password(
    registry: &Registry,
    token: &str,
    password: Password,
    peer: IpAddr,
) -> Result<PersonId, Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, None)?;
    let token = MailedToken::read(token).ok_or(Failure::NotYou(SPENT))?;
    let now_ms = registry.clock().now_ms();
    let link = logins::link(registry.db(), &token.hash(), now_ms).await?.ok_or(Failure::NotYou(SPENT))?;
    refuse_bad(registry, &password, &link.email, &link.org, "/password").await?;
    let (db, hash) = (registry.db().clone(), desk.passwords.hash(password).await?);
    let person = link.person.parse().map_err(|_| corrupt("person", &link.person))?;
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
        tx.commit().await?;
        Ok(Ok(()))
    });
    set.await??;
    Ok(person)
}

impl Registry {
    /// Deletes sessions and mailed tokens whose time has been up for 30 days; how many.
    pub async fn purge_sign_ins(&self) -> Result<u64, StoreError> {
        let before_ms = self.clock().now_ms().saturating_sub(30 * DAY_MS);
        let mut tx = self.db().begin().await?;
        let purged =
            logins::purge_links(&mut tx, before_ms).await? + sessions::purge(&mut tx, before_ms).await?;
        tx.commit().await?;
        Ok(purged)
    }
}
