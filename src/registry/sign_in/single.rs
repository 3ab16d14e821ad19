//! Single sign-on: people sign in through a provider of OpenID Connect, if the settings name one.
//!
//! A program begins, sends the person to the provider, and ends with what the provider sent back. Only the program that
//! began can end it: it keeps a secret that goes nowhere else. What the provider says leads to a person who is known
//! here, by its name for the person, or the first time by an address that it says is the person's and with which the person
//! signs in here. Nobody is made by it, and nobody gets in who would not with the password: the second factor is asked
//! for all the same.

use std::net::IpAddr;

use serde::Serialize;

use super::factor::{self, proved, session_of};
use super::password::Password;
use super::provider::{Begun, Known};
use super::secret::{SignInToken, hash, part};
use super::{Entry, SignedIn, corrupt, may_see_sessions, note_refusal};
use crate::domain::ids::{IdentityId, OrgId, PersonId};
use crate::domain::index::records::OrgRef;
use crate::registry::accounts::detached;
use crate::registry::answer::moment;
use crate::registry::authority::{Actor, State};
use crate::registry::failure::Failure;
use crate::registry::node::Registry;
use crate::registry::sequencer::SubmitError;
use crate::store::identities::{self, Identity};
use crate::store::logins::{self, Login};
use crate::store::sessions::{self, Ended};
use crate::store::sign_ins::{self, NewSignIn, Told};
use crate::store::{StoreError, Tx};

/// How long somebody may take to come back from the provider.
const LIFE_MS: i64 = 10 * 60 * 1_000;
/// How many may be on their way.
const MOST: i64 = 10_000;
/// The most characters of an address (RFC 5321).
const MOST_EMAIL: usize = 254;

pub(super) const OVER: &str = "the sign-in is unknown, spent or over: begin another";
/// The same for everybody who is not let in, known or not.
const NOBODY: &str =
    "nobody can sign in here with what the provider says: sign in with your password, or ask an admin";

/// A sign-in that has begun.
#[derive(Serialize)]
pub struct SignInBegun {
    /// For whoever began alone: it ends the sign-in.
    pub sign_in: String,
    /// Where the person signs in.
    pub url: String,
    /// Until when the person may come back.
    pub expires: String,
}

/// What ends a sign-in.
#[derive(Clone, Copy)]
pub struct Returned<'a> {
    /// What beginning answered.
    pub sign_in: &'a str,
    /// What the provider sent back.
    pub state: &'a str,
    /// What the provider sent back.
    pub code: &'a str,
}

/// Begins to sign somebody in through the provider.
///
/// # Errors
/// [`Failure::NotFound`] where there is none, [`Failure::Unavailable`] when it does not answer, [`Failure::TooMany`], and
/// [`SubmitError::Busy`] when too many are on their way.
pub async fn begin(registry: &Registry, peer: IpAddr) -> Result<SignInBegun, Failure> {
    let desk = registry.desk();
    let provider = desk.provider().ok_or(Failure::NotFound)?;
    desk.throttle.admit(peer, None)?;
    desk.throttle.admit_sign_in(peer)?;
    let (token, state, nonce) = (SignInToken::new(), part(), part());
    let begun = Begun { state, nonce, verifier: part() + &part() };
    let url = provider.address(&begun).await?.to_string();
    let created_ms = registry.clock().now_ms();
    let expires_ms = created_ms.saturating_add(LIFE_MS);
    let Begun { state, nonce, verifier } = begun;
    let (token_hash, state_hash) = (token.hash(), hash(&state));
    let new = NewSignIn { token_hash, state_hash, nonce, verifier, created_ms, expires_ms };
    let db = registry.db().clone();
    let has_begun = detached(async move {
        let mut tx = db.begin().await?;
        sign_ins::purge(&mut tx, created_ms).await?;
        let has_begun = sign_ins::begin(&mut tx, &new, MOST).await?;
        tx.commit().await?;
        Ok(has_begun)
    });
    if !has_begun.await? {
        return Err(Failure::Submit(SubmitError::Busy));
    }
    Ok(SignInBegun { sign_in: token.expose(), url, expires: moment(expires_ms) })
}

/// Signs in whoever came back from the provider, with a code of the second factor where the person has one. Where only that is
/// missing or wrong, the same may be sent again with it.
///
/// # Errors
/// [`Failure::NotYou`] for what is unknown, spent, over or not good, and for everybody who is not let in, alike;
/// [`Failure::CodeRequired`]; [`Failure::Unavailable`] when the provider does not answer; [`Failure::TooMany`].
pub async fn complete(
    registry: &Registry,
    returned: Returned<'_>,
    factor: Option<&str>,
    peer: IpAddr,
    client: &str,
) -> Result<SignedIn, Failure> {
    let known = prove(registry, returned, peer).await?;
    let login = whom(registry, &known, peer).await?.ok_or(Failure::NotYou(NOBODY))?;
    let right = match factor::check(registry, &login.person, factor).await {
        Ok(right) => right,
        Err(failure) => {
            keep(registry, &known).await?;
            return Err(failure);
        }
    };
    let entrance = Entrance { known, id: IdentityId::new(registry.clock().new_uuid()) };
    super::begin(registry, &login, Entry::Provider(entrance, right), client).await
}

