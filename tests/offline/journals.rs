//! Journals beside the act log: neither can be rewritten without the other.

use data_encoding::BASE64;
use kyodaku::log::merkle::root_of;
use kyodaku::registry::offline::{Finding, Kind};
use serde_json::{Value, json};

use super::forge::Forge;
use super::{Site, asked, copy, examine, findings, kinds};
use crate::world::{World, both};

/// What is done to an entry.
type Change = fn(&mut Value);

/// A folder with a journal that was sealed twice, and both keys stolen.
struct Prey {
    folder: tempfile::TempDir,
    data: std::path::PathBuf,
    keys: Vec<String>,
}

impl Prey {
    async fn of(world: &World) -> Self {
        let site = Site::open(world).await;
        site.ask("夜の庭").await;
        site.stage.registry.seal_journal(5).await.unwrap();
        site.ask("夜の庭").await;
        let data = world.settings("a").data_dir;
        Self { folder: site.exported().await, data, keys: site.keys().await }
    }

    /// What is found after an attack on both logs, each written anew by whoever has both keys.
    async fn stolen(&self, attack: impl FnOnce(&mut Forge, &mut Forge)) -> Vec<Finding> {
        let folder = copy(self.folder.path());
        let mut acts = Forge::of(folder.path(), "acts", &self.data.join("act-log.key"));
        let mut checks = Forge::of(folder.path(), "checks-a", &self.data.join("journal.key"));
        attack(&mut acts, &mut checks);
        acts.write();
        checks.write();
        findings(folder.path(), &asked(&self.keys)).await
    }
}

impl Prey {
    /// What is found besides the checks that say that the act log was another one.
    async fn sealed(&self, attack: impl FnOnce(&mut Forge, &mut Forge)) -> Vec<Finding> {
        let found = self.stolen(attack).await.into_iter();
        found.filter(|it| it.kind != Kind::CheckContradicts).collect()
    }
}

fn seals(acts: &Forge) -> Vec<usize> {
    (0..acts.entries.len()).filter(|at| acts.entry(*at)["act"]["type"] == "journal.sealed").collect()
}

/// The last check, which no seal covers yet.
fn last(checks: &Forge) -> usize {
    (0..checks.entries.len()).rev().find(|at| checks.entry(*at)["type"] == "check").unwrap()
}

both!(a_journal_that_is_written_anew_contradicts_its_seal, async |world: World| {
    let prey = Prey::of(&world).await;
    assert_eq!(prey.stolen(|_, _| ()).await, []);
    let salt = |entry: &mut Value| entry["salt"] = json!("00".repeat(16));
    let found = prey.stolen(|_, checks| checks.change(0, salt)).await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::SealContradicts], 2), "{found:?}");
    assert_eq!(found[0].log.as_deref(), Some("checks-a"));
    // What was answered after the last seal is bound by nothing yet.
    let found = prey.stolen(|_, checks| checks.change(last(checks), salt)).await;
    assert_eq!(found, []);
    // Shorter than what was sealed.
    let found = prey.stolen(|_, checks| checks.entries.truncate(5)).await;
    assert_eq!(kinds(&found), [Kind::SealBeyond], "{found:?}");
});

