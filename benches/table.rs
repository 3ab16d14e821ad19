//! The figures of this registry, one plain program that prints them as a table.
//!
//! `cargo bench --bench table -- 1000000` folds that many works (two keys each, 30% granted, 10% denied, 5% with three
//! holders, 5% with two layers) and asks about them in random order: 40% identifiers, 30% URLs, 20% SHA-256, 10% work ids;
//! 20% of the keys are unknown. Entries and questions are made before the clocks run. Rates are per second of the CPU time of
//! one thread.
//!
//! A log of at most 100,000 works, each registered, confirmed and granted by the rules, is verified offline, beside the tree of
//! `ct-merkle` over the same entries. Proofs are made and verified beside `ct-merkle` and `tlog_tiles`.
//!
//! A second number is how many works the served registries hold (20,000 when it is left out, none with 0), which are asked
//! over HTTP: one on embedded SQLite, and where `DATABASE_URL` names an empty PostgreSQL database, one on that.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a program that measures, and stops where it can't"
)]

#[path = "table/client.rs"]
mod client;
#[path = "table/http.rs"]
mod http;
#[path = "table/offline.rs"]
mod offline;
#[path = "table/proofs.rs"]
mod proofs;
#[cfg(feature = "rivals")]
#[path = "table/rivals.rs"]
mod rivals;
#[path = "table/world.rs"]
mod world;

use std::cell::Cell;
use std::hint::black_box;

use kyodaku::clock::stopwatch;
use kyodaku::domain::decide::{answers, decide};
use kyodaku::domain::decision::Verdict;
use kyodaku::domain::ids::WorkId;
use kyodaku::domain::key::SubjectKey;
use kyodaku::domain::question::Question;
use kyodaku::log::merkle::{EMPTY_ROOT, Frontier};
use kyodaku::registry::snapshot;
use world::{AT_MS, Entered, Numbers, World, asked, entered};

const QUESTIONS: usize = 1_000_000;

/// Bytes that this process holds in memory, from `/proc`; 0 where there is none.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}

pub(crate) fn row(what: &str, figure: &str) {
    println!("| {what:<66} | {figure:>18} |");
}

/// The CPU time of this thread; where the system does not tell it, the time that went by.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: Option<u64> = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| stopwatch().duration_since(*START).as_secs_f64(), |nanos| nanos as f64 / 1e9)
}

/// The CPU time of another process; 0 where the system does not tell it.
#[cfg(feature = "rivals")]
pub(crate) fn cpu_seconds_of(process: i32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/schedstat")).unwrap_or_default();
    stat.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).map_or(0.0, |nanos| nanos as f64 / 1e9)
}

static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(stopwatch);

/// How fast all questions are answered: in one batch, with and without the whole decision, and one by one.
fn decisions(world: &World) {
    let questions = world.questions(QUESTIONS);
    let (index, size) = (&world.index, world.index.size());
    let first = Cell::new(0.0);
    let rate = |what: &str, permitted: &dyn Fn() -> u64| {
        let begun = cpu_seconds();
        let permitted = permitted();
        let figure = QUESTIONS as f64 / (cpu_seconds() - begun);
        row(what, &format!("{figure:.0}"));
        if first.get() == 0.0 {
            first.set(figure);
        }
        permitted
    };
    let is_permitted = |verdict| u64::from(verdict == Verdict::Permitted);
    let ask = || answers(index, size, AT_MS, black_box(questions.iter()));
    let found = [
        rate("verdicts a second, in one batch", &|| {
            ask().map(|answer| is_permitted(black_box(answer).verdict())).sum()
        }),
        rate("whole decisions a second, in one batch", &|| {
            ask().map(|answer| is_permitted(black_box(answer.decision()).verdict())).sum()
        }),
        rate("whole decisions a second, one by one", &|| {
            let decide = |question| decide(index, size, AT_MS, black_box(question));
            questions.iter().map(|question| is_permitted(decide(question).verdict())).sum()
        }),
    ];
    assert!(found.iter().all(|permitted| *permitted == found[0]), "all ways lead to the same answers");
    row("questions, of which permitted", &format!("{QUESTIONS} / {}", found[0]));
    bare(world, &questions, first.get());
    #[cfg(feature = "rivals")]
    rivals::figures(world, &questions, first.get());
}

