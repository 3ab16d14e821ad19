//! A witness of the logs of others: C2SP `tlog-witness`. It cosigns what continues what it cosigned before, and so a log that
//! shows two histories to two readers needs a witness that lies with it.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER;

use super::keys::{SigningKeyError, cosigner};
use crate::clock::Clock;
use crate::log::checkpoint::{
    Checkpoint, CheckpointError, Cosigner, NOT_EMPTY, VerifierKey, claimed_origin, parse_size, verify_by_any,
};
use crate::log::digest::sha256;
use crate::log::merkle::{Hash, TreeHead};
use crate::log::proof::verify_consistency;
use crate::store::witnessed::{self, Witnessed};
use crate::store::{Db, StoreError};

/// The most lines of a consistency proof.
const MAX_PROOF_LINES: usize = 63;

/// The longest checkpoint that is read, in bytes: its text, and the hundred signatures of Ed25519 that a note may bear.
const MAX_CHECKPOINT_BYTES: usize = 16 * 1024;

/// The longest request that is read, in bytes: `old` with a number of 16 digits, a proof of lines of 44 characters, an empty line
/// and a checkpoint. Whoever sends it may be anybody, and it is held until it is whole.
pub const MAX_REQUEST_BYTES: usize = 21 + MAX_PROOF_LINES * 45 + 1 + MAX_CHECKPOINT_BYTES;

/// Why a witness can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// Its key.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// Its state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] super::node::OpenError),
}