/// Somebody of whom the provider told.
pub(super) struct Proved {
    token_hash: [u8; 32],
    issuer: String,
    known: Known,
    /// Whether that was told in an earlier call.
    is_kept: bool,
}

/// What the provider says of whoever came back; asked of it once, and kept where the second factor is waited for.
async fn prove(registry: &Registry, returned: Returned<'_>, peer: IpAddr) -> Result<Proved, Failure> {
    let desk = registry.desk();
    desk.throttle.admit(peer, None)?;
    let over = || Failure::NotYou(OVER);
    let provider = desk.provider().ok_or_else(over)?;
    let token_hash = SignInToken::read(returned.sign_in).ok_or_else(over)?.hash();
    let (state_hash, now_ms) = (hash(returned.state), registry.clock().now_ms());
    let issuer = provider.issuer().to_owned();
    if let Some(Told { subject, email }) =
        sign_ins::told(registry.db(), &token_hash, &state_hash, now_ms).await?
    {
        return Ok(Proved { token_hash, issuer, known: Known { subject, email }, is_kept: true });
    }
    let db = registry.db().clone();
    let taken = detached(async move {
        let mut tx = db.begin().await?;
        let taken = sign_ins::take(&mut tx, &token_hash, &state_hash, now_ms).await?;
        tx.commit().await?;
        Ok(taken)
    });
    let taken = taken.await?.ok_or_else(over)?;
    let begun = Begun { state: returned.state.to_owned(), nonce: taken.nonce, verifier: taken.verifier };
    let known = provider.known(&begun, returned.code, registry.db()).await?.ok_or(Failure::NotYou(NOBODY))?;
    Ok(Proved { token_hash, issuer, known, is_kept: false })
}

/// Keeps what the provider told, so that it need not be asked again, which it would refuse: its code is good once.
async fn keep(registry: &Registry, proved: &Proved) -> Result<(), Failure> {
    if proved.is_kept {
        return Ok(());
    }
    let (db, token_hash) = (registry.db().clone(), proved.token_hash);
    let Known { subject, email } = proved.known.clone();
    detached(async move {
        let mut tx = db.begin().await?;
        sign_ins::tell(&mut tx, &token_hash, &Told { subject, email }).await?;
        tx.commit().await
    })
    .await
}

/// Who here is meant and may come in.
async fn whom(registry: &Registry, proved: &Proved, peer: IpAddr) -> Result<Option<Login>, Failure> {
    let (db, Proved { issuer, known, .. }) = (registry.db(), proved);
    let login = match identities::by_subject(db, issuer, &known.subject).await? {
        Some(identity) if identity.removed_ms.is_some() => None,
        Some(identity) => logins::of_person(db, &identity.person).await?,
        None => by_email(registry, issuer, known.email.as_deref()).await?,
    };
    let Some(login) = login else { return Ok(None) };
    if stands(registry, &login).await? {
        return Ok(Some(login));
    }
    note_refusal(registry, "completeSignIn", Some(&login), peer);
    Ok(None)
}

/// Who signs in with this address and never did through this provider: a provider may give an address to another one day.
async fn by_email(registry: &Registry, issuer: &str, email: Option<&str>) -> Result<Option<Login>, Failure> {
    // Beyond ASCII there are letters whose lower case is that of others.
    let is_plain = |email: &&str| email.len() <= MOST_EMAIL && email.bytes().all(|b| b.is_ascii_graphic());
    let Some(email) = email.filter(is_plain) else { return Ok(None) };
    let Some(login) = logins::by_email(registry.db(), email).await? else { return Ok(None) };
    let is_first =
        login.email.is_ascii() && !identities::has_one(registry.db(), issuer, &login.person).await?;
    Ok(is_first.then_some(login))
}

/// Whether the person and the organization may do anything at all.
async fn stands(registry: &Registry, login: &Login) -> Result<bool, Failure> {
    let person: PersonId = login.person.parse().map_err(|_| corrupt("person", &login.person))?;
    let org: OrgId = login.org.parse().map_err(|_| corrupt("organization", &login.org))?;
    let stands = registry.read(|now| {
        let is_suspended = State::of(now, org).is_none_or(|(state, _)| state == State::Suspended);
        !is_suspended && now.stands_for(person) == now.org(org).map(OrgRef::Org)
    });
    Ok(stands.await?)
}

