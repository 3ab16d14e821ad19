//! The signing keys: one 32-byte seed in hexadecimal a file, readable by the owner alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::clock;
use crate::log::checkpoint::{CheckpointSigner, Cosigner, KeyError};

/// Why a signing key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file can't be read or made.
    #[error("the signing key `{path}` can't be read or made: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("the signing key `{0}` does not hold 64 hexadecimal digits")]
    NotKey(PathBuf),
    /// The origin can't be the name of a key.
    #[error("`{0}` can't name a log: {1}")]
    Origin(String, KeyError),
}

/// The seed in `path`; one is made when there is none.
pub(super) fn seed(path: &Path) -> Result<[u8; 32], SigningKeyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make(path),
        Err(source) => Err(SigningKeyError::File { path: path.to_owned(), source }),
    }
}

/// The signer of a log, from the key in `path`; the key is made when there is none.
pub fn signer(path: &Path, origin: &str) -> Result<CheckpointSigner, SigningKeyError> {
    CheckpointSigner::from_seed(origin, &seed(path)?)
        .map_err(|error| SigningKeyError::Origin(origin.to_owned(), error))
}

/// The key of a witness, from the file in `path`; it is made when there is none.
pub(super) fn cosigner(path: &Path, name: &str) -> Result<Cosigner, SigningKeyError> {
    Cosigner::from_seed(name, &seed(path)?).map_err(|error| SigningKeyError::Origin(name.to_owned(), error))
}

/// As [`signer`], but none when there is no key.
pub fn existing_signer(path: &Path, origin: &str) -> Result<Option<CheckpointSigner>, SigningKeyError> {
    match path.try_exists() {
        Ok(true) => signer(path, origin).map(Some),
        Ok(false) => Ok(None),
        Err(source) => Err(SigningKeyError::File { path: path.to_owned(), source }),
    }
}

fn parse(path: &Path, text: &str) -> Result<[u8; 32], SigningKeyError> {
    let bytes = HEXLOWER.decode(text.trim_end().as_bytes()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| SigningKeyError::NotKey(path.to_owned()))
}

/// Makes a key. It has its name only once the disk has all of it: a process that is killed meanwhile leaves no half of
/// one, and a log that was begun with it keeps it through a power cut. Whoever is slower takes what the faster one made.
fn make(path: &Path) -> Result<[u8; 32], SigningKeyError> {
    let refuse = |source| SigningKeyError::File { path: path.to_owned(), source };
    let seed = clock::random::<32>();
    match write_whole(path, &format!("{}\n", HEXLOWER.encode(&seed))) {
        Ok(()) => Ok(seed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            parse(path, &std::fs::read_to_string(path).map_err(refuse)?)
        }
        Err(source) => Err(refuse(source)),
    }
}

/// Makes a file, readable by the owner alone, whole or not at all, and never over another.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    // A name of its own: another process may be making the same key.
    let unique = HEXLOWER.encode(&clock::random::<8>());
    let beside = path.with_extension(format!("{unique}.new"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
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
