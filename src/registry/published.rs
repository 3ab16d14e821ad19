//! The logs in public: checkpoints, tiles and proofs for everybody, entries for those who may read them.
//!
//! What is told is *published*: committed, and marked outside the database before it is told, so that no older copy of the
//! database can take it back unseen. The act log is marked with each commit; of a journal, only what somebody asks for is
//! marked, at most ten times a second, for all who wait.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::authority::{Auditor, Proof, Roles, Scope, Verified};
use super::failure::Failure;
use super::keys::{KeyName, PreparedKeys};
use super::node::{Registry, is_token};
use crate::log::checkpoint::VerifierKey;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::{
    ProofError, ProofFile, consistency_tiles, inclusion_tiles, prove_consistency, prove_inclusion,
};
use crate::log::tile::{TILE_WIDTH, TileRef, TileSet, encode_bundle};
use crate::store::entries::StoredEntry;
use crate::store::heads::{ACTS, checks_log};
use crate::store::log_keys::{self, KeyEnd, LogKey};
use crate::store::tiles::{self, StoredCheckpoint};
use crate::store::{StoreError, catalogue, cosignatures, entries, heads};

mod keys;
mod publisher;

pub use keys::KeyState;
pub(super) use keys::{first_named, note_ends, note_keys, refuse_lost_keys};
pub(super) use publisher::Publisher;

/// How the public name of a journal begins; the node's name follows.
const CHECKS: &str = "checks-";

/// The public name of a log: `acts`, or `checks-` and the name of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName(String);

/// Text that names no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log is `acts`, or `checks-` with the name of a node")]
pub struct LogNameError;

impl LogName {
    /// The log on which every decision rests.
    pub fn acts() -> Self {
        Self(ACTS.to_owned())
    }

    /// The journal of a node.
    pub(super) fn journal(node: &str) -> Self {
        Self(checks_log(node))
    }

    /// The log of this name in the database.
    pub(super) fn stored_as(name: String) -> Self {
        Self(name)
    }

    /// Its name in the database.
    pub(super) fn stored(&self) -> &str {
        &self.0
    }

    pub(super) fn is_acts(&self) -> bool {
        self.0 == ACTS
    }
}

impl FromStr for LogName {
    type Err = LogNameError;

    fn from_str(text: &str) -> Result<Self, LogNameError> {
        let node = text.strip_prefix(CHECKS).filter(|node| is_token(node));
        match node {
            Some(node) => Ok(Self(checks_log(node))),
            None if text == ACTS => Ok(Self::acts()),
            None => Err(LogNameError),
        }
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_once('/') {
            Some((_, node)) => write!(f, "{CHECKS}{node}"),
            None => f.write_str(&self.0),
        }
    }
}

impl Serialize for LogName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A log, and what verifies it.
#[derive(Clone, Debug)]
pub struct LogView {
    /// Its public name.
    pub log: LogName,
    /// The first line of its checkpoints.
    pub origin: String,
    /// What is published of it.
    pub head: TreeHead,
    /// The keys that sign it, that ever did, and that will, the oldest first.
    pub keys: Vec<KeyView>,
    /// The names that it had before, the oldest first.
    pub continues: Vec<EarlierName>,
}

/// A key of a log.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// The key.
    pub key: LogKey,
    /// What it is doing.
    pub state: KeyState,
    /// Where it ended, if another signed after it.
    pub end: Option<KeyEnd>,
}

/// The last checkpoint under an earlier name that is to be believed.
#[derive(Clone, Debug)]
pub struct EarlierName {
    /// The name.
    pub origin: String,
    /// Size and root; the next entry is the act that says so.
    pub head: TreeHead,
}

/// The earlier names of the act log, the oldest first.
async fn earlier_names(registry: &Registry) -> Result<Vec<EarlierName>, Failure> {
    let names: Vec<(u64, String)> = {
        let index = registry.shared().read();
        let now = index.as_of(registry.shared().published());
        now.origins().map(|(at, origin)| (at, origin.to_owned())).collect()
    };
    let mut earlier = Vec::new();
    for (before, after) in names.iter().zip(names.iter().skip(1)) {
        let size = after.0;
        let root = tiles::root_at(registry.db(), ACTS, size).await?;
        earlier.push(EarlierName { origin: before.1.clone(), head: TreeHead { size, root } });
    }
    Ok(earlier)
}

/// The keys of a log, as this node's act log says what they do.
async fn keys_of(
    registry: &Registry,
    log: &LogName,
    origin: &str,
    prepared: &PreparedKeys,
) -> Result<Vec<KeyView>, Failure> {
    let keys = log_keys::of_log(registry.db(), log.stored()).await?;
    let ends = log_keys::ends(registry.db(), log.stored()).await?;
    let index = registry.shared().read();
    let now = index.as_of(registry.shared().published());
    let first = first_named(&keys, origin);
    let view = |key: LogKey| {
        let end = ends.iter().find(|end| end.verifier_key == key.verifier_key).cloned();
        KeyView { state: keys::state_of(now, log.is_acts(), &key, origin, first.as_deref()), key, end }
    };
    let is_told = |view: &KeyView| {
        let public = view.key.verifier_key.parse::<VerifierKey>();
        view.state != KeyState::Next
            || !public.is_ok_and(|key| prepared.is_thrown_away(now, key.public_bytes()))
    };
    Ok(keys.into_iter().map(view).filter(is_told).collect())
}

