//! Where each key is: in the data folder, in a file elsewhere, or in the environment.

use std::fmt;
use std::path::{Path, PathBuf};

use super::signing::Pair;
use super::{SigningKeyError, of_seed, read, seed};
use crate::domain::act::SigningKeyUse;
use crate::log::checkpoint::CheckpointSigner;
use crate::registry::node::Settings;

/// The keys that a registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// It signs checkpoints of the act log.
    ActLog,
    /// It signs checkpoints of the journals.
    Journal,
    /// It signs receipts.
    Receipt,
    /// It signs access tokens.
    Token,
    /// It seals secrets that are stored, and signs nothing.
    Sealing,
}

impl KeyName {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::ActLog, Self::Journal, Self::Receipt, Self::Token, Self::Sealing];

    /// The name of its file in the data folder.
    pub const fn file(self) -> &'static str {
        match self {
            Self::ActLog => "act-log.key",
            Self::Journal => "journal.key",
            Self::Receipt => "receipts.key",
            Self::Token => "token.key",
            Self::Sealing => "sealing.key",
        }
    }

    /// The setting that says where else it is.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::ActLog => "act_log_key",
            Self::Journal => "journal_key",
            Self::Receipt => "receipt_key",
            Self::Token => "token_key",
            Self::Sealing => "sealing_key",
        }
    }

    /// The name in the data folder of the key that comes after it.
    pub const fn next_file(self) -> &'static str {
        match self {
            Self::ActLog => "act-log.next.key",
            Self::Journal => "journal.next.key",
            Self::Receipt => "receipts.next.key",
            Self::Token => "token.next.key",
            Self::Sealing => "sealing.next.key",
        }
    }

    /// What it is for, in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ActLog => "act_log",
            Self::Journal => "journal",
            Self::Receipt => "receipt",
            Self::Token => "token",
            Self::Sealing => "sealing",
        }
    }

    /// What it signs, as acts call it.
    pub const fn signing_use(self) -> Option<SigningKeyUse> {
        match self {
            Self::ActLog => Some(SigningKeyUse::ActLog),
            Self::Journal => Some(SigningKeyUse::Journal),
            Self::Receipt => Some(SigningKeyUse::Receipt),
            Self::Token => Some(SigningKeyUse::Token),
            Self::Sealing => None,
        }
    }

    /// The key of which a setting speaks.
    pub fn of_setting(setting: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.setting() == setting)
    }
}

/// The 32 secret bytes of a key. They show themselves nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// Where a key is that is not in the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In this file.
    File(PathBuf),
    /// It was given itself.
    Given(Seed),
}

/// Where the keys are that are not in the data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySettings(Vec<(KeyName, KeySource)>);

impl FromIterator<(KeyName, KeySource)> for KeySettings {
    fn from_iter<I: IntoIterator<Item = (KeyName, KeySource)>>(stated: I) -> Self {
        Self(stated.into_iter().collect())
    }
}

impl KeySettings {
    /// Whether a key is not in the data folder.
    pub fn is_elsewhere(&self, name: KeyName) -> bool {
        self.of(name).is_some()
    }

    fn of(&self, name: KeyName) -> Option<&KeySource> {
        self.0.iter().find(|(stated, _)| *stated == name).map(|(_, source)| source)
    }
}

/// The place of one key.
#[derive(Clone, Debug)]
pub struct Place {
    name: KeyName,
    source: Option<KeySource>,
    in_folder: PathBuf,
    next: PathBuf,
}

impl Settings {
    /// Where a key is.
    pub fn key(&self, name: KeyName) -> Place {
        let source = self.keys.of(name).cloned();
        let (in_folder, next) = (self.data_dir.join(name.file()), self.data_dir.join(name.next_file()));
        Place { name, source, in_folder, next }
    }
}

impl Place {
    /// How the key is called where it is not in the data folder. Its path is not shown: a secret may stand where one belongs.
    fn elsewhere(&self) -> String {
        format!("the file that the setting `{}` names", self.name.setting())
    }

