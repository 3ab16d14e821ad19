//! The one form that all spellings of a web address have.

use data_encoding::HEXUPPER;
use url::Url;

use super::{KeyError, MAX_URL_BYTES};

pub(super) fn segments(url: &Url) -> impl Iterator<Item = &str> {
    // Empty segments are passed over: most servers do, and `//a/x` must not slip past a denial of `/a`.
    url.path().split('/').filter(|segment| !segment.is_empty())
}

/// Whether a text is a web address in normal form that can be told to be one at a glance: a name of lower-case letters,
/// digits and single hyphens that no one could take for a number or for an encoded name, no port, and a path and query of
/// characters that have no other spelling. Other texts may be in normal form too: [`normal_url`] knows. A test holds the
/// two against each other.
pub(super) fn is_plain(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some((host, path)) = rest.and_then(|rest| rest.split_at_checked(rest.find('/')?)) else {
        return false;
    };
    text.len() <= MAX_URL_BYTES && is_plain_host(host) && is_plain_path(path)
}

fn is_plain_host(host: &str) -> bool {
    let (mut before, mut last_of_label) = (b'.', b'.');
    for byte in host.bytes() {
        let fits = match byte {
            b'a'..=b'z' | b'0'..=b'9' => true,
            b'-' | b'.' => before.is_ascii_alphanumeric(),
            _ => false,
        };
        if !fits {
            return false;
        }
        if before == b'.' {
            last_of_label = byte;
        }
        before = byte;
    }
    // Where the last label begins with a letter the host is no number.
    host.len() <= 253 && before.is_ascii_alphanumeric() && last_of_label.is_ascii_lowercase()
}