/// What is published of a log: everything that was acknowledged before the call.
///
/// # Errors
/// [`Failure::NotFound`] when there is no such log.
pub async fn head(registry: &Registry, log: &LogName) -> Result<TreeHead, Failure> {
    if log.is_acts() {
        return Ok(registry.tree().await?);
    }
    let published = registry.publisher().publish(registry.db(), &[log.stored()]).await?;
    published.first().copied().flatten().ok_or(Failure::NotFound)
}

/// The logs after this one, by name.
pub async fn logs(registry: &Registry, after: Option<&LogName>, rows: u32) -> Result<Vec<LogView>, Failure> {
    let db = registry.db();
    let found = heads::page(db, after.map_or("", LogName::stored), rows).await?;
    let names: Vec<&str> = found.iter().map(|(log, _)| log.as_str()).filter(|log| *log != ACTS).collect();
    let mut journals = registry.publisher().publish(db, &names).await?.into_iter();
    let now_ms = registry.clock().now_ms();
    let of_acts = PreparedKeys::of(db, KeyName::ActLog, now_ms).await?;
    let of_journals = PreparedKeys::of(db, KeyName::Journal, now_ms).await?;
    let mut views = Vec::with_capacity(found.len());
    for (log, origin) in &found {
        let log = LogName(log.clone());
        let head = if log.is_acts() { Some(registry.tree().await?) } else { journals.next().flatten() };
        let Some(head) = head else { continue };
        let prepared = if log.is_acts() { &of_acts } else { &of_journals };
        let keys = keys_of(registry, &log, origin, prepared).await?;
        let continues = if log.is_acts() { earlier_names(registry).await? } else { Vec::new() };
        views.push(LogView { log, origin: origin.clone(), head, keys, continues });
    }
    Ok(views)
}

/// Which checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The newest.
    Newest,
    /// The newest that a witness cosigned.
    Cosigned,
    /// That of a size.
    OfSize(u64),
}

/// The signed note of a checkpoint, with the cosignatures of witnesses.
pub async fn checkpoint(registry: &Registry, log: &LogName, which: Which) -> Result<String, Failure> {
    let published = head(registry, log).await?;
    let size = match which {
        Which::Newest => published.size,
        Which::OfSize(size) => size,
        Which::Cosigned => {
            let newest = cosignatures::newest(registry.db(), log.stored(), published.size).await?;
            newest.ok_or_else(|| {
                Failure::Absent("no witness has cosigned a checkpoint of this log".to_owned())
            })?
        }
    };
    refuse_beyond(published, size)?;
    cosigned_note(registry, log, size).await
}

/// The signed note of the checkpoint of a size that is published, with the cosignatures of witnesses.
pub(super) async fn cosigned_note(registry: &Registry, log: &LogName, size: u64) -> Result<String, Failure> {
    let note = signed_note(registry, log, size).await?;
    let cosigned = cosignatures::of(registry.db(), log.stored(), size).await?;
    Ok(format!("{note}{cosigned}"))
}

/// The signed note of the checkpoint of a size that is published, as it was signed.
pub(super) async fn signed_note(registry: &Registry, log: &LogName, size: u64) -> Result<String, Failure> {
    let signed = match size {
        // A journal that was begun and in which nothing stands yet.
        0 => {
            let head = heads::read(registry.db(), log.stored()).await?;
            head.filter(|head| head.size() == 0).map(|head| head.checkpoint)
        }
        size => tiles::checkpoint_at(registry.db(), log.stored(), size).await?.map(|it| it.note),
    };
    signed.ok_or_else(|| {
        Failure::Absent(format!(
            "no checkpoint of {size} entries was signed; `/logs/{log}/checkpoints` lists those that were"
        ))
    })
}

/// The checkpoints with less than `before` entries, the newest first.
pub async fn checkpoints(
    registry: &Registry,
    log: &LogName,
    before: Option<u64>,
    rows: u32,
) -> Result<Vec<StoredCheckpoint>, Failure> {
    let published = head(registry, log).await?;
    let before = before.unwrap_or(u64::MAX).min(published.size + 1);
    Ok(tiles::checkpoints(registry.db(), log.stored(), before, rows).await?)
}

/// The first hashes of a tile, 32 bytes each, of which the published tree has at least so many.
///
/// # Errors
/// [`Failure::Absent`] for what is beyond it.
pub async fn tile(registry: &Registry, log: &LogName, tile: TileRef) -> Result<Vec<u8>, Failure> {
    let published = head(registry, log).await?;
    let width = tile.id.width_at(published.size);
    if tile.width > width {
        let size = published.size;
        return Err(Failure::Absent(format!("in a log of {size} entries this tile holds {width} hashes")));
    }
    let data = tiles::read_one(registry.db(), log.stored(), tile).await?;
    data.ok_or_else(|| missing(log, &tile))
}

