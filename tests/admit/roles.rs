//! Every act, tried by everybody: it is admitted for those who may, and refused for everybody else.

use std::collections::BTreeSet;

use super::stage::{Actor, DAY_MS, POWERS, Stage, digest};
use kyodaku::domain::act::*;
use kyodaku::domain::admit::Refusal;
use kyodaku::domain::key::Key;
use kyodaku::domain::scope::{From, Scope, Until};

/// One act that is in order, and the names of those who may record it.
pub(super) struct Scene {
    pub(super) act: Act,
    pub(super) may: &'static [&'static str],
}

pub(super) struct Cast {
    pub(super) stage: Stage,
    actors: Vec<(&'static str, Actor)>,
    pub(super) scenes: Vec<Scene>,
}

impl Cast {
    pub(super) fn actor(&self, name: &str) -> Actor {
        self.actors.iter().find(|(known, _)| *known == name).unwrap().1.clone()
    }

    fn scene(&mut self, act: impl Into<Act>, may: &'static [&'static str]) {
        self.scenes.push(Scene { act: act.into(), may });
    }
}

const HOLDERS: &[&str] = &["aki", "beni", "agent for aki"];
const HOLDERS_AND_REGISTRAR: &[&str] = &["aki", "beni", "agent for aki", "registrar"];
const REGISTRAR: &[&str] = &["registrar"];

/// Those who act. `aki` and `beni` hold the work that most acts are about, `chie` does not; `kumi` is the association
/// of which aki is a member, and `agent` has every power from aki.
fn cast() -> Cast {
    let mut stage = Stage::new();
    let (aki, beni, chie) = (stage.holder(), stage.holder(), stage.holder());
    let (kumi, agent) = (stage.org(&[Role::Association]), stage.org(&[Role::Association]));
    let (hal, ivy) = (stage.org(&[Role::AiDeveloper]), stage.org(&[Role::AiDeveloper]));
    let audit = stage.org(&[Role::Auditor]);
    let (raw, suspended) = (stage.newcomer(&[Role::RightsHolder]), stage.holder());
    let registrar = stage.alone.clone();
    stage.ok(&registrar, OrgSuspended { org: suspended.party, evidence: None });
    stage.membership(&aki, &kumi);
    stage.mandate(&aki, &agent, Scope::Any, POWERS);
    let actors = vec![
        ("installation", stage.installation.clone()),
        ("registrar", stage.registrar.clone()),
        ("aki", aki.clone()),
        ("beni", beni.clone()),
        ("chie", chie),
        ("kumi", kumi.clone()),
        ("kumi for aki", kumi.for_(&aki)),
        ("agent", agent.clone()),
        ("agent for aki", agent.for_(&aki)),
        ("agent for beni", agent.for_(&beni)),
        ("hal", hal),
        ("ivy", ivy),
        ("audit", audit),
        ("raw", raw),
        ("suspended", suspended),
        ("aki by another's person", aki.by(&beni.by)),
        ("aki by nobody", aki.by(&[])),
    ];
    Cast { stage, actors, scenes: Vec::new() }
}

fn registry_scenes(cast: &mut Cast) {
    cast.scene(SettingsChanged { second_person: false }, REGISTRAR);
    // There is no second version to go up to.
    cast.scene(RulesActivated { version: 1 }, &[]);
    cast.scene(RulesActivated { version: 2 }, &[]);
    let registry = cast.stage.id();
    cast.scene(LogOpened { origin: "log.example/other".into(), registry, continues: None }, &[]);
    let (old, new) = ("log.example/acts+1+A".to_owned(), "log.example/acts+2+B".to_owned());
    cast.scene(KeyRotated { key_use: SigningKeyUse::ActLog, old, new }, REGISTRAR);
    let journal = "log.example/checks/1".to_owned();
    cast.scene(JournalSealed { journal, size: 1, root: digest() }, &["installation"]);
    let (from, origin) = ("log.example/acts".to_owned(), "log.example/acts-2".to_owned());
    // Its size is told once all are there.
    cast.scene(LogContinued { from, origin, size: 0, root: digest(), gives_up: false }, &["installation"]);
    cast.scene(PayloadErased { entry: 3 }, REGISTRAR);
}

