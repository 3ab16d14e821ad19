//! Works and their keys, claims and disputes.

use super::stage::{Stage, digest};
use kyodaku::domain::act::*;
use kyodaku::domain::ids::{BindingId, WorkId};
use kyodaku::domain::key::{Key, Sha256};
use kyodaku::domain::scope::Scope;

#[test]
fn a_registration_names_each_thing_once_and_only_what_exists() {
    let mut stage = Stage::new();
    let (aki, beni, hal) = (stage.holder(), stage.holder(), stage.org(&[Role::AiDeveloper]));
    let (other, held) = stage.work(&[&beni]);
    let unknown = stage.id();
    let good = stage.registration(&[&aki, &beni]);
    let mut act = good.clone();
    act.holders[1] = act.holders[0].clone();
    stage.no(&aki, act, &[("duplicate", "/holders/1/holding"), ("duplicate", "/holders/1/holder")]);
    let mut act = good.clone();
    act.holders[0].holder = hal.party;
    act.holders[1].holding = held[0];
    stage.no(
        &aki,
        act,
        &[("wrong_role", "/holders/0/holder"), ("id_taken", "/holders/1/holding"), ("not_exact", "/holders")],
    );
    let mut act = good.clone();
    let link = stage.id();
    act.layers = vec![Tie { link, work: other }, Tie { link, work: other }, Tie { link, work: unknown }];
    act.part_of = vec![Tie { link, work: act.work }];
    stage.no(
        &aki,
        act,
        &[
            ("duplicate", "/layers/1/link"),
            ("duplicate", "/layers/2/link"),
            ("duplicate", "/part_of/0/link"),
            ("duplicate", "/layers/1/work"),
            ("unknown", "/layers/2/work"),
            ("itself", "/part_of/0/work"),
        ],
    );
    let mut act = good.clone();
    act.bindings = vec![stage.key("https://a.example/"), stage.key("https://a.example/")];
    let bad = Key::Url { value: "https://A.example".into() };
    act.bindings.push(Binding { binding: act.bindings[0].binding, key: bad });
    stage.no(
        &aki,
        act,
        &[
            ("duplicate", "/bindings/2/binding"),
            ("duplicate", "/bindings/1/key"),
            ("not_normal", "/bindings/2/key"),
        ],
    );
    let mut act = good.clone();
    act.work = other;
    stage.no(&aki, act, &[("id_taken", "/work")]);
    let readers = stage.ok(&aki, good);
    assert!(readers.contains(&beni.party));
}

#[test]
fn who_registers_a_work_with_holders_is_one_of_them() {
    let mut stage = Stage::new();
    let (aki, beni, agent) = (stage.holder(), stage.holder(), stage.org(&[Role::Association]));
    stage.mandate(&aki, &agent, Scope::Any, &[Power::Register]);
    let act = stage.registration(&[&beni, &agent]);
    stage.no(&aki, act.clone(), &[("not_exact", "/holders")]);
    stage.no(&agent.for_(&aki), act.clone(), &[("not_exact", "/holders")]);
    // An association may hold, and then speaks for itself.
    stage.ok(&agent, act);
    let act = stage.registration(&[&aki]);
    stage.ok(&agent.for_(&aki), act);
}

#[test]
fn a_registration_keeps_to_its_limits() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let holders: Vec<_> = (0..201).map(|_| stage.holder()).collect();
    let works: Vec<_> = (0..201).map(|_| stage.unheld(&aki)).collect();
    let mut act = stage.registration(&holders.iter().collect::<Vec<_>>());
    act.layers = works.iter().map(|work| Tie { link: stage.id(), work: *work }).collect();
    act.part_of = works[..17].iter().map(|work| Tie { link: stage.id(), work: *work }).collect();
    act.bindings = (0..1_001).map(|n| stage.key(&format!("https://a.example/{n}"))).collect();
    stage.no(
        &holders[0],
        act.clone(),
        &[
            ("too_many", "/holders"),
            ("too_many", "/bindings"),
            ("too_many", "/layers"),
            ("too_many", "/part_of"),
        ],
    );
    act.holders.pop();
    act.layers.pop();
    act.part_of.pop();
    act.bindings.pop();
    let work = act.work;
    stage.ok(&holders[0], act);
    // It is full now.
    let Binding { binding, key } = stage.key("https://b.example/");
    stage.no(&holders[0], BindingAsserted { work, binding, key }, &[("too_many", "/work")]);
    let act = stage.layer(work, works[200]);
    stage.no(&holders[0], act, &[("too_many", "/work")]);
    let act = HoldingAsserted { work, holding: stage.id(), holder: aki.party };
    stage.no(&holders[0], act, &[("too_many", "/work")]);
    // Nor does a merge make it more than full.
    let (other, _) = stage.asserted(&[&aki]);
    let Binding { binding, key } = stage.key("https://b.example/");
    stage.ok(&aki, BindingAsserted { work: other, binding, key });
    let registrar = stage.registrar.clone();
    let act = WorksMerged { duplicate: other, into: work };
    stage.no(&registrar, act, &[("too_many", "/duplicate"), ("too_many", "/duplicate")]);
}