/// A table that knows nothing but the verdict of each key, by 128 bits of its digest: what any answer costs at least.
fn bare(world: &World, questions: &[Question], ours: f64) {
    let fingerprint = |key: &SubjectKey| match key {
        SubjectKey::Work(key) => key.id.uuid().as_u128(),
        SubjectKey::Key(key) => key.fingerprint(),
    };
    let asked: Vec<u128> = questions.iter().map(|question| fingerprint(&question.subject[0])).collect();
    let table: hashbrown::HashMap<u128, u8> = (0..world.works.len())
        .flat_map(|number| world.keys(number))
        .map(|key| (fingerprint(&key), 1))
        .collect();
    let begun = cpu_seconds();
    let known: u64 =
        asked.iter().filter_map(|key| table.get(black_box(key))).map(|known| u64::from(*known)).sum();
    let rate = asked.len() as f64 / (cpu_seconds() - begun);
    row("a bare table of digests: look-ups a second", &format!("{rate:.0}"));
    row("verdicts by look-ups of a bare table", &format!("{:.2}", ours / rate));
    black_box(known);
}

/// The most works of the log that is verified offline.
const OFFLINE: u64 = 100_000;

/// How many works are made before they are folded.
const CHUNK: u64 = 1_000;

/// A registry of so many works, folded; and the figures of folding.
fn folded(works: u64) -> World {
    let before = resident_bytes();
    let mut world = World::open();
    let mut folding = 0.0;
    for first in (0..works).step_by(CHUNK as usize) {
        (first..works.min(first + CHUNK)).for_each(|number| world.register(number));
        let begun = cpu_seconds();
        world.fold();
        folding += cpu_seconds() - begun;
        world.forget();
    }
    row("works", &works.to_string());
    row("entries", &world.index.size().to_string());
    row("entries folded a second", &format!("{:.0}", world.index.size() as f64 / folding));
    // The ids of the works, of which the questions are made, are no part of the index.
    let own = (world.works.capacity() * size_of::<WorkId>()) as u64;
    let bytes = resident_bytes().saturating_sub(before + own);
    row("bytes a work in memory", &format!("{:.0}", bytes as f64 / works as f64));
    world
}

/// How long a start from a snapshot takes.
fn snapshot(world: &World) {
    let folder = tempfile::tempdir().expect("a folder");
    let size = world.index.size();
    // What the log's tree looks like does not matter here.
    let roots = (0..size.count_ones()).map(|_| EMPTY_ROOT).collect();
    let frontier = Frontier::from_roots(size, roots).expect("a root for each subtree");
    snapshot::write(folder.path(), &world.index, &frontier).expect("it is written");
    let bytes = folder.path().join(snapshot::FILE_NAME).metadata().expect("a file").len();
    let watch = stopwatch();
    let read = snapshot::read(folder.path()).expect("it is whole");
    row("seconds to start from a snapshot", &format!("{:.1}", watch.elapsed().as_secs_f64()));
    row("bytes a work in the snapshot", &format!("{:.0}", bytes as f64 / world.works.len() as f64));
    assert_eq!(read.0.size(), size, "the same log");
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    if std::env::args().nth(1).is_some_and(|argument| argument == "alone") {
        let mut next = |otherwise: u64| numbers.next().unwrap_or(otherwise);
        let [works, checks, items, at_once] = [2_000, 100, 1_000, 1].map(&mut next);
        http::alone(works, checks as usize, items as usize, at_once as usize);
        return;
    }
    let (works, served): (u64, u64) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(20_000));
    row("what", "figure");
    let world = folded(works);
    decisions(&world);
    snapshot(&world);
    drop(world);
    offline::figures(works.min(OFFLINE));
    proofs::figures();

    if served == 0 {
        return;
    }
    http::figures("SQLite", "sqlite:FOLDER/bench.db", served);
    if let Ok(url) = std::env::var("DATABASE_URL") {
        http::figures("PostgreSQL", &url, served);
    }
}
