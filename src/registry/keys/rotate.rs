//! A key gives way to another: it is prepared, published beside that of today, and begins to sign alone by an act.
//!
//! The act comes first, the files follow: whoever is stopped between the two is mended at the next start (`mend`). The other
//! order does no harm either: a key that is prepared may sign.

use std::path::PathBuf;

use super::signing::public_of;
use super::{KeyName, LogSigner, Pair, SigningKeyError};
use crate::clock::Clock;
use crate::domain::act::{KeyRotated, SigningKeyUse};
use crate::domain::index::AsOf;
use crate::log::checkpoint::VerifierKey;
use crate::log::receipt::signed::ReceiptSigner;
use crate::registry::authority::{Registrar, submission};
use crate::registry::failure::Failure;
use crate::registry::node::{OpenError, Registry, Settings};
use crate::registry::published::first_named;
use crate::registry::sequencer::{Body, Recorded, SubmitError};
use crate::registry::{receipts, sign_in};
use crate::store::heads::{self, ACTS, checks_log};
use crate::store::log_keys::{self, LogKey};
use crate::store::{Db, StoreError};

/// The most logs that are looked at.
const MOST: u32 = 10_000;

/// A key that will sign.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its public forms, one for each log that it will sign.
    pub keys: Vec<String>,
    /// Its file.
    pub file: PathBuf,
}

/// A key that signs now.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The acts.
    pub recorded: Option<Recorded>,
    /// What gave way to what.
    pub acts: Vec<KeyRotated>,
    /// Where the old key is still, in words: elsewhere than in the data folder nothing is deleted.
    pub old_stays_in: Option<&'static str>,
}

/// Makes the next key of this name, if there is none, and publishes it: from now on it is told, and signs beside that of today on
/// every node that was started with it since.
///
/// # Errors
/// [`OpenError::Begin`] where there is nothing to follow.
pub async fn prepare(
    settings: &Settings,
    db: &Db,
    clock: &Clock,
    name: KeyName,
) -> Result<Prepared, OpenError> {
    let place = settings.key(name);
    let current =
        place.existing()?.ok_or_else(|| SigningKeyError::Missing(super::called(name.file().as_ref())))?;
    if heads::read_tree(db, ACTS).await?.is_none_or(|head| head.size == 0) {
        return Err(OpenError::Begin("the database holds no log".to_owned()));
    }
    if matches!(name, KeyName::ActLog | KeyName::Journal) {
        // Nothing is made where there is nothing to sign.
        logs_of(settings, db, name, &Pair { current, next: None }).await?;
    }
    let next = place.prepare()?;
    if next == current {
        let why = format!("`{}` holds the key of today: remove it", name.next_file());
        return Err(OpenError::Begin(why));
    }
    let pair = Pair { current, next: Some(next) };
    super::prepared::state(settings, db, clock, &[(name, &pair)]).await?;
    let keys = match name {
        KeyName::ActLog | KeyName::Journal => note_logs(settings, db, clock, name, &pair).await?,
        KeyName::Receipt => {
            receipts::note_key(db, &ReceiptSigner::from_seed(&next), clock).await?;
            vec![other_key(settings, name, &public_of(&next))?]
        }
        KeyName::Token => {
            sign_in::token_keys::note(db, &pair, clock).await?;
            vec![other_key(settings, name, &public_of(&next))?]
        }
        KeyName::Sealing => Vec::new(),
    };
    Ok(Prepared { keys, file: place.next_path().to_owned() })
}

/// A key of receipts or of tokens as acts write it, which have no log.
pub(super) fn other_key(
    settings: &Settings,
    name: KeyName,
    public: &[u8; 32],
) -> Result<String, SigningKeyError> {
    let what = if name == KeyName::Receipt { "receipts" } else { "tokens" };
    let key_name = format!("{}/{what}", settings.origin);
    let key = VerifierKey::new(&key_name, public);
    key.map(|key| key.to_string()).map_err(|error| SigningKeyError::Origin(key_name, error))
}

/// The logs that the key of today signs, and its signers.
async fn logs_of(
    settings: &Settings,
    db: &Db,
    name: KeyName,
    pair: &Pair,
) -> Result<Vec<(String, Vec<LogKey>, LogSigner)>, OpenError> {
    let mut logs = Vec::new();
    let mut found = heads::page(db, "", MOST).await?;
    let own = checks_log(&settings.node);
    if found.iter().all(|(log, _)| *log != own) {
        // Before the first check there is no journal, and its key is noted all the same.
        let origin = format!("{}/{own}", settings.origin);
        found.push((own, origin));
    }
    for (log, origin) in found {
        if (log == ACTS) != (name == KeyName::ActLog) {
            continue;
        }
        let signer = LogSigner::of(name, pair, &origin)?;
        let noted = log_keys::of_log(db, &log).await?;
        if noted.iter().any(|key| key.verifier_key == signer.key().to_string()) {
            logs.push((log, noted, signer));
        }
    }
    if logs.is_empty() {
        let why = format!(
            "no log in this database is signed by `{}` of `{}`: say with which data folder and under which `node` name the server runs here, and if it never did, start it once",
            name.file(),
            settings.data_dir.display()
        );
        return Err(OpenError::Begin(why));
    }
    Ok(logs)
}

