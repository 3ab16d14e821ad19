//! An I/O error, a full disk and a kill at each write and each sync of one act, on SQLite.

use std::path::{Path, PathBuf};

use super::count;
use super::ledger::{Ledger, Outcome};
use super::site::Site;
use super::strace::{Attached, CHANGES, Call, only};
use crate::cli::serve::Server;

/// What happens in the place of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `EIO`.
    Error,
    /// `ENOSPC`.
    Full,
    /// The process is killed before it is done.
    Kill,
}

impl Fault {
    fn at(self, call: &Step) -> Vec<String> {
        let what = match self {
            Self::Error => "error=EIO",
            Self::Full => "error=ENOSPC",
            Self::Kill => "signal=SIGKILL",
        };
        vec![format!("--inject={}:{what}:when={}", call.name, call.nth)]
    }
}

/// One call of an act: its name, and how many of that name its thread had made with it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    nth: usize,
}

/// The calls, each counted among those of its name in its thread, as `strace` counts them.
fn steps(calls: &[Call]) -> Vec<Step> {
    let nth = |at: usize| {
        let same = |call: &&Call| (call.thread, &call.name) == (calls[at].thread, &calls[at].name);
        calls[..=at].iter().filter(same).count()
    };
    (0..calls.len()).map(|at| Step { name: calls[at].name.clone(), nth: nth(at) }).collect()
}

/// The files of one kind, each kind written by one thread at a time.
fn files(site: &Site) -> [Vec<PathBuf>; 2] {
    let database = site.database_url.trim_start_matches("sqlite:");
    let database = ["", "-wal"].map(|end| PathBuf::from(format!("{database}{end}")));
    let marks = ["high-water.main.new", "high-water.main", ""].map(|name| site.data.join(name));
    [database.to_vec(), marks.to_vec()]
}

struct Rig {
    site: Site,
    server: Server,
    ledger: Ledger,
    written: PathBuf,
}

impl Rig {
    async fn new(folder: &Path) -> Self {
        let site = Site::embedded(folder);
        let server = site.start();
        let ledger = Ledger::open(&site, &server.url, 1).await;
        Self { site, server, ledger, written: folder.join("calls.txt") }
    }

    /// What is asked of these files while one act is recorded, or a check is answered.
    async fn observed(&self, files: &[PathBuf], is_check: bool) -> Vec<Call> {
        let mut options = only(files);
        options.push(format!("--trace={CHANGES}"));
        let attached = Attached::to(self.server.child.id(), &options, &self.written);
        assert_eq!(self.once(is_check).await, Outcome::Acknowledged);
        attached.release()
    }

    async fn once(&self, is_check: bool) -> Outcome {
        if is_check { self.ledger.ask(0).await } else { self.ledger.step(0, 0).await }
    }

    /// Whether the server was killed, in the act or right after it.
    async fn is_gone(&self, outcome: Outcome) -> bool {
        outcome == Outcome::Silence || self.ledger.door.get("", "/healthz").await.status() == 0
    }

    /// One act with a fault in it, and the state of things afterwards. Gives whether the fault was met.
    async fn meet(&mut self, fault: Fault, step: &Step, files: &[PathBuf], is_check: bool) -> bool {
        let mut options = only(files);
        options.push(format!("--trace={}", step.name));
        options.extend(fault.at(step));
        let from = self.ledger.marks();
        let attached = Attached::to(self.server.child.id(), &options, &self.written);
        let outcome = self.once(is_check).await;
        let met = if fault == Fault::Kill {
            attached.abandon();
            self.is_gone(outcome).await
        } else {
            assert_ne!(outcome, Outcome::Silence, "{fault:?} at {step:?} cut an answer off");
            attached.release().iter().any(|call| call.rest.contains("INJECTED"))
        };
        if fault == Fault::Kill && met {
            self.server.child.wait().unwrap();
            self.server = self.site.start();
            self.ledger.door.leads_to(&[&self.server.url]);
        }
        // The fault is over: it goes on by itself.
        self.ledger.recover(&from).await;
        met
    }
}

/// One in `every`, the last one too.
fn sample(steps: Vec<Step>, every: usize) -> Vec<Step> {
    let last = steps.len().saturating_sub(1);
    let keep = |at: &usize| at.is_multiple_of(every) || *at == last;
    steps.into_iter().enumerate().filter(|(at, _)| keep(at)).map(|(_, step)| step).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_write_and_sync_of_a_grant_and_of_a_check_may_fail_or_be_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path()).await;
    let [database, marks] = files(&rig.site);
    let mut told = Vec::new();
    for (files, is_check) in [(&database, false), (&marks, false), (&database, true)] {
        // The first act after a start does more than others: look at one after it.
        assert_eq!(rig.once(is_check).await, Outcome::Acknowledged);
        let all = steps(&rig.observed(files, is_check).await);
        assert!(all.iter().any(|step| step.name.contains("sync")), "nothing is synced: {all:?}");
        for fault in [Fault::Error, Fault::Full, Fault::Kill] {
            let mut met = 0;
            let chosen = sample(all.clone(), count(all.len().div_ceil(2), 1));
            for step in &chosen {
                met += usize::from(rig.meet(fault, step, files, is_check).await);
            }
            assert!(2 * met >= chosen.len(), "{fault:?}: met {met} of {}", chosen.len());
            told.push(format!("{fault:?} at {met} of {} calls", all.len()));
        }
        rig.ledger.is_in(&rig.site.database_url).await;
        rig.site.verify();
    }
    assert!(rig.ledger.refused() > 0, "no fault was felt");
    println!("{}", told.join("; "));
}
