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
use smallvec::smallvec;

pub(crate) const AT_MS: i64 = 1_750_000_000_000;

/// A small generator of numbers: the same run asks the same questions.
pub(crate) struct Numbers(u64, u128);

impl Numbers {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed, 0)
    }

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
    /// Entries that are made and not folded yet.
    made: Vec<Entry>,
    ids: Numbers,
    registrar: OrgId,
    holders: [OrgId; 3],
    pub(crate) developer: OrgId,
    pub(crate) works: Vec<WorkId>,
}

impl World {
    fn make<A: Into<Act>>(&mut self, party: OrgId, act: A) {
        self.made.push(Entry {
            v: ENTRY_VERSION,
            at_ms: AT_MS,
            party,
            on_behalf_of: None,
            by: Vec::new(),
            parties: Vec::new(),
            act: act.into(),
            payload: None,
            salt: Salt([0; 16]),
        });
    }

    /// Folds what was made.
    pub(crate) fn fold(&mut self) {
        for (at, entry) in (self.index.size()..).zip(&self.made) {
            self.index.fold(at, entry).expect("the bench folds what it can fold");
            self.index.keep();
        }
    }

    /// Forgets what was folded, and the memory that it took, which is not the index's.
    pub(crate) fn forget(&mut self) {
        self.made = Vec::new();
    }

    pub(crate) fn open() -> Self {
        let mut ids = Numbers::new(0x9E37_79B9_7F4A_7C15);
        let mut org = || OrgId::new(uuid::Uuid::from_u64_pair(ids.next(), ids.next()));
        let (registry, registrar, developer) = (org(), org(), org());
        let holders = [org(), org(), org()];
        let mut world = Self {
            index: Index::new(),
            made: Vec::new(),
            ids,
            registrar,
            holders,
            developer,
            works: Vec::new(),
        };
        world.make(registry, LogOpened { origin: "bench.example/log".into(), registry, continues: None });
        world.make(registry, RulesActivated { version: 1 });
        let holders = holders.map(|holder| (holder, Role::RightsHolder));
        for (org, role) in
            [(registrar, Role::Registrar), (developer, Role::AiDeveloper)].into_iter().chain(holders)
        {
            world.make(registry, OrgRegistered { org, roles: vec![role] });
            world.make(registry, OrgVerified { org, evidence: None });
        }
        world.fold();
        world.forget();
        world
    }

    /// A registry of so many works, folded.
    #[cfg(feature = "rivals")]
    pub(crate) fn of(works: u64) -> Self {
        let mut world = Self::open();
        (0..works).for_each(|number| world.register(number));
        world.fold();
        world.forget();
        world
    }

    /// So many questions: the same ones in each run.
    pub(crate) fn questions(&self, count: usize) -> Vec<Question> {
        let mut numbers = Numbers::new(0x2545_F491_4F6C_DD1D);
        let mut question = || Question {
            developer: self.developer,
            model: None,
            uses: smallvec![Use::TrainGenerative],
            territory: None,
            subject: smallvec![asked(&mut numbers, &self.works)],
            with_parts: false,
        };
        (0..count).map(|_| question()).collect()
    }

    /// How many of these questions are permitted here.
    #[cfg(feature = "rivals")]
    pub(crate) fn permitted(&self, questions: &[Question]) -> usize {
        let (index, size) = (&self.index, self.index.size());
        let answers = kyodaku::domain::decide::answers(index, size, AT_MS, questions.iter());
        answers.filter(|it| it.verdict() == kyodaku::domain::decision::Verdict::Permitted).count()
    }

    /// What a verdict on this work rests on.
    #[cfg(feature = "rivals")]
    pub(crate) fn facts(&self, number: usize) -> Facts {
        let is_granted = |number: usize| number % 10 < 3;
        let layers = if is_layered(number as u64) { number.saturating_sub(2)..number } else { 0..0 };
        Facts {
            granted: is_granted(number),
            denied: number % 10 == 3,
            layers: layers.map(is_granted).collect(),
        }
    }

    /// All keys of this work.
    pub(crate) fn keys(&self, number: usize) -> impl Iterator<Item = SubjectKey> {
        let keys = keys(number as u64).map(SubjectKey::Key);
        keys.into_iter().chain([SubjectKey::work(self.works[number])])
    }

    /// Makes everything that is recorded of one work.
    pub(crate) fn register(&mut self, number: u64) {
        let ids = &mut self.ids;
        let mut ids = || id_of(ids);
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
        self.make(first, registered);
        self.make(self.registrar, confirmed);
        if let Some(answered) = answered {
            self.make(first, answered);
        }
        for (holder, act) in more {
            self.make::<Act>(holder, act);
        }
        self.works.push(work);
    }
}

/// An id as this registry makes them: the time, and chance that ascends.
fn id_of(numbers: &mut Numbers) -> uuid::Uuid {
    let step = u128::from(numbers.next() >> 16);
    numbers.1 += 1 + step;
    let (high, low) = (numbers.1 >> 62, numbers.1 & ((1 << 62) - 1));
    uuid::Uuid::from_u128(
        u128::from(AT_MS.cast_unsigned()) << 80 | 7 << 76 | (high & 0xfff) << 64 | 2 << 62 | low,
    )
}

/// One in twenty has three holders.
const fn is_shared(number: u64) -> bool {
    (number / 10).is_multiple_of(20)
}

/// One in twenty incorporates two others, which incorporate nothing.
const fn is_layered(number: u64) -> bool {
    (number / 10 + number) % 20 == 7
}

/// What a verdict on a work of this table rests on.
#[cfg(feature = "rivals")]
#[derive(Clone)]
pub(crate) struct Facts {
    /// Whether every holder has granted it.
    pub(crate) granted: bool,
    /// Whether one has denied it.
    pub(crate) denied: bool,
    /// Whether each of its layers is granted.
    pub(crate) layers: Vec<bool>,
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
    let bindings: Vec<Binding> =
        keys(number).into_iter().map(|key| Binding { binding: Id::new(ids()), key }).collect();
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

/// The two keys of a work, besides its name here.
fn keys(number: u64) -> [Key; 2] {
    [identifier(number), if number.is_multiple_of(2) { address(number) } else { content(number) }]
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
