//! A monitor that wants witnesses to have cosigned what it keeps.

use kyodaku::log::checkpoint::{CheckpointSigner, Cosigner};

use super::canned::{Canned, Log, cosigned};
use super::signer;

const NEWEST: &str = "/logs/acts/checkpoint";
const COSIGNED: &str = "/logs/acts/checkpoint?cosigned=true";

fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/w{number}"), &[number; 32]).unwrap()
}

/// The arguments: the key of the log, two witnesses, and how long they may take.
fn words() -> Vec<String> {
    let mut words = vec!["--log".to_owned(), signer(0x5a).verifier_key().to_string()];
    for number in [1, 2] {
        words.extend(["--witness".to_owned(), witness(number).public().to_string()]);
    }
    words.extend(["--witnessed-within".to_owned(), "3600".to_owned()]);
    words
}

/// As if what waits had been kept in 1970.
fn wait_long(server: &Canned) {
    server.change_place(|place| {
        for waiting in place["waiting"].as_array_mut().unwrap() {
            waiting[1] = 0.into();
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_too_few_witnesses_cosign_is_told_once_it_waited_too_long() {
    let (server, log, signer) = (Canned::begin().await, Log::of("a", 9), signer(0x5a));
    server.prove(&log);
    let (words, [one, two]) = (words(), [witness(1), witness(2)]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let note = |size| log.note(size, &[&signer]);
    server.put(NEWEST, note(5));
    // What was kept before anybody named a witness waits as well.
    server.is_well(&words[..2]).await;
    server.is_well(&words).await;
    wait_long(&server);
    server.is_alarmed(&words, "unwitnessed: 0 of the witnesses have cosigned the 5 entries").await;
    // One of the name that the log had before, whose key is named no more, says nothing.
    let before = CheckpointSigner::from_seed("before.example/log", &[7; 32]).unwrap();
    server.put(COSIGNED, cosigned(&log.note(5, &[&before]), &one, 0));
    server.is_alarmed(&words, "unwitnessed: 0 of the witnesses have cosigned the 5 entries").await;
    // One of two is not enough, unless one is asked for.
    server.put(COSIGNED, cosigned(&note(5), &one, 0));
    server.is_alarmed(&words, "unwitnessed: 1 of the witnesses have cosigned the 5 entries").await;
    server.is_well(&[&words[..], &["--witnesses-needed", "1"]].concat()).await;
    // It waits for the second still, which cosigns a later one: that covers it. The newest one waits from now on.
    server.put(NEWEST, note(7));
    server.is_well(&words).await;
    server.change_place(|place| place["waiting"] = serde_json::json!([[5, 0], [7, i64::MAX]]));
    server.is_alarmed(&words, "unwitnessed: 1 of the witnesses have cosigned the 5 entries").await;
    server.put(COSIGNED, cosigned(&note(6), &two, 0));
    server.is_well(&words).await;
    let kept = std::fs::read_to_string(server.folder().join("checkpoints/6")).unwrap();
    assert!(kept.contains("witness.example/w2"), "{kept}");
    wait_long(&server);
    server.is_alarmed(&words, "unwitnessed: 0 of the witnesses have cosigned the 7 entries").await;
    server.put(NEWEST, cosigned(&cosigned(&note(7), &one, 0), &two, 0));
    server.is_well(&words).await;
    // Who is no witness any more counts no more.
    let other = Cosigner::from_seed("witness.example/w3", &[3; 32]).unwrap().public().to_string();
    server.put(NEWEST, note(9));
    server.is_well(&words).await;
    wait_long(&server);
    server.put(COSIGNED, cosigned(&note(9), &one, 0));
    server.is_well(&[&words[..], &["--witnesses-needed", "1"]].concat()).await;
    server.change_place(|place| place["waiting"] = serde_json::json!([[9, 0]]));
    let others = [&words[..2], &["--witness", &other, "--witnessed-within", "3600"]].concat();
    server.is_alarmed(&others, "unwitnessed: 0 of the witnesses have cosigned the 9 entries").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_false_cosignature_is_an_alarm_and_kept() {
    let (log, signer, one) = (Log::of("a", 7), signer(0x5a), witness(1));
    let note = |size| log.note(size, &[&signer]);
    let line = |note: String| note.lines().last().unwrap().to_owned() + "\n";
    let other = Log::of("b", 7).note(6, &[&signer]);
    let cases = [
        (NEWEST, note(7) + &line(cosigned(&note(6), &one, 0)), "cosignature: that of `witness.example/w1`"),
        (NEWEST, cosigned(&note(7), &one, 86_400), "it is of a time to come"),
        (COSIGNED, note(6) + &line(cosigned(&note(5), &one, 0)), "cosignature: that of `witness.example/w1`"),
        (COSIGNED, cosigned(&other, &one, 0), "fork: the checkpoint that is cosigned is of another log"),
        (
            COSIGNED,
            cosigned(&log.note(6, &[&super::signer(0x33)]), &one, 0),
            "signature: the newest checkpoint that is cosigned",
        ),
    ];
    let words = words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for (path, lie, part) in cases {
        let server = Canned::begin().await;
        server.prove(&log);
        server.put(NEWEST, note(7));
        server.is_well(&words).await;
        server.put(path, &lie);
        server.is_alarmed(&words, part).await;
        assert_eq!(super::evidence(server.folder()), 1, "{part}");
        // Whoever named no witness does not look.
        server.is_well(&words[..2]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_a_log_may_be_quiet_and_how_long_witnesses_may_take_are_two_things() {
    let (server, log, signer, words) = (Canned::begin().await, Log::of("a", 5), signer(0x5a), words());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    server.put(NEWEST, log.note(5, &[&signer]));
    server.is_well(&words).await;
    server.change_place(|place| place["grown_ms"] = 0.into());
    server.is_well(&words).await;
    wait_long(&server);
    let looked = server.look(&words).await;
    assert!(looked.code == 1 && looked.out.starts_with("alarm unwitnessed"), "{}{}", looked.out, looked.err);
    assert!(!looked.out.contains("alarm stall"), "{}", looked.out);
    let cosigned = cosigned(&cosigned(&log.note(5, &[&signer]), &witness(1), 0), &witness(2), 0);
    server.put(NEWEST, cosigned);
    server.is_alarmed(&[&words[..], &["--stall", "3600"]].concat(), "alarm stall").await;
}

#[test]
fn witnesses_are_given_a_time_and_are_not_fewer_than_are_needed() {
    let words = words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let without = crate::cli::run(["monitor", "--once"].iter().chain(&words[..6]).copied());
    assert!(without.code == 2 && without.err.contains("--witnessed-within"), "{}", without.err);
    let growth = [&words[..6], &["--stall", "3600"]].concat();
    let growth = crate::cli::run(["monitor", "--once"].iter().chain(&growth).copied());
    assert!(growth.code == 2 && growth.err.contains("--witnessed-within"), "{}", growth.err);
    let never =
        crate::cli::run(["monitor", "--once", "--witnessed-within", "0"].iter().chain(&words[..6]).copied());
    assert_eq!(never.code, 2, "{}", never.err);
    let more = ["monitor", "--once", "--witnesses-needed", "3"];
    let more = crate::cli::run(more.iter().chain(&words).copied());
    assert!(more.code == 2 && more.err.contains("can't be met"), "{}", more.err);
}