fn party_scenes(cast: &mut Cast) {
    let [aki, chie, hal] = ["aki", "chie", "hal"].map(|name| cast.actor(name));
    let [raw, suspended, kumi, agent] = ["raw", "suspended", "kumi", "agent"].map(|name| cast.actor(name));
    let registrar = cast.stage.registrar.clone();
    let org = cast.stage.id();
    let both = &["registrar", "installation"];
    cast.scene(OrgRegistered { org, roles: vec![Role::RightsHolder, Role::AiDeveloper] }, both);
    cast.scene(OrgRegistered { org, roles: vec![Role::Registrar] }, &["installation"]);
    let org = cast.stage.id();
    let installation = cast.stage.installation.clone();
    cast.stage.ok(&installation, OrgRegistered { org, roles: vec![Role::Registrar] });
    cast.scene(OrgVerified { org, evidence: None }, &["installation"]);
    cast.scene(OrgVerified { org: raw.party, evidence: None }, REGISTRAR);
    cast.scene(OrgSuspended { org: chie.party, evidence: None }, REGISTRAR);
    cast.scene(OrgSuspended { org: registrar.party, evidence: None }, &["installation"]);
    cast.scene(OrgReinstated { org: suspended.party, evidence: None }, REGISTRAR);
    let person = cast.stage.id();
    cast.scene(PersonAdded { person, org: aki.party }, &["installation", "registrar", "aki"]);
    cast.scene(PersonAdded { person, org: registrar.party }, &["installation"]);
    cast.scene(PersonRemoved { person: aki.by[0], org: aki.party }, &["installation", "registrar", "aki"]);
    cast.scene(PersonRemoved { person: registrar.by[1], org: registrar.party }, &["installation"]);
    let model = cast.stage.id();
    cast.scene(ModelRegistered { model }, &["hal", "ivy"]);
    let model = cast.stage.model(&hal);
    cast.scene(ModelRetired { model }, &["hal"]);

    let membership = cast.stage.id();
    let offer = MembershipOffered { membership, member: chie.party, association: kumi.party };
    cast.scene(offer.clone(), &["chie", "kumi"]);
    let membership = cast.stage.id();
    cast.stage.ok(&chie, MembershipOffered { membership, association: agent.party, ..offer });
    cast.scene(MembershipAccepted { membership }, &["agent"]);
    cast.scene(MembershipEnded { membership }, &["chie", "agent"]);
    let act = cast.stage.mandate_act(&agent, Scope::Any, &[Power::Grant]);
    cast.scene(act, &["aki", "beni", "chie", "kumi"]);
    let mandate = cast.stage.mandate(&aki, &agent, Scope::Any, &[Power::Grant]);
    cast.scene(MandateEnded { mandate }, &["aki", "agent"]);
}

