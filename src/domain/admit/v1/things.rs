//! Names in acts: new ones, known ones, lists of them, works and their holders.

use std::fmt::Display;
use std::hash::Hash;

use hashbrown::HashSet;

use super::check::{Check, Over};
use super::limits;
use crate::domain::act::Power;
use crate::domain::admit::code;
use crate::domain::ids::{HoldingId, WorkId};
use crate::domain::index::Ix;
use crate::domain::index::records::{Holding, Work};
use crate::domain::key::Key;

/// How a party may stand to a work that it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// It holds it, confirmed or not: it acts for its own share, or only tightens.
    Holder,
    /// It holds it, or speaks for it: what it asserts supports nothing before it is confirmed.
    HolderOrSpeaker,
    /// It speaks for it: what it does stays, also when its own holding is rejected.
    Speaker,
}

impl Check<'_> {
    /// A new id is unused.
    pub(super) fn fresh(&mut self, pointer: &str, is_taken: bool, id: impl Display) {
        if is_taken {
            self.refuse(code::ID_TAKEN, pointer, format!("`{id}` is in use: take a new id"));
        }
    }

    /// An id names something.
    pub(super) fn known<T>(&mut self, pointer: &str, found: Option<T>, id: impl Display) -> Option<T> {
        if found.is_none() {
            self.refuse(code::UNKNOWN, pointer, format!("`{id}` names nothing that is registered here"));
        }
        found
    }

    /// Notes that something no longer stands.
    pub(super) fn ended(&mut self, pointer: &str, id: impl Display) {
        self.refuse(code::ENDED, pointer, format!("`{id}` no longer stands"));
    }

    /// Nothing stands twice in a list; `pointer` gives the place of a member.
    pub(super) fn distinct<T: Eq + Hash + Display>(
        &mut self,
        members: impl IntoIterator<Item = T>,
        pointer: impl Fn(usize) -> String,
    ) {
        let mut known = HashSet::new();
        for (place, member) in members.into_iter().enumerate() {
            let text = member.to_string();
            if !known.insert(member) {
                self.refuse(code::DUPLICATE, pointer(place), format!("`{text}` stands twice: name it once"));
            }
        }
    }

    /// There is no more than this of something.
    pub(super) fn at_most(&mut self, pointer: &str, count: usize, most: usize, what: &str) -> bool {
        if count > most {
            self.refuse(code::TOO_MANY, pointer, format!("{count} {what}: there may be at most {most}"));
        }
        count <= most
    }

    /// One more of something fits under this limit.
    pub(super) fn has_room(&mut self, pointer: &str, has_room: bool, most: usize, what: &str) {
        if !has_room {
            self.refuse(
                code::TOO_MANY,
                pointer,
                format!("there are {most} {what} already, the most there may be"),
            );
        }
    }

    /// A key is in normal form.
    pub(super) fn normal(&mut self, pointer: &str, key: &Key) {
        if !key.is_normal() {
            let shown: String = key.to_string().chars().take(200).collect();
            self.refuse(code::NOT_NORMAL, pointer, format!("the key `{shown}` is not in normal form"));
        }
    }

    /// A registered work that was not merged away; its holders may read the entry.
    pub(super) fn work(&mut self, pointer: &str, id: WorkId) -> Option<Ix<Work>> {
        let work = self.known(pointer, self.seen.work(id), id)?;
        let canonical = self.seen.canonical(work);
        if canonical != work {
            let into = self.seen.work_id(canonical);
            self.refuse(
                code::MERGED_AWAY,
                pointer,
                format!("`{id}` was merged into `{into}`: act on that one"),
            );
            return None;
        }
        self.read_by_holders(work);
        Some(work)
    }

    /// One to [`limits::WORKS`] works, distinct, each with its place in the list.
    pub(super) fn works(&mut self, ids: &[WorkId]) -> Vec<(String, Ix<Work>)> {
        if ids.is_empty() {
            self.refuse(code::EMPTY, "/works", "no work is named: name at least one".to_owned());
        }
        if !self.at_most("/works", ids.len(), limits::WORKS, "works") {
            return Vec::new();
        }
        self.distinct(ids, |place| format!("/works/{place}"));
        let works = ids.iter().enumerate().map(|(place, id)| (format!("/works/{place}"), *id));
        works.filter_map(|(pointer, id)| self.work(&pointer, id).map(|work| (pointer, work))).collect()
    }

    /// A holding that stands; the holders of its work may read the entry.
    pub(super) fn standing_holding(&mut self, pointer: &str, id: HoldingId) -> Option<Ix<Holding>> {
        let holding = self.known(pointer, self.index.holdings.find(id), id)?;
        self.read_by_holders(self.seen.canonical(self.index.holdings.work(holding)));
        if self.seen.holding_stands(holding) {
            return Some(holding);
        }
        self.ended(pointer, id);
        None
    }

    /// The principal stands so to a canonical work.
    pub(super) fn is_tied(&mut self, work: Ix<Work>, tie: Tie) -> bool {
        let Some(principal) = self.principal() else { return false };
        let holds = || self.seen.is_holder(principal, work);
        let speaks = || self.seen.speaks_for(principal, work);
        match tie {
            Tie::Holder => holds(),
            Tie::HolderOrSpeaker => holds() || speaks(),
            Tie::Speaker => speaks(),
        }
    }

    /// The principal stands so to a canonical work, or the act is refused.
    pub(super) fn must_be_tied(&mut self, pointer: &str, work: Ix<Work>, tie: Tie) {
        // Who the principal is was refused already, where it is nobody.
        if self.principal().is_some() && !self.is_tied(work, tie) {
            let id = self.seen.work_id(work);
            let who = match tie {
                Tie::Holder => "only a holder of",
                Tie::HolderOrSpeaker => "only a holder, or the registrant while none is listed, of",
                Tie::Speaker => {
                    "only a confirmed holder, or while there is none, a holder that the registration listed, of"
                }
            };
            self.unauthorized(pointer, format_args!("{who} `{id}` may"));
        }
    }

    /// A holder of the work, itself or through an agent with this power.
    pub(super) fn holder_or_agent(&mut self, pointer: &str, work: Option<Ix<Work>>, tie: Tie, power: Power) {
        self.principal();
        if let Some(work) = work {
            self.must_be_tied(pointer, work, tie);
        }
        self.agent_has(power, Over::Works(work.as_slice()), false);
    }
}
