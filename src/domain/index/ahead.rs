//! Looking up many subjects at once.
//!
//! In a large index nearly each step of a look-up waits for memory: the table (or the block of names), the record, its key, the
//! work, what the work has. Here each step is taken for all subjects before the next one, so that the waits fall together. Nothing is
//! decided here; that the right lines are near is all that the later steps leave behind.

use std::hint::black_box;

use super::records::{Binding, Holding, OthersAt, Ties, Work};
use super::texts::{Text, TextAt};
use super::{Index, Ix};
use crate::domain::ids::WorkId;
use crate::domain::key::{SubjectKey, packed};

/// How many subjects are looked up together.
pub const TOGETHER: usize = 32;

/// More than there are kinds of keys.
const KINDS: usize = 8;

/// What an exact look-up of one subject found, whatever is seen of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was not looked up.
    Unsought,
    /// Nothing bears this name, or was ever bound to this key.
    Nothing,
    /// The work of this name.
    Work(Ix<Work>),
    /// The last binding of this key.
    Binding(Ix<Binding>),
}

/// The look-up of one subject.
struct LookUp {
    sought: Sought,
    /// A packed key: the number of its beginning, and where the rest of it begins.
    key: Vec<u8>,
    beginning: u32,
    from: usize,
    hash: u64,
    binding: Option<Ix<Binding>>,
    text: Option<TextAt>,
    work: Option<Ix<Work>>,
    holding: Option<Ix<Holding>>,
    others: OthersAt,
    ties: Option<Ix<Ties>>,
}

/// What is looked for.
#[derive(Clone, Copy)]
enum Sought {
    Nothing,
    /// A work by its name, which is likely to lie on this shelf.
    Work(WorkId, usize),
    Key,
    /// A key that begins like none that was ever bound.
    Unknown,
}

/// Look-ups under way. It keeps its memory from one use to the next.
#[derive(Default)]
pub struct Ahead {
    look_ups: Vec<LookUp>,
    /// How the last key of each kind began: the next one often begins like it.
    likes: [u32; KINDS],
}

impl Ahead {
    /// Looks up these subjects; what comes out is in their order. Beside them, `None` is left alone.
    pub fn find<'q>(
        &mut self,
        index: &Index,
        subjects: impl Iterator<Item = Option<&'q SubjectKey>>,
        found: &mut Vec<Found>,
    ) {
        let mut count = 0;
        for subject in subjects {
            self.begin(index, count, subject);
            count += 1;
        }
        self.look_ups.truncate(count);
        // What is fetched here decides nothing before the next step: whoever had to wait for it would wait alone.
        let mut touched = 0_u64;
        for it in &self.look_ups {
            touched ^= match it.sought {
                Sought::Nothing | Sought::Unknown => 0,
                Sought::Work(_, shelf) => u64::from(index.works.touch_shelf(shelf)),
                Sought::Key => u64::from(index.bindings.touch_hash(it.hash)),
            };
        }
        for it in &mut self.look_ups {
            match it.sought {
                Sought::Nothing | Sought::Unknown => {}
                Sought::Work(id, shelf) => it.work = index.works.find_on(shelf, id),
                Sought::Key => it.binding = index.bindings.candidate(it.hash),
            }
        }
        for it in &mut self.look_ups {
            let Some(ix) = it.binding else { continue };
            let (text, work) = index.bindings.tied(ix);
            (it.text, it.work) = (Some(text), Some(work));
            touched ^= u64::from(index.bindings.touch_row(ix));
        }
        for it in &mut self.look_ups {
            if let Some(text) = it.text {
                touched ^= u64::from(index.bindings.touch(text));
            }
            let Some(work) = it.work.map(|ix| index.works.at(ix)) else { continue };
            touched ^= work.registered.get();
            (it.holding, it.others) = (work.holdings, work.others);
        }
        for it in &mut self.look_ups {
            touched ^= it.holding.map_or(0, |ix| u64::from(index.holdings.touch(ix)));
            let others = index.others_at(it.others);
            touched ^= others.grants.map_or(0, |ix| u64::from(index.grants.touch(ix)));
            touched ^= others.denials.map_or(0, |ix| u64::from(index.denials.touch(ix)));
            touched ^= others.ties.map_or(0, |ix| index.ties.at(ix).withdrawn.get());
            it.ties = others.ties;
        }
        // Few works have any.
        for ties in self.look_ups.iter().filter_map(|it| it.ties) {
            touched ^= index.touch_tied(ties);
        }
        black_box(touched);
        found.extend(self.look_ups.iter().map(|it| it.found(index)));
    }

    /// Starts the look-up at this place of the list.
    fn begin(&mut self, index: &Index, place: usize, subject: Option<&SubjectKey>) {
        if self.look_ups.len() <= place {
            self.look_ups.push(LookUp {
                sought: Sought::Nothing,
                key: Vec::new(),
                beginning: 0,
                from: 0,
                hash: 0,
                binding: None,
                text: None,
                work: None,
                holding: None,
                others: OthersAt::default(),
                ties: None,
            });
        }
        let Self { look_ups, likes } = self;
        let Some(it) = look_ups.get_mut(place) else { return };
        (it.binding, it.text, it.work) = (None, None, None);
        (it.holding, it.others, it.ties) = (None, OthersAt::default(), None);
        it.sought = match subject {
            Some(SubjectKey::Work(key)) => Sought::Work(key.id, index.works.shelf(key.id)),
            Some(SubjectKey::Key(key)) => {
                it.key.clear();
                packed::write(key, &mut it.key);
                let kind = it.key.first().map_or(0, |kind| usize::from(*kind) % KINDS);
                let like = likes.get(kind).copied().unwrap_or_default();
                match index.bindings.parts_like(&it.key, like) {
                    Some(text) => {
                        likes.iter_mut().skip(kind).take(1).for_each(|like| *like = text.beginning);
                        (it.beginning, it.from) = (text.beginning, it.key.len() - text.rest.len());
                        it.hash = index.bindings.hash(text);
                        Sought::Key
                    }
                    None => Sought::Unknown,
                }
            }
            None => Sought::Nothing,
        };
    }
}

impl LookUp {
    /// The key, in parts.
    fn text(&self) -> Text<'_> {
        Text { beginning: self.beginning, rest: self.key.get(self.from..).unwrap_or_default() }
    }

    /// What is there: keys are compared whole.
    fn found(&self, index: &Index) -> Found {
        match self.sought {
            Sought::Nothing => Found::Unsought,
            Sought::Unknown => Found::Nothing,
            Sought::Work(..) => self.work.map_or(Found::Nothing, Found::Work),
            Sought::Key => {
                let is_it = |ix: &Ix<Binding>| index.bindings.is_of_text(*ix, self.text());
                let last = || index.bindings.last_of_text(self.hash, self.text());
                let Some(candidate) = self.binding else { return Found::Nothing };
                Some(candidate).filter(is_it).or_else(last).map_or(Found::Nothing, Found::Binding)
            }
        }
    }
}
