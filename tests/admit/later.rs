//! Requests, offers, notices, declarations, documents, inquiries.

use super::stage::{DAY_MS, Stage, digest};
use kyodaku::domain::act::*;
use kyodaku::domain::ids::{Id, WorkId};
use kyodaku::domain::scope::{From, Scope, Until};

fn request(stage: &mut Stage, works: &[WorkId]) -> RequestMade {
    RequestMade {
        request: stage.id(),
        works: works.to_vec(),
        uses: Scope::Any,
        models: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until: Until::Open,
        answer_by_ms: stage.now + DAY_MS,
    }
}

fn offer(stage: &mut Stage, works: &[WorkId]) -> OfferPublished {
    OfferPublished {
        offer: stage.id(),
        works: works.to_vec(),
        uses: Scope::Any,
        developers: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until: Until::Open,
        revocable: Revocable::Never,
        conditions: Vec::new(),
        terms: None,
    }
}

#[test]
fn a_request_names_works_own_models_and_a_moment_to_come() {
    let mut stage = Stage::new();
    let (aki, hal, ivy) = (stage.holder(), stage.org(&[Role::AiDeveloper]), stage.org(&[Role::AiDeveloper]));
    let (work, _) = stage.work(&[&aki]);
    let (unknown, foreign) = (stage.id(), stage.model(&ivy));
    let now = stage.now;
    let good = request(&mut stage, &[work]);
    let bad = RequestMade {
        works: vec![work, unknown, work],
        models: Scope::Only(vec![foreign]),
        from: From::At(now - 1),
        answer_by_ms: now,
        ..good.clone()
    };
    stage.no(
        &hal,
        bad,
        &[
            ("duplicate", "/works/2"),
            ("unknown", "/works/1"),
            ("mismatch", "/models/only/0"),
            ("bad_term", "/from"),
            ("bad_term", "/answer_by_ms"),
        ],
    );
    stage.no(&hal, RequestMade { works: vec![], ..good.clone() }, &[("empty", "/works")]);
    stage.no(&hal, RequestMade { works: vec![work; 501], ..good.clone() }, &[("too_many", "/works")]);
    stage.no(&aki, good.clone(), &[("unauthorized", "")]);
    let readers = stage.ok(&hal, good.clone());
    assert!(readers.contains(&aki.party));
    stage.no(&hal, good, &[("id_taken", "/request")]);
}

#[test]
fn a_request_is_answered_by_holders_withdrawn_by_its_maker_and_lapses_in_time() {
    let mut stage = Stage::new();
    let (aki, beni, hal) = (stage.holder(), stage.holder(), stage.org(&[Role::AiDeveloper]));
    let installation = stage.installation.clone();
    let agent = stage.holder();
    let (work, _) = stage.work(&[&aki]);
    let (other, _) = stage.work(&[&beni]);
    stage.mandate(&aki, &agent, Scope::Only(vec![work]), &[Power::Answer]);
    let act = request(&mut stage, &[work, other]);
    let (id, due_ms) = (act.request, act.answer_by_ms);
    stage.ok(&hal, act);
    let answer = RequestAnswered { request: id, answer: Answer::Granted };
    // An agent answers for the works of its principal, and needs no power over those of others.
    let readers = stage.ok(&agent.for_(&aki), answer.clone());
    assert!(readers.contains(&hal.party) && readers.contains(&beni.party));
    stage.ok(&beni, answer.clone());
    stage.no(&hal, answer.clone(), &[("unauthorized", "/request")]);
    stage.no(&aki, RequestWithdrawn { request: id }, &[("unauthorized", "/request")]);
    stage.now = due_ms - 1;
    stage.no(&installation, RequestLapsed { request: id }, &[("too_soon", "/request")]);
    stage.now = due_ms;
    stage.ok(&installation, RequestLapsed { request: id });
    stage.no(&beni, answer, &[("ended", "/request")]);
    stage.no(&hal, RequestWithdrawn { request: id }, &[("ended", "/request")]);

    let act = request(&mut stage, &[work]);
    stage.ok(&hal, act.clone());
    stage.ok(&hal, RequestWithdrawn { request: act.request });
    stage.now = act.answer_by_ms;
    stage.no(&installation, RequestLapsed { request: act.request }, &[("ended", "/request")]);
}

