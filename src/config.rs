//! One struct of settings: defaults, then the file, then the environment, then flags.
//!
//! Every setting has a key. In a file it stands as `key = value` (TOML, no tables), in the environment as
//! `KYODAKU_KEY`, on the command line as `--set key=value`, and for the common ones as `--key value`. A key that is not
//! known is refused wherever it stands, with the nearest one that is: a mistyped limit must not become the default.

mod address;
mod key;
mod scrub;
mod value;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use address::without_password;
pub use key::KeyText;
pub use scrub::ScrubScope;
pub use value::{
    Addresses, DatabaseUrl, Issuer, LogFormat, MailUrl, MaybeDatabase, MaybeListen, MaybeMoment, MaybePath,
    MaybeUrl, NodeName, Origin, Secret, Value, WebUrl, Witnesses,
};

/// The file that is read when no other is named and this one is there.
pub const DEFAULT_FILE: &str = "kyodaku.toml";
/// What the environment's names of settings begin with.
pub const ENV_PREFIX: &str = "KYODAKU_";

/// Names in the environment that are no settings: those of the client commands, of the tests, and those that
/// Kubernetes sets for a service that is called `kyodaku`.
const ENV_OTHERS: [&str; 6] = ["API_KEY", "CONFIG", "URL", "TEST_", "SERVICE_", "PORT"];

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was not stated.
    Default,
    /// The file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    Flag,
}

impl Source {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// Why there are no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the settings in `{path}` can't be read: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The environment has a value that is no text.
    #[error("the value of `{name}` in the environment is not UTF-8")]
    NotText {
        /// The name in the environment.
        name: String,
    },
    /// There is no such setting.
    #[error("there is no setting `{key}` (from the {from}){nearest}", from = place.as_str())]
    Unknown {
        /// As it was written.
        key: String,
        /// Where.
        place: Source,
        /// The nearest one, in words, or nothing.
        nearest: String,
    },
    /// The value is not one of its setting.
    #[error("the setting `{key}` (from the {from}) can't be `{text}`: {why}", from = place.as_str())]
    Value {
        /// The key.
        key: &'static str,
        /// Where it was stated.
        place: Source,
        /// The value, masked if it is a secret.
        text: String,
        /// What would be right.
        why: String,
    },
}

/// A setting as it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub key: &'static str,
    /// The value, as it would be written in a file; secrets are masked.
    pub value: String,
    /// Where it came from.
    pub source: Source,
    /// What it is for.
    pub help: &'static str,
}

