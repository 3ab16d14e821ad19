//! The commonest bodies and items, read in one pass: objects of texts without escapes or anything out of the ordinary, and
//! without blanks but one after a colon or a comma.
//!
//! Everything else is for `serde_json` to read or to refuse, which also knows what to say of it. A test holds the two
//! against each other.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{ContextWire, IdWire, ItemWire, KeyWire, Text, item, item_of};
use crate::domain::escapes::plain_length;
use crate::domain::ids::OrgId;
use crate::registry::checks::{Context, Item, MAX_ITEMS};

/// About how many bytes an item takes.
const USUAL_BYTES: usize = 64;

/// The context and the items of a body in which the context comes first, if nothing is wrong with it but with single items.
pub(in crate::http) fn body(json: &[u8], developer: OrgId) -> Option<(Context, Vec<Item>)> {
    let json = after_blank(std::str::from_utf8(json).ok()?.strip_prefix("{\"context\":")?);
    let (context, rest): (ContextWire, _) = value(json)?;
    if context.fault("").is_some() {
        return None;
    }
    let context = context.context();
    let rest = after_blank(past(rest, b',')?).strip_prefix("\"items\":")?;
    let mut rest = past(after_blank(rest), b'[')?;
    let mut items = Vec::with_capacity((rest.len() / USUAL_BYTES).min(MAX_ITEMS));
    while items.len() < MAX_ITEMS {
        let (next, after) = if let Some((wire, after)) = one(rest) {
            (item_of(wire, developer, &context), after)
        } else {
            let (raw, after): (&RawValue, _) = value(rest)?;
            (item(raw.get().as_bytes(), developer, &context), after)
        };
        items.push(next);
        match past(after, b',') {
            Some(next) => rest = after_blank(next),
            None => return (after == "]}").then_some((context, items)),
        }
    }
    None
}

/// An object that stands here, and what stands after it.
fn value<'a, T: serde::Deserialize<'a>>(json: &'a str) -> Option<(T, &'a str)> {
    if !json.starts_with('{') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(json).into_iter();
    let value = values.next()?.ok()?;
    Some((value, json.get(values.byte_offset()..)?))
}

/// The item, if it is a plain one.
pub(super) fn read(json: &[u8]) -> Option<ItemWire<'_>> {
    let (wire, rest) = one(std::str::from_utf8(json).ok()?)?;
    rest.is_empty().then_some(wire)
}

/// A plain item, and what stands after it.
fn one(json: &str) -> Option<(ItemWire<'_>, &str)> {
    let mut wire = ItemWire::default();
    let rest = members(json, |name, json| match name {
        "reference" => put(&mut wire.reference, json),
        "url" => put(&mut wire.url, json),
        "sha256" => put(&mut wire.sha256, json),
        "work" => put(&mut wire.work, json),
        "id" if wire.id.is_none() => {
            let (mut scheme, mut value) = (None, None);
            let rest = members(json, |name, json| match name {
                "scheme" => put(&mut scheme, json),
                "value" => put(&mut value, json),
                _ => None,
            })?;
            wire.id = Some(IdWire { scheme: scheme?, value: value? });
            Some(rest)
        }
        "keys" if wire.keys.is_none() => {
            let (keys, rest) = keys(json)?;
            wire.keys = Some(keys);
            Some(rest)
        }
        _ => None,
    })?;
    Some((wire, rest))
}

