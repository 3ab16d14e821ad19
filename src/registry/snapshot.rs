//! The snapshot file: the index as of one size, so that a start does not fold the whole log.
//!
//! It is a cache. It names the size and root of the log that it was folded from, and bears digests of itself and of
//! the rules that made it; whatever does not fit exactly is not used, and the log is folded instead: the log wins.

use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::domain::index::Index;
use crate::log::digest::sha256;
use crate::log::merkle::{Frontier, Hash, TreeHead};
use crate::store::{Db, StoreError, heads, private, tiles};

/// The file's name in the data folder.
pub const FILE_NAME: &str = "index.snapshot";
/// The digest of the sources of `domain` that this program was built from: another program's index is not read.
const FORM: &str = env!("KYODAKU_DOMAIN");
const MAGIC: &[u8; 8] = b"kyodaku\0";

#[derive(Serialize, Deserialize)]
struct Header {
    form: String,
    head: TreeHead,
    frontier: Vec<u8>,
    body: Hash,
}

/// Writes the index, which has folded exactly the entries of `frontier`: to a file beside, then over the old one.
pub fn write(folder: &Path, index: &Index, frontier: &Frontier) -> std::io::Result<()> {
    let body = postcard::to_stdvec(index).map_err(std::io::Error::other)?;
    let header = Header {
        form: FORM.to_owned(),
        head: frontier.head(),
        frontier: frontier.to_bytes(),
        body: sha256(&body),
    };
    let header = serde_json::to_vec(&header)?;
    let beside = folder.join("index.snapshot.new");
    let mut file = private::to_write().create(true).truncate(true).open(&beside)?;
    file.write_all(MAGIC)?;
    let length = u32::try_from(header.len()).map_err(std::io::Error::other)?;
    file.write_all(&length.to_be_bytes())?;
    file.write_all(&header)?;
    file.write_all(&body)?;
    file.sync_all()?;
    std::fs::rename(&beside, folder.join(FILE_NAME))
}

/// The index and its tree, if there is a snapshot that is whole and of this very log.
pub async fn load(folder: &Path, db: &Db) -> Result<Option<(Index, Frontier)>, StoreError> {
    let path = folder.to_owned();
    let read = tokio::task::spawn_blocking(move || read(&path));
    let Ok(Some((index, frontier))) = read.await else { return Ok(None) };
    let stored = heads::read_tree(db, heads::ACTS).await?.unwrap_or(TreeHead::EMPTY);
    let head = frontier.head();
    if stored.size < head.size || tiles::root_at(db, heads::ACTS, head.size).await? != head.root {
        tracing::warn!(target: "kyodaku::log", size = head.size, "the snapshot is of another log, and is not used");
        return Ok(None);
    }
    Ok(Some((index, frontier)))
}

/// The index and its tree as they stand in the file, if it is whole and of this program; of which log is not known yet.
pub fn read(folder: &Path) -> Option<(Index, Frontier)> {
    parse(&std::fs::read(folder.join(FILE_NAME)).ok()?)
}

fn parse(bytes: &[u8]) -> Option<(Index, Frontier)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (header, body) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let header: Header = serde_json::from_slice(header).ok()?;
    if header.form != FORM || header.body != sha256(body) {
        return None;
    }
    let frontier = Frontier::from_bytes(&header.frontier).ok()?;
    let index: Index = postcard::from_bytes(body).ok()?;
    (frontier.head() == header.head && index.size() == header.head.size).then_some((index, frontier))
}
