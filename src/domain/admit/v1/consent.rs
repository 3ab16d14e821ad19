//! Grants and denials.

use super::check::{Check, Over};
use super::limits;
use super::things::Tie;
use super::works::not_withdrawn;
use crate::domain::act::{
    Act, DenialRecorded, DenialWithdrawn, GrantRecorded, GrantRevoked, Power, Revocable,
};
use crate::domain::admit::code;
use crate::domain::ids::{Id, RequestId};
use crate::domain::index::Ix;
use crate::domain::index::records::{Grant, Org, RecordOf, Work};
use crate::domain::scope::{From, Scope, Until};

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::GrantRecorded(act) => grant(check, act),
        Act::GrantRevoked(act) => revoke(check, act),
        Act::DenialRecorded(act) => deny(check, act),
        Act::DenialWithdrawn(act) => withdraw(check, act),
        _ => {}
    }
}

fn grant(check: &mut Check<'_>, act: &GrantRecorded) {
    if check.is_registrar() {
        // A registrar can hold nothing; this says so where a later version might forget it (R6).
        check.unauthorized("", "a registrar never grants");
    }
    check.fresh("/grant", check.index.grants.find(act.grant).is_some(), act.grant);
    let work = check.work("/work", act.work);
    check.holder_or_agent("/work", work, Tie::Holder, Power::Grant);
    not_withdrawn(check, "/work", work);
    check.mentioned_works("/as_layer_of", &act.as_layer_of);
    check.scope("/uses", &act.uses);
    check.developers("/developers", &act.developers);
    check.models("/models", &act.models, &act.developers, false);
    check.scope("/territories", &act.territories);
    check.term_from_now(act.from, act.until);
    check.revocable(act.revocable);
    check.conditions(&act.conditions);
    if let Some(request) = act.request {
        answers(check, request, work);
    }
    if let Some(work) = work {
        let has_room = check.seen.has_room_for_grant(work, check.at_ms, limits::GRANTS);
        check.has_room("/work", has_room, limits::GRANTS, "grants in force on one work");
    }
}

/// The request that a grant answers asks for its work.
fn answers(check: &mut Check<'_>, id: RequestId, work: Option<Ix<Work>>) {
    let index = check.index;
    let found = index.records.find(Id::new(id.uuid())).map(|ix| index.records.at(ix));
    let request = found.filter(|record| record.of == RecordOf::Request);
    let Some(request) = check.known("/request", request, id) else { return };
    check.read_by(request.by);
    let seen = check.seen;
    let is_asked = |work: Ix<Work>| request.works.iter().any(|asked| seen.canonical(*asked) == work);
    if work.is_some_and(|work| !is_asked(work)) {
        check.refuse(code::MISMATCH, "/request", format!("`{id}` does not ask for this work"));
    }
}

fn revoke(check: &mut Check<'_>, act: &GrantRevoked) {
    let principal = check.principal();
    let index = check.index;
    let Some(ix) = check.known("/grant", index.grants.find(act.grant), act.grant) else { return };
    let grant = &index.grant(ix);
    check.read_by(grant.grantor);
    check.read_by(grant.recorder);
    check.read_by_named(&index.licence(grant).developers);
    check.read_by_holders(check.seen.canonical(grant.work));
    check.agent_has(Power::Revoke, Over::Works(&[grant.work]), false);
    if principal.is_some_and(|principal| !may_revoke(check, grant, principal)) {
        check.unauthorized("/grant", "only who now holds a share under which it was granted may");
    }
    if let From::At(moment_ms) = act.from {
        check.moment("/from", moment_ms);
    }
    let from_ms = act.from.at(check.at_ms);
    match index.licence(grant).revocable {
        Revocable::Never => {
            let detail = format!("`{}` can't be revoked before its end: its terms say so", act.grant);
            check.refuse(code::IRREVOCABLE, "/grant", detail);
        }
        Revocable::NoticeMs(notice_ms) => {
            let earliest_ms = check.at_ms.saturating_add(notice_ms);
            if from_ms < earliest_ms {
                let detail = format!("its terms need a notice: state `{earliest_ms}` or later");
                check.refuse(code::TOO_SOON, "/from", detail);
            }
        }
    }
    if check.seen.revocations(grant).any(|it| it.from_ms <= from_ms) {
        let detail = format!("`{}` is revoked from that moment or an earlier one already", act.grant);
        check.refuse(code::ALREADY, "/grant", detail);
    }
}

/// Whether an organization now holds a holding of the grant's work which the grantor held when granting.
fn may_revoke(check: &Check<'_>, grant: &Grant, principal: Ix<Org>) -> bool {
    let seen = check.seen;
    seen.holdings(seen.canonical(grant.work)).into_iter().any(|holding| {
        seen.holder(holding) == Some(principal)
            && seen.holder_after(holding, grant.recorded) == Some(grant.grantor)
    })
}

fn deny(check: &mut Check<'_>, act: &DenialRecorded) {
    check.fresh("/denial", check.index.denials.find(act.denial).is_some(), act.denial);
    let work = check.work("/work", act.work);
    check.principal();
    if let Some(work) = work {
        check.must_be_tied("/work", work, Tie::Holder);
    }
    check.agent_has(Power::Deny, Over::Works(work.as_slice()), true);
    let developers = act.developers.as_ref().unwrap_or(&Scope::Any);
    if let Some(uses) = &act.uses {
        check.scope("/uses", uses);
    }
    check.developers("/developers", developers);
    if let Some(models) = &act.models {
        check.models("/models", models, developers, true);
    }
    if let Some(territories) = &act.territories {
        check.scope("/territories", territories);
    }
    check.term(act.from.unwrap_or(From::OnRecord), act.until.unwrap_or(Until::Open));
}

fn withdraw(check: &mut Check<'_>, act: &DenialWithdrawn) {
    let principal = check.principal();
    let index = check.index;
    let Some(ix) = check.known("/denial", index.denials.find(act.denial), act.denial) else { return };
    let denial = index.denial(ix);
    check.read_by(denial.principal);
    check.read_by(denial.recorder);
    check.read_by_named(&index.refusal(&denial).developers);
    check.read_by_holders(check.seen.canonical(denial.work));
    if check.is_agent() {
        if check.party() != Some(denial.recorder) || principal != Some(denial.principal) {
            let who =
                "an agent or association takes back only what it recorded itself, for the same principal";
            check.unauthorized("/denial", who);
        }
        check.agent_has(Power::Deny, Over::Works(&[denial.work]), true);
    }
    let Some(principal) = principal else { return };
    let seen = check.seen;
    let mut shares = denial
        .holdings
        .iter()
        .filter(|(holding, _)| seen.holding_stands(*holding) && seen.holder(*holding) == Some(principal))
        .peekable();
    if shares.peek().is_none() {
        check.unauthorized("/denial", "only who now holds a share on which it rests may");
    } else if shares.all(|(_, lifted)| seen.seen(*lifted)) {
        check.ended("/denial", act.denial);
    }
}
