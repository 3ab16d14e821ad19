//! The figures of this registry, one plain program that prints them as a table.
//!
//! `cargo bench --bench table -- 1000000` folds that many works (one holding and two identifiers each, 30% granted, 10%
//! denied) and asks about them in random order: 40% identifiers, 30% URLs, 20% SHA-256, 10% work ids; 20% of the keys are
//! unknown. Rates are per second of this process' CPU time on one thread.
//!
//! A second number is how many works the served registries hold (20,000 when it is left out), which are asked over HTTP: one
//! on embedded SQLite, and where `DATABASE_URL` names an empty PostgreSQL database, one on that.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a program that measures, and stops where it can't"
)]

#[path = "table/http.rs"]
mod http;

use std::hint::black_box;

use kyodaku::clock::stopwatch;
use kyodaku::domain::act::{
    Act, AssertionsConfirmed, Binding, Covers, DenialRecorded, GrantRecorded, Holding, LogOpened,
    OrgRegistered, OrgVerified, Revocable, Role, RulesActivated, WorkKind, WorkRegistered,
};
use kyodaku::domain::decide::decide;
use kyodaku::domain::decision::Verdict;
use kyodaku::domain::entry::{ENTRY_VERSION, Entry, Salt};
use kyodaku::domain::ids::{DenialId, GrantId, Id, OrgId, WorkId};
use kyodaku::domain::index::Index;
use kyodaku::domain::key::{Key, Sha256, SubjectKey};
use kyodaku::domain::question::Question;
use kyodaku::domain::scope::{From, Scope, Until};
use kyodaku::domain::uses::Use;

const QUESTIONS: usize = 1_000_000;
const AT_MS: i64 = 1_750_000_000_000;

/// A small generator of numbers: the same run asks the same questions.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

struct World {
    index: Index,
    ids: Numbers,
    registrar: OrgId,
    holder: OrgId,
    developer: OrgId,
    works: Vec<WorkId>,
}

impl World {
    fn fold(&mut self, party: OrgId, act: impl Into<Act>) {
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

    fn open() -> Self {
        let mut ids = Numbers(0x9E37_79B9_7F4A_7C15);
        let mut org = || OrgId::new(uuid::Uuid::from_u64_pair(ids.next(), ids.next()));
        let (registry, registrar, holder, developer) = (org(), org(), org(), org());
        let mut world = Self { index: Index::new(), ids, registrar, holder, developer, works: Vec::new() };
        world.fold(registry, LogOpened { origin: "bench.example/log".into(), registry, continues: None });
        world.fold(registry, RulesActivated { version: 1 });
        for (org, role) in
            [(registrar, Role::Registrar), (holder, Role::RightsHolder), (developer, Role::AiDeveloper)]
        {
            world.fold(registry, OrgRegistered { org, roles: vec![role] });
            world.fold(registry, OrgVerified { org, evidence: None });
        }
        world
    }

    fn register(&mut self, number: u64) {
        let mut ids = || uuid::Uuid::from_u64_pair(self.ids.next(), self.ids.next());
        let Entered { registered, confirmed, answered } =
            entered(&mut ids, number, self.holder, self.developer);
        let work = registered.work;
        self.fold(self.holder, registered);
        self.fold(self.registrar, confirmed);
        if let Some(answered) = answered {
            self.fold(self.holder, answered);
        }
        self.works.push(work);
    }
}

/// The acts by which one work comes to be asked about.
struct Entered {
    registered: WorkRegistered,
    confirmed: AssertionsConfirmed,
    /// Three in ten are granted, one is denied.
    answered: Option<Act>,
}

fn entered(ids: &mut impl FnMut() -> uuid::Uuid, number: u64, holder: OrgId, developer: OrgId) -> Entered {
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
fn asked(numbers: &mut Numbers, works: &[WorkId]) -> SubjectKey {
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

fn questions(world: &mut World) -> Vec<Question> {
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

/// Bytes that this process holds in memory, from `/proc`; 0 where there is none.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}

fn row(what: &str, figure: &str) {
    println!("| {what:<58} | {figure:>18} |");
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (works, served): (u64, u64) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(20_000));
    row("what", "figure");
    let before = resident_bytes();
    let mut world = World::open();
    let watch = stopwatch();
    for number in 0..works {
        world.register(number);
    }
    let folding = watch.elapsed().as_secs_f64();
    row("works", &works.to_string());
    row("entries", &world.index.size().to_string());
    row("entries made and folded a second", &format!("{:.0}", world.index.size() as f64 / folding));
    row("bytes a work in memory", &format!("{:.0}", (resident_bytes() - before) as f64 / works as f64));

    let questions = questions(&mut world);
    let size = world.index.size();
    let watch = stopwatch();
    let mut permitted = 0_u64;
    for question in &questions {
        let decision = decide(&world.index, size, AT_MS, black_box(question));
        permitted += u64::from(decision.verdict() == Verdict::Permitted);
    }
    let deciding = watch.elapsed().as_secs_f64();
    row("questions, of which permitted", &format!("{QUESTIONS} / {permitted}"));
    row("decisions a second, in process, one thread", &format!("{:.0}", QUESTIONS as f64 / deciding));

    http::figures("SQLite", "sqlite:FOLDER/bench.db", served);
    if let Ok(url) = std::env::var("DATABASE_URL") {
        http::figures("PostgreSQL", &url, served);
    }
}
