//! The one way in which a log grows.

use super::db::Tx;
use super::error::StoreError;
use super::heads::{self, Head};
use super::{entries, tiles};
use crate::log::checkpoint::CheckpointSigner;
use crate::log::merkle::leaf_hash;

/// Appends `new` entries (1 to 65,535 bytes each) to the log whose head is `expected`, and gives its new head, signed:
/// in the caller's transaction, so that nothing of it is visible or durable before that commits. An empty batch
/// changes nothing. `at_ms` is not before `expected.at_ms`.
///
/// # Errors
/// [`StoreError::HeadMoved`] when somebody appended since `expected` was read, which cannot happen after
/// [`heads::lock`] in the same transaction; [`StoreError::AppendOnly`] when time goes backwards;
/// [`StoreError::Corrupt`] when the stored tiles are not those of the head. The transaction is then of no more use.
pub async fn append(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<Head, StoreError> {
    if new.is_empty() {
        return Ok(expected.clone());
    }
    if signer.origin() != expected.origin {
        return Err(StoreError::Program(format!(
            "log `{}` is `{}`, and the key signs for `{}`",
            expected.log,
            expected.origin,
            signer.origin()
        )));
    }
    append_as(tx, expected, new, signer, at_ms).await
}

/// As [`append`], by whatever key: the log bears its name from then on.
///
/// # Errors
/// As [`append`]; [`StoreError::AppendOnly`] for another log than that of acts under another name.
pub async fn append_as(
    tx: &mut Tx,
    expected: &Head,
    new: &[impl AsRef<[u8]>],
    signer: &CheckpointSigner,
    at_ms: i64,
) -> Result<Head, StoreError> {
    let mut next = Head { at_ms, origin: signer.origin().to_owned(), ..expected.clone() };
    let growths = tiles::grow(&mut next.frontier, new.iter().map(|entry| leaf_hash(entry.as_ref())));
    next.checkpoint = heads::sign(signer, next.tree())?;
    // The head first: whoever loses the race learns it before writing anything.
    heads::compare_and_swap(tx, expected, &next).await?;
    entries::insert(tx, &next.log, expected.size(), new, at_ms).await?;
    tiles::write(tx, &next.log, growths).await?;
    tiles::insert_checkpoint(tx, &next.log, next.tree(), &next.checkpoint, at_ms).await?;
    Ok(next)
}
