//! Histories: commands that were recorded, one after the other, and what they made of the index.

use kyodaku::domain::act::Act;
use kyodaku::domain::command::{Command, Proposed, record};
use kyodaku::domain::entry::{Entry, Salt};
use kyodaku::domain::ids::{OrgId, PersonId};
use kyodaku::domain::index::Index;
use uuid::Uuid;

use crate::reference::Facts;

/// A command, and when it came.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) command: Command,
    pub(crate) at_ms: i64,
}

/// What was recorded of some steps; what was refused left nothing behind.
pub(crate) struct History {
    pub(crate) steps: Vec<Step>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) index: Index,
    pub(crate) refused: Vec<(Step, String)>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { steps: Vec::new(), entries: Vec::new(), index: Index::new(), refused: Vec::new() }
    }

    /// Records these steps in an empty log.
    pub(crate) fn of(steps: &[Step]) -> Self {
        let mut history = Self::new();
        for step in steps {
            history.play(step.clone());
        }
        history
    }

    /// Records one more step, if it is admitted.
    pub(crate) fn play(&mut self, step: Step) -> bool {
        let played = self.try_out(step);
        self.index.keep();
        played
    }

    fn try_out(&mut self, step: Step) -> bool {
        let salt = || Salt([self.entries.len() as u8; 16]);
        match record(&mut self.index, &step.command, step.at_ms, salt) {
            Ok(entries) => {
                self.entries.extend(entries);
                self.steps.push(step);
                true
            }
            Err(refusals) => {
                let why = refusals.first().map(|refusal| refusal.detail.clone()).unwrap_or_default();
                self.refused.push((step, why));
                false
            }
        }
    }

    /// Looks at what would be if these steps were recorded, and takes them back. Is told whether all were admitted.
    pub(crate) fn suppose<T>(&mut self, steps: Vec<Step>, look: impl FnOnce(&mut Self, bool) -> T) -> T {
        let savepoint = self.index.savepoint();
        let (entries, before, refused) = (self.entries.len(), self.steps.len(), self.refused.len());
        let mut all = true;
        for step in steps {
            all &= self.try_out(step);
        }
        let seen = look(self, all);
        self.index.undo(savepoint);
        self.entries.truncate(entries);
        self.steps.truncate(before);
        self.refused.truncate(refused);
        seen
    }

    /// Whether these steps would all be admitted.
    pub(crate) fn admits(&mut self, steps: Vec<Step>) -> bool {
        self.suppose(steps, |_, all| all)
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn now(&self) -> i64 {
        self.entries.last().map_or(START_MS, |entry| entry.at_ms)
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts::of(&self.entries)
    }

    pub(crate) fn facts_at(&self, size: u64) -> Facts {
        Facts::of(&self.entries[..size as usize])
    }

    /// A step of one act by this organization, now.
    pub(crate) fn step(&self, party: OrgId, act: impl Into<Act>) -> Step {
        step_of(party, None, vec![act.into()], self.now())
    }
}

/// When histories begin.
pub(crate) const START_MS: i64 = 1_790_000_000_000;

/// The party that stands for the installation; it has no persons.
pub(crate) const INSTALLATION: u128 = 1;

/// The two persons of an organization: told from its id.
pub(crate) fn persons_of(org: OrgId) -> Vec<PersonId> {
    let person = |nth: u128| PersonId::new(Uuid::from_u128(org.uuid().as_u128() * 10 + nth + (1 << 100)));
    if org.uuid().as_u128() == INSTALLATION { Vec::new() } else { vec![person(0), person(1)] }
}

pub(crate) fn step_of(party: OrgId, on_behalf_of: Option<OrgId>, acts: Vec<Act>, at_ms: i64) -> Step {
    let acts = acts.into_iter().map(|act| Proposed { act, payload: None }).collect();
    Step { command: Command { party, on_behalf_of, by: persons_of(party), acts }, at_ms }
}

/// The steps without which a log has not begun.
const OPENING: usize = 2;

/// Drops steps as long as the failure stays, and says what is left: one line of JSON for each act.
pub(crate) fn shrink(steps: &[Step], fails: impl Fn(&History) -> Option<String>) -> String {
    let mut kept = steps.to_vec();
    let mut why = fails(&History::of(&kept)).unwrap_or_else(|| "the failure does not repeat".to_owned());
    let mut stride = kept.len() / 2;
    while stride > 0 {
        let mut at = OPENING;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + stride).min(kept.len()));
            let outcome =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fails(&History::of(&fewer))));
            if let Ok(Some(still)) = outcome {
                kept = fewer;
                why = still;
            } else {
                at += stride;
            }
        }
        stride /= 2;
    }
    let lines = History::of(&kept)
        .entries
        .iter()
        .enumerate()
        .map(|(at, entry)| {
            let act = serde_json::to_string(&entry.act).unwrap();
            format!("{at} @{} {} for {:?}: {act}", entry.at_ms, entry.party, entry.on_behalf_of)
        })
        .collect::<Vec<_>>();
    format!("{why}\n{}", lines.join("\n"))
}
