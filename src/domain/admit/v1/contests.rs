//! Claims by outsiders, and disputes.

use super::check::{Check, HOLDERS};
use crate::domain::act::{Act, ClaimMade, ClaimWithdrawn, DisputeOpened, DisputeSettled};
use crate::domain::admit::code;
use crate::domain::index::records::NEVER;

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::ClaimMade(act) => claim(check, act),
        Act::ClaimWithdrawn(act) => withdraw(check, act),
        Act::DisputeOpened(act) => open(check, act),
        Act::DisputeSettled(act) => settle(check, act),
        _ => {}
    }
}

fn claim(check: &mut Check<'_>, act: &ClaimMade) {
    let claimant = check.itself();
    check.principal_is(claimant, HOLDERS);
    check.fresh("/claim", check.index.claims.find(act.claim).is_some(), act.claim);
    if let (Some(work), Some(claimant)) = (check.work("/work", act.work), claimant)
        && check.seen.is_holder(claimant, work)
    {
        let id = check.seen.org_id(claimant);
        check.unauthorized("/work", format_args!("`{id}` holds it, and an outsider claims"));
    }
}

fn withdraw(check: &mut Check<'_>, act: &ClaimWithdrawn) {
    let party = check.itself();
    let index = check.index;
    let Some(ix) = check.known("/claim", index.claims.find(act.claim), act.claim) else { return };
    let claim = index.claims.at(ix);
    check.read_by_holders(check.seen.canonical(claim.work));
    if party.is_some_and(|party| party != claim.claimant) {
        check.unauthorized("/claim", "only the claimant may");
    }
    if !check.seen.claim_stands(ix) {
        check.ended("/claim", act.claim);
    }
}

fn open(check: &mut Check<'_>, act: &DisputeOpened) {
    check.registrar_only();
    check.fresh("/dispute", check.index.disputes.find(act.dispute).is_some(), act.dispute);
    let work = check.work("/work", act.work);
    let Some(id) = act.claim else { return };
    let index = check.index;
    let Some(ix) = check.known("/claim", index.claims.find(id), id) else { return };
    let claim = index.claims.at(ix);
    check.read_by(claim.claimant);
    if work.is_some_and(|work| check.seen.canonical(claim.work) != work) {
        let detail = format!("`{id}` is not a claim to `{}`", act.work);
        check.refuse(code::MISMATCH, "/claim", detail);
    }
    if !check.seen.claim_stands(ix) {
        check.ended("/claim", id);
    }
}

fn settle(check: &mut Check<'_>, act: &DisputeSettled) {
    check.registrar_only();
    check.two_persons();
    let index = check.index;
    let Some(ix) = check.known("/dispute", index.disputes.find(act.dispute), act.dispute) else { return };
    let dispute = index.disputes.at(ix);
    check.read_by_holders(check.seen.canonical(dispute.work));
    if dispute.settled != NEVER {
        check.ended("/dispute", act.dispute);
    }
}
