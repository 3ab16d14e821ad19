//! The entries of a bundle, as far as they can be read.

/// The entries of a bundle, each with the byte at which it begins, until the bundle ends or breaks off.
pub(super) struct Entries<'a> {
    /// The entries, at most as many as are due.
    pub(super) entries: Vec<(usize, &'a [u8])>,
    /// The byte after the last of them.
    pub(super) end: usize,
}

/// Reads at most `due` entries.
pub(super) fn read(bundle: &[u8], due: u16) -> Entries<'_> {
    let (mut entries, mut end) = (Vec::with_capacity(usize::from(due)), 0);
    while entries.len() < usize::from(due) {
        let rest = bundle.get(end..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<2>() else { break };
        let length = usize::from(u16::from_be_bytes(*length));
        let Some(entry) = rest.get(..length) else { break };
        entries.push((end + 2, entry));
        end += 2 + length;
    }
    Entries { entries, end }
}