fn is_plain_path(path: &str) -> bool {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut before = b' ';
    for byte in path.bytes() {
        let fits = match byte {
            // What begins with a dot may be `..`.
            b'/' | b'.' => before != b'/',
            _ => is_unreserved(byte),
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    let fits = |byte: u8| is_unreserved(byte) || matches!(byte, b'=' | b'&' | b'/');
    query.is_none_or(|query| !query.is_empty() && query.bytes().all(fits))
}

/// The WHATWG URL in the form that all spellings of one address have: see [`normal_once`]. An address that would be
/// another one when it is read again is refused: `%%36` could hide a denied path.
pub(super) fn normal_url(text: &str) -> Result<Url, KeyError> {
    let url = normal_once(text)?;
    if normal_once(url.as_str())? == url {
        return Ok(url);
    }
    Err(KeyError::Ambiguous(text.chars().take(200).collect()))
}

/// The WHATWG URL without fragment, empty query and empty segments (most servers pass over these: `//a` must not slip past
/// what is said of `/a`), and with one spelling of each character: unreserved ones unescaped (RFC 3986, 6.2.2.2), in the
/// path also those that need no escape there, and what is no character of a path escaped.
fn normal_once(text: &str) -> Result<Url, KeyError> {
    // Escapes can triple a text; nothing over this can have a normal form within the limit.
    if text.len() > 4 * MAX_URL_BYTES {
        return Err(KeyError::TooLong(MAX_URL_BYTES));
    }
    let shown = || text.chars().take(200).collect::<String>();
    // What the parser takes off is taken off before escapes are looked at: a tab within one must not hide it.
    let bare: String =
        text.trim_matches(|c| c <= ' ').chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let mut url =
        Url::parse(&unescape(&bare, is_unreserved)).map_err(|error| KeyError::NotUrl(shown(), error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(KeyError::NotWeb(shown()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(KeyError::Credentials);
    }
    url.set_fragment(None);
    if url.query() == Some("") {
        url.set_query(None);
    }
    let path = normal_path(&url);
    if path != url.path() {
        url.set_path(&path);
    }
    if url.as_str().len() > MAX_URL_BYTES { Err(KeyError::TooLong(MAX_URL_BYTES)) } else { Ok(url) }
}

fn normal_path(url: &Url) -> String {
    let mut path = String::with_capacity(url.path().len());
    for segment in segments(url) {
        path.push('/');
        for character in
            unescape(segment, |byte| is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)).chars()
        {
            match character {
                '|' => path.push_str("%7C"),
                '^' => path.push_str("%5E"),
                '[' => path.push_str("%5B"),
                ']' => path.push_str("%5D"),
                other => path.push(other),
            }
        }
    }
    if url.path().ends_with('/') {
        path.push('/');
    }
    path
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The text with these characters unescaped, and all other escapes in capitals.
fn unescape(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let digits = escape.get(1..3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(byte) if is_plain(byte) => out.push(char::from(byte)),
            Some(byte) => {
                let hex = HEXUPPER.encode(&[byte]);
                out.push('%');
                out.push_str(&hex);
            }
            None => out.push('%'),
        }
        rest = escape.get(if value.is_some() { 3 } else { 1 }..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::Key;

    fn url(text: &str) -> String {
        match Key::url(text) {
            Ok(Key::Url { value }) => value,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn urls_that_reach_one_page_are_one_key() {
        let page = url("https://a.example/b/c");
        for same in [
            "HTTPS://A.EXAMPLE:443/b/c",
            "https://a.example/x/../b/./c",
            "https://a.example/%62/c#part",
            "https://a.example/b/c?",
            "https://a.example/x/%2e%2E/b/c",
            " https://a.example\\b\\c",
            "https://a.example/%\t62/c",
            "https://a.example/%6\n2/\rc",
            "https://a.example//b///c",
        ] {
            assert_eq!(url(same), page, "{same}");
        }
        for other in [
            "https://a.example/b/c/",
            "http://a.example/b/c",
            "https://a.example/B/c",
            "https://a.example/b%2Fc",
        ] {
            assert_ne!(url(other), page, "{other}");
        }
        assert_eq!(url("https://例え.テスト/あ"), "https://xn--r8jz45g.xn--zckzah/%E3%81%82");
    }

    #[test]
    fn a_character_has_one_spelling_in_a_path() {
        for (one, other) in
            [("/a|1", "/a%7C1"), ("/a!(1)", "/a%21%281%29"), ("/a:@1", "/a%3A%401"), ("/[a]", "/%5ba%5D")]
        {
            assert_eq!(
                url(&format!("https://a.example{one}")),
                url(&format!("https://a.example{other}")),
                "{one}"
            );
        }
        for hidden in
            ["https://a.example/%%36danga", "https://a.example/%2562", "https://a.example/%25%36%32"]
        {
            // What is escaped twice is another text, and never one that unescapes once more when it is read again.
            if let Ok(Key::Url { value }) = Key::url(hidden) {
                assert_eq!(url(&value), value, "{hidden}");
            }
        }
        assert_eq!(url("https://a.example/%%36danga"), "https://a.example/manga");
        assert!(matches!(Key::url("https://a.example/?q=%%36danga"), Err(KeyError::Ambiguous(_))));
        assert_eq!(url("https://a.example/%+D"), "https://a.example/%+D");
    }

    #[test]
    fn what_is_told_at_a_glance_is_in_normal_form() {
        for plain in ["https://a.example/", "http://a-b.c1.example/x/y.z?a=1&b=~", "https://a.example/b/"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in [
            "https://a.example",
            "https://1.2.3.4/",
            "https://a.1/",
            "https://a.0x1/",
            "https://xn--a.example/",
            "https://a--b.example/",
            "https://a..example/",
            "https://a.example./",
            "https://-a.example/",
            "https://a.example:443/",
            "https://a@b.example/",
            "https://A.example/",
            "https://a.example//b",
            "https://a.example/./b",
            "https://a.example/.",
            "https://a.example/b?",
            "https://a.example/%62",
            "https://a.example/b#c",
            "HTTPS://a.example/",
            "https:///a",
        ] {
            assert!(!is_plain(other), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_plain_address_is_its_own_normal_form(
            text in "https?://[a-c0x.-]{1,6}[a-c0-9]{1,2}/[a-c./~_-]{0,8}(\\?[a-c=&/.%+]{0,4})?|https?://[ -~]{1,12}/[ -~]{0,8}"
        ) {
            if is_plain(&text) {
                proptest::prop_assert_eq!(normal_url(&text).map(String::from), Ok(text));
            }
        }

        #[test]
        fn a_normal_key_is_read_as_itself(text in "https?://[a-c.]{1,4}(/|//|%|%%|%2|25|%5c|\\\\|\\||!|\t|[0-9a-fA-F]|\\.|\\?|;){0,12}") {
            for key in [Key::url(&text), Key::url_prefix(&text)].into_iter().flatten() {
                let again = match &key {
                    Key::Url { value } => Key::url(value),
                    Key::UrlPrefix { value } => Key::url_prefix(value),
                    other => panic!("{other:?}"),
                };
                proptest::prop_assert_eq!(again.as_ref(), Ok(&key), "{}", text);
                proptest::prop_assert!(key.is_normal());
            }
        }
    }
}
