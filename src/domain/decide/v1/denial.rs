//! R9: a standing denial overrides every grant.

use super::closure::Member;
use super::{Asked, Block};
use crate::domain::decision::ReasonCode;
use crate::domain::index::records::{Denial, Work};
use crate::domain::index::{Few, Ix};
use crate::domain::scope::Scope;
use crate::domain::uses::Use;

/// The denials on a member, or on its ancestors with their parts, that speak of this question.
pub(super) fn blocks(asked: &Asked<'_>, leaf: Use, member: &Member) -> Vec<Block> {
    let denials = applying(asked, leaf, member.work, &member.ancestors);
    if denials.is_empty() {
        return Vec::new();
    }
    let ask = denials.iter().map(|denial| asked.seen.org_id(denial.principal)).collect();
    let entries = denials.iter().map(|denial| denial.recorded.get()).collect();
    vec![Block { code: ReasonCode::Denied, ask, entries }]
}

/// The denials that stop this use of a canonical work now.
pub(super) fn applying(asked: &Asked<'_>, leaf: Use, work: Ix<Work>, ancestors: &[Ix<Work>]) -> Few<Denial> {
    let seen = asked.seen;
    let mut applying = Few::new();
    for at in std::iter::once(work).chain(ancestors.iter().copied()) {
        let denials = seen.records_of(at).into_iter().flat_map(|record| seen.index.denials_of(record));
        for denial in denials.map(|ix| seen.index.denial(ix)) {
            if !asked.takes(1) {
                return applying;
            }
            let reaches = at == work || seen.index.refusal(&denial).parts;
            if reaches && seen.denial_stands(&denial) && applies(asked, leaf, &denial) {
                applying.push(denial);
            }
        }
    }
    applying
}

/// Whether a standing denial stops this use now.
pub(super) fn applies(asked: &Asked<'_>, leaf: Use, denial: &Denial) -> bool {
    asked.boundary(denial.term.from_ms);
    asked.boundary(denial.term.until_ms);
    let refusal = asked.seen.index.refusal(denial);
    denial.term.contains(asked.moment_ms)
        && refusal.includes(leaf)
        && means(&refusal.developers, Some(&asked.question.developer))
        && means(&refusal.models, asked.question.model.as_ref())
        && means(&refusal.territories, asked.question.territory.as_ref())
}

/// A question that leaves something unstated may mean what is denied.
fn means<T: Ord>(scope: &Scope<T>, stated: Option<&T>) -> bool {
    stated.is_none() || scope.covers(stated)
}
