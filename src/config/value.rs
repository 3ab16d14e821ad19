//! What a setting can be, how it is read and how it is shown.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::address::{refuse_unread, without_password};

/// A value of a setting.
pub trait Value: Sized {
    /// What limits it, beyond its type.
    type Rule;

    /// Reads it, or says what would be right.
    fn read(text: &str, rule: &Self::Rule) -> Result<Self, String>;

    /// As a value of TOML, without secrets.
    fn show(&self) -> String;

    /// The text without secrets, for messages about a text that could not be read.
    fn masked(text: &str) -> String {
        text.chars().take(200).collect()
    }
}

/// A text between quotation marks, as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value for u64 {
    type Rule = RangeInclusive<u64>;

    fn read(text: &str, rule: &Self::Rule) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| rule.contains(number));
        number.ok_or_else(|| format!("expected a whole number from {} to {}", rule.start(), rule.end()))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        text.parse().map_err(|_| "expected `true` or `false`".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            Err("expected one line of text".to_owned())
        } else {
            Ok(text.to_owned())
        }
    }

    fn show(&self) -> String {
        quoted(self)
    }
}

impl Value for PathBuf {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') {
            Err("expected a path".to_owned())
        } else {
            Ok(text.into())
        }
    }

    fn show(&self) -> String {
        quoted(&self.display().to_string())
    }
}

/// A path, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybePath(pub Option<PathBuf>);

impl Value for MaybePath {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.is_empty() { Ok(Self(None)) } else { PathBuf::read(text, &()).map(|path| Self(Some(path))) }
    }

    fn show(&self) -> String {
        quoted(&self.0.as_ref().map(|path| path.display().to_string()).unwrap_or_default())
    }
}

impl Value for SocketAddr {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        text.parse().map_err(|_| "expected ADDRESS:PORT, such as `127.0.0.1:8080` or `[::1]:8080`".to_owned())
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

/// The name of a log: a URL without its scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for Origin {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let plain =
            text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b':'));
        if plain && (1..=200).contains(&text.len()) && !text.contains("//") {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected a URL without its scheme, such as `registry.example/kyodaku`: letters, digits and `.-_/:`"
                .to_owned())
        }
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// The name of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName(String);

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for NodeName {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if plain && (1..=32).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected 1 to 32 lower-case letters, digits or `-`".to_owned())
        }
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// The address of a database. It may hold a password, so it is never shown as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The embedded database in this file.
    pub fn embedded(path: &Path) -> Self {
        Self(format!("sqlite:{}", path.display()))
    }

    /// The address, with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is an SQLite file.
    pub fn is_embedded(&self) -> bool {
        self.0.starts_with("sqlite:")
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::masked(&self.0))
    }
}

impl Value for DatabaseUrl {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if ["postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) {
            refuse_unread(text)?;
        } else if !text.starts_with("sqlite:") {
            return Err("expected `sqlite:PATH` or `postgres://USER@HOST/NAME`".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        quoted(&Self::masked(&self.0))
    }

    fn masked(text: &str) -> String {
        if text.starts_with("sqlite:") { text.to_owned() } else { without_password(text) }
    }
}

/// How letters are sent. It may hold a password, so it is never shown as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct MailUrl(String);

impl MailUrl {
    /// The address, with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::masked(&self.0))
    }
}

impl Value for MailUrl {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let known = ["folder:", "smtp://", "smtps://"].iter().any(|scheme| text.starts_with(scheme));
        if known {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected `folder:PATH`, `smtp://USER:PASSWORD@HOST` or `smtps://…`".to_owned())
        }
    }

    fn show(&self) -> String {
        quoted(&Self::masked(&self.0))
    }

    fn masked(text: &str) -> String {
        if text.starts_with("folder:") { text.to_owned() } else { without_password(text) }
    }
}

/// A URL of the web, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUrl(String);

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for WebUrl {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let read = url::Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        let url = read.ok_or("expected a URL, such as `https://registry.example`")?;
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// A URL of the web, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybeUrl(String);

impl MaybeUrl {
    /// The URL, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for MaybeUrl {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(String::new()));
        }
        // A password would be shown.
        if text.contains('@') {
            return Err(
                "expected a URL without a name and a password, such as `http://127.0.0.1:4318`".to_owned()
            );
        }
        WebUrl::read(text, &()).map(|url| Self(url.0))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }

    fn masked(text: &str) -> String {
        without_password(text)
    }
}

