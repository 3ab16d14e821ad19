//! Lists by key that only grow, with an undo log.

use std::hash::Hash;

use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::arena::Mark;

/// Lists by key; they only grow.
pub struct Lists<Q, T> {
    lists: HashMap<Q, Vec<T>>,
    undo: Vec<Q>,
}

impl<Q, T> Default for Lists<Q, T> {
    fn default() -> Self {
        Self { lists: HashMap::new(), undo: Vec::new() }
    }
}

impl<Q: Copy + Eq + Hash, T> Lists<Q, T> {
    /// The list under a key, oldest first.
    pub fn get(&self, key: Q) -> &[T] {
        self.lists.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether the list under a key has anything.
    pub fn has(&self, key: Q) -> bool {
        // Most keys are of lists that nobody ever began.
        !self.lists.is_empty() && self.lists.contains_key(&key)
    }

    /// Whether no list has anything.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    pub(super) fn push(&mut self, key: Q, item: T) {
        self.lists.entry(key).or_default().push(item);
        self.undo.push(key);
    }

    /// Lists hold places in arenas: where those have room, lists have.
    #[expect(clippy::unused_self, reason = "every part of the index is asked")]
    pub(super) const fn has_room(&self) -> bool {
        true
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark { pushed: 0, changed: self.undo.len() }
    }

    pub(super) fn undo_to(&mut self, mark: Mark) {
        while self.undo.len() > mark.changed {
            let Some(key) = self.undo.pop() else { break };
            if let Some(list) = self.lists.get_mut(&key) {
                list.pop();
                if list.is_empty() {
                    self.lists.remove(&key);
                }
            }
        }
    }

    pub(super) fn keep(&mut self) {
        self.undo.clear();
    }
}

impl<Q: Serialize, T: Serialize> Serialize for Lists<Q, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.lists)
    }
}

impl<'de, Q: Deserialize<'de> + Eq + Hash, T: Deserialize<'de>> Deserialize<'de> for Lists<Q, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows: Vec<(Q, Vec<T>)> = Vec::deserialize(deserializer)?;
        Ok(Self { lists: rows.into_iter().collect(), undo: Vec::new() })
    }
}
