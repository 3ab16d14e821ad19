//! The registry asks witnesses, and goes on whatever they do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::response::IntoResponse;
use axum::routing::post;
use futures_util::stream;
use kyodaku::log::checkpoint::{Cosigner, VerifierKey};
use kyodaku::registry::witnesses::{NoCosignature, WitnessClient, WitnessSettings};
use kyodaku::registry::{Registry, keys as key_files};
use kyodaku::store::{Db, Engine, append, heads};
use serde_json::{Value, json};

use super::{NAME, cosigner, serve, serve_witness, witness};
use crate::world::actors::Stage;
use crate::world::beside::meddle;
use crate::world::lines::lines;
use crate::world::{World, both};

fn client(url: &str) -> WitnessClient {
    WitnessClient::new(WitnessSettings::new(&cosigner().public().to_string(), url).unwrap()).unwrap()
}

async fn keys(stage: &Stage) -> Vec<VerifierKey> {
    let logs: Value = stage.nobody.get("/logs").await.json();
    let keys =
        logs["items"].as_array().unwrap().iter().map(|log| log["keys"][0]["verifier_key"].as_str().unwrap());
    keys.map(|key| key.parse().unwrap()).collect()
}

async fn checkpoint(stage: &Stage, path: &str) -> String {
    let answer = stage.nobody.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// A state of a witness beside the world's.
async fn state(world: &World) -> Db {
    let url = format!("sqlite:{}", world.folder.path().join("witness.db").display());
    Db::connect_sized(&url, 2).await.unwrap()
}

both!(what_a_witness_cosigns_is_served_with_the_checkpoint, async |world: World| {
    let stage = world.stage().await;
    let developer = stage.developer("Kasane Labs").await;
    let item = json!({ "keys": [{ "type": "url", "value": "https://hoshikuzu.example/1" }] });
    let check = json!({ "context": { "uses": ["search"] }, "items": [item] });
    assert_eq!(developer.post("/v1/checks", &check).await.status, 200);
    let db = state(&world).await;
    let url = serve_witness(witness(db.clone(), keys(&stage).await, world.clock.clone())).await;
    let asked = client(&url);
    assert_eq!(stage.nobody.get("/logs/acts/checkpoint?cosigned=true").await.problem(), "not_found");
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 2, "the act log and the journal");
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 0, "nothing is new");
    for log in ["acts", "checks-a"] {
        let path = format!("/logs/{log}/checkpoint");
        let note = checkpoint(&stage, &path).await;
        let lines = note.rsplit_once("\n\n").unwrap().1;
        assert_eq!(lines.lines().count(), 2, "{note}");
        cosigner().public().find(note.as_bytes(), lines).unwrap();
        assert_eq!(checkpoint(&stage, &format!("{path}?cosigned=true")).await, note);
        let size = note.lines().nth(1).unwrap();
        assert_eq!(checkpoint(&stage, &format!("/logs/{log}/checkpoints/{size}")).await, note);
    }
    // A newer one is served before it is cosigned, and the older one stays.
    let before = checkpoint(&stage, "/logs/acts/checkpoint").await;
    stage.holder("Hoshikuzu Press").await;
    let newest = checkpoint(&stage, "/logs/acts/checkpoint").await;
    assert_eq!(newest.rsplit_once("\n\n").unwrap().1.lines().count(), 1);
    assert_eq!(checkpoint(&stage, "/logs/acts/checkpoint?cosigned=true").await, before);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 1);
    let file = checkpoint(&stage, "/logs/acts/proofs/file?index=0").await;
    assert!(file.contains(&format!("\u{2014} {NAME} ")), "{file}");
});

both!(a_witness_that_remembers_more_than_we_do_is_caught_up_with, async |world: World| {
    let stage = world.stage().await;
    let url = serve_witness(witness(state(&world).await, keys(&stage).await, world.clock.clone())).await;
    let asked = client(&url);
    stage.registry.ask_witness(&asked).await.unwrap();
    // Another node of this registry asked it, and kept the cosignature elsewhere.
    meddle(stage.registry.db(), "DELETE FROM cosignatures").await.unwrap();
    stage.holder("Hoshikuzu Press").await;
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 1);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 0);
});