both!(a_seal_that_skips_or_contradicts_the_journal_is_named, async |world: World| {
    let prey = Prey::of(&world).await;
    let found = prey
        .sealed(|acts, _| {
            let at = seals(acts)[1];
            acts.change(at, |entry| entry["act"]["root"] = json!("00".repeat(32)));
        })
        .await;
    assert_eq!(kinds(&found), [Kind::SealContradicts], "{found:?}");
    let found = prey
        .sealed(|acts, checks| {
            let at = seals(acts)[1];
            let root = root_of(&checks.leaves()[..1]).to_string();
            acts.change(at, |entry| {
                entry["act"]["size"] = json!(1);
                entry["act"]["root"] = json!(root);
            });
        })
        .await;
    assert_eq!((kinds(&found), found[0].entry.is_some()), (vec![Kind::SealShrank], true), "{found:?}");
    let found = prey
        .sealed(|acts, _| {
            let at = seals(acts)[1];
            acts.change(at, |entry| entry["act"]["size"] = json!(1_000));
        })
        .await;
    assert_eq!(kinds(&found), [Kind::SealBeyond], "{found:?}");
    let found = prey
        .sealed(|acts, _| {
            let at = seals(acts)[1];
            acts.change(at, |entry| entry["act"]["journal"] = json!("kyodaku.example/log/checks/nobody"));
        })
        .await;
    assert_eq!(kinds(&found), [Kind::UnknownJournal], "{found:?}");
    assert!(found[0].what.contains("checks/nobody"), "{found:?}");
});

both!(a_check_that_contradicts_the_act_log_is_named, async |world: World| {
    let prey = Prey::of(&world).await;
    let changes: [(&str, Change); 4] = [
        ("another root of the act log", |entry| entry["log_root"] = json!("00".repeat(32))),
        ("by version 7 of the rules", |entry| entry["rule_version"] = json!(7)),
        ("the one before it from", |entry| entry["log_size"] = json!(2)),
        ("it permits 9 of 1 items", |entry| entry["permitted"] = json!(9)),
    ];
    for (words, change) in changes {
        let found = prey
            .stolen(|_, checks| {
                let at = last(checks);
                checks.change(at, change);
            })
            .await;
        assert_eq!(kinds(&found), [Kind::CheckContradicts], "{words}: {found:?}");
        assert!(found[0].what.contains(words), "{words}: {found:?}");
    }
    // Works that matched, without the check they belong to; and none where some are due.
    let found = prey
        .stolen(|_, checks| {
            let at = last(checks);
            checks.change(at, |entry| entry["chunks"] = json!(0));
        })
        .await;
    assert_eq!(kinds(&found), [Kind::CheckContradicts], "{found:?}");
    let found = prey
        .stolen(|_, checks| {
            checks.entries.pop();
        })
        .await;
    assert_eq!(kinds(&found), [Kind::CheckContradicts], "{found:?}");
    // More of the act log than is here: nothing is said against it, and it is said that nothing was.
    let folder = copy(prey.folder.path());
    let mut checks = Forge::of(folder.path(), "checks-a", &prey.data.join("journal.key"));
    let at = last(&checks);
    checks.change(at, |entry| entry["log_size"] = json!(1_000_000));
    checks.write();
    let report = examine(folder.path(), &asked(&prey.keys)).await.unwrap();
    assert_eq!(report.findings.kept(), []);
    assert!(report.unverified[0].contains("1 checks of `checks-a`"), "{:?}", report.unverified);
});

/// What is done to the rows of works.
type Rows<'a> = &'a dyn Fn(&mut Vec<u8>);

/// The works of the last check that matched, as they stand in its journal.
fn rows(checks: &Forge) -> (usize, Vec<u8>) {
    let at = last(checks) + 1;
    let works = checks.entry(at)["works"].as_str().unwrap().to_owned();
    (at, BASE64.decode(works.as_bytes()).unwrap())
}

