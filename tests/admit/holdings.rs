//! Holdings: asserted, confirmed, rejected, relinquished, transferred, declared complete.

use super::stage::{Stage, confirmation, digest};
use kyodaku::domain::act::*;
use kyodaku::domain::ids::{BindingId, HoldingId};
use kyodaku::domain::key::Key;
use kyodaku::domain::scope::{From, Scope};

fn rejection(holdings: &[HoldingId], bindings: &[BindingId]) -> AssertionsRejected {
    AssertionsRejected { holdings: holdings.to_vec(), bindings: bindings.to_vec(), evidence: digest() }
}

#[test]
fn an_outsider_asserts_only_itself_and_only_while_nothing_is_confirmed() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let hal = stage.org(&[Role::AiDeveloper]);
    let (work, holdings) = stage.asserted(&[&aki]);
    let act = HoldingAsserted { work, holding: stage.id(), holder: beni.party };
    stage.no(&chie, act.clone(), &[("unauthorized", "/holder")]);
    stage.no(
        &hal,
        HoldingAsserted { holder: hal.party, ..act.clone() },
        &[("wrong_role", "/holder"), ("unauthorized", "")],
    );
    let readers = stage.ok(&beni, act.clone());
    assert!(readers.contains(&aki.party));
    // It holds it now, unconfirmed, and names nobody else: that is for who speaks for the work.
    let other = HoldingAsserted { holding: stage.id(), holder: chie.party, ..act.clone() };
    stage.no(&beni, other.clone(), &[("unauthorized", "/holder")]);
    assert!(stage.would(&aki, &other.clone().into()).is_ok());
    let again = HoldingAsserted { holding: stage.id(), ..act.clone() };
    stage.no(&beni, again, &[("already", "/holder")]);
    stage.confirm(&holdings, &[]);
    stage.no(&chie, other.clone(), &[("unauthorized", "/work")]);
    stage.no(
        &chie,
        HoldingAsserted { holder: hal.party, ..other.clone() },
        &[("wrong_role", "/holder"), ("unauthorized", "/holder"), ("unauthorized", "/work")],
    );
    let registrar = stage.alone.clone();
    stage.ok(&registrar, other);
    // Through a work that was merged into it, too.
    let outsider = stage.holder();
    let (into, _) = stage.asserted(&[&outsider]);
    stage.merge(work, into);
    let (work, outsider) = (into, stage.holder());
    let act = HoldingAsserted { work, holding: stage.id(), holder: outsider.party };
    stage.no(&outsider, act, &[("unauthorized", "/work")]);
}

#[test]
fn a_former_holder_has_no_say() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let registrar = stage.registrar.clone();
    // Given up, rejected, handed over.
    let (work, holdings) = stage.work(&[&aki, &beni]);
    stage.ok(&aki, HoldingRelinquished { holding: holdings[0] });
    let grant = stage.grant(work);
    stage.no(&aki, grant.clone(), &[("unauthorized", "/work")]);
    stage.no(&aki, HoldingRelinquished { holding: holdings[0] }, &[("ended", "/holding")]);
    stage.ok(&registrar, rejection(&holdings[1..], &[]));
    stage.no(&beni, grant, &[("unauthorized", "/work")]);
    stage.no(&beni, HoldingRelinquished { holding: holdings[1] }, &[("ended", "/holding")]);

    let (work, holdings) = stage.work(&[&aki]);
    let transfer = stage.id();
    stage.ok(&aki, TransferOffered { transfer, holding: holdings[0], to: chie.party });
    stage.ok(&chie, TransferAccepted { transfer });
    let (denial, link) = (stage.denial(work), stage.layer(work, work));
    stage.no(&aki, denial.clone(), &[("unauthorized", "/work")]);
    stage.no(&aki, link, &[("unauthorized", "/work"), ("itself", "/layer")]);
    stage.no(&aki, HoldingRelinquished { holding: holdings[0] }, &[("unauthorized", "/holding")]);
    stage.ok(&chie, denial);
}

