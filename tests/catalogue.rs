//! A whole catalogue as catalogues are: ids and addresses shared by several works, hosts for addresses, rows that can't be
//! read. It is imported, confirmed and partly granted; then a developer asks for every id and address, and exactly those
//! come back permitted whose every work is granted, as computed here from the rows alone.
//!
//! `KYODAKU_CATALOGUE` names a file of the same form (`title`, `lang`, `kind`, `begin`, `titles`, `site`, `ids`) to run
//! on in place of a made sample.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kyodaku::clock::stopwatch;
use serde_json::{Value, json};
use url::Url;

use crate::cli::import::{file, results, served};
use crate::cli::serve::{Server, ask};
use crate::world::actors::Actor;
use crate::world::works::grant;
use crate::world::{World, both};

const GRANTED: usize = 100;

/// A sample with the shapes of real catalogues: every 40th row shares an id with the one before, every fifth its
/// address with others of its series, half of the addresses are the roots of hosts, some rows lack either.
fn sample(rows: usize) -> String {
    let mut lines = Vec::new();
    for at in 0..rows {
        let own = if at % 40 == 39 { at - 1 } else { at };
        let mut ids = serde_json::Map::new();
        for (scheme, every) in [("bangumi", 97), ("mal", 17), ("anidb", 13)] {
            if at % every != 0 {
                ids.insert(scheme.to_owned(), json!((own * 3 + every).to_string()));
            }
        }
        ids.insert("tmdb".to_owned(), json!(format!("{}/{at}", if at % 4 == 0 { "movie" } else { "tv" })));
        let series = if at % 5 == 0 { at.saturating_sub(at % 10) } else { at };
        let host = match at % 3 {
            0 => format!("http://series{series}.example"),
            1 => format!("https://www.series{series}.example/"),
            _ => format!("https://studio.example/Works/{series}?lang=ja#top"),
        };
        let site = if at % 11 == 3 { Value::Null } else { json!(host) };
        let titles = if at % 2 == 0 {
            json!({ "zh-Hans": [format!("作品第{at}号")], "en": [format!("Work {at}"), format!("Work {at}")] })
        } else {
            json!({})
        };
        // Several works of one title, and a title in full-width digits.
        let title = if at % 7 == 0 { "夜の庭".to_owned() } else { format!("作品　第{}話", at / 2) };
        lines.push(json!({ "title": title, "lang": "ja", "kind": "tv", "begin": "1988-04-15T15:00:00.000Z", "titles": titles, "site": site, "ids": ids }));
    }
    lines[5]["site"] = json!("ttp://broken.example/");
    lines[6]["titles"] = json!({ "en": ["\u{feff}Work"] });
    lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

/// A question about a row: as `check` takes it.
fn questions(row: &Value) -> Vec<String> {
    let mut questions: Vec<String> = row["ids"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(scheme, value)| format!("{scheme}:{}", value.as_str().unwrap()))
        .collect();
    let site = row["site"].as_str().map(str::trim).filter(|site| !site.is_empty());
    questions.extend(site.and_then(address));
    questions
}

/// The address by the WHATWG rules, without its fragment; none where it is not one of the web.
fn address(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_fragment(None);
    Some(url.into())
}

/// The works to grant: of half of those that share something all, of the others one; filled up with works alone.
fn chosen(recorded: &BTreeMap<usize, Vec<String>>) -> BTreeSet<usize> {
    let mut by_question: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, questions) in recorded {
        for question in questions {
            by_question.entry(question).or_default().push(*at);
        }
    }
    let mut granted = BTreeSet::new();
    let shared = by_question.values().filter(|rows| (2..=4).contains(&rows.len()));
    for rows in shared {
        if granted.len() >= GRANTED * 2 / 3 {
            break;
        }
        // Works that share several things fare alike in all of them.
        let whole = rows[0] / 40 % 2 == 0;
        granted.extend(rows.iter().take(if whole { rows.len() } else { 1 }));
    }
    let alone = |questions: &Vec<String>| questions.iter().all(|question| by_question[question].len() == 1);
    let mut alone = recorded.iter().filter(|(_, questions)| alone(questions)).map(|(at, _)| *at);
    while granted.len() < GRANTED {
        granted.insert(alone.next().expect("enough works that share nothing"));
    }
    while granted.len() > GRANTED {
        granted.pop_last();
    }
    granted
}