fn work_scenes(cast: &mut Cast) {
    let [aki, beni, chie] = ["aki", "beni", "chie"].map(|name| cast.actor(name));
    let (work, _) = cast.stage.work(&[&aki, &beni]);
    let unheld = cast.stage.unheld(&aki);
    let act = cast.stage.registration(&[]);
    cast.scene(act, &["aki", "beni", "chie", "kumi", "agent", "agent for aki"]);
    let act = cast.stage.registration(&[&aki, &chie]);
    cast.scene(act, &["aki", "chie", "agent for aki"]);
    cast.scene(WorkAmended { work, kind: WorkKind::Series }, HOLDERS);
    cast.scene(WorkAmended { work: unheld, kind: WorkKind::Series }, &["aki", "agent for aki"]);
    cast.scene(WorkWithdrawn { work }, HOLDERS_AND_REGISTRAR);
    let (duplicate, _) = cast.stage.asserted(&[&chie]);
    cast.scene(WorksMerged { duplicate, into: work }, REGISTRAR);
    let Binding { binding, key } = cast.stage.key("https://a.example/1");
    cast.scene(BindingAsserted { work, binding, key }, HOLDERS);
    let Binding { binding, key } = cast.stage.key("https://a.example/2");
    cast.stage.ok(&beni, BindingAsserted { work, binding, key });
    cast.stage.confirm(&[], &[binding]);
    cast.scene(BindingRemoved { binding }, HOLDERS);
    cast.scene(RosterDeclared { work }, HOLDERS_AND_REGISTRAR);
    cast.scene(LayersDeclared { work }, HOLDERS_AND_REGISTRAR);

    let (whole, _) = cast.stage.work(&[&chie]);
    let (part, _) = cast.stage.work(&[&aki]);
    let act = cast.stage.layer(work, whole);
    cast.scene(act, HOLDERS_AND_REGISTRAR);
    let act = cast.stage.part(part, whole);
    cast.scene(act, &["aki", "agent for aki", "chie"]);
    let (part, _) = cast.stage.work(&[&aki]);
    let link = cast.stage.link(&aki, part, whole);
    cast.scene(PartAccepted { link }, &["chie"]);
    cast.scene(LinkRemoved { link }, REGISTRAR);
    let holders = vec![Holding { holding: cast.stage.id(), holder: chie.party }];
    let act = RosterSameAsParent { work: part, parent: whole, holders: holders.clone() };
    cast.scene(act, REGISTRAR);
    let (part, _) = cast.stage.asserted(&[&aki]);
    cast.stage.link(&chie, part, whole);
    let act = RosterSameAsParent { work: part, parent: whole, holders };
    cast.scene(act, &["chie", "registrar"]);

    let claim = cast.stage.id();
    cast.scene(ClaimMade { claim, work }, &["chie", "kumi", "agent"]);
    let claim = cast.stage.id();
    cast.stage.ok(&chie, ClaimMade { claim, work });
    cast.scene(ClaimWithdrawn { claim }, &["chie"]);
    let dispute = cast.stage.id();
    cast.scene(DisputeOpened { dispute, work, claim: Some(claim) }, REGISTRAR);
    let dispute = cast.stage.id();
    let registrar = cast.stage.alone.clone();
    cast.stage.ok(&registrar, DisputeOpened { dispute, work, claim: None });
    cast.scene(DisputeSettled { dispute, evidence: digest() }, REGISTRAR);
}

fn holding_scenes(cast: &mut Cast) {
    let [aki, beni, chie] = ["aki", "beni", "chie"].map(|name| cast.actor(name));
    let (work, holdings) = cast.stage.work(&[&aki, &beni]);
    let unheld = cast.stage.unheld(&beni);
    let holding = cast.stage.id();
    cast.scene(HoldingAsserted { work, holding, holder: chie.party }, HOLDERS_AND_REGISTRAR);
    let act = HoldingAsserted { work: unheld, holding, holder: aki.party };
    cast.scene(act, &["aki", "agent for aki", "beni", "registrar"]);
    cast.scene(HoldingRelinquished { holding: holdings[0] }, &["aki", "agent for aki"]);

    let (open, asserted) = cast.stage.asserted(&[&beni]);
    let Binding { binding, key } = cast.stage.key("https://b.example/1");
    cast.stage.ok(&beni, BindingAsserted { work: open, binding, key });
    let (bindings, evidence) = (vec![binding], digest());
    cast.scene(
        AssertionsConfirmed { holdings: asserted.clone(), bindings: bindings.clone(), evidence },
        REGISTRAR,
    );
    cast.scene(AssertionsRejected { holdings: asserted, bindings: bindings.clone(), evidence }, REGISTRAR);
    let (host, method) = ("b.example".to_owned(), ControlMethod::Dns);
    cast.scene(ControlProved { org: beni.party, host, method, bindings, evidence }, &["installation"]);

    let transfer = cast.stage.id();
    let act = TransferOffered { transfer, holding: holdings[0], to: chie.party };
    cast.scene(act.clone(), &["aki", "agent for aki"]);
    let transfer = cast.stage.id();
    cast.stage.ok(&aki, TransferOffered { transfer, ..act });
    cast.scene(TransferAccepted { transfer }, &["chie"]);
    cast.scene(TransferWithdrawn { transfer }, &["aki"]);
}

