//! Pages of lists: opaque cursors, limits, and the envelope.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::problem::{Code, Problem};

/// How many items a page holds: 1 to 200, 50 when the client says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Limit(u16);

impl Limit {
    /// The most items on one page.
    pub const MAX: u16 = 200;

    /// The number of items, 1 to 200.
    pub fn get(self) -> u16 {
        self.0
    }

    fn checked(number: u64) -> Option<Self> {
        u16::try_from(number).ok().filter(|n| (1..=Self::MAX).contains(n)).map(Self)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Limit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 1 to 200")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Limit, E> {
                Limit::checked(number).ok_or_else(|| E::custom("must be a number from 1 to 200"))
            }

            // A query string holds text only.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Limit, E> {
                text.parse()
                    .map_or_else(|_| Err(E::custom("must be a number from 1 to 200")), |n| self.visit_u64(n))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// The longest cursor that is read, in characters.
pub const MAX_CURSOR: usize = 1024;

/// What a cursor holds: a version, the list it belongs to (operation and filters), and where the next page begins.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inside<K> {
    v: u8,
    of: String,
    after: K,
}

const VERSION: u8 = 1;

/// The cursor of the page that follows `after` in the list `of` (operation and filters: a cursor of another list is
/// refused). Opaque to clients: base64url, which must be passed back unchanged.
pub fn cursor<K: Serialize>(of: &str, after: K) -> Result<String, Problem> {
    let inside = Inside { v: VERSION, of: of.to_owned(), after };
    let json = serde_json::to_vec(&inside).map_err(|error| Problem::internal(&error))?;
    Ok(BASE64URL_NOPAD.encode(&json))
}

/// Where the page begins that `cursor` names, in the list `of`; `invalid_cursor` for anything else.
pub fn read_cursor<K: DeserializeOwned>(of: &str, cursor: &str) -> Result<K, Problem> {
    let inside = Some(cursor)
        .filter(|text| text.len() <= MAX_CURSOR)
        .and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok())
        .and_then(|json| serde_json::from_slice::<Inside<K>>(&json).ok());
    match inside {
        Some(inside) if inside.v == VERSION && inside.of == of => Ok(inside.after),
        _ => Err(Problem::new(Code::InvalidCursor)),
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    /// The items, at most as many as the limit.
    pub items: Vec<T>,
    /// The cursor of the next page; `null` on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` of `rows`, which were read one further than the limit so that the end is known;
    /// `key` tells where the next page begins, from the last item shown.
    pub fn cut<K: Serialize>(
        mut rows: Vec<T>,
        limit: Limit,
        of: &str,
        key: impl FnOnce(&T) -> K,
    ) -> Result<Self, Problem> {
        let more = rows.len() > usize::from(limit.get());
        rows.truncate(usize::from(limit.get()));
        let next = match rows.last() {
            Some(last) if more => Some(cursor(of, key(last))?),
            _ => None,
        };
        Ok(Self { items: rows, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_in_its_own_list_only() {
        let text = cursor("listWorks:q=a", (7_u64, "wrk_1")).unwrap();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(read_cursor::<(u64, String)>("listWorks:q=a", &text).unwrap(), (7, "wrk_1".to_owned()));
        assert_eq!(
            read_cursor::<(u64, String)>("listWorks:q=b", &text).unwrap_err().code(),
            Code::InvalidCursor
        );
    }

    #[test]
    fn a_forged_or_foreign_cursor_is_refused() {
        let other = BASE64URL_NOPAD.encode(br#"{"v":2,"of":"l","after":1}"#);
        let twice = BASE64URL_NOPAD.encode(br#"{"v":1,"of":"l","after":1,"after":2}"#);
        for bad in ["", "=", "e30", "許", &other, &twice, &"A".repeat(4000)] {
            assert!(read_cursor::<u64>("l", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_last_page_has_no_next() {
        let limit = Limit::checked(2).unwrap();
        let page = Page::cut(vec![1_u64, 2, 3], limit, "l", |last| *last).unwrap();
        assert_eq!(page.items, [1, 2]);
        assert_eq!(read_cursor::<u64>("l", &page.next.unwrap()).unwrap(), 2);
        assert!(Page::cut(vec![1_u64, 2], limit, "l", |last| *last).unwrap().next.is_none());
        assert!(Page::cut(Vec::<u64>::new(), limit, "l", |last| *last).unwrap().next.is_none());
    }
}
