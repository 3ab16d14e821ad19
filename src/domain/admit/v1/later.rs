//! Offers, requests, notices, declarations, documents, inquiries. None of them changes a verdict.
//!
//! | act | by whom | further |
//! |---|---|---|
//! | `offer.published` | a holder of every work named; agent with `answer` | 1 to 500 works, none withdrawn; terms as for a grant |
//! | `offer.withdrawn` | its principal, or who published it | it stands |
//! | `offer.accepted` | nobody in version 1 | |
//! | `request.made` | an AI developer, for itself | 1 to 500 works; standing models of its own; an answer by a moment after the entry |
//! | `request.withdrawn` | who made it | it stands |
//! | `request.lapsed` | the installation | it stands, and the moment has come |
//! | `request.answered` | a holder of a work that it names; agent with `answer` over those | it stands |
//! | `notice.served` | a holder of every work named; agent with `notice`, or the association of a member | on an AI developer |
//! | `notice.answered` | the developer | it stands |
//! | `notice.closed` | its principal, or who served it | it stands |
//! | `declaration.made`, `declaration.corrected` | an AI developer, for itself | a model of its own, retired or not |
//! | `document.filed` | any verified organization | the entry is in the log |
//! | `inquiry.opened` | registrar, or an auditor for itself | a verified auditor or investigator; the inquiry expires after the entry |
//! | `inquiry.closed` | registrar, or the one that inquires | it stands |

use super::check::{Check, Over};
use super::registry::entry;
use super::things::Tie;
use super::works::not_withdrawn;
use crate::domain::act::{
    Act, DeclarationMade, InquiryClosed, InquiryOpened, NoticeServed, OfferPublished, Power, RequestAnswered,
    RequestLapsed, RequestMade, Role,
};
use crate::domain::admit::code;
use crate::domain::ids::{Id, Kind};
use crate::domain::index::Ix;
use crate::domain::index::records::{NEVER, Record, RecordOf, Work};
use crate::domain::scope::Scope;

pub(super) fn admit(check: &mut Check<'_>, act: &Act) {
    match act {
        Act::OfferPublished(act) => publish(check, act),
        Act::OfferWithdrawn(act) => own(check, "/offer", RecordOf::Offer, act.offer),
        Act::OfferAccepted(_) => {
            let detail =
                "offers can't be accepted under version 1 of the rules: ask, and let the holder grant";
            check.refuse(code::NOT_UNDER_THESE_RULES, "", detail.to_owned());
        }
        Act::RequestMade(act) => request(check, act),
        Act::RequestAnswered(act) => answer(check, act),
        Act::RequestWithdrawn(act) => own(check, "/request", RecordOf::Request, act.request),
        Act::RequestLapsed(act) => lapse(check, act),
        Act::NoticeServed(act) => serve(check, act),
        Act::NoticeAnswered(act) => {
            let party = check.itself();
            let Some(notice) = standing(check, "/notice", RecordOf::Notice, act.notice) else { return };
            if party.is_some_and(|party| !notice.with.contains(&party)) {
                check.unauthorized("/notice", "only the developer that it was served on may");
            }
        }
        Act::NoticeClosed(act) => own(check, "/notice", RecordOf::Notice, act.notice),
        Act::DeclarationMade(act) => declare(check, act),
        Act::DeclarationCorrected(act) => {
            own(check, "/declaration", RecordOf::Declaration, act.declaration);
        }
        Act::DocumentFiled(act) => {
            check.itself();
            fresh(check, "/document", act.document);
            entry(check, act.entry);
        }
        Act::InquiryOpened(act) => inquire(check, act),
        Act::InquiryClosed(act) => close_inquiry(check, act),
        _ => {}
    }
}

/// A record's id is unused by records of every sort.
fn fresh<K: Kind>(check: &mut Check<'_>, pointer: &str, id: Id<K>) {
    check.fresh(pointer, check.index.records.find(Id::new(id.uuid())).is_some(), id);
}

/// A record of this sort that stands; its sides and the holders of its works may read the entry.
fn standing<'a, K: Kind>(
    check: &mut Check<'a>,
    pointer: &str,
    of: RecordOf,
    id: Id<K>,
) -> Option<&'a Record> {
    let index = check.index;
    let found = index.records.find(Id::new(id.uuid())).map(|ix| index.records.at(ix));
    let record = check.known(pointer, found.filter(|record| record.of == of), id)?;
    for org in [record.by, record.principal].iter().chain(&record.with) {
        check.read_by(*org);
    }
    for work in &record.works {
        check.read_by_holders(check.seen.canonical(*work));
    }
    if record.ended != NEVER {
        check.ended(pointer, id);
        return None;
    }
    Some(record)
}

/// Ends or corrects what the party recorded, or what was recorded for it.
fn own<K: Kind>(check: &mut Check<'_>, pointer: &str, of: RecordOf, id: Id<K>) {
    check.principal();
    let Some(record) = standing(check, pointer, of, id) else { return };
    let power = if of == RecordOf::Offer { Power::Answer } else { Power::Notice };
    let by_member = of == RecordOf::Notice;
    if check.is_agent() && !matches!(of, RecordOf::Offer | RecordOf::Notice) {
        check.itself();
    }
    check.agent_has(power, Over::Works(&record.works), by_member);
    let is_own = check.principal() == Some(record.principal)
        && (!check.is_agent() || check.party() == Some(record.by));
    if check.party().is_some() && !is_own {
        check.unauthorized(
            pointer,
            "only the one for whom it was recorded, or who recorded it for that one, may",
        );
    }
}

