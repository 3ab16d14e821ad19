//! `kyodaku check` against a server that lies, breaks off or is not there: it never ends with 0 then.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use super::fake::{Asked, Fake, reply};
use super::{Said, kyodaku, run, said};

const KEY: &str = "kyo_live_secretsecretsecret";
const CHECK: &str = "chk_01h455vb4pex5vsknk084sn02q";
const WORK: &str = "wrk_01h455vb4pex5vsknk084sn02q";

/// The answer for the item with this reference.
fn item(reference: &str, permitted: bool) -> String {
    let verdict = if permitted { "permitted" } else { "not_permitted" };
    let reasons = if permitted { "[]" } else { r#"[{"code":"no_grant","ask":["org_x"]}]"# };
    format!(
        r#"{{"item":{{"reference":"{reference}","verdict":"{verdict}","matched":["{WORK}"],"keys":[],"notes":[],"with_parts":false,"uses":[{{"use":"train.generative","verdict":"{verdict}","reasons":{reasons}}}]}}}}"#
    )
}

fn chunk(permitted: u64, not_permitted: u64) -> String {
    format!(
        r#"{{"check":{{"check":"{CHECK}","at":"2026-11-23T00:00:00Z","log_size":9,"log_root":"x","rule_version":1,"valid_until":null,"recheck_by":"2026-11-24T00:00:00Z","permitted":{permitted},"not_permitted":{not_permitted}}}}}"#
    )
}

fn end(permitted: u64, not_permitted: u64) -> String {
    let items = permitted + not_permitted;
    format!(
        r#"{{"end":{{"items":{items},"permitted":{permitted},"not_permitted":{not_permitted},"checks":["{CHECK}"]}}}}"#
    )
}

/// A right answer that permits everything.
fn all(asked: &Asked) -> String {
    let count = asked.items().len() as u64;
    let reference = |line: &str| line.split('"').nth(3).expect("a reference").to_owned();
    let items: Vec<String> = asked.items().iter().map(|line| item(&reference(line), true)).collect();
    format!("{}\n{}\n{}\n", chunk(count, 0), items.join("\n"), end(count, 0))
}

fn check(fake: &Fake, arguments: &[&str]) -> Said {
    let asking =
        ["check", "--url", &fake.url, "--api-key", KEY, "--timeout", "1", "--use", "train.generative"];
    run(asking.iter().chain(arguments))
}

#[test]
fn all_permitted_is_0_and_the_key_is_never_shown() {
    let fake = Fake::lines(all);
    let said =
        check(&fake, &["mal:1", WORK, "https://Anime.example/a", &format!("sha256:{}", "AB".repeat(32))]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.out.lines().filter(|line| line.starts_with("permitted ")).count(), 4, "{}", said.out);
    assert!(said.err.contains("4 items: 4 permitted, 0 not permitted"), "{}", said.err);
    assert!(!said.out.contains(KEY) && !said.err.contains(KEY));
    let asked = fake.asked().pop().unwrap();
    assert!(asked.head.starts_with("POST /v1/checks HTTP/1.1\r\n"), "{}", asked.head);
    assert!(
        asked.head.to_ascii_lowercase().contains(&format!("authorization: bearer {KEY}")),
        "{}",
        asked.head
    );
    assert_eq!(asked.body.lines().next().unwrap(), r#"{"uses":["train.generative"],"with_parts":false}"#);
    assert_eq!(
        asked.items(),
        [
            r#"{"reference":"0","keys":[{"type":"id","scheme":"mal","value":"1"}]}"#.to_owned(),
            format!(r#"{{"reference":"1","keys":[{{"type":"work","id":"{WORK}"}}]}}"#),
            r#"{"reference":"2","keys":[{"type":"url","value":"https://anime.example/a"}]}"#.to_owned(),
            format!(r#"{{"reference":"3","keys":[{{"type":"sha256","value":"{}"}}]}}"#, "ab".repeat(32)),
        ]
    );
}

#[test]
fn one_that_is_not_permitted_is_10() {
    let fake = Fake::lines(|_| {
        format!("{}\n{}\n{}\n{}\n", chunk(1, 1), item("0", true), item("1", false), end(1, 1))
    });
    let asked = check(&fake, &["mal:1", "mal:2"]);
    assert_eq!(asked.code, 10, "{}{}", asked.out, asked.err);
    assert!(asked.out.contains("not permitted  mal:2  no_grant, ask org_x"), "{}", asked.out);
    assert!(
        asked.err.contains("no_grant: ") && asked.err.contains("This is not permission"),
        "{}",
        asked.err
    );
    let words =
        ["check", "--url", &fake.url, "--api-key", KEY, "--use", "train.generative", "mal:1", "mal:2"];
    let japanese = said(kyodaku().args(words).env("LC_ALL", "ja_JP.UTF-8").output().unwrap());
    assert!(japanese.err.contains("記録がないことは許諾ではありません"), "{}", japanese.err);
    let json = check(&fake, &["mal:1", "mal:2", "--json"]);
    assert_eq!(json.code, 10);
    assert!(!json.err.contains("no_grant"), "{}", json.err);
    let lines: Vec<serde_json::Value> =
        json.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["item"], &lines[0]["verdict"]), (&"mal:1".into(), &"permitted".into()));
    assert_eq!(lines[1]["uses"][0]["reasons"][0]["code"], "no_grant");
    assert_eq!((&lines[2]["items"], &lines[2]["recheck_by"]), (&2.into(), &"2026-11-24T00:00:00Z".into()));
}

#[test]
fn a_line_that_cannot_be_read_is_not_permitted_and_its_neighbours_are_asked() {
    let fake = Fake::lines(all);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items");
    let own = r#"{"reference":"my own","url":"https://a.example/","uses":["train.generative"],"model":null}"#;
    let lines = format!(
        "nonsense\nmal:1\n\n  mal:2  \n{own}\n{{\"reference\":\"a\",\"reference\":\"b\",\"url\":\"x\"}}\nftp://x/y z"
    );
    std::fs::write(&path, [lines.as_bytes(), b"\n\xff\xfe\n"].concat()).unwrap();
    let said = check(&fake, &["--file", path.to_str().unwrap()]);
    assert_eq!(said.code, 10, "{}{}", said.out, said.err);
    let verdicts: Vec<&str> = said.out.lines().map(|line| line[..13].trim()).collect();
    let (yes, no) = ("permitted", "not permitted");
    assert_eq!(verdicts, [no, yes, yes, yes, no, no, no], "{}", said.out);
    assert!(said.out.contains("permitted      my own\n"), "{}", said.out);
    let sent = r#"{"reference":"3","url":"https://a.example/","uses":["train.generative"],"model":null}"#;
    assert_eq!(fake.asked()[0].items()[2], sent);

    // What some programs write before the first line is no part of it, and is part of any other.
    std::fs::write(&path, "\u{feff}mal:1\n\u{feff}mal:2\n").unwrap();
    let marked = check(&fake, &["--file", path.to_str().unwrap()]);
    let verdicts: Vec<&str> = marked.out.lines().map(|line| line[..13].trim()).collect();
    assert_eq!(verdicts, [yes, no], "{}{}", marked.out, marked.err);

    // Nothing that can be asked: nobody is asked, and nothing is permitted.
    std::fs::write(&path, "nonsense\n".repeat(60_000)).unwrap();
    let said = check(&fake, &["--file", path.to_str().unwrap()]);
    assert_eq!((said.code, fake.asked().len()), (10, 2), "{}", said.err);
    assert!(said.err.contains("60000 items: 0 permitted"), "{}", said.err);
}

#[test]
fn items_come_from_standard_input_in_any_number() {
    let fake = Fake::lines(all);
    let mut child = kyodaku()
        .args(["check", "--use", "train.generative", "--url", &fake.url])
        .env("KYODAKU_API_KEY", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let feed = std::thread::spawn(move || {
        for number in 0..30_000 {
            writeln!(input, "mal:{number}").unwrap();
        }
    });
    let said = said(child.wait_with_output().unwrap());
    feed.join().unwrap();
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.lines().count(), 30_000);
    assert!(said.out.ends_with("permitted      mal:29999\n"));
}

/// Every way in which an answer can be wrong.
#[test]
#[expect(clippy::too_many_lines, reason = "one list of wrong answers, each with its name")]
fn no_broken_answer_permits_anything() {
    type Broken = (&'static str, fn() -> String);
    let broken: [Broken; 24] = [
        ("no closing line", || format!("{}\n{}\n", chunk(1, 0), item("0", true))),
        ("a closing line without its end", || format!("{}\n{}\n{}", chunk(1, 0), item("0", true), end(1, 0))),
        ("nothing", String::new),
        ("not JSON", || "permitted\n".to_owned()),
        ("a web page", || "<html>permitted</html>\n".to_owned()),
        ("no item", || format!("{}\n{}\n", chunk(0, 0), end(0, 0))),
        ("only the closing line", || format!("{}\n", end(1, 0))),
        ("too many items", || {
            format!("{}\n{}\n{}\n{}\n", chunk(2, 0), item("0", true), item("1", true), end(2, 0))
        }),
        ("the same answer twice", || {
            format!("{}\n{}\n{}\n{}\n", chunk(2, 0), item("0", true), item("0", true), end(2, 0))
        }),
        ("another reference", || format!("{}\n{}\n{}\n", chunk(1, 0), item("1", true), end(1, 0))),
        ("no reference", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                item("0", true).replace("\"reference\":\"0\",", ""),
                end(1, 0)
            )
        }),
        ("a member twice", || {
            let twice = item("0", true).replace(
                "\"verdict\":\"permitted\",\"matched\"",
                "\"verdict\":\"not_permitted\",\"verdict\":\"permitted\",\"matched\"",
            );
            format!("{}\n{twice}\n{}\n", chunk(1, 0), end(1, 0))
        }),
        ("an unknown verdict", || {
            format!("{}\n{}\n{}\n", chunk(1, 0), item("0", true).replace("permitted", "perhaps"), end(1, 0))
        }),
        ("no uses", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                r#"{"item":{"reference":"0","verdict":"permitted","matched":["wrk_01h455vb4pex5vsknk084sn02q"],"uses":[]}}"#,
                end(1, 0)
            )
        }),
        ("another use", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                item("0", true).replace("train.generative", "search"),
                end(1, 0)
            )
        }),
        ("a verdict against its uses", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                item("0", false).replacen("not_permitted", "permitted", 1),
                end(1, 0)
            )
        }),
        ("permitted without a work", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                item("0", true).replace(&format!("[\"{WORK}\"]"), "[]"),
                end(1, 0)
            )
        }),
        ("permitted and an error", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                item("0", true).replace("\"notes\"", "\"error\":\"x\",\"notes\""),
                end(1, 0)
            )
        }),
        ("for another model", || {
            format!(
                "{}\n{}\n{}\n",
                chunk(1, 0),
                item("0", true)
                    .replace("\"notes\"", "\"model\":\"mdl_01h455vb4pex5vsknk084sn02q\",\"notes\""),
                end(1, 0)
            )
        }),
        ("wrong counts of a chunk", || format!("{}\n{}\n{}\n", chunk(0, 1), item("0", true), end(1, 0))),
        ("wrong counts at the end", || format!("{}\n{}\n{}\n", chunk(1, 0), item("0", true), end(0, 1))),
        ("another check at the end", || {
            format!("{}\n{}\n{}\n", chunk(1, 0), item("0", true), end(1, 0).replace("02q", "03q"))
        }),
        ("something after the end", || {
            format!("{}\n{}\n{}\n{}\n", chunk(1, 0), item("0", true), end(1, 0), end(1, 0))
        }),
        ("an error midway", || {
            format!(
                "{}\n{}\n{{\"error\":{{\"code\":\"unavailable\",\"title\":\"the service cannot answer now\"}}}}\n",
                chunk(1, 0),
                item("0", true)
            )
        }),
    ];
    for (name, make) in broken {
        let fake = Fake::lines(move |_| make());
        let said = check(&fake, &["mal:1"]);
        assert_eq!(said.code, 69, "{name}: {}{}", said.out, said.err);
        assert_eq!(said.out, "", "{name}: nothing is told that could be taken for an answer");
        assert!(said.err.starts_with("error: "), "{name}: {}", said.err);
    }
}

