//! Grants, denials, reservations.

use super::stage::{DAY_MS, START_MS, Stage};
use kyodaku::domain::act::*;
use kyodaku::domain::key::Key;
use kyodaku::domain::scope::{From, MAX_MOMENT_MS, MAX_ONLY, Scope, Until};
use kyodaku::domain::uses::{Use, UseOrFamily};

#[test]
fn a_grant_begins_now_or_later_and_ends_after_it_begins() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let (work, _) = stage.work(&[&aki]);
    let good = stage.grant(work);
    let now = stage.now;
    let at = |from, until| GrantRecorded { from, until, ..good.clone() };
    let cases: Vec<(GrantRecorded, &[(&str, &str)])> = vec![
        (at(From::At(now - 1), Until::Open), &[("bad_term", "/from")]),
        (at(From::OnRecord, Until::At(now)), &[("bad_term", "/until")]),
        (at(From::At(now + 9), Until::At(now + 9)), &[("bad_term", "/until")]),
        (at(From::At(MAX_MOMENT_MS + 1), Until::Open), &[("out_of_bounds", "/from")]),
        (at(From::At(-1), Until::Open), &[("out_of_bounds", "/from"), ("bad_term", "/from")]),
        (
            at(From::At(i64::MAX), Until::At(i64::MAX)),
            &[("out_of_bounds", "/from"), ("out_of_bounds", "/until"), ("bad_term", "/until")],
        ),
    ];
    for (act, expected) in cases {
        stage.no(&aki, act, expected);
    }
    for (from, until) in [
        (From::At(now), Until::At(now + 1)),
        (From::OnRecord, Until::At(now + 1)),
        (From::At(now + 9), Until::At(now + 10)),
    ] {
        let act = GrantRecorded { grant: stage.id(), ..at(from, until) };
        stage.ok(&aki, act);
    }
}

#[test]
fn a_grant_names_registered_developers_and_their_standing_models() {
    let mut stage = Stage::new();
    let (aki, hal, ivy) = (stage.holder(), stage.org(&[Role::AiDeveloper]), stage.org(&[Role::AiDeveloper]));
    let (work, _) = stage.work(&[&aki]);
    let (hals, ivys, retired) = (stage.model(&hal), stage.model(&ivy), stage.model(&hal));
    stage.ok(&hal, ModelRetired { model: retired });
    let good = stage.grant(work);
    let with = |developers, models| GrantRecorded { developers, models, ..good.clone() };
    let only_hal = Scope::Only(vec![hal.party]);
    let act = with(only_hal.clone(), Scope::Only(vec![hals, ivys]));
    stage.no(&aki, act, &[("mismatch", "/models/only/1")]);
    let act = with(Scope::Any, Scope::Only(vec![retired]));
    stage.no(&aki, act.clone(), &[("ended", "/models/only/0")]);
    let unknown = stage.id();
    stage.no(&aki, with(Scope::Only(vec![unknown]), Scope::Any), &[("unknown", "/developers/only/0")]);
    let twice = with(Scope::Only(vec![hal.party, hal.party]), Scope::Any);
    stage.no(&aki, twice, &[("duplicate", "/developers/only")]);
    let many: Vec<_> = (0..=MAX_ONLY).map(|_| work).collect();
    let act = GrantRecorded { as_layer_of: Scope::Only(many), ..good.clone() };
    stage.no(&aki, act, &[("too_many", "/as_layer_of/only"), ("duplicate", "/as_layer_of/only")]);
    let readers = stage.ok(&aki, with(only_hal, Scope::Only(vec![hals])));
    assert!(readers.contains(&hal.party) && !readers.contains(&ivy.party));
    let act = GrantRecorded { grant: stage.id(), ..with(Scope::Any, Scope::Only(vec![hals, ivys])) };
    stage.ok(&aki, act);
    stage.no(&aki, good, &[("id_taken", "/grant")]);
}

#[test]
fn works_of_others_may_limit_an_agents_grant() {
    let mut stage = Stage::new();
    let (aki, beni, agent) = (stage.holder(), stage.holder(), stage.holder());
    let (manga, _) = stage.work(&[&aki]);
    let (anime, _) = stage.work(&[&beni]);
    stage.mandate(&aki, &agent, Scope::Only(vec![manga]), &[Power::Grant]);
    let act = GrantRecorded { as_layer_of: Scope::Only(vec![anime]), ..stage.grant(manga) };
    stage.ok(&agent.for_(&aki), act);
}

