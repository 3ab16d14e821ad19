//! A backup has every table, whole.

use std::collections::BTreeSet;

use kyodaku::store::{Db, archive};

use crate::world::{World, both};

const OF_SQLITE: &str = "SELECT m.name, p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p \
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name <> '_sqlx_migrations'";
const OF_POSTGRES: &str = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
    WHERE table_schema = current_schema() AND table_name <> '_sqlx_migrations'";

both!(every_table_and_every_column_is_in_the_backup, async |world: World| {
    let db = world.db().await;
    let columns: Vec<(String, String, String)> = match &db {
        Db::Sqlite { writer, .. } => {
            sqlx::query_as(OF_SQLITE).fetch_all(&mut writer.lend().await.unwrap()).await.unwrap()
        }
        Db::Postgres(lender) => {
            sqlx::query_as(OF_POSTGRES).fetch_all(&mut lender.lend().await.unwrap()).await.unwrap()
        }
    };
    let letter = |kind: &str| match kind {
        "INTEGER" | "bigint" => 'i',
        "TEXT" | "text" => 't',
        "BLOB" | "bytea" => 'b',
        other => panic!("a column of type `{other}`"),
    };
    let found: BTreeSet<_> =
        columns.into_iter().map(|(table, column, kind)| (table, column, letter(&kind))).collect();
    let copied = archive::TABLES.iter().flat_map(|table| {
        table.columns().into_iter().map(|(column, kind)| (table.name.to_owned(), column.to_owned(), kind))
    });
    assert_eq!(found, copied.collect::<BTreeSet<_>>());
});
