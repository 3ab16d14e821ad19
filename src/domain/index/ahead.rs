//! Looking up many subjects at once.
//!
//! In a large index nearly each step of a look-up waits for memory: the table, the record, its key, the work, what the
//! work has. Here each step is taken for all subjects before the next one, so that the waits fall together. Nothing is
//! decided here; that the right lines are near is all that the later steps leave behind.

use std::hint::black_box;

use super::records::{Binding, Denial, Grant, Holding, Ties, Work};
use super::texts::TextAt;
use super::{Index, Ix};
use crate::domain::ids::WorkId;
use crate::domain::key::{SubjectKey, packed};

/// How many subjects are looked up together.
pub const TOGETHER: usize = 32;

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
    key: Vec<u8>,
    hash: u64,
    binding: Option<Ix<Binding>>,
    text: Option<TextAt>,
    work: Option<Ix<Work>>,
    has: Has,
}

/// What is looked for.
#[derive(Clone, Copy)]
enum Sought {
    Nothing,
    Work(WorkId),
    Key,
}

/// The first things that a work has.
#[derive(Clone, Copy, Default)]
struct Has {
    holding: Option<Ix<Holding>>,
    grant: Option<Ix<Grant>>,
    denial: Option<Ix<Denial>>,
    ties: Option<Ix<Ties>>,
}

/// Look-ups under way. It keeps its memory from one use to the next.
#[derive(Default)]
pub struct Ahead {
    look_ups: Vec<LookUp>,
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
        for it in &mut self.look_ups {
            match it.sought {
                Sought::Nothing => {}
                Sought::Work(_) => it.work = index.works.candidate(it.hash),
                Sought::Key => it.binding = index.bindings.candidate(it.hash),
            }
        }
        for it in &mut self.look_ups {
            let Some((text, work)) = it.binding.map(|ix| index.bindings.tied(ix)) else { continue };
            (it.text, it.work) = (Some(text), Some(work));
        }
        let mut touched = 0_u64;
        for it in &mut self.look_ups {
            if let Some(text) = it.text {
                touched ^= u64::from(index.bindings.touch(text));
            }
            touched ^= it.binding.map_or(0, |ix| beside(index.bindings.before(ix)));
            let Some(work) = it.work.map(|ix| index.works.at(ix)) else { continue };
            touched ^= work.registered.get() ^ u64::from(work.registrant.place());
            it.has =
                Has { holding: work.holdings, grant: work.grants, denial: work.denials, ties: work.ties };
        }
        for LookUp { has, .. } in &self.look_ups {
            touched ^= has.holding.map_or(0, |ix| beside(index.holdings.before(ix)));
            touched ^= has.grant.map_or(0, |ix| beside(index.grants.before(ix)));
            touched ^= has.denial.map_or(0, |ix| beside(index.denials.before(ix)));
            touched ^= has.ties.map_or(0, |ix| index.ties.at(ix).withdrawn.get());
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
                hash: 0,
                binding: None,
                text: None,
                work: None,
                has: Has::default(),
            });
        }
        let Some(it) = self.look_ups.get_mut(place) else { return };
        (it.binding, it.text, it.work, it.has) = (None, None, None, Has::default());
        it.sought = match subject {
            Some(SubjectKey::Work(key)) => {
                it.hash = index.works.hash(key.id);
                Sought::Work(key.id)
            }
            Some(SubjectKey::Key(key)) => {
                it.key.clear();
                packed::write(key, &mut it.key);
                it.hash = index.bindings.hash(&it.key);
                Sought::Key
            }
            None => Sought::Nothing,
        };
    }
}

impl LookUp {
    /// What is there: ids and keys are compared whole.
    fn found(&self, index: &Index) -> Found {
        match self.sought {
            Sought::Nothing => Found::Unsought,
            Sought::Work(id) => {
                let is_it = |ix: &Ix<Work>| index.works.id(*ix) == id;
                // Where there is no candidate, there is nothing with such a hash.
                let Some(candidate) = self.work else { return Found::Nothing };
                let work = Some(candidate).filter(is_it).or_else(|| index.works.find(id));
                work.map_or(Found::Nothing, Found::Work)
            }
            Sought::Key => {
                let is_it = |ix: &Ix<Binding>| index.bindings.is_of_key(*ix, &self.key);
                let last = || index.bindings.last_of_key_by(self.hash, &self.key);
                let Some(candidate) = self.binding else { return Found::Nothing };
                Some(candidate).filter(is_it).or_else(last).map_or(Found::Nothing, Found::Binding)
            }
        }
    }
}

/// Something of what was looked at: the place of the thing before a thing, for which both are looked at.
fn beside<T>(before: Option<Ix<T>>) -> u64 {
    before.map_or(0, |ix| u64::from(ix.place()))
}
