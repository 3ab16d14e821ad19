//! For whom a work is open: which developers its grants speak of, and what `decide` answers each.
//!
//! Nothing here permits. It asks the same questions that a developer would ask, and shows the answers to those who may
//! see them.

use std::collections::BTreeMap;

use serde::Serialize;
use smallvec::smallvec;

use crate::domain::decide::effort::ENOUGH;
use crate::domain::decide::{Effort, TooMuch, decide_within};
use crate::domain::decision::{Decision, Outcome, Reason, ReasonCode, UseDecision};
use crate::domain::ids::{GrantId, ModelId, OrgId, WorkId};
use crate::domain::index::AsOf;
use crate::domain::index::records::Grant;
use crate::domain::key::SubjectKey;
use crate::domain::question::Question;
use crate::domain::scope::Scope;
use crate::domain::territory::Territory;
use crate::domain::uses::{Use, Uses};

/// What all answers together may take that one reader asks for: most works are asked about in few contexts.
pub const EFFORT: u64 = 5 * ENOUGH;
/// How many members of one list are tried.
const TRIED: usize = 5;

/// In whose place a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Context {
    /// The developer.
    pub developer: OrgId,
    /// With which model.
    pub model: Option<ModelId>,
    /// Where.
    pub territory: Option<Territory>,
}

/// What is asked of the index, and when.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The index, as of a size.
    pub now: AsOf<'a>,
    /// The moment.
    pub moment_ms: i64,
    /// An id that no organization has: it stands for any developer.
    pub anybody: OrgId,
    /// What all answers together may take.
    pub effort: &'a Effort,
}

impl Asking<'_> {
    /// The answer for a work.
    pub fn decide(&self, work: WorkId, context: Context, uses: &[Use]) -> Result<Decision, TooMuch> {
        let question = Question {
            developer: context.developer,
            model: context.model,
            uses: Uses::from_slice(uses),
            territory: context.territory,
            subject: smallvec![SubjectKey::work(work)],
            with_parts: false,
        };
        decide_within(self.now.index, self.now.size, self.moment_ms, &question, self.effort)
    }

    /// Any developer, with no model and no territory: only what is open to all covers it.
    pub const fn anyone(&self) -> Context {
        Context { developer: self.anybody, model: None, territory: None }
    }

    /// What stands in the way of an answer, besides that nobody in particular asks.
    pub fn obstacles(&self, context: Context, answer: &UseDecision) -> Vec<Reason> {
        match &answer.outcome {
            Outcome::Permitted(_) => Vec::new(),
            Outcome::NotPermitted(reasons) => {
                let is_nobody = context.developer == self.anybody;
                let stands =
                    |reason: &&Reason| !(is_nobody && reason.code == ReasonCode::DeveloperUnverified);
                reasons.iter().filter(stands).cloned().collect()
            }
        }
    }

    /// The uses of a work that are open in this context.
    pub fn open(&self, work: WorkId, context: Context, uses: &[Use]) -> Result<Vec<Use>, TooMuch> {
        let decision = self.decide(work, context, uses)?;
        let open = decision.uses.iter().filter(|answer| self.obstacles(context, answer).is_empty());
        Ok(open.map(|answer| answer.r#use).collect())
    }

    /// Who the grants in term on a work, or on what it is part of, speak of by name: at most `most` contexts, in order;
    /// and whether there are more.
    pub fn contexts(&self, work: WorkId, only: Option<OrgId>, most: usize) -> (Vec<Context>, bool) {
        let Some(ix) = self.now.work(work).map(|work| self.now.canonical(work)) else {
            return (Vec::new(), false);
        };
        let mut found = Vec::new();
        for at in std::iter::once(ix).chain(self.now.ancestors(ix)) {
            for (_, grant) in self.now.grants(at).filter(|(_, grant)| self.is_in_term(grant)) {
                self.named(&grant, only, &mut found);
                if found.len() > 4 * most {
                    break;
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let more = found.len() > most;
        found.truncate(most);
        (found, more)
    }

    fn is_in_term(&self, grant: &Grant) -> bool {
        let revoked = self.now.revocations(grant).any(|it| it.from_ms <= self.moment_ms);
        !revoked && grant.term.contains(self.moment_ms)
    }

    /// The contexts that a grant names. One for anybody without limits names nobody.
    fn named(&self, grant: &Grant, only: Option<OrgId>, found: &mut Vec<Context>) {
        let licence = self.now.index.licence(grant);
        let models: Vec<Option<ModelId>> = match &licence.models {
            Scope::Any => vec![None],
            Scope::Only(models) => models.iter().take(TRIED).map(|model| Some(*model)).collect(),
        };
        let territories: Vec<Option<Territory>> = match &licence.territories {
            Scope::Any => vec![None],
            Scope::Only(territories) => territories.iter().take(TRIED).map(|it| Some(*it)).collect(),
        };
        for model in models {
            let owner = model.and_then(|model| self.developer_of(model));
            let developers: Vec<OrgId> = match (&licence.developers, owner) {
                (Scope::Any, Some(owner)) => vec![owner],
                (Scope::Only(named), Some(owner)) if named.contains(&owner) => vec![owner],
                (Scope::Only(named), None) if model.is_none() => named.clone(),
                // For anybody, in some territories: who asks is free.
                (Scope::Any, None) if model.is_none() => vec![only.unwrap_or(self.anybody)],
                _ => Vec::new(),
            };
            for developer in developers.into_iter().filter(|it| only.is_none_or(|only| only == *it)) {
                for territory in &territories {
                    let context = Context { developer, model, territory: *territory };
                    if context != self.anyone() {
                        found.push(context);
                    }
                }
            }
        }
    }

    /// Whose model it is.
    pub fn developer_of(&self, model: ModelId) -> Option<OrgId> {
        let models = &self.now.index.models;
        models.find(model).map(|ix| self.now.org_id(models.at(ix).developer))
    }

    /// What named developers may do with a work: for each context in which anything beyond `open` is permitted, those
    /// uses and the grants that they rest on, as far as they are on works for which `is_told`.
    pub fn opened(
        &self,
        work: WorkId,
        contexts: &[Context],
        uses: &[Use],
        open: &[Use],
        is_told: impl Fn(WorkId) -> bool,
    ) -> Result<Vec<Opened>, TooMuch> {
        let mut opened = Vec::new();
        for context in contexts {
            let decision = self.decide(work, *context, uses)?;
            let (mut uses, mut grants) = (Vec::new(), BTreeMap::new());
            for answer in decision.uses.iter().filter(|answer| !open.contains(&answer.r#use)) {
                if !self.obstacles(*context, answer).is_empty() {
                    continue;
                }
                uses.push(answer.r#use);
                if let Outcome::Permitted(permitted) = &answer.outcome {
                    grants.extend(permitted.leaves_of(&is_told).map(|leaf| (leaf.entry, leaf.grant)));
                }
            }
            if !uses.is_empty() {
                let developer = (context.developer != self.anybody).then_some(context.developer);
                let (model, territory) = (context.model, context.territory);
                let grants = grants.into_values().collect();
                opened.push(Opened { developer, model, territory, uses, grants });
            }
        }
        Ok(opened)
    }
}

/// What is open to one developer, or to anybody under a limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// The developer; none for anybody.
    pub developer: Option<OrgId>,
    /// Only with this model.
    pub model: Option<ModelId>,
    /// Only there.
    pub territory: Option<Territory>,
    /// The uses.
    pub uses: Vec<Use>,
    /// The grants that it rests on, of those that the reader may know, in order of their entries.
    pub grants: Vec<GrantId>,
}
