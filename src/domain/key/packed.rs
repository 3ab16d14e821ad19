//! Keys as bytes, for memory: equal keys have equal bytes, and bytes that are equal are of equal keys.

use memchr::{memchr, memchr_iter};
use smallvec::SmallVec;

use super::{Key, Sha256};

/// The bytes of a key.
pub type Packed = SmallVec<[u8; 64]>;

/// Parts two parts. A normal key holds no such byte, so that what equals its bytes is parted where it is.
const END: u8 = 0;

/// The bytes of a key.
pub fn of(key: &Key) -> Packed {
    let mut bytes = Packed::new();
    for part in parts(key) {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The bytes of a key, added to what is there.
pub fn write(key: &Key, bytes: &mut Vec<u8>) {
    for part in parts(key) {
        bytes.extend_from_slice(part);
    }
}

fn parts(key: &Key) -> [&[u8]; 4] {
    let (tag, first, second): (&[u8; 1], &[u8], Option<&str>) = match key {
        Key::Url { value } => (&[1], value.as_bytes(), None),
        Key::UrlPrefix { value } => (&[2], value.as_bytes(), None),
        Key::Sha256 { value } => (&[3], &value.0, None),
        Key::Id { scheme, value } => (&[4], scheme.as_bytes(), Some(value.as_str())),
        Key::Iscc { header, body } => (&[5], header.as_bytes(), Some(body)),
    };
    match second {
        Some(second) => [tag, first, &[END], second.as_bytes()],
        None => [tag, first, &[], &[]],
    }
}

/// The longest beginning that is taken for one that others have too.
const LONGEST: usize = 255;

/// The bytes of a key in two parts: the beginning, which many keys have in common, and the rest. The beginning of an address is
/// its site, that of the others what comes before the value; of anything else what sort of key it is.
pub fn parts_of(bytes: &[u8]) -> (&[u8], &[u8]) {
    let beginning = match bytes.first() {
        Some(1 | 2) => site_of(bytes),
        Some(4 | 5) => memchr(END, bytes).map(|at| at + 1),
        _ => None,
    };
    let beginning = beginning.filter(|at| *at <= LONGEST).unwrap_or(1);
    bytes.split_at_checked(beginning).unwrap_or((bytes, &[]))
}

/// Where the path of an address begins, if it has one.
fn site_of(bytes: &[u8]) -> Option<usize> {
    let is_end = |at: &usize| bytes.get(*at..).is_some_and(|rest| rest.starts_with(b"://"));
    let host = memchr_iter(b':', bytes).find(is_end)? + 3;
    let path = memchr(b'/', bytes.get(host..)?)?;
    Some(host + path)
}

/// The key of these bytes.
pub fn read(bytes: &[u8]) -> Key {
    let (tag, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let two = || {
        let mut parts = rest.splitn(2, |byte| *byte == END);
        (text(parts.next().unwrap_or_default()), text(parts.next().unwrap_or_default()))
    };
    match tag {
        2 => Key::UrlPrefix { value: text(rest) },
        3 => Key::sha256(Sha256(rest.try_into().unwrap_or_default())),
        4 => {
            let (scheme, value) = two();
            Key::Id { scheme: scheme.into(), value: value.into() }
        }
        5 => {
            let (header, body) = two();
            Key::Iscc { header, body }
        }
        _ => Key::Url { value: text(rest) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_and_shares_its_bytes_with_no_other() {
        let keys = [
            Key::url("https://a.example/b").unwrap(),
            Key::url_prefix("https://a.example/b").unwrap(),
            Key::sha256(Sha256::of(b"b")),
            Key::identifier("a", "b").unwrap(),
            Key::identifier("ab", "b").unwrap(),
            Key::iscc("0010", "0011223344556677").unwrap(),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(read(&of(key)), *key);
            let packed = of(key);
            let (beginning, rest) = parts_of(&packed);
            assert!(!beginning.is_empty() && !rest.is_empty(), "{key:?}");
            assert_eq!([beginning, rest].concat(), packed.to_vec());
            assert!(keys.iter().skip(at + 1).all(|other| of(other) != of(key)), "{key:?}");
        }
        // Not in normal form, and still not the identifier `b` of `a`.
        for (scheme, value) in [("a\0b", ""), ("a\0b", "b"), ("a", "\0b"), ("", "a\0b")] {
            let odd = Key::Id { scheme: scheme.into(), value: value.into() };
            assert_ne!(of(&odd), of(&keys[3]), "{odd:?}");
        }
    }
}
