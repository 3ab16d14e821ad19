//! One value of a row, of whatever form, read so that a member that is there twice is a mistake and not a choice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value, or a field of a CSV file as its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Nothing: JSON's `null`.
    Null,
    /// A text, a number or a truth value, as it is written.
    Text(String),
    /// A number that may not be exact: it must not become an identifier.
    Inexact,
    /// A list.
    List(Vec<Cell>),
    /// Members by name, in the order of the file.
    Map(Vec<(String, Cell)>),
}

impl Cell {
    /// The member with this name.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.iter().find(|(own, _)| own == name).map(|(_, cell)| cell),
            _ => None,
        }
    }

    /// What `place` names: a member of the row, or with a leading `/` a JSON pointer (RFC 6901).
    pub(super) fn at(&self, place: &str) -> Option<&Self> {
        let Some(path) = place.strip_prefix('/') else { return self.member(place) };
        path.split('/').try_fold(self, |cell, part| {
            let part = part.replace("~1", "/").replace("~0", "~");
            match cell {
                Self::List(items) => items.get(part.parse::<usize>().ok()?),
                _ => cell.member(&part),
            }
        })
    }

    /// The text, without blanks around it; none for nothing and for blanks.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// Whether nothing is said here.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Inexact => false,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(members) => members.is_empty(),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCell)
    }
}

struct AnyCell;

impl<'de> Visitor<'de> for AnyCell {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Cell, E> {
        Ok(Cell::Inexact)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cell, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Cell::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut members: Vec<(String, Cell)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom(format!("`{name}` is there twice")));
            }
            members.push((name, map.next_value()?));
        }
        Ok(Cell::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Cell;

    fn read(json: &str) -> Result<Cell, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn places_are_members_or_pointers() {
        let row = read(r#"{"a/b":{"c":[1,{"d":"x"}]},"n":null,"blank":"  "}"#).unwrap();
        assert_eq!(row.at("/a~1b/c/1/d").and_then(Cell::text), Some("x"));
        assert_eq!(row.at("/a~1b/c/0").and_then(Cell::text), Some("1"));
        assert_eq!(row.at("a/b").and_then(|cell| cell.at("c")).map(Cell::is_blank), Some(false));
        assert!(row.at("n").unwrap().is_blank() && row.at("blank").unwrap().is_blank());
        assert_eq!(row.at("/a~1b/c/2"), None);
    }

    #[test]
    fn what_is_there_twice_is_refused_and_what_is_not_exact_is_no_text() {
        assert!(read(r#"{"deny":true,"deny":false}"#).unwrap_err().contains("twice"));
        assert_eq!(read(r#"{"a":0.1,"b":1}"#).unwrap().at("a"), Some(&Cell::Inexact));
        assert!(read(&"[".repeat(10_000)).is_err());
    }
}
