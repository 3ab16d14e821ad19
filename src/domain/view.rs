//! Who may see why: that a competitor has a licence is the parties' secret.

use std::collections::BTreeMap;

use super::decision::{Decision, NonEmpty, Outcome, Reason, ReasonCode};
use super::ids::WorkId;

/// For whom a decision is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// A holder of a matched work, an auditor, the registrar.
    All,
    /// The developer who asked.
    Developer,
}

/// The decision as the viewer may see it. The verdict is always the same.
///
/// A grant that does not cover the developer who asks shows only as `developer_not_covered`, because that is the first
/// miss that is told; for the developer it becomes `no_grant` without entries.
#[must_use]
pub fn view(mut decision: Decision, viewer: Viewer) -> Decision {
    narrow(&mut decision, viewer);
    decision
}

/// As [`view`], where the decision lies.
pub fn narrow(decision: &mut Decision, viewer: Viewer) {
    if viewer == Viewer::Developer {
        for answer in &mut decision.uses {
            if let Outcome::NotPermitted(reasons) = &answer.outcome
                && reasons.iter().any(is_secret)
                && let Some(hidden) = NonEmpty::new(hide(reasons))
            {
                answer.outcome = Outcome::NotPermitted(hidden);
            }
        }
    }
}

/// Whether a reason tells of a grant to somebody else.
fn is_secret(reason: &Reason) -> bool {
    [Some(reason.code), reason.because].contains(&Some(ReasonCode::DeveloperNotCovered))
}

fn hide(reasons: &NonEmpty<Reason>) -> Vec<Reason> {
    let hidden = reasons.iter().map(|reason| {
        let mut reason = reason.clone();
        if is_secret(&reason) {
            reason.entries.clear();
            reason.code = no_grant(reason.code);
            reason.because = reason.because.map(no_grant);
        }
        reason
    });
    merged(hidden)
}

/// One reason for each code, cause and work.
fn merged(reasons: impl Iterator<Item = Reason>) -> Vec<Reason> {
    let mut all: BTreeMap<_, Reason> = BTreeMap::new();
    for reason in reasons {
        let merged = all.entry((reason.code, reason.because, reason.work)).or_insert_with(|| reason.clone());
        merged.ask.extend(reason.ask);
        merged.ask.sort_unstable();
        merged.ask.dedup();
        merged.entries.extend(reason.entries);
        merged.entries.sort_unstable();
        merged.entries.dedup();
    }
    all.into_values().collect()
}

/// The decision as somebody may see it who stands behind some works alone.
#[must_use]
pub fn view_of_works(mut decision: Decision, is_own: impl Fn(WorkId) -> bool) -> Decision {
    for answer in &mut decision.uses {
        if let Outcome::NotPermitted(reasons) = &answer.outcome
            && let Some(seen) = NonEmpty::new(of_works(reasons.iter().cloned().collect(), &is_own))
        {
            answer.outcome = Outcome::NotPermitted(seen);
        }
    }
    decision
}

/// Whether the code tells something of a grant that somebody made.
pub(super) const fn is_of_a_grant(code: ReasonCode) -> bool {
    matches!(
        code,
        ReasonCode::DeveloperNotCovered
            | ReasonCode::UseNotCovered
            | ReasonCode::ModelNotCovered
            | ReasonCode::TerritoryNotCovered
            | ReasonCode::LocationOnly
            | ReasonCode::NotYetEffective
            | ReasonCode::Expired
            | ReasonCode::Revoked
            | ReasonCode::PartlyGranted
    )
}

/// The reasons as somebody may see them who stands behind some works alone: how near another's grants come is the other's
/// secret.
#[must_use]
pub fn of_works(reasons: Vec<Reason>, is_own: impl Fn(WorkId) -> bool) -> Vec<Reason> {
    let hidden = reasons.into_iter().map(|mut reason| {
        let is_secret = [Some(reason.code), reason.because].into_iter().flatten().any(is_of_a_grant);
        if is_secret && !reason.work.is_none_or(&is_own) {
            reason.entries.clear();
            reason.code = of_no_grant(reason.code);
            reason.because = reason.because.map(of_no_grant);
        }
        reason
    });
    merged(hidden)
}

fn of_no_grant(code: ReasonCode) -> ReasonCode {
    if is_of_a_grant(code) { ReasonCode::NoGrant } else { code }
}

fn no_grant(code: ReasonCode) -> ReasonCode {
    if code == ReasonCode::DeveloperNotCovered { ReasonCode::NoGrant } else { code }
}
