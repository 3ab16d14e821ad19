//! SHA-256 (FIPS 180-4) of a message that is all there: without the buffer in which messages that come in parts are gathered,
//! which costs as much as a block, and most messages here have few.

use sha2::block_api::compress256;

use super::merkle::{HASH_BYTES, Hash};

/// Bytes in a block.
const BLOCK: usize = 64;
/// What follows a message; zeros and its length in bits fill up the last block (section 5.1.1).
const END: u8 = 0x80;
/// Where the length stands in the last block.
const LENGTH: usize = BLOCK - size_of::<u64>();
/// The state before the first block (section 5.3.3).
const BEFORE: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// SHA-256 of `head`, which is shorter than a block, followed by `rest`.
pub(super) fn headed<const N: usize>(head: &[u8; N], rest: &[u8]) -> Hash {
    const { assert!(N < BLOCK, "a head is shorter than a block") };
    let bits = 8 * (N as u64 + rest.len() as u64);
    let (mut state, mut block) = (BEFORE, [0; BLOCK]);
    let (front, space) = block.split_at_mut(N);
    front.copy_from_slice(head);
    let (first, rest) = rest.split_at(rest.len().min(space.len()));
    put(space, first);
    let mut used = N + first.len();
    if used == BLOCK {
        compress256(&mut state, &[block]);
        let (whole, tail) = rest.as_chunks();
        compress256(&mut state, whole);
        block = [0; BLOCK];
        put(&mut block, tail);
        used = tail.len();
    }
    if let Some(end) = block.get_mut(used) {
        *end = END;
    }
    if used >= LENGTH {
        compress256(&mut state, &[block]);
        block = [0; BLOCK];
    }
    put(&mut block[LENGTH..], &bits.to_be_bytes());
    compress256(&mut state, &[block]);
    told(state)
}

/// Writes bytes into the first of a space that is not shorter.
fn put(space: &mut [u8], bytes: &[u8]) {
    if let Some(space) = space.get_mut(..bytes.len()) {
        space.copy_from_slice(bytes);
    }
}

fn told(state: [u32; 8]) -> Hash {
    let mut hash = [0; HASH_BYTES];
    for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    Hash(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn check<const N: usize>(bytes: &[u8]) {
        let head: [u8; N] = std::array::from_fn(|at| bytes[at] ^ 0xff);
        for length in (0..400).chain([511, 512, 513, 1_000]) {
            let mut whole = Sha256::new();
            whole.update(head);
            whole.update(&bytes[..length]);
            let whole: [u8; HASH_BYTES] = whole.finalize().into();
            assert_eq!(headed(&head, &bytes[..length]).0, whole, "{N} and {length}");
        }
    }

    #[test]
    fn every_length_is_hashed_as_in_parts() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|at| at.to_le_bytes()[0] ^ 0x5a).collect();
        check::<0>(&bytes);
        check::<1>(&bytes);
        check::<16>(&bytes);
        check::<32>(&bytes);
        check::<55>(&bytes);
        check::<56>(&bytes);
        check::<63>(&bytes);
    }
}
