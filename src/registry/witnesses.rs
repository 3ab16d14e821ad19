//! Our checkpoints go to witnesses (C2SP `tlog-witness`), and what they cosign is kept and served with the checkpoint: those of the
//! act log and of a node's own journal from that node, those of nodes that have left from every other one.
//!
//! Nothing waits for a witness. Each is asked by a task of its own, one request at a time, at intervals; one that is slow,
//! broken or lies is asked less and less often, and nothing of it is believed that its key did not sign.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, redirect};
use tokio::task::JoinSet;

use super::failure::Failure;
use super::node::Registry;
use super::published::{self, LogName};
use crate::log::checkpoint::{CheckpointError, CosignerKey, KeyError, parse_size};
use crate::store::cosignatures::{self, Cosignature, Left};

/// How long a witness may take for one answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes: far more than a few signature lines.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long a witness that fails is left alone at most.
const MAX_PAUSE: Duration = Duration::from_mins(5);
/// By how many seconds the clock of a witness may be ahead.
const MAX_AHEAD_S: u64 = 3_600;
/// How long a journal of another node has not grown that is sent on from here: whoever writes it still has sent it by then. It is
/// looked for them so often, too.
const LEFT_MS: i64 = 60_000;
/// The most journals of other nodes that one look sends on; the next one begins after them.
const MOST_LEFT: u32 = 32;
/// The media type of the size that a witness answers with 409.
const SIZE_TYPE: &str = "text/x.tlog.size";
/// What a witness answers of a log that it does not know.
const UNKNOWN: u16 = 404;

/// A witness that is asked: its key, and the URL under which it takes checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessSettings {
    /// Its public key.
    pub key: CosignerKey,
    /// The prefix of its URL, without a slash at the end.
    pub url: String,
}

/// Text that is no witness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessSettingsError {
    /// The key.
    #[error("`{0}` is not the key of a witness: {1}")]
    Key(String, KeyError),
    /// The URL of the witness with this key. It is not told itself: a password may stand in it.
    #[error("the URL of `{0}` is not an `http` or `https` URL without a user, a password and a query")]
    Url(String),
}

impl WitnessSettings {
    /// A witness from the texts of its key and its URL.
    pub fn new(key: &str, url: &str) -> Result<Self, WitnessSettingsError> {
        let known =
            CosignerKey::from_str(key).map_err(|error| WitnessSettingsError::Key(key.to_owned(), error))?;
        let fits = url::Url::parse(url).is_ok_and(|parsed| {
            matches!(parsed.scheme(), "http" | "https")
                && parsed.has_host()
                // Settings are shown to people.
                && parsed.username().is_empty()
                && parsed.password().is_none()
                && parsed.query().is_none()
                && parsed.fragment().is_none()
        });
        if !fits {
            return Err(WitnessSettingsError::Url(key.to_owned()));
        }
        Ok(Self { key: known, url: url.trim_end_matches('/').to_owned() })
    }
}

/// Why a witness cosigned nothing.
#[derive(Debug, thiserror::Error)]
pub enum NoCosignature {
    /// It can't be reached, or took too long.
    #[error("it does not answer: {0}")]
    Unreachable(String),
    /// It refuses, or speaks another protocol.
    #[error("it answers {0}")]
    Status(u16),
    /// The answer is too long, or has not its form.
    #[error("its answer can't be read")]
    Unreadable,
    /// What it answers bears no good signature of its key.
    #[error("its answer is not believed: {0}")]
    Unbelieved(CheckpointError),
    /// The cosignature is of a time that is to come.
    #[error("its cosignature is of a time to come, {0} seconds since 1970")]
    Ahead(u64),
    /// It saw a larger checkpoint of this log than there is: another history, or an older copy of the database here.
    #[error("it has seen {seen} entries of a log that has {size} here: look for another history at once")]
    Beyond {
        /// What it has seen.
        seen: u64,
        /// What is published here.
        size: u64,
    },
    /// This node.
    #[error(transparent)]
    Registry(#[from] Failure),
}

impl NoCosignature {
    /// Whether there is no use in asking for another log now.
    fn ends_look(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Registry(_))
    }

    /// Which of several is told.
    fn rank(&self) -> (bool, bool) {
        (matches!(self, Self::Beyond { .. }), self.ends_look())
    }

    /// This one after an earlier one, or the earlier one, where it weighs as much.
    fn after(self, earlier: Option<Self>) -> Self {
        earlier.filter(|earlier| earlier.rank() >= self.rank()).unwrap_or(self)
    }
}

impl From<reqwest::Error> for NoCosignature {
    fn from(error: reqwest::Error) -> Self {
        // Not the URL: it may hold what is nobody's business.
        Self::Unreachable(error.without_url().to_string())
    }
}

impl From<crate::store::StoreError> for NoCosignature {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Registry(error.into())
    }
}

