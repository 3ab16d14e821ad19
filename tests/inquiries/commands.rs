//! Inquiries and evidence as people use them: by command.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use kyodaku::log::evidence::{Evidence, OpenEntry, pack, unpack};
use serde_json::{Value, json};

use crate::cli::import::served;
use crate::cli::serve::{Server, ask};
use crate::cli::{Said, kyodaku, said};
use crate::world::actors::{Actor, Stage};
use crate::world::works::{grant, registration};
use crate::world::{World, both};

fn done(server: &Server, who: &Actor, words: &[&str]) -> Said {
    let told = ask(server, &who.key, words);
    assert_eq!(told.code, 0, "{words:?}: {}{}", told.out, told.err);
    told
}

/// The keys of the logs as arguments.
async fn logs(stage: &Stage) -> Vec<String> {
    let logs: Value = stage.nobody.get("/logs").await.json();
    let keys =
        logs["items"].as_array().unwrap().iter().flat_map(|log| log["keys"].as_array().unwrap().clone());
    keys.flat_map(|key| ["--log".to_owned(), key["verifier_key"].as_str().unwrap().to_owned()]).collect()
}

fn verify(words: &[&str], logs: &[String]) -> Said {
    said(kyodaku().args(["verify", "bundle"]).args(words).args(logs).output().unwrap())
}

both!(an_inquiry_goes_its_way_by_command, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Kasane Labs").await);
    let investigator = stage.verified("Chosa Office", &["investigator"]).await;
    let work = stage.confirmed(&holder, &registration("=星屑", &[&holder])).await.work;
    assert_eq!(holder.post("/v1/grants", &grant(&work)).await.status, 201);
    let asked =
        json!({ "context": { "uses": ["train.finetune"] }, "items": [{ "work": work }, { "work": work }] });
    let check: Value = developer.post("/v1/checks", &asked).await.json();
    let check = check["check"].as_str().unwrap();
    stage.registry.seal_journal(0).await.unwrap().1.expect("a seal");

    let words = [
        "inquiry",
        "open",
        "--auditor",
        &investigator.org,
        "--reason",
        "Complaint 12",
        "--work",
        &work,
        "--any-party",
        "--since",
        "2025-01-01T00:00:00Z",
        "--until",
        "open",
        "--expires",
        "2099-01-01T00:00:00Z",
    ];
    let id = done(&server, &stage.registrar, &words).out.trim().to_owned();
    assert!(id.starts_with("inq_"), "{id}");
    assert_eq!(ask(&server, &holder.key, &words).code, 1);
    let listed = done(&server, &investigator, &["inquiry", "list"]);
    assert!(listed.out.starts_with(&format!("{id} open until 2099-01-01T00:00:00Z, by ")), "{}", listed.out);
    assert!(listed.out.contains(": Complaint 12\n") && listed.err.contains("1 inquiry"), "{}", listed.err);
    let shown: Value =
        serde_json::from_str(&done(&server, &investigator, &["inquiry", "show", &id]).out).unwrap();
    assert_eq!((&shown["inquiry"], &shown["state"]), (&json!(id), &json!("open")));

    let under = ["--inquiry", &id];
    let log = done(&server, &investigator, &[&["log"][..], &under].concat());
    assert!(
        log.out.contains("registered the work") && log.err.contains("3 entries"),
        "{}{}",
        log.out,
        log.err
    );
    let checks = done(&server, &investigator, &[&["checks"][..], &under].concat());
    assert!(
        checks.out.contains(&format!("{check} ")) && checks.out.contains(": 2 of 2 items permitted"),
        "{}",
        checks.out
    );
    let table = done(
        &server,
        &investigator,
        &[&["checks", "--csv", "--developer", &developer.org][..], &under].concat(),
    );
    assert!(
        table.out.starts_with("check,at,developer,asked_by,items,permitted\r\n")
            && table.out.contains(",2,2\r\n"),
        "{}",
        table.out
    );
    let rested = done(&server, &investigator, &[&["checks", "--grants", check][..], &under].concat());
    assert!(rested.out.starts_with(&format!("{work} for train.finetune: entries ")), "{}", rested.out);
    let raw = done(&server, &developer, &["checks", "--json", "--work", &work]);
    assert_eq!(serde_json::from_str::<Value>(&raw.out).unwrap()["check"], json!(check));
    let waiting = done(&server, &investigator, &[&["unanswered"][..], &under].concat());
    assert!(
        waiting.out.is_empty() && waiting.err.contains("0 wait for an answer"),
        "{}{}",
        waiting.out,
        waiting.err
    );
    stage.registered_work(&holder, &registration("海", &[&holder])).await;
    let waiting = done(&server, &stage.auditor().await, &["unanswered"]);
    assert!(
        waiting.out.contains(" holding: wrk_") && waiting.out.contains(" 海, Hoshikuzu Press\n"),
        "{}",
        waiting.out
    );
    assert_eq!(ask(&server, &investigator.key, &["log"]).code, 1);

    let bundle = world.folder.path().join("evidence.zip");
    let to = bundle.to_str().unwrap();
    done(&server, &investigator, &["inquiry", "evidence", &id, "--to", to]);
    assert_eq!(
        ask(&server, &investigator.key, &["inquiry", "evidence", &id, "--to", to]).code,
        1,
        "it is there already"
    );
    is_whole_or_not_there(&server, &investigator.key, &bundle, &id);
    holds_only_as_it_is(&bundle, &id, &logs(&stage).await);
    // Everything is stated: nothing is any by itself.
    let any = [
        "inquiry",
        "open",
        "--reason",
        "x",
        "--since",
        "2025-01-01T00:00:00Z",
        "--expires",
        "2099-01-01T00:00:00Z",
    ];
    assert_eq!(ask(&server, &stage.registrar.key, &any).code, 2);
    // Beside the whole log nothing is left out, and what is shows.
    let auditor = stage.auditor().await;
    let folder = world.folder.path().join("logs");
    done(&server, &auditor, &["export", folder.to_str().unwrap()]);
    let whole = [to, "--folder", folder.to_str().unwrap()];
    let told = verify(&whole, &logs(&stage).await);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    let written = Evidence::read(unpack(&std::fs::read(&bundle).unwrap()).unwrap()).unwrap().evidence;
    for (part, without) in [
        ("grant.recorded", Evidence { entries: without(&written, "grant.recorded"), ..written.clone() }),
        (check, Evidence { checks: Vec::new(), ..written.clone() }),
    ] {
        let less = world.folder.path().join("less.zip");
        std::fs::write(&less, pack(&without.files().unwrap()).unwrap()).unwrap();
        let less = [less.to_str().unwrap(), "--folder", folder.to_str().unwrap()];
        let told = verify(&less, &logs(&stage).await);
        assert_eq!(told.code, 65, "{}{}", told.out, told.err);
        let line = told.out.lines().find(|line| line.ends_with(" is left out")).expect(&told.out);
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(verify(&[to, "--folder", "no-such-folder"], &logs(&stage).await).code, 69);
    assert_eq!(done(&server, &investigator, &["inquiry", "close", &id]).code, 0);
    assert_eq!(ask(&server, &investigator.key, &[&["log"][..], &under].concat()).code, 1);
});

