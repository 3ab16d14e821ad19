//! Which key stood when: the newest that was ready to sign before the checkpoint was.

use std::str::FromStr;

use super::finding::{Finding, Kind};
use super::told::{ToldKey, ToldLog};
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

/// A key that is trusted, for sizes above `since` and up to `until`.
struct Trusted {
    key: VerifierKey,
    since: u64,
    until: Option<u64>,
}

/// A key, and what is told of it.
struct Known<'a> {
    key: VerifierKey,
    since: u64,
    told: Option<&'a ToldKey>,
    /// Whether whoever vouches for it said since when it signs.
    is_stated: bool,
}

impl Known<'_> {
    fn state(&self) -> Option<&str> {
        self.told.and_then(|told| told.state.as_deref())
    }

    /// Up to which size it signs, where `later` came after it: where a later one was said to begin; as it is told; and where
    /// it is not told of both what they do, up to where the next one begins.
    fn until(&self, later: &[Self]) -> Option<u64> {
        let later = || later.iter().filter(|key| key.since > self.since);
        let stated = later().find(|key| key.is_stated).map(|key| key.since);
        let told = self.told.and_then(|told| told.last_size);
        let is_untold =
            |key: &&Self| key.state().is_none() || self.state().is_none() && key.state() != Some("next");
        stated.or(told).or_else(|| later().find(is_untold).map(|key| key.since))
    }
}

/// The keys of one log that are trusted.
pub(super) struct Keys<'a> {
    told: &'a ToldLog,
    /// The oldest first.
    trusted: Vec<Trusted>,
    /// Whether nobody but the log itself tells of them.
    pub(super) are_self_told: bool,
}

impl<'a> Keys<'a> {
    /// Those that were given for this log; where none was, those that it tells of itself.
    pub(super) fn of(told: &'a ToldLog, given: &[GivenKey]) -> Self {
        let told_of = |key: &VerifierKey| {
            let is_it = |told: &&ToldKey| told.verifier_key.parse::<VerifierKey>().as_ref() == Ok(key);
            told.keys.iter().find(is_it)
        };
        let given = given.iter().filter(|it| told.has_name(it.name()));
        let mut keys: Vec<Known<'_>> = given
            .map(|it| {
                let told = told_of(&it.key);
                let since = it.first_size.or(told.map(|told| told.first_size)).unwrap_or_default();
                Known { key: it.key.clone(), since, told, is_stated: it.first_size.is_some() }
            })
            .collect();
        let are_self_told = keys.is_empty();
        if are_self_told {
            let known = |(key, since): (VerifierKey, u64)| {
                let told = told_of(&key);
                Known { key, since, told, is_stated: false }
            };
            keys = told.keys().into_iter().map(known).collect();
        }
        keys.sort_by_key(|key| key.since);
        let trusted = (0..keys.len()).filter_map(|place| {
            let (known, later) = keys.get(place..)?.split_first()?;
            let earlier = told.continues.iter().find(|earlier| earlier.origin == known.key.name());
            let ends = [known.until(later), earlier.map(|earlier| earlier.size)];
            let until = ends.into_iter().flatten().min();
            Some(Trusted { key: known.key.clone(), since: known.since, until })
        });
        Self { told, trusted: trusted.collect(), are_self_told }
    }

    /// The act log says that this key signs nothing of more than so many entries. Of journals one key signs several, each under
    /// a name of its own: the bytes count.
    pub(super) fn end(&mut self, public: &[u8; 32], size: u64) {
        for trusted in self.trusted.iter_mut().filter(|trusted| trusted.key.public_bytes() == public) {
            trusted.until = Some(trusted.until.map_or(size, |until| until.min(size)));
        }
    }

    /// Whether there is none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// The checkpoint that a note claims to be, and what is wrong with it.
    pub(super) fn examine(&self, note: &[u8]) -> Result<(Checkpoint, Option<Finding>), CheckpointError> {
        let checkpoint = claimed(note)?;
        let fault = self.fault(note, &checkpoint);
        Ok((checkpoint, fault))
    }

    fn fault(&self, note: &[u8], checkpoint: &Checkpoint) -> Option<Finding> {
        let origin = self.told.name_at(checkpoint.size);
        if checkpoint.origin != origin {
            let what = format!("the checkpoint is of `{}`, and not of `{origin}`", checkpoint.origin);
            return Some(Finding::new(Kind::Origin, what));
        }
        if self.trusted.is_empty() {
            return None;
        }
        let (size, mut signed, mut is_good) = (checkpoint.size, None, false);
        let first = self.trusted.iter().find(|trusted| trusted.key.name() == origin);
        let first = first.map(|trusted| trusted.since);
        for trusted in &self.trusted {
            let was_ready = trusted.since < size || first == Some(trusted.since);
            match Checkpoint::parse_and_verify(note, &trusted.key) {
                Ok(_) if was_ready && trusted.until.is_none_or(|until| size <= until) => is_good = true,
                Ok(_) => signed = Some((trusted, was_ready)),
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
            Some((Trusted { key, until, .. }, true)) => {
                let until = until.unwrap_or_default();
                let what = format!(
                    "the checkpoint of size {size} is signed by `{key}`, which gave way to another key at size {until}"
                );
                Finding::new(Kind::RetiredKey, what)
            }
            Some((Trusted { key, since, .. }, false)) => {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::checkpoint::CheckpointSigner;
    use crate::log::merkle::{Hash, TreeHead};
    use crate::registry::published::LogName;

    #[test]
    fn a_key_ends_under_every_name_that_it_has() {
        let [own, other] = ["log.example/checks/a", "log.example/checks/b"]
            .map(|origin| CheckpointSigner::from_seed(origin, &[7; 32]).unwrap());
        let told = ToldLog {
            log: LogName::stored_as("checks/a".to_owned()),
            origin: own.origin().to_owned(),
            prefix: "logs/checks-a".to_owned(),
            size: 9,
            root: String::new(),
            keys: Vec::new(),
            continues: Vec::new(),
        };
        let given: GivenKey = own.verifier_key().to_string().parse().unwrap();
        let mut keys = Keys::of(&told, &[given]);
        let note = |size| {
            let head = TreeHead { size, root: Hash([1; 32]) };
            own.sign(&Checkpoint::new(own.origin(), head)).unwrap()
        };
        assert!(keys.examine(note(9).as_bytes()).unwrap().1.is_none());
        assert_ne!(own.verifier_key().to_string(), other.verifier_key().to_string());
        keys.end(other.verifier_key().public_bytes(), 5);
        assert!(keys.examine(note(5).as_bytes()).unwrap().1.is_none());
        assert_eq!(keys.examine(note(9).as_bytes()).unwrap().1.map(|it| it.kind), Some(Kind::RetiredKey));
    }
}
