//! Bodies made of a good one by breaking it in one place, or as a whole.

use serde_json::Value;

use crate::world::contract::{Contract, Operation};

/// A body that nobody should send.
pub(super) struct Broken {
    /// Where it was broken, and by what.
    pub(super) what: String,
    pub(super) bytes: Vec<u8>,
    /// Whether the description leaves no way to take it.
    pub(super) must_be_refused: bool,
}

/// What stands where something nasty will: no JSON writer escapes it, and no example holds it.
const MARK: &str = "\u{E000}here\u{E000}";

/// JSON values, and what only looks like one, as they are sent.
fn nasty() -> Vec<(String, Vec<u8>)> {
    let texts = [
        "null",
        "true",
        "0",
        "-1",
        "-0",
        "0.1",
        "1e999",
        "9007199254740993",
        "18446744073709551616",
        "00",
        "NaN",
        "[]",
        "{}",
        "[[]]",
        "[null]",
        "{\"\":0}",
        "{\"only\":[]}",
        "{\"only\":\"any\"}",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"a\\u001b[2Jb\"",
        "\"a\\r\\nb\"",
        "\"\\u202Eabc\\u2066\"",
        "\"\\uFEFFabc\"",
        "\"\\uD800\"",
        "\"\\uDC00\\uD800\"",
        "\"\u{FFFF}\"",
        "\"\u{E0041}\u{200B}\"",
        "\"https://a:b@localhost/%00\"",
        "\"javascript:alert(1)\"",
        "\"wrk_00000000000000000000000000\"",
        "\"org_zzzzzzzzzzzzzzzzzzzzzzzzzz\"",
        "\"9999-12-31T23:59:60Z\"",
        "\"' OR 1=1 --\"",
        "\"{{7*7}}${7*7}<script>\"",
        "\"unended",
    ];
    let named = |text: &str| (text.to_owned(), text.as_bytes().to_vec());
    let mut all: Vec<_> = texts.into_iter().map(named).collect();
    all.push(("a text of 5,000 letters".to_owned(), format!("\"{}\"", "長".repeat(5_000)).into_bytes()));
    all.push(("a number of 5,000 digits".to_owned(), "9".repeat(5_000).into_bytes()));
    all.push(("a list of 2,000 nulls".to_owned(), format!("[{}null]", "null,".repeat(1_999)).into_bytes()));
    all.push(("nested lists".to_owned(), [vec![b'['; 10_000], vec![b']'; 10_000]].concat()));
    all.push(("nested objects".to_owned(), "{\"a\":".repeat(5_000).into_bytes()));
    all.push(("a text of no UTF-8".to_owned(), b"\"a\xff\xfeb\"".to_vec()));
    all.push(("a surrogate in UTF-8".to_owned(), b"\"\xed\xa0\x80\"".to_vec()));
    all.push(("a NUL that is not escaped".to_owned(), b"\"a\0b\"".to_vec()));
    all
}

/// Every place in a value, by JSON pointer, the whole first.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let token = name.replace('~', "~0").replace('/', "~1");
                places(inner, &format!("{at}/{token}"), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                places(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The text before and after the value at a place.
fn around(example: &Value, place: &str) -> (String, String) {
    let mut marked = example.clone();
    *marked.pointer_mut(place).expect("a place in it") = Value::String(MARK.to_owned());
    let text = marked.to_string();
    let (before, after) = text.split_once(&format!("\"{MARK}\"")).expect("the mark");
    (before.to_owned(), after.to_owned())
}

/// Every way in which an example is broken here. Places that differ by the number of an item alone are broken once.
pub(super) fn of(operation: &Operation, media_type: &str, example: &Value) -> Vec<Broken> {
    let schema = Contract::shared().body_schema(operation, media_type);
    let judge = |what: String, bytes: Vec<u8>| {
        let read = std::str::from_utf8(&bytes).ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let fits = |value: &Value| Contract::shared().validate(&operation.id, schema, value).is_ok();
        let must_be_refused = !read.as_ref().is_some_and(fits);
        Broken { what, bytes, must_be_refused }
    };
    let (mut all, mut at) = (Vec::new(), Vec::new());
    places(example, "", &mut at);
    at.retain(|place| {
        place
            .split('/')
            .all(|token| token.parse::<usize>().is_ok_and(|it| it == 0) || token.parse::<usize>().is_err())
    });
    for place in &at {
        let (before, after) = around(example, place);
        for (what, bytes) in nasty() {
            let bytes = [before.as_bytes(), &bytes, after.as_bytes()].concat();
            all.push(judge(format!("`{what}` at `{place}`"), bytes));
        }
        all.extend(of_members(example, place, &before, &after, &judge));
    }
    let whole = example.to_string();
    for (what, text) in [
        ("nothing", String::new()),
        ("half of it", whole.chars().take(whole.chars().count() / 2).collect()),
        ("more than one", format!("{whole}{whole}")),
        ("a comma at the end", format!("{whole},")),
        ("a mark of byte order", format!("\u{FEFF}{whole}")),
        ("a comment", format!("/* */{whole}")),
        ("quotes of another kind", whole.replace('"', "'")),
    ] {
        all.push(judge(what.to_owned(), text.into_bytes()));
    }
    let wide = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    all.push(judge("UTF-16".to_owned(), wide));
    all.push(judge("17 MiB of blanks".to_owned(), [whole.as_bytes(), &vec![b' '; 17 << 20]].concat()));
    all.last_mut().expect("the last").must_be_refused = true;
    all
}

/// The object at a place with a member that nobody knows, without each of its members, and with each of them twice.
fn of_members(
    example: &Value,
    place: &str,
    before: &str,
    after: &str,
    judge: &impl Fn(String, Vec<u8>) -> Broken,
) -> Vec<Broken> {
    let Some(Value::Object(members)) = example.pointer(place) else { return Vec::new() };
    // Structs can be read from lists of their fields, unless somebody sees to it that they are not.
    let values: Vec<_> = members.values().map(Value::to_string).collect();
    let lists = [
        values.clone(),
        values.iter().rev().cloned().collect(),
        vec!["null".to_owned(); 2],
        vec!["null".to_owned(); 3],
    ];
    let mut all: Vec<_> = lists
        .into_iter()
        .map(|list| {
            judge(
                format!("[{}] at `{place}`", list.join(",")),
                format!("{before}[{}]{after}", list.join(",")).into_bytes(),
            )
        })
        .collect();
    let mut push = |what: String, members: Vec<String>, must: bool| {
        let mut broken = judge(what, format!("{before}{{{}}}{after}", members.join(",")).into_bytes());
        broken.must_be_refused |= must;
        all.push(broken);
    };
    let written: Vec<_> =
        members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    let with = |more: String| written.iter().cloned().chain([more]).collect::<Vec<_>>();
    push(format!("a member that nobody knows at `{place}`"), with("\"unheard_of\":1".to_owned()), false);
    push(format!("`__proto__` at `{place}`"), with("\"__proto__\":{\"admin\":true}".to_owned()), false);
    for (index, name) in members.keys().enumerate() {
        let rest = written.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, it)| it.clone());
        push(format!("no `{name}` at `{place}`"), rest.collect(), false);
        push(format!("`{name}` twice at `{place}`"), with(written[index].clone()), true);
        push(
            format!("`{name}` again, as null, at `{place}`"),
            with(format!("{}:null", Value::from(name.as_str()))),
            true,
        );
    }
    all
}
