//! What is asked and written over HTTP, on loopback. The CPU time is that of this process without the client's thread; what a
//! database uses in processes of its own is not in it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::Request;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;

use kyodaku::clock::{Clock, stopwatch};
use kyodaku::domain::act::{Act, Role};
use kyodaku::domain::ids::{OrgId, PersonId, WorkId};
use kyodaku::domain::key::{Key, SubjectKey};
use kyodaku::http::server::{Limits, serve};
use kyodaku::http::{App, routes};
use kyodaku::registry::bootstrap::{NewAccess, create_registrar};
use kyodaku::registry::{Body, Registry, Settings, Submission};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::client::{self, Seen, ask, ask_at};
use super::{Entered, Numbers, asked, entered, row};

const ITEMS: usize = 1_000;
/// How many checks of many items are asked.
const REQUESTS: usize = 2_000;
/// How many checks of one item are asked.
const SINGLE: usize = 20_000;
/// How many grants are written one after the other, and many at once.
const ONE_BY_ONE: usize = 200;
const GRANTS: usize = 10_000;
/// One run of what depends on a few answers of a thousand says little.
const ROUNDS: usize = 5;
/// How many bodies are asked in turn.
const BODIES: usize = 20;
/// How many acts one command holds here.
const ACTS: usize = 900;

/// Who records, and who asks.
struct Cast {
    registrars: [NewAccess; 2],
    holder: (OrgId, PersonId),
    holder_key: String,
    developer: OrgId,
    key: String,
}

async fn open(folder: &Path, url: &str) -> Registry {
    let settings = Settings {
        database_url: url.replace("FOLDER", &folder.display().to_string()),
        data_dir: folder.join("data"),
        origin: "bench.example/log".to_owned(),
        node: "bench".to_owned(),
        recheck_max_ms: 86_400_000,
        mail: kyodaku::registry::MailSettings::folder(&folder.join("data")),
        four_eyes: false,
        admitting: kyodaku::registry::sequencer::ADMITTING,
        keys: kyodaku::registry::keys::KeySettings::default(),
    };
    Registry::open(settings, Clock::system()).await.expect("an empty database")
}

/// Asks so many checks of so many items, without a network: for whoever counts what an item costs.
pub(super) fn alone(works: u64, checks: usize, items: usize, at_once: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(folder.path(), "sqlite:FOLDER/bench.db").await;
        let router = routes::router(&App::new(registry.clone()), routes::table());
        let cast = Cast::enter(&registry, &format!("http://{}", listen(router.clone()).await)).await;
        let works = cast.fill(&registry, works).await;
        let bodies: Vec<Bytes> = bodies(&works, BODIES, items).into_iter().map(Bytes::from).collect();
        let ask = async |body: &Bytes| {
            let request = Request::post("/v1/checks")
                .header("authorization", format!("Bearer {}", cast.key))
                .header("content-type", "application/json")
                .body(axum::body::Body::from(body.clone()))
                .expect("a request");
            let answer = router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), 200);
            let mut body = answer.into_body();
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                bytes += frame.expect("a body").data_ref().map_or(0, Bytes::len);
            }
            bytes
        };
        let before = (client::cpu_s("self"), client::switches());
        let asking = stream::iter(bodies.iter().cycle().take(checks)).map(ask).buffer_unordered(at_once);
        let bytes = asking.fold(0, async |all, bytes| all + bytes).await;
        let (used, switches) = (client::cpu_s("self") - before.0, client::switches() - before.1);
        let asked = (checks * items) as f64;
        row(
            &format!("checks of {items} without a network: CPU time an item"),
            &format!("{:.2} µs", used * 1e6 / asked),
        );
        row("times that a thread waited, a check", &format!("{:.1}", switches as f64 / checks as f64));
        row("bytes of the answer an item", &format!("{:.0}", bytes as f64 / asked));
    });
}

/// Prints the figures on the database at `url`, with a log of so many works in it.
pub(super) fn figures(name: &str, url: &str, works: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let registry = open(folder.path(), url).await;
        let router = routes::router(&App::new(registry.clone()), routes::table());
        let address = listen(router).await;
        let cast = Cast::enter(&registry, &format!("http://{address}")).await;
        let watch = stopwatch();
        let works = cast.fill(&registry, works).await;
        row(&format!("{name}: entries in the log"), &registry.shared().published().to_string());
        let rate = works.len() as f64 / watch.elapsed().as_secs_f64();
        row(&format!("{name}: works registered and confirmed a second"), &format!("{rate:.0}"));
        let constant = listen(Router::new().route("/v1/checks", post(async || "{}"))).await;
        let name = name.to_owned();
        let asked = tokio::task::spawn_blocking(move || {
            let asking = Asking { name, address, cast, works, grants: AtomicUsize::new(0) };
            asking.batches();
            asking.single(constant);
            asking.writes();
            asking.checks_under_writes();
        });
        asked.await.expect("the client ends");
    });
}