fn consent_scenes(cast: &mut Cast) {
    let [aki, beni, hal] = ["aki", "beni", "hal"].map(|name| cast.actor(name));
    let kumi_for_aki = cast.actor("kumi for aki");
    let (work, _) = cast.stage.work(&[&aki, &beni]);
    let act = cast.stage.grant(work);
    cast.scene(act, HOLDERS);
    let grant = cast.stage.granted(&aki, work);
    cast.scene(GrantRevoked { grant, from: From::OnRecord }, &["aki", "agent for aki"]);
    let act = cast.stage.denial(work);
    cast.scene(act, &["aki", "beni", "agent for aki", "kumi for aki"]);
    let denial = cast.stage.denied(&aki, work);
    cast.scene(DenialWithdrawn { denial }, &["aki"]);
    let denial = cast.stage.denied(&kumi_for_aki, work);
    cast.scene(DenialWithdrawn { denial }, &["aki", "kumi for aki"]);
    let reservation = cast.stage.id();
    let recorded = |subject| ReservationRecorded {
        reservation,
        subject,
        form: ReservationForm::RobotsTxt,
        signal: Signal::Reserve,
        uses: Scope::Any,
        evidence: None,
    };
    let everybody: &[_] =
        &["aki", "beni", "chie", "kumi", "kumi for aki", "agent", "agent for aki", "hal", "ivy", "audit"];
    cast.scene(recorded(ReservedSubject::Work(work)), everybody);
    let act = recorded(ReservedSubject::Key(Key::url("https://c.example/").unwrap()));
    cast.scene(act.clone(), everybody);
    let reservation = cast.stage.id();
    cast.stage.ok(&hal, ReservationRecorded { reservation, ..act });
    cast.scene(ReservationWithdrawn { reservation }, &["hal"]);
}

fn later_scenes(cast: &mut Cast) {
    let [aki, beni, hal, audit] = ["aki", "beni", "hal", "audit"].map(|name| cast.actor(name));
    let (work, _) = cast.stage.work(&[&aki, &beni]);
    let offer = cast.stage.id();
    let act = OfferPublished {
        offer,
        works: vec![work],
        uses: Scope::Any,
        developers: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until: Until::Open,
        revocable: Revocable::Never,
        conditions: vec![Condition::Credit],
        terms: None,
    };
    cast.scene(act.clone(), HOLDERS);
    let offer = cast.stage.id();
    cast.stage.ok(&aki, OfferPublished { offer, ..act });
    cast.scene(OfferAccepted { offer, models: Scope::Any }, &[]);
    cast.scene(OfferWithdrawn { offer }, &["aki"]);

    let request = cast.stage.id();
    let act = RequestMade {
        request,
        works: vec![work],
        uses: Scope::Any,
        models: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until: Until::Open,
        answer_by_ms: cast.stage.now + DAY_MS,
    };
    cast.scene(act.clone(), &["hal", "ivy"]);
    let request = cast.stage.id();
    cast.stage.ok(&hal, RequestMade { request, ..act });
    cast.scene(RequestAnswered { request, answer: Answer::Refused }, HOLDERS);
    cast.scene(RequestWithdrawn { request }, &["hal"]);
    cast.scene(RequestLapsed { request }, &["installation"]);

    let notice = cast.stage.id();
    let act = NoticeServed { notice, to: hal.party, works: vec![work], uses: Scope::Any };
    cast.scene(act.clone(), &["aki", "beni", "agent for aki", "kumi for aki"]);
    let notice = cast.stage.id();
    cast.stage.ok(&beni, NoticeServed { notice, ..act });
    cast.scene(NoticeAnswered { notice }, &["hal"]);
    cast.scene(NoticeClosed { notice }, &["beni"]);

    let (declaration, model, manifest) = (cast.stage.id(), cast.stage.model(&hal), digest());
    let act = DeclarationMade { declaration, model, uses: Scope::Any, manifest, items: 1 };
    cast.scene(act.clone(), &["hal"]);
    let declaration = cast.stage.id();
    cast.stage.ok(&hal, DeclarationMade { declaration, ..act });
    cast.scene(DeclarationCorrected { declaration, manifest, items: 2 }, &["hal"]);
    let document = cast.stage.id();
    cast.scene(
        DocumentFiled { document, digest: digest(), entry: 3 },
        &["registrar", "aki", "beni", "chie", "kumi", "agent", "hal", "ivy", "audit"],
    );
    let inquiry = cast.stage.id();
    let act = InquiryOpened {
        inquiry,
        auditor: audit.party,
        works: Scope::Only(vec![work]),
        parties: Scope::Only(vec![hal.party]),
        from: From::At(0),
        until: Until::Open,
        expires_ms: cast.stage.now + 9 * DAY_MS,
    };
    cast.scene(act.clone(), &["registrar", "audit"]);
    let (registrar, inquiry) = (cast.stage.alone.clone(), cast.stage.id());
    cast.stage.ok(&registrar, InquiryOpened { inquiry, ..act });
    cast.scene(InquiryClosed { inquiry }, &["registrar", "audit"]);
    // The moment up to which the request waited.
    cast.stage.now += DAY_MS;
}