/// A journal of a node that has left, with so many entries by now, and its key.
async fn journal_of(stage: &Stage, node: &str, entries: u64) -> VerifierKey {
    let settings = stage.registry.settings();
    let log = heads::checks_log(node);
    let signer =
        key_files::signer(&settings.data_dir.join("journal.key"), &format!("{}/{log}", settings.origin))
            .unwrap();
    let mut tx = stage.registry.db().begin().await.unwrap();
    let head = heads::lock_or_create(&mut tx, &log, &signer, stage.clock().now_ms()).await.unwrap();
    let new: Vec<String> = (head.size()..entries).map(|entry| format!("entry {entry}")).collect();
    append(&mut tx, &head, &new, &signer, stage.clock().now_ms()).await.unwrap();
    tx.commit().await.unwrap();
    signer.verifier_key().clone()
}

const PAST: Duration = Duration::from_mins(2);

both!(the_journals_of_nodes_that_have_left_are_sent_on, async |world: World| {
    let stage = world.stage().await;
    let mut known = vec![keys(&stage).await[0].clone()];
    // More than one look sends on, one of which the witness does not know.
    for number in 0..40 {
        let key = journal_of(&stage, &format!("gone{number:02}"), 3).await;
        if number != 1 {
            known.push(key);
        }
    }
    let url = serve_witness(witness(state(&world).await, known, world.clock.clone())).await;
    let asked = client(&url);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 1, "whoever writes it sends it");
    stage.clock().advance(PAST);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 31, "the one that it does not know");
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 0, "it has just looked");
    stage.clock().advance(PAST);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 8);
    stage.clock().advance(PAST);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 0, "nothing is lacking");
    for log in ["checks-gone00", "checks-gone39"] {
        let note = checkpoint(&stage, &format!("/logs/{log}/checkpoint?cosigned=true")).await;
        cosigner().public().find(note.as_bytes(), note.rsplit_once("\n\n").unwrap().1).unwrap();
    }
    // One that goes on after all is left to its node until it stands still again.
    journal_of(&stage, "gone00", 5).await;
    stage.clock().advance(Duration::from_secs(1));
    assert_eq!(stage.registry.ask_witness(&client(&url)).await.unwrap(), 0);
    stage.clock().advance(PAST);
    assert_eq!(stage.registry.ask_witness(&client(&url)).await.unwrap(), 1);
});

both!(journals_that_a_witness_does_not_know_keep_no_other_one_from_it, async |world: World| {
    let stage = world.stage().await;
    let mut known = vec![keys(&stage).await[0].clone()];
    for number in 0..34 {
        let key = journal_of(&stage, &format!("gone{number:02}"), 1).await;
        known.extend(Some(key).filter(|_| number >= 32));
    }
    let url = serve_witness(witness(state(&world).await, known, world.clock.clone())).await;
    let asked = client(&url);
    // One look, all of it in vain, and the next one after it; then from the beginning.
    for given in [1, 2, 0] {
        stage.clock().advance(PAST);
        assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), given);
    }
});

both!(nodes_that_send_the_same_journal_do_no_harm_to_each_other, async |world: World| {
    let stage = world.stage().await;
    let known = [keys(&stage).await[0].clone(), journal_of(&stage, "gone", 3).await];
    stage.clock().advance(PAST);
    let url = serve_witness(witness(state(&world).await, known, world.clock.clone())).await;
    let other = Registry::open(world.settings("b"), world.clock.clone()).await.unwrap();
    let both = [&stage.registry, &other].map(|registry| {
        let (registry, asked) = (registry.clone(), client(&url));
        tokio::spawn(async move { registry.ask_witness(&asked).await })
    });
    for asked in both {
        asked.await.unwrap().expect("whoever is later is not told that anything is wrong");
    }
    for log in ["acts", "checks-gone"] {
        let note = checkpoint(&stage, &format!("/logs/{log}/checkpoint")).await;
        assert_eq!(note.rsplit_once("\n\n").unwrap().1.lines().count(), 2, "{note}");
    }
});

/// How a witness fails for a log; none where it cosigns.
type Fails = Arc<Mutex<Box<dyn Fn(&str) -> Option<Failing> + Send>>>;

#[derive(Clone, Copy)]
enum Failing {
    Status(u16),
    /// It has seen more of it.
    Beyond,
    /// The answer breaks off.
    Broken,
}

fn fails(how: impl Fn(&str) -> Option<Failing> + Send + 'static) -> Fails {
    Arc::new(Mutex::new(Box::new(how)))
}

