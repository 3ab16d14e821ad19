//! One node: opening it, asking it, telling it.

mod error;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::control::lookup::{Internet, Lookup};
use super::credential::Realm;
use super::erasure;
use super::failure::Failure;
use super::journal::{Committer, Journal};
use super::keys::{KeySettings, Keys, LogSigner, ReceiptSigners, state_prepared};
use super::marks;
use super::metrics::Metrics;
use super::published::{self, Publisher};
use super::receipts;
use super::scrub::Found;
use super::sequencer::{Body, Sequencer, Submission, SubmitError, Submitted};
use super::shared::{FollowError, SharedIndex};
use super::sign_in::token::Tokens;
use super::sign_in::{Desk, token_keys};
use super::snapshot;
use super::together::Together;
use super::trail::Trail;
use crate::clock::{Clock, stopwatch};
use crate::domain::act::{LogOpened, RulesActivated};
use crate::domain::decide::KNOWN_RULES;
use crate::domain::ids::{KeyId, OrgId};
use crate::domain::index::{AsOf, Rotation};
use crate::log::merkle::TreeHead;
use crate::log::receipt::signed::Statement;
use crate::store::heads::Head;
use crate::store::high_water::HighWater;
use crate::store::{Db, StoreError, heads, private};

pub use error::OpenError;

/// The most keys whose last use is remembered; beyond that, it is forgotten and noted once more.
const MAX_NOTED: usize = 10_000;
/// How long the database may take until a node is not ready.
const READY_WITHIN: Duration = Duration::from_secs(3);

/// What a node needs to know before it opens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:PATH` or `postgres://…`.
    pub database_url: String,
    /// The folder of keys and the high-water mark. Several nodes on one database share the keys.
    pub data_dir: PathBuf,
    /// The origin of the act log: a schema-less URL that names this registry for ever.
    pub origin: String,
    /// The name of this process among those on the same database; its journal bears it.
    pub node: String,
    /// After how many milliseconds a developer is to ask again at the latest.
    pub recheck_max_ms: i64,
    /// How mail is sent.
    pub mail: MailSettings,
    /// Whether in every organization a second person must approve what may open something.
    pub four_eyes: bool,
    /// How long commands are admitted into one commit: [`ADMITTING`](super::sequencer::ADMITTING) is right, and only tests want
    /// another.
    pub admitting: Duration,
    /// Where the keys are; in the data folder where nothing else is said.
    pub keys: KeySettings,
}

/// How mail is sent.
#[derive(Clone)]
pub struct MailSettings {
    /// `folder:PATH`, or `smtp://…` and `smtps://…`, with a password where the server wants one.
    pub url: String,
    /// From whom it comes.
    pub sender: String,
    /// Where people reach this registry, without a slash at the end.
    pub public_url: String,
}

impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailSettings").field("sender", &self.sender).finish_non_exhaustive()
    }
}

impl MailSettings {
    /// Mail into a folder within the data folder.
    pub fn folder(data_dir: &Path) -> Self {
        Self {
            url: format!("{}{}", super::mail::FOLDER, data_dir.join("mail").display()),
            sender: "Kyodaku <kyodaku@localhost>".to_owned(),
            public_url: "http://127.0.0.1:8080".to_owned(),
        }
    }
}

/// One node; cloning shares it.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    realm: Realm,
    settings: Settings,
    shared: Arc<SharedIndex>,
    sequencer: Sequencer,
    together: Together,
    /// When the use of a key was last noted by this process, by the key's id.
    noted: Mutex<HashMap<KeyId, i64>>,
    journal: Journal,
    log_signer: LogSigner,
    lookup: OnceLock<Arc<dyn Lookup>>,
    desk: Desk,
    trail: Trail,
    metrics: Arc<Metrics>,
    publisher: Publisher,
    receipts: ReceiptSigners,
    found: Mutex<Found>,
}

