//! The snapshot file: the index as of one size, so that a start does not fold the whole log.
//!
//! It is a cache. It names the size and root of the log that it was folded from, and bears digests of itself and of
//! the rules that made it; whatever does not fit exactly is not used, and the log is folded instead: the log wins.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
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
    /// The index without its bindings, which are half of it.
    index: Part,
    bindings: Part,
}

/// A part of the file: after the header, the index and then the bindings.
#[derive(Serialize, Deserialize)]
struct Part {
    bytes: u64,
    digest: Hash,
}

impl Part {
    fn of(body: &[u8]) -> Self {
        Self { bytes: body.len() as u64, digest: sha256(body) }
    }

    /// What this part of a file holds, from this byte on, if it is whole.
    fn read<T: DeserializeOwned>(&self, path: &Path, from: u64) -> Option<T> {
        let mut file = File::open(path).ok()?;
        file.seek(SeekFrom::Start(from)).ok()?;
        let mut body = Vec::with_capacity(usize::try_from(self.bytes).ok()?);
        file.take(self.bytes).read_to_end(&mut body).ok()?;
        (sha256(&body) == self.digest).then(|| postcard::from_bytes(&body).ok()).flatten()
    }
}

/// Writes the index, which has folded exactly the entries of `frontier`: to a file beside, then over the old one.
pub fn write(folder: &Path, index: &Index, frontier: &Frontier) -> std::io::Result<()> {
    let bindings = postcard::to_stdvec(&index.bindings).map_err(std::io::Error::other)?;
    let index = postcard::to_stdvec(index).map_err(std::io::Error::other)?;
    let header = Header {
        form: FORM.to_owned(),
        head: frontier.head(),
        frontier: frontier.to_bytes(),
        index: Part::of(&index),
        bindings: Part::of(&bindings),
    };
    let header = serde_json::to_vec(&header)?;
    let beside = folder.join("index.snapshot.new");
    let mut file = private::to_write().create(true).truncate(true).open(&beside)?;
    file.write_all(MAGIC)?;
    let length = u32::try_from(header.len()).map_err(std::io::Error::other)?;
    file.write_all(&length.to_be_bytes())?;
    for part in [header, index, bindings] {
        file.write_all(&part)?;
    }
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
    let path = folder.join(FILE_NAME);
    let (header, from) = header(&path)?;
    let frontier = Frontier::from_bytes(&header.frontier).ok()?;
    // Both take long, and neither needs the other.
    let (index, bindings) = std::thread::scope(|scope| {
        let bindings = scope.spawn(|| header.bindings.read(&path, from + header.index.bytes));
        let index: Option<Index> = header.index.read(&path, from);
        (index, bindings.join().ok().flatten())
    });
    let mut index = index?;
    index.bindings = bindings?;
    (frontier.head() == header.head && index.size() == header.head.size).then_some((index, frontier))
}

/// The header of a file that was written by this program, and from where the parts follow it: just as many bytes as it says.
fn header(path: &Path) -> Option<(Header, u64)> {
    let file = File::open(path).ok()?;
    let (mut magic, mut length) = ([0; MAGIC.len()], [0; 4]);
    (&file).read_exact(&mut magic).ok()?;
    (&file).read_exact(&mut length).ok()?;
    let length = u64::from(u32::from_be_bytes(length));
    let mut header = Vec::new();
    (&file).take(length).read_to_end(&mut header).ok()?;
    let header: Header = serde_json::from_slice(&header).ok()?;
    let from = (MAGIC.len() + 4) as u64 + length;
    let end = from.checked_add(header.index.bytes)?.checked_add(header.bindings.bytes)?;
    let is_ours = &magic == MAGIC && header.form == FORM && file.metadata().ok()?.len() == end;
    is_ours.then_some((header, from))
}