#[test]
fn a_grant_answers_a_request_for_its_work() {
    let mut stage = Stage::new();
    let (aki, hal) = (stage.holder(), stage.org(&[Role::AiDeveloper]));
    let (work, _) = stage.work(&[&aki]);
    let (other, _) = stage.work(&[&aki]);
    let asked = request(&mut stage, &[work]);
    stage.ok(&hal, asked.clone());
    let wrong = GrantRecorded { request: Some(asked.request), ..stage.grant(other) };
    stage.no(&aki, wrong, &[("mismatch", "/request")]);
    let offered = offer(&mut stage, &[work]);
    stage.ok(&aki, offered.clone());
    let no_request = GrantRecorded { request: Some(Id::new(offered.offer.uuid())), ..stage.grant(work) };
    stage.no(&aki, no_request, &[("unknown", "/request")]);
    let right = GrantRecorded { request: Some(asked.request), ..stage.grant(work) };
    let readers = stage.ok(&aki, right);
    assert!(readers.contains(&hal.party));
}

#[test]
fn records_of_one_sort_are_not_taken_for_another() {
    let mut stage = Stage::new();
    let (aki, hal) = (stage.holder(), stage.org(&[Role::AiDeveloper]));
    let (work, _) = stage.work(&[&aki]);
    let asked = request(&mut stage, &[work]);
    stage.ok(&hal, asked.clone());
    let uuid = asked.request.uuid();
    let clash = OfferPublished { offer: Id::new(uuid), ..offer(&mut stage, &[work]) };
    stage.no(&aki, clash, &[("id_taken", "/offer")]);
    stage.no(&hal, OfferWithdrawn { offer: Id::new(uuid) }, &[("unknown", "/offer")]);
    stage.no(&hal, NoticeClosed { notice: Id::new(uuid) }, &[("unknown", "/notice")]);
}

#[test]
fn an_offer_is_of_works_held_and_cannot_be_accepted() {
    let mut stage = Stage::new();
    let (aki, beni, hal) = (stage.holder(), stage.holder(), stage.org(&[Role::AiDeveloper]));
    let (work, _) = stage.work(&[&aki]);
    let (foreign, _) = stage.work(&[&beni]);
    let (withdrawn, _) = stage.work(&[&aki]);
    stage.ok(&aki, WorkWithdrawn { work: withdrawn });
    let act = offer(&mut stage, &[work, foreign, withdrawn]);
    stage.no(&aki, act, &[("unauthorized", "/works/1"), ("withdrawn", "/works/2")]);
    let act = offer(&mut stage, &[work]);
    let offer = act.offer;
    stage.ok(&aki, act);
    let accept = OfferAccepted { offer, models: Scope::Any };
    stage.no(&hal, accept, &[("not_under_these_rules", "")]);
    stage.no(&beni, OfferWithdrawn { offer }, &[("unauthorized", "/offer")]);
    stage.ok(&aki, OfferWithdrawn { offer });
    stage.no(&aki, OfferWithdrawn { offer }, &[("ended", "/offer")]);
}

#[test]
fn what_an_agent_published_its_principal_takes_back() {
    let mut stage = Stage::new();
    let (aki, agent) = (stage.holder(), stage.holder());
    let (work, _) = stage.work(&[&aki]);
    let mandate = stage.mandate(&aki, &agent, Scope::Any, &[Power::Answer]);
    for by_principal in [true, false] {
        let act = offer(&mut stage, &[work]);
        let offer = act.offer;
        stage.ok(&agent.for_(&aki), act);
        stage.no(&agent, OfferWithdrawn { offer }, &[("unauthorized", "/offer")]);
        let who = if by_principal { aki.clone() } else { agent.for_(&aki) };
        stage.ok(&who, OfferWithdrawn { offer });
    }
    let act = offer(&mut stage, &[work]);
    let offer = act.offer;
    stage.ok(&agent.for_(&aki), act);
    stage.ok(&aki, MandateEnded { mandate });
    stage.no(&agent.for_(&aki), OfferWithdrawn { offer }, &[("no_power", "")]);
}

#[test]
fn a_notice_is_served_on_a_developer_about_works_held() {
    let mut stage = Stage::new();
    let (aki, beni, hal) = (stage.holder(), stage.holder(), stage.org(&[Role::AiDeveloper]));
    let kumi = stage.org(&[Role::Association]);
    let membership = stage.membership(&aki, &kumi);
    let (work, _) = stage.work(&[&aki]);
    let notice = stage.id();
    let act = NoticeServed { notice, to: hal.party, works: vec![work], uses: Scope::Any };
    stage.no(&beni, act.clone(), &[("unauthorized", "/works/0")]);
    stage.no(&kumi, act.clone(), &[("unauthorized", "/works/0")]);
    stage.no(&aki, NoticeServed { to: beni.party, ..act.clone() }, &[("wrong_role", "/to")]);
    let readers = stage.ok(&kumi.for_(&aki), act);
    assert!(readers.contains(&hal.party) && readers.contains(&aki.party));
    stage.no(&aki, NoticeAnswered { notice }, &[("unauthorized", "/notice")]);
    stage.ok(&hal, NoticeAnswered { notice });
    stage.no(&hal, NoticeClosed { notice }, &[("unauthorized", "/notice")]);
    stage.no(&kumi, NoticeClosed { notice }, &[("unauthorized", "/notice")]);
    assert!(stage.would(&kumi.for_(&aki), &NoticeClosed { notice }.into()).is_ok());
    stage.ok(&aki, MembershipEnded { membership });
    stage.no(&kumi.for_(&aki), NoticeClosed { notice }, &[("no_power", "")]);
    stage.ok(&aki, NoticeClosed { notice });
    stage.no(&hal, NoticeAnswered { notice }, &[("ended", "/notice")]);
}