#[test]
fn a_registrar_never_grants_and_a_member_association_neither() {
    let mut stage = Stage::new();
    let (aki, kumi, registrar) = (stage.holder(), stage.org(&[Role::Association]), stage.registrar.clone());
    let (work, _) = stage.work(&[&aki]);
    let membership = stage.membership(&aki, &kumi);
    let (grant, denial) = (stage.grant(work), stage.denial(work));
    stage.no(&registrar, grant.clone(), &[("unauthorized", ""), ("unauthorized", "/work")]);
    stage.no(&registrar.for_(&aki), grant.clone(), &[("no_power", "")]);
    stage.no(&registrar.for_(&aki), denial.clone(), &[("no_power", "")]);
    stage.no(&kumi.for_(&aki), grant, &[("no_power", "")]);
    // A denial it may, while the membership stands.
    let readers = stage.ok(&kumi.for_(&aki), denial.clone());
    assert!(readers.contains(&aki.party) && readers.contains(&kumi.party));
    stage.ok(&aki, MembershipEnded { membership });
    let act = DenialRecorded { denial: stage.id(), ..denial.clone() };
    stage.no(&kumi.for_(&aki), act, &[("no_power", "")]);
    stage.no(&kumi.for_(&aki), DenialWithdrawn { denial: denial.denial }, &[("no_power", "")]);
    stage.ok(&aki, DenialWithdrawn { denial: denial.denial });
}

#[test]
fn a_mere_offer_of_membership_gives_no_power() {
    let mut stage = Stage::new();
    let (aki, kumi) = (stage.holder(), stage.org(&[Role::Association]));
    let (work, _) = stage.work(&[&aki]);
    let membership = stage.id();
    stage.ok(&kumi, MembershipOffered { membership, member: aki.party, association: kumi.party });
    let act = stage.denial(work);
    stage.no(&kumi.for_(&aki), act, &[("no_power", "")]);
}

#[test]
fn a_revocation_keeps_to_the_terms_of_the_grant() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let (work, _) = stage.work(&[&aki, &beni]);
    let never = GrantRecorded { revocable: Revocable::Never, ..stage.grant(work) };
    stage.ok(&aki, never.clone());
    let revoke = |grant, from| GrantRevoked { grant, from };
    stage.no(&aki, revoke(never.grant, From::OnRecord), &[("irrevocable", "/grant")]);
    let notice = GrantRecorded { revocable: Revocable::NoticeMs(DAY_MS), ..stage.grant(work) };
    let grant = notice.grant;
    stage.ok(&aki, notice);
    let earliest = stage.now + DAY_MS;
    stage.no(&aki, revoke(grant, From::OnRecord), &[("too_soon", "/from")]);
    stage.no(&aki, revoke(grant, From::At(earliest - 1)), &[("too_soon", "/from")]);
    stage.no(&beni, revoke(grant, From::At(earliest)), &[("unauthorized", "/grant")]);
    stage.ok(&aki, revoke(grant, From::At(earliest + 5)));
    // Again only to make it earlier.
    stage.no(&aki, revoke(grant, From::At(earliest + 5)), &[("already", "/grant")]);
    stage.ok(&aki, revoke(grant, From::At(earliest)));
    let unknown = stage.id();
    stage.no(&aki, revoke(unknown, From::OnRecord), &[("unknown", "/grant")]);
}

#[test]
fn a_notice_of_ten_years_at_the_end_of_time_does_not_wrap() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let (work, _) = stage.work(&[&aki]);
    let most = 315_576_000_000;
    let act = GrantRecorded { revocable: Revocable::NoticeMs(most), ..stage.grant(work) };
    let grant = act.grant;
    let over = GrantRecorded { revocable: Revocable::NoticeMs(most + 1), ..act.clone() };
    stage.no(&aki, over, &[("out_of_bounds", "/revocable/notice_ms")]);
    stage.ok(&aki, act);
    let revoke: Act = GrantRevoked { grant, from: From::OnRecord }.into();
    stage.now = i64::MAX - 1;
    let refusals = stage.would(&aki, &revoke).unwrap_err();
    assert_eq!(refusals[0].code, "too_soon");
}

#[test]
fn only_who_holds_a_share_of_the_time_of_the_grant_revokes_it() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let (work, holdings) = stage.work(&[&aki]);
    let grant = stage.granted(&aki, work);
    let joined = stage.id();
    stage.ok(&aki, HoldingAsserted { work, holding: joined, holder: beni.party });
    let revoke = GrantRevoked { grant, from: From::OnRecord };
    stage.no(&beni, revoke.clone(), &[("unauthorized", "/grant")]);
    // Aki's own share goes to chie, and beni's, which is younger than the grant, to aki.
    for (from, holding, to) in [(&aki, holdings[0], &chie), (&beni, joined, &aki)] {
        let transfer = stage.id();
        stage.ok(from, TransferOffered { transfer, holding, to: to.party });
        stage.ok(to, TransferAccepted { transfer });
    }
    stage.no(&aki, revoke.clone(), &[("unauthorized", "/grant")]);
    stage.ok(&chie, revoke);
}