/// A list of at least one key, and what stands after it.
fn keys(json: &str) -> Option<(Vec<KeyWire<'_>>, &str)> {
    let (mut keys, mut rest) = (Vec::new(), past(json, b'[')?);
    loop {
        let (mut r#type, mut value, mut id, mut scheme, mut header, mut body) = Default::default();
        let after = members(rest, |name, json| match name {
            "type" => put(&mut r#type, json),
            "value" => put(&mut value, json),
            "id" => put(&mut id, json),
            "scheme" => put(&mut scheme, json),
            "header" => put(&mut header, json),
            "body" => put(&mut body, json),
            _ => None,
        })?;
        keys.push(KeyWire { r#type: r#type?, value, id, scheme, header, body });
        match past(after, b',') {
            Some(next) => rest = after_blank(next),
            None => return Some((keys, past(after, b']')?)),
        }
    }
}

/// Reads the members of an object, each by `member`, which is given the name and what stands after the colon, and gives
/// what stands after the value; gives what stands after the object.
fn members<'a>(
    json: &'a str,
    mut member: impl FnMut(&'a str, &'a str) -> Option<&'a str>,
) -> Option<&'a str> {
    let mut rest = past(json, b'{')?;
    loop {
        let (name, after) = text(rest)?;
        let after = member(name, after_blank(past(after, b':')?))?;
        match past(after, b',') {
            Some(next) => rest = after_blank(next),
            None => return past(after, b'}'),
        }
    }
}

fn after_blank(json: &str) -> &str {
    past(json, b' ').unwrap_or(json)
}

/// What stands after this character of ASCII, if that stands here.
fn past(json: &str, character: u8) -> Option<&str> {
    if json.as_bytes().first() == Some(&character) { json.get(1..) } else { None }
}

/// A text that is not there yet.
fn put<'a>(slot: &mut Option<Text<'a>>, json: &'a str) -> Option<&'a str> {
    let (found, rest) = text(json)?;
    let is_new = slot.replace(Text(Cow::Borrowed(found))).is_none();
    is_new.then_some(rest)
}

/// A text without escapes, and what stands after it.
fn text(json: &str) -> Option<(&str, &str)> {
    let rest = past(json, b'"')?;
    let (text, after) = rest.split_at_checked(plain_length(rest.as_bytes()))?;
    Some((text, past(after, b'"')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an item says, however it is read.
    fn said(wire: &ItemWire<'_>) -> String {
        format!("{wire:?}").replace("Owned", "").replace("Borrowed", "")
    }

    #[test]
    fn plain_items_are_read() {
        for plain in [
            r#"{"url":"https://a.example/"}"#,
            r#"{"reference":"許諾","sha256":"00"}"#,
            r#"{"id":{"value":"1","scheme":"isan"},"reference":""}"#,
            r#"{"work":"wrk_","url":""}"#,
            r#"{"reference": "a", "id": {"scheme": "isan", "value":"1"}}"#,
            r#"{"keys":[{"type":"url","value":"a"}, {"scheme":"b","id":"","header": "c","body":"d","type":"e"}]}"#,
        ] {
            let by_serde: ItemWire<'_> = serde_json::from_str(plain).unwrap();
            assert_eq!(said(&read(plain.as_bytes()).unwrap()), said(&by_serde), "{plain}");
        }
        for other in [
            "{}",
            r#"{"url":"a","url":"a"}"#,
            r#"{"id":{"scheme":"a","value":"b"},"id":{"scheme":"a","value":"b"}}"#,
            r#"{"id":{"scheme":"a"}}"#,
            r#"{"id":{"scheme":"a","value":"b","value":"b"}}"#,
            r#"{"url":"a",}"#,
            r#"{"url":"a"}}"#,
            r#"{"url":"a"} "#,
            r#"{ "url":"a"}"#,
            r#"{"url" :"a"}"#,
            r#"{"url":  "a"}"#,
            r#"{"url":"\u0061"}"#,
            r#"{"url":null}"#,
            r#"{"uses":["search"],"url":"a"}"#,
            r#"{"other":"a"}"#,
            r#"{"keys":[]}"#,
            r#"{"keys":[{"value":"a"}]}"#,
            r#"{"keys":[{"type":"a","type":"a"}]}"#,
            r#"{"keys":[{"type":"a"},]}"#,
            r#"{"keys":[{"type":"a"}],"keys":[{"type":"a"}]}"#,
            r#"{"keys":{"type":"a"}}"#,
            "{\"url\":\"\n\"}",
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
        assert!(read(b"{\"url\":\"\xff\"}").is_none());
    }

    /// What a body is read as by the way that reads all of them.
    fn by_serde(json: &str, developer: OrgId) -> Option<(Context, Vec<Item>)> {
        crate::http::checks::by_serde(json.as_bytes(), developer).ok()
    }

    #[test]
    fn plain_bodies_are_read() {
        let developer = OrgId::new(uuid::Uuid::from_u128(1));
        for plain in [
            r#"{"context":{"uses":["search"]},"items":[{"url":"https://a.example/"}]}"#,
            r#"{"context": {"uses": ["search"], "with_parts": true}, "items": [{"url": "https://a.example/"}, {"url": "b"}]}"#,
            r#"{"context":{ "uses" :["search"]},"items":[{"uses":["derive"],"url":"\u0061"},{"url":"a","url":"a"},{"sha256":"00"},{}]}"#,
        ] {
            let read = body(plain.as_bytes(), developer);
            assert!(read.is_some() && read == by_serde(plain, developer), "{plain}");
        }
        let too_many =
            format!(r#"{{"context":{{"uses":["search"]}},"items":[{}{{}}]}}"#, "{},".repeat(MAX_ITEMS));
        for other in [
            "",
            "[]",
            r#"{"items":[{"url":"a"}],"context":{"uses":["search"]}}"#,
            r#"{"context":{"uses":[]},"items":[{"url":"a"}]}"#,
            r#"{"context":{"uses":["search"],"more":1},"items":[{"url":"a"}]}"#,
            r#"{"context":{"uses":["search"]},"items":[]}"#,
            r#"{"context":{"uses":["search"]},"items":[{"url":"a"},]}"#,
            r#"{"context":{"uses":["search"]},"items":[{"url":"a"}}"#,
            r#"{"context":{"uses":["search"]},"items":[{"url":"a"}"#,
            r#"{"context":{"uses":["search"]},"items":[{"url":"a"}],"items":[]}"#,
            r#"{"context":{"uses":["search"]},"items":[{"url":"a"}]}}"#,
            r#"{"context":{"uses":["search"]},"items":[{"url":"a"}]} "#,
            r#"{"context":{"uses":["search"]},"items":[1]}"#,
            &too_many,
        ] {
            assert!(body(other.as_bytes(), developer).is_none(), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_body_is_read_as_serde_reads_it(
            json in r#"\{"context": ?\{"uses":\["search"(,"derive")?\]\},? ?"(items|more)":\[(\{(("url|id|reference|uses"): ?("a"|\["search"\]|1),? ?){0,2}\}|1)?(, ?\{"(url|more)":"[a"\\]"\}){0,2}\]\}?"#
        ) {
            let developer = OrgId::new(uuid::Uuid::from_u128(1));
            if let Some(read) = body(json.as_bytes(), developer) {
                proptest::prop_assert_eq!(Some(read), by_serde(&json, developer));
            }
        }

        #[test]
        fn what_is_read_is_what_serde_reads(
            json in r#"\{("(url|id|work|reference|sha256|keys)":("[a"\\]{0,2}"|\{"scheme":"a","value":"b"(,"value":"c")?\}|\[(\{"type":"a"(,"value":"b")?\},?){0,2}\]|null|1),?){0,3}\}?[ }]?"#
        ) {
            if let Some(wire) = read(json.as_bytes()) {
                let by_serde: ItemWire<'_> = serde_json::from_str(&json).unwrap();
                proptest::prop_assert_eq!(said(&wire), said(&by_serde));
            }
        }
    }
}