#[test]
fn a_developer_declares_and_corrects_for_its_own_model() {
    let mut stage = Stage::new();
    let (hal, ivy) = (stage.org(&[Role::AiDeveloper]), stage.org(&[Role::AiDeveloper]));
    let (model, declaration) = (stage.model(&hal), stage.id());
    let manifest = digest();
    let act = DeclarationMade { declaration, model, uses: Scope::Any, manifest, items: 3 };
    stage.no(&ivy, act.clone(), &[("unauthorized", "/model")]);
    stage.ok(&hal, ModelRetired { model });
    // What a retired model used is still to be declared.
    stage.ok(&hal, act);
    let correct = DeclarationCorrected { declaration, manifest, items: 4 };
    stage.no(&ivy, correct.clone(), &[("unauthorized", "/declaration")]);
    stage.ok(&hal, correct);
}

#[test]
fn documents_belong_to_entries_that_are_there() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let (document, size) = (stage.id(), stage.index.size());
    let act = DocumentFiled { document, digest: digest(), entry: size };
    stage.no(&aki, act.clone(), &[("unknown", "/entry")]);
    stage.ok(&aki, DocumentFiled { entry: size - 1, ..act.clone() });
    stage.no(&aki, DocumentFiled { entry: 0, ..act }, &[("id_taken", "/document")]);
}

#[test]
fn an_inquiry_is_by_an_auditor_into_what_exists_and_expires() {
    let mut stage = Stage::new();
    let (aki, audit, other) = (stage.holder(), stage.org(&[Role::Auditor]), stage.org(&[Role::Auditor]));
    let raw = stage.newcomer(&[Role::Auditor]);
    let examiner = stage.org(&[Role::Investigator]);
    let registrar = stage.alone.clone();
    let (unknown, party) = (stage.id(), stage.id());
    let now = stage.now;
    let inquiry = stage.id();
    let good = InquiryOpened {
        inquiry,
        auditor: audit.party,
        works: Scope::Any,
        parties: Scope::Only(vec![aki.party]),
        from: From::At(0),
        until: Until::At(now),
        expires_ms: now + 1,
    };
    let bad = InquiryOpened {
        auditor: aki.party,
        works: Scope::Only(vec![unknown]),
        parties: Scope::Only(vec![party]),
        until: Until::At(0),
        expires_ms: now,
        ..good.clone()
    };
    stage.no(
        &registrar,
        bad,
        &[
            ("wrong_role", "/auditor"),
            ("unknown", "/works/only/0"),
            ("unknown", "/parties/only/0"),
            ("bad_term", "/until"),
            ("bad_term", "/expires_ms"),
        ],
    );
    let act = InquiryOpened { auditor: raw.party, ..good.clone() };
    stage.no(&registrar, act, &[("not_verified", "/auditor")]);
    let readers = stage.ok(&registrar, good.clone());
    assert!(readers.contains(&audit.party));
    assert!(!readers.contains(&aki.party), "who is inquired into is not told");
    // An auditor may for itself, and lets nobody else in; one who investigates may not at all.
    let own = InquiryOpened { inquiry: stage.id(), auditor: other.party, ..good.clone() };
    let for_other = InquiryOpened { inquiry: stage.id(), auditor: examiner.party, ..good.clone() };
    stage.no(&other, for_other.clone(), &[("unauthorized", "/auditor")]);
    let investigates = InquiryOpened { auditor: examiner.party, ..own.clone() };
    stage.no(&examiner, investigates, &[("unauthorized", "")]);
    stage.ok(&other, own);
    assert!(stage.ok(&registrar, for_other).contains(&examiner.party));
    stage.no(&other, InquiryClosed { inquiry }, &[("unauthorized", "/inquiry")]);
    stage.ok(&audit, InquiryClosed { inquiry });
    stage.no(&registrar, InquiryClosed { inquiry }, &[("ended", "/inquiry")]);
}
