//! The first two entries, and what holds for every act.

use super::stage::{Actor, DAY_MS, START_MS, Stage};
use kyodaku::domain::act::*;
use kyodaku::domain::admit::{admit, code};
use kyodaku::domain::ids::{Id, OrgId, PersonId};
use kyodaku::domain::index::Index;
use kyodaku::domain::scope::Scope;

fn name(number: u128) -> OrgId {
    Id::new(uuid::Uuid::from_u128(number))
}

fn codes(index: &Index, actor: &Actor, act: impl Into<Act>) -> Vec<(&'static str, String)> {
    let admitted = admit(index, &Stage::command(actor, Vec::new()), &act.into(), START_MS);
    admitted.err().unwrap_or_default().into_iter().map(|r| (r.code, r.pointer)).collect()
}

#[test]
fn a_log_begins_with_its_opening_and_its_rules_by_the_installation() {
    let installation = Actor { party: name(1), on_behalf_of: None, by: Vec::new() };
    let other =
        Actor { party: name(2), on_behalf_of: Some(name(3)), by: vec![PersonId::new(uuid::Uuid::nil())] };
    let opened = LogOpened { origin: "log.example/acts".into(), registry: name(1), continues: None };
    let mut index = Index::new();
    let at = |code, pointer: &str| (code, pointer.to_owned());
    assert_eq!(codes(&index, &installation, opened.clone()), []);
    assert_eq!(
        codes(&index, &other, opened.clone()),
        [at("unauthorized", ""), at("not_by_agent", ""), at("bad_persons", "")]
    );
    for origin in ["", "a b", "a+b", "a\nb", &"x".repeat(256)] {
        let opened = LogOpened { origin: origin.into(), ..opened.clone() };
        assert_eq!(codes(&index, &installation, opened), [at("out_of_bounds", "/origin")], "{origin:?}");
    }
    assert_eq!(
        codes(&index, &installation, RulesActivated { version: 1 }),
        [at("not_under_these_rules", "")]
    );

    let command = Stage::command(&installation, vec![opened.clone().into()]);
    kyodaku::domain::command::record(&mut index, &command, START_MS, || {
        kyodaku::domain::entry::Salt([0; 16])
    })
    .unwrap();
    assert_eq!(codes(&index, &installation, RulesActivated { version: 1 }), []);
    assert_eq!(codes(&index, &installation, RulesActivated { version: 2 }), [at("unknown", "/version")]);
    assert_eq!(codes(&index, &installation, opened), [at("not_under_these_rules", "")]);
    let org = OrgRegistered { org: name(5), roles: vec![Role::Registrar] };
    assert_eq!(codes(&index, &installation, org), [at("not_under_these_rules", "")]);
    assert_eq!(
        codes(&index, &other, RulesActivated { version: 1 }),
        [at("unauthorized", ""), at("not_by_agent", ""), at("bad_persons", "")]
    );
}

#[test]
fn a_party_is_registered_verified_and_not_suspended_and_so_is_its_principal() {
    let mut stage = Stage::new();
    let (aki, beni, agent) = (stage.holder(), stage.holder(), stage.holder());
    let registrar = stage.alone.clone();
    let stranger = Actor { party: stage.id(), ..aki.clone() };
    let raw = stage.newcomer(&[Role::RightsHolder]);
    let (work, _) = stage.work(&[&aki]);
    stage.mandate(&aki, &agent, Scope::Any, &[Power::Deny]);
    let act = stage.denial(work);
    stage.no(&stranger, act.clone(), &[("unknown", "")]);
    stage.no(&raw, act.clone(), &[("not_verified", ""), ("unauthorized", "/work")]);
    stage.no(&agent.for_(&stranger), act.clone(), &[("unknown", "")]);
    stage.no(&agent.for_(&agent), act.clone(), &[("itself", "")]);
    let expected = [("not_verified", ""), ("unauthorized", "/work"), ("no_power", "")];
    stage.no(&agent.for_(&raw), act.clone(), &expected);
    stage.ok(&registrar, OrgSuspended { org: aki.party, evidence: None });
    stage.no(&aki, act.clone(), &[("suspended", "")]);
    stage.no(&agent.for_(&aki), act.clone(), &[("suspended", "")]);
    stage.ok(&registrar, OrgReinstated { org: aki.party, evidence: None });
    stage.ok(&registrar, OrgSuspended { org: agent.party, evidence: None });
    stage.no(&agent.for_(&aki), act.clone(), &[("suspended", "")]);
    stage.ok(&registrar, OrgReinstated { org: agent.party, evidence: None });
    stage.no(&agent.for_(&beni), act.clone(), &[("unauthorized", "/work"), ("no_power", "")]);
    stage.ok(&agent.for_(&aki), act);
}