/// A witness as it is asked.
#[derive(Clone, Debug)]
pub struct WitnessClient {
    settings: WitnessSettings,
    client: Client,
    /// How far the journals of other nodes were sent on. Cloning shares it.
    sent: Arc<Mutex<Sent>>,
}

/// How far the journals of other nodes were sent on.
#[derive(Debug, Default)]
struct Sent {
    /// The last one that was looked at; the next look begins after it.
    after: String,
    /// When that was.
    looked_ms: i64,
    /// Those of which it was told that the witness does not know them.
    unknown: BTreeSet<String>,
}

enum Answer {
    Lines(String),
    Seen(u64),
}

impl WitnessClient {
    /// A client that follows no redirect, uses no proxy and does not wait long.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn new(settings: WitnessSettings) -> Result<Self, NoCosignature> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(ANSWER)
            .timeout(ANSWER)
            .build()?;
        Ok(Self { settings, client, sent: Arc::default() })
    }

    fn sent(&self) -> MutexGuard<'_, Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells that the witness gave nothing for a journal of another node; that it does not know it, loudly the first time alone.
    fn tell_left(&self, log: &LogName, error: &NoCosignature) {
        let witness = self.settings.key.name();
        let is_unknown = matches!(error, NoCosignature::Status(UNKNOWN));
        if is_unknown && !self.sent().unknown.insert(log.to_string()) {
            tracing::debug!(target: "kyodaku::witness", witness, %log, %error, "the witness did not cosign the journal of a node that has left");
        } else {
            tracing::warn!(target: "kyodaku::witness", witness, %log, %error, "the witness did not cosign the journal of a node that has left");
        }
    }

    async fn send(&self, old: u64, proof: &[String], note: &str) -> Result<Answer, NoCosignature> {
        let proof: String = proof.iter().flat_map(|line| [line, "\n"]).collect();
        let body = format!("old {old}\n{proof}\n{note}");
        let url = format!("{}/add-checkpoint", self.settings.url);
        let mut answer = self.client.post(url).body(body).send().await?;
        let status = answer.status();
        let is_size = answer.headers().get(CONTENT_TYPE).is_some_and(|value| value == SIZE_TYPE);
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(NoCosignature::Unreadable);
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| NoCosignature::Unreadable)?;
        match status {
            StatusCode::OK => Ok(Answer::Lines(text)),
            StatusCode::CONFLICT if is_size => {
                let size = text.strip_suffix('\n').and_then(parse_size);
                size.map(Answer::Seen).ok_or(NoCosignature::Unreadable)
            }
            other => Err(NoCosignature::Status(other.as_u16())),
        }
    }
}

impl Registry {
    /// Asks this witness for what it has not cosigned of the act log and of this node's journal, and now and then of the journals of
    /// nodes that have left; how many cosignatures that gave.
    ///
    /// # Errors
    /// At once where it does not answer at all, and where it is this node that fails. Otherwise at the end, whatever the other logs
    /// gave, with the first of the own two that it did not cosign. That it does not cosign a journal of a node that has left is no
    /// error. But that it has seen more of any log than there is goes before everything else.
    pub async fn ask_witness(&self, witness: &WitnessClient) -> Result<usize, NoCosignature> {
        let own = LogName::journal(&self.settings().node);
        let (mut given, mut wrong) = (0, None);
        for log in [LogName::acts(), own.clone()] {
            match self.ask_newest(witness, &log).await {
                Ok(is_given) => given += usize::from(is_given),
                Err(error) if error.ends_look() => return Err(error.after(wrong)),
                Err(error) => wrong = Some(error.after(wrong)),
            }
        }
        let left = self.left(witness, &own).await;
        let left = left.map_err(|error| error.after(wrong.take()))?;
        // Those were the last ones.
        let is_end = left.as_ref().is_some_and(|left| left.len() < MOST_LEFT as usize);
        for log in left.into_iter().flatten() {
            // Whatever becomes of it, the next look goes on behind it.
            log.stored().clone_into(&mut witness.sent().after);
            match self.ask_newest(witness, &log).await {
                Ok(is_given) => given += usize::from(is_given),
                Err(error) if error.ends_look() => return Err(error.after(wrong)),
                Err(error @ NoCosignature::Beyond { .. }) => wrong = Some(error.after(wrong)),
                Err(error) => witness.tell_left(&log, &error),
            }
        }
        if is_end {
            witness.sent().after.clear();
        }
        wrong.map_or(Ok(given), Err)
    }

