//! Organizations, people, models, memberships, mandates, and the registry itself.

use super::stage::{DAY_MS, START_MS, Stage, digest};
use kyodaku::domain::act::*;
use kyodaku::domain::scope::{From, MAX_MOMENT_MS, Scope, Until};

#[test]
fn roles_are_stated_once_and_a_registrar_has_no_other() {
    let mut stage = Stage::new();
    let (registrar, installation) = (stage.alone.clone(), stage.installation.clone());
    let aki = stage.holder();
    let org = stage.id();
    let with = |roles: &[Role]| OrgRegistered { org, roles: roles.to_vec() };
    let twice = with(&[Role::Auditor, Role::RightsHolder, Role::Auditor]);
    stage.no(&registrar, twice, &[("duplicate", "/roles/2")]);
    stage.no(&registrar, with(&[]), &[("empty", "/roles")]);
    stage.no(&registrar, with(&[Role::Auditor; 8]), &[("too_many", "/roles")]);
    let mixed = with(&[Role::Registrar, Role::RightsHolder]);
    stage.no(&registrar, mixed.clone(), &[("unauthorized", ""), ("wrong_role", "/roles")]);
    stage.no(&installation, mixed, &[("wrong_role", "/roles")]);
    for taken in [aki.party, installation.party] {
        let act = OrgRegistered { org: taken, roles: vec![Role::Auditor] };
        stage.no(&registrar, act, &[("id_taken", "/org")]);
    }
    let readers = stage.ok(&registrar, with(&[Role::RightsHolder, Role::AiDeveloper]));
    assert_eq!(readers, [registrar.party]);
    // Who enters itself is entered by the installation, which does not verify it.
    let org = stage.id();
    stage.ok(&installation, OrgRegistered { org, roles: vec![Role::AiDeveloper] });
    stage.no(&installation, OrgVerified { org, evidence: None }, &[("unauthorized", "")]);
}

#[test]
fn an_organization_is_verified_once_and_suspended_and_reinstated_in_turn() {
    let mut stage = Stage::new();
    let registrar = stage.alone.clone();
    let org = stage.newcomer(&[Role::Auditor]).party;
    let unknown = stage.id();
    let [verify, suspend, reinstate]: [Act; 3] = [
        OrgVerified { org, evidence: None }.into(),
        OrgSuspended { org, evidence: Some(digest()) }.into(),
        OrgReinstated { org, evidence: None }.into(),
    ];
    stage.no(&registrar, suspend.clone(), &[("not_verified", "/org")]);
    stage.no(&registrar, reinstate.clone(), &[("already", "/org")]);
    let readers = stage.ok(&registrar, verify.clone());
    assert!(readers.contains(&org));
    stage.no(&registrar, verify.clone(), &[("already", "/org")]);
    stage.no(&registrar, reinstate.clone(), &[("already", "/org")]);
    stage.ok(&registrar, suspend.clone());
    stage.no(&registrar, suspend, &[("suspended", "/org")]);
    stage.no(&registrar, verify, &[("already", "/org")]);
    stage.ok(&registrar, reinstate);
    stage.no(&registrar, OrgVerified { org: unknown, evidence: None }, &[("unknown", "/org")]);
}

#[test]
fn a_suspended_registrar_does_nothing_until_the_installation_reinstates_it() {
    let mut stage = Stage::new();
    let (registrar, installation) = (stage.registrar.clone(), stage.installation.clone());
    let org = registrar.party;
    stage.no(&registrar, OrgSuspended { org, evidence: None }, &[("unauthorized", "")]);
    stage.ok(&installation, OrgSuspended { org, evidence: None });
    stage.no(&registrar, SettingsChanged { second_person: false }, &[("suspended", "")]);
    stage.ok(&installation, OrgReinstated { org, evidence: None });
    stage.ok(&registrar, SettingsChanged { second_person: false });
}