async fn note_logs(
    settings: &Settings,
    db: &Db,
    clock: &Clock,
    name: KeyName,
    pair: &Pair,
) -> Result<Vec<String>, OpenError> {
    let logs = logs_of(settings, db, name, pair).await?;
    let mut told = Vec::new();
    for (log, noted, signer) in logs {
        let Some(next) = signer.keys().nth(1) else { continue };
        let verifier_key = next.to_string();
        let first_size = heads::read_tree(db, &log).await?.map_or(0, |head| head.size);
        // After those that are noted, also within one moment: the first of a log is known by that.
        let last_ms = noted.iter().map(|key| key.first_ms).max().unwrap_or_default();
        let first_ms = clock.now_ms().max(last_ms.saturating_add(1));
        let mut tx = db.begin().await?;
        let key = LogKey { log, verifier_key: verifier_key.clone(), first_size, first_ms };
        log_keys::put(&mut tx, &key).await?;
        tx.commit().await?;
        told.push(verifier_key);
    }
    Ok(told)
}

/// Records that the key of today gave way to the one that is prepared, and puts that in its place. Of journals, one act for each
/// that the key signs.
///
/// # Errors
/// [`Failure::Conflict`] where none is prepared; what the rules refuse.
pub async fn rotate(registry: &Registry, by: &Registrar, name: KeyName) -> Result<Rotated, Failure> {
    let settings = registry.settings();
    let unusable = |error: SigningKeyError| Failure::Unavailable(error.to_string());
    let place = settings.key(name);
    let pair = place.pair().map_err(unusable)?;
    let acts = match name {
        KeyName::ActLog | KeyName::Journal => of_logs(registry, name, &pair).await?,
        KeyName::Receipt | KeyName::Token => of_other(registry, name, &pair)?,
        KeyName::Sealing => Vec::new(),
    };
    if acts.is_empty() {
        let why = format!("no other key is prepared: `kyodaku keys prepare` makes `{}`", name.next_file());
        return Err(Failure::Conflict(why));
    }
    let recorded = acts.iter().map(|act| (act.clone().into(), None)).collect();
    let submitted = registry.submit(submission(by, None, recorded, None, Body::none())).await?;
    if pair.next.is_some() {
        place.switch().map_err(|error| {
            Failure::Submit(SubmitError::Unavailable(format!(
                "the rotation is recorded, and the files follow at the next start: {error}"
            )))
        })?;
    }
    let old_stays_in = place.is_elsewhere().then(|| place.words());
    Ok(Rotated { recorded: submitted.recorded, acts, old_stays_in })
}

/// What is to be recorded of logs: what signs now, and what is to sign. Where somebody has switched the files already, the
/// key in the place of today's is the next one.
async fn of_logs(registry: &Registry, name: KeyName, pair: &Pair) -> Result<Vec<KeyRotated>, Failure> {
    let key_use = if name == KeyName::ActLog { SigningKeyUse::ActLog } else { SigningKeyUse::Journal };
    let logs = logs_of(registry.settings(), registry.db(), name, pair).await;
    let logs = logs.map_err(|error| Failure::Conflict(error.to_string()))?;
    let mut acts = Vec::new();
    for (_, noted, signer) in &logs {
        let new = signer.keys().last().map(ToString::to_string);
        let old = registry.read(|now| standing(now, noted, signer.origin())).await?;
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            acts.push(KeyRotated { key_use, old, new });
        }
    }
    Ok(acts)
}

/// The key that stands: the first of a log under its name begins with it, any other by an act.
fn standing(now: AsOf<'_>, noted: &[LogKey], origin: &str) -> Option<String> {
    let first = first_named(noted, origin);
    let began = |key: &str| first.as_deref() == Some(key) || now.beginning_of_key(key).is_some();
    let mut keys = noted.iter().map(|key| key.verifier_key.as_str()).filter(|key| began(key));
    keys.find(|key| key.starts_with(&format!("{origin}+")) && now.end_of_key(key).is_none())
        .map(str::to_owned)
}

fn of_other(registry: &Registry, name: KeyName, pair: &Pair) -> Result<Vec<KeyRotated>, Failure> {
    let key = |seed: &[u8; 32]| {
        let key = other_key(registry.settings(), name, &public_of(seed));
        key.map_err(|error| StoreError::Program(error.to_string()))
    };
    let Some(next) = &pair.next else { return Ok(Vec::new()) };
    let key_use = if name == KeyName::Receipt { SigningKeyUse::Receipt } else { SigningKeyUse::Token };
    Ok(vec![KeyRotated { key_use, old: key(&pair.current)?, new: key(next)? }])
}