#[test]
fn a_denial_may_leave_out_what_it_likes_but_states_the_rest_well() {
    let mut stage = Stage::new();
    let (aki, hal) = (stage.holder(), stage.org(&[Role::AiDeveloper]));
    let (work, _) = stage.work(&[&aki]);
    let model = stage.model(&hal);
    stage.ok(&hal, ModelRetired { model });
    let good = stage.denial(work);
    let now = stage.now;
    let bad = DenialRecorded {
        uses: Some(Scope::Only(vec![])),
        developers: Some(Scope::Only(vec![aki.party])),
        until: Some(Until::At(now)),
        ..good.clone()
    };
    stage.no(
        &aki,
        bad,
        &[("empty", "/uses/only"), ("wrong_role", "/developers/only/0"), ("bad_term", "/until")],
    );
    let full = DenialRecorded {
        parts: Some(false),
        uses: Some(Scope::Only(vec![
            UseOrFamily::Leaf(Use::TrainFinetune),
            UseOrFamily::Family(Use::TrainFinetune.family()),
        ])),
        developers: Some(Scope::Only(vec![hal.party])),
        models: Some(Scope::Only(vec![model])),
        territories: Some(Scope::Only(vec!["JP".parse().unwrap()])),
        from: Some(From::At(START_MS - DAY_MS)),
        until: Some(Until::At(now)),
        ..good.clone()
    };
    let readers = stage.ok(&aki, full);
    assert!(readers.contains(&hal.party));
    stage.no(&aki, good, &[("id_taken", "/denial")]);
}

#[test]
fn an_agent_lifts_only_what_it_recorded_itself() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let (agent, other) = (stage.holder(), stage.holder());
    let (work, _) = stage.work(&[&aki, &beni]);
    let mandate = stage.mandate(&aki, &agent, Scope::Any, &[Power::Deny]);
    stage.mandate(&aki, &other, Scope::Any, &[Power::Deny]);
    stage.mandate(&beni, &agent, Scope::Any, &[Power::Deny]);
    let own = stage.denied(&aki, work);
    let agents = stage.denied(&agent.for_(&aki), work);
    let lift = |denial| DenialWithdrawn { denial };
    stage.no(&agent.for_(&aki), lift(own), &[("unauthorized", "/denial")]);
    stage.no(&other.for_(&aki), lift(agents), &[("unauthorized", "/denial")]);
    stage.no(&agent.for_(&beni), lift(agents), &[("unauthorized", "/denial"), ("unauthorized", "/denial")]);
    stage.no(&agent, lift(agents), &[("unauthorized", "/denial")]);
    stage.no(&beni, lift(own), &[("unauthorized", "/denial")]);
    let second = stage.denied(&agent.for_(&aki), work);
    stage.ok(&agent.for_(&aki), lift(agents));
    stage.ok(&aki, MandateEnded { mandate });
    stage.no(&agent.for_(&aki), lift(second), &[("no_power", "")]);
    stage.ok(&aki, lift(second));
}

#[test]
fn a_reservation_is_anybodys_and_only_its_recorder_takes_it_off() {
    let mut stage = Stage::new();
    let (aki, hal, registrar) = (stage.holder(), stage.org(&[Role::AiDeveloper]), stage.registrar.clone());
    let reservation = stage.id();
    let unknown = stage.id();
    let good = ReservationRecorded {
        reservation,
        subject: ReservedSubject::Key(Key::url_prefix("https://a.example").unwrap()),
        form: ReservationForm::Tdmrep,
        signal: Signal::Unclear,
        uses: Scope::Any,
        evidence: None,
    };
    let key = Key::UrlPrefix { value: "https://a.example/".into() };
    let act = ReservationRecorded { subject: ReservedSubject::Key(key), ..good.clone() };
    stage.no(&hal, act, &[("not_normal", "/subject/key")]);
    let act = ReservationRecorded { subject: ReservedSubject::Work(unknown), ..good.clone() };
    stage.no(&hal, act, &[("unknown", "/subject/work")]);
    let act = ReservationRecorded { uses: Scope::Only(vec![Use::Search, Use::Search]), ..good.clone() };
    stage.no(&hal, act, &[("duplicate", "/uses/only")]);
    stage.no(&registrar, good.clone(), &[("unauthorized", "")]);
    stage.ok(&hal, good.clone());
    stage.no(&aki, good, &[("id_taken", "/reservation")]);
    stage.no(&aki, ReservationWithdrawn { reservation }, &[("unauthorized", "/reservation")]);
    stage.ok(&hal, ReservationWithdrawn { reservation });
    stage.no(&hal, ReservationWithdrawn { reservation }, &[("ended", "/reservation")]);
}

#[test]
fn at_most_ten_thousand_grants_of_a_work_are_in_force() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let (work, _) = stage.work(&[&aki]);
    let mut last = None;
    for _ in 0..10 {
        let grants: Vec<_> = (0..1_000).map(|_| stage.grant(work)).collect();
        last = grants.last().map(|act| act.grant);
        stage.all(&aki, grants.into_iter().map(Act::from).collect()).unwrap();
    }
    let act = stage.grant(work);
    stage.no(&aki, act.clone(), &[("too_many", "/work")]);
    // A grant that is revoked makes room.
    stage.ok(&aki, GrantRevoked { grant: last.unwrap(), from: From::OnRecord });
    stage.ok(&aki, act);
}
