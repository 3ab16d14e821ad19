//! The way out of a key of the act log that was lost or stolen, and of a history that is shorter than what was published: the same
//! log goes on under another name and another key, and its first entry under the new name commits to the last checkpoint that
//! is to be believed under the old one.

use super::{KeyName, Place, SigningKeyError, of_seed};
use crate::clock;
use crate::clock::{Clock, NOT_BELIEVED};
use crate::domain::act::{Act, JournalSealed, LogContinued};
use crate::domain::command::{Command, Proposed, record};
use crate::domain::entry::{Entry, Salt};
use crate::domain::ids::OrgId;
use crate::domain::key::Sha256;
use crate::log::canonical::to_canonical;
use crate::log::checkpoint::{CheckpointSigner, VerifierKey, verify_by_any};
use crate::log::merkle::TreeHead;
use crate::registry::catalogue;
use crate::registry::marks;
use crate::registry::node::Settings;
use crate::registry::published::first_named;
use crate::registry::shared::{FollowError, SharedIndex};
use crate::store::append::append_as;
use crate::store::heads::{self, ACTS, Head};
use crate::store::high_water::HighWater;
use crate::store::log_keys::{self, KeyEnd, LogKey};
use crate::store::{Db, StoreError, Tx};

/// The most journals that are sealed.
const MOST: u32 = 900;