#[test]
fn confirming_needs_standing_assertions_of_verified_holders_once() {
    let mut stage = Stage::new();
    let (aki, registrar) = (stage.holder(), stage.registrar.clone());
    let raw = stage.newcomer(&[Role::RightsHolder]);
    let suspended = stage.holder();
    let (_, holdings) = stage.asserted(&[&aki, &raw, &suspended]);
    let alone = stage.alone.clone();
    stage.ok(&alone, OrgSuspended { org: suspended.party, evidence: None });
    stage.no(&registrar, confirmation(&[], &[]), &[("empty", "")]);
    stage.no(
        &registrar,
        confirmation(&holdings, &[]),
        &[("not_verified", "/holdings/1"), ("suspended", "/holdings/2")],
    );
    // That a second person is missing is told only when nothing else is.
    stage.no(&alone, confirmation(&holdings[1..2], &[]), &[("not_verified", "/holdings/0")]);
    stage.no(&alone, confirmation(&holdings[..1], &[]), &[("second_person_required", "")]);
    let readers = stage.ok(&registrar, confirmation(&holdings[..1], &[]));
    assert!(readers.contains(&aki.party) && readers.contains(&raw.party));
    stage.no(&registrar, confirmation(&holdings[..1], &[]), &[("already", "/holdings/0")]);
    stage.ok(&registrar, rejection(&holdings[..1], &[]));
    stage.no(&registrar, rejection(&holdings[..1], &[]), &[("ended", "/holdings/0")]);
    stage.no(&registrar, confirmation(&holdings[..1], &[]), &[("ended", "/holdings/0")]);
    let many: Vec<HoldingId> = (0..1_001).map(|_| stage.id()).collect();
    stage.no(&registrar, confirmation(&many, &[]), &[("too_many", "")]);
    stage.no(&registrar, rejection(&many, &[]), &[("too_many", "")]);
}

#[test]
fn bindings_are_confirmed_rejected_and_removed_once() {
    let mut stage = Stage::new();
    let (aki, registrar) = (stage.holder(), stage.registrar.clone());
    let mut act = stage.registration(&[&aki]);
    act.bindings = (0..3).map(|n| stage.key(&format!("https://a.example/{n}"))).collect();
    let bindings: Vec<_> = act.bindings.iter().map(|b| b.binding).collect();
    stage.ok(&aki, act);
    stage.no(&registrar, confirmation(&[], &[bindings[0], bindings[0]]), &[("duplicate", "/bindings/1")]);
    stage.ok(&registrar, confirmation(&[], &bindings[..1]));
    stage.ok(&registrar, rejection(&[], &bindings[1..2]));
    stage.ok(&aki, BindingRemoved { binding: bindings[2] });
    stage.no(
        &registrar,
        confirmation(&[], &bindings),
        &[("already", "/bindings/0"), ("ended", "/bindings/1"), ("ended", "/bindings/2")],
    );
    stage.no(&registrar, rejection(&[], &bindings), &[("ended", "/bindings/1"), ("ended", "/bindings/2")]);
}

#[test]
fn control_of_a_host_confirms_only_addresses_on_it_of_works_held() {
    let mut stage = Stage::new();
    let (aki, beni, installation) = (stage.holder(), stage.holder(), stage.installation.clone());
    let mut act = stage.registration(&[&aki]);
    let id = Key::identifier("isan", "0000-0001").unwrap();
    act.bindings = vec![
        stage.key("https://a.example/1"),
        Binding { binding: stage.id(), key: Key::url_prefix("https://a.example:8443/x").unwrap() },
        stage.key("https://www.a.example/1"),
        Binding { binding: stage.id(), key: id },
    ];
    let bindings: Vec<_> = act.bindings.iter().map(|b| b.binding).collect();
    stage.ok(&aki, act);
    let mut act = stage.registration(&[&beni]);
    act.bindings = vec![stage.key("https://a.example/2")];
    let foreign = act.bindings[0].binding;
    stage.ok(&beni, act);
    let prove = |bindings: &[BindingId]| ControlProved {
        org: aki.party,
        host: "a.example".into(),
        method: ControlMethod::WellKnown,
        bindings: bindings.to_vec(),
        evidence: digest(),
    };
    stage.no(&installation, prove(&[]), &[("empty", "/bindings")]);
    stage.no(
        &installation,
        prove(&[bindings[0], bindings[2], bindings[3], foreign]),
        &[("mismatch", "/bindings/1"), ("mismatch", "/bindings/2"), ("unauthorized", "/bindings/3")],
    );
    let other = ControlProved { host: "A.EXAMPLE".into(), ..prove(&bindings[..1]) };
    stage.no(&installation, other, &[("mismatch", "/bindings/0")]);
    let readers = stage.ok(&installation, prove(&bindings[..2]));
    assert!(readers.contains(&aki.party));
    stage.no(&installation, prove(&bindings[..1]), &[("already", "/bindings/0")]);
    let alone = stage.alone.clone();
    stage.ok(&alone, OrgSuspended { org: beni.party, evidence: None });
    let act = ControlProved { org: beni.party, ..prove(&[foreign]) };
    stage.no(&installation, act, &[("suspended", "/org")]);
}