/// A witness that cosigns whatever it is sent, but of logs for which it fails.
async fn failing(world: &World, fails: &Fails) -> WitnessClient {
    let (fails, clock) = (Arc::clone(fails), world.clock.clone());
    let answer = move |body: String| {
        let note = body.split_once("\n\n").unwrap().1;
        let how = fails.lock().unwrap()(note.lines().next().unwrap().rsplit('/').next().unwrap());
        let now_s = u64::try_from(clock.now_ms() / 1_000).unwrap();
        let line = cosigner().cosign(note.as_bytes(), now_s).unwrap();
        async move {
            match how {
                None => line.into_response(),
                Some(Failing::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
                Some(Failing::Beyond) => {
                    let size = [(CONTENT_TYPE, "text/x.tlog.size")];
                    (StatusCode::CONFLICT, size, "1000000\n").into_response()
                }
                Some(Failing::Broken) => {
                    let broken = stream::once(async { Err::<String, _>(std::io::Error::other("broken")) });
                    Body::from_stream(broken).into_response()
                }
            }
        }
    };
    client(&serve(Router::new().route("/add-checkpoint", post(answer))).await)
}

/// Which journals of nodes that have left are cosigned, by number.
async fn cosigned(stage: &Stage, numbers: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut found = Vec::new();
    for number in numbers {
        let path = format!("/logs/checks-gone{number:02}/checkpoint?cosigned=true");
        if stage.nobody.get(&path).await.status == 200 {
            found.push(number);
        }
    }
    found
}

both!(a_log_that_a_witness_has_seen_otherwise_keeps_no_other_one_from_it, async |world: World| {
    let stage = world.stage().await;
    for node in ["a", "gone00", "gone01", "gone02", "gone03"] {
        journal_of(&stage, node, 3).await;
    }
    stage.clock().advance(PAST);
    let fails = fails(|log| match log {
        "gone00" => Some(Failing::Beyond),
        "gone02" => Some(Failing::Status(404)),
        "a" | "gone01" | "gone03" => None,
        // The act log.
        _ => Some(Failing::Status(422)),
    });
    let asked = failing(&world, &fails).await;
    // It is told before the act log that is not cosigned, and all others are.
    let error = stage.registry.ask_witness(&asked).await.unwrap_err();
    assert!(matches!(error, NoCosignature::Beyond { seen: 1_000_000, size: 3 }), "{error}");
    assert_eq!(cosigned(&stage, 0..4).await, [1, 3]);
    assert_eq!(stage.nobody.get("/logs/checks-a/checkpoint?cosigned=true").await.status, 200, "its own");
    // It has just looked for those: what is left is the act log.
    let error = stage.registry.ask_witness(&asked).await.unwrap_err();
    assert!(matches!(error, NoCosignature::Status(422)), "{error}");
    // It is told as well where the witness is gone in the midst.
    *fails.lock().unwrap() = Box::new(|log| match log {
        "gone00" => Some(Failing::Beyond),
        "gone02" => Some(Failing::Broken),
        _ => None,
    });
    stage.clock().advance(PAST);
    let error = stage.registry.ask_witness(&asked).await.unwrap_err();
    assert!(matches!(error, NoCosignature::Beyond { seen: 1_000_000, size: 3 }), "{error}");
});

both!(a_look_that_fails_leaves_no_journal_behind, async |world: World| {
    let stage = world.stage().await;
    for number in 0..40 {
        journal_of(&stage, &format!("gone{number:02}"), 1).await;
    }
    stage.clock().advance(PAST);
    let fails = fails(|_| Some(Failing::Broken));
    let asked = failing(&world, &fails).await;
    let error = stage.registry.ask_witness(&asked).await.unwrap_err();
    assert!(matches!(error, NoCosignature::Unreachable(_)), "{error}");
    // It was not looked for them yet; and then up to where it broke off, behind which it goes on.
    *fails.lock().unwrap() = Box::new(|log| Some(Failing::Broken).filter(|_| log == "gone05"));
    let error = stage.registry.ask_witness(&asked).await.unwrap_err();
    assert!(matches!(error, NoCosignature::Unreachable(_)), "{error}");
    assert_eq!(cosigned(&stage, 0..40).await, (0..5).collect::<Vec<_>>());
    stage.clock().advance(PAST);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 32);
    assert_eq!(cosigned(&stage, 0..40).await, (0..38).filter(|it| *it != 5).collect::<Vec<_>>());
});

