//! `kyodaku import` and what the registrar does with it, through the built binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use kyodaku::clock::Clock;
use serde_json::{Value, json};

use super::fake::{Fake, reply};
use super::serve::{Server, ask, serve};
use super::{Said, kyodaku, said};
use crate::world::actors::{Actor, Stage};
use crate::world::{World, both};

const MAPPING: &str = r#"
url = ["site"]
[title]
text = "title"
lang_is = "ja"
[kind]
is = "comic"
[ids]
shelf = "no"
"#;

/// A served registry beside a stage on the same database: the one answers the binary, the other the story.
pub(crate) async fn served(world: &mut World) -> (Stage, Server) {
    // The server in its own process has the machine's clock.
    world.clock = Clock::system();
    let stage = world.stage().await;
    let server = Server::start(serve(world).args(["--node", "served"]));
    (stage, server)
}

/// A file in the world's folder.
pub(crate) fn file(world: &World, name: &str, text: &str) -> PathBuf {
    let path = world.folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn import(server: &Server, who: &Actor, catalogue: &Path, more: &[&str]) -> Said {
    ask(server, &who.key, &[&["import", catalogue.to_str().unwrap()], more].concat())
}

/// Works with an id and an address of their own, as lines of JSON.
fn lines(count: usize) -> String {
    let line = |at| {
        json!({ "title": format!("作品{at}"), "no": at, "site": format!("https://s.example/{at}") })
            .to_string()
    };
    (0..count).map(line).collect::<Vec<_>>().join("\n")
}

/// The results of an import, by line.
pub(crate) fn results(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    // The first line says whose import it is.
    text.lines().skip(1).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

both!(rows_are_recorded_or_told_and_mended_rows_follow, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let rows = |third: &str| {
        format!(
            "\u{feff}title,lang,reading,kind,published,url,id:shelf\r\n\
             \"星屑, の図書館\",ja,ホシクズ,comic,1988年4月16日,https://hoshikuzu.example/a,1\r\n\
             月見,ja,,comic,,,2\r\n\
             {third}\r\n\
             月見,ja,,comic,,,2\r\n"
        )
    };
    let catalogue = file(&world, "c.csv", &rows(",ja,,opera,soon,ftp://x,3"));
    let size = stage.log_size().await;
    let dry = import(&server, &holder, &catalogue, &["--dry-run"]);
    assert_eq!((dry.code, dry.out.lines().count()), (1, 3), "{}{}", dry.out, dry.err);
    let first = import(&server, &holder, &catalogue, &["--roster-complete", "--no-layers", "--json"]);
    assert_eq!(first.code, 1, "{}{}", first.out, first.err);
    for place in ["`title`", "`kind`", "`published`", "`url`"] {
        assert!(first.err.contains(&format!("line 4: {place}: ")), "{place}: {}", first.err);
    }
    let total: Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!((&total["rows"], &total["recorded"], &total["refused"]), (&json!(4), &json!(3), &json!(1)));
    assert_eq!(stage.log_size().await, size + 3, "two equal rows are two works");

    let done = results(total["results"].as_str().unwrap());
    let view: Value = holder
        .get(&format!(
            "/v1/works/{}",
            done.iter().find(|it| it["line"] == 2).unwrap()["work"].as_str().unwrap()
        ))
        .await
        .json();
    assert_eq!(
        (&view["published"], &view["titles"][0]["text"]),
        (&json!("1988-04-16"), &json!("星屑, の図書館"))
    );
    assert_eq!(
        (&view["titles"][0]["reading"], &view["roster_complete"], &view["layers_complete"]),
        (&json!("ホシクズ"), &json!(true), &json!(true))
    );
    assert_eq!(view["holders"][0]["holder"]["organization"], json!(holder.org));
    let mended = file(&world, "c.csv", &rows("夜,ja,,comic,1999,https://x.example,3"));
    let again = import(&server, &holder, &mended, &["--roster-complete", "--no-layers"]);
    assert_eq!(again.code, 0, "{}{}", again.out, again.err);
    assert!(again.err.contains("4 rows: 1 recorded, 3 recorded before, 0 refused"), "{}", again.err);
    assert_eq!(stage.log_size().await, size + 4);
    // Without its notes it asks the server again, which knows every row.
    let anew =
        ["--roster-complete", "--no-layers", "--results", world.folder.path().join("new").to_str().unwrap()]
            .map(ToOwned::to_owned);
    let anew = import(&server, &holder, &mended, &anew.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(anew.code, 0, "{}", anew.err);
    assert_eq!(stage.log_size().await, size + 4);
});

both!(a_row_with_a_reference_is_known_again_though_it_was_changed, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let mapping = file(&world, "m.toml", &format!("reference = \"no\"\n{MAPPING}"));
    let mapping = ["--mapping", mapping.to_str().unwrap()];
    let size = stage.log_size().await;
    let before = file(&world, "c.ndjson", r#"{"title":"夜","no":"1","site":null}"#);
    assert_eq!(import(&server, &holder, &before, &mapping).code, 0);
    let after = file(&world, "c.ndjson", r#"{"title":"夜の庭","no":"1","site":null}"#);
    // From its notes, and without them from the server.
    for words in ["line 1 has the same reference", "imported before with other content"] {
        let again = import(&server, &holder, &after, &mapping);
        assert_eq!(again.code, 1, "{}", again.err);
        assert!(again.err.contains(words) && again.err.contains("1 refused"), "{}", again.err);
        let _ = std::fs::remove_file(world.folder.path().join("c.ndjson.imported.ndjson"));
    }
    assert_eq!(stage.log_size().await, size + 1);
});

both!(of_rows_with_one_reference_the_first_that_can_be_is_recorded, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let mapping = file(&world, "m.toml", &format!("reference = \"no\"\n{MAPPING}"));
    let mapping = ["--mapping", mapping.to_str().unwrap()];
    let size = stage.log_size().await;
    let long = "長".repeat(600);
    let rows = [("夜", "1"), ("夜", "1"), ("夜の庭", "1"), (long.as_str(), "2"), ("月", "2")];
    let rows = rows.map(|(title, no)| json!({ "title": title, "no": no, "site": null }).to_string());
    let catalogue = file(&world, "c.ndjson", &rows.join("\n"));
    let done = import(&server, &holder, &catalogue, &mapping);
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("5 rows: 2 recorded, 1 recorded before, 2 refused"), "{}", done.err);
    assert!(done.err.contains("line 3: line 1 has the same reference"), "{}", done.err);
    assert!(done.err.contains("line 4: "), "{}", done.err);
    assert_eq!(stage.log_size().await, size + 2);
});

both!(other_flags_and_other_registries_register_nothing_twice, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let (holder, other) = (stage.holder("Hoshikuzu Press").await, stage.holder("Tsukimi").await);
    let mapping = file(&world, "m.toml", MAPPING);
    let mapping = ["--mapping", mapping.to_str().unwrap()];
    let size = stage.log_size().await;
    let catalogue = file(&world, "c.ndjson", &lines(3));
    assert_eq!(import(&server, &holder, &catalogue, &mapping).code, 0);
    let notes = world.folder.path().join("c.ndjson.imported.ndjson");
    for words in ["other holders, declarations or wholes", "imported before with other content"] {
        let again = import(&server, &holder, &catalogue, &[&mapping[..], &["--roster-complete"]].concat());
        assert_eq!(again.code, 1, "{}", again.err);
        assert!(again.err.contains(words) && again.err.contains("3 refused"), "{}", again.err);
        let _ = std::fs::remove_file(&notes);
    }
    assert_eq!(stage.log_size().await, size + 3);
    assert_eq!(import(&server, &holder, &catalogue, &mapping).code, 0);
    let by_other = import(&server, &other, &catalogue, &mapping);
    assert!(by_other.code == 2 && by_other.err.contains("another import"), "{}", by_other.err);
    let itself = import(
        &server,
        &holder,
        &catalogue,
        &[&mapping[..], &["--results", catalogue.to_str().unwrap()]].concat(),
    );
    assert!(itself.code == 2 && itself.err.contains("the catalogue itself"), "{}", itself.err);
    assert_eq!(stage.log_size().await, size + 3);
    // A place that is mistyped in the mapping is told.
    let mistyped = file(&world, "n.toml", &MAPPING.replace("\"site\"", "\"sit\""));
    let told = import(&server, &holder, &catalogue, &["--dry-run", "--mapping", mistyped.to_str().unwrap()]);
    assert!(told.err.contains("no row has `sit`"), "{}", told.err);
});

