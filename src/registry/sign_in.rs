//! People sign in: invitations, passwords, sessions.
//!
//! A sign-in is a session. It gives an access token for ten minutes and a refresh token, which is spent when it is used
//! and replaced by another of the same family (RFC 9700 section 4.14). Whoever shows a spent one, or steals and uses one
//! before its owner does, ends the session: two have the same token, and which of them is the thief can't be told.
//!
//! Nothing here tells whether somebody has an account: a wrong password and an unknown address get the same answer after
//! the same work, and asking for another password is always answered alike.

mod code;
mod credentials;
mod factor;
mod letters;
pub mod password;
mod provider;
pub mod registration;
mod seal;
mod secret;
pub mod single;
mod throttle;
pub mod token;
pub(super) mod token_keys;

use std::net::IpAddr;
use std::sync::OnceLock;

use serde::Serialize;

use factor::Right;
use password::{Password, Passwords};
use provider::Provider;
use seal::Sealer;
use secret::RefreshToken;
use single::Entrance;
use throttle::Throttle;
use token::{Bearer, LIFE_S, Tokens};

use super::accounts::detached;
use super::answer::moment;
use super::authority::{Actor, CredentialId, Scope};
use super::failure::Failure;
use super::keys::{KeyName, Pair, SigningKeyError};
use super::mail::{MailError, Mailer};
use super::node::{Registry, Settings};
use super::trail::{Event, Trail};
use crate::clock::Clock;
use crate::domain::ids::{OrgId, PersonId, SessionId};
use crate::store::StoreError;
use crate::store::logins::{self, Login};
use crate::store::sessions::{self, Ended, Family, NewSession};
use crate::store::{Tx, registrations, second_factors, sign_ins, tokens};

pub use credentials::{change_password, invite, request_reset, set_password};
pub use factor::{Offered, confirm as confirm_factor, offer as offer_factor, remove as remove_factor};
pub use provider::{ProviderError, ProviderSettings};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a session lives without being refreshed.
const IDLE_MS: i64 = 14 * DAY_MS;
/// How long it lives at most.
const LONGEST_MS: i64 = 90 * DAY_MS;
/// How much of what a client calls itself is kept.
const CLIENT_CHARS: usize = 200;

const WRONG: &str = "the address or the password is wrong";
const WRONG_CODE: &str = "the code is wrong, or was used before";
const SPENT: &str = "the token is unknown, spent or over: ask for another";

/// What signing in needs, one for each process.
#[derive(Debug)]
pub(super) struct Desk {
    passwords: Passwords,
    tokens: Tokens,
    throttle: Throttle,
    sealer: Sealer,
    mailer: Mailer,
    public_url: String,
    provider: OnceLock<Provider>,
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
    pub(super) fn open(settings: &Settings, signing: &Pair, clock: &Clock) -> Result<Self, DeskError> {
        let sealing = settings.key(KeyName::Sealing).seed()?;
        Ok(Self {
            passwords: Passwords::default(),
            tokens: Tokens::new(&settings.mail.public_url, &signing.current, signing.next.as_ref())
                .ok_or(DeskError::Unusable)?,
            throttle: Throttle::new(clock),
            sealer: Sealer::new(&sealing),
            mailer: Mailer::open(&settings.mail.url, &settings.mail.sender)?,
            public_url: settings.mail.public_url.clone(),
            provider: OnceLock::new(),
        })
    }

    /// Access tokens.
    pub(super) const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The provider through which people may sign in too.
    fn provider(&self) -> Option<&Provider> {
        self.provider.get()
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

/// What somebody shows to sign in.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// The address.
    pub email: &'a str,
    /// The password.
    pub password: Password,
    /// A code of the second factor, where there is one.
    pub code: Option<&'a str>,
}

/// Signs somebody in from `peer`, with a program that calls itself `client`.
///
/// # Errors
/// [`Failure::NotYou`] for a wrong password and an unknown address alike, and for a wrong code; [`Failure::CodeRequired`] when
/// the password is right and a code is missing; [`Failure::TooMany`].
pub async fn sign_in(
    registry: &Registry,
    shown: Shown<'_>,
    peer: IpAddr,
    client: &str,
) -> Result<SignedIn, Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, Some(&logins::email_key(shown.email)))?;
    let login = logins::by_email(registry.db(), shown.email).await?;
    let kept = login.as_ref().map(|login| login.password.clone());
    let is_right = desk.passwords.verify(kept, shown.password).await?;
    if !is_right {
        note_refusal(registry, "signIn", login.as_ref(), peer);
    }
    let login = login.filter(|_| is_right).ok_or(Failure::NotYou(WRONG))?;
    let right = factor::check(registry, &login.person, shown.code).await?;
    begin(registry, &login, Entry::Password(right), client).await
}

/// Lets the admins of whoever has the address see that somebody guesses.
fn note_refusal(registry: &Registry, operation: &'static str, login: Option<&Login>, peer: IpAddr) {
    let id = |login: &Login| Some((login.org.parse().ok()?, login.person.parse().ok()?));
    let (org, person) = login.and_then(id).unzip();
    let peer = Some(peer);
    registry.trail().note(Event { operation, status: 401, org, person, peer, ..Event::default() });
}

/// By what somebody comes in, with what was shown of a second factor.
enum Entry {
    Password(Option<Right>),
    Provider(Entrance, Option<Right>),
}

impl Entry {
    const fn right(&self) -> Option<Right> {
        match self {
            Self::Password(right) | Self::Provider(_, right) => *right,
        }
    }