both!(that_a_witness_does_not_know_a_journal_is_told_once, async |world: World| {
    let lines = lines();
    let stage = world.stage().await;
    let engine = match world.engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    };
    for kind in ["unknown", "refused"] {
        journal_of(&stage, &format!("{kind}-{engine}"), 1).await;
    }
    let warned = |kind: &str| {
        let log = format!("log=checks-{kind}-{engine} ");
        lines.text().lines().filter(|line| line.contains("WARN") && line.contains(&log)).count()
    };
    let fails = fails(|log| match log {
        log if log.starts_with("unknown") => Some(Failing::Status(404)),
        log if log.starts_with("refused") => Some(Failing::Status(422)),
        _ => None,
    });
    let asked = failing(&world, &fails).await;
    // Another program, or another witness, tells it too.
    for (asked, looks, unknown, refused) in [(&asked, 3, 1, 3), (&failing(&world, &fails).await, 2, 2, 5)] {
        for _ in 0..looks {
            stage.clock().advance(PAST);
            stage.registry.ask_witness(asked).await.unwrap();
        }
        assert_eq!((warned("unknown"), warned("refused")), (unknown, refused), "{}", lines.text());
    }
});

both!(what_fails_here_is_not_laid_to_the_witness, async |world: World| {
    let stage = world.stage().await;
    for number in 0..3 {
        journal_of(&stage, &format!("gone{number:02}"), 1).await;
    }
    stage.clock().advance(PAST);
    meddle(stage.registry.db(), "UPDATE logs SET size = 7 WHERE log = 'checks/gone01'").await.unwrap();
    let asked = failing(&world, &fails(|_| None)).await;
    let error = stage.registry.ask_witness(&asked).await.unwrap_err();
    assert!(matches!(error, NoCosignature::Registry(_)), "{error}");
    stage.clock().advance(PAST);
    assert_eq!(stage.registry.ask_witness(&asked).await.unwrap(), 1, "what is behind it");
    assert_eq!(cosigned(&stage, [0, 2]).await, [0, 2]);
});

/// A witness that tells of these sizes, one after the other; the log of `growing` grows while it is asked for the first time.
async fn telling(sizes: Vec<u64>, growing: Option<Stage>) -> String {
    let asked = Arc::new(AtomicU64::new(0));
    let answer = move || {
        let at = asked.fetch_add(1, Ordering::SeqCst);
        let size = sizes[usize::try_from(at).unwrap().min(sizes.len() - 1)];
        let growing = growing.clone().filter(|_| at == 0);
        async move {
            if let Some(stage) = growing {
                stage.auditor_named("Later").await;
            }
            (StatusCode::CONFLICT, [(CONTENT_TYPE, "text/x.tlog.size")], format!("{size}\n"))
        }
    };
    serve(Router::new().route("/add-checkpoint", post(answer))).await
}

both!(a_race_that_is_lost_is_no_alarm, async |world: World| {
    let stage = world.stage().await;
    let size = stage.log_size().await;
    // Another node sent more in between, twice.
    let url = telling(vec![1, 2], None).await;
    assert_eq!(stage.registry.ask_witness(&client(&url)).await.unwrap(), 0);
    // It tells the same twice, and takes nothing.
    let url = telling(vec![1, 1], None).await;
    let stuck = stage.registry.ask_witness(&client(&url)).await.unwrap_err();
    assert!(matches!(stuck, NoCosignature::Status(409)), "{stuck}");
    // It has seen more than was sent; by now there is so much.
    let url = telling(vec![size + 1], Some(stage.clone())).await;
    assert_eq!(stage.registry.ask_witness(&client(&url)).await.unwrap(), 0);
    let url = telling(vec![1_000_000], Some(stage.clone())).await;
    let beyond = stage.registry.ask_witness(&client(&url)).await.unwrap_err();
    assert!(matches!(beyond, NoCosignature::Beyond { seen: 1_000_000, .. }), "{beyond}");
});

/// A witness that answers so, and that nobody may follow where it leads: that is counted.
async fn answering(status: u16, kind: &'static str, body: String, followed: &Arc<AtomicU64>) -> String {
    let answer = move || async move {
        let headers = [(CONTENT_TYPE, kind), (LOCATION, "/elsewhere")];
        (StatusCode::from_u16(status).unwrap(), headers, body).into_response()
    };
    let counted = Arc::clone(followed);
    let cosigns = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        "cosigned here"
    };
    serve(
        Router::new()
            .route("/add-checkpoint", post(answer))
            .route("/elsewhere", post(cosigns.clone()).get(cosigns)),
    )
    .await
}

