//! Standard base64 with padding (RFC 4648, section 4), read in the one form in which it is written.

use data_encoding::BASE64;

/// The bytes of a text; none where it is written otherwise than they are. `data_encoding` alone would take several padded texts one
/// after the other too, which other readers refuse.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let is_one = !text.trim_end_matches('=').contains('=');
    is_one.then(|| BASE64.decode(text.as_bytes()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_read_is_written_in_the_same_way(text in "[A-Ca-c0-9+/=]{0,24}", bytes: Vec<u8>) {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(BASE64.encode(&bytes), text);
            }
            prop_assert_eq!(decode(&BASE64.encode(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn two_padded_texts_are_not_one() {
        assert_eq!(BASE64.decode(b"AA==AAA=").as_deref(), Ok(&[0; 3][..]));
        assert_eq!(decode("AA==AAA="), None);
        assert_eq!((decode("AA="), decode("AB=="), decode("AA==\n")), (None, None, None));
    }
}
