//! Entity tags: the state of a thing, as the index of the last entry that changed it.

use axum::http::HeaderValue;

/// A strong entity tag (RFC 9110 section 8.8.3), quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    /// The tag of a thing whose last change is the entry of this index.
    pub fn of_entry(index: u64) -> Self {
        Self(format!("\"e{index}\""))
    }

    /// The entry that a strong tag of ours names.
    pub fn entry_of(tag: &str) -> Option<u64> {
        let entry = tag.strip_prefix("\"e")?.strip_suffix('"')?.parse().ok()?;
        (Self::of_entry(entry).as_str() == tag).then_some(entry)
    }

    /// The tag as it stands in a header, with its quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The header `ETag`.
    pub fn header(&self) -> HeaderValue {
        // Quotes, a letter and digits only: always a legal header.
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("\"e\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_quoted_and_differs_by_entry() {
        assert_eq!(Etag::of_entry(12).header(), "\"e12\"");
        assert_ne!(Etag::of_entry(1), Etag::of_entry(2));
        assert_eq!(Etag::entry_of("\"e12\""), Some(12));
        for bad in ["", "e12", "\"12\"", "\"e012\"", "\"e+1\"", "W/\"e12\"", "\"e\""] {
            assert_eq!(Etag::entry_of(bad), None, "{bad}");
        }
    }
}
