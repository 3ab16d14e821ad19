//! Second factors: set up with a device, shown when signing in, taken off.

use std::net::IpAddr;

use serde::Serialize;

use super::code::{Code, RECOVERY_CODES, address, recovery_code, step_of};
use super::password::Password;
use super::{WRONG_CODE, corrupt};
use crate::clock;
use crate::domain::ids::SessionId;
use crate::registry::accounts::detached;
use crate::registry::authority::{Actor, CredentialId};
use crate::registry::failure::Failure;
use crate::registry::node::Registry;
use crate::store::logins::{self, Login};
use crate::store::sessions::{self, Ended};
use crate::store::{StoreError, Tx, second_factors};

/// The bytes of a secret: as many as RFC 4226 section 4 recommends.
const SECRET_BYTES: usize = 20;

/// A secret for a device. It is shown now and never again.
#[derive(Serialize)]
pub struct Offered {
    /// The secret in base32, to be typed.
    pub secret: String,
    /// The secret as an `otpauth:` address, to be shown as a QR code.
    pub address: String,
}

/// A code that was found right and has to be spent.
#[derive(Clone, Copy)]
pub(super) enum Right {
    Step(i64),
    Recovery([u8; 32]),
}

impl Right {
    /// Spends it; false if somebody did before.
    pub(super) async fn spend(self, tx: &mut Tx, person: &str, now_ms: i64) -> Result<bool, StoreError> {
        match self {
            Self::Step(step) => second_factors::spend_step(tx, person, step).await,
            Self::Recovery(hash) => second_factors::spend_code(tx, person, &hash, now_ms).await,
        }
    }
}

/// Whether the person has a second factor, and if so, whether the code is right as far as can be said without spending it.
///
/// # Errors
/// [`Failure::CodeRequired`] where there is one and no code, [`Failure::NotYou`] for a wrong one, [`Failure::TooMany`].
pub(super) async fn check(
    registry: &Registry,
    person: &str,
    code: Option<&str>,
) -> Result<Option<Right>, Failure> {
    let factor = second_factors::of_person(registry.db(), person).await?;
    let Some(factor) = factor.filter(|factor| factor.confirmed_ms.is_some()) else { return Ok(None) };
    match Code::read(code.ok_or(Failure::CodeRequired)?) {
        None => Err(Failure::NotYou(WRONG_CODE)),
        // Too many bits to guess.
        Some(Code::Recovery(hash)) => Ok(Some(Right::Recovery(hash))),
        Some(Code::Device(digits)) => {
            registry.desk().throttle.admit_code(person)?;
            let step = step_of(&open(registry, &factor.secret, person)?, &digits, registry.clock().now_ms());
            step.map(|step| Some(Right::Step(step))).ok_or(Failure::NotYou(WRONG_CODE))
        }
    }
}

fn open(registry: &Registry, sealed: &[u8], person: &str) -> Result<Vec<u8>, Failure> {
    registry.desk().sealer.open(sealed, person).ok_or_else(|| corrupt("second factor of", person))
}

/// The session that asks. An API key that was stolen must not change how its person signs in.
pub(super) fn session_of(actor: &Actor) -> Result<SessionId, Failure> {
    match actor.credential() {
        CredentialId::Session(session) => Ok(session),
        CredentialId::Key(_) => Err(Failure::Forbidden("sign in to do this: an API key can't".to_owned())),
    }
}

/// The caller's login, when the password is right.
pub(super) async fn proved(
    registry: &Registry,
    actor: &Actor,
    password: Password,
    pointer: &'static str,
    peer: IpAddr,
) -> Result<Login, Failure> {
    let (desk, person) = (registry.desk(), actor.person().to_string());
    desk.throttle.admit(peer, Some(&person))?;
    let login = logins::of_person(registry.db(), &person).await?.ok_or(Failure::NotFound)?;
    if desk.passwords.verify(Some(login.password.clone()), password).await? {
        Ok(login)
    } else {
        Err(Failure::fault(pointer, "wrong_password", "is not your password"))
    }
}

