//! The logs of a server, over HTTP. Nothing of it is believed here; all of it is bounded.

use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::Failure;
use crate::cli::client::Problem;
use crate::cli::transport::{Transport, Unread, beginning};
use crate::http::sandbox::MARK;
use crate::registry::offline::{
    MAX_LIST_BYTES, MAX_LOGS, Piece, Signed, Source, ToldLog, ToldPage, Unreadable, check_list,
};
use crate::registry::published::LogName;

/// The longest page of checkpoints that is read, in bytes.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// The most checkpoints of a log that are listed.
const MAX_CHECKPOINTS: usize = 50_000_000;
/// How often a server that asks to wait is asked again.
const PATIENCE: u32 = 30;
/// How long it is waited for at most, in seconds.
const MAX_WAIT_S: u64 = 60;

/// Who asks a server for its logs, and how long it is waited for.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(in crate::cli) struct RemoteArgs {
    /// The API key of an auditor, better given in the environment; without one there are no entries
    #[arg(long, env = "KYODAKU_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// After how many seconds without an answer the server counts as unavailable
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
}

impl std::fmt::Debug for RemoteArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteArgs").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A server.
pub(in crate::cli) struct Remote {
    transport: Transport,
}

/// A page of `GET /logs/{log}/checkpoints`, as far as it is read.
#[derive(Deserialize)]
struct CheckpointPage {
    items: Vec<Line>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Line {
    size: u64,
}

fn refuse(error: impl Into<Unread>) -> Unreadable {
    Unreadable(format!("the server does not answer: {}", error.into()))
}

impl Remote {
    /// The server at `url`.
    pub(in crate::cli) fn open(url: &str, args: &RemoteArgs) -> Result<Self, Failure> {
        let transport = Transport::open(url, args.api_key.as_deref(), Duration::from_secs(args.timeout))?;
        Ok(Self { transport })
    }

    /// Whether there is a key, with which entries are asked for.
    pub(in crate::cli) fn has_key(&self) -> bool {
        self.transport.has_key()
    }

    /// The newest checkpoint that a witness cosigned, if there is one.
    pub(super) async fn cosigned(&self, log: &LogName) -> Result<Option<Vec<u8>>, Unreadable> {
        self.get(&format!("/logs/{log}/checkpoint?cosigned=true"), Piece::Newest.max_bytes()).await
    }

    /// The sizes above this one of which a checkpoint was signed, the smallest first.
    pub(super) async fn signed_after(&self, log: &LogName, least: u64) -> Result<Vec<u64>, Unreadable> {
        let (mut sizes, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: CheckpointPage =
                self.json(&format!("/logs/{log}/checkpoints?limit=200{cursor}"), MAX_PAGE_BYTES).await?;
            for Line { size } in page.items {
                if size <= least {
                    sizes.reverse();
                    return Ok(sizes);
                }
                // Each smaller than the one before: a server can't tell of more than there are.
                if sizes.last().is_some_and(|last| size >= *last) || sizes.len() == MAX_CHECKPOINTS {
                    return Err(Unreadable("the checkpoints are not told in their order".to_owned()));
                }
                sizes.push(size);
            }
            let Some(next) = page.next else {
                sizes.reverse();
                return Ok(sizes);
            };
            cursor = cursor_of(&next)?;
        }
    }

    /// The body of what is there; none where the server says that it is not.
    async fn get(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        let mut asked = 0;
        loop {
            let answer = self.transport.get(path).send().await.map_err(refuse)?;
            asked += 1;
            if answer.headers().contains_key(MARK) {
                return Err(Unreadable(
                    "the answer is one of a sandbox, in which nothing is real".to_owned(),
                ));
            }
            match answer.status().as_u16() {
                200 => return beginning(answer, most).await.map(Some).map_err(refuse),
                404 => return Ok(None),
                429 | 503 if asked <= PATIENCE => {
                    let told =
                        answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                    tokio::time::sleep(Duration::from_secs(told.unwrap_or(1).min(MAX_WAIT_S))).await;
                }
                status => {
                    let problem = beginning(answer, MAX_PAGE_BYTES).await.unwrap_or_default();
                    let problem = serde_json::from_slice::<Problem>(&problem).ok();
                    let words = problem.map_or_else(String::new, |problem| format!(": {problem}"));
                    return Err(Unreadable(format!("the server answered {status}{words}")));
                }
            }
        }
    }

    async fn json<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<T, Unreadable> {
        let bytes = self.get(path, most).await?;
        let bytes = bytes.ok_or_else(|| Unreadable(format!("the server knows no `{path}`")))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Unreadable(format!("the answer to `{path}` can't be read: {error}")))
    }
}

/// The parameter of the next page. What the server gives for it must not be part of anything else.
fn cursor_of(next: &str) -> Result<String, Unreadable> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~=".contains(&byte);
    if next.len() <= 1_000 && next.bytes().all(is_plain) {
        Ok(format!("&cursor={next}"))
    } else {
        Err(Unreadable("the place of the next page can't be read".to_owned()))
    }
}

impl Source for Remote {
    async fn logs(&self) -> Result<Vec<ToldLog>, Unreadable> {
        let (mut logs, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: ToldPage = self.json(&format!("/logs?limit=200{cursor}"), MAX_LIST_BYTES).await?;
            let is_empty = page.items.is_empty();
            logs.extend(page.items);
            match page.next.filter(|_| !is_empty && logs.len() <= MAX_LOGS) {
                Some(next) => cursor = cursor_of(&next)?,
                None => {
                    return check_list(logs).map_err(|why| Unreadable(format!("the list of logs: {why}")));
                }
            }
        }
    }

    async fn signed(&self, log: &LogName, after: Option<u64>) -> Result<Signed, Unreadable> {
        Ok(Signed { sizes: self.signed_after(log, after.unwrap_or_default()).await?, more: false })
    }

    async fn has_entries(&self, _: &LogName) -> Result<bool, Unreadable> {
        Ok(self.has_key())
    }

    async fn read(&self, log: &LogName, piece: Piece) -> Result<Option<Vec<u8>>, Unreadable> {
        self.get(&format!("/logs/{log}/{piece}"), piece.max_bytes()).await
    }
}