both!(a_killed_import_goes_on_where_it_ended, async |world: World| {
    const ROWS: usize = 4_000;
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let mapping = file(&world, "m.toml", MAPPING);
    let catalogue = file(&world, "c.ndjson", &lines(ROWS));
    let notes = world.folder.path().join("notes");
    let size = stage.log_size().await;
    let words = |command: &mut Command| {
        command
            .arg("import")
            .arg(&catalogue)
            .arg("--mapping")
            .arg(&mapping)
            .arg("--results")
            .arg(&notes)
            .env("KYODAKU_URL", &server.url)
            .env("KYODAKU_API_KEY", &holder.key)
            .stdin(Stdio::null());
    };
    let mut killed = 0;
    for _ in 0..2 {
        let noted = || std::fs::metadata(&notes).map_or(0, |data| data.len());
        let (mut command, before) = (kyodaku(), noted());
        words(&mut command);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while noted() == before && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child.kill().unwrap();
        killed += usize::from(!child.wait().unwrap().success());
    }
    assert!(killed > 0, "it was never killed in the middle");
    let mut command = kyodaku();
    words(&mut command);
    let last = said(command.output().unwrap());
    assert_eq!(last.code, 0, "{}{}", last.out, last.err);
    assert_eq!(stage.log_size().await, size + ROWS as u64, "each row is one entry, once");
    let works: std::collections::HashSet<String> =
        results(notes.to_str().unwrap()).iter().map(|it| it["work"].as_str().unwrap().to_owned()).collect();
    assert_eq!(works.len(), ROWS);
});

