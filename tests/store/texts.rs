//! Every SQL text is understood by the database it is for.

use kyodaku::store::Db;
use kyodaku::store::sql::{self, Text};
use sqlx::{Executor, SqlSafeStr};

use crate::world::{World, both};

fn is_prepared(text: &str) -> bool {
    // PostgreSQL prepares no transaction control.
    !text.starts_with("BEGIN")
}

both!(every_text_is_prepared, async |world: World| {
    let db = world.db().await;
    for (file, texts) in sql::ALL {
        for (name, text) in *texts {
            let text = text.of(world.engine);
            let told = match &db {
                _ if !is_prepared(text) => Ok(()),
                Db::Sqlite { writer, .. } => {
                    let mut lent = writer.lend().await.unwrap();
                    (&mut lent).prepare(text.into_sql_str()).await.map(drop)
                }
                Db::Postgres(lender) => {
                    let mut lent = lender.lend().await.unwrap();
                    (&mut lent).prepare(text.into_sql_str()).await.map(drop)
                }
            };
            assert!(
                told.is_ok(),
                "{:?} does not understand {file}::{name}: {:?}\n{text}",
                world.engine,
                told.err()
            );
        }
    }
});

#[test]
fn pairs_stay_few() {
    let pairs: Vec<String> = sql::ALL
        .iter()
        .flat_map(|(file, texts)| texts.iter().map(move |(name, text)| (format!("{file}::{name}"), text)))
        .filter_map(|(name, text)| matches!(text, Text::Pair(_)).then_some(name))
        .collect();
    let expected = [
        "accounts::LOCK_PERSON",
        "append::APPEND",
        "append::ALONE",
        "archive::NO_HURRY",
        "catalogue::PUT_ALL_HISTORY",
        "catalogue/log::ABOUT_ANY",
        "checks::PUT",
        "db::BEGIN_SNAPSHOT",
        "db::BEGIN_WRITE",
        "db::BYTES",
        "db::DURABILITY",
        "heads::LOCK",
        "heads::LOCK_BESIDE",
        "idempotency::FIND_ALL",
        "idempotency::INSERT_ALL",
    ];
    assert_eq!(pairs, expected);
}

/// A statement that is not in the list would be prepared by no test.
#[test]
fn every_text_is_in_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut listed = 0;
    for path in rust_files(&folder) {
        let source = std::fs::read_to_string(&path).unwrap();
        let in_store = path.starts_with(folder.join("store"));
        assert!(in_store || !source.contains("sqlx::"), "only the store uses sqlx, not {}", path.display());
        for call in
            ["query(\"", "query_as(\"", "query_scalar(\"", "AssertSqlSafe", "QueryBuilder", "raw_sql(\""]
        {
            assert!(!in_store || !source.contains(call), "{} writes SQL in place (`{call}`)", path.display());
        }
        listed += usize::from(in_store && source.contains("texts! {"));
    }
    assert_eq!(listed, sql::ALL.len(), "every file with texts stands in sql::ALL");
}

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}
