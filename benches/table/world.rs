//! The registry that is measured, and what is asked of it.

use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Covers, DenialRecorded, GrantRecorded, Holding, LayersDeclared,
    LogOpened, OrgRegistered, OrgVerified, Revocable, Role, RosterDeclared, RulesActivated, Tie, WorkKind,
    WorkRegistered,
};
use kyodaku::domain::entry::{ENTRY_VERSION, Entry, Salt};
use kyodaku::domain::ids::{DenialId, GrantId, Id, OrgId, WorkId};
use kyodaku::domain::index::Index;
use kyodaku::domain::key::{Key, Sha256, SubjectKey};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::Use;

pub(crate) const QUESTIONS: usize = 1_000_000;
pub(crate) const AT_MS: i64 = 1_750_000_000_000;

/// A small generator of numbers: the same run asks the same questions.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

pub(crate) struct World {
    pub(crate) index: Index,
    ids: Numbers,
    registrar: OrgId,
    holders: [OrgId; 3],
    pub(crate) developer: OrgId,
    pub(crate) works: Vec<WorkId>,
}

impl World {
    fn fold<A: Into<Act>>(&mut self, party: OrgId, act: A) {
        let at = self.index.size();
        let entry = Entry {
            v: ENTRY_VERSION,
            at_ms: AT_MS,
            party,
            on_behalf_of: None,
            by: Vec::new(),
            parties: Vec::new(),
            act: act.into(),
            payload: None,
            salt: Salt([0; 16]),
        };
        self.index.fold(at, &entry).expect("the bench folds what it can fold");
        self.index.keep();
    }

    pub(crate) fn open() -> Self {
        let mut ids = Numbers(0x9E37_79B9_7F4A_7C15);
        let mut org = || OrgId::new(uuid::Uuid::from_u64_pair(ids.next(), ids.next()));
        let (registry, registrar, developer) = (org(), org(), org());
        let holders = [org(), org(), org()];
        let mut world = Self { index: Index::new(), ids, registrar, holders, developer, works: Vec::new() };
        world.fold(registry, LogOpened { origin: "bench.example/log".into(), registry, continues: None });
        world.fold(registry, RulesActivated { version: 1 });
        let holders = holders.map(|holder| (holder, Role::RightsHolder));
        for (org, role) in
            [(registrar, Role::Registrar), (developer, Role::AiDeveloper)].into_iter().chain(holders)
        {
            world.fold(registry, OrgRegistered { org, roles: vec![role] });
            world.fold(registry, OrgVerified { org, evidence: None });
        }
        world
    }

    /// Everything that is recorded of one work.
    pub(crate) fn register(&mut self, number: u64) {
        let mut ids = || uuid::Uuid::from_u64_pair(self.ids.next(), self.ids.next());
        let [first, others @ ..] = self.holders;
        let Entered { mut registered, mut confirmed, answered } =
            entered(&mut ids, number, first, self.developer);
        let mut more = Vec::new();
        if is_shared(number) {
            for holder in others {
                let holding = Id::new(ids());
                registered.holders.push(Holding { holding, holder });
                confirmed.holdings.push(holding);
                more.push((holder, RosterDeclared { work: registered.work }.into()));
                more.push((holder, LayersDeclared { work: registered.work }.into()));
                // Each holder permits for itself; one denial is enough.
                if let Some(Act::GrantRecorded(_)) = answered {
                    more.push((holder, grant(Id::new(ids()), registered.work, self.developer).into()));
                }
            }
        }
        if is_layered(number) {
            let layers = self.works.iter().rev().take(2);
            registered.layers = layers.map(|work| Tie { link: Id::new(ids()), work: *work }).collect();
        }
        let work = registered.work;
        self.fold(first, registered);
        self.fold(self.registrar, confirmed);
        if let Some(answered) = answered {
            self.fold(first, answered);
        }
        for (holder, act) in more {
            self.fold::<Act>(holder, act);
        }
        self.works.push(work);
    }
}

