//! What a monitor fetches. Nothing of it is believed here.

use std::time::Duration;

use data_encoding::BASE64;
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::cli::{Failure, output};
use crate::log::merkle::Hash;

/// The longest answer that is read: a page of the longest entries.
const MAX_ANSWER_BYTES: usize = 32 << 20;

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
    /// The API key for `--watch`, better given in the environment
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

impl From<reqwest::Error> for NoLook {
    fn from(error: reqwest::Error) -> Self {
        // Not the URL: a password may stand in it.
        Self::NoAnswer(error.without_url().to_string())
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

/// A log, as it is fetched.
pub(super) struct Eye {
    base: String,
    prefix: String,
    key: Option<String>,
    client: Client,
}

impl Eye {
    /// The log that the arguments name.
    pub(super) fn open(args: &EyeArgs) -> Result<Self, Failure> {
        let url = Url::parse(&args.url).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none());
        let url = url.ok_or_else(|| {
            Failure::usage(format!("`{}` is not the address of a server", output::plain(&args.url)))
        })?;
        let client = Client::builder()
            .user_agent(concat!("kyodaku/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_secs(args.timeout))
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Failure::new(format!("no client can be made: {error}")))?;
        let base = url.as_str().trim_end_matches('/').to_owned();
        let key = args.api_key.as_deref().map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned);
        Ok(Self { prefix: format!("{base}/logs/{}", args.name), base, key, client })
    }

    /// Status and body.
    async fn get(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>), NoLook> {
        let mut answer = request.send().await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(NoLook::NoAnswer("the answer is too long".to_owned()));
            }
        }
        Ok((answer.status().as_u16(), bytes))
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
        match self.get(self.client.get(format!("{}/checkpoint", self.prefix))).await? {
            (200, bytes) => {
                String::from_utf8(bytes).map_err(|_| NoLook::NoAnswer("the checkpoint is no text".to_owned()))
            }
            (status, _) => Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        }
    }

    /// The proof that one tree continues another; none where the server says that there is none.
    pub(super) async fn consistency(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, NoLook> {
        let url = format!("{}/proofs/consistency?old={old}&new={new}", self.prefix);
        match self.get(self.client.get(url)).await? {
            (200, bytes) => Ok(serde_json::from_slice(&bytes).ok().and_then(|proof| hashes(&proof))),
            (429, _) => Err(NoLook::NoAnswer("the server answers 429".to_owned())),
            (400..=499, _) => Ok(None),
            (status, _) => Err(NoLook::NoAnswer(format!("the server answers {status}"))),
        }
    }

    /// The proof that an entry is in a tree.
    pub(super) async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, NoLook> {
        let url = format!("{}/proofs/inclusion?index={index}&size={size}", self.prefix);
        let proof: Proof = self.json(self.client.get(url)).await?;
        Ok(hashes(&proof).unwrap_or_default())
    }

    /// The entries that the key may list, from this one on and below that. Each is after the one before it: a server can't
    /// tell of more than there are.
    pub(super) async fn entries(&self, from: u64, until: u64) -> Result<Vec<(u64, String)>, NoLook> {
        let (mut found, mut cursor, mut least) = (Vec::new(), String::new(), from);
        loop {
            let url = format!("{}/v1/entries?limit=200&from={from}{cursor}", self.base);
            let request = self.client.get(url).bearer_auth(self.key.as_deref().unwrap_or_default());
            let page: EntryPage = self.json(request).await?;
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
    let hash = |line: &String| Hash::try_from(BASE64.decode(line.as_bytes()).ok()?.as_slice()).ok();
    proof.hashes.iter().map(hash).collect()
}