both!(nothing_of_a_broken_or_lying_witness_is_believed, async |world: World| {
    let stage = world.stage().await;
    let plain = "text/plain; charset=utf-8";
    let size = stage.log_size().await;
    let note = checkpoint(&stage, "/logs/acts/checkpoint").await;
    let now_s = u64::try_from(world.clock.now_ms() / 1_000).unwrap();
    let namesake = Cosigner::from_seed(NAME, &[1; 32]).unwrap().cosign(note.as_bytes(), now_s).unwrap();
    let earlier = note.replacen(&format!("\n{size}\n"), "\n1\n", 1);
    let of_another = cosigner().cosign(earlier.as_bytes(), now_s).unwrap();
    let ahead = cosigner().cosign(note.as_bytes(), now_s + 86_400).unwrap();
    let beyond = format!("{}\n", size + 1);
    let cases = [
        (200, plain, String::new()),
        (200, plain, "hello\n".to_owned()),
        (200, plain, namesake),
        (200, plain, of_another),
        (200, plain, ahead),
        (200, plain, "x".repeat(1 << 20)),
        (302, plain, String::new()),
        (307, plain, String::new()),
        (409, plain, beyond.clone()),
        (409, "text/x.tlog.size", "many\n".to_owned()),
        (409, "text/x.tlog.size", "1\n".to_owned()),
        (409, "text/x.tlog.size", beyond),
        (422, plain, String::new()),
        (500, plain, String::new()),
    ];
    let followed = Arc::new(AtomicU64::new(0));
    for (status, kind, body) in cases {
        let shown = format!("{status} {kind} {body:.60}");
        let url = answering(status, kind, body, &followed).await;
        let error = stage.registry.ask_witness(&client(&url)).await.unwrap_err();
        let is_alarm = matches!(error, NoCosignature::Beyond { seen, size: own } if seen == own + 1);
        assert_eq!(
            is_alarm,
            shown.starts_with(&format!("409 text/x.tlog.size {}", size + 1)),
            "{shown}: {error}"
        );
        assert_eq!(checkpoint(&stage, "/logs/acts/checkpoint").await, note, "{shown}");
    }
    assert_eq!(followed.load(Ordering::SeqCst), 0, "a redirect was followed");
    assert!(matches!(
        stage.registry.ask_witness(&client("http://127.0.0.1:1")).await,
        Err(NoCosignature::Unreachable(_))
    ));
});

both!(a_witness_that_never_answers_holds_up_nothing, async |world: World| {
    let stage = world.stage().await;
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let silent = move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    let url = serve(Router::new().route("/add-checkpoint", post(silent))).await;
    let good = serve_witness(witness(state(&world).await, keys(&stage).await, world.clock.clone())).await;
    let key = cosigner().public().to_string();
    let silent = Cosigner::from_seed("silent.example", &[3; 32]).unwrap().public().to_string();
    let settings = [(&silent, &url), (&key, &good)].map(|(key, url)| WitnessSettings::new(key, url).unwrap());
    let tasks = stage.registry.watched_by(settings.to_vec(), Duration::from_millis(10)).unwrap();
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It is being asked, and all the others go on, the other witness too.
    stage.holder("Hoshikuzu Press").await;
    let size = stage.log_size().await;
    loop {
        let note = checkpoint(&stage, "/logs/acts/checkpoint").await;
        assert_eq!(note.lines().nth(1).unwrap(), size.to_string());
        if note.contains(&format!("\u{2014} {NAME} ")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(tasks);
});

#[test]
fn a_setting_that_names_no_witness_is_refused() {
    let key = cosigner().public().to_string();
    for (key, url) in [
        ("witness.example", "https://witness.example"),
        (key.as_str(), "witness.example"),
        (key.as_str(), "ftp://witness.example"),
        (key.as_str(), "https://witness.example/?q"),
        (key.as_str(), "https://witness.example/#x"),
        (key.as_str(), "https://"),
        (key.as_str(), "https://us:secret-word@witness.example"),
        (key.as_str(), "https://us@witness.example"),
    ] {
        let refused = WitnessSettings::new(key, url).unwrap_err().to_string();
        assert!(!refused.contains("secret-word"), "{refused}");
    }
    let good = WitnessSettings::new(&key, "https://witness.example/w1/").unwrap();
    assert_eq!(good.url, "https://witness.example/w1");
}
