//! The steps by which an answer comes about, as data; [`crate::domain::explain`] puts them in words.

use serde::{Serialize, Serializer};

use crate::domain::decision::{NoteCode, ReasonCode};
use crate::domain::ids::{GrantId, HoldingId, OrgId, WorkId};
use crate::domain::uses::Use;
use crate::domain::view::is_of_a_grant;

/// The most steps that are told of one question.
pub const MAX_STEPS: usize = 2_000;

/// One of the rules, as `docs/rules.md` and [`mod@crate::domain::decide`] number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule(pub u8);

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "R{}", self.0)
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is found in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum Found {
    /// The developer is verified and in good standing.
    DeveloperStands,
    /// It is not.
    DeveloperFails,
    /// The model is registered, not retired, and the developer's.
    ModelStands,
    /// It is not.
    ModelFails,
    /// No key of the item is tied to any work.
    NoMatch,
    /// The item is this work.
    Matches {
        /// Whether only by where it lies.
        by_location: bool,
    },
    /// The work is asked about too, as a part.
    Part,
    /// The work is incorporated in what is asked about.
    Layer,
    /// Something stands against the work, whatever the use.
    Stands {
        /// What.
        code: ReasonCode,
    },
    /// A grant of this holder covers the use.
    Covered {
        /// The use.
        r#use: Use,
        /// The holding.
        holding: HoldingId,
        /// The grant.
        grant: GrantId,
    },
    /// No grant of this holder covers the use; this is how the nearest one misses.
    Missed {
        /// The use.
        r#use: Use,
        /// The holding.
        holding: HoldingId,
        /// How.
        code: ReasonCode,
    },
    /// The use is denied.
    Denied {
        /// The use.
        r#use: Use,
    },
    /// A similar work is denied for the use.
    NearDenied {
        /// The use.
        r#use: Use,
    },
    /// A fact that changes nothing.
    Noted {
        /// Which.
        code: NoteCode,
    },
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The rule that is followed.
    pub rule: Rule,
    /// What is found.
    #[serde(flatten)]
    pub found: Found,
    /// In which work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<WorkId>,
    /// Whose grant, denial or holding it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgId>,
    /// The entries that it rests on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<u64>,
}

/// The step as the developer who asks may see it: that a grant is for others is their secret (R8).
#[must_use]
pub fn for_developer(mut step: Step) -> Step {
    if let Found::Missed { code, .. } = &mut step.found
        && *code == ReasonCode::DeveloperNotCovered
    {
        *code = ReasonCode::NoGrant;
        // As where there is no grant at all: the number of the rule would tell the two apart.
        step.rule = Rule(2);
        step.entries.clear();
    }
    step
}

/// The step as somebody may see it who stands behind some works alone: what is permitted of another's is its secret, and
/// which grant it is.
#[must_use]
pub fn of_works(mut step: Step, is_own: impl Fn(WorkId) -> bool) -> Step {
    if step.work.is_none_or(&is_own) {
        return step;
    }
    match &mut step.found {
        Found::Missed { code, .. } if is_of_a_grant(*code) => *code = ReasonCode::NoGrant,
        Found::Missed { .. } => {}
        _ => return step,
    }
    step.rule = Rule(2);
    step.entries.clear();
    step
}