impl Registry {
    /// Opens a node: makes the data folder and the keys if there are none, brings the tables up to date, refuses a
    /// database that is older than what was published, begins the log if it is empty, and folds it.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, OpenError> {
        Self::open_in(Realm::Live, settings, clock).await
    }

    /// As [`Registry::open`], for what is real or for what is not.
    pub(super) async fn open_in(realm: Realm, settings: Settings, clock: Clock) -> Result<Self, OpenError> {
        if !is_token(&settings.node) {
            return Err(OpenError::Node(settings.node));
        }
        make_folder(&settings.data_dir)?;
        // Whatever is wrong with a file is told before the database is looked at.
        Keys::look(&settings)?;
        let db = Db::connect(&settings.database_url).await?;
        erasure::empty_wal_at_start(&db).await;
        refuse_other_origin(&db, &settings).await?;
        published::refuse_lost_keys(&db, &settings).await?;
        let found = Keys::read(&settings)?;
        let high_water = marks::hold(&db, &settings, &marks::own_keys(&settings)?).await?;
        let [log_signer, journal_signer] = found.log_signers(&settings)?;
        state_prepared(&settings, &db, &clock, &found.pairs()).await?;
        published::note_keys(&db, &settings, [&log_signer, &journal_signer], &clock).await?;
        receipts::note_keys(&db, &ReceiptSigners::of(&found.receipt), &clock).await?;
        token_keys::note(&db, &found.token, &clock).await?;
        let publisher = Publisher::new(HighWater::open(&settings.data_dir, &settings.node).await?);
        let shared = Arc::new(match snapshot::load(&settings.data_dir, &db).await? {
            Some((index, frontier)) => SharedIndex::resume(high_water, index, frontier),
            None => SharedIndex::new(high_water),
        });
        shared.read_up(&db).await?;
        let found = found.mended(&settings, &shared)?;
        state_prepared(&settings, &db, &clock, &found.pairs()).await?;
        let ended: Vec<_> =
            shared.read().as_of(shared.published()).rotations().map(Rotation::ended).collect();
        published::note_ends(&db, &settings.node, &ended).await?;
        let [log_signer, journal_signer] = found.log_signers(&settings)?;
        let receipts = ReceiptSigners::of(&found.receipt);
        let desk = Desk::open(&settings, &found.token, &clock)?;
        let (acts, index) = (log_signer.clone(), Arc::clone(&shared));
        let Settings { four_eyes, admitting, .. } = settings;
        let sequencer = Sequencer::start(db.clone(), index, acts, clock.clone(), four_eyes, admitting);
        let journal = Journal::start(Committer {
            db: db.clone(),
            shared: Arc::clone(&shared),
            signer: journal_signer,
            clock: clock.clone(),
            node: settings.node.clone(),
            recheck_max_ms: settings.recheck_max_ms,
        });
        let together = Together::start(db.clone(), clock.clone());
        let metrics = Arc::new(Metrics::new());
        let trail = Trail::start(db.clone(), clock.clone(), Arc::clone(&metrics));
        let registry = Self(Arc::new(Inner {
            db,
            clock,
            realm,
            settings,
            shared,
            sequencer,
            together,
            noted: Mutex::default(),
            journal,
            log_signer,
            lookup: OnceLock::new(),
            desk,
            trail,
            metrics,
            publisher,
            receipts,
            found: Mutex::default(),
        }));
        registry.begin().await?;
        Ok(registry)
    }

    /// Writes the first two entries of an empty log.
    async fn begin(&self) -> Result<(), OpenError> {
        if self.0.shared.published() > 0 {
            return Ok(());
        }
        let registry = OrgId::new(self.0.clock.new_uuid());
        let opened = LogOpened { origin: self.0.settings.origin.clone(), registry, continues: None };
        let version = KNOWN_RULES.last().copied().unwrap_or_default();
        let acts = vec![(opened.into(), None), (RulesActivated { version }.into(), None)];
        let submission = Submission {
            party: registry,
            on_behalf_of: None,
            by: Vec::new(),
            acts,
            once: None,
            body: Body::none(),
            accounts: Vec::new(),
            unchanged: None,
        };
        match self.submit(submission).await {
            Ok(_) => Ok(()),
            // Another node was faster; its log is the one.
            Err(SubmitError::Refused(_)) if self.0.shared.published() > 0 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Records acts, all or none. When this returns they are committed, signed, marked and folded.
    ///
    /// It believes what the submission says of its party: the floors above never call it (a test reads their sources),
    /// but go through functions that take a proof of [`super::authority`].
    pub async fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let begun = stopwatch();
        let answer = self.0.sequencer.submit(submission).await;
        self.metrics().submitted(&answer, begun.elapsed());
        answer
    }

    /// Asks the index, after it has caught up with everything acknowledged before this call. The question is answered
    /// under a lock that writers wait for: ask and go.
    pub async fn read<T>(&self, ask: impl FnOnce(AsOf<'_>) -> T) -> Result<T, FollowError> {
        let published = self.0.shared.head();
        let head = self.0.together.head().await?;
        self.read_up_to(published, head, ask).await
    }

    /// As [`Registry::read`], for who has read the head of the log just now; `published` is what this node had published before
    /// that.
    pub(super) async fn read_up_to<T>(
        &self,
        published: TreeHead,
        head: TreeHead,
        ask: impl FnOnce(AsOf<'_>) -> T,
    ) -> Result<T, FollowError> {
        let size = self.0.shared.catch_up_to(&self.0.db, published, head).await?;
        Ok(ask(self.0.shared.read().as_of(size)))
    }

    /// Writes the snapshot file, so that the next start is fast. Called at a graceful stop and at intervals.
    pub async fn write_snapshot(&self) -> std::io::Result<()> {
        self.0.shared.write_snapshot(&self.0.settings.data_dir).await
    }

    /// Whether the use of a key at `now_ms` is for the caller to note: once in `interval_ms`, and to one caller.
    pub(super) fn is_to_note(&self, key: KeyId, now_ms: i64, interval_ms: i64) -> bool {
        let mut noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&key).is_some_and(|at| *at > now_ms.saturating_sub(interval_ms)) {
            return false;
        }
        if noted.len() >= MAX_NOTED {
            noted.clear();
        }
        noted.insert(key, now_ms);
        true
    }

    /// The head of the act log, and the version of the rules that holds there. Fails when this node has stopped or the
    /// database can't be asked.
    pub async fn head(&self) -> Result<(Head, u32), FollowError> {
        let published = self.0.shared.head();
        let head = heads::read(&self.0.db, heads::ACTS).await?;
        let head = head.ok_or_else(|| StoreError::Corrupt("the act log has no head".to_owned()))?;
        self.0.shared.catch_up_to(&self.0.db, published, head.tree()).await?;
        let rules = self.0.shared.read().as_of(head.size()).rule_version();
        Ok((head, rules))
    }

    /// Whether this node can answer: it has not stopped, and its database tells the head of the log within three seconds, by a
    /// read that all share who ask at the same time.
    pub async fn ready(&self) -> Result<(), FollowError> {
        let published = self.0.shared.head();
        let head = tokio::time::timeout(READY_WITHIN, self.0.together.head()).await;
        let late = |_| StoreError::Busy(format!("no answer within {} seconds", READY_WITHIN.as_secs()));
        self.0.shared.catch_up_to(&self.0.db, published, head.map_err(late)??).await?;
        Ok(())
    }

    /// Size and root of the act log as it is now: committed, signed, marked and folded here.
    pub(super) async fn tree(&self) -> Result<TreeHead, FollowError> {
        let published = self.0.shared.head();
        let head = self.0.together.head().await?;
        self.0.shared.catch_up_to(&self.0.db, published, head).await?;
        Ok(self.0.shared.head())
    }

    /// What this node tells everybody of the journals.
    pub(super) fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    /// The signed form of a statement, by the key that signs now.
    pub(super) fn sign_receipt(&self, typ: &str, statement: &Statement) -> Result<String, Failure> {
        let index = self.0.shared.read();
        let signer = self.0.receipts.at(index.as_of(self.0.shared.published()));
        let signed = signer.map_err(|gone| gone.to_string()).and_then(|signer| {
            signer.sign(typ, statement).map_err(|error| format!("the receipt can't be signed: {error}"))
        });
        signed.map_err(Failure::Unavailable)
    }

    /// Access tokens, by the keys that hold now.
    pub(super) fn tokens(&self) -> &Tokens {
        let tokens = self.0.desk.tokens();
        tokens.follow(self.0.shared.read().as_of(self.0.shared.published()));
        tokens
    }

    /// Whether the log has reached this size. What was acknowledged before the call is seen, on every node.
    pub async fn has_reached(&self, size: u64) -> Result<bool, FollowError> {
        let published = self.0.shared.head();
        let head = self.0.together.head().await?;
        Ok(self.0.shared.catch_up_to(&self.0.db, published, head).await? >= size)
    }

    /// As [`Registry::has_reached`], waiting for at most `limit` of the runtime's time. It asks once however short that is,
    /// and then every 50 ms.
    pub async fn wait_for(&self, size: u64, limit: Duration) -> Result<bool, FollowError> {
        if self.has_reached(size).await? {
            return Ok(true);
        }
        let reached = async {
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if self.has_reached(size).await? {
                    return Ok(true);
                }
            }
        };
        tokio::time::timeout(limit, reached).await.unwrap_or(Ok(false))
    }

    /// How this node looks at hosts from outside: by the internet, unless [`Registry::look_by`] said otherwise before.
    pub(super) fn lookup(&self) -> &dyn Lookup {
        self.0.lookup.get_or_init(|| Arc::new(Internet)).as_ref()
    }

    /// Lets something else stand in for the internet, once, before anything was looked up; `false` when it is too late.
    pub fn look_by(&self, lookup: Arc<dyn Lookup>) -> bool {
        self.0.lookup.set(lookup).is_ok()
    }

    /// What many requests read at once.
    pub(super) fn together(&self) -> &Together {
        &self.0.together
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether what is recorded here is real.
    pub fn realm(&self) -> Realm {
        self.0.realm
    }

    /// The settings that the node was opened with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The shared index.
    pub fn shared(&self) -> &Arc<SharedIndex> {
        &self.0.shared
    }

    /// What the scrub found.
    pub(super) fn found(&self) -> &Mutex<Found> {
        &self.0.found
    }

    /// What signing in needs.
    pub(super) fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// The trail of what concerns security.
    pub fn trail(&self) -> &Trail {
        &self.0.trail
    }

    /// Figures of this process.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How much waits in each queue.
    pub(super) fn queues(&self) -> [(&'static str, usize); 3] {
        let Inner { sequencer, journal, trail, .. } = &*self.0;
        [
            ("commands", sequencer.waiting()),
            ("checks", journal.waiting()),
            ("security_events", trail.waiting()),
        ]
    }

    /// Why this node does not do its work any more, where one of its tasks has ended: only another start helps.
    pub fn stopped(&self) -> Option<&'static str> {
        let Inner { sequencer, journal, together, trail, .. } = &*self.0;
        let tasks = [sequencer.stopped(), journal.stopped(), together.stopped(), trail.stopped()];
        tasks.into_iter().flatten().next()
    }

    /// The queue of checks.
    pub(super) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// The public key that verifies the act log's checkpoints, in the form of C2SP signed-note.
    pub fn verifier_key(&self) -> String {
        let index = self.0.shared.read();
        let signing = self.0.log_signer.at(index.as_of(self.0.shared.published()));
        signing.map_or(self.0.log_signer.key(), |signing| signing.signer.verifier_key()).to_string()
    }

    /// The party that stands for the installation.
    pub fn installation(&self) -> Option<OrgId> {
        self.0.shared.read().registry()
    }

    /// Now, as checks see it: the later of the clock and the head of the log, in milliseconds. A clock that is not believed
    /// moves nothing.
    pub fn moment_ms(&self) -> i64 {
        let head_ms = self.0.shared.head_ms();
        if self.is_clock_believed() { self.0.clock.now_ms().max(head_ms) } else { head_ms }
    }

    /// Whether the clock can be right. When it can't, nothing is recorded and no check answered.
    pub fn is_clock_believed(&self) -> bool {
        let Inner { clock, shared, .. } = &*self.0;
        shared.published() == 0 || clock.is_believed_after(shared.head_ms())
    }
}

/// Whether it can name a node.
pub(super) fn is_token(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(fits)
}

pub(super) fn make_folder(path: &Path) -> Result<(), OpenError> {
    private::make_folder(path).map_err(|source| OpenError::Folder { path: path.to_owned(), source })
}

/// Refuses a log of another name, and a journal that belongs to the log under another name.
async fn refuse_other_origin(db: &Db, settings: &Settings) -> Result<(), OpenError> {
    let expected = &settings.origin;
    match heads::read(db, heads::ACTS).await? {
        Some(head) if head.origin != *expected => {
            return Err(OpenError::Origin { expected: expected.clone(), found: head.origin });
        }
        _ => {}
    }
    let log = heads::checks_log(&settings.node);
    match heads::read(db, &log).await? {
        Some(head) if head.origin != format!("{expected}/{log}") => {
            Err(OpenError::Journal { node: settings.node.clone(), found: head.origin })
        }
        _ => Ok(()),
    }
}
