//! Bindings, by place, by id and by key.
//!
//! The text of every key is kept, one after the other, and keys are compared byte for byte: two keys are never taken
//! for one because some digest of them is the same.

use std::hash::BuildHasher;
use std::ops::Deref;

use hashbrown::DefaultHashBuilder;
use serde::{Deserialize, Serialize};

use super::arena::{Ix, Mark, Rows, place_of};
use super::places::Places;
use super::records::{At, Binding, BindingRow, Story, Work};
use super::terse::{Terse, TerseMark};
use super::texts::{Text, TextAt, Texts, TextsMark};
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
    by_key: Places,
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
    texts: TextsMark,
}

/// Where the key of a binding is.
#[inline]
fn text_of(arena: &Terse<BindingKind, BindingRow>, ix: Ix<Binding>) -> TextAt {
    arena.short(ix).key()
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
        packed::read(&self.texts.whole(text_of(&self.arena, ix)))
    }

    /// The packed key of a binding, in parts.
    #[inline]
    fn text(&self, ix: Ix<Binding>) -> Text<'_> {
        self.texts.get(text_of(&self.arena, ix))
    }

    /// The bindings of a packed key, oldest first.
    pub fn of_key(&self, key: &[u8]) -> Few<Ix<Binding>> {
        self.parts(key).map_or_else(Few::new, |key| self.of_text(key))
    }

    /// The same, of a key in parts.
    pub(super) fn of_text(&self, key: Text<'_>) -> Few<Ix<Binding>> {
        let last = self.last_of_text(self.hash(key), key);
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
        self.of_text(self.text(ix))
    }

    /// The last binding of a key of which the hash is known.
    pub(super) fn last_of_text(&self, hash: u64, key: Text<'_>) -> Option<Ix<Binding>> {
        self.by_key.find(hash, |place| self.is_of_text(Ix::new(place), key)).map(Ix::new)
    }

    /// The parts of a packed key, if any key bound begins like it.
    pub(super) fn parts<'k>(&self, key: &'k [u8]) -> Option<Text<'k>> {
        self.texts.parts(key)
    }

    /// The same, where it is likely that it begins like this one.
    pub(super) fn parts_like<'k>(&self, key: &'k [u8], like: u32) -> Option<Text<'k>> {
        self.texts.parts_like(key, like)
    }

    /// The hash of a key in this table.
    pub(super) fn hash(&self, key: Text<'_>) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Something of where this hash lies in the table.
    #[inline]
    pub(super) fn touch_hash(&self, hash: u64) -> u32 {
        self.by_key.touch(hash)
    }

    /// Something of a binding, and of its key, so that the rest of them is near.
    #[inline]
    pub(super) fn touch_row(&self, ix: Ix<Binding>) -> u32 {
        self.arena.touch(ix)
    }

    /// A binding that may be the last of a key with this hash.
    #[inline]
    pub(super) fn candidate(&self, hash: u64) -> Option<Ix<Binding>> {
        self.by_key.candidate(hash).map(Ix::new)
    }

    /// Whether a binding is one of this key.
    #[inline]
    pub(super) fn is_of_text(&self, ix: Ix<Binding>, key: Text<'_>) -> bool {
        self.text(ix) == key
    }

    /// Something of both ends of a text, so that the rest of it is near.
    #[inline]
    pub(super) fn touch(&self, text: TextAt) -> u8 {
        self.texts.touch(text)
    }

    /// Whether what one more entry may add still has a place.
    pub(super) const fn has_room(&self) -> bool {
        self.texts.has_room() && self.arena.has_room() && self.stories.has_room()
    }

    /// Keeps a packed key.
    pub(super) fn keep_text<'k>(&mut self, key: &'k [u8]) -> (TextAt, Text<'k>) {
        self.texts.push(key)
    }

    /// Adds a binding.
    pub(super) fn push(&mut self, id: BindingId, binding: &Binding, works: &Works) -> Ix<Binding> {
        let ix = self.arena.push(id, binding, works);
        let same_key = self.tie(ix);
        if same_key.is_some() {
            self.tell(ix, works, |story| story.same_key = same_key);
        }
        ix
    }

    /// Makes this the last binding of its key, and tells which was the last so far.
    fn tie(&mut self, ix: Ix<Binding>) -> Option<Ix<Binding>> {
        let Self { arena, texts, by_key, hasher, .. } = self;
        let text = |place: u32| texts.get(text_of(arena, Ix::new(place)));
        let key = text(ix.place());
        let hash = hasher.hash_one(key);
        let last = by_key.replace(hash, |place| text(place) == key, ix.place());
        if last.is_none() {
            by_key.insert(hash, ix.place(), |place| hasher.hash_one(text(place)));
        }
        last.map(Ix::new)
    }

    /// The binding at a place.
    #[inline]
    pub(super) fn whole(&self, ix: Ix<Binding>, works: &Works) -> Binding {
        self.arena.whole(ix, works)
    }

    /// The work of a binding to which nothing happened but that it was asserted and confirmed, and by which entries.
    #[inline]
    pub(super) fn plain(&self, ix: Ix<Binding>, works: &Works) -> Option<(Ix<Work>, At, At)> {
        if let Some(it) = self.arena.long(ix) {
            return (!it.has_story()).then_some((it.work, it.asserted, it.confirmed));
        }
        let work = self.arena.work(ix);
        Some((work, works.at(work).registered, self.arena.short(ix).confirmed()))
    }

    /// The key and the work of the binding at a place.
    #[inline]
    pub(super) fn tied(&self, ix: Ix<Binding>) -> (TextAt, Ix<Work>) {
        (text_of(&self.arena, ix), self.arena.work(ix))
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
        BindingsMark { arena: self.arena.mark(), stories: self.stories.mark(), texts: self.texts.mark() }
    }

    pub(super) fn undo_to(&mut self, mark: BindingsMark) {
        for place in (mark.arena.arena.pushed..self.arena.len()).rev() {
            self.untie(Ix::new(place_of(place)));
        }
        self.arena.undo_to(mark.arena);
        self.stories.undo_to(mark.stories);
        self.texts.undo_to(mark.texts);
    }

    /// Makes the one before this the last binding of its key.
    fn untie(&mut self, ix: Ix<Binding>) {
        let same_key = self.story_at(ix).same_key;
        let Self { arena, texts, by_key, hasher, .. } = self;
        let hash_of = |place: u32| hasher.hash_one(texts.get(text_of(arena, Ix::new(place))));
        let hash = hash_of(ix.place());
        match same_key {
            Some(before) => {
                by_key.replace(hash, |place| place == ix.place(), before.place());
            }
            None => by_key.remove(hash, ix.place(), hash_of),
        }
    }

    pub(super) fn keep(&mut self) {
        self.arena.keep();
        self.stories.keep();
    }
}