#[test]
fn a_person_stands_for_one_organization_at_a_time() {
    let mut stage = Stage::new();
    let (aki, beni, registrar) = (stage.holder(), stage.holder(), stage.alone.clone());
    let person = stage.id();
    let add = |org| PersonAdded { person, org };
    let remove = |org| PersonRemoved { person, org };
    stage.no(&aki, remove(aki.party), &[("unknown", "/person")]);
    let readers = stage.ok(&registrar, add(aki.party));
    assert!(readers.contains(&aki.party));
    stage.no(&registrar, add(aki.party), &[("already", "/person")]);
    stage.no(&beni, add(beni.party), &[("already", "/person")]);
    stage.no(&beni, remove(beni.party), &[("not_its_person", "/person")]);
    stage.no(&beni, remove(aki.party), &[("unauthorized", "/org")]);
    stage.no(&beni, add(aki.party), &[("unauthorized", "/org"), ("already", "/person")]);
    stage.ok(&aki, remove(aki.party));
    stage.no(&aki, remove(aki.party), &[("not_its_person", "/person")]);
    stage.ok(&beni, add(beni.party));
    // Whoever runs the registry lets somebody into an organization that nobody can act for.
    let act = PersonAdded { person: stage.id(), org: aki.party };
    let installation = stage.installation.clone();
    stage.ok(&installation, act);
    // Nobody stands for the installation.
    let (other, installation) = (stage.id(), stage.installation.clone());
    let act = PersonAdded { person: other, org: installation.party };
    stage.no(&installation, act, &[("unknown", "/org")]);
}

#[test]
fn one_person_of_the_registrar_cannot_make_its_own_second() {
    let mut stage = Stage::new();
    let (registrar, installation) = (stage.registrar.clone(), stage.installation.clone());
    let act = PersonAdded { person: stage.id(), org: registrar.party };
    stage.no(&registrar, act.clone(), &[("unauthorized", "")]);
    stage.ok(&installation, act);
}

#[test]
fn models_are_of_ai_developers_and_retire_once() {
    let mut stage = Stage::new();
    let (hal, ivy) = (stage.org(&[Role::AiDeveloper]), stage.org(&[Role::AiDeveloper]));
    let aki = stage.holder();
    let model = stage.model(&hal);
    stage.no(&ivy, ModelRegistered { model }, &[("id_taken", "/model")]);
    let fresh = stage.id();
    stage.no(&aki, ModelRegistered { model: fresh }, &[("unauthorized", "")]);
    stage.no(&ivy, ModelRetired { model }, &[("unauthorized", "/model")]);
    stage.no(&hal, ModelRetired { model: fresh }, &[("unknown", "/model")]);
    stage.ok(&hal, ModelRetired { model });
    stage.no(&hal, ModelRetired { model }, &[("ended", "/model")]);
}

#[test]
fn a_membership_is_offered_accepted_by_the_other_side_and_ended() {
    let mut stage = Stage::new();
    let (aki, kumi, beni) = (stage.holder(), stage.org(&[Role::Association]), stage.holder());
    let both = stage.org(&[Role::RightsHolder, Role::Association]);
    let membership = stage.id();
    let offer = MembershipOffered { membership, member: aki.party, association: kumi.party };
    let accept = MembershipAccepted { membership };
    stage.no(&aki, accept.clone(), &[("unknown", "/membership")]);
    stage.no(&beni, offer.clone(), &[("unauthorized", "")]);
    let itself = MembershipOffered { member: both.party, association: both.party, ..offer.clone() };
    stage.no(&both, itself, &[("itself", "/association")]);
    let swapped = MembershipOffered { member: kumi.party, association: aki.party, ..offer.clone() };
    stage.no(
        &aki,
        swapped,
        &[("wrong_role", "/member"), ("wrong_role", "/association"), ("unauthorized", "")],
    );
    let readers = stage.ok(&kumi, offer.clone());
    assert!(readers.contains(&aki.party) && readers.contains(&kumi.party));
    stage.no(&kumi, accept.clone(), &[("unauthorized", "/membership")]);
    stage.no(&beni, accept.clone(), &[("unauthorized", "/membership")]);
    let second = MembershipOffered { membership: stage.id(), ..offer.clone() };
    stage.no(&aki, second.clone(), &[("already", "/association")]);
    stage.no(&aki, offer, &[("id_taken", "/membership"), ("already", "/association")]);
    stage.ok(&aki, accept.clone());
    stage.no(&aki, accept.clone(), &[("already", "/membership")]);
    stage.no(&beni, MembershipEnded { membership }, &[("unauthorized", "/membership")]);
    stage.ok(&aki, MembershipEnded { membership });
    stage.no(&kumi, MembershipEnded { membership }, &[("ended", "/membership")]);
    stage.no(&aki, accept, &[("ended", "/membership")]);
    stage.ok(&aki, second);
}

