//! The works of every sandbox: for each kind of answer one whose answer is always that.
//!
//! Names are made from constants, so that a test that is written against one sandbox is right on every other.

use uuid::Uuid;

use super::super::node::Registry;
use super::super::sequencer::{Body, Once, Submission, SubmitError};
use crate::domain::act::{
    Act, AssertionsConfirmed, Binding, ClaimMade, ClaimWithdrawn, Condition, Covers, DenialRecorded,
    DisputeOpened, GrantRecorded, GrantRevoked, Holding, LayersDeclared, OrgRegistered, OrgVerified,
    PersonAdded, ReservationForm, ReservationRecorded, ReservedSubject, Revocable, Role, RosterDeclared,
    Signal, Tie, WorkKind, WorkRegistered,
};
use crate::domain::ids::{GrantId, HoldingId, Id, Kind, OrgId, PersonId, WorkId};
use crate::domain::index::AsOf;
use crate::domain::key::{Key, Sha256, SubjectKey};
use crate::domain::payload::{Payload, Title};
use crate::domain::question::Question;
use crate::domain::scope::{From, Scope, Until};
use crate::domain::uses::Use;

/// Where the works lie: this, a slash, and the name.
pub const SITE: &str = "https://sandbox.example";
/// A question about this address is never answered: it gets what an outage gives.
pub const UNAVAILABLE: &str = "unavailable";
/// How far ahead the grant ends that has always ended, in milliseconds: no grant begins in the past.
const EXPIRES_IN_MS: i64 = 10_000;

/// A work, and what a question about it is always answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Magic {
    /// The last part of its address; its content is the text `kyodaku sandbox: ` and this.
    pub name: &'static str,
    /// The first reason, or `granted`.
    pub answer: &'static str,
}

/// All of them. Their place in the list is part of their names: only ever add at the end.
pub const WORKS: [Magic; 11] = [
    Magic { name: "granted", answer: "granted" },
    Magic { name: "denied", answer: "denied" },
    Magic { name: "half-granted", answer: "partly_granted" },
    Magic { name: "granted-by-both", answer: "granted" },
    Magic { name: "search-only", answer: "use_not_covered" },
    Magic { name: "revoked", answer: "revoked" },
    Magic { name: "expired", answer: "expired" },
    Magic { name: "opted-out", answer: "no_grant" },
    Magic { name: "unconfirmed", answer: "holder_unconfirmed" },
    Magic { name: "disputed", answer: "disputed" },
    Magic { name: "layer-denied", answer: "layer_not_permitted" },
];

/// The parties of the acts.
const STUDIO: u32 = 1;
const PARTNER: u32 = 2;
const CLAIMANT: u32 = 3;
const REGISTRAR: u32 = 4;

/// The `n`th thing of its kind: a UUIDv7 of the year 2000, with the kind's prefix in place of randomness.
fn nth<K: Kind>(n: u32) -> Id<K> {
    let kind = K::PREFIX.bytes().fold(0_u128, |all, letter| all << 8 | u128::from(letter));
    Id::new(Uuid::from_u128(0x00dc_6acf_ac00_7000_8000_0000_0000_0000 | kind << 32 | u128::from(n)))
}

/// The address of a name.
pub fn address(name: &str) -> String {
    format!("{SITE}/{name}")
}

/// The hash of the content of a name.
pub fn content(name: &str) -> Sha256 {
    Sha256::of(format!("kyodaku sandbox: {name}").as_bytes())
}

/// The work of a name.
pub fn work(name: &str) -> Option<WorkId> {
    let at = WORKS.iter().position(|magic| magic.name == name)?;
    u32::try_from(at).ok().map(nth)
}

/// Whether the question is to be answered as in an outage.
pub(in crate::registry) fn is_unavailable(question: &Question) -> bool {
    let is_it = |key: &SubjectKey| matches!(key, SubjectKey::Key(Key::Url { value }) if *value == address(UNAVAILABLE));
    question.subject.iter().any(is_it)
}

/// A step of making them: who, by how many persons, and what.
struct Step {
    name: &'static str,
    party: OrgId,
    by: Vec<PersonId>,
    acts: Vec<(Act, Option<Payload>)>,
}

impl Step {
    fn of(name: &'static str, party: u32, acts: Vec<(Act, Option<Payload>)>) -> Self {
        // Confirming needs two persons of the registrar.
        let by = (0..if party == REGISTRAR { 2 } else { 1 }).map(|n| person(party, n)).collect();
        Self { name, party: nth(party), by, acts }
    }