#[test]
fn the_registrant_speaks_until_somebody_is_confirmed() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let work = stage.unheld(&aki);
    let amend = WorkAmended { work, kind: WorkKind::Game };
    stage.ok(&aki, amend.clone());
    stage.no(&beni, amend.clone(), &[("unauthorized", "/work")]);
    let holding = stage.id();
    stage.ok(&beni, HoldingAsserted { work, holding, holder: beni.party });
    stage.no(&beni, amend.clone(), &[("unauthorized", "/work")]);
    stage.ok(&aki, amend.clone());
    stage.confirm(&[holding], &[]);
    stage.no(&aki, amend.clone(), &[("unauthorized", "/work")]);
    stage.ok(&beni, amend);
    // What needs a holder is not for the registrant.
    let unheld = stage.unheld(&aki);
    stage.no(&aki, RosterDeclared { work: unheld }, &[("unauthorized", "/work")]);
    let act = stage.grant(unheld);
    stage.no(&aki, act, &[("unauthorized", "/work")]);
}

/// What one who speaks for the work may do to it, and one who lists itself may not.
fn for_good(stage: &mut Stage, work: WorkId, binding: BindingId, other: WorkId) -> Vec<(Act, &'static str)> {
    let holder = stage.holder();
    vec![
        (WorkAmended { work, kind: WorkKind::Game }.into(), "/work"),
        (WorkWithdrawn { work }.into(), "/work"),
        (BindingRemoved { binding }.into(), "/binding"),
        (stage.layer(work, other).into(), "/work"),
        (HoldingAsserted { work, holding: stage.id(), holder: holder.party }.into(), "/holder"),
    ]
}

#[test]
fn who_lists_itself_changes_nothing_of_anothers_work_for_good() {
    let mut stage = Stage::new();
    let (aki, beni, dan) = (stage.holder(), stage.holder(), stage.holder());
    let (work, listed) = stage.asserted(&[&aki, &beni]);
    let (other, _) = stage.work(&[&dan]);
    let Binding { binding, key } = stage.key("https://a.example/");
    stage.ok(&aki, BindingAsserted { work, binding, key });
    stage.confirm(&[], &[binding]);
    let hostile = stage.id();
    stage.ok(&dan, HoldingAsserted { work, holding: hostile, holder: dan.party });
    let acts = for_good(&mut stage, work, binding, other);
    for (act, pointer) in &acts {
        stage.no(&dan, act.clone(), &[("unauthorized", pointer)]);
        assert!(stage.would(&aki, act).is_ok() && stage.would(&beni, act).is_ok(), "{act:?}");
    }
    // It speaks for its own share, which the registrar rejects with all that rests on it; and adds what only tightens.
    stage.ok(&dan, RosterDeclared { work });
    stage.ok(&dan, LayersDeclared { work });
    stage.denied(&dan, work);
    let Binding { binding: own, key } = stage.key("https://d.example/");
    stage.ok(&dan, BindingAsserted { work, binding: own, key });
    stage.ok(&dan, BindingRemoved { binding: own });

    // Once one is confirmed neither the hostile one nor the other one that was listed speaks.
    stage.confirm(&listed[..1], &[]);
    for (act, pointer) in &acts {
        let refused: &[_] = if *pointer == "/holder" {
            &[("unauthorized", "/holder"), ("unauthorized", "/work")]
        } else {
            &[("unauthorized", pointer)]
        };
        stage.no(&dan, act.clone(), refused);
        stage.no(&beni, act.clone(), refused);
        assert!(stage.would(&aki, act).is_ok(), "{act:?}");
    }
    // A share that goes over takes its voice with it, and a rejected one has none.
    let (chie, transfer) = (stage.holder(), stage.id());
    let (second, shares) = stage.asserted(&[&aki]);
    stage.ok(&aki, TransferOffered { transfer, holding: shares[0], to: chie.party });
    stage.ok(&chie, TransferAccepted { transfer });
    let amend = WorkAmended { work: second, kind: WorkKind::Game };
    stage.no(&aki, amend.clone(), &[("unauthorized", "/work")]);
    stage.ok(&chie, amend.clone());
    let registrar = stage.registrar.clone();
    stage.ok(&registrar, AssertionsRejected { holdings: shares, bindings: Vec::new(), evidence: digest() });
    stage.no(&chie, amend, &[("unauthorized", "/work")]);
}

