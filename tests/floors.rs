//! Imports point down only: a lower floor never names a higher one.

use std::fs;
use std::path::Path;

/// The floors from the ground up; `web` shares its floor with `http`.
const FLOORS: [(&str, u8); 7] =
    [("domain", 0), ("log", 1), ("store", 2), ("registry", 3), ("http", 4), ("web", 4), ("cli", 5)];
/// Beside the floors: usable from `store` upwards, and using no floor.
const BESIDE: [&str; 2] = ["clock", "config"];
const FIRST_FLOOR_WITH_A_SIDE: u8 = 2;

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Why `from` may not name `to`, if so. Names that are no floor (items of the crate root) are free.
fn fault(from: &str, to: &str) -> Option<&'static str> {
    match (floor_of(from), floor_of(to)) {
        _ if from == to => None,
        (Some(from), Some(to)) if from < to => Some("points up"),
        (Some(from), None) if BESIDE.contains(&to) && from < FIRST_FLOOR_WITH_A_SIDE => {
            Some("domain and log use neither")
        }
        (None, Some(_)) if BESIDE.contains(&from) => Some("what stands beside uses no floor"),
        _ => None,
    }
}

/// The source without comments and the insides of strings, so that only code is read.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if first == '"' {
            end_of_string(rest)
        } else if let Some(hashes) = raw_string(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 2;
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if rest.starts_with("'\"'") {
            3
        } else if rest.starts_with("'\\\"'") {
            4
        } else {
            0
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

fn end_of_string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|b| *b == b'#').count();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// Every module of the crate root that the code names: `crate::x`, `kyodaku::x`, `crate::{x, y::z}`, and `super::x`
/// as far as it leads to the root from a file `depth` modules below it.
fn named_modules(code: &str, depth: usize) -> Vec<String> {
    let flat: String =
        code.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ::", "::").replace(":: ", "::");
    let mut found = Vec::new();
    for root in ["crate::", "kyodaku::"] {
        for (at, _) in flat.match_indices(root) {
            let before = flat[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                heads(&flat[at + root.len()..], &mut found);
            }
        }
    }
    let climb = "super::".repeat(depth);
    for (at, _) in flat.match_indices(&climb) {
        let mut rest = &flat[at + climb.len()..];
        // Inline modules climb further; a name that is no floor does no harm.
        while let Some(more) = rest.strip_prefix("super::") {
            rest = more;
        }
        heads(rest, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// The first names of a path or of each path in a group.
fn heads(path: &str, found: &mut Vec<String>) {
    let Some(group) = path.strip_prefix('{') else {
        found.push(path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        return;
    };
    let mut nesting = 0_u32;
    let mut at_head = true;
    for (at, c) in group.char_indices() {
        match c {
            '{' => nesting += 1,
            '}' if nesting == 0 => return,
            '}' => nesting -= 1,
            ',' if nesting == 0 => at_head = true,
            ' ' => {}
            _ if at_head && nesting == 0 => {
                heads(&group[at..], found);
                at_head = false;
            }
            _ => {}
        }
    }
}

/// All faults of the sources below `src`, in words.
fn faults_below(src: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut folders = vec![src.to_path_buf()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|kind| kind != "rs") {
                continue;
            }
            files += 1;
            let inner = path.strip_prefix(src).expect("below src").with_extension("");
            let from = inner.iter().next().expect("a name").to_string_lossy().into_owned();
            let code = code_of(&fs::read_to_string(&path).expect("a source"));
            for to in named_modules(&code, inner.iter().count()) {
                if let Some(why) = fault(&from, &to) {
                    faults.push(format!("{} names `{to}`: {why}", path.display()));
                }
            }
        }
    }
    assert!(files > 10, "only {files} sources below {}", src.display());
    faults.sort();
    faults
}

#[test]
fn no_import_points_up() {
    let faults = faults_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_planted_import_that_points_up_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let plant = |path: &str, source: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, source).unwrap();
    };
    for filler in 0..10 {
        plant(&format!("domain/filler{filler}.rs"), "use super::act::Act;\nuse crate::domain::ids;\n");
    }
    plant("domain/a.rs", "use crate::{domain::ids, store::{Db, x}};");
    plant("domain/b.rs", "fn f() -> super::super::registry::X { todo!() }");
    plant("log/c.rs", "use crate::clock::Clock; // crate::http is only a comment, and \"crate::cli\" too");
    plant(
        "store/d.rs",
        "use kyodaku::\n    http::Problem;\nuse crate::config::Config;\nuse crate::domain::ids;",
    );
    plant("config.rs", "use crate::registry::Limits;");
    plant("lib.rs", "pub mod cli;\nuse crate::cli;");
    plant(
        "http/e.rs",
        "const S: &str = \"crate::cli::run\"; const R: &str = r#\"crate::cli\"#; use crate::store::Db;",
    );
    let faults = faults_below(folder.path());
    let places: Vec<_> = faults
        .iter()
        .map(|fault| fault.strip_prefix(&format!("{}/", folder.path().display())).unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "config.rs names `registry`: what stands beside uses no floor",
            "domain/a.rs names `store`: points up",
            "domain/b.rs names `registry`: points up",
            "log/c.rs names `clock`: domain and log use neither",
            "store/d.rs names `http`: points up",
        ]
    );
}
