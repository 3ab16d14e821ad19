//! The high-water marks of a data folder, beside a database: the history to which they belong may have been given up.
//!
//! Where a log goes on under another name because what was published is lost (`kyodaku keys new-origin --give-up`), its first act
//! under that name says so, and every other node has marks that no database fits any more. They are set aside only where all of this
//! holds: the marks belong to the history under the old name; the log in the database went on from that name to the one in the
//! settings, by acts that stand in the tree of a checkpoint that a key of this data folder signed; one of these acts gives up
//! what lies beyond; and no mark lies within what was carried over and says something else.

use super::keys::{KeyName, SigningKeyError};
use super::node::Settings;
use crate::domain::act::{Act, LogContinued};
use crate::domain::entry::Entry;
use crate::log::checkpoint::{VerifierKey, verify_by_any};
use crate::log::merkle::{TreeHead, leaf_hash};
use crate::log::proof::{inclusion_tiles, prove_inclusion, verify_inclusion};
use crate::store::heads::{self, ACTS, Head};
use crate::store::high_water::HighWater;
use crate::store::{Db, StoreError, entries, log_keys, tiles};

/// The most names that a log had.
const MOST_NAMES: usize = 1_000;

/// The keys of the act log in the data folder of these settings, by the name there.
pub(super) fn own_keys(settings: &Settings) -> Result<Vec<VerifierKey>, SigningKeyError> {
    let Some(pair) = settings.key(KeyName::ActLog).existing_pair()? else { return Ok(Vec::new()) };
    let seeds = [Some(pair.current), pair.next].into_iter().flatten();
    let key = |seed| super::keys::verifier_key(&seed, &settings.origin);
    seeds.map(key).collect()
}

/// The marks of a node, as they hold of this database. Those of a history that was given up are set aside, and there are none then.
///
/// # Errors
/// [`StoreError::HighWater`] where they do not hold.
pub(super) async fn hold(
    db: &Db,
    settings: &Settings,
    keys: &[VerifierKey],
) -> Result<HighWater, StoreError> {
    let (folder, node) = (&settings.data_dir, &settings.node);
    let mut marks = HighWater::open(folder, node).await?;
    if !fit(db, &marks, keys).await? {
        let file = HighWater::set_aside(folder, node)?;
        tracing::warn!(
            target: "kyodaku::log",
            "the log went on under another name, and what was published beyond was given up: `{file}` says what this node had published"
        );
        marks = HighWater::open(folder, node).await?;
    }
    marks.belong_to(&settings.origin).await?;
    Ok(marks)
}

/// Whether the marks hold of this database; not where they belong to a history that was given up.
///
/// # Errors
/// [`StoreError::HighWater`] where neither is so.
pub(super) async fn fit(db: &Db, marks: &HighWater, keys: &[VerifierKey]) -> Result<bool, StoreError> {
    match marks.check(db).await {
        Err(StoreError::HighWater(why)) => {
            if are_given_up(db, marks, keys).await? {
                return Ok(false);
            }
            Err(StoreError::HighWater(why))
        }
        other => other.map(|()| true),
    }
}

async fn are_given_up(db: &Db, marks: &HighWater, keys: &[VerifierKey]) -> Result<bool, StoreError> {
    let Some(head) = heads::read(db, ACTS).await? else { return Ok(false) };
    let Some(from) = marks.origin().filter(|from| *from != head.origin) else { return Ok(false) };
    let signed = verify_by_any(head.checkpoint.as_bytes(), keys);
    if !signed.is_ok_and(|signed| signed.origin == head.origin && signed.head() == head.tree()) {
        return Ok(false);
    }
    let Some(Way { left, gives_up: true }) = way(db, &head, from).await? else { return Ok(false) };
    for (log, mark) in marks.all() {
        if !is_beyond_or_carried_over(db, &left, log, mark).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How the log came from a name that it had to the one that it has.
pub(super) struct Way {
    /// The act with which it left that name.
    left: LogContinued,
    /// Whether an act on the way gives up what lies beyond.
    pub(super) gives_up: bool,
}

/// The way of the log from this name to the one of its head, by acts that are in the tree of the head; none where there is none.
pub(super) async fn way(db: &Db, head: &Head, from: &str) -> Result<Option<Way>, StoreError> {
    let Some(left) = left(db, head, from).await? else { return Ok(None) };
    let (mut name, mut names, mut gives_up) = (left.origin.clone(), 1, left.gives_up);
    while name != head.origin {
        let Some(next) = self::left(db, head, &name).await?.filter(|_| names < MOST_NAMES) else {
            return Ok(None);
        };
        (name, names, gives_up) = (next.origin, names + 1, gives_up || next.gives_up);
    }
    Ok(Some(Way { left, gives_up }))
}

/// The act with which the log left this name, where it is in the tree of the head.
async fn left(db: &Db, head: &Head, from: &str) -> Result<Option<LogContinued>, StoreError> {
    let ends = log_keys::ends(db, ACTS).await?;
    let is_of = |key: &str| key.parse::<VerifierKey>().is_ok_and(|key| key.name() == from);
    let size = ends.iter().filter(|end| is_of(&end.verifier_key)).map(|end| end.last_size).max();
    let Some(at) = size.filter(|at| *at < head.size()) else { return Ok(None) };
    let Some(stored) = entries::present(db, ACTS, at..at.saturating_add(1)).await?.pop() else {
        return Ok(None);
    };
    let Ok(Entry { act: Act::LogContinued(act), .. }) = serde_json::from_slice(&stored.bytes) else {
        return Ok(None);
    };
    let tree = head.tree();
    let Ok(due) = inclusion_tiles(at, tree.size) else { return Ok(None) };
    let proof = prove_inclusion(&tiles::read(db, ACTS, due).await?, at, tree.size);
    let is_in_tree =
        proof.is_ok_and(|proof| verify_inclusion(tree, at, leaf_hash(&stored.bytes), &proof).is_ok());
    Ok((is_in_tree && act.from == from && act.size == at).then_some(act))
}

/// Whether what a mark says is beyond what was carried over from the old name, or is what was carried over.
async fn is_beyond_or_carried_over(
    db: &Db,
    left: &LogContinued,
    log: &str,
    mark: TreeHead,
) -> Result<bool, StoreError> {
    let until = if log == ACTS {
        left.size
    } else {
        match heads::read(db, log).await? {
            // A journal that was begun since is none of those that were given up.
            Some(head) if !head.origin.starts_with(&format!("{}/", left.from)) => return Ok(false),
            head => head.map_or(0, |head| head.size()),
        }
    };
    Ok(mark.size > until || tiles::root_at(db, log, mark.size).await? == mark.root)
}
