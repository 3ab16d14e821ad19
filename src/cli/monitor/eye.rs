//! What a monitor fetches. Nothing of it is believed here.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::Failure;
use crate::cli::transport::{MAX_ANSWER_BYTES, Transport, Unread, whole};
use crate::http::sandbox::MARK;
use crate::log::merkle::Hash;
use crate::log::tile::TilePath;
use crate::registry::offline::{MAX_LOGS, ToldLog, ToldPage};

/// How many logs are asked for at once.
const PAGE: usize = 200;

/// The name of the act log.
const ACTS: &str = "acts";

/// Which log of which registry.
#[derive(clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct EyeArgs {
    /// The server
    #[arg(long, env = "KYODAKU_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    url: String,
    /// Which of its logs, as `GET /logs` names them
    #[arg(long, value_name = "NAME", default_value = "acts")]
    name: String,
    /// The API key for `--watch`, better given in the environment; by that of an auditor it is read too which keys the acts end
    #[arg(long, env = "KYODAKU_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// After how many seconds without an answer the server counts as unavailable
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
}

impl std::fmt::Debug for EyeArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EyeArgs").field("url", &self.url).field("name", &self.name).finish_non_exhaustive()
    }
}

impl EyeArgs {
    /// Whether there is a key.
    pub(super) fn has_key(&self) -> bool {
        self.api_key.as_ref().is_some_and(|key| !key.trim().is_empty())
    }
}

/// Why there was nothing to look at.
pub(super) enum NoLook {
    /// The server does not answer, or not so that it can be read. It says nothing about the log.
    NoAnswer(String),
    /// This program.
    Failure(Failure),
}

impl From<Failure> for NoLook {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Unread> for NoLook {
    fn from(unread: Unread) -> Self {
        Self::NoAnswer(unread.to_string())
    }
}

#[derive(Deserialize)]
struct Proof {
    hashes: Vec<String>,
}

#[derive(Deserialize)]
struct EntryPage {
    items: Vec<ToldEntry>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct ToldEntry {
    index: u64,
    entry: String,
}

/// What there is for whoever asks for a bundle of entries.
pub(super) enum Bundle {
    /// It.
    Told(Vec<u8>),
    /// It is not for the key.
    Refused,
    /// So much was asked for that it is another time's: the status.
    Later(u16),
}

/// A log, as it is fetched.
pub(super) struct Eye {
    transport: Transport,
    name: String,
}

impl Eye {
    /// The log that the arguments name.
    pub(super) fn open(args: &EyeArgs) -> Result<Self, Failure> {
        let timeout = Duration::from_secs(args.timeout);
        let transport = Transport::open(&args.url, args.api_key.as_deref(), timeout)?;
        Ok(Self { transport, name: args.name.clone() })
    }

    /// Whether it is the act log.
    pub(super) fn is_acts(&self) -> bool {
        self.name == ACTS
    }

    /// Whether there is a key.
    pub(super) fn has_key(&self) -> bool {
        self.transport.has_key()
    }

    /// Something of the log that everybody may read.
    fn of_log(&self, rest: &str) -> RequestBuilder {
        self.transport.get_public(&format!("/logs/{}/{rest}", self.name))
    }

    /// Status and body.
    async fn get(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), NoLook> {
        let answer = request.send().await.map_err(Unread::from)?;
        if answer.headers().contains_key(MARK) {
            return Err(NoLook::NoAnswer(
                "the answer is one of a sandbox, in which nothing is real".to_owned(),
            ));
        }
        Ok((answer.status().as_u16(), whole(answer, MAX_ANSWER_BYTES).await?))
    }

