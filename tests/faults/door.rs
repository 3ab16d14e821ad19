//! The way to a server: requests over real HTTP, to wherever it listens now.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use serde_json::Value;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A whole answer.
    Answer(u16, String),
    /// None, or a part of one: the connection was refused, reset or cut.
    Nothing(String),
}

impl Heard {
    /// The status; 0 where there was no answer.
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Answer(status, _) => *status,
            Self::Nothing(_) => 0,
        }
    }

    /// The body of an answer with this status.
    pub(super) fn json(&self, expected: u16) -> Value {
        match self {
            Self::Answer(status, body) if *status == expected => {
                serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body}"))
            }
            other => panic!("expected {expected}: {other:?}"),
        }
    }
}

/// Cloning shares where it leads.
#[derive(Clone)]
pub(super) struct Door {
    http: reqwest::Client,
    urls: Arc<RwLock<Vec<String>>>,
}

impl Door {
    pub(super) fn new() -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_mins(1)).no_proxy().build().unwrap();
        Self { http, urls: Arc::default() }
    }

    /// Leads to these servers from now on; requests say by a number which one they go to.
    pub(super) fn leads_to(&self, urls: &[&str]) {
        *self.urls.write().unwrap() = urls.iter().map(ToString::to_string).collect();
    }

    fn url(&self, turn: usize, path: &str) -> String {
        let urls = self.urls.read().unwrap();
        format!("{}{path}", urls[turn % urls.len()])
    }

    /// POST of a JSON body with a key, and an idempotency key unless it is empty.
    ///
    /// # Panics
    /// When an error is answered in any other form than a problem.
    pub(super) async fn post(&self, turn: usize, key: &str, path: &str, body: &Value, once: &str) -> Heard {
        let mut request = self.http.post(self.url(turn, path)).bearer_auth(key);
        if !once.is_empty() {
            request = request.header("idempotency-key", once);
        }
        let request = request.header("content-type", "application/json").body(body.to_string());
        hear(request.send().await).await
    }

    /// GET, without a key when it is empty.
    pub(super) async fn get(&self, key: &str, path: &str) -> Heard {
        let mut request = self.http.get(self.url(0, path));
        if !key.is_empty() {
            request = request.bearer_auth(key);
        }
        hear(request.send().await).await
    }
}

async fn hear(sent: reqwest::Result<reqwest::Response>) -> Heard {
    let response = match sent {
        Ok(response) => response,
        Err(error) => return Heard::Nothing(error.to_string()),
    };
    let status = response.status();
    let kind = response.headers().get("content-type").cloned();
    match response.text().await {
        Ok(body) => {
            let is_problem = kind.is_some_and(|kind| kind == "application/problem+json");
            assert_eq!(status.is_client_error() || status.is_server_error(), is_problem, "{status} {body}");
            Heard::Answer(status.as_u16(), body)
        }
        Err(error) => Heard::Nothing(error.to_string()),
    }
}