#[test]
fn a_mandate_states_agent_works_powers_and_term() {
    let mut stage = Stage::new();
    let (aki, agent, hal) = (stage.holder(), stage.holder(), stage.org(&[Role::AiDeveloper]));
    let unknown = stage.id();
    let good = stage.mandate_act(&agent, Scope::Any, &[Power::Grant]);
    let now = stage.now;
    let cases: Vec<(MandateGiven, &[(&str, &str)])> = vec![
        (MandateGiven { agent: aki.party, ..good.clone() }, &[("itself", "/agent")]),
        (MandateGiven { agent: hal.party, ..good.clone() }, &[("wrong_role", "/agent")]),
        (MandateGiven { powers: vec![], ..good.clone() }, &[("empty", "/powers")]),
        (
            MandateGiven { powers: vec![Power::Deny, Power::Deny], ..good.clone() },
            &[("duplicate", "/powers/1")],
        ),
        (MandateGiven { works: Scope::Only(vec![]), ..good.clone() }, &[("empty", "/works/only")]),
        (MandateGiven { works: Scope::Only(vec![unknown]), ..good.clone() }, &[("unknown", "/works/only/0")]),
        (MandateGiven { from: From::At(now - 1), ..good.clone() }, &[("bad_term", "/from")]),
        (MandateGiven { until: Until::At(now), ..good.clone() }, &[("bad_term", "/until")]),
        (
            MandateGiven { from: From::At(now + 5), until: Until::At(now + 5), ..good.clone() },
            &[("bad_term", "/until")],
        ),
        (
            MandateGiven { until: Until::At(MAX_MOMENT_MS + 1), ..good.clone() },
            &[("out_of_bounds", "/until")],
        ),
    ];
    for (act, expected) in cases {
        stage.no(&aki, act, expected);
    }
    stage.no(&hal, good.clone(), &[("unauthorized", "")]);
    let at_once = MandateGiven { from: From::At(now), until: Until::At(now + 1), ..good.clone() };
    let readers = stage.ok(&aki, at_once);
    assert!(readers.contains(&agent.party));
    stage.no(&aki, good, &[("id_taken", "/mandate")]);
}

#[test]
fn a_mandate_counts_in_its_term_over_its_works_until_it_is_ended() {
    let mut stage = Stage::new();
    let (aki, agent) = (stage.holder(), stage.holder());
    let (work, _) = stage.work(&[&aki]);
    let (other, _) = stage.work(&[&aki]);
    let act = MandateGiven {
        from: From::At(START_MS + DAY_MS),
        until: Until::At(START_MS + 2 * DAY_MS),
        ..stage.mandate_act(&agent, Scope::Only(vec![work]), &[Power::Grant, Power::Register])
    };
    let mandate = act.mandate;
    stage.ok(&aki, act);
    let agent = agent.for_(&aki);
    let (grant, elsewhere) = (stage.grant(work), stage.grant(other));
    let registration = stage.registration(&[&aki]);
    for (moment_ms, is_let) in [
        (START_MS + DAY_MS - 1, false),
        (START_MS + DAY_MS, true),
        (START_MS + 2 * DAY_MS - 1, true),
        (START_MS + 2 * DAY_MS, false),
    ] {
        stage.now = moment_ms;
        assert_eq!(stage.would(&agent, &grant.clone().into()).is_ok(), is_let, "{moment_ms}");
    }
    stage.now = START_MS + DAY_MS;
    stage.no(&agent, elsewhere, &[("no_power", "")]);
    // A work that is only being registered lies under no list.
    stage.no(&agent, registration, &[("no_power", "")]);
    // Both works of a tie are named.
    let layer = stage.layer(work, other);
    stage.no(&agent, layer, &[("no_power", "")]);
    // A work merged into one that is listed is listed, and the other way round.
    stage.merge(work, other);
    let merged = stage.grant(other);
    stage.ok(&agent, merged.clone());
    stage.ok(&aki, MandateEnded { mandate });
    let after = GrantRecorded { grant: stage.id(), ..merged };
    stage.no(&agent, after, &[("no_power", "")]);
    stage.no(&aki, MandateEnded { mandate }, &[("ended", "/mandate")]);
    let beni = stage.holder();
    stage.no(&beni, MandateEnded { mandate }, &[("unauthorized", "/mandate"), ("ended", "/mandate")]);
}