    /// The text of what is there for whoever asks; none where the server says that it is not, or that it is for others.
    async fn text(&self, request: RequestBuilder) -> Result<Option<String>, NoLook> {
        match self.get(request).await? {
            (200, bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|_| NoLook::NoAnswer("the answer is no text".to_owned())),
            (401 | 403 | 404, _) => Ok(None),
            (status, _) => Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        }
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, NoLook> {
        match self.get(request).await? {
            (200, bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| NoLook::NoAnswer(format!("the answer can't be read: {error}"))),
            (status, _) => Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        }
    }

    /// The newest checkpoint, as it is told.
    pub(super) async fn checkpoint(&self) -> Result<String, NoLook> {
        let found = self.text(self.of_log("checkpoint")).await?;
        found.ok_or_else(|| NoLook::NoAnswer("the server tells no checkpoint".to_owned()))
    }

    /// The newest checkpoint that a witness cosigned, if there is one.
    pub(super) async fn cosigned(&self) -> Result<Option<String>, NoLook> {
        self.text(self.of_log("checkpoint?cosigned=true")).await
    }

    /// What the server tells of the log, and the page of the list on which it does; none where it tells of none.
    pub(super) async fn told(&self) -> Result<Option<(ToldLog, String)>, NoLook> {
        let mut cursor = String::new();
        for _ in 0..=MAX_LOGS / PAGE {
            let request = self.transport.get_public(&format!("/logs?limit={PAGE}{cursor}"));
            let Some(text) = self.text(request).await? else { return Ok(None) };
            let page: ToldPage = serde_json::from_str(&text)
                .map_err(|error| NoLook::NoAnswer(format!("the list of logs can't be read: {error}")))?;
            if let Some(told) = page.items.iter().find(|told| told.log.to_string() == self.name) {
                return Ok(Some((told.clone(), text)));
            }
            let Some(next) = page.next else { return Ok(None) };
            if page.items.is_empty() {
                break;
            }
            cursor = format!("&cursor={next}");
        }
        // Whoever lets others wait here for ever keeps every alarm from them.
        Err(NoLook::NoAnswer("the list of logs has no end".to_owned()))
    }

    /// A bundle of entries.
    pub(super) async fn bundle(&self, index: u64, width: u16) -> Result<Bundle, NoLook> {
        let path = TilePath::Entries { index, width };
        match self.get(self.transport.get(&format!("/logs/{}/{path}", self.name))).await? {
            (200, bytes) => Ok(Bundle::Told(bytes)),
            (401 | 403 | 404, _) => Ok(Bundle::Refused),
            (status @ (429 | 503), _) => Ok(Bundle::Later(status)),
            (status, _) => Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        }
    }

    /// An entry of the act log; none where the key may not read it.
    pub(super) async fn entry(&self, index: u64) -> Result<Option<String>, NoLook> {
        let text = self.text(self.transport.get(&format!("/v1/entries/{index}"))).await?;
        let told = text.map(|text| serde_json::from_str::<ToldEntry>(&text)).transpose();
        let told = told.map_err(|error| NoLook::NoAnswer(format!("the answer can't be read: {error}")))?;
        Ok(told.map(|told| told.entry))
    }

    /// The proof that one tree continues another; none where the server says that there is none.
    pub(super) async fn consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, NoLook> {
        match self.get(self.of_log(&format!("proofs/consistency?old={old}&new={new}"))).await? {
            (200, bytes) => Ok(serde_json::from_slice(&bytes).ok().and_then(|proof| hashes(&proof))),
            (429, _) => Err(NoLook::NoAnswer("the server answers 429".to_owned())),
            (400..=499, _) => Ok(None),
            (status, _) => Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        }
    }

    /// The proof that an entry is in a tree.
    pub(super) async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, NoLook> {
        let proof: Proof =
            self.json(self.of_log(&format!("proofs/inclusion?index={index}&size={size}"))).await?;
        Ok(hashes(&proof).unwrap_or_default())
    }

    /// The entries that the key may list, from this one on and below that. Each is after the one before it: a server can't
    /// tell of more than there are.
    pub(super) async fn entries(&self, from: u64, until: u64) -> Result<Vec<(u64, String)>, NoLook> {
        let (mut found, mut cursor, mut least) = (Vec::new(), String::new(), from);
        loop {
            let path = format!("/v1/entries?limit=200&from={from}{cursor}");
            let page: EntryPage = self.json(self.transport.get(&path)).await?;
            let is_empty = page.items.is_empty();
            for told in page.items {
                if told.index >= until {
                    return Ok(found);
                }
                if told.index < least {
                    return Err(NoLook::NoAnswer("the entries are not told in their order".to_owned()));
                }
                least = told.index + 1;
                found.push((told.index, told.entry));
            }
            match page.next.filter(|_| !is_empty) {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(found),
            }
        }
    }
}

fn hashes(proof: &Proof) -> Option<Vec<Hash>> {
    proof.hashes.iter().map(|line| Hash::from_base64(line)).collect()
}