#[test]
fn no_answer_at_all_is_69() {
    let problem = r#"{"type":"x","title":"the service cannot answer now","status":503,"code":"unavailable","request_id":"rid_1"}"#;
    for status in [
        "503 Service Unavailable",
        "401 Unauthorized",
        "404 Not Found",
        "500 Internal Server Error",
        "204 No Content",
        "302 Found",
    ] {
        let fake = Fake::new(move |asked, stream| match status {
            // Right lines under a wrong status are no answer either.
            "302 Found" | "204 No Content" => reply(stream, status, "application/x-ndjson", &all(asked)),
            _ => reply(stream, status, "application/problem+json", problem),
        });
        let said = check(&fake, &["mal:1"]);
        assert_eq!((said.code, said.out.as_str()), (69, ""), "{status}: {}", said.err);
    }
    let kind = Fake::new(|asked, stream| reply(stream, "200 OK", "application/json", &all(asked)));
    assert_eq!(check(&kind, &["mal:1"]).code, 69, "lines are labelled as such");

    let silent = Fake::new(|_, _| std::thread::sleep(Duration::from_secs(20)));
    let said = check(&silent, &["mal:1"]);
    assert_eq!((said.code, said.out.as_str()), (69, ""), "{}", said.err);
    let stuck = Fake::new(|asked, stream| {
        let whole = all(asked);
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}{:x}\r\n{whole}\r\n", whole.len()).as_bytes()).unwrap();
        std::thread::sleep(Duration::from_secs(20));
    });
    let said = check(&stuck, &["mal:1"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (69, ""),
        "every line is there, the end of the body is not: {}",
        said.err
    );
    let short = Fake::new(|asked, stream| {
        let whole = all(asked);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            whole.len() + 1
        );
        stream.write_all((head + &whole).as_bytes()).unwrap();
    });
    assert_eq!(check(&short, &["mal:1"]).code, 69, "fewer bytes than promised");
    let gone = Fake::new(|_, _| {});
    assert_eq!(check(&gone, &["mal:1"]).code, 69);

    // Nobody listens there any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said =
        run(["check", "--url", &format!("http://{port}"), "--api-key", KEY, "--use", "search", "mal:1"]);
    assert_eq!((said.code, said.out.as_str()), (69, ""), "{}", said.err);
}

