//! Faults: what is killed, cut off, full or restored loses nothing that was acknowledged, and never permits without
//! consent.
//!
//! Each test drives the real program as a process over HTTP and holds it against one [`ledger`], which knows of each
//! work what a client can know: what was acknowledged, and what may have been recorded. Small counts run with all the
//! other tests; `KYODAKU_FAULTS=full sh tests/run faults` runs the full ones, which `docs/faults.md` lists.

mod backups;
mod door;
mod full_disk;
mod inject;
mod kill;
mod ledger;
mod migrations;
mod power;
mod races;
mod recording;
mod rig;
mod site;
mod strace;
mod wire;

/// `full` where the full counts were asked for, else `small`.
fn count<T>(small: T, full: T) -> T {
    if is_full() { full } else { small }
}

/// Whether the full counts were asked for.
///
/// # Panics
/// When the variable is set to something else: a mistyped word must not pass for the full run.
fn is_full() -> bool {
    match std::env::var("KYODAKU_FAULTS").as_deref() {
        Ok("full") => true,
        Err(_) => false,
        Ok(other) => panic!("KYODAKU_FAULTS is `{other}`: say `full`, or nothing"),
    }
}

/// A number below `bound`, of the machine's randomness: faults come when they come.
fn below(bound: u64) -> u64 {
    u64::from_le_bytes(kyodaku::clock::random::<8>()) % bound.max(1)
}

/// Copies a folder with everything in it.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    let status = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}