/// Values as they were stated, one layer over the other.
#[derive(Clone, Debug, Default)]
struct Stated(Vec<(&'static str, String, Source)>);

impl Stated {
    fn put(&mut self, key: &str, text: String, source: Source) -> Result<(), ConfigError> {
        let known = KEYS.iter().find(|known| **known == key).ok_or_else(|| ConfigError::Unknown {
            key: key.chars().take(80).collect(),
            place: source,
            nearest: nearest(key).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
        })?;
        self.0.retain(|(other, _, _)| other != known);
        self.0.push((known, text, source));
        Ok(())
    }

    fn take<T: Value>(
        &self,
        key: &'static str,
        default: &str,
        rule: &T::Rule,
    ) -> Result<(T, Source), ConfigError> {
        let stated = self.0.iter().find(|(other, _, _)| *other == key);
        let (text, source) = stated.map_or((default, Source::Default), |(_, text, source)| (text, *source));
        let value = T::read(text, rule).map_err(|why| ConfigError::Value {
            key,
            place: source,
            text: T::masked(text),
            why,
        })?;
        Ok((value, source))
    }

    /// The settings, with these layers over what was stated in a file.
    fn finish(
        mut self,
        environment: impl IntoIterator<Item = (String, OsString)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        for (name, value) in environment {
            let Some(key) = name.strip_prefix(ENV_PREFIX) else { continue };
            let is_other =
                |other: &&str| if other.ends_with('_') { key.starts_with(*other) } else { key == *other };
            if !ENV_OTHERS.iter().any(is_other) && !key.starts_with("PORT_") {
                let value = value.into_string().map_err(|_| ConfigError::NotText { name: name.clone() })?;
                self.put(&key.to_ascii_lowercase(), value, Source::Environment)?;
            }
        }
        for (key, value) in flags {
            self.put(&key, value, Source::Flag)?;
        }
        let config = Config::of(&self)?;
        config.agree()?;
        Ok(config)
    }
}

macro_rules! settings {
    ($($(#[doc = $help:literal])* $name:ident: $type:ty $(, $rule:expr)? => $default:expr;)*) => {
        /// The settings.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {
            $($(#[doc = $help])* pub $name: $type,)*
            sources: Vec<Source>,
        }

        /// Every key, in the order in which people are shown them.
        pub const KEYS: &[&str] = &[$(stringify!($name)),*];

        impl Config {
            fn of(stated: &Stated) -> Result<Self, ConfigError> {
                let mut sources = Vec::with_capacity(KEYS.len());
                $(
                    // A default may rest on the settings above it.
                    let default: String = ($default).to_string();
                    let rule = settings!(@rule $($rule)?);
                    let ($name, source) = stated.take::<$type>(stringify!($name), &default, &rule)?;
                    sources.push(source);
                )*
                Ok(Self { $($name,)* sources })
            }

            /// Every setting with its value and where it came from.
            pub fn shown(&self) -> Vec<Shown> {
                let values = [$((stringify!($name), self.$name.show(), concat!($($help),*)),)*];
                let with_source = values.into_iter().zip(&self.sources);
                with_source.map(|((key, value, help), source)| Shown { key, value, source: *source, help: help.trim() }).collect()
            }
        }
    };
    (@rule) => { () };
    (@rule $rule:expr) => { $rule };
}

settings! {
    /// The folder of the signing keys, the high-water mark and the embedded database.
    data_dir: PathBuf => "kyodaku-data";
    /// The database: `sqlite:PATH` or `postgres://USER@HOST/NAME`.
    database_url: DatabaseUrl => format!("sqlite:{}", data_dir.join("kyodaku.db").display());
    /// The database of the sandbox, in which integrations are tried with keys that begin with `kyo_test_`; without one there is none. Several nodes share one, which can't be embedded then.
    sandbox_url: MaybeDatabase => sandbox_beside(&database_url, &data_dir);
    /// The file of the key that signs the act log, or from the environment alone the key itself (64 hexadecimal digits), as secret stores give it; `act-log.key` in the data folder when it is empty.
    act_log_key: KeyText => "";
    /// The same of the key that signs the journals of checks; `journal.key`.
    journal_key: KeyText => "";
    /// The same of the key that signs receipts; `receipts.key`.
    receipt_key: KeyText => "";
    /// The same of the key that signs access tokens; `token.key`.
    token_key: KeyText => "";
    /// The same of the key that seals the secrets of second factors; `sealing.key`.
    sealing_key: KeyText => "";
    /// The address and port on which the server listens.
    listen: std::net::SocketAddr => "127.0.0.1:8080";
    /// The PEM file of the certificate with which the server speaks TLS, those up to its root after it; with `tls_key`, and in the clear when both are empty.
    tls_cert: MaybePath => "";
    /// The PEM file of the certificate's private key, which has no passphrase.
    tls_key: MaybePath => "";
    /// Where the figures for Prometheus are told at `/metrics`, apart from everything else; nowhere when it is empty.
    metrics: MaybeListen => "";
    /// The name of this registry in every checkpoint it signs, for ever: a URL without its scheme.
    origin: Origin => "localhost/kyodaku";
    /// The name of this process among those on the same database; its check journal bears it.
    node: NodeName => "main";
    /// After how many seconds a developer is to ask again at the latest.
    recheck_max_s: u64, 1..=31_536_000 => 86_400;
    /// How many seconds lie between two seals of the check journal into the act log.
    seal_interval_s: u64, 1..=86_400 => 60;
    /// Witnesses that cosign the checkpoints of the logs: for each its key and its URL, with blanks between; none when it is empty.
    witnesses: Witnesses => "";
    /// How many seconds lie between two looks whether a witness lacks a checkpoint.
    witness_interval_s: u64, 1..=3_600 => 5;
    /// How many seconds lie between two clearings of idempotency keys older than 30 days.
    purge_interval_s: u64, 1..=604_800 => 3_600;
    /// What is examined again and again beside answering: `all`; `hashes`, which takes no more memory; or nothing, `off`.
    scrub: ScrubScope => "all";
    /// How many hundredths of one core the scrub may take at most.
    scrub_percent: u64, 1..=100 => 5;
    /// How many seconds lie between two rounds of the scrub.
    scrub_interval_s: u64, 1..=31_536_000 => 86_400;
    /// How many seconds a client may take to send the head of a request.
    header_read_s: u64, 1..=600 => 10;
    /// How many seconds a connection may stay without a request, where it may be used again (HTTP/2).
    idle_s: u64, 1..=3_600 => 60;
    /// How many seconds a client may take nothing of an answer that waits for it.
    stall_s: u64, 1..=3_600 => 30;
    /// How many MiB of bodies and long answers are held at once; who sends more is told to come again.
    in_flight_mib: u64, 32..=1_048_576 => 512;
    /// How many MiB the sandbox's database may have; once it has more, the sandbox takes nothing more until it is emptied.
    sandbox_mib: u64, 16..=1_048_576 => 1_024;
    /// How many connections are served at once; others wait.
    connections: u64, 1..=1_000_000 => 4_096;
    /// How many of them one network may have, an IPv4 address or 64 bits of an IPv6 address; one more is closed at once. The `proxies` may have all.
    connections_per_network: u64, 1..=1_000_000 => 256;
    /// How many seconds running requests may take to end once the server was told to stop.
    grace_s: u64, 0..=3_600 => 30;
    /// The most header fields of one request.
    header_fields: u64, 8..=1_024 => 64;
    /// The most bytes of the head of one request.
    head_bytes: u64, 8_192..=1_048_576 => 32_768;
    /// How many requests one HTTP/2 connection may have running.
    streams: u64, 1..=4_096 => 128;
    /// How many requests each person may send in a minute, with all keys and sessions, and each network without one a tenth of that; 0 is no limit.
    requests_per_minute: u64, 0..=1_000_000 => 6_000;
    /// Where people reach this registry, as letters tell them: a URL without a slash at the end.
    public_url: WebUrl => format!("{}://{listen}", if tls_cert.0.is_some() { "https" } else { "http" });
    /// Proxies in front of this server: their addresses with blanks between, whose `X-Forwarded-For` is believed.
    proxies: Addresses => "";
    /// How letters are sent: `smtp://USER:PASSWORD@HOST`, `smtps://…`, or `folder:PATH` for files that somebody reads.
    mail_url: MailUrl => format!("folder:{}", data_dir.join("mail").display());
    /// Who sends them.
    mail_from: String => "Kyodaku <kyodaku@localhost>";
    /// Whether organizations may enter themselves; the registrar verifies them in any case. Otherwise it also enters them: `true` or `false`.
    registration: bool => "true";
    /// The provider of OpenID Connect through which people may sign in too: its issuer, exactly as it writes it; none when it is empty.
    oidc_issuer: Issuer => "";
    /// The name of this registry at that provider.
    oidc_client_id: String => "";
    /// The secret of this registry at that provider.
    oidc_client_secret: Secret => "";
    /// Where that provider sends people back to, with `code` and `state`, for the program that began their sign-in.
    oidc_redirect_url: WebUrl => format!("{public_url}/sign-in");
    /// Whether in every organization a second person must approve what may open something: `true` or `false`.
    four_eyes: bool => "false";
    /// The moment that it is, told by somebody who knows, where the last entry is more than a year old; nothing otherwise.
    accept_clock: MaybeMoment => "";
    /// The collector of OpenTelemetry to which spans of requests go, by OTLP in protobuf over HTTP; nowhere when it is empty.
    otlp_endpoint: MaybeUrl => "";
    /// The form of log lines on stderr: `text` or `json`.
    log_format: LogFormat => "text";
    /// Which log lines are written: a level, or `target=level` pairs (the form of the crate tracing-subscriber).
    log_filter: String => "info,sqlx=warn,hyper=warn";
}

/// An embedded database has an embedded sandbox; elsewhere it must be stated, because all nodes share it.
fn sandbox_beside(database: &DatabaseUrl, data_dir: &Path) -> String {
    if !database.is_embedded() {
        return String::new();
    }
    format!("sqlite:{}", data_dir.join("sandbox").join("kyodaku.db").display())
}

impl Config {
    /// The settings from these layers: `file` (or [`DEFAULT_FILE`] if it is there), `environment` (of whose names only
    /// those that begin with [`ENV_PREFIX`] are looked at), and `flags` as key and value.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, OsString)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut stated = Stated::default();
        if let Some((path, text)) = read_file(file)? {
            for (key, value) in parse_file(&path, &text)? {
                stated.put(&key, value, Source::File)?;
            }
        }
        stated.finish(environment, flags)
    }

    /// As [`Config::load`], for what is no registry of anybody: the file of one that is in the working folder is not read.
    pub fn without_file(
        environment: impl IntoIterator<Item = (String, OsString)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Stated::default().finish(environment, flags)
    }

    /// The keys of the registry, each with the name of its setting.
    pub fn signing_keys(&self) -> [(&'static str, &KeyText); 5] {
        [
            ("act_log_key", &self.act_log_key),
            ("journal_key", &self.journal_key),
            ("receipt_key", &self.receipt_key),
            ("token_key", &self.token_key),
            ("sealing_key", &self.sealing_key),
        ]
    }

    /// Refuses a key itself where others could read it: among the arguments of a process, or in a file of settings.
    fn agree_on_keys(&self) -> Result<(), ConfigError> {
        for (key, text) in self.signing_keys() {
            let place = self.source(key).unwrap_or(Source::Default);
            if text.is_secret() && place != Source::Environment {
                return Err(ConfigError::Value {
                    key,
                    place,
                    text: text.show().trim_matches('"').to_owned(),
                    why: "a key itself is taken from the environment alone: name its file here".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Refuses settings that are right each by itself, and wrong together, or with this program.
    fn agree(&self) -> Result<(), ConfigError> {
        self.agree_on_keys()?;
        if !cfg!(feature = "opentelemetry") && !self.otlp_endpoint.as_str().is_empty() {
            return Err(ConfigError::Value {
                key: "otlp_endpoint",
                place: self.source("otlp_endpoint").unwrap_or(Source::Default),
                text: self.otlp_endpoint.as_str().to_owned(),
                why: "this program was built without OpenTelemetry: leave it out, or build with `cargo build --release \
                      --features opentelemetry`"
                    .to_owned(),
            });
        }
        let groups: [(&[(&'static str, bool)], &str); 2] = [
            (
                &[("tls_cert", self.tls_cert.0.is_some()), ("tls_key", self.tls_key.0.is_some())],
                "TLS takes both a certificate and its key, or neither",
            ),
            (
                &[
                    ("oidc_issuer", !self.oidc_issuer.as_str().is_empty()),
                    ("oidc_client_id", !self.oidc_client_id.is_empty()),
                    ("oidc_client_secret", !self.oidc_client_secret.reveal().is_empty()),
                ],
                "single sign-on takes an issuer, the name and the secret of this registry there, or none of them",
            ),
        ];
        for (settings, rule) in groups {
            let stated = settings.iter().find(|(_, is_stated)| *is_stated);
            let lacking = settings.iter().find(|(_, is_stated)| !is_stated);
            let (Some((stated, _)), Some((key, _))) = (stated, lacking) else { continue };
            return Err(ConfigError::Value {
                key,
                place: self.source(key).unwrap_or(Source::Default),
                text: String::new(),
                why: format!("`{stated}` is stated, and {rule}"),
            });
        }
        Ok(())
    }

    /// The files of TLS, certificate and key.
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.0.as_deref().zip(self.tls_key.0.as_deref())
    }

    /// Where the value of `key` came from; none for a key that is not known.
    pub fn source(&self, key: &str) -> Option<Source> {
        let position = KEYS.iter().position(|known| *known == key)?;
        self.sources.get(position).copied()
    }

    /// What is right but seldom meant, in words.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.source("origin") == Some(Source::Default) {
            warnings.push(format!(
                "`origin` is the default `{}`: state your own before the first entry, it names the log for ever",
                self.origin
            ));
        }
        if !self.listen.ip().is_loopback() && self.tls().is_none() {
            warnings.push(format!(
                "`listen` is `{}`: others can reach it, and keys travel in the clear unless a proxy before it speaks TLS, or `tls_cert` and `tls_key` are stated",
                self.listen
            ));
        }
        let is_reached_elsewhere = !self.listen.ip().is_loopback() || !self.proxies.as_slice().is_empty();
        if is_reached_elsewhere && self.source("public_url") == Some(Source::Default) {
            warnings.push(format!(
                "`public_url` is the default `{}`: letters, and what programs are told of signing in, name it; state the URL at which others reach this registry",
                self.public_url
            ));
        }
        if !self.database_url.is_embedded() && self.source("node") == Some(Source::Default) {
            warnings.push(
                "`node` is the default: give each process on one PostgreSQL a name of its own".to_owned(),
            );
        }
        warnings
    }
}

/// The known key that is written most like this one, if any is near enough to have been meant.
fn nearest(key: &str) -> Option<&'static str> {
    let key = key.to_ascii_lowercase().replace('-', "_");
    let distances = KEYS.iter().map(|known| (distance(&key, known), *known));
    distances.min().filter(|(distance, known)| *distance <= (known.len() / 3).max(2)).map(|(_, known)| known)
}

/// How many letters must be added, dropped or changed to make one text the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().take(80).enumerate() {
        let mut next = vec![above + 1];
        for (column, (pair, theirs)) in row.windows(2).zip(&other).enumerate() {
            let &[diagonal, up] = pair else { continue };
            let left = next.get(column).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(letter != *theirs)).min(up + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

fn read_file(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, ConfigError> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::File { path: path.to_owned(), why: error.to_string() }),
    }
}

fn parse_file(path: &Path, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let refuse = |why: String| ConfigError::File { path: path.to_owned(), why };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().and_then(|span| text.get(..span.start)).map(|before| before.lines().count().max(1));
        // The message alone: the error's own form shows the line, and a password may stand in it.
        match line {
            Some(line) => refuse(format!("line {line}: {}", error.message())),
            None => refuse(error.message().to_owned()),
        }
    })?;
    let scalar = |(key, value): (String, toml::Value)| match value {
        toml::Value::String(text) => Ok((key, text)),
        toml::Value::Integer(number) => Ok((key, number.to_string())),
        toml::Value::Boolean(truth) => Ok((key, truth.to_string())),
        other => {
            let kind = other.type_str();
            Err(refuse(format!(
                "`{key}` is a {kind}, and settings are texts, whole numbers, `true` and `false`"
            )))
        }
    };
    table.into_iter().map(scalar).collect()
}