/// What is spent and written when somebody comes in through the provider.
pub(super) struct Entrance {
    known: Proved,
    id: IdentityId,
}

impl Entrance {
    /// Ends the sign-in, and notes by which identity, which is linked the first time; false if it was ended, or the identity removed,
    /// meanwhile.
    pub(super) async fn spend(&self, tx: &mut Tx, person: &str, now_ms: i64) -> Result<bool, StoreError> {
        let Proved { token_hash, issuer, known, .. } = &self.known;
        if !sign_ins::end(tx, token_hash, now_ms).await? {
            return Ok(false);
        }
        if identities::note_use(tx, issuer, &known.subject, person, now_ms).await? {
            return Ok(true);
        }
        identities::insert(tx, &self.identity(person, now_ms)).await
    }

    fn identity(&self, person: &str, now_ms: i64) -> Identity {
        let Proved { issuer, known, .. } = &self.known;
        Identity {
            id: self.id.to_string(),
            person: person.to_owned(),
            issuer: issuer.clone(),
            subject: known.subject.clone(),
            email: known.email.clone(),
            created_ms: now_ms,
            used_ms: now_ms,
            removed_ms: None,
        }
    }
}

/// Who the caller is to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityView {
    /// Its id.
    pub identity: String,
    /// The provider.
    pub issuer: String,
    /// The provider's name for the person.
    pub subject: String,
    /// The address that it told when the two were linked.
    pub email: Option<String>,
    /// When they were linked.
    pub created: String,
    /// When the person last signed in so.
    pub last_used: String,
}

impl From<Identity> for IdentityView {
    fn from(row: Identity) -> Self {
        Self {
            identity: row.id,
            issuer: row.issuer,
            subject: row.subject,
            email: row.email,
            created: moment(row.created_ms),
            last_used: moment(row.used_ms),
        }
    }
}

/// Who the caller is to providers.
pub async fn list(registry: &Registry, actor: &Actor) -> Result<Vec<IdentityView>, Failure> {
    may_see_sessions(actor)?;
    let rows = identities::of_person(registry.db(), &actor.person().to_string()).await?;
    Ok(rows.into_iter().map(IdentityView::from).collect())
}

/// Links the caller with whoever came back from the provider, whatever its address. Only who signed in may, with the password:
/// a session that was stolen must not become a way in.
///
/// # Errors
/// As [`complete`]; a fault at `/password`; [`Failure::Conflict`] when the caller, or the other, is linked there.
pub async fn link(
    registry: &Registry,
    actor: &Actor,
    password: Password,
    returned: Returned<'_>,
    peer: IpAddr,
) -> Result<IdentityView, Failure> {
    session_of(actor)?;
    let login = proved(registry, actor, password, "/password", peer).await?;
    let known = prove(registry, returned, peer).await?;
    let entrance = Entrance { known, id: IdentityId::new(registry.clock().new_uuid()) };
    let (db, now_ms) = (registry.db().clone(), registry.clock().now_ms());
    let linked = detached(async move {
        let mut tx = db.begin().await?;
        let Proved { token_hash, issuer, .. } = &entrance.known;
        if !logins::hold(&mut tx, &login.person, &login.password).await?
            || !sign_ins::end(&mut tx, token_hash, now_ms).await?
        {
            return Ok(Err(Failure::NotYou(OVER)));
        }
        identities::forget_removed(&mut tx, issuer, &login.person).await?;
        let identity = entrance.identity(&login.person, now_ms);
        if !identities::insert(&mut tx, &identity).await? {
            let why =
                "you are linked with another there, or it is, or was, with another here: remove that first";
            return Ok(Err(Failure::Conflict(why.to_owned())));
        }
        tx.commit().await?;
        Ok(Ok(identity))
    });
    linked.await?.map(IdentityView::from)
}

/// Removes one of the caller's identities. Nothing that the provider says brings it back, but [`link`]. All other sessions end.
///
/// # Errors
/// [`Failure::NotFound`] for one that the caller has not, [`Failure::Forbidden`] for an API key.
pub async fn remove(registry: &Registry, actor: &Actor, identity: IdentityId) -> Result<(), Failure> {
    let (session, person) = (session_of(actor)?.to_string(), actor.person().to_string());
    let (db, now_ms) = (registry.db().clone(), registry.clock().now_ms());
    let is_removed = detached(async move {
        let mut tx = db.begin().await?;
        if !identities::remove(&mut tx, &identity.to_string(), &person, now_ms).await? {
            return Ok(false);
        }
        sessions::end_of_person(&mut tx, &person, Some(&session), Ended::SignedOut, now_ms).await?;
        tx.commit().await?;
        Ok(true)
    });
    if is_removed.await? { Ok(()) } else { Err(Failure::NotFound) }
}
