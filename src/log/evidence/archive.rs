//! The archive: a ZIP file in which everything is stored as it is, so that the same files make the same bytes.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The most bytes of an archive.
pub const MAX_BYTES: usize = 128 << 20;
/// The most files in one.
pub const MAX_FILES: usize = 20_000;

/// The most bytes of an archive of that size, with its directory.
pub const MAX_ARCHIVE_BYTES: usize = MAX_BYTES + MAX_FILES * 512;

/// Why something is not the archive of a bundle.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// No archive, or a broken one.
    #[error("it is no whole ZIP archive: {0}")]
    Zip(#[from] ZipError),
    /// It can't be read or written.
    #[error("it can't be read: {0}")]
    Io(#[from] std::io::Error),
    /// More than a bundle may have.
    #[error("it has {found} {what}, and {most} are read at most")]
    Much {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are read.
        most: usize,
    },
    /// A file that no bundle has.
    #[error("`{0}` is not stored as it is: it is compressed, encrypted, cut off or no file")]
    File(String),
}

/// The archive of these files, in this order.
///
/// # Errors
/// [`ArchiveError::Much`] for more than [`MAX_BYTES`] or [`MAX_FILES`].
pub fn pack(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, ArchiveError> {
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    bounded("bytes", bytes, MAX_BYTES)?;
    bounded("files", files.len(), MAX_FILES)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes)));
    // The same for everybody, whenever it is made.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    for (path, bytes) in files {
        archive.start_file(path, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The files of an archive, by path. Whether they make this very archive shows when they are packed again.
///
/// # Errors
/// For what is no archive, too much, and files that [`pack`] does not make.
pub fn unpack(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    bounded("bytes", archive.len(), MAX_ARCHIVE_BYTES)?;
    let mut archive = ZipArchive::new(Cursor::new(archive))?;
    bounded("files", archive.len(), MAX_FILES)?;
    let (mut files, mut left) = (BTreeMap::new(), MAX_BYTES);
    for number in 0..archive.len() {
        let file = archive.by_index_raw(number)?;
        let path = file.name()?.into_owned();
        let is_plain = file.compression() == CompressionMethod::Stored && file.is_file() && !file.encrypted();
        let size = usize::try_from(file.size()).unwrap_or(usize::MAX);
        if size > left {
            return Err(ArchiveError::Much {
                what: "bytes in files",
                found: MAX_BYTES.saturating_sub(left).saturating_add(size),
                most: MAX_BYTES,
            });
        }
        let mut bytes = Vec::new();
        file.take(left as u64).read_to_end(&mut bytes)?;
        left -= bytes.len();
        if !is_plain || bytes.len() != size || files.insert(path.clone(), bytes).is_some() {
            return Err(ArchiveError::File(path));
        }
    }
    Ok(files)
}

fn bounded(what: &'static str, found: usize, most: usize) -> Result<(), ArchiveError> {
    if found > most { Err(ArchiveError::Much { what, found, most }) } else { Ok(()) }
}