/// Serves a router on a port of its own, as the program does.
async fn listen(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    // Everything is asked from one address.
    let limits = Limits { connections_per_network: 4_096, ..Limits::default() };
    tokio::spawn(serve(listener, router, limits, std::future::pending()));
    address
}

/// Whoever asks the served registry.
struct Asking {
    name: String,
    address: SocketAddr,
    cast: Cast,
    works: Vec<WorkId>,
    /// How many grants were written.
    grants: AtomicUsize,
}

impl Asking {
    fn row(&self, what: &str, figure: &str) {
        row(&format!("{}: {what}", self.name), figure);
    }

    fn check(&self, body: &str) -> Vec<u8> {
        client::post("/v1/checks", &self.cast.key, "", body)
    }

    /// Checks of many items: read, decided, journaled, answered.
    fn batches(&self) {
        let bodies: Vec<_> = bodies(&self.works, BODIES, ITEMS).iter().map(|body| self.check(body)).collect();
        for connections in [1, 4, 32] {
            let requests = bodies.iter().map(Vec::as_slice).cycle().take(REQUESTS + connections);
            let seen = ask(self.address, connections, requests, 200);
            let what = format!("items in checks of {ITEMS}, {connections} at once, a second");
            self.row(&what, &format!("{:.0}", seen.rate() * ITEMS as f64));
            self.row(&format!("{what} of CPU"), &format!("{:.0}", seen.rate_of_cpu() * ITEMS as f64));
            self.row(
                &format!("checks of {ITEMS}, {connections} at once, p50 / p99"),
                &seen.latencies([500, 990]),
            );
            let answer: Value = serde_json::from_slice(client::body(&seen.last)).expect("JSON");
            assert!(answer["permitted"].as_u64().expect("a count") > 0, "some of it is granted");
        }
    }

    /// Checks of one item, beside a handler that does nothing.
    fn single(&self, constant: SocketAddr) {
        let bodies: Vec<_> = bodies(&self.works, SINGLE, 1).iter().map(|body| self.check(body)).collect();
        let all = || bodies.iter().map(Vec::as_slice);
        let (nothing, check) = (ask(constant, 32, all(), 200), ask(self.address, 32, all(), 200));
        for (what, seen) in [("an axum constant", &nothing), ("checks of one item", &check)] {
            self.row(&format!("{what}, 32 at once, a second"), &format!("{:.0}", seen.rate()));
            self.row(&format!("{what}, 32 at once, a second of CPU"), &format!("{:.0}", seen.rate_of_cpu()));
            self.row(&format!("{what}, 32 at once, p50 / p99"), &seen.latencies([500, 990]));
        }
        let (time, cpu) = (check.rate() / nothing.rate(), check.rate_of_cpu() / nothing.rate_of_cpu());
        self.row("checks of one item by the constant, time / CPU", &format!("{time:.2} / {cpu:.2}"));
    }

    /// Grants, each acknowledged: one after the other, and many at once.
    fn writes(&self) {
        let mut rates = Vec::new();
        for (connections, count) in [(1, ONE_BY_ONE), (256, GRANTS)] {
            let grants = self.new_grants(count + connections);
            let seen = ask(self.address, connections, grants.iter().map(Vec::as_slice), 201);
            self.row(&format!("grants, {connections} at once, a second"), &format!("{:.0}", seen.rate()));
            self.row(&format!("grants, {connections} at once, p50 / p99"), &seen.latencies([500, 990]));
            rates.push(seen.rate());
        }
        self.row("grants, 256 at once by one after the other", &format!("{:.1}", rates[1] / rates[0]));
    }

    /// How long single checks take while nothing is written, and while grants are, in turn.
    fn checks_under_writes(&self) {
        let bodies: Vec<_> = bodies(&self.works, SINGLE, 1).iter().map(|body| self.check(body)).collect();
        let all = || bodies.iter().map(Vec::as_slice);
        let what = "checks of one item, 8 at once, p50 / p99.9";
        for (writes, a_second) in [("3,000 grants a second", 3_000.0), ("all grants it takes", f64::INFINITY)]
        {
            let (mut idle, mut busy) = (Seen::default(), Seen::default());
            for _ in 0..ROUNDS {
                idle.add(ask(self.address, 8, all(), 200));
                busy.add(self.beside_grants(a_second, all().cycle()));
            }
            self.row(&format!("{what}, before {writes}"), &idle.latencies([500, 999]));
            self.row(&format!("{what}, under {writes}"), &busy.latencies([500, 999]));
            let ratio = busy.ms_of(999) / idle.ms_of(999);
            self.row(&format!("p99.9 by that, under {writes}"), &format!("{ratio:.1}"));
        }
    }