#[test]
fn a_holding_changes_hands_only_between_the_two_sides() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let (hal, raw) = (stage.org(&[Role::AiDeveloper]), stage.newcomer(&[Role::RightsHolder]));
    let (_, holdings) = stage.work(&[&aki, &beni]);
    let transfer = stage.id();
    let offer = TransferOffered { transfer, holding: holdings[0], to: chie.party };
    let accept = TransferAccepted { transfer };
    stage.no(&beni, offer.clone(), &[("unauthorized", "/holding")]);
    stage.no(&aki, TransferOffered { to: aki.party, ..offer.clone() }, &[("itself", "/to")]);
    stage.no(&aki, TransferOffered { to: hal.party, ..offer.clone() }, &[("wrong_role", "/to")]);
    stage.no(&aki, TransferOffered { to: raw.party, ..offer.clone() }, &[("not_verified", "/to")]);
    stage.no(&chie, accept.clone(), &[("unknown", "/transfer")]);
    let readers = stage.ok(&aki, offer.clone());
    assert!(readers.contains(&chie.party) && readers.contains(&beni.party));
    stage.no(&aki, offer.clone(), &[("id_taken", "/transfer")]);
    stage.no(&aki, accept.clone(), &[("unauthorized", "/transfer")]);
    stage.ok(&aki, TransferWithdrawn { transfer });
    stage.no(&chie, accept.clone(), &[("ended", "/transfer")]);
    stage.no(&aki, TransferWithdrawn { transfer }, &[("ended", "/transfer")]);
    // Who gave it up can't hand it over any more.
    let transfer = stage.id();
    stage.ok(&aki, TransferOffered { transfer, ..offer });
    stage.ok(&aki, HoldingRelinquished { holding: holdings[0] });
    stage.no(&chie, TransferAccepted { transfer }, &[("ended", "/transfer")]);
}

#[test]
fn an_offer_to_hand_over_ends_with_the_holding_of_the_one_who_made_it() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let (_, holdings) = stage.work(&[&aki]);
    let offer = |stage: &mut Stage, from: &super::stage::Actor, to: &super::stage::Actor| {
        let transfer = stage.id();
        stage.ok(from, TransferOffered { transfer, holding: holdings[0], to: to.party });
        transfer
    };
    let to_beni = offer(&mut stage, &aki, &beni);
    let to_chie = offer(&mut stage, &aki, &chie);
    stage.ok(&beni, TransferAccepted { transfer: to_beni });
    stage.no(&chie, TransferAccepted { transfer: to_chie }, &[("ended", "/transfer")]);
    let back = offer(&mut stage, &beni, &aki);
    stage.ok(&aki, TransferAccepted { transfer: back });
    // The old offer does not come back to life.
    stage.no(&chie, TransferAccepted { transfer: to_chie }, &[("ended", "/transfer")]);
    stage.ok(&aki, TransferWithdrawn { transfer: to_chie });
}

