//! The catalogue is a copy: it can be emptied, written again from the log, and compared with another copy.

use std::fmt::Debug;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Postgres, Sqlite};

use super::{HistoryLine, Model, Org, Title, Work};
use crate::store::archive;
use crate::store::db::{Db, Tx, on_tx};
use crate::store::error::StoreError;
use crate::store::sql::texts;

texts! {
    CLEAR_HISTORY = "DELETE FROM catalog_history";
    CLEAR_MODELS = "DELETE FROM catalog_models";
    CLEAR_ORGS = "DELETE FROM catalog_orgs";
    CLEAR_PARTIES = "DELETE FROM catalog_party_works";
    CLEAR_TITLES = "DELETE FROM catalog_titles";
    CLEAR_WORKS = "DELETE FROM catalog_works";
    ALL_WORKS = "SELECT work, kind, title, title_lang, reading, registrant, state, registered_idx, registered_ms, \
        updated_idx FROM catalog_works ORDER BY work";
    ALL_TITLES = "SELECT work, text, lang, reading, search_key FROM catalog_titles ORDER BY work, seq";
    ALL_PARTIES = "SELECT party, work, relation, idx FROM catalog_party_works ORDER BY party, work, relation";
    ALL_ORGS = "SELECT org, name, roles, state, registered_idx, registered_ms, updated_idx FROM catalog_orgs \
        ORDER BY org";
    ALL_MODELS = "SELECT model, developer, name, state, registered_idx, registered_ms, updated_idx \
        FROM catalog_models ORDER BY model";
    ALL_HISTORY = "SELECT subject, idx, type, at_ms, party FROM catalog_history ORDER BY subject, idx";
}

/// Where two catalogues part: the first row, in the order of its keys, that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which table.
    pub table: &'static str,
    /// The row of the one, for people to read; none where its table ends.
    pub here: Option<String>,
    /// The row of the other.
    pub there: Option<String>,
}

/// Empties the catalogue, before it is written again in the same transaction. Values of the installation stay.
pub async fn clear(tx: &mut Tx) -> Result<(), StoreError> {
    for text in [CLEAR_HISTORY, CLEAR_MODELS, CLEAR_ORGS, CLEAR_PARTIES, CLEAR_TITLES, CLEAR_WORKS] {
        on_tx!(tx, conn => sqlx::query(text).execute(conn).await.map(drop))?;
    }
    Ok(())
}

/// Compares two catalogues row by row, whatever databases they are in: at most one difference a table, none if they
/// are equal. It takes as long as whole tables take.
pub async fn compare(here: &Db, there: &Db) -> Result<Vec<Difference>, StoreError> {
    let mut here = here.snapshot().await?;
    archive::take_time(&mut here).await?;
    compare_in(&mut here, there).await
}

/// As [`compare`], with the catalogue that this transaction sees, which takes its time.
pub async fn compare_in(here: &mut Tx, there: &Db) -> Result<Vec<Difference>, StoreError> {
    let mut there = there.snapshot().await?;
    let there = &mut there;
    archive::take_time(there).await?;
    let found = [
        first_difference::<Work>("catalog_works", ALL_WORKS, here, there).await?,
        first_difference::<Title>("catalog_titles", ALL_TITLES, here, there).await?,
        first_difference::<(String, String, String, i64)>("catalog_party_works", ALL_PARTIES, here, there)
            .await?,
        first_difference::<Org>("catalog_orgs", ALL_ORGS, here, there).await?,
        first_difference::<Model>("catalog_models", ALL_MODELS, here, there).await?,
        first_difference::<HistoryLine>("catalog_history", ALL_HISTORY, here, there).await?,
    ];
    Ok(found.into_iter().flatten().collect())
}

async fn first_difference<T>(
    table: &'static str,
    text: &'static str,
    here: &mut Tx,
    there: &mut Tx,
) -> Result<Option<Difference>, StoreError>
where
    T: for<'r> FromRow<'r, SqliteRow>
        + for<'r> FromRow<'r, PgRow>
        + Debug
        + PartialEq
        + Send
        + Unpin
        + 'static,
{
    let (mut here, mut there) = (rows::<T>(here, text), rows::<T>(there, text));
    loop {
        let (one, other) = (here.try_next().await?, there.try_next().await?);
        if one != other {
            let [here, there] = [one, other].map(|row| row.map(|row| format!("{row:?}")));
            return Ok(Some(Difference { table, here, there }));
        }
        if one.is_none() {
            return Ok(None);
        }
    }
}

fn rows<'a, T>(of: &'a mut Tx, text: &'static str) -> BoxStream<'a, Result<T, sqlx::Error>>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin + 'static,
{
    match of {
        Tx::Sqlite(tx) => sqlx::query_as::<Sqlite, T>(text).fetch(tx),
        Tx::Postgres(tx) => sqlx::query_as::<Postgres, T>(text).fetch(tx),
    }
}