/// Why a checkpoint is not cosigned, each with its answer in the protocol.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// 400: not the form of a request, or an old size beyond the new one.
    #[error("{0}")]
    Malformed(&'static str),
    /// 403: no signature by a key of the log, or one that claims such a key and does not verify.
    #[error("{0}")]
    Unsigned(CheckpointError),
    /// 404: a log that is not watched here.
    #[error("this witness does not know the log")]
    Unknown,
    /// 409: the old size is not that of the last checkpoint cosigned here, which is this one.
    #[error("the last checkpoint cosigned here has {0} entries")]
    Conflict(u64),
    /// 422: the new checkpoint does not continue the old one.
    #[error("the checkpoint does not continue the last one cosigned here")]
    Inconsistent,
    /// 503: the state can't be read or written, so nothing is cosigned.
    #[error("{0}")]
    Unavailable(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

/// A witness.
#[derive(Debug)]
pub struct Witness {
    db: Db,
    cosigner: Cosigner,
    /// The keys of each log that is watched, by its origin.
    logs: BTreeMap<String, Vec<VerifierKey>>,
    clock: Clock,
}

/// What is asked to be cosigned.
struct Request<'a> {
    old: u64,
    proof: Vec<Hash>,
    note: &'a [u8],
}

impl<'a> Request<'a> {
    fn read(body: &'a [u8]) -> Result<Self, Refused> {
        let wrong = Refused::Malformed;
        let blank = body.windows(2).position(|pair| pair == b"\n\n");
        let (head, note) =
            blank.and_then(|at| body.split_at_checked(at)).ok_or(wrong("there is no empty line"))?;
        let note = note.strip_prefix(b"\n\n").unwrap_or_default();
        let head = std::str::from_utf8(head).map_err(|_| wrong("it is not UTF-8"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(parse_size);
        let old = old.ok_or(wrong("the first line is not `old` and a plain number"))?;
        let proof: Option<Vec<Hash>> = lines.map(Hash::from_base64).take(MAX_PROOF_LINES + 1).collect();
        let proof = proof.ok_or(wrong("a line of the proof is not the base64 of 32 bytes"))?;
        if proof.len() > MAX_PROOF_LINES {
            return Err(wrong("the proof has more than 63 lines"));
        }
        Ok(Self { old, proof, note })
    }
}

impl Witness {
    /// Opens a witness: its folder, its key and its state, which are made if there are none.
    pub async fn open(
        folder: &Path,
        name: &str,
        logs: impl IntoIterator<Item = VerifierKey>,
        clock: Clock,
    ) -> Result<Self, WitnessError> {
        super::node::make_folder(folder)?;
        let cosigner = cosigner(&folder.join("witness.key"), name)?;
        let db = Db::connect(&format!("sqlite:{}", folder.join("witness.db").display())).await?;
        Ok(Self::of(db, cosigner, logs, clock))
    }

    /// A witness with this state and key.
    pub fn of(db: Db, cosigner: Cosigner, logs: impl IntoIterator<Item = VerifierKey>, clock: Clock) -> Self {
        let mut by_origin: BTreeMap<String, Vec<VerifierKey>> = BTreeMap::new();
        for key in logs {
            by_origin.entry(key.name().to_owned()).or_default().push(key);
        }
        Self { db, cosigner, logs: by_origin, clock }
    }

    /// The key by which its cosignatures are verified, as C2SP `signed-note` writes it.
    pub fn verifier_key(&self) -> String {
        self.cosigner.public().to_string()
    }

    /// Closes its state.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Cosigns the checkpoint in the body of an `add-checkpoint`: gives the signature line, once the state is durable.
    pub async fn add_checkpoint(&self, body: &[u8]) -> Result<String, Refused> {
        let request = Request::read(body)?;
        let malformed = |error| match error {
            CheckpointError::Malformed(why) => Refused::Malformed(why),
            other => Refused::Unsigned(other),
        };
        let origin = claimed_origin(request.note).map_err(malformed)?;
        let keys = self.logs.get(origin).ok_or(Refused::Unknown)?;
        let checkpoint = verify_by_any(request.note, keys).map_err(|error| match error {
            CheckpointError::Malformed(NOT_EMPTY) => Refused::Inconsistent,
            other => malformed(other),
        })?;
        if request.old > checkpoint.size {
            return Err(Refused::Malformed("the old size is beyond that of the checkpoint"));
        }
        let before = self.last(origin).await?;
        if request.old != before.size {
            return Err(Refused::Conflict(before.size));
        }
        verify_consistency(before, checkpoint.head(), &request.proof).map_err(|_| Refused::Inconsistent)?;
        self.cosign(&checkpoint, request.note, before).await
    }

    async fn last(&self, origin: &str) -> Result<TreeHead, StoreError> {
        let known = witnessed::read(&self.db, origin).await?;
        Ok(known.map_or(TreeHead::EMPTY, |known| known.tree))
    }

    /// Checks and stores in one step, and only then gives the cosignature away.
    async fn cosign(
        &self,
        checkpoint: &Checkpoint,
        note: &[u8],
        before: TreeHead,
    ) -> Result<String, Refused> {
        let now_ms = self.clock.now_ms();
        let at_s = u64::try_from(now_ms / 1_000).unwrap_or_default();
        let line = self.cosigner.cosign(note, at_s).map_err(Refused::Unsigned)?;
        let signed = self.kept_lines(checkpoint, note)?;
        let next = Witnessed { tree: checkpoint.head(), note: format!("{signed}{line}") };
        let mut tx = self.db.begin().await?;
        if !witnessed::compare_and_swap(&mut tx, &checkpoint.origin, before, &next, now_ms).await? {
            tx.rollback().await?;
            return Err(Refused::Conflict(self.last(&checkpoint.origin).await?.size));
        }
        tx.commit().await?;
        Ok(line)
    }

    /// The note with the signatures of the log's own keys alone: what others put beside them is not vouched for here.
    fn kept_lines(&self, checkpoint: &Checkpoint, note: &[u8]) -> Result<String, Refused> {
        let keys = self.logs.get(&checkpoint.origin).ok_or(Refused::Unknown)?;
        VerifierKey::only_by(note, keys).map_err(Refused::Unsigned)
    }

    /// The last checkpoint cosigned of the log whose origin has this SHA-256, in lower-case hexadecimal.
    pub async fn checkpoint(&self, origin_hash: &str) -> Result<Option<String>, StoreError> {
        for origin in witnessed::origins(&self.db).await? {
            if HEXLOWER.encode(sha256(origin.as_bytes()).as_bytes()) == origin_hash {
                return Ok(witnessed::read(&self.db, &origin).await?.map(|known| known.note));
            }
        }
        Ok(None)
    }
}