/// Registers, has it confirmed, and gives the work of each row by its place in the file.
fn import(
    world: &World,
    server: &Server,
    holder: &Actor,
    keys: [&str; 2],
    rows: &str,
) -> BTreeMap<usize, String> {
    let catalogue = file(world, "catalogue.ndjson", rows);
    let mapping = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/catalogue/mapping.toml");
    let notes = world.folder.path().join("notes");
    let notes = notes.to_str().unwrap();
    let words = [
        "import",
        catalogue.to_str().unwrap(),
        "--mapping",
        mapping,
        "--results",
        notes,
        "--roster-complete",
        "--no-layers",
    ];
    let started = stopwatch();
    let said = ask(server, &holder.key, &words);
    println!(
        "{:?}: import: {} ({:.1} s)",
        world.engine,
        said.err.lines().last().unwrap(),
        started.elapsed().as_secs_f64()
    );
    assert!([0, 1].contains(&said.code), "{}", said.err);
    let results = results(notes);
    assert_eq!(results.len(), rows.lines().count(), "every line is accounted for");
    for refused in results.iter().filter(|it| it["work"].is_null()) {
        println!("  refused: {refused}");
        assert!(!refused["errors"].as_array().unwrap().is_empty());
    }
    if std::env::var_os("KYODAKU_CATALOGUE").is_none() {
        let refused = results.iter().filter(|it| it["work"].is_null());
        assert_eq!(refused.map(|it| it["line"].as_u64()).collect::<Vec<_>>(), [Some(6), Some(7)]);
    }
    let again = ask(server, &holder.key, &words);
    assert!(again.err.contains(" rows: 0 recorded, "), "{}", again.err);
    let proposed = ask(
        server,
        keys[0],
        &["admin", "confirm", "--holder", &holder.org, "--results", notes, "--evidence", "x"],
    );
    assert_eq!(proposed.code, 0, "{}", proposed.err);
    let proposals: Vec<&str> = ["admin", "approve"].into_iter().chain(proposed.out.lines()).collect();
    let approved = ask(server, keys[1], &proposals);
    assert_eq!(approved.code, 0, "{}", approved.err);
    let work = |it: &Value| Some((it["line"].as_u64()? as usize - 1, it["work"].as_str()?.to_owned()));
    results.iter().filter_map(work).collect()
}

both!(exactly_what_is_granted_whole_is_permitted, async |world: World| {
    let mut world = world;
    let rows = match std::env::var("KYODAKU_CATALOGUE") {
        Ok(path) => std::fs::read_to_string(path).expect("the catalogue can be read"),
        Err(_) => sample(300),
    };
    let (stage, server) = served(&mut world).await;
    let (holder, developer) = (stage.holder("Hoshikuzu Press").await, stage.developer("Nimbus Lab").await);
    let works = import(&world, &server, &holder, [&stage.registrar.key, &stage.second.key], &rows);

    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let recorded: BTreeMap<usize, Vec<String>> =
        works.keys().map(|at| (*at, questions(&rows[*at]))).collect();
    let granted = chosen(&recorded);
    assert_eq!(granted.len(), GRANTED);
    for at in &granted {
        let mut body = grant(&works[at]);
        body["uses"] = json!({ "only": ["train.generative"] });
        let answer = holder.post("/v1/grants", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    // Asked for every id and address of every row, also of those that were refused.
    let mut matched: HashMap<String, Vec<usize>> =
        rows.iter().flat_map(questions).map(|question| (question, Vec::new())).collect();
    for (at, questions) in &recorded {
        for question in questions {
            matched.get_mut(question).unwrap().push(*at);
        }
    }
    let expected: BTreeSet<&String> = matched
        .iter()
        .filter(|(_, rows)| !rows.is_empty() && rows.iter().all(|at| granted.contains(at)))
        .map(|(question, _)| question)
        .collect();
    let asked: Vec<&str> = matched.keys().map(String::as_str).collect();
    let items = file(&world, "items", &asked.join("\n"));
    let started = stopwatch();
    let said = ask(
        &server,
        &developer.key,
        &["check", "--use", "train.generative", "--json", "--file", items.to_str().unwrap()],
    );
    let elapsed = started.elapsed().as_secs_f64();
    assert_eq!(said.code, 10, "{}", said.err);
    let answers: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (total, answers) = answers.split_last().unwrap();
    assert_eq!((&total["items"], answers.len()), (&json!(asked.len()), asked.len()));
    let item = |it: &Value| it["item"].as_str().unwrap().to_owned();
    let permitted: BTreeSet<String> =
        answers.iter().filter(|it| it["verdict"] == "permitted").map(item).collect();
    let (shared, partly) =
        (|rows: &Vec<usize>| rows.len() > 1, |rows: &Vec<usize>| rows.iter().any(|at| granted.contains(at)));
    println!(
        "{:?}: {} questions ({:.1} s), {} permitted, {} of these shared; {} shared and granted in part",
        world.engine,
        asked.len(),
        elapsed,
        permitted.len(),
        matched.iter().filter(|(question, rows)| shared(rows) && permitted.contains(*question)).count(),
        matched.iter().filter(|(question, rows)| partly(rows) && !expected.contains(question)).count(),
    );
    assert!(matched.values().any(|rows| partly(rows) && !rows.iter().all(|at| granted.contains(at))));
    assert!(matched.iter().any(|(question, rows)| shared(rows) && permitted.contains(question)));
    assert_eq!(permitted.iter().collect::<BTreeSet<_>>(), expected);
});