#[test]
fn a_wrong_call_is_2_and_asks_nobody() {
    let fake = Fake::lines(all);
    for wrong in [
        &["mal:1", "--api-key", ""][..],
        &["nonsense"],
        &["mal:1", "--use", "train"],
        &["mal:1", "--model", "gpt"],
        &["mal:1", "--territory", "Japan"],
        &["mal:1", "--file", "x"],
        &["--file", "no such file"],
        &["mal:1", "--url", "ftp://x"],
        &["mal:1", "--url", "http://user:password@x"],
        &[],
    ] {
        let base = ["check", "--url", &fake.url, "--use", "search"];
        let overrides = |flag: &str| wrong.contains(&flag);
        let mut arguments: Vec<&str> =
            if overrides("--url") { vec!["check", "--use", "search"] } else { base.to_vec() };
        if !overrides("--api-key") {
            arguments.extend(["--api-key", KEY]);
        }
        arguments.extend(wrong);
        let said = run(&arguments);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{wrong:?}: {}", said.err);
        assert!(!said.err.contains(KEY), "{}", said.err);
    }
    let keyless = run(["check", "--url", &fake.url, "--use", "search", "mal:1"]);
    assert!(keyless.code == 2 && keyless.err.contains("KYODAKU_API_KEY"), "{}", keyless.err);
    assert!(fake.asked().is_empty());
}

#[test]
fn an_answer_of_the_sandbox_counts_only_where_it_is_asked_for() {
    let answer = |marked: bool| {
        Fake::new(move |asked, stream| {
            let body = all(asked);
            let mark = if marked { "Kyodaku-Sandbox: true\r\n" } else { "" };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n{mark}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        })
    };
    // By a real key and unasked, a sandbox's permit is no answer.
    for (marked, arguments, code) in [
        (true, &["mal:1"][..], 69),
        (false, &["--sandbox", "mal:1"], 69),
        (false, &["mal:1"], 0),
        (true, &["--sandbox", "mal:1"], 0),
    ] {
        let said = check(&answer(marked), arguments);
        assert_eq!(said.code, code, "{arguments:?} {marked}: {}{}", said.out, said.err);
    }
    let said =
        run(["check", "--url", "http://127.0.0.1:9", "--api-key", "kyo_test_x", "--use", "search", "mal:1"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert!(said.err.contains("--sandbox"), "{}", said.err);
}
