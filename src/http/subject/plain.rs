//! The commonest items, read in one pass: objects of texts without escapes, blanks or anything out of the ordinary.
//!
//! Everything else is for `serde_json` to read or to refuse, which also knows what to say of it. A test holds the two
//! against each other.

use std::borrow::Cow;

use super::{IdWire, ItemWire, Text};

/// The item, if it is a plain one.
pub(super) fn read(json: &[u8]) -> Option<ItemWire<'_>> {
    let json = std::str::from_utf8(json).ok()?;
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
        _ => None,
    })?;
    rest.is_empty().then_some(wire)
}

/// Reads the members of an object, each by `member`, which is given the name and what stands after the colon, and gives
/// what stands after the value; gives what stands after the object.
fn members<'a>(
    json: &'a str,
    mut member: impl FnMut(&'a str, &'a str) -> Option<&'a str>,
) -> Option<&'a str> {
    let mut rest = json.strip_prefix('{')?;
    loop {
        let (name, after) = text(rest)?;
        let after = member(name, after.strip_prefix(':')?)?;
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.strip_prefix('}'),
        }
    }
}

/// A text that is not there yet.
fn put<'a>(slot: &mut Option<Text<'a>>, json: &'a str) -> Option<&'a str> {
    let (found, rest) = text(json)?;
    let is_new = slot.replace(Text(Cow::Borrowed(found))).is_none();
    is_new.then_some(rest)
}

/// A text without escapes, and what stands after it.
fn text(json: &str) -> Option<(&str, &str)> {
    let rest = json.strip_prefix('"')?;
    let end = rest.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
    let (text, after) = rest.split_at_checked(end)?;
    Some((text, after.strip_prefix('"')?))
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
            r#"{"url":"\u0061"}"#,
            r#"{"url":null}"#,
            r#"{"uses":["search"],"url":"a"}"#,
            r#"{"other":"a"}"#,
            "{\"url\":\"\n\"}",
        ] {
            assert!(read(other.as_bytes()).is_none(), "{other}");
        }
        assert!(read(b"{\"url\":\"\xff\"}").is_none());
    }

    proptest::proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads(
            json in r#"\{("(url|id|work|reference|sha256|keys)":("[a"\\]{0,2}"|\{"scheme":"a","value":"b"(,"value":"c")?\}|null|1),?){0,3}\}?[ }]?"#
        ) {
            if let Some(wire) = read(json.as_bytes()) {
                let by_serde: ItemWire<'_> = serde_json::from_str(&json).unwrap();
                proptest::prop_assert_eq!(said(&wire), said(&by_serde));
            }
        }
    }
}
