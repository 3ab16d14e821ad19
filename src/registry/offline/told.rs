//! What a folder or a server tells of its logs: their names, their keys. Nothing of it is believed because it is told.

use serde::{Deserialize, Serialize};

use crate::log::checkpoint::VerifierKey;
use crate::log::merkle::{Hash, MAX_SIZE};
use crate::registry::published::LogName;

/// The longest list that is read, in bytes.
pub const MAX_LIST_BYTES: usize = 16 << 20;
/// The most logs that one registry can have.
pub const MAX_LOGS: usize = 10_000;
/// The most keys of one log that are read.
const MAX_KEYS: usize = 1_000;

/// A key as it is told of, in its form on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldKey {
    /// The key, `name+id+base64`.
    pub verifier_key: String,
    /// How many entries the log had when the key was first ready to sign: it signed nothing of that size or below.
    pub first_size: u64,
    /// When that was.
    pub first: String,
    /// What it is doing: `next`, `current` or `retired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How many entries the log had when another key signed alone for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_size: Option<u64>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// An earlier name of a log, in its form on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldEarlier {
    /// The name.
    pub origin: String,
    /// How many entries the last checkpoint under it has that is to be believed.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
}

/// A log as it is told of, in its form on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldLog {
    /// Its public name, which is also the name of its folder.
    pub log: LogName,
    /// The first line of its checkpoints.
    pub origin: String,
    /// Where it is, below the address of the registry.
    pub prefix: String,
    /// How many entries it has.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// The keys that sign it and that ever did, the oldest first.
    pub keys: Vec<ToldKey>,
    /// The names that it had before, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continues: Vec<ToldEarlier>,
}

/// A page of `GET /logs`, and the file `logs.json` of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldPage {
    /// The logs.
    pub items: Vec<ToldLog>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl ToldLog {
    /// Whether the log has this name, or had it.
    pub fn has_name(&self, origin: &str) -> bool {
        self.origin == origin || self.continues.iter().any(|earlier| earlier.origin == origin)
    }

    /// Its name where it has so many entries.
    pub fn name_at(&self, size: u64) -> &str {
        let earlier = self.continues.iter().find(|earlier| size <= earlier.size);
        earlier.map_or(&self.origin, |earlier| &earlier.origin)
    }

    /// What is wrong with what is told, if anything: keys of another log, sizes and roots that can't be.
    pub fn fault(&self) -> Option<String> {
        if self.size > MAX_SIZE || Hash::from_base64(&self.root).is_none() {
            return Some("its size or root can't be".to_owned());
        }
        let is_number = |earlier: &ToldEarlier| earlier.size <= MAX_SIZE;
        if !self.continues.iter().all(is_number) || self.continues.len() > MAX_KEYS {
            return Some("what is told of its earlier names can't be".to_owned());
        }
        if self.keys.len() > MAX_KEYS {
            return Some(format!("it has more than {MAX_KEYS} keys"));
        }
        self.keys.iter().find_map(|told| match told.verifier_key.parse::<VerifierKey>() {
            Err(error) => Some(format!("`{}` is no key of it: {error}", told.verifier_key)),
            Ok(key) if !self.has_name(key.name()) => {
                Some(format!("the key `{}` is not named after `{}`", told.verifier_key, self.origin))
            }
            Ok(_) => {
                (told.first_size > MAX_SIZE).then(|| "a key signs since a size that can't be".to_owned())
            }
        })
    }

    /// The keys, with the size after which each signs. Those that can't be read are left out.
    pub fn keys(&self) -> Vec<(VerifierKey, u64)> {
        let read = |told: &ToldKey| Some((told.verifier_key.parse().ok()?, told.first_size));
        self.keys.iter().filter_map(read).collect()
    }
}

/// All logs of a list, the act log first.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_list(mut logs: Vec<ToldLog>) -> Result<Vec<ToldLog>, String> {
    if logs.len() > MAX_LOGS {
        return Err(format!("there are more than {MAX_LOGS} logs"));
    }
    logs.sort_by_key(|told| (told.log != LogName::acts(), told.log.to_string()));
    for pair in logs.windows(2) {
        if let [one, other] = pair
            && one.log == other.log
        {
            return Err(format!("the log `{}` is told of twice", one.log));
        }
    }
    for told in &logs {
        if let Some(why) = told.fault() {
            return Err(format!("the log `{}`: {why}", told.log));
        }
    }
    match logs.first() {
        Some(first) if first.log == LogName::acts() => Ok(logs),
        _ => Err("the act log is not among them".to_owned()),
    }
}

/// Reads the list of a folder.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_list(bytes: &[u8]) -> Result<Vec<ToldLog>, String> {
    if bytes.len() > MAX_LIST_BYTES {
        return Err("it is too long".to_owned());
    }
    let page: ToldPage = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if page.next.is_some() {
        return Err("it is a part of a list".to_owned());
    }
    check_list(page.items)
}