both!(works_that_can_not_be_those_that_matched_are_named, async |world: World| {
    let prey = Prey::of(&world).await;
    let other: kyodaku::domain::ids::WorkId = "wrk_01h455vb4pex5vsknk084sn02q".parse().unwrap();
    let unknown = *other.uuid().as_bytes();
    let changes: [(Kind, &str, Rows<'_>); 7] = [
        (Kind::EntryForm, "the works that matched can't be read", &|rows| rows.truncate(18)),
        (Kind::EntryForm, "the works that matched can't be read", &|rows| rows[18] = 2),
        (Kind::EntryForm, "the works that matched can't be read", &|rows| rows[16] = 0xff),
        (Kind::CheckContradicts, "holds 0 works", &|rows| rows.clear()),
        (Kind::CheckContradicts, "for no use", &|rows| rows[16..18].fill(0)),
        (Kind::CheckContradicts, "and no item was", &|rows| rows[18] ^= 1),
        (Kind::CheckContradicts, "is in none of", &|rows| rows[..16].copy_from_slice(&unknown)),
    ];
    for (kind, words, change) in changes {
        let found = prey
            .stolen(|_, checks| {
                let (at, mut rows) = rows(checks);
                change(&mut rows);
                checks.change(at, |entry| entry["works"] = json!(BASE64.encode(&rows)));
            })
            .await;
        assert_eq!((kinds(&found), found.len()), (vec![kind], 1), "{words}: {found:?}");
        assert!(found[0].what.contains(words), "{words}: {found:?}");
    }
    // In another order than that of their ids.
    let found = prey
        .stolen(|acts, checks| {
            let (at, rows) = rows(checks);
            let registered = (0..acts.entries.len()).map(|at| acts.entry(at)["act"].clone());
            let works = registered.filter(|act| act["type"] == "work.registered");
            let largest = works.map(|act| act["work"].as_str().unwrap().to_owned()).max().unwrap();
            let largest: kyodaku::domain::ids::WorkId = largest.parse().unwrap();
            let first = [&largest.uuid().as_bytes()[..], &rows[16..19]].concat();
            checks.change(at, |entry| entry["works"] = json!(BASE64.encode(&[first, rows].concat())));
        })
        .await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::CheckContradicts], 1), "{found:?}");
    assert!(found[0].what.contains("out of its order"), "{found:?}");
});

both!(a_check_of_another_time_than_the_acts_around_it_is_named, async |world: World| {
    let prey = Prey::of(&world).await;
    let found = prey
        .stolen(|_, checks| {
            let at = last(checks);
            checks.change(at, |entry| entry["at_ms"] = json!(entry["at_ms"].as_i64().unwrap() - 1));
        })
        .await;
    assert_eq!((kinds(&found), found.len()), (vec![Kind::CheckTime], 1), "{found:?}");
    assert!(found[0].what.contains("the last of which is of"), "{found:?}");
    // What no seal covers yet may be younger than all of the act log.
    let later = |entry: &mut Value| entry["at_ms"] = json!(entry["at_ms"].as_i64().unwrap() + 1);
    let found = prey.stolen(|_, checks| checks.change(last(checks), later)).await;
    assert_eq!(found, []);
    let found = prey
        .sealed(|acts, checks| {
            checks.change(0, later);
            for at in seals(acts) {
                let size = usize::try_from(acts.entry(at)["act"]["size"].as_u64().unwrap()).unwrap();
                let root = root_of(&checks.leaves()[..size]).to_string();
                acts.change(at, |entry| entry["act"]["root"] = json!(root));
            }
        })
        .await;
    // After its seal it can't have been altered: that is a clock that was ahead, and no reason to believe nothing.
    assert_eq!(found, []);
});

both!(a_journal_is_sealed_also_where_a_clock_was_put_back_and_that_is_told, async |world: World| {
    let site = Site::open(&world).await;
    let now_ms = world.clock.now_ms();
    world.clock.set(now_ms + 60_000);
    site.ask("夜の庭").await;
    // Somebody puts the clock right.
    world.clock.set(now_ms);
    let (sealed, recorded) = site.stage.registry.seal_journal(5).await.unwrap();
    assert!(sealed == 7 && recorded.is_some(), "{sealed}");
    let folder = site.exported().await;
    let asked = asked(&site.keys().await);
    let report = examine(folder.path(), &asked).await.unwrap();
    assert_eq!(report.findings.kept(), []);
    let told = report.unverified.iter().find(|it| it.contains("later than they were sealed"));
    assert!(told.is_some_and(|it| it.starts_with("when 1 checks of `checks-a`")), "{:?}", report.unverified);
});
