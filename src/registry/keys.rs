//! The signing keys: one 32-byte seed in hexadecimal a file, readable by the owner alone; in the data folder, or where the
//! settings say. No output ever shows one.

mod list;
mod origin;
mod place;
mod prepared;
mod rotate;
mod signing;

use std::io::Write;
use std::path::Path;

use data_encoding::HEXLOWER;

use crate::clock;
use crate::log::checkpoint::{CheckpointSigner, Cosigner, KeyError, VerifierKey};
use crate::store::private;

pub use list::{KeyState, ListedKey, list};
pub use origin::{ContinueError, Continued, continue_log};
pub use place::{KeyName, KeySettings, KeySource, Place, Seed};
pub(super) use prepared::{Prepared as PreparedKeys, state as state_prepared};
pub use rotate::{Prepared, Rotated, prepare, rotate};
pub use signing::{KeyGone, MendError};
pub(super) use signing::{Keys, LogSigner, Pair, ReceiptSigners, end_of, public_of};

/// Why a signing key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file can't be read or made.
    #[error("{place} can't be read or made: {source}")]
    File {
        /// Which key.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner may read or write the file.
    #[error(
        "{place} has mode {mode:04o}, and a key is for its owner alone: run `chmod 600` on it, and replace the key if others could have read it"
    )]
    Open {
        /// Which key.
        place: String,
        /// The mode.
        mode: u32,
    },
    /// The settings name a file, and it is not there. None is made: the wrong folder would get a key that nobody knows.
    #[error("{0} is not there: put the key there (64 hexadecimal digits), or leave the setting out")]
    Missing(String),
    /// The file holds something else.
    #[error("{0} does not hold 64 hexadecimal digits")]
    NotKey(String),
    /// The origin can't be the name of a key.
    #[error("`{0}` can't name a log: {1}")]
    Origin(String, KeyError),
}

/// How a key in this file is called.
fn called(path: &Path) -> String {
    format!("the signing key `{}`", path.display())
}

/// The seed in `path`; one is made when there is none.
pub(super) fn seed(path: &Path) -> Result<[u8; 32], SigningKeyError> {
    match read(path, &called(path))? {
        Some(seed) => Ok(seed),
        None => make(path),
    }
}

/// The signer of a log, from the key in `path`; the key is made when there is none.
pub fn signer(path: &Path, origin: &str) -> Result<CheckpointSigner, SigningKeyError> {
    of_seed(&seed(path)?, origin)
}

fn of_seed(seed: &[u8; 32], origin: &str) -> Result<CheckpointSigner, SigningKeyError> {
    CheckpointSigner::from_seed(origin, seed)
        .map_err(|error| SigningKeyError::Origin(origin.to_owned(), error))
}

/// The public half of a seed, by this name.
pub(super) fn verifier_key(seed: &[u8; 32], name: &str) -> Result<VerifierKey, SigningKeyError> {
    Ok(of_seed(seed, name)?.verifier_key().clone())
}

/// The key of a witness, from the file in `path`; it is made when there is none.
pub(super) fn cosigner(path: &Path, name: &str) -> Result<Cosigner, SigningKeyError> {
    Cosigner::from_seed(name, &seed(path)?).map_err(|error| SigningKeyError::Origin(name.to_owned(), error))
}

/// The seed in a file that its owner alone can read; none when there is no file. `place` is how it is called.
fn read(path: &Path, place: &str) -> Result<Option<[u8; 32]>, SigningKeyError> {
    let refuse = |source| SigningKeyError::File { place: place.to_owned(), source };
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error)),
    };
    #[cfg(unix)]
    {
        // Of the file that is open, and not of one that took its place.
        let metadata = file.metadata().map_err(refuse)?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if !matches!(mode, 0o600 | 0o400) {
            return Err(SigningKeyError::Open { place: place.to_owned(), mode });
        }
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut file, &mut text).map_err(refuse)?;
    parse(place, &text).map(Some)
}

fn parse(place: &str, text: &str) -> Result<[u8; 32], SigningKeyError> {
    let bytes = HEXLOWER.decode(text.trim_end().as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| SigningKeyError::NotKey(place.to_owned()))
}

/// Makes a key. It has its name only once the disk has all of it: a process that is killed meanwhile leaves no half of
/// one, and a log that was begun with it keeps it through a power cut. Whoever is slower takes what the faster one made.
fn make(path: &Path) -> Result<[u8; 32], SigningKeyError> {
    let refuse = |source| SigningKeyError::File { place: called(path), source };
    let seed = clock::random::<32>();
    match write_whole(path, &format!("{}\n", HEXLOWER.encode(&seed))) {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            read(path, &called(path))?.ok_or_else(|| SigningKeyError::Missing(called(path)))
        }
        Err(source) => Err(refuse(source)),
    }
}

/// Makes a file, readable by the owner alone, whole or not at all, and never over another.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    // A name of its own: another process may be making the same key.
    let unique = HEXLOWER.encode(&clock::random::<8>());
    let beside = path.with_extension(format!("{unique}.new"));
    let mut file = private::to_write().create_new(true).open(&beside)?;
    let linked = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&beside, path));
    std::fs::remove_file(&beside)?;
    linked?;
    // A path that is a name alone lies in the working folder.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
