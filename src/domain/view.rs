//! Who may see why: that a competitor has a licence is the parties' secret.

use std::collections::BTreeMap;

use super::decision::{Decision, NonEmpty, Outcome, Reason, ReasonCode};

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
pub fn view(decision: &Decision, viewer: Viewer) -> Decision {
    let mut seen = decision.clone();
    if viewer == Viewer::Developer {
        for answer in &mut seen.uses {
            if let Outcome::NotPermitted(reasons) = &answer.outcome
                && let Some(hidden) = NonEmpty::new(hide(reasons))
            {
                answer.outcome = Outcome::NotPermitted(hidden);
            }
        }
    }
    seen
}

fn hide(reasons: &NonEmpty<Reason>) -> Vec<Reason> {
    let mut hidden: BTreeMap<_, Reason> = BTreeMap::new();
    for reason in reasons {
        let mut reason = reason.clone();
        let secret = [Some(reason.code), reason.because].contains(&Some(ReasonCode::DeveloperNotCovered));
        if secret {
            reason.entries.clear();
            reason.code = no_grant(reason.code);
            reason.because = reason.because.map(no_grant);
        }
        let merged =
            hidden.entry((reason.code, reason.because, reason.work)).or_insert_with(|| reason.clone());
        merged.ask.extend(reason.ask);
        merged.ask.sort_unstable();
        merged.ask.dedup();
        merged.entries.extend(reason.entries);
        merged.entries.sort_unstable();
        merged.entries.dedup();
    }
    hidden.into_values().collect()
}

fn no_grant(code: ReasonCode) -> ReasonCode {
    if code == ReasonCode::DeveloperNotCovered { ReasonCode::NoGrant } else { code }
}