    fn without_payloads(name: &'static str, party: u32, acts: Vec<Act>) -> Self {
        Self::of(name, party, acts.into_iter().map(|act| (act, None)).collect())
    }
}

fn person(party: u32, n: u32) -> PersonId {
    nth(party * 10 + n)
}

/// Makes the works, each step once, however often it is interrupted.
pub(super) async fn seed(registry: &Registry) -> Result<(), SubmitError> {
    let installation = registry.installation().unwrap_or(nth(0));
    for step in steps(installation, registry.moment_ms()) {
        let digest = Sha256::of(step.name.as_bytes()).0;
        let once = Once { key: format!("sandbox-{}", step.name), operation: "sandbox", digest };
        let submission = Submission {
            party: step.party,
            on_behalf_of: None,
            by: step.by,
            acts: step.acts,
            once: Some(once),
            body: Body::none(),
            accounts: Vec::new(),
            unchanged: None,
        };
        registry.submit(submission).await?;
    }
    Ok(())
}

/// Whether the last step was taken.
pub(super) fn is_seeded(now: AsOf<'_>) -> bool {
    now.index.grants.find(last()).is_some()
}

/// The grant of the last step.
fn last() -> GrantId {
    nth(1_000)
}

fn steps(installation: OrgId, now_ms: i64) -> Vec<Step> {
    let (one, other) = (person(REGISTRAR, 0), person(REGISTRAR, 1));
    let registrar = party(REGISTRAR, "Sandbox Registry（砂場登録機関）", Role::Registrar, &[one, other]);
    let registrar = Step { name: "registrar", party: installation, by: Vec::new(), acts: registrar };
    let parties = Step { name: "parties", party: nth(REGISTRAR), by: vec![one], acts: parties() };
    let revoked = GrantRevoked { grant: grant_of("revoked", STUDIO), from: From::OnRecord };
    let claim = ClaimMade { claim: nth(1), work: of("disputed") };
    let dispute = DisputeOpened { dispute: nth(1), work: of("disputed"), claim: Some(nth(1)) };
    let last = GrantRecorded { grant: last(), ..grant("granted", STUDIO, Scope::Any, Until::Open) };
    vec![
        registrar,
        parties,
        Step::of("works", STUDIO, WORKS.iter().map(|magic| registered(magic.name)).collect()),
        Step::without_payloads("confirmed", REGISTRAR, confirmed()),
        Step::without_payloads("said", STUDIO, said(now_ms)),
        Step::without_payloads(
            "partner",
            PARTNER,
            vec![grant("granted-by-both", PARTNER, Scope::Any, Until::Open).into()],
        ),
        Step::without_payloads("claimed", CLAIMANT, vec![claim.into()]),
        Step::without_payloads("disputed", REGISTRAR, vec![dispute.into()]),
        Step::without_payloads("unclaimed", CLAIMANT, vec![ClaimWithdrawn { claim: nth(1) }.into()]),
        Step::without_payloads("revoked", STUDIO, vec![revoked.into(), last.into()]),
    ]
}

fn of(name: &str) -> WorkId {
    work(name).unwrap_or(nth(u32::MAX))
}

fn party(n: u32, name: &str, role: Role, people: &[PersonId]) -> Vec<(Act, Option<Payload>)> {
    let org = nth(n);
    let registered = OrgRegistered { org, roles: vec![role] };
    let mut acts: Vec<(Act, Option<Payload>)> =
        vec![(registered.into(), Some(Payload::Org { name: name.to_owned() }))];
    acts.push((OrgVerified { org, evidence: None }.into(), None));
    acts.extend(people.iter().map(|person| (PersonAdded { person: *person, org }.into(), None)));
    acts
}

fn parties() -> Vec<(Act, Option<Payload>)> {
    let holders = [
        (STUDIO, "Sandbox Studio（砂場スタジオ）"),
        (PARTNER, "Sandbox Partner（砂場パートナー）"),
        (CLAIMANT, "Sandbox Claimant（砂場の申立人）"),
    ];
    let entered = holders.map(|(n, name)| party(n, name, Role::RightsHolder, &[person(n, 0)]));
    entered.concat()
}

/// Who enters and verifies organizations in the sandbox.
pub(super) fn registrar() -> (OrgId, PersonId) {
    (nth(REGISTRAR), person(REGISTRAR, 0))
}

