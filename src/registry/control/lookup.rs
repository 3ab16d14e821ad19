//! Looking at a host from outside: its TXT records, and one small file.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolveHosts;
use hickory_resolver::proto::rr::RData;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 4_096;
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(5);

/// Why nothing was seen. People read it: it names no address of this server's network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

type Looked<'a, T> = BoxFuture<'a, Result<T, LookupError>>;

/// The world outside, so that a test can stand in for it.
pub trait Lookup: Send + Sync + std::fmt::Debug {
    /// The texts of the TXT records of a name, asked anew; none when there are none.
    fn txt<'a>(&'a self, name: &'a str) -> Looked<'a, Vec<String>>;
    /// The addresses of a host.
    fn addresses<'a>(&'a self, host: &'a str) -> Looked<'a, Vec<IpAddr>>;
    /// `https://host/path` from port 443 of this very address: no redirect, at most [`MAX_FILE_BYTES`].
    fn file<'a>(&'a self, host: &'a str, address: IpAddr, path: &'a str) -> Looked<'a, Vec<u8>>;
}

/// No world at all: for a sandbox, which sends nobody's requests to others.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl Nowhere {
    fn seen<'a, T: Send + 'a>() -> Looked<'a, T> {
        let nothing = LookupError("the sandbox looks at no host".to_owned());
        futures_util::future::ready(Err(nothing)).boxed()
    }
}

impl Lookup for Nowhere {
    fn txt<'a>(&'a self, _name: &'a str) -> Looked<'a, Vec<String>> {
        Self::seen()
    }

    fn addresses<'a>(&'a self, _host: &'a str) -> Looked<'a, Vec<IpAddr>> {
        Self::seen()
    }

    fn file<'a>(&'a self, _host: &'a str, _address: IpAddr, _path: &'a str) -> Looked<'a, Vec<u8>> {
        Self::seen()
    }
}

/// The internet, by the system's name servers.
#[derive(Clone, Copy, Debug)]
pub struct Internet;

impl Lookup for Internet {
    fn txt<'a>(&'a self, name: &'a str) -> Looked<'a, Vec<String>> {
        within(async move {
            let answer = resolver()?.txt_lookup(absolute(name)).await;
            let answer = match answer {
                Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
                other => {
                    other.map_err(|error| LookupError(format!("`{name}` can't be looked up: {error}")))?
                }
            };
            let texts = answer.answers().iter().filter_map(|record| match &record.data {
                RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
                _ => None,
            });
            Ok(texts.collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Looked<'a, Vec<IpAddr>> {
        within(async move {
            let found = resolver()?.lookup_ip(absolute(host)).await;
            let found =
                found.map_err(|error| LookupError(format!("`{host}` can't be looked up: {error}")))?;
            Ok(found.iter().collect())
        })
    }

    fn file<'a>(&'a self, host: &'a str, address: IpAddr, path: &'a str) -> Looked<'a, Vec<u8>> {
        within(async move {
            let failed = |error: reqwest::Error| {
                LookupError(format!("`https://{host}{path}` can't be fetched: {}", error.without_url()))
            };
            let client = reqwest::Client::builder()
                .resolve(host, SocketAddr::new(address, 443))
                .redirect(reqwest::redirect::Policy::none())
                .https_only(true)
                .no_proxy()
                .timeout(LOOK)
                .build()
                .map_err(failed)?;
            let mut answer = client.get(format!("https://{host}{path}")).send().await.map_err(failed)?;
            if answer.status() != reqwest::StatusCode::OK {
                let status = answer.status().as_u16();
                return Err(LookupError(format!("`https://{host}{path}` answered {status}, not 200")));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(failed)? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MAX_FILE_BYTES {
                    let why = format!("`https://{host}{path}` is larger than {MAX_FILE_BYTES} bytes");
                    return Err(LookupError(why));
                }
            }
            Ok(bytes)
        })
    }
}

fn within<'a, T: Send + 'a>(look: impl Future<Output = Result<T, LookupError>> + Send + 'a) -> Looked<'a, T> {
    async move {
        let late = |_| LookupError(format!("no answer within {} seconds", LOOK.as_secs()));
        tokio::time::timeout(LOOK, look).await.map_err(late)?
    }
    .boxed()
}

/// With a dot at its end no search domain of this machine is appended.
fn absolute(name: &str) -> String {
    format!("{name}.")
}

/// A fresh resolver: nothing remembered from an earlier look, and nothing from this machine's own table of hosts.
fn resolver() -> Result<TokioResolver, LookupError> {
    let broken = |error| LookupError(format!("this server has no name servers: {error}"));
    let mut builder = TokioResolver::builder_tokio().map_err(broken)?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = LOOK;
    builder.build().map_err(broken)
}