fn without(of: &Evidence, kind: &str) -> Vec<OpenEntry> {
    of.entries.iter().filter(|it| !it.entry.contains(kind)).cloned().collect()
}

/// A bundle is for its owner's eyes, and one that could not be written whole leaves nothing behind.
fn is_whole_or_not_there(server: &Server, key: &str, bundle: &Path, id: &str) {
    let mode = std::fs::metadata(bundle).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (cut, part) = (bundle.with_file_name("cut.zip"), bundle.with_file_name("cut.zip.part"));
    // A file may have half a KiB.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_kyodaku")]);
    shell.args(["inquiry", "evidence", id, "--to", cut.to_str().unwrap()]);
    let told = said(shell.env("KYODAKU_URL", &server.url).env("KYODAKU_API_KEY", key).output().unwrap());
    assert!(told.code == 1 && told.err.contains("can't be written"), "{}{}", told.out, told.err);
    assert!(!cut.exists() && !part.exists());
    assert!(!bundle.with_file_name("evidence.zip.part").exists());
}

/// The bundle verifies by command, and does not once any of it is altered.
fn holds_only_as_it_is(bundle: &Path, id: &str, logs: &[String]) {
    let to = bundle.to_str().unwrap();
    let told = verify(&[to], logs);
    assert_eq!(told.code, 0, "{}{}", told.out, told.err);
    assert!(
        told.out.contains(": holds\n")
            && told.out.contains(&format!("{id}: 4 entries, 3 typed texts, 1 checks")),
        "{}",
        told.out
    );
    assert!(!told.err.contains("of itself"), "{}", told.err);
    let json: Value = serde_json::from_str(&verify(&[to, "--json"], logs).out).unwrap();
    assert_eq!(
        (&json["holds"], &json["checks"], &json["self_told_keys"]),
        (&json!(true), &json!(1), &json!(false))
    );
    let own = verify(&[to], &[]);
    assert!(own.code == 65 && own.err.contains("of itself"), "{}{}", own.out, own.err);
    assert_eq!(verify(&[to, "--trust-its-own-keys"], &[]).code, 0);
    // Each of many bytes, all over the archive.
    let bytes = std::fs::read(bundle).unwrap();
    let other = bundle.with_extension("other");
    for at in (0..bytes.len()).step_by(bytes.len() / 60 + 1) {
        let mut altered = bytes.clone();
        altered[at] ^= 0x20;
        std::fs::write(&other, altered).unwrap();
        let told = verify(&[other.to_str().unwrap()], logs);
        assert!(told.code == 65 && told.out.contains("DOES NOT HOLD"), "byte {at}: {}{}", told.out, told.err);
    }
    let three = verify(&["no-such-file.zip", to], logs);
    assert!(three.code == 69 && three.out.contains(": holds\n"), "{}{}", three.out, three.err);
    // What stands before, behind or twice in the archive.
    let names_twice = [&bytes[..], b"\n"].concat();
    for bytes in [[b"#!/bin/sh\n", &bytes[..]].concat(), names_twice] {
        std::fs::write(&other, bytes).unwrap();
        assert_eq!(verify(&[other.to_str().unwrap()], logs).code, 65);
        let three = verify(&["no-such-file.zip", other.to_str().unwrap(), to], logs);
        assert!(three.code == 65 && three.out.contains(": holds\n"), "{}{}", three.out, three.err);
        assert_eq!(three.err.matches("can't be read").count(), 1, "{}", three.err);
    }
    let journal_only: Vec<String> = logs.iter().skip(2).cloned().collect();
    assert_eq!(verify(&[to], &journal_only).code, 65);
    assert_eq!(verify(&[to, "--witnesses-needed", "1"], logs).code, 2);
}
