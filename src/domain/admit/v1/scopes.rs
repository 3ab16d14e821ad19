//! Stated scopes and terms.

use super::check::Check;
use super::limits;
use crate::domain::act::{Condition, Revocable, Role};
use crate::domain::admit::code;
use crate::domain::ids::{ModelId, OrgId, WorkId};
use crate::domain::index::records::NEVER;
use crate::domain::scope::{From, MAX_MOMENT_MS, MAX_ONLY, Scope, Until};

impl Check<'_> {
    /// An `only` list has one to [`MAX_ONLY`] members, sorted and distinct: questions search it by halves.
    pub(super) fn scope<T: Ord>(&mut self, pointer: &str, scope: &Scope<T>) {
        let Scope::Only(members) = scope else { return };
        let pointer = format!("{pointer}/only");
        if members.is_empty() {
            let detail = "an empty list means nothing: name something, or say `any`".to_owned();
            self.refuse(code::EMPTY, pointer.as_str(), detail);
        }
        self.at_most(&pointer, members.len(), MAX_ONLY, "members of one list");
        if !members.is_sorted() {
            self.refuse(code::NOT_SORTED, pointer, "the list is not sorted: sort it".to_owned());
        } else if members.windows(2).any(|pair| matches!(pair, [first, second] if first == second)) {
            self.refuse(code::DUPLICATE, pointer, "the list names something twice: name it once".to_owned());
        }
    }

    /// Registered AI developers, who may read the entry.
    pub(super) fn developers(&mut self, pointer: &str, scope: &Scope<OrgId>) {
        self.scope(pointer, scope);
        self.read_by_named(scope);
        for (place, id) in members(scope) {
            self.org_with(&format!("{pointer}/only/{place}"), id, &[Role::AiDeveloper]);
        }
    }

    /// Registered models, each of an AI developer that is named, where any is. Standing ones, unless `retired_too`.
    pub(super) fn models(
        &mut self,
        pointer: &str,
        scope: &Scope<ModelId>,
        of: &Scope<OrgId>,
        retired_too: bool,
    ) {
        self.scope(pointer, scope);
        for (place, id) in members(scope) {
            let pointer = format!("{pointer}/only/{place}");
            let Some(ix) = self.known(&pointer, self.index.models.find(id), id) else { continue };
            let model = self.index.models.at(ix);
            if model.retired != NEVER && !retired_too {
                self.ended(&pointer, id);
            }
            let developer = self.seen.org_id(model.developer);
            let is_named = match of {
                Scope::Any => true,
                Scope::Only(named) => named.contains(&developer),
            };
            if !is_named {
                let detail = format!("`{id}` is a model of `{developer}`, which is not among the developers");
                self.refuse(code::MISMATCH, pointer, detail);
            }
        }
    }

    /// Registered works that an act only mentions: merged-away ones too, which mean what they were merged into.
    pub(super) fn mentioned_works(&mut self, pointer: &str, scope: &Scope<WorkId>) {
        self.scope(pointer, scope);
        for (place, id) in members(scope) {
            self.known(&format!("{pointer}/only/{place}"), self.seen.work(id), id);
        }
    }

    /// A moment lies between 1970 and 9999.
    pub(super) fn moment(&mut self, pointer: &str, moment_ms: i64) {
        if !(0..=MAX_MOMENT_MS).contains(&moment_ms) {
            let detail = format!("`{moment_ms}` is no moment between 1970 and 9999, in milliseconds");
            self.refuse(code::OUT_OF_BOUNDS, pointer, detail);
        }
    }

    /// A term that ends after it begins.
    pub(super) fn term(&mut self, from: From, until: Until) {
        if let From::At(moment_ms) = from {
            self.moment("/from", moment_ms);
        }
        if let Until::At(moment_ms) = until {
            self.moment("/until", moment_ms);
        }
        if until.at() <= from.at(self.at_ms) {
            let detail = "the term ends before it begins: state an `until` after `from`".to_owned();
            self.refuse(code::BAD_TERM, "/until", detail);
        }
    }

    /// The same, which does not begin before the entry.
    pub(super) fn term_from_now(&mut self, from: From, until: Until) {
        self.term(from, until);
        if from.at(self.at_ms) < self.at_ms {
            let detail = format!(
                "`{}` lies before the entry itself, at `{}`: nothing is permitted backwards, say `on_record`",
                from.at(self.at_ms),
                self.at_ms
            );
            self.refuse(code::BAD_TERM, "/from", detail);
        }
    }

    /// A notice within bounds.
    pub(super) fn revocable(&mut self, revocable: Revocable) {
        if let Revocable::NoticeMs(notice_ms) = revocable
            && !(0..=limits::NOTICE_MS).contains(&notice_ms)
        {
            let detail = format!("a notice of `{notice_ms}` ms is out of bounds: state 0 to ten years");
            self.refuse(code::OUT_OF_BOUNDS, "/revocable/notice_ms", detail);
        }
    }

    /// Conditions, each once.
    pub(super) fn conditions(&mut self, conditions: &[Condition]) {
        if !self.at_most("/conditions", conditions.len(), limits::CONDITIONS, "conditions") {
            return;
        }
        for (place, condition) in conditions.iter().enumerate() {
            if conditions.iter().take(place).any(|earlier| earlier == condition) {
                let detail = "a condition stands twice: name it once".to_owned();
                self.refuse(code::DUPLICATE, format!("/conditions/{place}"), detail);
            }
        }
    }
}

fn members<T: Copy>(scope: &Scope<T>) -> impl Iterator<Item = (usize, T)> {
    let members = match scope {
        Scope::Any => &[],
        Scope::Only(members) => members.as_slice(),
    };
    members.iter().copied().take(MAX_ONLY).enumerate()
}
