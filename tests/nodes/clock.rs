//! A server process whose clock is wrong, or is right after a long sleep. The clock is the system's own as the process sees it,
//! through the library that Debian's package `libfaketime` installs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::on_postgres;
use super::rig::{Caller, Reply, Rig, Work, check_body};
use crate::cli::said;
use crate::cli::serve::{Server, fetch, serve};
use crate::world::actors::fresh_key;
use crate::world::works::grant;
use crate::world::{World, both};

const DAY_S: i64 = 86_400;

/// The library; the stories are never skipped.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    found.find(|path| path.exists()).expect("libfaketime: `apt-get install libfaketime`")
}

/// The offset that processes with this file see.
struct Shift(PathBuf);

impl Shift {
    fn new(world: &World) -> Self {
        let shift = Self(world.folder.path().join("shift"));
        shift.set("+0");
        shift
    }

    fn set(&self, offset: &str) {
        std::fs::write(&self.0, offset).unwrap();
    }

    fn of<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }
}

fn in_days(rig: &Rig, days: i64) -> String {
    let ms = rig.world.clock.now_ms() + days * DAY_S * 1_000;
    jiff::Timestamp::from_millisecond(ms).unwrap().to_string()
}

/// The holder and the developer.
type Callers = (Caller, Caller);

async fn ask((holder, developer): &Callers, server: &Server, work: &Work) -> (Reply, Reply, Reply) {
    let (checks, grants) = (format!("{}/v1/checks", server.url), format!("{}/v1/grants", server.url));
    let (asked, granted, key) = (check_body(work), grant(&work.id), fresh_key());
    let check = patiently(|| developer.post(&checks, &asked)).await;
    let act = patiently(async || holder.try_post(&grants, &granted, &key).await.unwrap()).await;
    let ready = patiently(async || holder.get(&format!("{}/readyz", server.url)).await).await;
    (check, act, ready)
}

/// Asks again while the machine is busy, which is told without a reason.
async fn patiently(ask: impl AsyncFn() -> Reply) -> Reply {
    for _ in 0..120 {
        let reply = ask().await;
        if reply.status != 503 || reply.body["detail"].is_string() {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("the server is busy for a minute");
}

/// Nothing is answered, and it is said why.
fn must_refuse((check, act, ready): &(Reply, Reply, Reply)) {
    for reply in [check, act, ready] {
        assert_eq!(reply.status, 503, "{reply:?}");
    }
    for reply in [check, act, ready] {
        let detail = reply.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("more than a year ahead"), "{reply:?}");
    }
}

/// Gives an organization's people access again.
fn let_in(rig: &Rig, shift: &Shift, org: &str, now: &str) -> Caller {
    let mut command =
        rig.program("n0", &rig.world.url, &["admin", "restore-access", org, "--person", "first again"]);
    let said = said(shift.of(&mut command).env("KYODAKU_ACCEPT_CLOCK", now).output().unwrap());
    assert_eq!(said.code, 0, "{}", said.err);
    let made: Value = serde_json::from_str(&said.out).unwrap();
    Caller::new(made["key"].as_str().unwrap())
}

fn at(reply: &Reply) -> jiff::Timestamp {
    reply.body["recorded"]["at"].as_str().unwrap_or_else(|| panic!("{reply:?}")).parse().unwrap()
}

#[test]
fn a_clock_that_is_400_days_off_permits_nothing_early_and_dates_nothing() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 2).await;
        let (shift, both) = (Shift::new(&rig.world), (rig.holder(), rig.developer()));
        let server = Server::start(shift.of(&mut rig.command("n0", &rig.world.url)));
        let (soon, other) = (&rig.works[0], &rig.works[1]);
        // Permitted in thirty days, and not before.
        let mut body = grant(&soon.id);
        body["from"] = Value::from(in_days(&rig, 30));
        let first = rig.holder().post(&format!("{}/v1/grants", server.url), &body).await;
        assert_eq!(first.status, 201, "{first:?}");
        assert!(!rig.developer().check(&server.url, soon).await.is_permitted());

        shift.set("+400d");
        must_refuse(&ask(&both, &server, soon).await);
        shift.set("+0");
        let (check, act, ready) = ask(&both, &server, other).await;
        assert_eq!((check.status, act.status, ready.status), (200, 201, 200), "{act:?}");
        // Backwards: the log keeps its own time.
        shift.set("-400d");
        let (check, back, ready) = ask(&both, &server, other).await;
        assert_eq!((check.status, back.status, ready.status), (200, 201, 200), "{back:?}");
        assert_eq!(at(&back), at(&act), "time in the log never goes back");
        assert!(check.is_permitted());
        assert!(!rig.developer().check(&server.url, soon).await.is_permitted());
        drop(server);
        rig.verify("n0");
    });
}

