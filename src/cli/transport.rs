//! How commands reach a server over HTTP: one client, with one set of limits. Nothing that comes back is believed here.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Method};
use reqwest::{Client, RequestBuilder, Response, redirect};
use url::{Host, Url};

use super::{Failure, output};

/// The longest answer that is read whole, where nothing else is said.
pub(super) const MAX_ANSWER_BYTES: usize = 64 << 20;
/// How long it may take to reach a server at most.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// A server, and the key with which it is asked.
#[derive(Clone)]
pub(super) struct Transport {
    base: String,
    key: Option<HeaderValue>,
    client: Client,
    timeout: Duration,
}

/// Why an answer was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// It did not come, or broke off.
    #[error("{}", words(.0))]
    Broken(#[source] reqwest::Error),
    /// It is longer than what is due.
    #[error("the answer is too large")]
    TooLarge,
}

impl From<reqwest::Error> for Unread {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken(error.without_url())
    }
}

/// The whole chain of causes: the first error only hints at them.
fn words(error: &reqwest::Error) -> String {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        why = format!("{why}: {inner}");
        cause = inner.source();
    }
    why
}

impl Transport {
    /// The server at `url`, asked with this key where one is given and is not empty. It is given up after so long without an answer,
    /// and followed nowhere else: an answer from elsewhere is no answer of this server, and the key is for this one.
    pub(super) fn open(url: &str, key: Option<&str>, timeout: Duration) -> Result<Self, Failure> {
        let base = Url::parse(url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                // A password there would be told in messages.
                && url.username().is_empty()
                && url.password().is_none()
        });
        let base = base.ok_or_else(|| no_address(url))?;
        let local = is_local(&base);
        let key = bearer(key)?;
        if key.is_some() && base.scheme() == "http" && !local {
            let host = base.host_str().unwrap_or_default();
            output::warning(format_args!("the key travels in the clear to `{host}`"));
        }
        let mut client = Client::builder()
            .user_agent(concat!("kyodaku/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeout.min(MAX_CONNECT))
            .redirect(redirect::Policy::none());
        if local {
            client = client.no_proxy();
        }
        let client =
            client.build().map_err(|error| Failure::new(format!("no client can be made: {error}")))?;
        Ok(Self { base: base.as_str().trim_end_matches('/').to_owned(), key, client, timeout })
    }

    /// The same, waiting at least so long.
    #[must_use]
    pub(super) fn patient(self, least: Duration) -> Self {
        Self { timeout: self.timeout.max(least), ..self }
    }

    /// The server's address.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// How long nothing may happen.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether there is a key.
    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// A request with the key. Whoever reads its answer in parts sees to the time.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.header(AUTHORIZATION, key.clone()),
            None => request,
        }
    }

    /// A GET with the key, whose answer is read whole, within the time.
    pub(super) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).timeout(self.timeout)
    }

    /// A GET of what everybody may read: a key that is over is no reason not to see it.
    pub(super) fn get_public(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).timeout(self.timeout)
    }
}

/// Text that is not the address of a server. The user and the password that may stand in it are not told.
fn no_address(url: &str) -> Failure {
    let (shown, why) = match url.rsplit_once('@') {
        None => (url.to_owned(), ""),
        Some((before, rest)) => {
            let scheme = before.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
            (scheme + rest, ": it may name no user and no password")
        }
    };
    Failure::usage(format!("`{}` is not the address of a server{why}", output::plain(&shown)))
}

fn bearer(key: Option<&str>) -> Result<Option<HeaderValue>, Failure> {
    let key = key.map(str::trim).filter(|key| !key.is_empty());
    let key = key.map(|key| HeaderValue::try_from(format!("Bearer {key}"))).transpose();
    let mut key = key.map_err(|_| Failure::usage("the API key holds characters that no key has"))?;
    if let Some(key) = &mut key {
        key.set_sensitive(true);
    }
    Ok(key)
}

/// The body of an answer, of so many bytes at most.
pub(super) async fn whole(response: Response, most: usize) -> Result<Vec<u8>, Unread> {
    let bytes = beginning(response, most).await?;
    if bytes.len() > most { Err(Unread::TooLarge) } else { Ok(bytes) }
}

/// At most so many bytes of the body of an answer, and one more where there are more.
pub(super) async fn beginning(mut response: Response, most: usize) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            bytes.truncate(most + 1);
            break;
        }
    }
    Ok(bytes)
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