    /// The next journals of nodes that have left; none where it was looked for them just now. Every node that is up sends them on:
    /// who is later finds that nothing is lacking any more, or gets the same cosignature.
    async fn left(
        &self,
        witness: &WitnessClient,
        own: &LogName,
    ) -> Result<Option<Vec<LogName>>, NoCosignature> {
        let now_ms = self.clock().now_ms();
        let after = {
            let mut sent = witness.sent();
            if now_ms.abs_diff(sent.looked_ms) < LEFT_MS.unsigned_abs() {
                return Ok(None);
            }
            sent.looked_ms = now_ms;
            sent.after.clone()
        };
        let of = Left { own: own.stored(), after: &after, since_ms: now_ms.saturating_sub(LEFT_MS) };
        let key = witness.settings.key.to_string();
        let left = cosignatures::left(self.db(), of, &key, MOST_LEFT).await?;
        Ok(Some(left.into_iter().map(LogName::stored_as).collect()))
    }

    async fn ask_newest(&self, witness: &WitnessClient, log: &LogName) -> Result<bool, NoCosignature> {
        match published::head(self, log).await {
            // A journal that is not begun.
            Err(Failure::NotFound) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(head) if head.size == 0 => Ok(false),
            Ok(head) => self.ask_about(witness, log, head.size).await,
        }
    }

    async fn ask_about(
        &self,
        witness: &WitnessClient,
        log: &LogName,
        size: u64,
    ) -> Result<bool, NoCosignature> {
        let key = &witness.settings.key;
        let mut old = cosignatures::last(self.db(), log.stored(), &key.to_string()).await?.unwrap_or(0);
        if old >= size {
            return Ok(false);
        }
        let note = published::signed_note(self, log, size).await?;
        let mut told = None;
        // Once more where it remembers another checkpoint than we do.
        for _ in 0..2 {
            let proof = published::consistency(self, log, old, size).await?;
            let proof: Vec<String> = proof.iter().map(|hash| BASE64.encode(hash.as_ref())).collect();
            match witness.send(old, &proof, &note).await? {
                Answer::Seen(seen) if seen > size => return self.overtaken(log, seen).await,
                // It has seen more since it was asked first: another node sends the same log.
                Answer::Seen(seen) if told.is_some_and(|told| told < seen) => return Ok(false),
                Answer::Seen(seen) => (old, told) = (seen, Some(seen)),
                Answer::Lines(lines) => return self.take(key, log, size, &note, &lines).await,
            }
        }
        Err(NoCosignature::Status(StatusCode::CONFLICT.as_u16()))
    }

    /// It has seen more than was sent: another node sent it since, if the log has so much by now.
    async fn overtaken(&self, log: &LogName, seen: u64) -> Result<bool, NoCosignature> {
        let size = published::head(self, log).await?.size;
        if seen > size { Err(NoCosignature::Beyond { seen, size }) } else { Ok(false) }
    }

    /// Keeps the cosignature of a checkpoint, if it is one.
    async fn take(
        &self,
        key: &CosignerKey,
        log: &LogName,
        size: u64,
        note: &str,
        lines: &str,
    ) -> Result<bool, NoCosignature> {
        let (line, at_s) = key.find(note.as_bytes(), lines).map_err(NoCosignature::Unbelieved)?;
        let now_s = u64::try_from(self.clock().now_ms() / 1_000).unwrap_or_default();
        if at_s > now_s.saturating_add(MAX_AHEAD_S) {
            return Err(NoCosignature::Ahead(at_s));
        }
        let (log, witness) = (log.stored().to_owned(), key.to_string());
        let mut tx = self.db().begin().await?;
        cosignatures::put(&mut tx, &Cosignature { log, size, witness, line, at_s }).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Asks these witnesses at this interval, each in a task of its own, until the set is dropped.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub fn watched_by(
        &self,
        witnesses: Vec<WitnessSettings>,
        interval: Duration,
    ) -> Result<JoinSet<()>, NoCosignature> {
        let mut tasks = JoinSet::new();
        for settings in witnesses {
            let client = WitnessClient::new(settings)?;
            tasks.spawn(keep_asking(self.clone(), client, interval));
        }
        Ok(tasks)
    }
}

async fn keep_asking(registry: Registry, witness: WitnessClient, interval: Duration) {
    let name = witness.settings.key.name().to_owned();
    let (mut pause, mut failed) = (interval, false);
    loop {
        tokio::time::sleep(pause).await;
        match registry.ask_witness(&witness).await {
            Ok(given) => {
                if failed {
                    tracing::info!(target: "kyodaku::witness", witness = name, given, "the witness cosigns again");
                }
                (pause, failed) = (interval, false);
            }
            Err(error) => {
                pause = pause.saturating_mul(2).min(MAX_PAUSE).max(interval);
                failed = true;
                match error {
                    NoCosignature::Beyond { .. } => {
                        tracing::error!(target: "kyodaku::witness", witness = name, %error, "the witness has seen another log");
                    }
                    NoCosignature::Registry(_) => {
                        tracing::warn!(target: "kyodaku::witness", witness = name, %error, "the witness could not be asked");
                    }
                    _ => {
                        tracing::warn!(target: "kyodaku::witness", witness = name, %error, "the witness did not cosign");
                    }
                }
            }
        }
    }
}