    /// What these requests take while grants are recorded, so many a second at most.
    fn beside_grants<'a>(&self, a_second: f64, requests: impl Iterator<Item = &'a [u8]>) -> Seen {
        let grants = self.new_grants(GRANTS);
        let written = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                ask_at(a_second, self.address, 64, grants.iter().map(Vec::as_slice), 201);
                written.store(true, Ordering::Relaxed);
            });
            ask(self.address, 8, requests.take_while(|_| !written.load(Ordering::Relaxed)), 200)
        })
    }

    /// Grants that were not asked for before.
    fn new_grants(&self, count: usize) -> Vec<Vec<u8>> {
        let first = self.grants.fetch_add(count, Ordering::Relaxed);
        let grant = |number: usize| {
            let body = json!({
                "work": self.works[number % self.works.len()], "covers": "work", "as_layer_of": "any",
                "by_location": false, "uses": { "only": ["train.finetune"] },
                "developers": { "only": [self.cast.developer] }, "models": "any", "territories": "any",
                "from": "on_record", "until": "open", "revocable": { "notice_days": 0 }, "conditions": [], "terms": null
            });
            let once = format!("idempotency-key: grant-{number}\r\n");
            client::post("/v1/grants", &self.cast.holder_key, &once, &body.to_string())
        };
        (first..first + count).map(grant).collect()
    }
}

impl Cast {
    async fn enter(registry: &Registry, base: &str) -> Self {
        let first = create_registrar(registry, "Bench Registry", "first").await.expect("a registrar");
        let second = create_registrar(registry, "", "second").await.expect("a second person");
        let client = reqwest::Client::new();
        let key = first.secret.expose().to_owned();
        let send = async |path: &str, body: Value| -> Value {
            let once = registry.clock().new_uuid().to_string();
            let request =
                client.post(format!("{base}{path}")).bearer_auth(&key).header("Idempotency-Key", once);
            let answer = request.json(&body).send().await.expect("an answer");
            answer.error_for_status().expect("it is recorded").json().await.expect("JSON")
        };
        let member = async |name: &str, role: Role| {
            let person = json!({ "label": "bench", "key": { "label": "bench" } });
            let body = json!({ "name": name, "roles": [role], "person": person });
            let made = send("/v1/organizations", body).await;
            let org = made["organization"].as_str().expect("an id");
            send(&format!("/v1/organizations/{org}/verify"), json!({ "note": "for the bench" })).await;
            let person = made["person"].as_str().expect("an id").parse().expect("an id");
            let key = made["key"]["secret"].as_str().expect("a key").to_owned();
            (org.parse().expect("an id"), person, key)
        };
        let (holder, person, holder_key) = member("Bench Press", Role::RightsHolder).await;
        let (developer, _, key) = member("Bench Labs", Role::AiDeveloper).await;
        Self { registrars: [first, second], holder: (holder, person), holder_key, developer, key }
    }

    /// Works as in the table above, through the sequencer: registered, confirmed, 30% granted, 10% denied.
    async fn fill(&self, registry: &Registry, works: u64) -> Vec<WorkId> {
        let (mut ids, mut acts) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
        let ([first, second], (holder, person)) = (&self.registrars, self.holder);
        for number in 0..works {
            let mut new = || registry.clock().new_uuid();
            let Entered { registered, confirmed, answered } =
                entered(&mut new, number, holder, self.developer);
            ids.push(registered.work);
            acts[0].push(registered.into());
            acts[1].push(confirmed.into());
            acts[2].extend(answered);
            if acts[0].len() == ACTS || number + 1 == works {
                let [registered, confirmed, answered] = std::mem::take(&mut acts);
                record(registry, holder, &[person], registered).await;
                record(registry, first.org, &[first.person, second.person], confirmed).await;
                record(registry, holder, &[person], answered).await;
            }
        }
        ids
    }
}

async fn record(registry: &Registry, party: OrgId, by: &[PersonId], acts: Vec<Act>) {
    if acts.is_empty() {
        return;
    }
    let submission = Submission {
        party,
        on_behalf_of: None,
        by: by.to_vec(),
        acts: acts.into_iter().map(|act| (act, None)).collect(),
        once: None,
        body: Body::none(),
        accounts: Vec::new(),
        unchanged: None,
    };
    registry.submit(submission).await.expect("it is recorded");
}

/// So many bodies of checks of so many items, with the mix of keys of the table above.
fn bodies(works: &[WorkId], count: usize, items: usize) -> Vec<String> {
    let mut numbers = Numbers::new(0x2545_F491_4F6C_DD1D);
    let mut item = || match asked(&mut numbers, works) {
        SubjectKey::Key(Key::Url { value }) => json!({ "url": value }),
        SubjectKey::Key(Key::Sha256 { value }) => json!({ "sha256": value }),
        SubjectKey::Key(Key::Id { scheme, value }) => json!({ "id": { "scheme": scheme, "value": value } }),
        other => json!({ "keys": [other] }),
    };
    let mut body = || {
        let items: Vec<_> = (0..items).map(|_| item()).collect();
        json!({ "context": { "uses": ["train.generative"] }, "items": items }).to_string()
    };
    (0..count).map(|_| body()).collect()
}
