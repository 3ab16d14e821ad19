//! Checks of 1,000 items over HTTP, on loopback: read, decided, journaled, answered. The client is a thread of this
//! process, whose CPU time is taken off what the process used.

use std::time::Duration;

use kyodaku::clock::{Clock, stopwatch};
use kyodaku::domain::act::{Act, Role};
use kyodaku::domain::ids::{OrgId, PersonId, WorkId};
use kyodaku::domain::key::{Key, SubjectKey};
use kyodaku::http::server::{Limits, serve};
use kyodaku::http::{App, routes};
use kyodaku::registry::bootstrap::{NewAccess, create_registrar};
use kyodaku::registry::{Body, Registry, Settings, Submission};
use serde_json::{Value, json};

use super::{Entered, Numbers, asked, entered, row};

const ITEMS: usize = 1_000;
const REQUESTS: usize = 200;
/// How many bodies are asked in turn.
const BODIES: usize = 20;
/// How many acts one command holds here.
const ACTS: usize = 900;
/// The unit of CPU times in `/proc`.
const TICKS_A_SECOND: f64 = 100.0;

/// Who records, and who asks.
struct Cast {
    registrars: [NewAccess; 2],
    holder: (OrgId, PersonId),
    developer: OrgId,
    key: String,
}

/// Prints the figures on the database at `url`, with a log of so many works in it.
pub(super) fn figures(name: &str, url: &str, works: u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let url = url.replace("FOLDER", &folder.path().display().to_string());
        let settings = Settings {
            database_url: url,
            data_dir: folder.path().join("data"),
            origin: "bench.example/log".to_owned(),
            node: "bench".to_owned(),
            recheck_max_ms: 86_400_000,
            mail: kyodaku::registry::MailSettings::folder(&folder.path().join("data")),
            four_eyes: false,
        };
        let registry = Registry::open(settings, Clock::system()).await.expect("an empty database");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = routes::router(&App::new(registry.clone()), routes::table());
        tokio::spawn(serve(listener, router, Limits::default(), std::future::pending()));
        let cast = Cast::enter(&registry, &format!("http://{address}")).await;
        let watch = stopwatch();
        let ids = cast.fill(&registry, works).await;
        let entries = registry.shared().published();
        row(&format!("{name}: entries in the log"), &entries.to_string());
        row(
            &format!("{name}: works registered and confirmed a second"),
            &format!("{:.0}", works as f64 / watch.elapsed().as_secs_f64()),
        );
        for connections in [1, 4] {
            let (bodies, key) = (bodies(&ids), cast.key.clone());
            let asked = tokio::task::spawn_blocking(move || ask(address, &key, &bodies, connections)).await;
            print(name, connections, asked.expect("the client ends"));
        }
    });
}

/// What the client saw.
struct Seen {
    latencies: Vec<Duration>,
    elapsed: Duration,
    server_cpu_s: f64,
    permitted: u64,
}

fn print(name: &str, connections: usize, mut seen: Seen) {
    let items = (seen.latencies.len() * ITEMS) as f64;
    seen.latencies.sort_unstable();
    let at = |part: usize| seen.latencies[(seen.latencies.len() - 1) * part / 100].as_secs_f64() * 1_000.0;
    let what = format!("{name}, {connections} at once: items");
    row(&format!("{what} a second"), &format!("{:.0}", items / seen.elapsed.as_secs_f64()));
    row(&format!("{what} a second of the server's CPU"), &format!("{:.0}", items / seen.server_cpu_s));
    let what = format!("{name}, {connections} at once: request of {ITEMS}");
    row(&format!("{what}, of which permitted"), &seen.permitted.to_string());
    row(&format!("{what}, p50 / p99"), &format!("{:.1} / {:.1} ms", at(50), at(99)));
}

impl Cast {
    async fn enter(registry: &Registry, base: &str) -> Self {
        let first = create_registrar(registry, "Bench Registry", "first").await.expect("a registrar");
        let second = create_registrar(registry, "", "second").await.expect("a second person");
        let client = reqwest::Client::new();
        let key = first.secret.expose().to_owned();
        let post = async |path: &str, body: Value| -> Value {
            let once = registry.clock().new_uuid().to_string();
            let request =
                client.post(format!("{base}{path}")).bearer_auth(&key).header("Idempotency-Key", once);
            let answer = request.json(&body).send().await.expect("an answer");
            answer.error_for_status().expect("it is recorded").json().await.expect("JSON")
        };
        let member = async |name: &str, role: Role| {
            let person = json!({ "label": "bench", "key": { "label": "bench" } });
            let body = json!({ "name": name, "roles": [role], "person": person });
            let made = post("/v1/organizations", body).await;
            let org = made["organization"].as_str().expect("an id");
            post(&format!("/v1/organizations/{org}/verify"), json!({ "note": "for the bench" })).await;
            let person = made["person"].as_str().expect("an id").parse().expect("an id");
            let key = made["key"]["secret"].as_str().expect("a key").to_owned();
            (org.parse().expect("an id"), person, key)
        };
        let (holder, person, _) = member("Bench Press", Role::RightsHolder).await;
        let (developer, _, key) = member("Bench Labs", Role::AiDeveloper).await;
        Self { registrars: [first, second], holder: (holder, person), developer, key }
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

/// Bodies of checks with the mix of keys of the table above.
fn bodies(works: &[WorkId]) -> Vec<String> {
    let mut numbers = Numbers(0x2545_F491_4F6C_DD1D);
    let mut item = || match asked(&mut numbers, works) {
        SubjectKey::Key(Key::Url { value }) => json!({ "url": value }),
        SubjectKey::Key(Key::Sha256 { value }) => json!({ "sha256": value }),
        SubjectKey::Key(Key::Id { scheme, value }) => json!({ "id": { "scheme": scheme, "value": value } }),
        other => json!({ "keys": [other] }),
    };
    let mut body = || {
        let items: Vec<_> = (0..ITEMS).map(|_| item()).collect();
        json!({ "context": { "uses": ["train.generative"] }, "items": items }).to_string()
    };
    (0..BODIES).map(|_| body()).collect()
}

/// Asks from this thread alone, over so many connections at once.
fn ask(address: std::net::SocketAddr, key: &str, bodies: &[String], connections: usize) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let uri = format!("http://{address}/v1/checks");
        let one = async |number: usize| {
            let watch = stopwatch();
            let request = client.post(&uri).bearer_auth(key).header("content-type", "application/json");
            let answer = request.body(bodies[number % bodies.len()].clone()).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            let bytes = answer.bytes().await.expect("a whole answer");
            (watch.elapsed(), bytes)
        };
        for number in 0..BODIES {
            one(number).await;
        }
        let (before, watch) = (cpu_s("self") - cpu_s("thread-self"), stopwatch());
        let (mut latencies, mut last) = (Vec::new(), None);
        for round in 0..REQUESTS / connections {
            let asked = (0..connections).map(|at| one(round * connections + at));
            for (latency, bytes) in futures_util::future::join_all(asked).await {
                latencies.push(latency);
                last = Some(bytes);
            }
        }
        let (elapsed, server_cpu_s) = (watch.elapsed(), cpu_s("self") - cpu_s("thread-self") - before);
        let answer: Value = serde_json::from_slice(&last.expect("answers")).expect("JSON");
        Seen { latencies, elapsed, server_cpu_s, permitted: answer["permitted"].as_u64().expect("a count") }
    })
}

/// User and system time of this process or thread, in seconds.
fn cpu_s(whose: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{whose}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything; twelve fields on stand the two times.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
}