    /// The seed. In the data folder one is made when there is none.
    pub fn seed(&self) -> Result<[u8; 32], SigningKeyError> {
        match &self.source {
            None => seed(&self.in_folder),
            Some(_) => self.existing()?.ok_or_else(|| SigningKeyError::Missing(self.elsewhere())),
        }
    }

    /// The seed, if there is one.
    pub fn existing(&self) -> Result<Option<[u8; 32]>, SigningKeyError> {
        match &self.source {
            None => read(&self.in_folder, &super::called(&self.in_folder)),
            Some(KeySource::File(path)) => read(path, &self.elsewhere()),
            Some(KeySource::Given(Seed(bytes))) => Ok(Some(*bytes)),
        }
    }

    /// The signer of a log with this key.
    pub fn signer(&self, origin: &str) -> Result<CheckpointSigner, SigningKeyError> {
        of_seed(&self.seed()?, origin)
    }

    /// As [`Place::signer`], but none when there is no key.
    pub fn existing_signer(&self, origin: &str) -> Result<Option<CheckpointSigner>, SigningKeyError> {
        self.existing()?.map(|seed| of_seed(&seed, origin)).transpose()
    }

    /// The key that comes after it, if it is prepared. It is in the data folder, wherever that of today is.
    pub(in crate::registry) fn next(&self) -> Result<Option<[u8; 32]>, SigningKeyError> {
        read(&self.next, &super::called(&self.next))
    }

    /// The key of today, which is made where there is none, and the next one.
    pub(in crate::registry) fn pair(&self) -> Result<Pair, SigningKeyError> {
        let may_be_made = self.source.is_none() && self.name != KeyName::ActLog;
        if may_be_made && self.existing()?.is_none() {
            // Whoever has the key that was taken away may have the one that lay beside it.
            self.forget_next()?;
        }
        let current = self.seed()?;
        // Where the switch was made and the file is still there, or the secret store has the new one already.
        let next = self.next()?.filter(|next| *next != current);
        Ok(Pair { current, next })
    }

    /// As [`Place::pair`], but none when there is no key.
    pub(in crate::registry) fn existing_pair(&self) -> Result<Option<Pair>, SigningKeyError> {
        let Some(current) = self.existing()? else { return Ok(None) };
        Ok(Some(Pair { current, next: self.next()?.filter(|next| *next != current) }))
    }

    /// Makes the next key if there is none.
    pub(in crate::registry) fn prepare(&self) -> Result<[u8; 32], SigningKeyError> {
        seed(&self.next)
    }

    /// Makes the next key, in the place of one that is there.
    pub(in crate::registry) fn prepare_anew(&self) -> Result<[u8; 32], SigningKeyError> {
        self.forget_next()?;
        self.prepare()
    }

    fn forget_next(&self) -> Result<(), SigningKeyError> {
        match std::fs::remove_file(&self.next) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(SigningKeyError::File { place: super::called(&self.next), source })
            }
            _ => Ok(()),
        }
    }

    /// Puts the next key in the place of that of today, which is gone then; after a power cut either the one or the other is there.
    /// Where it is not in the data folder, nothing is done: both stay where they are.
    pub(in crate::registry) fn switch(&self) -> Result<(), SigningKeyError> {
        if self.source.is_some() {
            return Ok(());
        }
        let refuse = |source| SigningKeyError::File { place: super::called(&self.next), source };
        std::fs::rename(&self.next, &self.in_folder).map_err(refuse)?;
        let folder = self.in_folder.parent().unwrap_or(Path::new("."));
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(refuse)
    }

    /// Whether the key of today is not in the data folder.
    pub const fn is_elsewhere(&self) -> bool {
        self.source.is_some()
    }

    /// Which key.
    pub const fn name(&self) -> KeyName {
        self.name
    }

    /// The file of the next key.
    pub fn next_path(&self) -> &Path {
        &self.next
    }

    /// Where it is, in words.
    pub const fn words(&self) -> &'static str {
        match self.source {
            None => "data folder",
            Some(KeySource::File(_)) => "file",
            Some(KeySource::Given(_)) => "environment",
        }
    }
}
