//! Why a node can't open.

use std::path::PathBuf;

use crate::registry::keys::{MendError, SigningKeyError};
use crate::registry::sequencer::SubmitError;
use crate::registry::shared::FollowError;
use crate::registry::sign_in::DeskError;
use crate::store::StoreError;

/// Why a node can't open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data folder.
    #[error("the data folder `{path}` can't be used: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The node's name, which stands in the names of files and of its journal.
    #[error("`{0}` can't name a node: expected 1 to 32 lower-case letters, digits or `-`")]
    Node(String),
    /// The signing keys.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// A file with another key than the log is signed by.
    #[error(
        "the log `{log}` is signed by another key than the one in `{file}`: put the right key there; a key is replaced by \
             `kyodaku keys`, and if it is lost, `docs/operating.md` says what to do"
    )]
    StrangeKey {
        /// The file.
        file: &'static str,
        /// The log.
        log: String,
    },
    /// No file with the key by which the log is signed.
    #[error(
        "the log `{log}` is signed by a key that is not here: put `{file}` into the data folder again, from where the keys are kept; if \
             it is lost, `docs/operating.md` says what to do"
    )]
    LostKey {
        /// The file.
        file: &'static str,
        /// The log.
        log: String,
    },
    /// The journal of this node is of the log under an earlier name.
    #[error(
        "the journal of the node `{node}` is `{found}`, of the log under an earlier name, and ended with it: give this node a \
             name that none has had (the setting `node`)"
    )]
    Journal {
        /// The node.
        node: String,
        /// Its journal.
        found: String,
    },
    /// Keys that were switched half.
    #[error(transparent)]
    Mend(#[from] MendError),
    /// Signing in.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The first entries could not be written.
    #[error("the log can't be begun: {0}")]
    Begin(String),
    /// The log bears another name.
    #[error("the log in this database is `{found}`, and the settings say `{expected}`")]
    Origin {
        /// What the settings say.
        expected: String,
        /// What the log says.
        found: String,
    },
}

impl From<SubmitError> for OpenError {
    fn from(error: SubmitError) -> Self {
        Self::Begin(match error {
            SubmitError::Refused(refusals) => {
                refusals.into_iter().map(|refusal| refusal.detail).collect::<Vec<_>>().join("; ")
            }
            error => error.to_string(),
        })
    }
}
