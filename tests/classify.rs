//! Every act has an example, every field of it a class, and its form has one spelling.

use std::collections::BTreeSet;

use kyodaku::domain::act::Act;
use kyodaku::domain::classify::{Class, FIELDS, class, is_forbidden};
use kyodaku::domain::entry::{Entry, MAX_ENTRY_BYTES};
use kyodaku::domain::examples;
use kyodaku::log::canonical::to_canonical;
use serde_json::Value;

/// All paths below `value`, with the members of lists under the path of the list.
fn paths(value: &Value, below: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(members) => members.iter().for_each(|member| paths(member, below, found)),
        _ => {}
    }
}

/// `(of, path)` of every field that stands in the examples.
fn fields_of_examples() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    for line in examples::LINES.lines() {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        let mut act = entry["act"].take();
        let code = act["type"].as_str().unwrap().to_owned();
        act.as_object_mut().unwrap().remove("type");
        let mut found = BTreeSet::new();
        paths(&act, "", &mut found);
        all.extend(found.into_iter().map(|path| (code.clone(), path)));
        let own = entry.as_object().unwrap().keys().cloned().chain(["act/type".to_owned()]);
        all.extend(own.map(|path| ("entry".to_owned(), path)));
    }
    for payload in examples::payloads() {
        let mut payload = serde_json::to_value(payload).unwrap();
        let kind = payload["of"].as_str().unwrap().to_owned();
        payload.as_object_mut().unwrap().remove("of");
        let mut found = BTreeSet::new();
        paths(&payload, "", &mut found);
        all.extend(found.into_iter().map(|path| (kind.clone(), path)));
    }
    all
}

/// JSON pointers of all objects in `value`.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            for (name, value) in fields {
                objects(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(members) => {
            for (position, member) in members.iter().enumerate() {
                objects(member, &format!("{at}/{position}"), found);
            }
        }
        _ => {}
    }
}

/// The fields that a struct declares, as the refusal of an unknown one lists them; `None` for an enum.
fn declared(error: &str) -> Option<BTreeSet<String>> {
    let (_, expected) = error.split_once(", expected ")?;
    let names: BTreeSet<String> = expected.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

#[test]
fn every_act_has_an_example_in_the_order_of_declaration() {
    let codes: Vec<&str> = examples::all().iter().map(|entry| entry.act.code()).collect();
    assert_eq!(codes, Act::CODES);
    assert_eq!(examples::LINES.lines().count(), Act::CODES.len());
}

#[test]
fn every_field_has_a_class_and_the_table_names_nothing_else() {
    let mut tabled = BTreeSet::new();
    for row in FIELDS.iter().filter(|row| row.class != Class::Forbidden) {
        for field in row.fields {
            assert!(
                tabled.insert((row.of.to_owned(), (*field).to_owned())),
                "{}/{field} stands twice",
                row.of
            );
            assert_eq!(
                row.class == Class::Log,
                row.of == "entry" || Act::CODES.contains(&row.of),
                "{}",
                row.of
            );
        }
    }
    assert_eq!(fields_of_examples(), tabled);
}

#[test]
fn no_act_holds_personal_data_or_free_text() {
    for (of, path) in fields_of_examples() {
        if class(&of, &path) == Some(Class::Log) {
            assert!(!is_forbidden(&path), "{of}/{path} would be in the log for ever");
        }
    }
    for never in ["holder/email", "contact_name", "note", "works/title", "phone"] {
        assert_eq!(class("grant.recorded", never), Some(Class::Forbidden), "{never}");
    }
}

#[test]
fn an_entry_has_one_spelling() {
    for line in examples::LINES.lines() {
        let entry: Entry = serde_json::from_str(line).unwrap();
        let bytes = to_canonical(&entry).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), line);
        assert!(line.len() <= MAX_ENTRY_BYTES);
    }
}

#[test]
fn an_unknown_field_is_refused_anywhere_and_the_examples_have_all_known_ones() {
    for line in examples::LINES.lines() {
        let whole: Value = serde_json::from_str(line).unwrap();
        let mut places = Vec::new();
        objects(&whole, "", &mut places);
        for place in places {
            let mut changed = whole.clone();
            let object = changed.pointer_mut(&place).unwrap().as_object_mut().unwrap();
            let mut present: BTreeSet<String> = object.keys().cloned().collect();
            object.insert("zz_unknown".into(), Value::from(1));
            let Err(error) = serde_json::from_str::<Entry>(&changed.to_string()) else {
                panic!("`zz_unknown` was read at `{place}` of {line}");
            };
            // `type` is the tag; which fields follow is the struct's matter. `on_behalf_of` is not in every entry.
            present.remove("type");
            if let Some(mut declared) = declared(&error.to_string()) {
                if place.is_empty() {
                    present.insert("on_behalf_of".into());
                }
                declared.remove("type");
                assert_eq!(present, declared, "at `{place}` of {line}");
            }
        }
    }
}

#[test]
fn a_key_that_stands_twice_is_refused_anywhere() {
    for line in examples::LINES.lines() {
        for (start, _) in line.match_indices('{') {
            // Repeat the first member of each object before itself.
            let inside = &line[start + 1..];
            let mut members = serde_json::Deserializer::from_str(inside).into_iter::<String>();
            let Some(Ok(name)) = members.next() else { panic!("{line}") };
            let after = &inside[members.byte_offset() + 1..];
            let mut value = serde_json::Deserializer::from_str(after).into_iter::<Value>();
            let Some(Ok(first)) = value.next() else { panic!("{line}") };
            let twice = format!("{}\"{name}\":{first},{inside}", &line[..=start]);
            assert!(serde_json::from_str::<Entry>(&twice).is_err(), "read `{name}` twice: {twice}");
        }
    }
}

#[test]
fn the_rest_of_an_act_is_needed() {
    for entry in examples::all() {
        let bare = format!(r#"{{"type":"{}"}}"#, entry.act.code());
        assert!(serde_json::from_str::<Act>(&bare).is_err(), "{bare}");
    }
}
