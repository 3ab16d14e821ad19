//! Which key stood when: the newest that was ready to sign before the checkpoint was.

use std::str::FromStr;

use super::finding::{Finding, Kind};
use super::told::ToldLog;
use crate::log::checkpoint::{
    Checkpoint, CheckpointError, CosignerKey, KeyError, VerifierKey, claimed, parse_size,
};

/// A key that somebody vouches for, with the size after which it signs where that is known too: `KEY`, or `KEY@SIZE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenKey {
    key: VerifierKey,
    first_size: Option<u64>,
}

impl FromStr for GivenKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        // No base64 holds an at sign, so what follows the last one is no part of a key if it is a number.
        let split = text.rsplit_once('@').and_then(|(key, size)| Some((key, parse_size(size)?)));
        let (key, first_size) = split.map_or((text, None), |(key, size)| (key, Some(size)));
        Ok(Self { key: key.parse()?, first_size })
    }
}

impl GivenKey {
    /// The name of its log.
    pub fn name(&self) -> &str {
        self.key.name()
    }
}

/// The keys of one log that are trusted.
pub(super) struct Keys {
    origin: String,
    /// With the size after which each signs, the oldest first.
    trusted: Vec<(VerifierKey, u64)>,
    /// Whether nobody but the log itself tells of them.
    pub(super) are_self_told: bool,
}

impl Keys {
    /// Those that were given for this log; where none was, those that it tells of itself.
    pub(super) fn of(told: &ToldLog, given: &[GivenKey]) -> Self {
        let since =
            |key: &VerifierKey| told.keys().into_iter().find(|(it, _)| it == key).map(|(_, since)| since);
        let given = given.iter().filter(|it| it.name() == told.origin);
        let mut keys: Vec<_> = given
            .map(|it| (it.key.clone(), it.first_size.or_else(|| since(&it.key)).unwrap_or_default()))
            .collect();
        let are_self_told = keys.is_empty();
        if are_self_told {
            keys = told.keys();
        }
        keys.sort_by_key(|(_, since)| *since);
        Self { origin: told.origin.clone(), trusted: keys, are_self_told }
    }

    /// Whether there is none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// The size after which the key that stands at `size` signs.
    fn standing_since(&self, size: u64) -> u64 {
        let before = self.trusted.iter().rev().map(|(_, since)| *since).find(|since| *since < size);
        before.or_else(|| self.trusted.first().map(|(_, since)| *since)).unwrap_or_default()
    }

    /// The checkpoint that a note claims to be, and what is wrong with it.
    pub(super) fn examine(&self, note: &[u8]) -> Result<(Checkpoint, Option<Finding>), CheckpointError> {
        let checkpoint = claimed(note)?;
        let fault = self.fault(note, &checkpoint);
        Ok((checkpoint, fault))
    }

    fn fault(&self, note: &[u8], checkpoint: &Checkpoint) -> Option<Finding> {
        if checkpoint.origin != self.origin {
            let what = format!("the checkpoint is of `{}`, and not of `{}`", checkpoint.origin, self.origin);
            return Some(Finding::new(Kind::Origin, what));
        }
        if self.trusted.is_empty() {
            return None;
        }
        let (size, mut signed, mut is_good) = (checkpoint.size, None, false);
        let stands = self.standing_since(size);
        for (key, since) in &self.trusted {
            match Checkpoint::parse_and_verify(note, key) {
                Ok(_) if *since == stands => is_good = true,
                Ok(_) => signed = Some((key, *since)),
                Err(CheckpointError::Unsigned) => {}
                Err(error) => {
                    return Some(Finding::new(
                        Kind::Signature,
                        format!("the checkpoint of size {size}: {error}"),
                    ));
                }
            }
        }
        if is_good {
            return None;
        }
        Some(match signed {
            None => {
                let what =
                    format!("the checkpoint of size {size} bears no signature by a key that is trusted");
                Finding::new(Kind::UnknownKey, what)
            }
            Some((key, since)) if since < stands => {
                let what = format!(
                    "the checkpoint of size {size} is signed by `{key}`, which gave way to another key at size {stands}"
                );
                Finding::new(Kind::RetiredKey, what)
            }
            Some((key, since)) => {
                let what = format!(
                    "the checkpoint of size {size} is signed by `{key}`, which signs what is larger than {since}"
                );
                Finding::new(Kind::EarlyKey, what)
            }
        })
    }
}

/// How many of the witnesses cosigned a checkpoint, and which cosignatures are false.
pub(super) fn cosigned(note: &[u8], witnesses: &[CosignerKey]) -> (usize, Vec<Finding>) {
    let text = std::str::from_utf8(note).unwrap_or_default();
    let lines = text.rsplit_once("\n\n").map_or("", |(_, lines)| lines);
    let (mut good, mut false_ones) = (0, Vec::new());
    for witness in witnesses {
        match witness.find(note, lines) {
            Ok(_) => good += 1,
            Err(CheckpointError::Unsigned) => {}
            Err(error) => {
                let what = format!("the cosignature of `{}`: {error}", witness.name());
                false_ones.push(Finding::new(Kind::Cosignature, what));
            }
        }
    }
    (good, false_ones)
}
