//! Items as people write them.

use std::collections::VecDeque;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::cli::Failure;
use crate::domain::key::{Key, SubjectKey};
use crate::domain::uses::Use;

/// The longest line, as the server reads them, with room for the reference that is put in.
const MAX_LINE_BYTES: usize = 65_000;
/// What some programs write before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Where items come from.
pub(super) enum Source {
    /// The arguments.
    Arguments(VecDeque<String>),
    /// Lines, and whether one was read.
    Lines(Box<dyn Lines>, bool),
}

/// Bytes that are read by lines.
pub(super) trait Lines: tokio::io::AsyncBufRead + Send + Unpin {}
impl<T: AsyncRead + Send + Unpin> Lines for BufReader<T> {}

/// One item, ready to be sent.
#[derive(Debug)]
pub(super) struct Asked {
    /// What the person wrote, for the answer.
    pub(super) text: String,
    /// The person's own reference, if the item has one.
    pub(super) reference: Option<String>,
    /// The uses it asks for, when it does not leave that to the context.
    pub(super) uses: Option<Vec<Use>>,
    /// The members to send besides the reference, or why it can't be read.
    pub(super) members: Result<String, String>,
}

impl Source {
    pub(super) fn open(items: &[String], file: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = file {
            let file = std::fs::File::open(path)
                .map_err(|error| Failure::usage(format!("`{}` can't be read: {error}", path.display())))?;
            return Ok(Self::Lines(Box::new(BufReader::new(tokio::fs::File::from_std(file))), false));
        }
        if items.is_empty() || items == ["-"] {
            return Ok(Self::Lines(Box::new(BufReader::new(tokio::io::stdin())), false));
        }
        for item in items {
            let asked = read(item);
            if let Err(why) = asked.members {
                return Err(Failure::usage(format!(
                    "`{}` is no item: {why}",
                    crate::cli::output::plain(item)
                )));
            }
        }
        Ok(Self::Arguments(items.iter().cloned().collect()))
    }

    /// Whether it may have many items.
    pub(super) fn is_long(&self) -> bool {
        matches!(self, Self::Lines(..))
    }

    /// The next item; none after the last.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<Asked>> {
        match self {
            Self::Arguments(items) => Ok(items.pop_front().map(|item| read(&item))),
            Self::Lines(lines, is_begun) => loop {
                let mut line = Vec::new();
                if lines.read_until(b'\n', &mut line).await? == 0 {
                    return Ok(None);
                }
                let is_first = !std::mem::replace(is_begun, true);
                let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first).unwrap_or(&line);
                let asked = match str::from_utf8(line) {
                    Ok(text) if text.trim().is_empty() => continue,
                    Ok(text) => read(text.trim()),
                    Err(_) => unreadable(&String::from_utf8_lossy(line), "it is not UTF-8"),
                };
                return Ok(Some(asked));
            },
        }
    }
}

fn unreadable(text: &str, why: impl Into<String>) -> Asked {
    let text = text.chars().take(200).collect();
    Asked { text, reference: None, uses: None, members: Err(why.into()) }
}

/// Reads an item: JSON when it begins with `{`, else one key.
fn read(text: &str) -> Asked {
    if text.len() > MAX_LINE_BYTES {
        return unreadable(text, format!("it is longer than {MAX_LINE_BYTES} bytes"));
    }
    if text.starts_with('{') {
        return read_json(text);
    }
    match key(text).and_then(|key| serde_json::to_string(&[key]).map_err(|error| error.to_string())) {
        Ok(keys) => Asked {
            text: text.to_owned(),
            reference: None,
            uses: None,
            members: Ok(format!("\"keys\":{keys}")),
        },
        Err(why) => unreadable(text, why),
    }
}

/// What a person writes for a key: a work id, a URL, `sha256:HEX`, or `SCHEME:VALUE`.
pub(in crate::cli) fn key(text: &str) -> Result<SubjectKey, String> {
    let of = |key: Result<Key, crate::domain::key::KeyError>| {
        key.map(SubjectKey::Key).map_err(|error| error.to_string())
    };
    if text.starts_with("wrk_") {
        return text
            .parse()
            .map(SubjectKey::work)
            .map_err(|error: crate::domain::ids::IdError| error.to_string());
    }
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return of(Key::url(text));
    }
    match text.split_once(':') {
        Some(("sha256", hex)) => of(hex.to_ascii_lowercase().parse().map(Key::sha256)),
        Some((_, value)) if value.starts_with("//") => {
            Err("expected a web address to begin with `http://` or `https://`".to_owned())
        }
        Some((scheme, value)) => of(Key::identifier(scheme, value)),
        None => Err("expected a work id, a URL, `sha256:HEX` or `SCHEME:VALUE`".to_owned()),
    }
}

/// An item as the API takes it. Its reference is kept here, because the answer's order is verified by numbers.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    #[serde(skip_serializing, default)]
    reference: Option<String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    keys: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    url: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    work: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<Vec<Use>>,
    /// `null` states "none" and is sent as it is.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    model: Option<&'a RawValue>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "stated")]
    territory: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with_parts: Option<bool>,
}

fn stated<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn read_json(text: &str) -> Asked {
    let item: Item<'_> = match serde_json::from_str(text) {
        Ok(item) => item,
        Err(error) => return unreadable(text, error.to_string()),
    };
    let members = match serde_json::to_string(&item) {
        Ok(json) => {
            json.strip_prefix('{').and_then(|json| json.strip_suffix('}')).unwrap_or_default().to_owned()
        }
        Err(error) => return unreadable(text, error.to_string()),
    };
    let members = if members.is_empty() { Err("it has no key".to_owned()) } else { Ok(members) };
    Asked { text: text.to_owned(), reference: item.reference, uses: item.uses, members }
}
