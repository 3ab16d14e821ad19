//! The figures of this registry, one plain program that prints them as a table.
//!
//! `cargo bench --bench table -- 1000000` folds that many works (two keys each, 30% granted, 10% denied, 5% with three
//! holders, 5% with two layers) and asks about them in random order: 40% identifiers, 30% URLs, 20% SHA-256, 10% work ids;
//! 20% of the keys are unknown. Acts are made while the clock of folding runs, questions before that of deciding does. Rates
//! are per second of the CPU time of one thread.
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
#[path = "table/world.rs"]
mod world;

use std::hint::black_box;

use kyodaku::clock::stopwatch;
use kyodaku::domain::decide::{answers, decide};
use kyodaku::domain::decision::Verdict;
use world::{AT_MS, Entered, Numbers, QUESTIONS, World, asked, entered, questions};

/// Bytes that this process holds in memory, from `/proc`; 0 where there is none.
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}

fn row(what: &str, figure: &str) {
    println!("| {what:<58} | {figure:>18} |");
}

/// The CPU time of this thread; where the system does not tell it, the time that went by.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: Option<u64> = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or_else(|| stopwatch().duration_since(*START).as_secs_f64(), |nanos| nanos as f64 / 1e9)
}

static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(stopwatch);

/// How fast all questions are answered: in one batch, with and without the whole decision, and one by one.
fn decisions(world: &mut World) {
    let questions = questions(world);
    let (index, size) = (&world.index, world.index.size());
    let rate = |what: &str, permitted: &dyn Fn() -> u64| {
        let begun = cpu_seconds();
        let permitted = permitted();
        let figure = QUESTIONS as f64 / (cpu_seconds() - begun);
        row(what, &format!("{figure:.0}"));
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
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (works, served): (u64, u64) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(20_000));
    row("what", "figure");
    let before = resident_bytes();
    let mut world = World::open();
    let begun = cpu_seconds();
    for number in 0..works {
        world.register(number);
    }
    let folding = cpu_seconds() - begun;
    row("works", &works.to_string());
    row("entries", &world.index.size().to_string());
    row("entries made and folded a second", &format!("{:.0}", world.index.size() as f64 / folding));
    row("bytes a work in memory", &format!("{:.0}", (resident_bytes() - before) as f64 / works as f64));
    decisions(&mut world);
    drop(world);

    http::figures("SQLite", "sqlite:FOLDER/bench.db", served);
    if let Ok(url) = std::env::var("DATABASE_URL") {
        http::figures("PostgreSQL", &url, served);
    }
}
