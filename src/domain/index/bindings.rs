//! Bindings, by place, by id and by key.
//!
//! The text of every key is kept, one after the other, and keys are compared byte for byte: two keys are never taken
//! for one because some digest of them is the same.

use std::hash::BuildHasher;
use std::ops::Deref;

use hashbrown::{DefaultHashBuilder, HashTable};
use serde::{Deserialize, Serialize};

use super::arena::{Ix, Mark, Rows, place_of};
use super::records::{At, Binding, BindingRow, Story, Work};
use super::terse::{Terse, TerseMark};
use super::texts::{TextAt, Texts};
use super::{Few, Works};
use crate::domain::ids::{BindingId, BindingKind};
use crate::domain::key::{Key, packed};

/// All bindings. What is known of each, by place or id, is that of the `Terse` inside.
#[derive(Default, Serialize, Deserialize)]
#[serde(from = "Image")]
pub struct Bindings {
    arena: Terse<BindingKind, BindingRow>,
    /// What few bindings have.
    stories: Rows<Story>,
    texts: Texts,
    /// The last binding of each key.
    #[serde(skip)]
    by_key: HashTable<u32>,
    #[serde(skip)]
    hasher: DefaultHashBuilder,
}

/// What of them is written to a snapshot.
#[derive(Deserialize)]
struct Image {
    arena: Terse<BindingKind, BindingRow>,
    stories: Rows<Story>,
    texts: Texts,
}

impl From<Image> for Bindings {
    fn from(image: Image) -> Self {
        let Image { arena, stories, texts } = image;
        let mut all = Self { arena, stories, texts, ..Self::default() };
        all.by_key.reserve(all.arena.len(), |_| 0);
        for place in 0..place_of(all.arena.len()) {
            all.tie(Ix::new(place));
        }
        all
    }
}

impl Deref for Bindings {
    type Target = Terse<BindingKind, BindingRow>;

    fn deref(&self) -> &Self::Target {
        &self.arena
    }
}

/// How far the bindings had come.
#[derive(Clone, Copy, Debug)]
pub(super) struct BindingsMark {
    arena: TerseMark,
    stories: Mark,
    texts: usize,
}

impl Bindings {
    /// What happened to a binding besides being asserted and confirmed.
    pub fn story(&self, binding: &Binding) -> Story {
        binding.story.map_or(Story::NONE, |ix| *self.stories.at(ix))
    }

    /// The same, of the binding at a place.
    fn story_at(&self, ix: Ix<Binding>) -> Story {
        self.arena.long(ix).map_or(Story::NONE, |binding| self.story(binding))
    }

    /// The key of a binding.
    pub fn key(&self, ix: Ix<Binding>) -> Key {
        packed::read(self.text(ix))
    }

    /// The packed key of a binding.
    fn text(&self, ix: Ix<Binding>) -> &[u8] {
        self.texts.get(self.arena.short(ix).key())
    }

    /// The bindings of a packed key, oldest first.
    pub fn of_key(&self, key: &[u8]) -> Few<Ix<Binding>> {
        let last = self.last_of_key(key);
        let mut found: Few<_> = std::iter::successors(last, |ix| self.story_at(*ix).same_key).collect();
        found.reverse();
        found
    }

    /// Whether a new binding is the first of its key.
    pub(super) fn is_alone(&self, ix: Ix<Binding>) -> bool {
        self.story_at(ix).same_key.is_none()
    }

    /// The bindings of the key of this one, oldest first.
    pub fn beside(&self, ix: Ix<Binding>) -> Few<Ix<Binding>> {
        self.of_key(self.text(ix))
    }

    fn last_of_key(&self, key: &[u8]) -> Option<Ix<Binding>> {
        self.last_of_key_by(self.hash(key), key)
    }

    /// The last binding of a packed key of which the hash is known.
    pub(super) fn last_of_key_by(&self, hash: u64, key: &[u8]) -> Option<Ix<Binding>> {
        let place = self.by_key.find(hash, |place| self.is_of_key(Ix::new(*place), key));
        place.map(|place| Ix::new(*place))
    }

    /// The hash of a packed key in this table.
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    /// A binding that may be the last of a key with this hash.
    pub(super) fn candidate(&self, hash: u64) -> Option<Ix<Binding>> {
        self.by_key.iter_hash(hash).next().map(|place| Ix::new(*place))
    }