#[test]
fn an_agent_cannot_pass_its_power_on() {
    let mut stage = Stage::new();
    let (aki, agent, beni) = (stage.holder(), stage.holder(), stage.holder());
    stage.mandate(&aki, &agent, Scope::Any, super::stage::POWERS);
    let act = stage.mandate_act(&beni, Scope::Any, &[Power::Grant]);
    stage.no(&agent.for_(&aki), act, &[("not_by_agent", "")]);
    let person = stage.id();
    stage.no(&agent.for_(&aki), PersonAdded { person, org: aki.party }, &[("not_by_agent", "")]);
}

#[test]
fn rules_go_upwards_keys_rotate_and_journals_are_sealed_within_bounds() {
    let mut stage = Stage::new();
    let (registrar, installation) = (stage.registrar.clone(), stage.installation.clone());
    stage.no(&registrar, RulesActivated { version: 1 }, &[("already", "/version")]);
    stage.no(&registrar, RulesActivated { version: 7 }, &[("unknown", "/version")]);
    let key = |old: &str, new: &str| KeyRotated {
        key_use: SigningKeyUse::Journal,
        old: old.into(),
        new: new.into(),
    };
    let long = format!("a+1+{}", "A".repeat(600));
    for bad in ["", "a", "a+1", "a+1+", "a b+1+A", long.as_str()] {
        stage.no(&registrar, key("a+1+A", bad), &[("out_of_bounds", "/new")]);
    }
    stage.no(&registrar, key("a+1+A", "a+1+A"), &[("itself", "/new")]);
    // A key ends once, and none that was ever used comes back.
    stage.ok(&registrar, key("a+1+A", "a+2+B"));
    stage.no(&registrar, key("a+1+A", "a+3+C"), &[("already", "/old")]);
    stage.no(&registrar, key("a+2+B", "a+1+A"), &[("already", "/new")]);
    stage.no(&registrar, key("a+9+Z", "a+2+B"), &[("already", "/new")]);
    stage.ok(&registrar, key("a+2+B", "a+3+C"));
    let seal = |journal: &str, size| JournalSealed { journal: journal.into(), size, root: digest() };
    stage.no(&installation, seal("", 0), &[("out_of_bounds", "/journal"), ("out_of_bounds", "/size")]);
    stage.no(&installation, seal("a", (1 << 53) + 1), &[("out_of_bounds", "/size")]);
    stage.ok(&installation, seal("a", 1 << 53));
    // The log goes on under a name that it never had, right after what is committed to.
    let go_on = |from: &str, origin: &str, size| LogContinued {
        from: from.into(),
        origin: origin.into(),
        size,
        root: digest(),
        gives_up: false,
    };
    let size = stage.index.size();
    stage.no(&installation, go_on("log.example/acts", "a b", size), &[("out_of_bounds", "/origin")]);
    stage.no(&installation, go_on("log.example/acts", "log.example/acts", size), &[("already", "/origin")]);
    stage.no(&installation, go_on("other.example", "log.example/2", size), &[("unknown", "/from")]);
    for wrong in [size - 1, size + 1] {
        let act = go_on("log.example/acts", "log.example/2", wrong);
        stage.no(&installation, act, &[("out_of_bounds", "/size")]);
    }
    stage.ok(&installation, go_on("log.example/acts", "log.example/2", size));
    let back = go_on("log.example/2", "log.example/acts", size + 1);
    stage.no(&installation, back, &[("already", "/origin")]);
    let size = stage.index.size();
    stage.no(&registrar, PayloadErased { entry: size }, &[("unknown", "/entry")]);
    stage.ok(&registrar, PayloadErased { entry: size - 1 });
}
