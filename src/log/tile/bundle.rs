//! Entry bundles: up to 256 entries, each after its length as two big-endian bytes.

use super::TILE_WIDTH;

/// The longest entry: its length travels in 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Why bytes are not an entry bundle, or entries cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// An entry longer than [`MAX_ENTRY_BYTES`].
    #[error("an entry has at most 65,535 bytes, not {0}")]
    EntryTooLong(usize),
    /// More than 256 entries.
    #[error("a bundle has at most 256 entries")]
    TooMany,
    /// The bytes end within an entry.
    #[error("the bundle ends within an entry")]
    CutShort,
}

/// Appends one entry with its length to a bundle. The caller counts to 256.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bundle of at most 256 entries, in order.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    if entries.len() > usize::from(TILE_WIDTH) {
        return Err(BundleError::TooMany);
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for entry in entries {
        push_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The entries of a bundle. All bytes must be used; the caller compares the count with the width it asked for.
pub fn decode_bundle(mut bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        if entries.len() == usize::from(TILE_WIDTH) {
            return Err(BundleError::TooMany);
        }
        let (length, rest) = bundle.split_first_chunk::<2>().ok_or(BundleError::CutShort)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(BundleError::CutShort)?;
        entries.push(entry);
        bundle = rest;
    }
    Ok(entries)
}
