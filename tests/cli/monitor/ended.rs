//! A monitor that follows which keys of the log have ended.

use kyodaku::log::canonical::to_canonical;
use kyodaku::log::checkpoint::CheckpointSigner;
use serde_json::{Value, json};

use super::canned::{Canned, LIST, Log};
use super::{ORIGIN, signer};

const NEWEST: &str = "/logs/acts/checkpoint";
const BUNDLE: &str = "/logs/acts/tile/entries/000.p/8";
const API: [&str; 2] = ["--api-key", "kyo_live_any"];

/// The example of an act, changed.
fn example(act: &str, change: impl FnOnce(&mut Value)) -> String {
    let examples = include_str!("../../../src/domain/examples.ndjson").lines();
    let mut entries = examples.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut entry = entries.find(|entry| entry["act"]["type"] == act).unwrap();
    change(&mut entry["act"]);
    String::from_utf8(to_canonical(&entry).unwrap()).unwrap()
}

fn old_key() -> String {
    signer(0x5a).verifier_key().to_string()
}

/// The act that puts the second key in the place of the first.
fn rotated() -> String {
    example("key.rotated", |act| {
        act["old"] = json!(old_key());
        act["new"] = json!(signer(0x33).verifier_key().to_string());
    })
}

/// A log of eight entries, the sixth of which ends the first key.
fn log() -> Log {
    let mut log = Log::of("a", 8);
    log.entries[5] = rotated();
    log
}

/// The list of logs, in which the first key ended so.
fn list(last_size: Option<u64>) -> String {
    let key = |seed: u8| signer(seed).verifier_key().to_string();
    let mut old = json!({ "verifier_key": key(0x5a), "first_size": 0, "first": "2026-01-01T00:00:00Z" });
    if let Some(last_size) = last_size {
        old["last_size"] = json!(last_size);
    }
    let new = json!({ "verifier_key": key(0x33), "first_size": 3, "first": "2026-01-02T00:00:00Z" });
    let told = json!({
        "log": "acts", "origin": ORIGIN, "prefix": "/logs/acts", "size": 8, "root": "", "keys": [old, new]
    });
    json!({ "items": [told], "next": null }).to_string()
}

async fn server(size: u64, seeds: &[u8], list: &str) -> Canned {
    let server = Canned::begin().await;
    server.prove(&log());
    show(&server, size, seeds);
    server.put(LIST, list);
    server
}

fn show(server: &Canned, size: u64, seeds: &[u8]) {
    let signers: Vec<_> = seeds.iter().map(|seed| signer(*seed)).collect();
    server.put(NEWEST, log().note(size, &signers.iter().collect::<Vec<_>>()));
}

/// The line of an entry.
fn told(entry: &str) -> String {
    json!({ "index": 0, "recorded": "2026-01-01T00:00:00Z", "entry": entry }).to_string()
}