#[test]
fn a_new_holder_revokes_and_lifts_what_rests_on_its_share() {
    let mut stage = Stage::new();
    let (aki, chie) = (stage.holder(), stage.holder());
    let (work, holdings) = stage.work(&[&aki]);
    let (grant, denial) = (stage.granted(&aki, work), stage.denied(&aki, work));
    let transfer = stage.id();
    stage.ok(&aki, TransferOffered { transfer, holding: holdings[0], to: chie.party });
    stage.ok(&chie, TransferAccepted { transfer });
    let revoke = GrantRevoked { grant, from: From::OnRecord };
    stage.no(&aki, revoke.clone(), &[("unauthorized", "/grant")]);
    stage.no(&aki, DenialWithdrawn { denial }, &[("unauthorized", "/denial")]);
    stage.ok(&chie, revoke);
    stage.ok(&chie, DenialWithdrawn { denial });
    stage.no(&chie, DenialWithdrawn { denial }, &[("ended", "/denial")]);
}

#[test]
fn the_roster_of_a_part_is_its_parents_exactly() {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let (parent, _) = stage.work(&[&aki, &beni]);
    let (part, _) = stage.work(&[&aki]);
    let holding = stage.id();
    let act = |holders: &[Holding]| RosterSameAsParent { work: part, parent, holders: holders.to_vec() };
    let lacking = Holding { holding, holder: beni.party };
    stage.no(&aki, act(std::slice::from_ref(&lacking)), &[("mismatch", "/parent")]);
    stage.link(&aki, part, parent);
    stage.no(&aki, act(&[]), &[("not_exact", "/holders")]);
    let mut list = vec![lacking.clone()];
    for actor in [&aki, &chie] {
        list.push(Holding { holding: stage.id(), holder: actor.party });
    }
    stage.no(&aki, act(&list), &[("not_exact", "/holders/1/holder"), ("not_exact", "/holders/2/holder")]);
    let twice = [lacking.clone(), lacking.clone()];
    stage.no(&aki, act(&twice), &[("duplicate", "/holders/1/holding"), ("duplicate", "/holders/1/holder")]);
    let turned = RosterSameAsParent { work: parent, parent: part, holders: vec![] };
    stage.no(&aki, turned, &[("mismatch", "/parent")]);
    let alone = stage.alone.clone();
    stage.no(&alone, act(std::slice::from_ref(&lacking)), &[("second_person_required", "")]);
    stage.no(&chie, act(std::slice::from_ref(&lacking)), &[("unauthorized", "/parent")]);
    stage.ok(&beni, act(std::slice::from_ref(&lacking)));
    // Nothing lacks any more: an empty list is exact.
    stage.ok(&beni, act(&[]));
}

#[test]
fn the_registrar_confirms_only_verified_holders_with_a_roster() {
    let mut stage = Stage::new();
    let (aki, raw) = (stage.holder(), stage.newcomer(&[Role::RightsHolder]));
    let (parent, _) = stage.asserted(&[&aki, &raw]);
    let (part, _) = stage.work(&[&aki]);
    stage.link(&aki, part, parent);
    let holders = vec![Holding { holding: stage.id(), holder: raw.party }];
    let act = RosterSameAsParent { work: part, parent, holders };
    let registrar = stage.registrar.clone();
    stage.no(&registrar, act.clone(), &[("not_verified", "/holders/0/holder")]);
    // A holder's declaration confirms nothing.
    stage.ok(&aki, act);
}

#[test]
fn an_agent_hands_over_only_with_the_power_to() {
    let mut stage = Stage::new();
    let (aki, beni, agent) = (stage.holder(), stage.holder(), stage.org(&[Role::Association]));
    let (work, holdings) = stage.work(&[&aki]);
    let (other, others) = stage.work(&[&aki]);
    stage.mandate(&aki, &agent, Scope::Only(vec![work]), &[Power::Transfer]);
    let agent = agent.for_(&aki);
    let transfer = stage.id();
    let act = TransferOffered { transfer, holding: others[0], to: beni.party };
    stage.no(&agent, act.clone(), &[("no_power", "")]);
    stage.no(&agent, HoldingRelinquished { holding: others[0] }, &[("no_power", "")]);
    stage.ok(&agent, TransferOffered { holding: holdings[0], ..act });
    stage.no(&agent, TransferWithdrawn { transfer }, &[("not_by_agent", "")]);
    assert!(stage.index.latest().work(other).is_some());
}