/// One in twenty has three holders.
const fn is_shared(number: u64) -> bool {
    (number / 10).is_multiple_of(20)
}

/// One in twenty incorporates two others, which incorporate nothing.
const fn is_layered(number: u64) -> bool {
    (number / 10 + number) % 20 == 7
}

/// The acts by which one work comes to be asked about.
pub(crate) struct Entered {
    pub(crate) registered: WorkRegistered,
    pub(crate) confirmed: AssertionsConfirmed,
    /// Three in ten are granted, one is denied.
    pub(crate) answered: Option<Act>,
}

pub(crate) fn entered(
    ids: &mut impl FnMut() -> uuid::Uuid,
    number: u64,
    holder: OrgId,
    developer: OrgId,
) -> Entered {
    let keys = [identifier(number), if number.is_multiple_of(2) { address(number) } else { content(number) }];
    let bindings: Vec<Binding> =
        keys.into_iter().map(|key| Binding { binding: Id::new(ids()), key }).collect();
    let holders = vec![Holding { holding: Id::new(ids()), holder }];
    let work = WorkId::new(ids());
    let confirmed = AssertionsConfirmed {
        holdings: holders.iter().map(|it| it.holding).collect(),
        bindings: bindings.iter().map(|it| it.binding).collect(),
        evidence: Sha256([0; 32]),
    };
    let registered = WorkRegistered {
        work,
        kind: WorkKind::Audiovisual,
        holders,
        roster_complete: true,
        layers: Vec::new(),
        layers_complete: true,
        part_of: Vec::new(),
        bindings,
    };
    let answered = match number % 10 {
        0..3 => Some(grant(Id::new(ids()), work, developer).into()),
        3 => Some(denial(Id::new(ids()), work).into()),
        _ => None,
    };
    Entered { registered, confirmed, answered }
}

fn denial(denial: DenialId, work: WorkId) -> DenialRecorded {
    DenialRecorded {
        denial,
        work,
        parts: None,
        uses: None,
        developers: None,
        models: None,
        territories: None,
        from: None,
        until: None,
    }
}

fn grant(id: GrantId, work: WorkId, developer: OrgId) -> GrantRecorded {
    GrantRecorded {
        grant: id,
        work,
        covers: Covers::Work,
        as_layer_of: Scope::Any,
        by_location: false,
        uses: Scope::Only(vec![Use::TrainGenerative]),
        developers: Scope::Only(vec![developer]),
        models: Scope::Any,
        territories: Scope::Any,
        from: From::OnRecord,
        until: Until::Open,
        revocable: Revocable::NoticeMs(0),
        conditions: Vec::new(),
        terms: None,
        request: None,
    }
}

fn identifier(number: u64) -> Key {
    Key::identifier("catalogue", &number.to_string()).expect("a number is an identifier")
}

fn address(number: u64) -> Key {
    Key::url(&format!("https://works.example/title/{number}")).expect("it is an address")
}

fn content(number: u64) -> Key {
    Key::sha256(Sha256::of(&number.to_be_bytes()))
}

/// A key in the mix that is asked, of one of these works or of none.
pub(crate) fn asked(numbers: &mut Numbers, works: &[WorkId]) -> SubjectKey {
    let count = works.len() as u64;
    let known = numbers.below(count);
    // One key in five is of no registered work.
    let number = if numbers.below(5) == 0 { count + known } else { known };
    match numbers.below(10) {
        0..4 => SubjectKey::Key(identifier(number)),
        4..7 => SubjectKey::Key(address(number & !1)),
        7..9 => SubjectKey::Key(content(number | 1)),
        _ => SubjectKey::work(works[known as usize]),
    }
}

pub(crate) fn questions(world: &mut World) -> Vec<Question> {
    let mut questions = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let key = asked(&mut world.ids, &world.works);
        questions.push(Question {
            developer: world.developer,
            model: None,
            uses: vec![Use::TrainGenerative],
            territory: None,
            subject: vec![key],
            with_parts: false,
        });
    }
    questions
}
