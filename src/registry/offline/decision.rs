//! A past answer, computed again from the entries on which it rested.

use serde::Deserialize;

use super::Source;
use super::entries::{LogError, each};
use crate::domain::decide::decide;
use crate::domain::decision::Verdict;
use crate::domain::entry::Entry;
use crate::domain::ids::ModelId;
use crate::domain::index::Index;
use crate::domain::key::SubjectKey;
use crate::domain::question::Question;
use crate::domain::territory::Territory;
use crate::domain::uses::Use;
use crate::domain::view::{Viewer, view};
use crate::log::merkle::TreeHead;
use crate::log::receipt::CheckRecord;
use crate::registry::checks::answered::tell;

/// The act log as it was with so many entries, folded.
pub struct Past {
    index: Index,
    size: u64,
    last_ms: i64,
}

impl std::fmt::Debug for Past {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Past").field("size", &self.size).finish_non_exhaustive()
    }
}

/// What is told when an item is computed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Computed {
    /// The same, byte for byte.
    Same {
        /// Whether it is permitted.
        permitted: bool,
        /// The earliest moment at which time alone could change it; `i64::MAX` when none could.
        valid_until_ms: i64,
    },
    /// Something else: this.
    Other(String),
}

impl Past {
    /// Reads the log of this origin up to this size, which must have this root.
    ///
    /// # Errors
    /// [`LogError::Other`] for another log, a shorter one, and an entry that the program can't fold.
    pub async fn read<S: Source>(source: &S, origin: &str, head: TreeHead) -> Result<Self, LogError> {
        let (mut index, mut last_ms) = (Index::new(), i64::MIN);
        each(source, origin, head, |at, entry| {
            let entry: Entry = serde_json::from_slice(entry)
                .map_err(|error| format!("entry {at} can't be read: {error}"))?;
            index.fold(at, &entry).map_err(|error| error.to_string())?;
            // Nothing folded here is ever undone.
            index.keep();
            last_ms = entry.at_ms;
            Ok(())
        })
        .await?;
        Ok(Self { index, size: head.size, last_ms })
    }

    /// What the record of a check says of this log that is not so: the version of its rules, and a moment before its last entry.
    pub fn contradicts(&self, record: &CheckRecord) -> Option<String> {
        let (stood, named) = (self.index.as_of(self.size).rule_version(), record.rule_version);
        if stood != named {
            return Some(format!("rules {stood} stood, and the check was answered by rules {named}"));
        }
        let late = record.at_ms < self.last_ms;
        late.then(|| "the check is older than the last entry on which it rests".to_owned())
    }

    /// Asks again what an item says that was asked, for the developer and at the moment of the check.
    ///
    /// # Errors
    /// For what is not an item of an answer.
    pub fn compute(&self, record: &CheckRecord, item: &str) -> Result<Computed, serde_json::Error> {
        let asked: AskedItem = serde_json::from_str(item)?;
        let reference = asked.reference.clone();
        let question = asked.question(record);
        let mut json = Vec::with_capacity(item.len());
        let seen = question
            .as_ref()
            .ok()
            .map(|question| view(decide(&self.index, self.size, record.at_ms, question), Viewer::Developer));
        tell(reference.as_deref(), &question, seen.as_ref(), &mut json);
        let same = Computed::Same {
            permitted: seen.as_ref().is_some_and(|seen| seen.verdict() == Verdict::Permitted),
            valid_until_ms: seen.map_or(i64::MAX, |seen| seen.valid_until_ms),
        };
        Ok(match String::from_utf8_lossy(&json) {
            computed if computed == item => same,
            computed => Computed::Other(computed.into_owned()),
        })
    }
}

/// What was asked, as an answer repeats it.
#[derive(Deserialize)]
struct AskedItem {
    keys: Vec<SubjectKey>,
    #[serde(default)]
    model: Option<ModelId>,
    #[serde(default)]
    territory: Option<Territory>,
    with_parts: bool,
    uses: Vec<AskedUse>,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct AskedUse {
    r#use: Use,
}

impl AskedItem {
    /// The question; or why it could not be read, which is refused whatever stands in the log.
    fn question(self, record: &CheckRecord) -> Result<Question, String> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Question {
                developer: record.developer,
                model: self.model,
                uses: self.uses.into_iter().map(|asked| asked.r#use).collect(),
                territory: self.territory,
                subject: self.keys.into_iter().collect(),
                with_parts: self.with_parts,
            }),
        }
    }
}