/// All scenes, on one stage.
pub(super) fn full() -> Cast {
    let mut cast = cast();
    registry_scenes(&mut cast);
    party_scenes(&mut cast);
    work_scenes(&mut cast);
    holding_scenes(&mut cast);
    consent_scenes(&mut cast);
    later_scenes(&mut cast);
    // What lies in the future of nothing else: the scenes that were made before time moved.
    for scene in &mut cast.scenes {
        if let Act::RequestMade(act) = &mut scene.act {
            act.answer_by_ms += DAY_MS;
        }
    }
    let size = cast.stage.index.size();
    for scene in &mut cast.scenes {
        if let Act::LogContinued(act) = &mut scene.act {
            act.size = size;
        }
    }
    cast
}

#[test]
fn every_act_is_admitted_for_those_who_may_and_refused_for_everybody_else() {
    let mut cast = full();
    let mut wrong = Vec::new();
    let actors = cast.actors.clone();
    for Scene { act, may } in std::mem::take(&mut cast.scenes) {
        for name in may {
            assert!(actors.iter().any(|(known, _)| known == name), "nobody is called {name}");
        }
        for (name, actor) in &actors {
            let admitted = cast.stage.would(actor, &act);
            match (&admitted, may.contains(name)) {
                (Ok(readers), true) => {
                    assert!(readers.contains(&actor.party), "{name}: {act:?}");
                    assert!(actor.on_behalf_of.is_none_or(|org| readers.contains(&org)), "{name}: {act:?}");
                    assert!(readers.is_sorted_by(|a, b| a < b), "{name}: {act:?}");
                }
                (Err(refusals), false) => {
                    assert!(!refusals.is_empty(), "{name}: {act:?}");
                    assert!(!refusals.iter().any(Refusal::is_second_person_required), "{name}: {act:?}");
                }
                (Ok(_), false) => wrong.push(format!("{name} was let {act:?}")),
                (Err(refusals), true) => wrong.push(format!("{name} was not let {act:?}: {refusals:?}")),
            }
        }
        // What is admitted can be folded.
        if let Some(name) = may.first() {
            let actor = cast.actor(name);
            let savepoint = cast.stage.index.savepoint();
            let command = Stage::command(&actor, vec![act.clone()]);
            let salt = || kyodaku::domain::entry::Salt([1; 16]);
            let recorded =
                kyodaku::domain::command::record(&mut cast.stage.index, &command, cast.stage.now, salt);
            if let Err(refusals) = recorded {
                wrong.push(format!("{act:?} can't be folded: {refusals:?}"));
            }
            cast.stage.index.undo(savepoint);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_act_is_tried() {
    let tried: BTreeSet<_> = full().scenes.iter().map(|scene| scene.act.code()).collect();
    let known: BTreeSet<_> = Act::CODES.iter().copied().collect();
    assert_eq!(tried, known);
}

/// The acts marked **2**, for the registrar.
const TWO: &[&str] = &[
    "settings.changed",
    "assertions.confirmed",
    "assertions.rejected",
    "roster.declared",
    "roster.same_as_parent",
    "layers.declared",
    "link.removed",
    "payload.erased",
    "works.merged",
    "dispute.settled",
];

#[test]
fn two_persons_are_needed_for_exactly_the_acts_that_say_so() {
    let mut cast = full();
    let scenes = std::mem::take(&mut cast.scenes);
    let alone = cast.stage.alone.clone();
    let mut needed = BTreeSet::new();
    for Scene { act, may } in scenes.iter().filter(|scene| scene.may.contains(&"registrar")) {
        match cast.stage.would(&alone, act) {
            Ok(_) => assert!(!TWO.contains(&act.code()), "one person was enough for {act:?}"),
            Err(refusals) => {
                let codes: Vec<_> = refusals.iter().map(|r| (r.code, r.pointer.as_str())).collect();
                assert_eq!(codes, [("second_person_required", "")], "{may:?}: {act:?}");
                needed.insert(act.code());
            }
        }
    }
    assert_eq!(needed, TWO.iter().copied().collect());

    // The same person twice is one person.
    let twice = alone.by(&[alone.by[0], alone.by[0]]);
    for scene in scenes.iter().filter(|scene| scene.may == REGISTRAR) {
        let refusals = cast.stage.would(&twice, &scene.act).unwrap_err();
        assert_eq!(refusals.iter().map(|r| r.code).collect::<Vec<_>>(), ["bad_persons"]);
    }

    // Once the setting is off, one is enough.
    let registrar = cast.stage.registrar.clone();
    cast.stage.ok(&registrar, SettingsChanged { second_person: false });
    for Scene { act, .. } in scenes.iter().filter(|scene| scene.may.contains(&"registrar")) {
        assert!(cast.stage.would(&alone, act).is_ok(), "{act:?}");
    }
}

#[test]
fn an_agent_needs_the_power_that_the_act_names() {
    let cast = full();
    let aki = cast.actor("aki");
    // What an agent with every power may, it may with the right one of them alone.
    let expected = |code: &str| match code {
        "grant.recorded" => Some(Power::Grant),
        "grant.revoked" => Some(Power::Revoke),
        "denial.recorded" | "denial.withdrawn" => Some(Power::Deny),
        "reservation.recorded" | "reservation.withdrawn" | "notice.served" => Some(Power::Notice),
        "offer.published" | "request.answered" => Some(Power::Answer),
        "holding.relinquished" | "transfer.offered" | "transfer.accepted" => Some(Power::Transfer),
        code if ["work.", "holding.", "binding.", "layer.", "layers.", "part.", "roster."]
            .iter()
            .any(|start| code.starts_with(start)) =>
        {
            Some(Power::Register)
        }
        _ => None,
    };
    for power in POWERS {
        let mut cast = full();
        let single = cast.stage.org(&[Role::RightsHolder]);
        cast.stage.mandate(&aki, &single, Scope::Any, &[*power]);
        let single = single.for_(&aki);
        let scenes = std::mem::take(&mut cast.scenes);
        for Scene { act, .. } in scenes.iter().filter(|scene| scene.may.contains(&"agent for aki")) {
            let is_let = cast.stage.would(&single, act).is_ok();
            assert_eq!(is_let, expected(act.code()) == Some(*power), "{power:?}: {act:?}");
        }
    }
}
