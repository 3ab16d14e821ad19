//! The client of the server's API, for the commands that ask it.
//!
//! Whatever is not a whole, well-formed answer of the documented kind is a [`NoAnswer`], and no answer is never a
//! permission.

use std::time::Duration;

use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use axum::http::{HeaderName, Method};
use reqwest::{Body, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::transport::{MAX_ANSWER_BYTES, Transport, Unread, whole};
use super::{Failure, output};
use crate::domain::explain::Lang;
use crate::http::sandbox::MARK;
use crate::registry::credential::TEST_PREFIX;

/// The media type of JSON texts, one a line.
pub(super) const NDJSON: &str = "application/x-ndjson";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Which server, and who asks.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ClientArgs {
    /// The server
    #[arg(long, env = "KYODAKU_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    url: String,
    /// The API key, better given in the environment, where other users of the machine do not see it
    #[arg(long, env = "KYODAKU_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<String>,
    /// After how many seconds without a sign of life the server counts as unavailable
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
    /// Ask the sandbox, with a key that begins with `kyo_test_`; nothing that it answers is a permission
    #[arg(long)]
    sandbox: bool,
}

impl std::fmt::Debug for ClientArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientArgs").field("url", &self.url).finish_non_exhaustive()
    }
}

/// There is no answer, or none that can be believed.
#[derive(Debug)]
pub(super) struct NoAnswer {
    /// The status, when the server gave one.
    pub(super) status: Option<u16>,
    /// What happened, for people.
    pub(super) why: String,
}

impl NoAnswer {
    /// Nothing that can be believed came back.
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { status: None, why: why.into() }
    }

    /// The same, said of this thing.
    pub(super) fn about(self, what: &str) -> Self {
        Self { why: format!("{what}: {}", self.why), ..self }
    }

    /// As the end of a command that does not ask for permission: 1 where the server refuses, 69 where it is not there.
    pub(super) fn told(self) -> Failure {
        match self.status {
            // What passes with time is no refusal.
            Some(408 | 429) => self.into(),
            Some(400..=499) => Failure::new(self.why),
            _ => self.into(),
        }
    }
}

impl From<NoAnswer> for Failure {
    fn from(none: NoAnswer) -> Self {
        Self { code: 69, message: none.why }
    }
}

impl From<reqwest::Error> for NoAnswer {
    fn from(error: reqwest::Error) -> Self {
        Unread::from(error).into()
    }
}

impl From<Unread> for NoAnswer {
    fn from(unread: Unread) -> Self {
        Self::new(unread.to_string())
    }
}

/// A problem (RFC 9457), as far as it is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) title: String,
    pub(super) detail: Option<String>,
    pub(super) errors: Vec<ProblemError>,
    pub(super) request_id: Option<String>,
}

/// One broken place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProblemError {
    pub(super) pointer: String,
    pub(super) code: String,
    pub(super) detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", output::plain(&self.title))?;
        if let Some(detail) = &self.detail {
            write!(f, ": {}", output::plain(detail))?;
        }
        for error in &self.errors {
            write!(f, "; `{}`: {}", output::plain(&error.pointer), output::plain(&error.detail))?;
        }
        write!(f, " (`{}`", output::plain(&self.code))?;
        match &self.request_id {
            Some(id) => write!(f, ", request {})", output::plain(id)),
            None => write!(f, ")"),
        }
    }
}

/// A server, and the key with which it is asked.
#[derive(Clone)]
pub(super) struct Server {
    transport: Transport,
    language: Lang,
    /// Whether answers of a sandbox are wanted, and no others.
    sandbox: bool,
}

impl Server {
    /// The server that the arguments name.
    pub(super) fn new(args: &ClientArgs) -> Result<Self, Failure> {
        let key = args.api_key.as_deref().unwrap_or_default().trim();
        if key.is_empty() {
            return Err(Failure::usage("there is no API key: set `KYODAKU_API_KEY` (or use `--api-key`)"));
        }
        if args.sandbox {
            output::warning("from the sandbox: nothing of it is a permission");
        } else if key.starts_with(TEST_PREFIX) {
            return Err(Failure::usage(
                "the API key is one of the sandbox, in which nothing is real: add `--sandbox`",
            ));
        }
        let server = Self::with_key(&args.url, key, Duration::from_secs(args.timeout))?;
        Ok(Self { sandbox: args.sandbox, ..server })
    }

