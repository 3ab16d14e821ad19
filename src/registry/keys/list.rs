//! What keys there are, as everybody may know it.

use serde::Serialize;

use super::{KeyName, Place};
use crate::log::checkpoint::VerifierKey;
use crate::log::receipt::signed::ReceiptSigner;
use crate::registry::answer::moment;
use crate::registry::node::{OpenError, Settings};
use crate::registry::sign_in::token::Tokens;
use crate::store::heads::{ACTS, checks_log};
use crate::store::{Db, heads, log_keys, receipt_keys};

/// The most logs that are looked at.
const MOST: u32 = 10_000;

/// What a key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs now.
    Signs,
    /// It signs nothing any more, and verifies what it signed.
    Published,
}

/// A key, by its public half.
#[derive(Clone, Debug, Serialize)]
pub struct ListedKey {
    /// What it is for: `act_log`, `journal`, `receipt` or `token`.
    pub r#use: &'static str,
    /// What it is doing.
    pub state: KeyState,
    /// Its public form: a verifier key of C2SP signed-note, or the name (`kid`) in headers.
    pub key: String,
    /// The log that it signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Since when it is published, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// How many entries its log had then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_size: Option<u64>,
    /// Where its secret is, if it is here: `data folder`, `file` or `environment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'static str>,
}

/// All keys of the registry with these settings, by use, the oldest of each first. Nothing is made.
pub async fn list(settings: &Settings, db: &Db) -> Result<Vec<ListedKey>, OpenError> {
    let mut listed = of_log(settings, db, ACTS, &settings.origin).await?;
    let own = checks_log(&settings.node);
    let mut journals = vec![(own.clone(), format!("{}/{own}", settings.origin))];
    let others = heads::page(db, "", MOST).await?;
    journals.extend(others.into_iter().filter(|(log, _)| *log != ACTS && *log != own));
    for (log, origin) in journals {
        listed.extend(of_log(settings, db, &log, &origin).await?);
    }
    listed.extend(of_receipts(settings, db).await?);
    let place = settings.key(KeyName::Token);
    let kid = |seed: [u8; 32]| Some(Tokens::new("", &seed)?.jwk().kid()?.to_owned());
    listed.extend(place.existing()?.and_then(kid).map(|kid| bare("token", kid, &place)));
    Ok(listed)
}

/// A key that is here and that nobody has noted yet.
fn bare(r#use: &'static str, key: String, place: &Place) -> ListedKey {
    let secret = Some(place.words());
    ListedKey { r#use, state: KeyState::Signs, key, log: None, since: None, first_size: None, secret }
}

async fn of_log(settings: &Settings, db: &Db, log: &str, origin: &str) -> Result<Vec<ListedKey>, OpenError> {
    let (name, r#use) =
        if log == ACTS { (KeyName::ActLog, "act_log") } else { (KeyName::Journal, "journal") };
    let place = settings.key(name);
    let own = place.existing_signer(origin)?.map(|signer| signer.verifier_key().clone());
    let is_own = |key: &str| own.as_ref().map(VerifierKey::to_string).as_deref() == Some(key);
    let noted = log_keys::of_log(db, log).await?;
    let mut listed: Vec<ListedKey> = Vec::with_capacity(noted.len() + 1);
    for key in noted {
        let signs = is_own(&key.verifier_key);
        listed.push(ListedKey {
            r#use,
            state: if signs { KeyState::Signs } else { KeyState::Published },
            key: key.verifier_key,
            log: Some(log.to_owned()),
            since: Some(moment(key.first_ms)),
            first_size: Some(key.first_size),
            secret: signs.then(|| place.words()),
        });
    }
    if let Some(own) = own
        && listed.iter().all(|key| key.state != KeyState::Signs)
    {
        listed.push(ListedKey { log: Some(log.to_owned()), ..bare(r#use, own.to_string(), &place) });
    }
    Ok(listed)
}

async fn of_receipts(settings: &Settings, db: &Db) -> Result<Vec<ListedKey>, OpenError> {
    let place = settings.key(KeyName::Receipt);
    let own = place.existing()?.map(|seed| ReceiptSigner::from_seed(&seed).kid().to_owned());
    let mut listed = Vec::new();
    for key in receipt_keys::all(db).await? {
        let signs = own.as_ref() == Some(&key.kid);
        listed.push(ListedKey {
            r#use: "receipt",
            state: if signs { KeyState::Signs } else { KeyState::Published },
            key: key.kid,
            log: None,
            since: Some(moment(key.first_ms)),
            first_size: None,
            secret: signs.then(|| place.words()),
        });
    }
    if let Some(own) = own
        && listed.iter().all(|key| key.state != KeyState::Signs)
    {
        listed.push(bare("receipt", own, &place));
    }
    Ok(listed)
}