    /// What somebody is told whose second factor was set up after it was asked for.
    const fn incomplete(&self) -> Failure {
        match self {
            Self::Password(_) => Failure::CodeRequired,
            // What the provider told is spent: the code comes with another.
            Self::Provider(..) => Failure::NotYou(single::OVER),
        }
    }

    /// What somebody is told who comes too late with it.
    const fn wrong(&self) -> &'static str {
        match self {
            Self::Password(_) => WRONG,
            Self::Provider(..) => single::OVER,
        }
    }

    /// Spends what can be spent once, but the code of the second factor; false if it was.
    async fn spend(&self, tx: &mut Tx, person: &str, now_ms: i64) -> Result<bool, StoreError> {
        match self {
            Self::Password(_) => Ok(true),
            Self::Provider(entrance, _) => entrance.spend(tx, person, now_ms).await,
        }
    }
}

async fn begin(registry: &Registry, login: &Login, entry: Entry, client: &str) -> Result<SignedIn, Failure> {
    let (now_ms, id) = (registry.clock().now_ms(), SessionId::new(registry.clock().new_uuid()));
    let refresh = RefreshToken::new();
    let row = NewSession {
        id: id.to_string(),
        person: login.person.clone(),
        org: login.org.clone(),
        family_hash: refresh.family_hash(),
        refresh_hash: refresh.own_hash(),
        client: client.chars().filter(|c| !c.is_control()).take(CLIENT_CHARS).collect(),
        factor: entry.right().is_some(),
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(IDLE_MS),
    };
    let (db, begun, password) = (registry.db().clone(), row.clone(), login.password.clone());
    let is_begun = detached(async move {
        let mut tx = db.begin().await?;
        // The password may have been changed, or the person removed, while this one was computed.
        if !logins::hold(&mut tx, &begun.person, &password).await? {
            return Ok(Err(Failure::NotYou(entry.wrong())));
        }
        if !entry.spend(&mut tx, &begun.person, now_ms).await? {
            return Ok(Err(Failure::NotYou(entry.wrong())));
        }
        // One that is confirmed meanwhile ends the sessions that began without; this one must not begin after that.
        if entry.right().is_none() && second_factors::has_one(&mut tx, &begun.person).await? {
            return Ok(Err(entry.incomplete()));
        }
        if let Some(right) = entry.right()
            && !right.spend(&mut tx, &begun.person, now_ms).await?
        {
            return Ok(Err(Failure::NotYou(WRONG_CODE)));
        }
        sessions::insert(&mut tx, &begun).await?;
        tx.commit().await?;
        Ok(Ok(()))
    });
    is_begun.await??;
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
    let trail = registry.trail().clone();
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
                note_reuse(&trail, &family, peer);
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

/// Lets the admins see that two had the same token.
fn note_reuse(trail: &Trail, family: &Family, peer: IpAddr) {
    trail.note(Event {
        operation: "refreshSession",
        status: 401,
        org: family.org.parse().ok(),
        person: family.person.parse().ok(),
        credential: Some(family.id.clone()),
        peer: Some(peer),
        request: None,
        inquiry: None,
    });
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
    let bearer = Bearer::Session(session, person);
    let token = registry.tokens().issue(registry.clock(), &bearer, organization, i64::MAX);
    Ok(SignedIn {
        session,
        person,
        organization,
        access_token: token.ok_or_else(|| Failure::Unavailable("no token can be signed".to_owned()))?.0,
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

/// A key that is for something else sees no sessions, and ends none.
fn may_see_sessions(actor: &Actor) -> Result<(), Failure> {
    let is_session = matches!(actor.credential(), CredentialId::Session(_));
    if is_session || actor.scopes().holds(Scope::Organization) {
        return Ok(());
    }
    Err(Failure::Forbidden("your key lacks the scope `organization`: use another, or sign in".to_owned()))
}

/// The caller's live sessions, oldest first; there are few.
pub async fn list(registry: &Registry, actor: &Actor) -> Result<Vec<SessionView>, Failure> {
    may_see_sessions(actor)?;
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
    may_see_sessions(actor)?;
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

impl Registry {
    /// Seals a place in a list in which not everything is told: whoever turns its pages does not learn between what they end.
    pub fn seal_place(&self, place: &str, list: &str) -> Option<Vec<u8>> {
        self.desk().sealer.seal(place.as_bytes(), list)
    }

    /// A place that was sealed for this list.
    pub fn open_place(&self, sealed: &[u8], list: &str) -> Option<String> {
        String::from_utf8(self.desk().sealer.open(sealed, list)?).ok()
    }
}

impl Registry {
    /// Lets people sign in through this provider too, once; false when there is one.
    ///
    /// # Errors
    /// [`ProviderError`] for settings that can't serve. Whether it answers is not asked.
    pub fn sign_in_through(&self, settings: ProviderSettings) -> Result<bool, ProviderError> {
        Ok(self.desk().provider.set(Provider::new(settings, self.clock())?).is_ok())
    }

    /// Deletes sessions and mailed tokens whose time has been up for 30 days, and what ended or used up tokens that are over
    /// anyway since a day; how many.
    pub async fn purge_sign_ins(&self) -> Result<u64, StoreError> {
        let now_ms = self.clock().now_ms();
        let before_ms = now_ms.saturating_sub(30 * DAY_MS);
        let mut tx = self.db().begin().await?;
        let purged = logins::purge_links(&mut tx, before_ms).await?
            + sessions::purge(&mut tx, before_ms).await?
            + registrations::purge(&mut tx, now_ms).await?
            + sign_ins::purge(&mut tx, now_ms).await?
            + tokens::purge(&mut tx, now_ms.saturating_sub(DAY_MS)).await?;
        tx.commit().await?;
        Ok(purged)
    }
}
