use std::collections::{BTreeMap, HashMap};

use kyodaku::log::canonical::{CanonicalError, MAX_INTEGER, to_canonical};
use kyodaku::log::digest::{salted, sha256};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct Entry<'a> {
    v: u32,
    title: &'a str,
    act: Act,
    at_ms: i64,
    none: Option<u8>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Act {
    WorkRegistered { parts: Vec<i64>, complete: bool },
}

#[derive(Serialize)]
struct Twice {
    a: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

fn text<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_canonical(value).unwrap()).unwrap()
}

#[test]
fn keys_are_sorted_and_nothing_is_padded() {
    let entry = Entry {
        v: 1,
        title: "許諾\n\u{7f}\u{1}/\"",
        act: Act::WorkRegistered { parts: vec![-1, 0, 3], complete: true },
        at_ms: 1_761_523_200_000,
        none: None,
    };
    assert_eq!(
        text(&entry),
        "{\"act\":{\"complete\":true,\"kind\":\"work_registered\",\"parts\":[-1,0,3]},\"at_ms\":1761523200000,\
         \"none\":null,\"title\":\"許諾\\n\u{7f}\\u0001/\\\"\",\"v\":1}"
    );
}

/// The example of RFC 8785 section 3.2.3: UTF-16 order, in which the emoji stands before U+FB33.
#[test]
fn keys_are_in_the_order_of_rfc_8785() {
    let keys = ["\u{20ac}", "\r", "\u{fb33}", "1", "\u{1f600}", "\u{80}", "\u{f6}"];
    let map: HashMap<&str, u8> = keys.into_iter().zip(0..).collect();
    assert_eq!(
        text(&map),
        "{\"\\r\":1,\"1\":3,\"\u{80}\":5,\"\u{f6}\":6,\"\u{20ac}\":0,\"\u{1f600}\":4,\"\u{fb33}\":2}"
    );
}

#[test]
fn integers_beyond_two_to_the_53_are_refused_not_rounded() {
    let limit = i64::try_from(MAX_INTEGER).unwrap();
    assert_eq!(text(&[limit, -limit]), "[9007199254740992,-9007199254740992]");
    assert_eq!(text(&i128::from(limit)), "9007199254740992");
    let refused = |result: Result<Vec<u8>, CanonicalError>| matches!(result, Err(CanonicalError::Integer(_)));
    assert!(refused(to_canonical(&[limit + 1])));
    assert!(refused(to_canonical(&Some(-limit - 1))));
    assert!(refused(to_canonical(&u64::MAX)));
    assert!(refused(to_canonical(&i64::MIN)));
    assert!(refused(to_canonical(&u128::MAX)));
    assert!(refused(to_canonical(&i128::MIN)));
    assert!(refused(to_canonical(&BTreeMap::from([(u64::MAX, true)]))));
    let error = to_canonical(&(MAX_INTEGER + 1)).unwrap_err().to_string();
    assert!(error.contains("`9007199254740993`"), "{error}");
}

#[test]
fn floats_are_refused_even_when_whole_or_deep() {
    let deep = BTreeMap::from([("a", vec![Some(1.0_f64)])]);
    assert!(matches!(to_canonical(&deep), Err(CanonicalError::Float)));
    assert!(matches!(to_canonical(&0.5_f32), Err(CanonicalError::Float)));
    assert!(to_canonical(&f64::NAN).is_err());
    assert!(to_canonical(&f64::INFINITY).is_err());
}

#[test]
fn raw_json_and_strange_keys_are_refused() {
    let raw = serde_json::value::RawValue::from_string("9007199254740993".to_owned()).unwrap();
    assert!(matches!(to_canonical(&raw), Err(CanonicalError::Raw)));
    assert!(to_canonical(&HashMap::from([(vec![1], 2)])).is_err());

    let twice = Twice { a: 1, rest: BTreeMap::from([("a".to_owned(), 2)]) };
    assert!(to_canonical(&twice).is_err());
}

/// Values that hold what entries may hold, and more: every escape, keys of every plane, all depths.
fn values() -> impl Strategy<Value = Value> {
    let limit = i64::try_from(MAX_INTEGER).unwrap();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-limit..=limit).prop_map(Value::from),
        "\\PC*".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..12)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_what_another_writer_of_rfc_8785_writes(value in values()) {
        prop_assert_eq!(to_canonical(&value).unwrap(), serde_json_canonicalizer::to_vec(&value).unwrap());
    }
}

#[test]
fn every_kind_of_value_is_written_as_another_writer_writes_it() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Wrapped(u8);
    #[derive(Serialize)]
    struct Pair(u8, &'static str);
    #[derive(Serialize)]
    enum Kind {
        Plain,
        One(u8),
        Two(u8, u8),
        Named { z: u8, a: Option<char> },
    }
    fn same<T: Serialize>(value: T) {
        let other = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(String::from_utf8(to_canonical(&value).unwrap()), String::from_utf8(other));
    }
    same((Unit, Wrapped(1), Pair(2, "b"), (), Some('許'), "\u{8}\u{c}\u{1f}\u{7f}\\\"/"));
    same([Kind::Plain, Kind::One(1), Kind::Two(1, 2), Kind::Named { z: 1, a: Some('"') }]);
    same(BTreeMap::from([(10_u8, "ten"), (9, "nine")]));
    same(HashMap::from([
        ("b", vec![i64::MIN >> 12]),
        ("", vec![]),
        ("\u{10000}", vec![0]),
        ("\u{ffff}", vec![-1]),
    ]));
    same([i8::MIN, i8::MAX]);
    for line in include_str!("../../src/domain/examples.ndjson").lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(to_canonical(&value).unwrap(), line.as_bytes());
    }
}

#[test]
fn salted_digests_are_sha256_of_salt_and_bytes() {
    assert_eq!(
        sha256(b"abc").to_string(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let joined: Vec<u8> = [&[7_u8; 16][..], b"title"].concat();
    assert_eq!(salted(&[7; 16], b"title"), sha256(&joined));
    assert_ne!(salted(&[7; 16], b"title"), salted(&[8; 16], b"title"));
    assert_ne!(salted(&[7; 16], b"title"), salted(&[7; 32], b"title"));
}
