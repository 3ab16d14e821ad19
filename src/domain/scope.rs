//! How far a statement reaches: `only` a stated list, or `any`; and from when until when.
//!
//! In a grant everything is stated (R8): there is no default, and an empty list is refused. In a denial what is left
//! out means all of it (R9).

use std::fmt;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

/// The most members that one `only` list may have.
pub const MAX_ONLY: usize = 500;

/// `"any"`, or `{"only": […]}` with one to [`MAX_ONLY`] distinct members, kept sorted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope<T> {
    /// Everything, and the unstated too.
    Any,
    /// These and nothing else.
    Only(Vec<T>),
}

impl<T: Ord> Scope<T> {
    /// The scope of these members; `None` when there are none, or more than [`MAX_ONLY`].
    pub fn only(members: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut members: Vec<T> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        (!members.is_empty() && members.len() <= MAX_ONLY).then_some(Self::Only(members))
    }

    /// The members of [`Scope::Only`].
    pub fn members(&self) -> Option<&[T]> {
        match self {
            Self::Any => None,
            Self::Only(members) => Some(members),
        }
    }

    /// Whether a stated value lies in the scope. A value that was not stated lies only in [`Scope::Any`].
    pub fn covers(&self, value: Option<&T>) -> bool {
        match (self, value) {
            (Self::Any, _) => true,
            (Self::Only(members), Some(value)) => members.binary_search(value).is_ok(),
            (Self::Only(_), None) => false,
        }
    }
}

/// In JSON `"any"` or `{"only": […]}`; in the binary image of an index an optional list.
impl<T: Serialize + Ord> Serialize for Scope<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return self.members().serialize(serializer);
        }
        match self {
            Self::Any => serializer.serialize_str("any"),
            Self::Only(members) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("only", members)?;
                map.end()
            }
        }
    }
}

impl<'de, T: Deserialize<'de> + Ord> Deserialize<'de> for Scope<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOrOnly<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Ord> Visitor<'de> for AnyOrOnly<T> {
            type Value = Scope<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`\"any\"` or `{\"only\": […]}`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == "any" {
                    Ok(Scope::Any)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let Some(field) = map.next_key::<std::borrow::Cow<'de, str>>()? else {
                    return Err(de::Error::missing_field("only"));
                };
                if field != "only" {
                    return Err(de::Error::unknown_field(&field, &["only"]));
                }
                let members: Vec<T> = map.next_value()?;
                let stated = members.len();
                if map.next_key::<de::IgnoredAny>()?.is_some() {
                    return Err(de::Error::custom("`only` stands alone: nothing may follow it"));
                }
                match Scope::only(members) {
                    Some(Scope::Only(kept)) if kept.len() == stated => Ok(Scope::Only(kept)),
                    Some(_) => Err(de::Error::custom("`only` names something twice")),
                    None => Err(de::Error::custom(format!("`only` must name 1 to {MAX_ONLY} things"))),
                }
            }
        }
        if !deserializer.is_human_readable() {
            return match Option::<Vec<T>>::deserialize(deserializer)? {
                None => Ok(Self::Any),
                Some(members) => Self::only(members).ok_or_else(|| de::Error::custom("an empty `only`")),
            };
        }
        deserializer.deserialize_any(AnyOrOnly(std::marker::PhantomData))
    }
}

/// A moment that may be tied to the recording of the act itself: `"on_record"`, or milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum From {
    /// The moment of the entry that states it.
    OnRecord,
    /// This moment; for a grant it may not lie before the entry (R12).
    At(i64),
}

impl From {
    /// The moment meant in an entry recorded at `at_ms`.
    pub const fn at(self, at_ms: i64) -> i64 {
        match self {
            Self::OnRecord => at_ms,
            Self::At(moment) => moment,
        }
    }
}

/// The end of a term, itself outside it: `"open"`, or milliseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// No end is stated.
    Open,
    /// This moment is the first one outside.
    At(i64),
}

impl Until {
    /// The first moment outside; `i64::MAX` when open.
    pub const fn at(self) -> i64 {
        match self {
            Self::Open => i64::MAX,
            Self::At(moment) => moment,
        }
    }
}

/// The latest moment that may be stated: 9999-12-31T23:59:59.999Z, safely inside JSON's exact integers.
pub const MAX_MOMENT_MS: i64 = 253_402_300_799_999;

macro_rules! word_or_moment {
    ($type:ident, $word_variant:ident, $word:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    Self::$word_variant => serializer.serialize_str($word),
                    Self::At(moment) => serializer.serialize_i64(*moment),
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct WordOrMoment;
                impl Visitor<'_> for WordOrMoment {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("`\"", $word, "\"` or milliseconds since 1970"))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        if text == $word {
                            Ok($type::$word_variant)
                        } else {
                            Err(E::invalid_value(de::Unexpected::Str(text), &self))
                        }
                    }
                    fn visit_i64<E: de::Error>(self, moment: i64) -> Result<$type, E> {
                        if (0..=MAX_MOMENT_MS).contains(&moment) {
                            Ok($type::At(moment))
                        } else {
                            Err(E::custom("a moment lies between 1970 and 9999"))
                        }
                    }
                    fn visit_u64<E: de::Error>(self, moment: u64) -> Result<$type, E> {
                        self.visit_i64(i64::try_from(moment).unwrap_or(i64::MAX))
                    }
                }
                deserializer.deserialize_any(WordOrMoment)
            }
        }
    };
}

word_or_moment!(From, OnRecord, "on_record");
word_or_moment!(Until, Open, "open");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_only_list_is_neither_empty_nor_ambiguous() {
        for bad in [
            r#"{"only":[]}"#,
            r#"{"only":[1,1]}"#,
            r#"{"only":[1],"only":[2]}"#,
            r#"{"any":1}"#,
            r#""all""#,
            "null",
            "[]",
            "{}",
        ] {
            assert!(serde_json::from_str::<Scope<u8>>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Scope<u8>>(r#"{"only":[2,1]}"#).unwrap(), Scope::Only(vec![1, 2]));
        assert_eq!(serde_json::from_str::<Scope<u8>>(r#""any""#).unwrap(), Scope::Any);
    }

    #[test]
    fn the_unstated_lies_only_in_any() {
        assert!(Scope::<u8>::Any.covers(None));
        assert!(!Scope::Only(vec![1]).covers(None));
        assert!(Scope::Only(vec![1]).covers(Some(&1)));
        assert!(!Scope::Only(vec![1]).covers(Some(&2)));
    }

    #[test]
    fn moments_have_bounds() {
        for bad in ["-1", "253402300800000", "1.5", "null", r#""now""#, "18446744073709551615"] {
            assert!(serde_json::from_str::<From>(bad).is_err(), "{bad}");
            assert!(serde_json::from_str::<Until>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Until>("5").unwrap(), Until::At(5));
    }
}
