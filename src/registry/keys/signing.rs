//! Which key signs: that of today with the next one beside it, until the act log says that it gave way; then the next alone.
//!
//! Whoever holds the old key alone signs nothing from then on: it is refused before anything is written.

use data_encoding::BASE64;

use super::{KeyName, Place, SigningKeyError, of_seed};
use crate::domain::act::SigningKeyUse;
use crate::domain::index::{AsOf, Rotation};
use crate::log::checkpoint::{CheckpointSigner, VerifierKey};
use crate::log::receipt::signed::ReceiptSigner;
use crate::registry::node::Settings;
use crate::registry::shared::SharedIndex;
use crate::store::StoreError;

/// The key that signs is not here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {entry} of the act log ended the key in `{file}`, and the one that follows is not here: copy `{next}` or the new `{file}` from the node that has it, and start this one again"
)]
pub struct KeyGone {
    entry: u64,
    file: &'static str,
    next: &'static str,
}

impl From<KeyGone> for StoreError {
    fn from(gone: KeyGone) -> Self {
        Self::Program(gone.to_string())
    }
}

/// The secret halves of one key: that of today, and the next one if it is prepared.
#[derive(Clone)]
pub(in crate::registry) struct Pair {
    pub(in crate::registry) current: [u8; 32],
    pub(in crate::registry) next: Option<[u8; 32]>,
}

/// How the act log ended the key of these public bytes, if it did. Of journals one key signs several, each under a name of its
/// own: the bytes count.
pub(in crate::registry) fn end_of<'a>(
    now: AsOf<'a>,
    of: SigningKeyUse,
    public: &[u8; 32],
) -> Option<&'a Rotation> {
    let mut rotations = now.rotations_of(of).peekable();
    rotations.peek()?;
    let own = written(public);
    rotations.find(|rotation| rotation.act.old.splitn(3, '+').nth(2) == Some(own.as_str()))
}

/// How a verifier key writes these public bytes.
fn written(public: &[u8; 32]) -> String {
    BASE64.encode(&[&[1], &public[..]].concat())
}

/// Whether an act let the key of these public bytes sign, and none ended it since: one that is only prepared signs nothing, and one that
/// gave way itself nothing more.
fn has_turn(now: AsOf<'_>, of: SigningKeyUse, public: &[u8; 32]) -> bool {
    has_begun(now, of, public) && end_of(now, of, public).is_none()
}

/// Whether an act let the key of these public bytes sign.
pub(super) fn has_begun(now: AsOf<'_>, of: SigningKeyUse, public: &[u8; 32]) -> bool {
    let own = written(public);
    now.rotations_of(of).any(|rotation| rotation.act.new.splitn(3, '+').nth(2) == Some(own.as_str()))
}

fn gone(name: KeyName, rotation: &Rotation) -> KeyGone {
    KeyGone { entry: rotation.at, file: name.file(), next: name.next_file() }
}

/// The keys of one log.
#[derive(Clone, Debug)]
pub(in crate::registry) struct LogSigner {
    name: KeyName,
    of: SigningKeyUse,
    /// The key of today, with the next one beside it.
    first: CheckpointSigner,
    next: Option<CheckpointSigner>,
}

/// Who signs now.
pub(in crate::registry) struct Signing<'a> {
    pub(in crate::registry) signer: &'a CheckpointSigner,
    /// The key that gave way to it, where this process still has that, and the entry of the act log that says so.
    pub(in crate::registry) ended: Option<(&'a VerifierKey, u64)>,
}

impl LogSigner {
    /// The keys of the log `origin`.
    pub(in crate::registry) fn of(name: KeyName, pair: &Pair, origin: &str) -> Result<Self, SigningKeyError> {
        let next = pair.next.map(|seed| of_seed(&seed, origin)).transpose()?;
        let first = of_seed(&pair.current, origin)?;
        let first = match next.clone() {
            Some(next) => first
                .beside(next)
                .map_err(|_| SigningKeyError::NotKey(format!("the next `{}`", name.file())))?,
            None => first,
        };
        let of = if name == KeyName::ActLog { SigningKeyUse::ActLog } else { SigningKeyUse::Journal };
        Ok(Self { name, of, first, next })
    }

    /// The log's origin.
    pub(in crate::registry) fn origin(&self) -> &str {
        self.first.origin()
    }

    /// Who signs an empty log, of which no act can have ended a key.
    pub(in crate::registry) const fn first(&self) -> &CheckpointSigner {
        &self.first
    }

    /// The key of today.
    pub(in crate::registry) fn key(&self) -> &VerifierKey {
        self.first.verifier_key()
    }

    /// The keys of today and tomorrow.
    pub(in crate::registry) fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        [Some(&self.first), self.next.as_ref()].into_iter().flatten().map(CheckpointSigner::verifier_key)
    }

    /// Who signs what holds as of so many entries of the act log.
    ///
    /// # Errors
    /// When the key of today gave way to one that is not here.
    pub(in crate::registry) fn at(&self, now: AsOf<'_>) -> Result<Signing<'_>, KeyGone> {
        let Some(rotation) = end_of(now, self.of, self.key().public_bytes()) else {
            return Ok(Signing { signer: &self.first, ended: None });
        };
        let has_turn = |next: &&CheckpointSigner| has_turn(now, self.of, next.verifier_key().public_bytes());
        let signer = self.next.as_ref().filter(has_turn).ok_or_else(|| gone(self.name, rotation))?;
        Ok(Signing { signer, ended: Some((self.key(), rotation.at)) })
    }
}