fn words() -> [String; 4] {
    ["--log".to_owned(), old_key(), "--log".to_owned(), signer(0x33).verifier_key().to_string()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_by_a_key_that_ended_is_an_alarm() {
    let words = words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for seeds in [&[0x5a, 0x33][..], &[0x33]] {
        server(8, seeds, &list(Some(5))).await.is_well(&words).await;
    }
    // Up to there it signed.
    let server = server(5, &[0x5a], &list(Some(5))).await;
    server.is_well(&words).await;
    show(&server, 8, &[0x5a]);
    server.is_alarmed(&words, "retired_key: the checkpoint of 8 entries is signed by none but").await;
    assert_eq!(super::evidence(server.folder()), 1);
    // What was told once holds, whatever is told afterwards.
    for (now, part) in [
        (list(Some(7)), "gave way at 5 entries, and is now told to have done so at 7"),
        (list(None), "gave way at 5 entries, and is not told to have done so any more"),
    ] {
        server.put(LIST, now);
        server.is_alarmed(&words, part).await;
    }
    // A list that is kept back hides nothing that is known, and is no reason to believe that nothing else has changed.
    let mut without: Value = serde_json::from_str(&list(Some(5))).unwrap();
    without["items"][0]["log"] = json!("checks-a");
    for status in [401, 403, 404, 200] {
        match status {
            200 => server.put(LIST, without.to_string()),
            status => server.refuse(LIST, status),
        }
        show(&server, 8, &[0x5a]);
        server.is_alarmed(&words, "retired_key").await;
        show(&server, 8, &[0x33]);
        server.is_silent(&words, "the server tells nothing of the log").await;
    }
    // Nor is anybody kept waiting by a list without an end.
    server.put(LIST, json!({ "items": [], "next": "x" }).to_string());
    server.is_silent(&words, "the list of logs has no end").await;
    server.put(LIST, list(Some(5)));
    server.is_well(&words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_name_ends_with_its_last_checkpoint() {
    let mut list: Value = serde_json::from_str(&list(None)).unwrap();
    list["items"][0]["keys"].as_array_mut().unwrap().truncate(1);
    list["items"][0]["origin"] = json!("log.example/acts-2");
    list["items"][0]["continues"] = json!([{ "origin": ORIGIN, "size": 5, "root": "" }]);
    let server = server(5, &[0x5a], &list.to_string()).await;
    let words = words();
    let words: Vec<&str> = words[..2].iter().map(String::as_str).collect();
    server.is_well(&words).await;
    show(&server, 8, &[0x5a]);
    server.is_alarmed(&words, "retired_key").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_no_act_bears_out_is_an_alarm_where_the_acts_may_be_read() {
    let words = words();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(API).collect();
    let log = log();
    // Nobody lets it read them.
    let unseen = server(8, &[0x33], &list(Some(5))).await;
    unseen.is_well(&words).await;
    // Of a key that is named no more nothing need be borne out.
    unseen.put("/v1/entries/0", told(&log.entries[0]));
    unseen.is_well(&words[2..]).await;
    unseen.is_alarmed(&words, "and no entry there is told").await;
    // The act is there.
    let borne = server(8, &[0x33], &list(Some(5))).await;
    borne.put("/v1/entries/5", told(&log.entries[5]));
    borne.is_well(&words).await;
    borne.put("/v1/entries/5", told(&log.entries[4]));
    borne.is_well(&words).await;
    // It is another entry, one that is not in the log, or none.
    let other = server(8, &[0x33], &list(Some(4))).await;
    other.put("/v1/entries/4", told(&log.entries[4]));
    other.is_alarmed(&words, "the entry there is no act that says so").await;
    let forged = server(8, &[0x33], &list(Some(4))).await;
    forged.put("/v1/entries/4", told(&log.entries[5]));
    forged.is_alarmed(&words, "entry: 4 is told otherwise").await;
    let none = server(8, &[0x33], &list(Some(4))).await;
    none.put("/v1/entries/0", told(&log.entries[0]));
    none.is_alarmed(&words, "and no entry there is told").await;
    // What lies beyond what is looked at is looked at later.
    let later = server(4, &[0x5a], &list(Some(5))).await;
    later.put("/v1/entries/0", told(&log.entries[0]));
    later.is_well(&words).await;
    show(&later, 8, &[0x33]);
    later.is_alarmed(&words, "and no entry there is told").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_ends_a_key_counts_whatever_the_list_tells() {
    let (words, log) = (words(), log());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let with_key = [&words[..], &API].concat();
    let server = server(5, &[0x5a], &list(None)).await;
    server.is_well(&with_key).await;
    show(&server, 8, &[0x5a]);
    // Without a key, and with one that may not read them, nobody says so.
    server.is_well(&words).await;
    server.is_well(&with_key).await;
    let mut forged = Log { entries: log.entries.clone() };
    forged.entries[6] = forged.entries[5].clone();
    forged.entries[5] = log.entries[4].clone();
    server.put(BUNDLE, forged.bundle(0..8));
    server.is_alarmed(&with_key, "entry: 6 is told otherwise").await;
    server.put(BUNDLE, log.bundle(0..8));
    server.is_alarmed(&with_key, "retired_key").await;
    show(&server, 8, &[0x33]);
    server.put(LIST, list_of_end());
    server.is_well(&with_key).await;
}

fn list_of_end() -> String {
    list(Some(5))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_act_that_goes_on_under_another_name_ends_the_keys_of_the_old_one() {
    let mut log = log();
    log.entries[5] = example("log.continued", |act| act["from"] = json!(ORIGIN));
    let server = Canned::begin().await;
    server.prove(&log);
    let (old, words) = (signer(0x5a), words());
    let words: Vec<&str> = words[..2].iter().map(String::as_str).chain(API).collect();
    server.put(NEWEST, log.note(5, &[&old]));
    server.is_well(&words).await;
    server.put(NEWEST, log.note(8, &[&old]));
    server.put(BUNDLE, log.bundle(0..8));
    server.is_alarmed(&words, "retired_key").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_replaced_does_not_end_once_more_with_the_name_of_the_log() {
    let mut log = log();
    log.entries.swap(3, 5);
    log.entries[5] = example("log.continued", |act| act["from"] = json!(ORIGIN));
    let (server, words) = (Canned::begin().await, words());
    server.prove(&log);
    let next = CheckpointSigner::from_seed("log.example/acts-2", &[0x44; 32]).unwrap();
    let key = next.verifier_key().to_string();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--log", &key]).chain(API).collect();
    server.put(LIST, list(None));
    server.put(NEWEST, log.note(2, &[&signer(0x5a)]));
    server.is_well(&words).await;
    server.put(NEWEST, log.note(8, &[&next]));
    server.put(BUNDLE, log.bundle(0..8));
    // It reads of both acts before anything is told of them.
    server.is_well(&words).await;
    let mut told: Value = serde_json::from_str(&list(Some(3))).unwrap();
    told["items"][0]["continues"] = json!([{ "origin": ORIGIN, "size": 5, "root": "" }]);
    server.put(LIST, told.to_string());
    server.is_well(&words).await;
    // An end that is told too early is no better for the act that comes after it.
    let lied = Canned::begin().await;
    lied.prove(&log);
    lied.put(LIST, list(None));
    lied.put(NEWEST, log.note(2, &[&signer(0x5a)]));
    lied.is_well(&words).await;
    told["items"][0]["keys"][0]["last_size"] = json!(2);
    lied.put(LIST, told.to_string());
    lied.put(NEWEST, log.note(8, &[&next]));
    lied.put(BUNDLE, log.bundle(0..8));
    for at in [2, 5] {
        lied.put(&format!("/v1/entries/{at}"), self::told(&log.entries[at]));
    }
    lied.is_alarmed(&words, "the entry there is no act that says so").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_that_are_not_told_all_at_once_are_read_on_from_there() {
    let (old, new, words) = (signer(0x5a), signer(0x33), words());
    let mut log = Log::of("a", 600);
    log.entries[520] = rotated();
    let words: Vec<&str> = words.iter().map(String::as_str).chain(API).collect();
    let server = Canned::begin().await;
    server.put(LIST, list(None));
    server.continues(&log, 5, 600);
    server.includes(&log, 520, 600);
    server.put(NEWEST, log.note(5, &[&old]));
    server.is_well(&words).await;
    server.put(NEWEST, log.note(600, &[&old]));
    let bundles = ["000", "001", "002.p/88"].map(|name| format!("/logs/acts/tile/entries/{name}"));
    let read = |expected: u64| server.change_place(|place| assert_eq!(place["acts_read"], expected));
    // Who tells nothing gives no answer; what was read before a failure stays read.
    for status in [429, 503] {
        server.refuse(&bundles[0], status);
        server.is_silent(&words, &format!("the server answers {status}")).await;
        read(5);
    }
    server.put(&bundles[0], log.bundle(0..256));
    server.refuse(&bundles[1], 500);
    server.is_silent(&words, "the server answers 500").await;
    read(256);
    // Who tells some and asks to wait is asked for the rest at the next look.
    server.put(&bundles[1], log.bundle(256..512));
    for status in [429, 503] {
        server.change_place(|place| place["acts_read"] = json!(5));
        server.refuse(&bundles[2], status);
        server.is_well(&words).await;
        read(512);
        server.change_place(|place| assert_eq!(place["size"], 600));
    }
    server.put(&bundles[2], log.bundle(512..600));
    server.is_alarmed(&words, "retired_key").await;
    read(600);
    server.put(NEWEST, log.note(600, &[&new]));
    server.put(LIST, list(Some(520)));
    server.is_well(&words).await;
}