#[test]
fn a_confirmed_work_gets_its_parents_holders_by_who_speaks_for_it() {
    let mut stage = Stage::new();
    let (aki, dan) = (stage.holder(), stage.holder());
    let (part, shares) = stage.asserted(&[&aki]);
    let (parent, _) = stage.asserted(&[&dan]);
    stage.link(&dan, part, parent);
    let holders = vec![Holding { holding: stage.id(), holder: dan.party }];
    let act = RosterSameAsParent { work: part, parent, holders };
    assert!(stage.would(&dan, &act.clone().into()).is_ok(), "it could assert a share for itself as well");
    stage.confirm(&shares, &[]);
    stage.no(&dan, act.clone(), &[("unauthorized", "/work")]);
    let twice = [("unauthorized", "/parent")];
    stage.no(&aki, act.clone(), &twice);
    let registrar = stage.registrar.clone();
    stage.ok(&registrar, act);
}

#[test]
fn a_work_is_withdrawn_once() {
    let mut stage = Stage::new();
    let (aki, registrar) = (stage.holder(), stage.alone.clone());
    let (work, _) = stage.work(&[&aki]);
    stage.ok(&registrar, WorkWithdrawn { work });
    stage.no(&aki, WorkWithdrawn { work }, &[("withdrawn", "/work")]);
    let act = stage.grant(work);
    stage.no(&aki, act, &[("withdrawn", "/work")]);
    // It can still be denied.
    stage.denied(&aki, work);
}

#[test]
fn a_merged_work_is_acted_on_through_the_one_that_it_became() {
    let mut stage = Stage::new();
    let (aki, beni, registrar) = (stage.holder(), stage.holder(), stage.registrar.clone());
    let (old, olds) = stage.work(&[&aki]);
    let (new, _) = stage.work(&[&beni]);
    let Binding { binding, key } = stage.key("https://a.example/");
    stage.ok(&aki, BindingAsserted { work: old, binding, key: key.clone() });
    stage.no(&registrar, WorksMerged { duplicate: old, into: old }, &[("itself", "/into")]);
    let readers = stage.ok(&registrar, WorksMerged { duplicate: old, into: new });
    assert!(readers.contains(&aki.party) && readers.contains(&beni.party));
    let again = WorksMerged { duplicate: old, into: new };
    stage.no(&registrar, again, &[("merged_away", "/duplicate")]);
    stage.no(&registrar, WorksMerged { duplicate: new, into: old }, &[("merged_away", "/into")]);

    let (claim, reservation) = (stage.id(), stage.id());
    let other = stage.unheld(&aki);
    let subject = ReservedSubject::Work(old);
    let (form, signal, uses) = (ReservationForm::Rsl, Signal::Allow, Scope::Any);
    let acts: Vec<(Act, &str)> = vec![
        (WorkAmended { work: old, kind: WorkKind::Text }.into(), "/work"),
        (WorkWithdrawn { work: old }.into(), "/work"),
        (RosterDeclared { work: old }.into(), "/work"),
        (LayersDeclared { work: old }.into(), "/work"),
        (stage.grant(old).into(), "/work"),
        (stage.denial(old).into(), "/work"),
        (ClaimMade { claim, work: old }.into(), "/work"),
        (stage.layer(old, other).into(), "/work"),
        (stage.layer(other, old).into(), "/layer"),
        (stage.part(old, other).into(), "/part"),
        (stage.part(other, old).into(), "/whole"),
        (
            ReservationRecorded { reservation, subject, form, signal, uses, evidence: None }.into(),
            "/subject/work",
        ),
    ];
    for (act, pointer) in acts {
        stage.no(&aki, act, &[("merged_away", pointer)]);
    }
    // The holder of the one that was merged holds what it became, and its holding and binding go on.
    stage.granted(&aki, new);
    let other_binding = stage.id();
    let again = BindingAsserted { work: new, binding: other_binding, key };
    stage.no(&aki, again, &[("already", "/key")]);
    // Not confirmed yet: only who asserted it takes it off.
    stage.no(&beni, BindingRemoved { binding }, &[("unauthorized", "/binding")]);
    stage.ok(&aki, BindingRemoved { binding });
    stage.ok(&aki, HoldingRelinquished { holding: olds[0] });
    let act = stage.grant(new);
    stage.no(&aki, act, &[("unauthorized", "/work")]);
}