#[test]
fn one_or_two_distinct_persons_of_the_party_act() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let registrar = stage.alone.clone();
    let (work, _) = stage.work(&[&aki]);
    let (second, third, nobody) = (stage.id(), stage.id(), stage.id());
    for person in [second, third] {
        stage.ok(&aki, PersonAdded { person, org: aki.party });
    }
    let act = WorkAmended { work, kind: WorkKind::Text };
    let first = aki.by[0];
    stage.ok(&aki.by(&[second, first]), act.clone());
    for (by, expected) in [
        (vec![], vec![("bad_persons", "")]),
        (vec![first, second, third], vec![("bad_persons", "")]),
        (vec![first, first], vec![("bad_persons", "")]),
        (vec![nobody], vec![("not_its_person", "")]),
        (vec![first, beni.by[0]], vec![("not_its_person", "")]),
        (registrar.by.clone(), vec![("not_its_person", "")]),
    ] {
        stage.no(&aki.by(&by), act.clone(), &expected);
    }
    // Who left no longer acts.
    stage.ok(&aki, PersonRemoved { person: second, org: aki.party });
    stage.no(&aki.by(&[second]), act, &[("not_its_person", "")]);
    // The installation has no persons, and acts for nobody.
    let installation = stage.installation.clone();
    let seal = JournalSealed { journal: "a".into(), size: 1, root: super::stage::digest() };
    stage.no(&installation.by(&[first]), seal.clone(), &[("bad_persons", "")]);
    stage.no(&installation.for_(&aki), seal, &[("not_by_agent", "")]);
}

#[test]
fn acts_of_one_command_are_judged_one_after_the_other_and_undone_together() {
    let mut stage = Stage::new();
    let aki = stage.holder();
    let act = stage.registration(&[&aki]);
    let (work, size) = (act.work, stage.index.size());
    let (grant, mut twice) = (stage.grant(work), stage.grant(work));
    twice.grant = grant.grant;
    let refusals = stage.all(&aki, vec![act.clone().into(), grant.clone().into(), twice.into()]).unwrap_err();
    let found: Vec<_> = refusals.iter().map(|r| (r.act, r.code, r.pointer.as_str())).collect();
    assert_eq!(found, [(2, "id_taken", "/grant")]);
    assert_eq!(stage.index.size(), size);
    assert!(stage.index.latest().work(work).is_none());
    assert_eq!(stage.all(&aki, vec![act.into(), grant.into()]).unwrap().len(), 2);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let (work, holdings) = stage.work(&[&aki]);
    let unknown = stage.id();
    let mut act = stage.grant(work);
    act.grant = stage.id();
    act.as_layer_of = Scope::Only(vec![unknown]);
    act.uses = Scope::Only(Vec::new());
    act.developers = Scope::Only(vec![aki.party]);
    act.models = Scope::Only(vec![Id::new(unknown.uuid())]);
    act.territories = Scope::Only(vec!["KR".parse().unwrap(), "JP".parse().unwrap()]);
    act.from = kyodaku::domain::scope::From::At(START_MS - DAY_MS);
    act.until = kyodaku::domain::scope::Until::At(START_MS - 2 * DAY_MS);
    act.revocable = Revocable::NoticeMs(-1);
    act.conditions = vec![Condition::Credit, Condition::Credit];
    act.request = Some(Id::new(unknown.uuid()));
    let expected = [
        ("unauthorized", "/work"),
        ("unknown", "/as_layer_of/only/0"),
        ("empty", "/uses/only"),
        ("wrong_role", "/developers/only/0"),
        ("unknown", "/models/only/0"),
        ("not_sorted", "/territories/only"),
        ("bad_term", "/until"),
        ("bad_term", "/from"),
        ("out_of_bounds", "/revocable/notice_ms"),
        ("duplicate", "/conditions/1"),
        ("unknown", "/request"),
    ];
    stage.no(&beni, act.clone(), &expected);
    let with_person = [&[("not_its_person", "")], &expected[1..]].concat();
    stage.no(&aki.by(&beni.by), act, &with_person);
    let confirm = super::stage::confirmation(&[holdings[0], holdings[0], Id::new(unknown.uuid())], &[]);
    let alone = stage.alone.clone();
    stage.no(
        &alone,
        confirm,
        &[
            ("duplicate", "/holdings/1"),
            ("already", "/holdings/0"),
            ("already", "/holdings/1"),
            ("unknown", "/holdings/2"),
        ],
    );
}

#[test]
fn messages_are_for_people_and_codes_are_of_the_list() {
    let mut stage = Stage::new();
    let (aki, beni) = (stage.holder(), stage.holder());
    let (work, _) = stage.work(&[&aki]);
    let mut act = stage.grant(work);
    act.uses = Scope::Only(Vec::new());
    let refusals = stage.would(&beni, &act.into()).unwrap_err();
    for refusal in refusals {
        assert!(code::ALL.contains(&refusal.code), "{refusal:?}");
        assert!(!refusal.detail.ends_with('.') && !refusal.detail.is_empty(), "{refusal:?}");
        assert!(!refusal.detail.starts_with(char::is_uppercase), "{refusal:?}");
    }
    let mut known = code::ALL.to_vec();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), code::ALL.len());
}

#[test]
fn at_most_two_hundred_organizations_read_an_entry_and_the_party_always() {
    let mut stage = Stage::new();
    let holders: Vec<_> = (0..200).map(|_| stage.holder()).collect();
    let (aki, chie) = (stage.holder(), stage.holder());
    let (work, _) = stage.asserted(&holders.iter().collect::<Vec<_>>());
    let (layer, _) = stage.work(&[&aki]);
    let act = stage.layer(layer, work);
    let readers = stage.ok(&aki, act);
    assert_eq!(readers.len(), 200);
    assert!(readers.contains(&aki.party));
    assert!(readers.is_sorted_by(|a, b| a < b));
    // The last one named would find no room: still there, as it acts.
    let claim = stage.id();
    let readers = stage.ok(&chie, ClaimMade { claim, work });
    assert!(readers.len() == 200 && readers.contains(&chie.party));
}