/// The principal holds every work, or its agent has this power over all of them.
fn holds_all(check: &mut Check<'_>, works: &[(String, Ix<Work>)], power: Power, by_membership: bool) {
    check.principal();
    for (pointer, work) in works {
        check.must_be_tied(pointer, *work, Tie::Holder);
    }
    let works: Vec<_> = works.iter().map(|(_, work)| *work).collect();
    check.agent_has(power, Over::Works(&works), by_membership);
}

fn publish(check: &mut Check<'_>, act: &OfferPublished) {
    fresh(check, "/offer", act.offer);
    let works = check.works(&act.works);
    holds_all(check, &works, Power::Answer, false);
    for (pointer, work) in works {
        not_withdrawn(check, &pointer, Some(work));
    }
    check.scope("/uses", &act.uses);
    check.developers("/developers", &act.developers);
    check.scope("/territories", &act.territories);
    check.term_from_now(act.from, act.until);
    check.revocable(act.revocable);
    check.conditions(&act.conditions);
}

fn request(check: &mut Check<'_>, act: &RequestMade) {
    let developer = check.itself();
    check.principal_is(developer, &[Role::AiDeveloper]);
    fresh(check, "/request", act.request);
    check.works(&act.works);
    check.scope("/uses", &act.uses);
    let own = developer.map_or(Scope::Any, |developer| Scope::Only(vec![check.seen.org_id(developer)]));
    check.models("/models", &act.models, &own, false);
    check.scope("/territories", &act.territories);
    check.term_from_now(act.from, act.until);
    after_entry(check, "/answer_by_ms", act.answer_by_ms);
}

fn after_entry(check: &mut Check<'_>, pointer: &str, moment_ms: i64) {
    check.moment(pointer, moment_ms);
    if moment_ms <= check.at_ms {
        let detail = format!("`{moment_ms}` is not after the entry itself, at `{}`", check.at_ms);
        check.refuse(code::BAD_TERM, pointer, detail);
    }
}

fn answer(check: &mut Check<'_>, act: &RequestAnswered) {
    let principal = check.principal();
    let Some(request) = standing(check, "/request", RecordOf::Request, act.request) else { return };
    let Some(principal) = principal else { return };
    let mut held: Vec<_> = request.works.iter().map(|work| check.seen.canonical(*work)).collect();
    held.retain(|work| check.seen.is_holder(principal, *work));
    if held.is_empty() {
        check.unauthorized("/request", "only a holder of a work that it names may");
    }
    check.agent_has(Power::Answer, Over::Works(&held), false);
}

fn lapse(check: &mut Check<'_>, act: &RequestLapsed) {
    check.installation_only();
    let Some(request) = standing(check, "/request", RecordOf::Request, act.request) else { return };
    if check.at_ms < request.due_ms {
        let detail = format!("`{}` waits for an answer until `{}`", act.request, request.due_ms);
        check.refuse(code::TOO_SOON, "/request", detail);
    }
}

fn serve(check: &mut Check<'_>, act: &NoticeServed) {
    fresh(check, "/notice", act.notice);
    if let Some(developer) = check.org_with("/to", act.to, &[Role::AiDeveloper]) {
        check.read_by(developer);
    }
    let works = check.works(&act.works);
    holds_all(check, &works, Power::Notice, true);
    check.scope("/uses", &act.uses);
}

fn declare(check: &mut Check<'_>, act: &DeclarationMade) {
    let developer = check.itself();
    check.principal_is(developer, &[Role::AiDeveloper]);
    fresh(check, "/declaration", act.declaration);
    if let Some(ix) = check.known("/model", check.index.models.find(act.model), act.model)
        && developer.is_some_and(|developer| developer != check.index.models.at(ix).developer)
    {
        check.unauthorized("/model", "only the developer whose model it is may");
    }
    check.scope("/uses", &act.uses);
}

fn inquire(check: &mut Check<'_>, act: &InquiryOpened) {
    let auditor = check.org_with("/auditor", act.auditor, &[Role::Auditor, Role::Investigator]);
    if !check.is_registrar() {
        let party = check.itself();
        // Whoever reads everything may state what it looks into; it lays nothing open to others.
        check.principal_is(party, &[Role::Auditor]);
        if party.is_some() && auditor.is_some() && party != auditor {
            check.unauthorized(
                "/auditor",
                "an auditor opens inquiries for itself: only a registrar for others",
            );
        }
    }
    fresh(check, "/inquiry", act.inquiry);
    if let Some(auditor) = auditor {
        check.good("/auditor", auditor);
        check.read_by(auditor);
    }
    check.mentioned_works("/works", &act.works);
    check.scope("/parties", &act.parties);
    if let Scope::Only(parties) = &act.parties {
        for (place, party) in parties.iter().enumerate() {
            check.org(&format!("/parties/only/{place}"), *party);
        }
    }
    check.term(act.from, act.until);
    after_entry(check, "/expires_ms", act.expires_ms);
}

fn close_inquiry(check: &mut Check<'_>, act: &InquiryClosed) {
    let party = if check.is_registrar() { None } else { check.itself() };
    let Some(inquiry) = standing(check, "/inquiry", RecordOf::Inquiry, act.inquiry) else { return };
    if party.is_some_and(|party| !inquiry.with.contains(&party)) {
        check.unauthorized("/inquiry", "only a registrar or the organization that inquires may");
    }
}