#[test]
fn a_key_is_tied_to_a_work_once_and_removed_once() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let (work, _) = stage.work(&[&aki]);
    let (other, _) = stage.work(&[&beni]);
    let (binding, second) = (stage.id(), stage.id());
    let key = Key::sha256(Sha256::of(b"film"));
    stage.ok(&aki, BindingAsserted { work, binding, key: key.clone() });
    let act = BindingAsserted { work, binding: second, key: key.clone() };
    stage.no(&aki, act.clone(), &[("already", "/key")]);
    // Another work may have the same key: that is a claim.
    stage.ok(&beni, BindingAsserted { work: other, ..act.clone() });
    let twice = [("unauthorized", "/binding"), ("unauthorized", "/binding")];
    stage.no(&beni, BindingRemoved { binding }, &twice);
    stage.ok(&aki, BindingRemoved { binding });
    stage.no(&aki, BindingRemoved { binding }, &[("ended", "/binding")]);
    stage.no(&aki, act.clone(), &[("id_taken", "/binding")]);
    let third = stage.id();
    stage.ok(&aki, BindingAsserted { binding: third, ..act });
    let unknown = stage.id();
    stage.no(&aki, BindingRemoved { binding: unknown }, &[("unknown", "/binding")]);
}

#[test]
fn outsiders_claim_and_the_registrar_admits_disputes() {
    let mut stage = Stage::new();
    let (aki, chie, registrar) = (stage.holder(), stage.holder(), stage.registrar.clone());
    let hal = stage.org(&[Role::AiDeveloper]);
    let (work, _) = stage.work(&[&aki]);
    let (other, _) = stage.work(&[&aki]);
    let (claim, dispute) = (stage.id(), stage.id());
    stage.no(&aki, ClaimMade { claim, work }, &[("unauthorized", "/work")]);
    stage.no(&hal, ClaimMade { claim, work }, &[("unauthorized", "")]);
    let readers = stage.ok(&chie, ClaimMade { claim, work });
    assert!(readers.contains(&aki.party));
    stage.no(&chie, ClaimMade { claim, work }, &[("id_taken", "/claim")]);
    let open = DisputeOpened { dispute, work, claim: Some(claim) };
    stage.no(&registrar, DisputeOpened { work: other, ..open.clone() }, &[("mismatch", "/claim")]);
    let unknown = stage.id();
    let act = DisputeOpened { claim: Some(unknown), ..open.clone() };
    stage.no(&registrar, act, &[("unknown", "/claim")]);
    let readers = stage.ok(&registrar, open.clone());
    assert!(readers.contains(&chie.party) && readers.contains(&aki.party));
    stage.no(&registrar, open.clone(), &[("id_taken", "/dispute")]);
    let settle = DisputeSettled { dispute, evidence: digest() };
    stage.ok(&registrar, settle.clone());
    stage.no(&registrar, settle, &[("ended", "/dispute")]);
    stage.no(&aki, ClaimWithdrawn { claim }, &[("unauthorized", "/claim")]);
    stage.ok(&chie, ClaimWithdrawn { claim });
    stage.no(&chie, ClaimWithdrawn { claim }, &[("ended", "/claim")]);
    let act = DisputeOpened { dispute: stage.id(), ..open };
    stage.no(&registrar, act, &[("ended", "/claim")]);
}
