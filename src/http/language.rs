//! In which language reasons are told: `Accept-Language` (RFC 9110 section 12.5.4), Japanese or English.

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::problem::Problem;
use crate::domain::explain::Lang;

/// The language of the caller's choice; English when it names neither. A handler argument that never fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Language(pub Lang);

impl Language {
    /// The header that says in which language the answer is.
    pub(super) const fn header(self) -> (HeaderName, HeaderValue) {
        let tag = match self.0 {
            Lang::Ja => "ja",
            Lang::En => "en",
        };
        (CONTENT_LANGUAGE, HeaderValue::from_static(tag))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self(chosen(&parts.headers)))
    }
}

/// The one with the greater weight, in thousandths; the one named first where they weigh the same.
fn chosen(headers: &HeaderMap) -> Lang {
    let mut best: Option<(u32, Lang)> = None;
    let values = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let mut pieces = range.split(';').map(str::trim);
        let tag = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let lang = match tag.split('-').next() {
            Some("ja") => Lang::Ja,
            Some("en") => Lang::En,
            _ => continue,
        };
        let weight = pieces.find_map(|piece| piece.strip_prefix("q=")).map_or(1_000, thousandths);
        if weight > 0 && best.is_none_or(|(heaviest, _)| weight > heaviest) {
            best = Some((weight, lang));
        }
    }
    best.map_or(Lang::En, |(_, lang)| lang)
}

/// A weight of RFC 9110 section 12.4.2; 0 for what is none.
fn thousandths(weight: &str) -> u32 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.len() == 3, digits.parse::<u32>()) {
        ("0", true, Ok(fraction)) => fraction,
        ("1", true, Ok(0)) => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heavier_language_is_chosen() {
        for (sent, lang) in [
            ("ja", Lang::Ja),
            ("ja-JP,en;q=0.8", Lang::Ja),
            ("en;q=0.3, ja;q=0.31", Lang::Ja),
            ("fr, ja;q=0", Lang::En),
            ("", Lang::En),
            ("de", Lang::En),
            ("en-GB, ja", Lang::En),
            ("ja;q=9", Lang::En),
            ("JA; q=1.000", Lang::Ja),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(sent));
            assert_eq!(chosen(&headers), lang, "{sent}");
        }
        assert_eq!(chosen(&HeaderMap::new()), Lang::En);
    }
}
