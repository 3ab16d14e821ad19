//! Questions on the wire: contexts, items and their keys, read without copies where that is easy.
//!
//! A context that can't be read is a mistake of the whole request. An item that can't be read is a mistake of that item
//! alone: it is answered `not_permitted` with the mistake in words, and its neighbours are answered as if it were not
//! there.

pub(super) mod plain;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use smallvec::smallvec;

use super::extract::strict::from_slice;
use super::problem::FieldError;
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::index::Mostly1;
use crate::domain::key::{Key, SubjectKey};
use crate::domain::question::{MAX_KEYS, Question};
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, Uses};
use crate::registry::checks::{Context, Item, MAX_REFERENCE};

/// What holds for every item that says nothing else: `{"uses":[…],"model":…,"territory":…,"with_parts":…}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContextWire {
    uses: Vec<Use>,
    #[serde(default)]
    model: Option<ModelId>,
    #[serde(default)]
    territory: Option<Territory>,
    #[serde(default)]
    with_parts: bool,
}

impl ContextWire {
    /// What is wrong with it; `place` is the pointer to it in the body.
    pub(super) fn fault(&self, place: &str) -> Option<FieldError> {
        let fault = fault_of_uses(&self.uses)?;
        Some(FieldError::new(format!("{place}/uses"), "invalid_value", fault))
    }

    /// The context, to be used where it has no fault.
    pub(super) fn context(self) -> Context {
        let Self { uses, model, territory, with_parts } = self;
        Context { uses, model, territory, with_parts }
    }
}

fn fault_of_uses(uses: &[Use]) -> Option<&'static str> {
    let twice = uses.iter().enumerate().any(|(at, leaf)| uses.iter().skip(at + 1).any(|other| other == leaf));
    match (uses.is_empty(), twice) {
        (true, _) => Some("must name one or more uses"),
        (_, true) => Some("must name each use once"),
        _ => None,
    }
}

/// A text that is borrowed from the request where it holds no escape.
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An item: its keys, or one key in short; the caller's reference; and what it says otherwise than the context.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemWire<'a> {
    #[serde(borrow, default)]
    reference: Option<Text<'a>>,
    #[serde(borrow, default)]
    keys: Option<Vec<KeyWire<'a>>>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(borrow, default)]
    sha256: Option<Text<'a>>,
    #[serde(borrow, default)]
    work: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<IdWire<'a>>,
    #[serde(borrow, default)]
    uses: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    model: Said<Text<'a>>,
    #[serde(borrow, default)]
    territory: Said<Text<'a>>,
    #[serde(default)]
    with_parts: Option<bool>,
}

/// Tells a member that is `null` from one that is not there: `null` says "none", whatever the context says.
#[derive(Debug, Default)]
enum Said<T> {
    #[default]
    Nothing,
    Null,
    This(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<T>::deserialize(deserializer)?.map_or(Self::Null, Self::This))
    }
}

/// A catalogue's identifier: `{"scheme":…,"value":…}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdWire<'a> {
    #[serde(borrow)]
    scheme: Text<'a>,
    #[serde(borrow)]
    value: Text<'a>,
}

/// A key: `{"type":"url","value":…}`, `{"type":"sha256","value":…}`, `{"type":"id","scheme":…,"value":…}`,
/// `{"type":"work","id":…}`, `{"type":"iscc","header":…,"body":…}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyWire<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
    #[serde(borrow, default)]
    value: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    scheme: Option<Text<'a>>,
    #[serde(borrow, default)]
    header: Option<Text<'a>>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
}

/// Reads one item. Never fails: what can't be read is in the item.
pub fn item(json: &[u8], developer: OrgId, context: &Context) -> Item {
    let read = plain::read(json).map_or_else(|| from_slice::<ItemWire<'_>>(json), Ok);
    match read {
        Ok(wire) => item_of(wire, developer, context),
        Err(error) => {
            let kept = from_slice::<ReferenceOnly<'_>>(json).ok().and_then(|it| it.reference);
            let reason = format!("the item can't be read: {error}");
            Item { reference: reference(kept.as_ref()).0, question: Err(reason) }
        }
    }
}

fn item_of(wire: ItemWire<'_>, developer: OrgId, context: &Context) -> Item {
    let (reference, fault) = reference(wire.reference.as_ref());
    let question = match fault {
        Some(fault) => Err(fault),
        None => question(wire, developer, context),
    };
    Item { reference, question }
}

/// An item that can't be read at all.
pub(super) fn unreadable(fault: impl Into<String>) -> Item {
    Item { reference: None, question: Err(fault.into()) }
}

/// What is still echoed of an item that can't be read.
#[derive(Deserialize)]
struct ReferenceOnly<'a> {
    #[serde(borrow, default)]
    reference: Option<Text<'a>>,
}

fn reference(text: Option<&Text<'_>>) -> (Option<String>, Option<String>) {
    match text {
        Some(text) if text.0.chars().count() > MAX_REFERENCE => {
            (None, Some(format!("the reference is longer than {MAX_REFERENCE} characters")))
        }
        other => (other.map(|text| text.0.as_ref().to_owned()), None),
    }
}