/// How a log went on.
#[derive(Clone, Debug)]
pub struct Continued {
    /// The old name, with the last checkpoint that is to be believed under it; none where it went on before, and only what was
    /// left over was done now.
    pub from: Option<(String, TreeHead)>,
    /// The new key, by its public form.
    pub key: String,
    /// The mark of what was published and is given up, where it was set aside.
    pub set_aside: Option<String>,
}

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ContinueError {
    /// It would be wrong.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The key.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

fn refused(why: impl Into<String>) -> ContinueError {
    ContinueError::Refused(why.into())
}

/// Lets the log in this database go on as `origin`, with a key that is made now. No server may run meanwhile. With `give_up`, also
/// where the history is shorter than what was published from this data folder, or another one. What was done half is done whole by
/// calling it again.
///
/// # Errors
/// [`ContinueError::Refused`] where the newest checkpoint is not to be believed, or the name was used before.
pub async fn continue_log(
    settings: &Settings,
    origin: &str,
    db: &Db,
    clock: &Clock,
    give_up: bool,
) -> Result<Continued, ContinueError> {
    let place = settings.key(KeyName::ActLog);
    let head = heads::read(db, ACTS).await?.filter(|head| head.size() > 0);
    let head = head.ok_or_else(|| refused("the database holds no log"))?;
    let marks = HighWater::open(&settings.data_dir, &settings.node).await?;
    let lacks = marks.check(db).await;
    match lacks {
        Err(StoreError::HighWater(why)) if !give_up => {
            return Err(refused(format!(
                "{why}; to give up for ever what was published and is not here, say `--give-up`"
            )));
        }
        Ok(()) | Err(StoreError::HighWater(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let is_short = lacks.is_err();
    let from = if head.origin == origin {
        if is_short {
            refuse_ungiven(db, &head, &marks).await?;
        }
        None
    } else {
        go_on(settings, (origin, give_up), db, clock, (&head, &place)).await?;
        Some((head.origin.clone(), head.tree()))
    };
    // The act counts; the marks and the file follow it.
    let set_aside =
        if is_short { Some(HighWater::set_aside(&settings.data_dir, &settings.node)?) } else { None };
    let size = heads::read_tree(db, ACTS).await?.unwrap_or(TreeHead::EMPTY);
    let mut marks = HighWater::open(&settings.data_dir, &settings.node).await?;
    marks.raise(&[(ACTS, size)]).await?;
    marks.belong_to(origin).await?;
    // Not one that was prepared since, which an act must let sign.
    let began = first_named(&log_keys::of_log(db, ACTS).await?, origin);
    let next = place.next()?.map(|seed| of_seed(&seed, origin)).transpose()?;
    if next.is_some_and(|next| Some(next.verifier_key().to_string()) == began) {
        place.switch()?;
    }
    // As the log has it: where the key is kept elsewhere, the old one may still stand there.
    Ok(Continued { from, key: began.unwrap_or_default(), set_aside })
}

/// Nothing is set aside that the log does not give up: other nodes would go on refusing it.
async fn refuse_ungiven(db: &Db, head: &Head, marks: &HighWater) -> Result<(), ContinueError> {
    let Some(from) = marks.origin() else { return Ok(()) };
    match marks::way(db, head, from).await? {
        Some(way) if !way.gives_up => Err(refused(format!(
            "the log goes on as `{}` already, and no act that led there gives up anything: let it go on under another name, with `--give-up`, from this data folder",
            head.origin
        ))),
        _ => Ok(()),
    }
}

async fn go_on(
    settings: &Settings,
    (origin, gives_up): (&str, bool),
    db: &Db,
    clock: &Clock,
    (head, place): (&Head, &Place),
) -> Result<(), ContinueError> {
    refuse_unbelieved(db, head).await?;
    let shared = SharedIndex::new(HighWater::open(&settings.data_dir, &settings.node).await?);
    shared.read_up(db).await?;
    if shared.head() != head.tree() {
        return Err(refused("the log grew meanwhile: stop every server first"));
    }
    if !clock.is_believed_after(shared.head_ms()) {
        return Err(refused(NOT_BELIEVED));
    }
    // Not by the times of journals: one that was written while a clock was ahead would make all answers those of a time to come.
    let at_ms = clock.now_ms().max(shared.head_ms());
    let installation = shared.read().registry();
    let installation = installation.ok_or_else(|| refused("the log was never opened"))?;
    let acts = acts(db, head, origin, gives_up).await?;
    let mut tx = db.begin().await?;
    let locked = heads::lock(&mut tx, ACTS).await?;
    if locked.as_ref() != Some(head) {
        return Err(refused("the log grew meanwhile: stop every server first"));
    }
    let entries = admitted(&shared, installation, acts, at_ms)?;
    // Never one that was prepared: whoever stole the key of today may have that too.
    let signer = of_seed(&place.prepare_anew()?, origin)?;
    write(&mut tx, &shared, (head, &signer), &entries, at_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// The newest checkpoint must be signed by a key of the log: otherwise it is not the last good one.
async fn refuse_unbelieved(db: &Db, head: &Head) -> Result<(), ContinueError> {
    let noted = log_keys::of_log(db, ACTS).await?;
    let keys: Vec<VerifierKey> = noted.iter().filter_map(|key| key.verifier_key.parse().ok()).collect();
    let keys: Vec<VerifierKey> = keys.into_iter().filter(|key| key.name() == head.origin).collect();
    match verify_by_any(head.checkpoint.as_bytes(), &keys) {
        Ok(checkpoint) if checkpoint.head() == head.tree() => Ok(()),
        _ => Err(refused(
            "the newest checkpoint is not signed by a key of the log: restore a database that is as it was signed",
        )),
    }
}

/// What is recorded: that it goes on, and the journals of the old name as they end.
async fn acts(db: &Db, head: &Head, origin: &str, gives_up: bool) -> Result<Vec<Act>, ContinueError> {
    let (from, origin, size) = (head.origin.clone(), origin.to_owned(), head.size());
    let root = Sha256(head.tree().root.0);
    let mut acts: Vec<Act> = vec![LogContinued { from, origin, size, root, gives_up }.into()];
    for (log, journal) in heads::page(db, "", MOST).await? {
        let Some(TreeHead { size, root }) = heads::read_tree(db, &log).await?.filter(|_| log != ACTS) else {
            continue;
        };
        if size > 0 && journal.starts_with(&format!("{}/", head.origin)) {
            acts.push(JournalSealed { journal, size, root: Sha256(root.0) }.into());
        }
    }
    Ok(acts)
}

fn admitted(
    shared: &SharedIndex,
    party: OrgId,
    acts: Vec<Act>,
    at_ms: i64,
) -> Result<Vec<Entry>, ContinueError> {
    let acts = acts.into_iter().map(|act| Proposed { act, payload: None }).collect();
    let command = Command { party, on_behalf_of: None, by: Vec::new(), acts };
    record(&mut shared.write(), &command, at_ms, || Salt(clock::random())).map_err(|refusals| {
        let why: Vec<String> = refusals.into_iter().map(|refusal| refusal.detail).collect();
        refused(why.join("; "))
    })
}

async fn write(
    tx: &mut Tx,
    shared: &SharedIndex,
    (head, signer): (&Head, &CheckpointSigner),
    entries: &[Entry],
    at_ms: i64,
) -> Result<(), ContinueError> {
    let mut bytes = Vec::with_capacity(entries.len());
    for (index, entry) in (head.size()..).zip(entries) {
        bytes.push(to_canonical(entry).map_err(|error| StoreError::Program(error.to_string()))?);
        let changes = catalogue::changes(&shared.read(), index, entry, None, None);
        catalogue::write(tx, &changes).await?;
    }
    append_as(tx, head, &bytes, signer, at_ms).await?;
    let key = signer.verifier_key().to_string();
    let (log, first_size) = (ACTS.to_owned(), head.size());
    log_keys::put(tx, &LogKey { log, verifier_key: key, first_size, first_ms: at_ms }).await?;
    for verifier_key in log_keys::named(tx, ACTS, &head.origin).await? {
        let (log, last_size) = (ACTS.to_owned(), head.size());
        log_keys::put_end(tx, &KeyEnd { log, verifier_key, last_size, last_ms: at_ms }).await?;
    }
    Ok(())
}
