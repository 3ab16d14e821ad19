//! Random histories against the rules: each rule R1 to R13 has a test that tries to break it.
//!
//! `KYODAKU_HISTORIES` sets how many histories each test tells (default 2), `KYODAKU_STEPS` how many commands each
//! (default 220), `KYODAKU_SEED` where the seeds begin. A failure names its seed; where oracle and implementation
//! disagree, also what is left of the history after dropping every step that the disagreement does not need.

mod agreement;
mod compare;
mod covered;
mod generate;
mod history;
mod proof;
mod questions;
mod rng;
mod speakers;
mod when;
mod widening;

use generate::Teller;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// Runs a test on every history, and names the seed of the one that fails it.
fn on_histories(offset: u64, test: impl Fn(&mut Teller) -> Result<(), String>) {
    let first = setting("KYODAKU_SEED", 1) + offset * 10_000;
    for seed in first..first + setting("KYODAKU_HISTORIES", 2) {
        let mut teller = generate::history(seed, setting("KYODAKU_STEPS", 220) as usize);
        if let Err(why) = test(&mut teller) {
            panic!("in the history of seed {seed}: {why}");
        }
    }
}