/// The keys of receipts.
#[derive(Debug)]
pub(in crate::registry) struct ReceiptSigners {
    pub(in crate::registry) current: ReceiptSigner,
    pub(in crate::registry) next: Option<ReceiptSigner>,
}

impl ReceiptSigners {
    pub(in crate::registry) fn of(pair: &Pair) -> Self {
        let of = |seed: &[u8; 32]| ReceiptSigner::from_seed(seed);
        Self { current: of(&pair.current), next: pair.next.as_ref().map(of) }
    }

    /// The one that signs as of so many entries of the act log.
    pub(in crate::registry) fn at(&self, now: AsOf<'_>) -> Result<&ReceiptSigner, KeyGone> {
        match end_of(now, SigningKeyUse::Receipt, &self.current.public()) {
            None => Ok(&self.current),
            Some(rotation) => {
                let has_turn = |next: &&ReceiptSigner| has_turn(now, SigningKeyUse::Receipt, &next.public());
                self.next.as_ref().filter(has_turn).ok_or_else(|| gone(KeyName::Receipt, rotation))
            }
        }
    }
}

/// All keys that sign.
pub(in crate::registry) struct Keys {
    act_log: Pair,
    journal: Pair,
    pub(in crate::registry) receipt: Pair,
    pub(in crate::registry) token: Pair,
}

impl Keys {
    /// What is wrong with those that are there is told; none is made.
    pub(in crate::registry) fn look(settings: &Settings) -> Result<(), SigningKeyError> {
        for place in KeyName::ALL.map(|name| settings.key(name)) {
            if place.is_elsewhere() {
                place.seed()?;
            }
            place.existing_pair()?;
        }
        Ok(())
    }

    /// Reads them; those that are not there are made.
    pub(in crate::registry) fn read(settings: &Settings) -> Result<Self, SigningKeyError> {
        // The one that signs nothing, too: what is wrong with it is told now.
        settings.key(KeyName::Sealing).seed()?;
        Ok(Self {
            act_log: settings.key(KeyName::ActLog).pair()?,
            journal: settings.key(KeyName::Journal).pair()?,
            receipt: settings.key(KeyName::Receipt).pair()?,
            token: settings.key(KeyName::Token).pair()?,
        })
    }

    /// Each that signs, by its name.
    pub(in crate::registry) const fn pairs(&self) -> [(KeyName, &Pair); 4] {
        [
            (KeyName::ActLog, &self.act_log),
            (KeyName::Journal, &self.journal),
            (KeyName::Receipt, &self.receipt),
            (KeyName::Token, &self.token),
        ]
    }

    /// The signers of the act log and of this node's journal.
    pub(in crate::registry) fn log_signers(
        &self,
        settings: &Settings,
    ) -> Result<[LogSigner; 2], SigningKeyError> {
        let journal = format!("{}/checks/{}", settings.origin, settings.node);
        Ok([
            LogSigner::of(KeyName::ActLog, &self.act_log, &settings.origin)?,
            LogSigner::of(KeyName::Journal, &self.journal, &journal)?,
        ])
    }

    /// The same, with every switch that was made half made whole.
    pub(in crate::registry) fn mended(
        self,
        settings: &Settings,
        shared: &SharedIndex,
    ) -> Result<Self, MendError> {
        let index = shared.read();
        let now = index.as_of(shared.published());
        Ok(Self {
            act_log: mend(&settings.key(KeyName::ActLog), self.act_log, now)?,
            journal: mend(&settings.key(KeyName::Journal), self.journal, now)?,
            receipt: mend(&settings.key(KeyName::Receipt), self.receipt, now)?,
            token: mend(&settings.key(KeyName::Token), self.token, now)?,
        })
    }
}

/// The pair in this place. What was switched half is mended: where the act log says that the key of today gave way, the next
/// one takes its place, in the file too, and the old one is gone.
///
/// # Errors
/// [`KeyGone`] where the next one is not here.
fn mend(place: &Place, pair: Pair, now: AsOf<'_>) -> Result<Pair, MendError> {
    let Some(of) = place.name().signing_use() else { return Ok(pair) };
    let public = public_of(&pair.current);
    let Some(rotation) = end_of(now, of, &public) else { return Ok(pair) };
    let next = pair.next.filter(|next| has_turn(now, of, &public_of(next)));
    let next = next.ok_or_else(|| gone(place.name(), rotation))?;
    place.switch()?;
    Ok(Pair { current: next, next: None })
}

/// Why keys can't be mended.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The next key is not here.
    #[error(transparent)]
    Gone(#[from] KeyGone),
    /// The files.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
}

/// The public half of a seed.
pub(in crate::registry) fn public_of(seed: &[u8; 32]) -> [u8; 32] {
    ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes()
}