both!(what_an_import_asserts_is_confirmed_with_three_commands, async |world: World| {
    let mut world = world;
    let (stage, server) = served(&mut world).await;
    let holder = stage.holder("Hoshikuzu Press").await;
    let other = stage.registered_work(&holder, &crate::world::works::registration("別", &[&holder])).await;
    let mapping = file(&world, "m.toml", MAPPING);
    let catalogue = file(&world, "c.ndjson", &lines(600));
    let notes = world.folder.path().join("notes");
    let notes = notes.to_str().unwrap();
    let done =
        import(&server, &holder, &catalogue, &["--mapping", mapping.to_str().unwrap(), "--results", notes]);
    assert_eq!(done.code, 0, "{}", done.err);
    let confirm = ["admin", "confirm", "--holder", &holder.org, "--results", notes, "--evidence", "seen"];
    // What is meant must be said: a flag that is forgotten does not confirm everything.
    for forgotten in [&["--evidence", "seen"][..], &["--evidence", "seen", "--results", notes]] {
        let said = ask(&server, &stage.registrar.key, &[&["admin", "confirm"], forgotten].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    }
    let refused = ask(&server, &holder.key, &confirm);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{}", refused.err);
    let proposed = ask(&server, &stage.registrar.key, &confirm);
    assert_eq!(proposed.code, 0, "{}", proposed.err);
    assert!(proposed.err.contains("600 holdings and 1200 keys; 3 proposals wait"), "{}", proposed.err);
    // Run again before it is approved, it proposes nothing twice.
    let again = ask(&server, &stage.registrar.key, &confirm);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
    let waiting = ask(&server, &stage.second.key, &["admin", "proposals"]);
    assert_eq!(waiting.out.lines().count(), 3, "{}", waiting.err);
    let proposals = file(&world, "proposals", &proposed.out);
    let mut command = kyodaku();
    command
        .args(["admin", "approve", "-"])
        .env("KYODAKU_URL", &server.url)
        .env("KYODAKU_API_KEY", &stage.second.key);
    let approved = said(command.stdin(std::fs::File::open(proposals).unwrap()).output().unwrap());
    assert_eq!(approved.code, 0, "{}", approved.err);
    assert!(
        approved.err.contains("600 holdings and 0 keys\n") && approved.err.contains("3 approved"),
        "{}",
        approved.err
    );
    let nothing = ask(&server, &stage.second.key, &["admin", "approve", "-"]);
    assert_eq!(nothing.code, 2, "{}", nothing.err);
    let left = ask(&server, &stage.registrar.key, &["admin", "queue"]);
    assert_eq!(left.out.lines().count(), 2, "{}", left.out);
    assert!(left.out.contains(&other.holdings[0]) && left.out.contains(&other.bindings[0]), "{}", left.out);
    let last = file(&world, "other", "{}\n");
    let wrong = [
        "admin",
        "confirm",
        "--holder",
        &holder.org,
        "--results",
        last.to_str().unwrap(),
        "--evidence",
        "seen",
    ];
    assert_eq!(ask(&server, &stage.registrar.key, &wrong).code, 2);
    assert_eq!(
        ask(&server, &stage.registrar.key, &confirm).err,
        "0 holdings and 0 keys; 0 proposals wait for a second person\n"
    );
});

/// A server that knows who asks, and answers rows with what `make` says.
fn rows_answered(make: impl Fn() -> String + Send + 'static) -> Fake {
    Fake::new(move |asked, stream| {
        if asked.head.starts_with("GET /v1/me ") {
            reply(
                stream,
                "200 OK",
                "application/json",
                r#"{"organization":"org_01h455vb4pex5vsknk084sn02q"}"#,
            );
        } else {
            reply(stream, "200 OK", "application/x-ndjson", &make());
        }
    })
}

fn against(fake: &Fake, folder: &Path, more: &[&str]) -> Said {
    let path = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let catalogue = path("c.ndjson", "{\"title\":\"一\"}\n{\"title\":\"二\"}\n");
    let mapping = path("m.toml", MAPPING);
    let holder = "org_01h455vb4pex5vsknk084sn02q";
    let words = [
        "import",
        &catalogue,
        "--mapping",
        &mapping,
        "--holder",
        holder,
        "--url",
        &fake.url,
        "--timeout",
        "1",
    ];
    said(kyodaku().args(words).args(more).env("KYODAKU_API_KEY", "kyo_live_x").output().unwrap())
}

#[test]
fn no_broken_answer_counts_as_recorded() {
    let recorded = |line: u64| {
        format!(
            r#"{{"line":{line},"status":201,"answer":{{"work":"wrk_{line}","holdings":[],"bindings":[]}}}}"#
        )
    };
    let broken = |line: u64| {
        format!(r#"{{"line":{line},"status":503,"problem":{{"code":"busy","title":"too busy"}}}}"#)
    };
    let elsewhere = |line: u64, status: u16, code: &str| {
        format!(r#"{{"line":{line},"status":{status},"problem":{{"code":"{code}","title":"not now"}}}}"#)
    };
    let answers: [(String, u64); 11] = [
        (String::new(), 0),
        (format!("{}\n", recorded(1)), 1),
        (format!("{}\n{}", recorded(1), recorded(2)), 1),
        (format!("{}\n{}\n", recorded(2), recorded(1)), 0),
        (format!("{}\n{}\n", recorded(1), broken(2)), 1),
        (format!("{}\n{{\"line\":2,\"status\":201}}\n", recorded(1)), 1),
        (format!("{}\n{}\n{}\n", recorded(1), recorded(2), recorded(3)), 2),
        // Neither who asks nor the moment makes a row wrong.
        (format!("{}\n{}\n", recorded(1), elsewhere(2, 401, "invalid_credentials")), 1),
        (format!("{}\n{}\n", recorded(1), elsewhere(2, 403, "not_verified")), 1),
        (format!("{}\n{}\n", recorded(1), elsewhere(2, 409, "idempotency_in_progress")), 1),
        (format!("{}\n{}\n", recorded(1), elsewhere(2, 429, "too_many_requests")), 1),
    ];
    for (answer, believed) in answers {
        let folder = tempfile::tempdir().unwrap();
        let body = answer.clone();
        let said = against(&rows_answered(move || body.clone()), folder.path(), &[]);
        assert_eq!(said.code, 69, "{answer}: {}{}", said.out, said.err);
        assert!(
            said.err.contains(&format!("{believed} recorded, 0 recorded before, 0 refused")),
            "{answer}: {}",
            said.err
        );
        assert!(said.err.contains("run it again"), "{}", said.err);
    }
    let folder = tempfile::tempdir().unwrap();
    let html = Fake::new(|_, stream| reply(stream, "200 OK", "text/html", "<p>1 recorded</p>"));
    assert_eq!(against(&html, folder.path(), &[]).code, 69);
}

#[test]
fn a_wrong_call_says_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let told = |words: &[&str]| said(kyodaku().arg("import").args(words).arg("--dry-run").output().unwrap());
    let unmapped = told(&[&path("a.ndjson", "{}")]);
    assert_eq!((unmapped.code, unmapped.err.contains("--mapping")), (2, true), "{}", unmapped.err);
    let headings = told(&[&path("a.csv", "Titel\nx\n")]);
    assert!(
        headings.code == 2 && headings.err.contains("`Titel`") && headings.err.contains("`title`"),
        "{}",
        headings.err
    );
    let mapping = path("m.toml", MAPPING);
    let absent = told(&[&path("b.csv", "title,site\nx,y\n"), "--mapping", &mapping]);
    assert!(absent.code == 2 && absent.err.contains("there is no column `no`"), "{}", absent.err);
    let missing = told(&["nowhere.csv"]);
    assert!(missing.code == 2 && missing.err.contains("`nowhere.csv`"), "{}", missing.err);
    let strange = told(&[&path("c.txt", "x")]);
    assert!(strange.code == 2 && strange.err.contains("--format"), "{}", strange.err);
}