/// Whether both hold it.
fn is_shared(name: &str) -> bool {
    matches!(name, "half-granted" | "granted-by-both")
}

fn holding_of(name: &str, holder: u32) -> HoldingId {
    nth(number(name) * 10 + holder)
}

fn number(name: &str) -> u32 {
    u32::try_from(WORKS.iter().position(|magic| magic.name == name).unwrap_or_default()).unwrap_or_default()
}

fn bindings(name: &str) -> Vec<Binding> {
    let keys = [Key::Url { value: address(name) }, Key::Sha256 { value: content(name) }];
    (0..).zip(keys).map(|(at, key)| Binding { binding: nth(number(name) * 10 + at), key }).collect()
}

fn registered(name: &str) -> (Act, Option<Payload>) {
    let holders = [STUDIO, PARTNER].into_iter().take(if is_shared(name) { 2 } else { 1 });
    let layers =
        if name == "layer-denied" { vec![Tie { link: nth(1), work: of("denied") }] } else { Vec::new() };
    let act = WorkRegistered {
        work: of(name),
        kind: WorkKind::Comic,
        holders: holders
            .map(|holder| Holding { holding: holding_of(name, holder), holder: nth(holder) })
            .collect(),
        roster_complete: true,
        layers,
        layers_complete: true,
        part_of: Vec::new(),
        bindings: bindings(name),
    };
    let title = Title { text: format!("Sandbox: {name}"), lang: "en".to_owned(), reading: None };
    (act.into(), Some(Payload::Work { titles: vec![title], published: None }))
}

/// What the registrar confirms: all but one, and that the shared ones have no other holders and no layers.
fn confirmed() -> Vec<Act> {
    let names = || WORKS.iter().map(|magic| magic.name).filter(|name| *name != "unconfirmed");
    let both = [STUDIO, PARTNER];
    let holdings = names().flat_map(|name| {
        both.into_iter().take(if is_shared(name) { 2 } else { 1 }).map(move |holder| holding_of(name, holder))
    });
    let confirmed = AssertionsConfirmed {
        holdings: holdings.collect(),
        bindings: names().flat_map(bindings).map(|binding| binding.binding).collect(),
        evidence: Sha256::of(b"the sandbox"),
    };
    let declared = names().filter(|name| is_shared(name)).flat_map(|name| {
        let work = of(name);
        [RosterDeclared { work }.into(), LayersDeclared { work }.into()]
    });
    std::iter::once(confirmed.into()).chain(declared).collect()
}

fn grant_of(name: &str, holder: u32) -> GrantId {
    nth(number(name) * 10 + holder)
}

/// To everybody, anywhere, with any model.
fn grant(name: &str, holder: u32, uses: Scope<Use>, until: Until) -> GrantRecorded {
    GrantRecorded {
        grant: grant_of(name, holder),
        work: of(name),
        covers: Covers::Work,
        as_layer_of: Scope::Any,
        by_location: false,
        uses,
        developers: Scope::Any,
        models: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until,
        revocable: Revocable::NoticeMs(0),
        conditions: vec![Condition::Credit],
        terms: None,
        request: None,
    }
}

/// What the studio says of its works.
fn said(now_ms: i64) -> Vec<Act> {
    let granted = [
        "granted",
        "denied",
        "half-granted",
        "granted-by-both",
        "revoked",
        "unconfirmed",
        "disputed",
        "layer-denied",
    ];
    let mut acts: Vec<Act> = granted.map(|name| grant(name, STUDIO, Scope::Any, Until::Open).into()).to_vec();
    acts.push(grant("search-only", STUDIO, Scope::Only(vec![Use::Search]), Until::Open).into());
    acts.push(grant("expired", STUDIO, Scope::Any, Until::At(now_ms.saturating_add(EXPIRES_IN_MS))).into());
    let denial = DenialRecorded {
        denial: nth(1),
        work: of("denied"),
        parts: None,
        uses: None,
        developers: None,
        models: None,
        territories: None,
        from: None,
        until: None,
    };
    let reservation = ReservationRecorded {
        reservation: nth(1),
        subject: ReservedSubject::Work(of("opted-out")),
        form: ReservationForm::Notice,
        signal: Signal::Reserve,
        uses: Scope::Any,
        evidence: None,
    };
    acts.extend([denial.into(), reservation.into()]);
    acts
}