#[test]
fn a_registry_that_slept_for_more_than_a_year_is_woken_by_whoever_knows_the_time() {
    on_postgres(async |world| {
        let rig = Rig::new(world, 1).await;
        let (shift, both) = (Shift::new(&rig.world), (rig.holder(), rig.developer()));
        let work = &rig.works[0];
        // Whoever states another time than the clock is not believed, nor is the clock.
        let late = in_days(&rig, 400);
        let wrong = said(
            shift
                .of(&mut rig.command("n0", &rig.world.url))
                .env("KYODAKU_ACCEPT_CLOCK", &late)
                .output()
                .unwrap(),
        );
        assert_eq!(wrong.code, 1, "{}", wrong.err);
        assert!(wrong.err.contains("behind it: one of the two is wrong"), "{}", wrong.err);

        shift.set("+400d");
        let mut server = Server::start(shift.of(&mut rig.command("n0", &rig.world.url)));
        must_refuse(&ask(&both, &server, work).await);
        assert_eq!(server.stop(), 0);
        let mut command = rig.command("n0", &rig.world.url);
        let mut server = Server::start(shift.of(&mut command).env("KYODAKU_ACCEPT_CLOCK", &late));
        // Their keys lived for a year: the person on call lets them in again.
        let both = [&rig.holder.org, &rig.developer.org].map(|org| let_in(&rig, &shift, org, &late));
        let both = (both[0].clone(), both[1].clone());
        let (check, act, ready) = ask(&both, &server, work).await;
        assert_eq!((check.status, act.status, ready.status), (200, 201, 200), "{act:?}");
        assert!(!check.is_permitted());
        let passed =
            at(&act).duration_since(jiff::Timestamp::from_millisecond(rig.world.clock.now_ms()).unwrap());
        assert!(passed.as_secs() > 399 * DAY_S, "{act:?}");
        assert_eq!(server.stop(), 0);
        // From then on nobody needs to say it.
        let server = Server::start(shift.of(&mut rig.command("n0", &rig.world.url)));
        let (check, act, ready) = ask(&both, &server, work).await;
        assert_eq!((check.status, act.status, ready.status), (200, 201, 200), "{act:?}");
        assert!(check.is_permitted());
        drop(server);
        rig.verify("n0");
    });
}

both!(nobody_is_kept_out_by_a_clock_that_was_ahead_and_is_put_right, async |world: World| {
    let shift = Shift::new(&world);
    shift.set("+20d");
    let mut command = serve(&world);
    // One network without a key gets a tenth of it.
    let mut server = Server::start(shift.of(&mut command).env("KYODAKU_REQUESTS_PER_MINUTE", "100"));
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let status = || fetch(&address, "/v1/status").to_ascii_lowercase();
    assert!((0..10_000).any(|_| status().starts_with("http/1.1 429")), "the quota has an end");
    shift.set("+0");
    let answer = status();
    let wait = answer.lines().find_map(|line| line.strip_prefix("retry-after: ")?.parse::<u64>().ok());
    assert!(wait.is_none_or(|wait_s| wait_s <= 60), "a quota is full again after a minute: {answer}");
    assert!(wait.is_some() || answer.starts_with("http/1.1 200"), "{answer}");
    assert_eq!(server.stop(), 0);
});