/// Offers the caller a secret for a device, in place of one that was never confirmed.
///
/// # Errors
/// [`Failure::Conflict`] for a person who has a second factor.
pub async fn offer(
    registry: &Registry,
    actor: &Actor,
    password: Password,
    peer: IpAddr,
) -> Result<Offered, Failure> {
    session_of(actor)?;
    let login = proved(registry, actor, password, "/password", peer).await?;
    let (desk, secret) = (registry.desk(), clock::random::<SECRET_BYTES>());
    let sealed =
        desk.sealer.seal(&secret, &login.person).ok_or_else(|| corrupt("secret of", &login.person))?;
    let (db, now_ms) = (registry.db().clone(), registry.clock().now_ms());
    let address = address(&secret, &login.email, &desk.public_url);
    let is_put = detached(async move {
        let mut tx = db.begin().await?;
        let is_put = second_factors::put(&mut tx, &login.person, &sealed, now_ms).await?;
        tx.commit().await?;
        Ok(is_put)
    });
    if !is_put.await? {
        return Err(Failure::Conflict("you have a second factor: take it off first".to_owned()));
    }
    let address = address.ok_or_else(|| Failure::Unavailable("no address can be made".to_owned()))?;
    Ok(Offered { secret: data_encoding::BASE32_NOPAD.encode(&secret), address })
}

/// Confirms the secret that was offered with a code of the device; from now on it is asked for. The caller's other sessions end,
/// which began without it. Returns codes for a day without the device, each good once; they are shown now and never again.
///
/// # Errors
/// A fault at `/code` for a wrong one, [`Failure::Conflict`] when nothing was offered, or the password was changed meanwhile.
pub async fn confirm(registry: &Registry, actor: &Actor, code: &str) -> Result<Vec<String>, Failure> {
    let (session, person) = (session_of(actor)?.to_string(), actor.person().to_string());
    let nothing =
        || Failure::Conflict("no second factor waits to be confirmed: ask for one first".to_owned());
    let login = logins::of_person(registry.db(), &person).await?.ok_or_else(nothing)?;
    let factor = second_factors::of_person(registry.db(), &person).await?;
    let factor = factor.filter(|factor| factor.confirmed_ms.is_none()).ok_or_else(nothing)?;
    registry.desk().throttle.admit_code(&person)?;
    let (secret, now_ms) = (open(registry, &factor.secret, &person)?, registry.clock().now_ms());
    let step = match Code::read(code) {
        Some(Code::Device(digits)) => step_of(&secret, &digits, now_ms),
        _ => None,
    };
    let step =
        step.ok_or_else(|| Failure::fault("/code", "wrong_code", "is not the code of your device now"))?;
    let (codes, hashes): (Vec<_>, Vec<_>) = (0..RECOVERY_CODES).map(|_| recovery_code()).unzip();
    let db = registry.db().clone();
    let is_confirmed = detached(async move {
        let mut tx = db.begin().await?;
        // Whoever signs in at the same moment waits, or has begun a session that is ended here.
        if !logins::hold(&mut tx, &person, &login.password).await? {
            return Ok(false);
        }
        if !second_factors::confirm(&mut tx, &person, &factor.secret, step, &hashes, now_ms).await? {
            return Ok(false);
        }
        sessions::set_factor(&mut tx, &session, now_ms).await?;
        sessions::end_of_person(&mut tx, &person, Some(&session), Ended::Factor, now_ms).await?;
        tx.commit().await?;
        Ok(true)
    });
    if is_confirmed.await? { Ok(codes) } else { Err(nothing()) }
}

/// Takes the caller's second factor off. All other sessions end.
///
/// # Errors
/// Faults at `/password` and `/code`; [`Failure::Conflict`] for a person who has none.
pub async fn remove(
    registry: &Registry,
    actor: &Actor,
    password: Password,
    code: &str,
    peer: IpAddr,
) -> Result<(), Failure> {
    let session = session_of(actor)?.to_string();
    let login = proved(registry, actor, password, "/password", peer).await?;
    let wrong = || {
        Failure::fault(
            "/code",
            "wrong_code",
            "is neither the code of your device now nor one for a day without it",
        )
    };
    let right = match check(registry, &login.person, Some(code)).await {
        Ok(Some(right)) => right,
        Ok(None) => return Err(Failure::Conflict("you have no second factor".to_owned())),
        Err(Failure::NotYou(_)) => return Err(wrong()),
        Err(other) => return Err(other),
    };
    let (db, now_ms) = (registry.db().clone(), registry.clock().now_ms());
    let is_removed = detached(async move {
        let mut tx = db.begin().await?;
        if !right.spend(&mut tx, &login.person, now_ms).await? {
            return Ok(false);
        }
        second_factors::delete(&mut tx, &login.person).await?;
        sessions::forget_factor(&mut tx, &login.person).await?;
        sessions::end_of_person(&mut tx, &login.person, Some(&session), Ended::Factor, now_ms).await?;
        tx.commit().await?;
        Ok(true)
    });
    if is_removed.await? { Ok(()) } else { Err(wrong()) }
}