    /// Whether a binding is one of this packed key.
    pub(super) fn is_of_key(&self, ix: Ix<Binding>, key: &[u8]) -> bool {
        self.text(ix) == key
    }

    /// Something of a text, so that the rest of it is near.
    pub(super) fn touch(&self, text: TextAt) -> u8 {
        self.texts.get(text).first().copied().unwrap_or_default()
    }

    /// Whether what one more entry may add still has a place.
    pub(super) const fn has_room(&self) -> bool {
        self.texts.has_room() && self.arena.has_room() && self.stories.has_room()
    }

    pub(super) fn keep_text(&mut self, key: &[u8]) -> TextAt {
        self.texts.push(key)
    }

    /// Adds a binding.
    pub(super) fn push(&mut self, id: BindingId, binding: Binding, key: &[u8], works: &Works) -> Ix<Binding> {
        let same_key = self.last_of_key(key);
        let ix = self.arena.push(id, binding, works);
        if same_key.is_some() {
            self.tell(ix, works, |story| story.same_key = same_key);
        }
        self.tie(ix);
        ix
    }

    /// Makes this the last binding of its key.
    fn tie(&mut self, ix: Ix<Binding>) {
        let Self { arena, texts, by_key, hasher, .. } = self;
        let text = |place: u32| texts.get(arena.short(Ix::new(place)).key());
        let key = text(ix.place());
        let hash = hasher.hash_one(key);
        match by_key.find_mut(hash, |place| text(*place) == key) {
            Some(last) => *last = ix.place(),
            None => {
                by_key.insert_unique(hash, ix.place(), |place| hasher.hash_one(text(*place)));
            }
        }
    }

    /// The binding at a place.
    pub(super) fn whole(&self, ix: Ix<Binding>, works: &Works) -> Binding {
        self.arena.whole(ix, works)
    }

    /// The key and the work of the binding at a place.
    pub(super) fn tied(&self, ix: Ix<Binding>) -> (TextAt, Ix<Work>) {
        (self.arena.short(ix).key(), self.arena.work(ix))
    }

    pub(super) fn confirm(&mut self, ix: Ix<Binding>, works: &Works, at: At) {
        self.arena.change(ix, works, |binding| binding.confirmed = at);
    }

    pub(super) fn reject(&mut self, ix: Ix<Binding>, works: &Works, at: At) {
        self.tell(ix, works, |story| story.rejected = at);
    }

    pub(super) fn remove(&mut self, ix: Ix<Binding>, works: &Works, at: At) {
        self.tell(ix, works, |story| story.removed = at);
    }

    pub(super) fn contest(&mut self, ix: Ix<Binding>, works: &Works, at_ms: i64) {
        self.tell(ix, works, |story| story.contests_from_ms = Some(at_ms));
    }

    fn tell(&mut self, ix: Ix<Binding>, works: &Works, change: impl FnOnce(&mut Story)) {
        let known = self.arena.long(ix).and_then(|binding| binding.story);
        let story = known.unwrap_or_else(|| self.stories.push(Story::NONE));
        if known.is_none() {
            self.arena.change(ix, works, |binding| binding.story = Some(story));
        }
        change(self.stories.change(story));
    }

    pub(super) const fn mark(&self) -> BindingsMark {
        BindingsMark { arena: self.arena.mark(), stories: self.stories.mark(), texts: self.texts.len() }
    }

    pub(super) fn undo_to(&mut self, mark: BindingsMark) {
        for place in (mark.arena.arena.pushed..self.arena.len()).rev() {
            self.untie(Ix::new(place_of(place)));
        }
        self.arena.undo_to(mark.arena);
        self.stories.undo_to(mark.stories);
        self.texts.truncate(mark.texts);
    }

    /// Makes the one before this the last binding of its key.
    fn untie(&mut self, ix: Ix<Binding>) {
        let same_key = self.story_at(ix).same_key;
        let hash = self.hasher.hash_one(self.text(ix));
        let Ok(mut slot) = self.by_key.find_entry(hash, |place| *place == ix.place()) else { return };
        match same_key {
            Some(before) => *slot.get_mut() = before.place(),
            None => {
                slot.remove();
            }
        }
    }

    pub(super) fn keep(&mut self) {
        self.arena.keep();
        self.stories.keep();
    }
}