/// The issuer of a provider of OpenID Connect, exactly as it was written, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// The issuer.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Issuer {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let is_good = |url: &url::Url| {
            let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
            let is_closed = url.scheme() == "https" || url.scheme() == "http" && is_local;
            is_closed && url.query().is_none() && url.fragment().is_none() && url.username().is_empty()
        };
        if text.is_empty() || url::Url::parse(text).is_ok_and(|url| is_good(&url)) {
            return Ok(Self(text.to_owned()));
        }
        Err("expected what the provider calls itself, such as `https://accounts.example`: `https` but on this machine".to_owned())
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

/// A secret, or nothing. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for Secret {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        String::read(text, &()).map(Self)
    }

    fn show(&self) -> String {
        quoted(&Self::masked(&self.0))
    }

    fn masked(text: &str) -> String {
        if text.is_empty() { String::new() } else { "***".to_owned() }
    }
}

/// Addresses of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(Vec<IpAddr>);

impl Addresses {
    /// The addresses.
    pub fn as_slice(&self) -> &[IpAddr] {
        &self.0
    }
}

impl Value for Addresses {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let read = text
            .split_ascii_whitespace()
            .map(|word| word.parse().map(|address: IpAddr| address.to_canonical()));
        read.collect::<Result<_, _>>()
            .map(Self)
            .map_err(|_| "expected addresses with blanks between, such as `192.0.2.1 2001:db8::1`".to_owned())
    }

    fn show(&self) -> String {
        quoted(&self.0.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "))
    }
}

/// Witnesses: the key and the URL of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnesses(Vec<(String, String)>);

impl Witnesses {
    /// The key and the URL of each, as they were written.
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }
}

impl Value for Witnesses {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let (pairs, []) = words.as_chunks::<2>() else {
            return Err("expected a key and a URL for each witness, with blanks between".to_owned());
        };
        let pairs = pairs.iter().map(|[key, url]| ((*key).to_owned(), (*url).to_owned()));
        Ok(Self(pairs.collect()))
    }

    fn show(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(key, url)| format!("{key} {url}")).collect();
        quoted(&pairs.join(" "))
    }
}

/// An address to listen on, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaybeListen(pub Option<SocketAddr>);

impl Value for MaybeListen {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let read = text.parse().map(|address| Self(Some(address)));
        read.map_err(|_| "expected an address and a port, such as `127.0.0.1:9464`, or nothing".to_owned())
    }

    fn show(&self) -> String {
        quoted(&self.0.map(|address| address.to_string()).unwrap_or_default())
    }
}

/// A database, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaybeDatabase(pub Option<DatabaseUrl>);

impl Value for MaybeDatabase {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let read = DatabaseUrl::read(text, &()).map(|url| Self(Some(url)));
        read.map_err(|why| format!("{why}, or nothing"))
    }

    fn show(&self) -> String {
        self.0.as_ref().map_or_else(|| quoted(""), DatabaseUrl::show)
    }

    fn masked(text: &str) -> String {
        DatabaseUrl::masked(text)
    }
}

/// A moment, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaybeMoment(pub Option<jiff::Timestamp>);

impl Value for MaybeMoment {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let read = text.parse().map(|moment| Self(Some(moment)));
        read.map_err(|_| {
            "expected a moment with its zone, such as `2027-12-01T09:00:00Z`, or nothing".to_owned()
        })
    }

    fn show(&self) -> String {
        quoted(&self.0.map(|moment| moment.to_string()).unwrap_or_default())
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

impl Value for LogFormat {
    type Rule = ();

    fn read(text: &str, (): &()) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected `text` or `json`".to_owned()),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Text => quoted("text"),
            Self::Json => quoted("json"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (address, shown) in [
            ("postgres://ann:hunter2@db.example/kyodaku", "postgres://ann:***@db.example/kyodaku"),
            ("postgres://ann:hun@ter2@db.example/kyodaku", "postgres://ann:***@db.example/kyodaku"),
            (
                "postgres://db.example/k?user=ann&password=hunter2",
                "postgres://db.example/k?user=ann&password=***",
            ),
            ("postgres:ann:hunter2", "***"),
            ("mysql://ann:hunter2@h/x", "mysql://ann:***@h/x"),
            ("sqlite:data/kyodaku.db", "sqlite:data/kyodaku.db"),
        ] {
            assert_eq!(DatabaseUrl::masked(address), shown);
        }
        assert_eq!(MailUrl::masked("smtps://ann:hunter2@mail.example"), "smtps://ann:***@mail.example");
        assert_eq!(MailUrl::masked("folder:a@b"), "folder:a@b");
        let secret = Secret::read("hunter2", &()).unwrap();
        assert_eq!(
            (format!("{secret:?}"), Secret::masked("hunter2")),
            ("\"***\"".to_owned(), "***".to_owned())
        );
        let url = DatabaseUrl::read("postgres://ann:hunter2@h/x", &()).unwrap();
        assert!(!format!("{url:?} {}", url.show()).contains("hunter2"));
    }
}