    /// The server at `url`, asked with `key`.
    pub(super) fn with_key(url: &str, key: &str, timeout: Duration) -> Result<Self, Failure> {
        let transport = Transport::open(url, Some(key), timeout)?;
        Ok(Self { transport, language: output::language(), sandbox: false })
    }

    /// The same, told in this language.
    #[must_use]
    pub(super) fn speaking(self, language: Lang) -> Self {
        Self { language, ..self }
    }

    /// The same, waiting at least so long.
    pub(super) fn patient(self, least: Duration) -> Self {
        Self { transport: self.transport.patient(least), ..self }
    }

    /// The server's address.
    pub(super) fn base(&self) -> &str {
        self.transport.base()
    }

    /// How long nothing may happen.
    pub(super) fn timeout(&self) -> Duration {
        self.transport.timeout()
    }

    /// Sends lines as they come, and gives the answer as soon as it begins. It is 200 and made of lines.
    pub(super) async fn post_lines(&self, path: &str, body: Body) -> Result<Response, NoAnswer> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, NDJSON).header(ACCEPT, NDJSON);
        let response = self.send(request.body(body)).await?;
        if content_type(&response) == NDJSON {
            Ok(response)
        } else {
            Err(NoAnswer::new(format!(
                "the server answered `{}` where lines are due",
                content_type(&response)
            )))
        }
    }

    /// GET of JSON.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, NoAnswer> {
        self.read(self.request(Method::GET, path)).await
    }

    /// POST of JSON; `once` is the idempotency key of what writes.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        once: Option<&str>,
    ) -> Result<T, NoAnswer> {
        let body = serde_json::to_vec(body).map_err(|error| NoAnswer::new(error.to_string()))?;
        let mut request =
            self.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(once) = once {
            request = request.header(IDEMPOTENCY_KEY, once);
        }
        self.read(request).await
    }

    /// GET of a text of this type.
    pub(super) async fn get_text(&self, path: &str, kind: &str) -> Result<String, NoAnswer> {
        String::from_utf8(self.get_bytes(path, kind, MAX_ANSWER_BYTES).await?)
            .map_err(|error| NoAnswer::new(format!("the answer can't be read: {error}")))
    }

    /// GET of something of this type, of so many bytes at most.
    pub(super) async fn get_bytes(&self, path: &str, kind: &str, most: usize) -> Result<Vec<u8>, NoAnswer> {
        let request = self.request(Method::GET, path).header(ACCEPT, kind).timeout(self.timeout());
        let response = self.send(request).await?;
        if content_type(&response) != kind {
            let found = output::plain(content_type(&response));
            return Err(NoAnswer::new(format!("the server answered `{found}` where `{kind}` is due")));
        }
        Ok(whole(response, most).await?)
    }

    async fn read<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, NoAnswer> {
        let response = self.send(request.header(ACCEPT, "application/json").timeout(self.timeout())).await?;
        let bytes = whole(response, MAX_ANSWER_BYTES).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| NoAnswer::new(format!("the answer can't be read: {error}")))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let language = match self.language {
            Lang::Ja => "ja",
            Lang::En => "en",
        };
        self.transport.request(method, path).header(ACCEPT_LANGUAGE, language)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, NoAnswer> {
        let sent = tokio::time::timeout(self.timeout(), request.send()).await;
        let response = sent.map_err(|_| {
            NoAnswer::new(format!("the server did not answer for {} s", self.timeout().as_secs()))
        })??;
        let status = response.status();
        if status.is_success() {
            return self.of_its_world(response);
        }
        let problem = match tokio::time::timeout(self.timeout(), whole(response, MAX_ANSWER_BYTES)).await {
            Ok(Ok(bytes)) => {
                serde_json::from_slice::<Problem>(&bytes).ok().filter(|problem| !problem.code.is_empty())
            }
            _ => None,
        };
        let words = problem.map_or_else(String::new, |problem| format!(": {problem}"));
        let why = format!("the server answered {}{words}", status.as_u16());
        Err(NoAnswer { status: Some(status.as_u16()), why })
    }
}

impl Server {
    /// An answer of the sandbox where that is meant, and one of the real registry where it is not.
    fn of_its_world(&self, response: Response) -> Result<Response, NoAnswer> {
        match (response.headers().contains_key(MARK), self.sandbox) {
            (true, false) => Err(NoAnswer::new("the answer is one of a sandbox, in which nothing is real")),
            (false, true) => Err(NoAnswer::new("the answer is real, and `--sandbox` was said")),
            _ => Ok(response),
        }
    }
}

fn content_type(response: &Response) -> &str {
    let value =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}
