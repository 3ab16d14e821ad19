//! What JSON escapes in a string (RFC 8259, section 7), found eight bytes at a time: most texts hold none of it.

/// How many bytes stand before the first one that must be escaped: `"`, `\` or a control character below 0x20.
pub fn plain_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = escaped_in(u64::from_le_bytes(*word));
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    text.len() - rest.len() + rest.iter().position(|byte| is_escaped(*byte)).unwrap_or(rest.len())
}

/// Whether a byte must be escaped.
const fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// The high bit of each byte that must be escaped; bits above the lowest one may be set in error, since a difference borrows.
const fn escaped_in(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    (below(quote, 1) | below(backslash, 1) | below(word, b' ')) & HIGH
}

const fn below(word: u64, least: u8) -> u64 {
    word.wrapping_sub(ONES * least as u64) & !word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one_by_one(text: &[u8]) -> usize {
        text.iter().position(|byte| is_escaped(*byte)).unwrap_or(text.len())
    }

    proptest! {
        #[test]
        fn the_first_escape_is_found(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(plain_length(&text), one_by_one(&text));
        }
    }

    #[test]
    fn every_byte_is_told_apart_at_every_place() {
        for byte in 0..=u8::MAX {
            for (place, around) in
                (0..20).flat_map(|place| [b' ', b'!', b'#', b'[', b']', 0x80, 0xff].map(|it| (place, it)))
            {
                let mut text = [around; 20];
                text[place] = byte;
                assert_eq!(plain_length(&text), one_by_one(&text), "{byte} at {place} among {around}");
            }
        }
    }
}
