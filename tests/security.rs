//! `docs/security.md`: every requirement stands in it once, and what it names exists. And the few of them that nothing else shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::world::people::PASSWORD;
use crate::world::{World, both};

const PAGE: &str = include_str!("../docs/security.md");

/// The requirements of levels 1 and 2 of the OWASP ASVS 5.0, but for chapter 17: chapter, section, numbers.
#[rustfmt::skip]
const REQUIREMENTS: &[(u8, u8, &[u8])] = &[
    (1, 1, &[1, 2]),
    (1, 2, &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (1, 3, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    (1, 4, &[1, 2, 3]),
    (1, 5, &[1, 2]),
    (2, 1, &[1, 2, 3]),
    (2, 2, &[1, 2, 3]),
    (2, 3, &[1, 2, 3, 4]),
    (2, 4, &[1]),
    (3, 2, &[1, 2]),
    (3, 3, &[1, 2, 3, 4]),
    (3, 4, &[1, 2, 3, 4, 5, 6]),
    (3, 5, &[1, 2, 3, 4, 5]),
    (3, 7, &[1, 2]),
    (4, 1, &[1, 2, 3]),
    (4, 2, &[1]),
    (4, 3, &[1, 2]),
    (4, 4, &[1, 2, 3, 4]),
    (5, 1, &[1]),
    (5, 2, &[1, 2, 3]),
    (5, 3, &[1, 2]),
    (5, 4, &[1, 2, 3]),
    (6, 1, &[1, 2, 3]),
    (6, 2, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
    (6, 3, &[1, 2, 3, 4]),
    (6, 4, &[1, 2, 3, 4]),
    (6, 5, &[1, 2, 3, 4, 5]),
    (6, 6, &[1, 2, 3]),
    (6, 8, &[1, 2, 3, 4]),
    (7, 1, &[1, 2, 3]),
    (7, 2, &[1, 2, 3, 4]),
    (7, 3, &[1, 2]),
    (7, 4, &[1, 2, 3, 4, 5]),
    (7, 5, &[1, 2]),
    (7, 6, &[1, 2]),
    (8, 1, &[1, 2]),
    (8, 2, &[1, 2, 3]),
    (8, 3, &[1]),
    (8, 4, &[1]),
    (9, 1, &[1, 2, 3]),
    (9, 2, &[1, 2, 3, 4]),
    (10, 1, &[1, 2]),
    (10, 2, &[1, 2]),
    (10, 3, &[1, 2, 3, 4]),
    (10, 4, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    (10, 5, &[1, 2, 3, 4, 5]),
    (10, 6, &[1, 2]),
    (10, 7, &[1, 2, 3]),
    (11, 1, &[1, 2]),
    (11, 2, &[1, 2, 3]),
    (11, 3, &[1, 2, 3]),
    (11, 4, &[1, 2, 3, 4]),
    (11, 5, &[1]),
    (11, 6, &[1]),
    (12, 1, &[1, 2, 3]),
    (12, 2, &[1, 2]),
    (12, 3, &[1, 2, 3, 4]),
    (13, 1, &[1]),
    (13, 2, &[1, 2, 3, 4, 5]),
    (13, 3, &[1, 2]),
    (13, 4, &[1, 2, 3, 4, 5]),
    (14, 1, &[1, 2]),
    (14, 2, &[1, 2, 3, 4]),
    (14, 3, &[1, 2, 3]),
    (15, 1, &[1, 2, 3]),
    (15, 2, &[1, 2, 3]),
    (15, 3, &[1, 2, 3, 4, 5, 6, 7]),
    (16, 1, &[1]),
    (16, 2, &[1, 2, 3, 4, 5]),
    (16, 3, &[1, 2, 3, 4]),
    (16, 4, &[1, 2, 3]),
    (16, 5, &[1, 2, 3]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the page: requirements, how they are met, what shows it.
fn rows() -> Vec<[&'static str; 3]> {
    let cells = |line: &'static str| {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        Some([cells.next()?, cells.next()?, cells.next()?])
    };
    let is_row = |row: &[&str; 3]| row[0].starts_with(|c: char| c.is_ascii_digit());
    PAGE.lines().filter_map(cells).filter(is_row).collect()
}

fn numbers(cell: &str) -> Vec<String> {
    let words = cell.split([' ', ',']).filter(|word| word.split('.').count() == 3);
    words
        .filter(|word| word.split('.').all(|part| part.parse::<u8>().is_ok()))
        .map(ToOwned::to_owned)
        .collect()
}

/// What stands between backticks.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_requirement_stands_on_the_page_once() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows() {
        for number in numbers(row[0]) {
            *found.entry(number).or_default() += 1;
        }
    }
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for (chapter, section, all) in REQUIREMENTS {
        for number in *all {
            expected.insert(format!("{chapter}.{section}.{number}"), 1);
        }
    }
    assert_eq!(found, expected);
}

/// Why a test or file that the page names does not exist, if it does not.
fn missing(name: &str) -> Option<String> {
    let Some((modules, test)) = name.rsplit_once("::") else {
        return (!root().join(name).is_file()).then(|| format!("there is no file `{name}`"));
    };
    let modules = modules.replace("::", "/");
    let file: PathBuf = match modules.strip_suffix("/tests") {
        Some(source) => root().join("src").join(format!("{source}.rs")),
        None => root().join("tests").join(format!("{modules}.rs")),
    };
    let Ok(text) = fs::read_to_string(&file) else {
        return Some(format!("`{name}`: there is no {}", file.display()));
    };
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_story = lines.iter().any(|line| line.starts_with(&format!("both!({test},")));
    let is_test = lines.iter().enumerate().any(|(at, line)| {
        let function = line.trim_start_matches("async ").trim_start_matches("fn ");
        let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        let is_mark = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        function.starts_with(&format!("{test}(")) && attributes.copied().any(|line| is_mark(&line))
    });
    (!is_story && !is_test).then(|| format!("`{name}`: there is no such test in {}", file.display()))
}

#[test]
fn what_the_page_names_exists() {
    let mut faults = Vec::new();
    for [requirement, how, shown] in rows() {
        let names = named(shown);
        faults.extend(names.iter().filter_map(|name| missing(name)));
        let is_excused = how.starts_with("**gap**: ") || how.starts_with("*does not apply*: ");
        if names.is_empty() && (!is_excused || shown != "—") {
            faults.push(format!("{requirement}: nothing shows it"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(missing("security::no_such_test").is_some() && missing("nowhere::at_all").is_some());
    assert!(missing("docs/nowhere.md").is_some() && missing("http::extract::peer::tests::nothing").is_some());
}

/// The source of the program, but for its tests, by file.
fn source() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((path, code));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    assert!(found.len() > 100);
    found
}

/// The files of the source that hold one of these texts.
fn holding(texts: &[&str]) -> Vec<String> {
    let is_held = |code: &str| texts.iter().any(|text| code.contains(text));
    let held = source().into_iter().filter(|(_, code)| is_held(code));
    held.map(|(path, _)| path.strip_prefix(root()).unwrap().display().to_string()).collect()
}

#[test]
fn no_other_program_is_started() {
    assert_eq!(holding(&["process::Command", "Command::new", "libc::", "popen"]), Vec::<String>::new());
}

#[test]
fn randomness_has_one_source() {
    let all = ["getrandom::", "rand::", "OsRng", "thread_rng", "SmallRng", "fastrand"];
    assert_eq!(holding(&all), ["src/clock.rs"]);
}

/// The codes of devices are HMAC-SHA-1 (RFC 6238), in the library for them; the checksum of a key protects nothing.
#[test]
fn no_weak_hash_is_used_by_ourselves() {
    assert_eq!(holding(&["sha1::", "md5::", "Md5", "Sha1", "DefaultHasher"]), Vec::<String>::new());
}

/// Files are named by the settings and by the one who calls a command; what answers requests opens none.
#[test]
fn no_text_of_a_caller_names_a_file() {
    let files = holding(&["std::fs", "tokio::fs", "File::open", "File::create"]);
    assert!(files.iter().any(|file| file == "src/registry/keys.rs"), "{files:?}");
    let answers = |file: &&String| file.starts_with("src/http/") || file.starts_with("src/domain/");
    // The settings name the certificate and its key.
    let found: Vec<_> = files.iter().filter(answers).collect();
    assert_eq!(found, ["src/http/server/tls.rs"]);
}

#[test]
fn the_compiler_forbids_what_is_unsafe() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\nunsafe_code = \"forbid\"\n"));
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut section = "";
    let mut seen = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && line.contains(" = ") {
            assert!(line.split_once("# ").is_some_and(|(_, why)| why.len() >= 4), "{line}");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
    let script = fs::read_to_string(root().join(".ci/run")).unwrap();
    let tests = fs::read_to_string(root().join("tests/run")).unwrap();
    assert!(script.contains("clippy --locked") && tests.contains("cargo test --locked"));
}

both!(a_password_has_no_end, async |world: World| {
    let stage = world.stage().await;
    let admin = stage.holder("Hoshikuzu Press").await;
    stage.invited(&admin, "editor", "hanako@hoshikuzu.example").await;
    stage.clock().advance(Duration::from_hours(24 * 364));
    assert_eq!(stage.sign_in("hanako@hoshikuzu.example", PASSWORD).await.status, 201);
});
