//! What keys there are, as everybody may know it.

use serde::Serialize;

use super::prepared::Prepared;
use super::rotate::other_key;
use super::{KeyName, LogSigner, Place, public_of};
use crate::clock::Clock;
use crate::domain::act::{Act, KeyRotated};
use crate::domain::entry::Entry;
use crate::log::receipt::signed::key_id;
use crate::registry::answer::moment;
use crate::registry::node::{OpenError, Settings};
use crate::store::catalogue::log::{Sought, about};
use crate::store::heads::{ACTS, checks_log};
use crate::store::public_keys::{self, KeyTable, PublicKey};
use crate::store::{Db, StoreError, heads, log_keys};

/// The most logs that are looked at.
const MOST: u32 = 10_000;

/// What a key is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs now.
    Signs,
    /// It will sign, and does so already beside that of today where it is ready.
    Next,
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
    /// The entry of the act log that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<u64>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where its secret is, if it is here: `data folder`, `file` or `environment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'static str>,
}

/// The public halves that are here of one key.
struct Here {
    place: Place,
    current: Option<[u8; 32]>,
    next: Option<[u8; 32]>,
    /// What the nodes have.
    prepared: Prepared,
}

impl Here {
    async fn of(settings: &Settings, db: &Db, name: KeyName, now_ms: i64) -> Result<Self, OpenError> {
        let place = settings.key(name);
        let (current, next) = (place.existing()?, place.next()?);
        let public = |seed: Option<[u8; 32]>| seed.map(|seed| public_of(&seed));
        let prepared = Prepared::of(db, name, now_ms).await?;
        Ok(Self { current: public(current), next: public(next), place, prepared })
    }

    /// What the key of these bytes does, which the act log has ended or not, and where its secret is; nothing of one that was thrown away
    /// before its turn came.
    fn state(
        &self,
        public: Option<[u8; 32]>,
        ended: bool,
        follows: bool,
    ) -> Option<(KeyState, Option<&'static str>)> {
        let (is_current, is_next) =
            (public.is_some() && public == self.current, public.is_some() && public == self.next);
        let secret = if is_current { Some(self.place.words()) } else { is_next.then_some("data folder") };
        let held = public.filter(|_| !follows).and_then(|public| self.prepared.is_held(&public));
        let state = match (is_current, is_next) {
            _ if ended => KeyState::Published,
            (true, _) => KeyState::Signs,
            (_, true) if follows => KeyState::Signs,
            (_, true) => KeyState::Next,
            _ if held == Some(true) => KeyState::Next,
            _ if held == Some(false) => return None,
            _ => KeyState::Published,
        };
        Some((state, secret))
    }
}

/// All keys of the registry with these settings, by use, the oldest of each first. Nothing is made.
pub async fn list(settings: &Settings, db: &Db, clock: &Clock) -> Result<Vec<ListedKey>, OpenError> {
    let now_ms = clock.now_ms();
    let acts_here = Here::of(settings, db, KeyName::ActLog, now_ms).await?;
    let journal_here = Here::of(settings, db, KeyName::Journal, now_ms).await?;
    // The name that the log has, whatever the settings say, and by which its journals are named.
    let acts = heads::read(db, ACTS).await?.map_or_else(|| settings.origin.clone(), |head| head.origin);
    let mut listed = of_log(settings, db, &acts_here, ACTS, &acts).await?;
    let own = checks_log(&settings.node);
    let mut journals = vec![(own.clone(), format!("{acts}/{own}"))];
    let others = heads::page(db, "", MOST).await?;
    journals.extend(others.into_iter().filter(|(log, _)| *log != ACTS && *log != own));
    for (log, origin) in journals {
        listed.extend(of_log(settings, db, &journal_here, &log, &origin).await?);
    }
    for (name, table) in [(KeyName::Receipt, KeyTable::Receipts), (KeyName::Token, KeyTable::Tokens)] {
        let here = Here::of(settings, db, name, now_ms).await?;
        listed.extend(of_other(settings, db, &here, public_keys::all(db, table).await?).await?);
    }
    Ok(listed)
}