fn missing(log: &LogName, what: &dyn fmt::Display) -> Failure {
    StoreError::Corrupt(format!("log `{log}` lacks `{what}`, which is published")).into()
}

/// Up to 256 entries from `256 * index` on, of which the published log has at least so many: the bundle as it is read by
/// auditors.
///
/// # Errors
/// [`Failure::Absent`] for what is beyond it.
pub async fn bundle(
    registry: &Registry,
    _by: &Auditor,
    log: &LogName,
    index: u64,
    width: u16,
) -> Result<Vec<u8>, Failure> {
    let published = head(registry, log).await?;
    let from = index.saturating_mul(u64::from(TILE_WIDTH));
    let until = from.saturating_add(u64::from(width));
    if until > published.size {
        let size = published.size;
        return Err(Failure::Absent(format!(
            "the log has {size} entries, and this bundle ends with entry {until}"
        )));
    }
    let found = entries::read(registry.db(), log.stored(), from..until).await?;
    let found: Vec<Vec<u8>> = found.into_iter().map(|entry| entry.bytes).collect();
    encode_bundle(&found).map_err(|error| Failure::Unavailable(error.to_string()))
}

pub(super) fn refuse_beyond(published: TreeHead, size: u64) -> Result<(), Failure> {
    if size > published.size {
        let published = published.size;
        return Err(Failure::Absent(format!("the log has {published} entries, and not {size}")));
    }
    Ok(())
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::NoSuchLeaf { .. } | ProofError::Shrunk { .. } | ProofError::TooLarge(_) => {
                Self::Absent(error.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

async fn read_tiles(registry: &Registry, log: &LogName, tiles: Vec<TileRef>) -> Result<TileSet, Failure> {
    Ok(tiles::read(registry.db(), log.stored(), tiles).await?)
}

/// The proof that the entry at `index` is in the tree of `size` entries, the leaf's sibling first.
pub async fn inclusion(
    registry: &Registry,
    log: &LogName,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, Failure> {
    refuse_beyond(head(registry, log).await?, size)?;
    prove(registry, log, index, size).await
}

/// As [`inclusion`], of a size that is published.
pub(super) async fn prove(
    registry: &Registry,
    log: &LogName,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, Failure> {
    let tiles = read_tiles(registry, log, inclusion_tiles(index, size)?).await?;
    Ok(prove_inclusion(&tiles, index, size)?)
}

/// The proof that the tree of `new` entries begins with that of `old`.
pub async fn consistency(
    registry: &Registry,
    log: &LogName,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, Failure> {
    refuse_beyond(head(registry, log).await?, new)?;
    prove_extends(registry, log, old, new).await
}

/// As [`consistency`], of sizes that are published.
pub(super) async fn prove_extends(
    registry: &Registry,
    log: &LogName,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, Failure> {
    let tiles = read_tiles(registry, log, consistency_tiles(old, new)?).await?;
    Ok(prove_consistency(&tiles, old, new)?)
}

/// The proof that the entry at `index` is in the log, under the first checkpoint of at least `size` entries; under the
/// newest where no size is asked for.
pub async fn proof_file(
    registry: &Registry,
    log: &LogName,
    index: u64,
    size: Option<u64>,
) -> Result<ProofFile, Failure> {
    let published = head(registry, log).await?;
    let size = size.unwrap_or(published.size);
    refuse_beyond(published, size)?;
    let signed = tiles::checkpoint_covering(registry.db(), log.stored(), size.max(1)).await?;
    let signed = signed.ok_or_else(|| Failure::from(ProofError::NoSuchLeaf { index, size }))?;
    let hashes = prove(registry, log, index, signed.tree.size).await?;
    let checkpoint = checkpoint(registry, log, Which::OfSize(signed.tree.size)).await?;
    Ok(ProofFile { extra: None, index, hashes, checkpoint })
}

/// The entries of the act log that name the caller's organization as one of their parties, from this one on.
pub async fn party_entries(
    registry: &Registry,
    by: &Verified,
    from: u64,
    rows: u32,
) -> Result<Vec<StoredEntry>, Failure> {
    let published = registry.tree().await?.size;
    let org = by.actor().org().to_string();
    Ok(catalogue::party_entries(registry.db(), &org, from.min(published)..published, rows).await?)
}

/// One entry of the act log: for a party to it, an auditor who may read the log, and the registrar.
///
/// # Errors
/// [`Failure::NotFound`] for everybody else, and where there is none.
pub async fn entry(registry: &Registry, by: &Verified, index: u64) -> Result<StoredEntry, Failure> {
    let published = registry.tree().await?.size;
    if index >= published {
        return Err(Failure::NotFound);
    }
    let actor = by.actor();
    let is_auditor = actor.roles().meets(Roles::AUDITORS) && actor.scopes().holds(Scope::Audit);
    let found = if is_auditor || actor.roles().meets(Roles::REGISTRAR) {
        entries::read(registry.db(), ACTS, index..index + 1).await?
    } else {
        catalogue::party_entries(registry.db(), &actor.org().to_string(), index..index + 1, 1).await?
    };
    found.into_iter().next().ok_or(Failure::NotFound)
}