fn question(wire: ItemWire<'_>, developer: OrgId, context: &Context) -> Result<Question, String> {
    let subject = subject(&wire)?;
    let uses = match wire.uses {
        None => Uses::from_slice(&context.uses),
        Some(uses) => {
            let read = uses.iter().map(|leaf| leaf.0.parse::<Use>().map_err(|error| error.to_string()));
            let uses = read.collect::<Result<Uses, _>>()?;
            fault_of_uses(&uses).map_or(Ok(uses), |fault| Err(format!("`uses` {fault}")))?
        }
    };
    let model = match wire.model {
        Said::Nothing => context.model,
        Said::Null => None,
        Said::This(text) => Some(text.0.parse().map_err(of_member("model"))?),
    };
    let territory = match wire.territory {
        Said::Nothing => context.territory,
        Said::Null => None,
        Said::This(text) => Some(text.0.parse().map_err(of_member("territory"))?),
    };
    let with_parts = wire.with_parts.unwrap_or(context.with_parts);
    Ok(Question { developer, model, uses, territory, subject, with_parts })
}

fn of_member<E: std::fmt::Display>(name: &'static str) -> impl Fn(E) -> String {
    move |error| format!("`{name}`: {error}")
}

fn subject(wire: &ItemWire<'_>) -> Result<Mostly1<SubjectKey>, String> {
    let short = [wire.url.is_some(), wire.sha256.is_some(), wire.work.is_some(), wire.id.is_some()];
    let ways = short.into_iter().filter(|there| *there).count() + usize::from(wire.keys.is_some());
    if ways != 1 {
        return Err(
            "an item has exactly one of `keys`, `url`, `sha256`, `work` and `id`: several keys of one item go into `keys`"
                .to_owned(),
        );
    }
    if let Some(keys) = &wire.keys {
        return subject_of(keys);
    }
    let key = if let Some(text) = &wire.url {
        web_address(&text.0)
    } else if let Some(text) = &wire.sha256 {
        content(&text.0)
    } else if let Some(text) = &wire.work {
        work(&text.0)
    } else if let Some(id) = &wire.id {
        identifier(&id.scheme.0, &id.value.0)
    } else {
        Err("an item needs a key".to_owned())
    };
    Ok(smallvec![key?])
}

/// The keys of one item, in normal form.
pub(super) fn subject_of(keys: &[KeyWire<'_>]) -> Result<Mostly1<SubjectKey>, String> {
    if !(1..=MAX_KEYS).contains(&keys.len()) {
        return Err(format!("an item has 1 to {MAX_KEYS} keys"));
    }
    keys.iter().enumerate().map(|(at, key)| key.read().map_err(|why| format!("`keys/{at}`: {why}"))).collect()
}

impl KeyWire<'_> {
    fn read(&self) -> Result<SubjectKey, String> {
        let members = [&self.value, &self.id, &self.scheme, &self.header, &self.body];
        let given = members.map(|member| member.as_ref().map(|text| text.0.as_ref()));
        match (self.r#type.0.as_ref(), given) {
            ("url", [Some(value), None, None, None, None]) => web_address(value),
            ("sha256", [Some(value), None, None, None, None]) => content(value),
            ("id", [Some(value), None, Some(scheme), None, None]) => identifier(scheme, value),
            ("work", [None, Some(id), None, None, None]) => work(id),
            ("iscc", [None, None, None, Some(header), Some(body)]) => {
                Key::iscc(header, body).map(SubjectKey::Key).map_err(|error| error.to_string())
            }
            // A prefix stands for many items; what lies deeper may belong to others, who would not be heard.
            ("url_prefix", _) => Err("a prefix is not an item: ask for each `url`".to_owned()),
            ("url" | "sha256", _) => Err("a key of this type has `type` and `value`".to_owned()),
            ("id", _) => Err("a key of this type has `type`, `scheme` and `value`".to_owned()),
            ("work", _) => Err("a key of this type has `type` and `id`".to_owned()),
            ("iscc", _) => Err("a key of this type has `type`, `header` and `body`".to_owned()),
            (other, _) => {
                let shown: String = other.chars().take(64).collect();
                Err(format!(
                    "`{shown}` is not a type of key: expected `url`, `sha256`, `id`, `work` or `iscc`"
                ))
            }
        }
    }
}

/// The key of a web address.
pub(super) fn web_address(text: &str) -> Result<SubjectKey, String> {
    Key::url(text).map(SubjectKey::Key).map_err(|error| error.to_string())
}

/// The key of a file's content; hexadecimal digits of either case.
pub(super) fn content(text: &str) -> Result<SubjectKey, String> {
    let digest = text.parse().or_else(|_| text.to_ascii_lowercase().parse());
    let digest = digest.map_err(|_| "expected 64 hexadecimal digits of a SHA-256")?;
    Ok(SubjectKey::Key(Key::sha256(digest)))
}

/// The key of a catalogue's or a standard's identifier.
pub(super) fn identifier(scheme: &str, value: &str) -> Result<SubjectKey, String> {
    Key::identifier(scheme, value).map(SubjectKey::Key).map_err(|error| error.to_string())
}

/// A registered work, or one that nobody knows, which is `not_registered`.
pub(super) fn work(text: &str) -> Result<SubjectKey, String> {
    text.parse::<WorkId>().map(SubjectKey::work).map_err(|error| error.to_string())
}
