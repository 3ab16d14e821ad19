//! The entries of an exported log, in order, of which what they come to is known.

use super::bundle;
use super::{Piece, Source, Unreadable};
use crate::log::merkle::{Frontier, TreeHead, leaf_hash};
use crate::log::tile::{TILE_WIDTH, TilePath};

/// Why a log can't be computed with.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Nothing can be read, which says nothing about the log.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It is not the log that is meant.
    #[error("{0}")]
    Other(String),
}

/// Gives each entry of the log of this origin up to this size, which must have this root.
///
/// # Errors
/// [`LogError::Other`] for another log, a shorter one, and what `each` refuses. What was given before is then of no log.
pub(super) async fn each<S: Source>(
    source: &S,
    origin: &str,
    head: TreeHead,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), String>,
) -> Result<(), LogError> {
    let other = |what: String| LogError::Other(what);
    let logs = source.logs().await?;
    let told = logs.iter().find(|told| told.has_name(origin));
    let told = told.ok_or_else(|| other(format!("there is no log `{origin}` here")))?;
    if told.size < head.size {
        let (found, needed) = (told.size, head.size);
        return Err(other(format!("the log `{origin}` has {found} entries here, and {needed} are needed")));
    }
    let (mut tree, mut at) = (Frontier::new(), 0);
    while at < head.size {
        let number = at / u64::from(TILE_WIDTH);
        let width = u16::try_from(told.size - at).unwrap_or(u16::MAX).min(TILE_WIDTH);
        let piece = Piece::Tile(TilePath::Entries { index: number, width });
        let bytes = source.read(&told.log, piece).await?;
        let bytes =
            bytes.ok_or_else(|| other(format!("`{piece}` is not here: export with an auditor's key")))?;
        let due = u16::try_from(head.size - at).unwrap_or(u16::MAX).min(width);
        let entries = bundle::read(&bytes, due).entries;
        if entries.len() < usize::from(due) {
            return Err(other(format!("`{piece}` breaks off after {} of {due} entries", entries.len())));
        }
        for (_, entry) in entries {
            tree.push(leaf_hash(entry));
            each(at, entry).map_err(other)?;
            at += 1;
        }
    }
    if tree.head() != head {
        return Err(other(format!(
            "the first {} entries of `{origin}` here are not those that are meant",
            head.size
        )));
    }
    Ok(())
}