/// Which act ended this key, and which one began it.
async fn story(db: &Db, key: &str) -> Result<(Option<(u64, i64)>, bool), StoreError> {
    let (mut ended, mut begun) = (None, false);
    let first = &[key.to_owned()];
    let sought = Sought { first, others: None, kind: Some("key.rotated"), hides_inquiries: false };
    for stored in about(db, sought, 0..i64::MAX.unsigned_abs(), 10).await? {
        let corrupt = |error| StoreError::Corrupt(format!("entry {} can't be read: {error}", stored.index));
        let entry: Entry = serde_json::from_slice(&stored.bytes).map_err(corrupt)?;
        let Act::KeyRotated(KeyRotated { old, new, .. }) = entry.act else { continue };
        if old == key {
            ended = Some((stored.index, entry.at_ms));
        }
        begun |= new == key;
    }
    Ok((ended, begun))
}

async fn of_log(
    settings: &Settings,
    db: &Db,
    here: &Here,
    log: &str,
    origin: &str,
) -> Result<Vec<ListedKey>, OpenError> {
    let name = here.place.name();
    let r#use = name.word();
    let mut listed: Vec<ListedKey> = Vec::new();
    for key in log_keys::of_log(db, log).await? {
        let public = key.verifier_key.parse::<crate::log::checkpoint::VerifierKey>().ok();
        let (ended, begun) = story(db, &key.verifier_key).await?;
        // The name of the key is that of the log: one of an earlier name ended with it.
        let is_earlier = public.as_ref().is_some_and(|public| public.name() != origin);
        let is_over = ended.is_some() || is_earlier;
        let public = public.map(|public| *public.public_bytes());
        let Some((state, secret)) = here.state(public, is_over, begun) else { continue };
        listed.push(ListedKey {
            r#use,
            state,
            key: key.verifier_key,
            log: Some(log.to_owned()),
            since: Some(moment(key.first_ms)),
            first_size: Some(key.first_size),
            ended_by: ended.map(|(at, _)| at),
            until: ended.map(|(_, at_ms)| moment(at_ms)),
            secret,
        });
    }
    if listed.is_empty()
        && let Some(pair) = settings.key(name).existing_pair()?
    {
        let key = LogSigner::of(name, &pair, origin)?.key().to_string();
        listed.push(bare(r#use, key, Some(log.to_owned()), here.place.words()));
    }
    Ok(listed)
}

/// A key that is here and that nobody has noted yet.
fn bare(r#use: &'static str, key: String, log: Option<String>, secret: &'static str) -> ListedKey {
    let (state, secret) = (KeyState::Signs, Some(secret));
    ListedKey { r#use, state, key, log, since: None, first_size: None, ended_by: None, until: None, secret }
}

/// The keys that sign no log: of receipts and of tokens.
async fn of_other(
    settings: &Settings,
    db: &Db,
    here: &Here,
    noted: Vec<PublicKey>,
) -> Result<Vec<ListedKey>, OpenError> {
    let name = here.place.name();
    let r#use = name.word();
    let mut listed = Vec::new();
    for PublicKey { public, first_ms, .. } in noted {
        let (ended, begun) = story(db, &other_key(settings, name, &public)?).await?;
        let Some((state, secret)) = here.state(Some(public), ended.is_some(), begun) else { continue };
        listed.push(ListedKey {
            r#use,
            state,
            key: key_id(&public),
            log: None,
            since: Some(moment(first_ms)),
            first_size: None,
            ended_by: ended.map(|(at, _)| at),
            until: ended.map(|(_, at_ms)| moment(at_ms)),
            secret,
        });
    }
    if listed.is_empty()
        && let Some(public) = here.current
    {
        listed.push(bare(r#use, key_id(&public), None, here.place.words()));
    }
    Ok(listed)
}
