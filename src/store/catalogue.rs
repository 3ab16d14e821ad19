//! What people browse: titles, lists, histories. No decision reads any of it, and all of it can be rebuilt from the
//! log and the payloads.
//!
//! Lists are pages: `after` is the last key of the page before (nothing for the first), and a page shorter than
//! `limit` is the last.

use std::ops::Range;

use super::db::{Db, Tx, from_db, on_db, on_tx, to_db};
use super::entries::StoredEntry;
use super::error::StoreError;
use super::sql::{json, texts};

mod erase;
pub mod log;
mod orgs;
mod rebuild;

pub(super) use erase::TEXTS as ERASE_TEXTS;
pub use erase::{erase_model, erase_org, erase_work};
pub(super) use orgs::TEXTS as ORG_TEXTS;
pub use orgs::{Model, Org, model, models, org, orgs, put_model, put_org, set_model_state, set_org_state};
pub(super) use rebuild::TEXTS as REBUILD_TEXTS;
pub use rebuild::{Difference, clear, compare, compare_in};

texts! {
    PUT_WORK = "INSERT INTO catalog_works (work, kind, title, title_lang, reading, registrant, state, \
        registered_idx, registered_ms, updated_idx) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
        ON CONFLICT (work) DO UPDATE SET kind = excluded.kind, title = excluded.title, \
        title_lang = excluded.title_lang, reading = excluded.reading, updated_idx = excluded.updated_idx";
    WORK = "SELECT work, kind, title, title_lang, reading, registrant, state, registered_idx, registered_ms, \
        updated_idx FROM catalog_works WHERE work = $1";
    WORKS = "SELECT work, kind, title, title_lang, reading, registrant, state, registered_idx, registered_ms, \
        updated_idx FROM catalog_works WHERE work > $1 ORDER BY work LIMIT $2";
    PARTY_WORKS = "SELECT work, kind, title, title_lang, reading, registrant, state, registered_idx, registered_ms, \
        updated_idx FROM catalog_works WHERE work IN (SELECT work FROM catalog_party_works \
        WHERE party = $1 AND work > $2 GROUP BY work ORDER BY work LIMIT $3) ORDER BY work";
    TOUCH_WORK = "UPDATE catalog_works SET updated_idx = $1 WHERE work = $2";
    SET_WORK_STATE = "UPDATE catalog_works SET state = $1, updated_idx = $2 WHERE work = $3";
    CLEAR_TITLES = "DELETE FROM catalog_titles WHERE work = $1";
    PUT_TITLE = "INSERT INTO catalog_titles (work, seq, text, lang, reading, search_key) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    TITLES = "SELECT work, text, lang, reading, search_key FROM catalog_titles WHERE work = $1 ORDER BY seq";
    FIND_TITLES = "SELECT work, text, lang, reading, search_key FROM catalog_titles \
        WHERE search_key >= $1 AND search_key < $2 AND (search_key, work) > ($3, $4) \
        ORDER BY search_key, work LIMIT $5";
    PUT_PARTY = "INSERT INTO catalog_party_works (party, work, relation, idx) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (party, work, relation) DO UPDATE SET idx = excluded.idx";
    REMOVE_PARTY = "DELETE FROM catalog_party_works WHERE party = $1 AND work = $2 AND relation = $3";
    PARTIES = "SELECT party, relation FROM catalog_party_works WHERE work = $1 ORDER BY party, relation";
    PUT_HISTORY = "INSERT INTO catalog_history (subject, idx, type, at_ms, party) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (subject, idx) DO NOTHING";
    PUT_ALL_HISTORY = "INSERT INTO catalog_history (subject, idx, type, at_ms, party) \
        SELECT value ->> 'subject', value ->> 'index', value ->> 'kind', value ->> 'at_ms', value ->> 'party' \
        FROM jsonb_each($1) WHERE true ON CONFLICT (subject, idx) DO NOTHING",
        "INSERT INTO catalog_history (subject, idx, type, at_ms, party) \
        SELECT subject, index, kind, at_ms, party FROM json_to_recordset($1::json) \
        AS line (subject text, index bigint, kind text, at_ms bigint, party text) ON CONFLICT (subject, idx) DO NOTHING";
    HISTORY = "SELECT subject, idx, type, at_ms, party FROM catalog_history WHERE subject = $1 AND idx < $2 \
        ORDER BY idx DESC LIMIT $3";
    PARTY_HISTORY = "SELECT subject, idx, type, at_ms, party FROM catalog_history WHERE party = $1 AND idx < $2 \
        ORDER BY idx DESC LIMIT $3";
    LAST_CHANGE = "SELECT updated_idx FROM catalog_works WHERE work = $1";
    DESCRIBED = "SELECT MAX(idx) FROM catalog_history WHERE subject = $1 AND type IN ('work.registered', 'work.amended')";
    PARTY_ENTRIES = "SELECT e.idx, e.at_ms, e.bytes FROM catalog_history h JOIN entries e ON e.log = 'acts' AND e.idx = h.idx \
        WHERE h.subject = $1 AND h.idx >= $2 AND h.idx < $3 ORDER BY h.idx LIMIT $4";
    PUT_META = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    META = "SELECT value FROM meta WHERE name = $1";
}

/// A work, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Work {
    /// Its id.
    pub work: String,
    /// What kind of work.
    pub kind: String,
    /// Its main title; none after an erasure.
    pub title: Option<String>,
    /// The BCP 47 tag of the title's language.
    pub title_lang: Option<String>,
    /// How the title is read (kana), for sorting.
    pub reading: Option<String>,
    /// The organization that registered it.
    pub registrant: String,
    /// A word for its state.
    pub state: String,
    /// The entry that registered it.
    #[sqlx(try_from = "i64")]
    pub registered_idx: u64,
    /// When that was.
    pub registered_ms: i64,
    /// The last entry that changed what stands here, or what else the work's record says.
    #[sqlx(try_from = "i64")]
    pub updated_idx: u64,
}

/// One title of a work.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Title {
    /// Whose title.
    pub work: String,
    /// As it is written.
    pub text: String,
    /// The BCP 47 tag of its language.
    pub lang: Option<String>,
    /// How it is read.
    pub reading: Option<String>,
    /// What is compared when somebody searches.
    pub search_key: String,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct HistoryLine {
    /// The work or organization to which it happened.
    pub subject: String,
    /// The entry.
    #[sqlx(rename = "idx", try_from = "i64")]
    pub index: u64,
    /// The type of its act.
    #[sqlx(rename = "type")]
    pub kind: String,
    /// When.
    pub at_ms: i64,
    /// Who acted.
    pub party: String,
}

/// Writes a work, or its new kind and title over the old ones: registrant, state and registration stay.
pub async fn put_work(tx: &mut Tx, work: &Work) -> Result<(), StoreError> {
    let (registered, updated) = (to_db(work.registered_idx)?, to_db(work.updated_idx)?);
    on_tx!(tx, conn => sqlx::query(PUT_WORK)
        .bind(&work.work)
        .bind(&work.kind)
        .bind(work.title.as_deref())
        .bind(work.title_lang.as_deref())
        .bind(work.reading.as_deref())
        .bind(&work.registrant)
        .bind(&work.state)
        .bind(registered)
        .bind(work.registered_ms)
        .bind(updated)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Sets the word for the state of the work `id`.
pub async fn set_work_state(tx: &mut Tx, id: &str, state: &str, index: u64) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(SET_WORK_STATE).bind(state).bind(index).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// Notes that the entry changed something else that the record of the work `id` says.
pub async fn touch_work(tx: &mut Tx, id: &str, index: u64) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(TOUCH_WORK).bind(index).bind(id).execute(conn).await.map(drop))?;
    Ok(())
}

/// The work `id`.
pub async fn work(db: &Db, id: &str) -> Result<Option<Work>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(WORK).bind(id).fetch_optional(pool).await)?)
}

/// All works, by id, which is also the order of registration.
pub async fn works(db: &Db, after: Option<&str>, limit: u32) -> Result<Vec<Work>, StoreError> {
    let after = after.unwrap_or_default();
    Ok(on_db!(db, pool => sqlx::query_as(WORKS).bind(after).bind(i64::from(limit)).fetch_all(pool).await)?)
}

/// The works to which `party` stands in any relation, each once, by id.
pub async fn party_works(
    db: &Db,
    party: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Work>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(PARTY_WORKS)
        .bind(party)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// Replaces the titles of the work `id`, which is there already. Each [`Title::work`] is `id`.
pub async fn put_titles(tx: &mut Tx, id: &str, titles: &[Title]) -> Result<(), StoreError> {
    on_tx!(tx, conn => {
        sqlx::query(CLEAR_TITLES).bind(id).execute(&mut *conn).await?;
        for (seq, title) in (0_i64..).zip(titles) {
            sqlx::query(PUT_TITLE)
                .bind(id)
                .bind(seq)
                .bind(&title.text)
                .bind(title.lang.as_deref())
                .bind(title.reading.as_deref())
                .bind(&title.search_key)
                .execute(&mut *conn)
                .await?;
        }
    });
    Ok(())
}

/// The titles of a work, in the order in which they were put.
pub async fn titles(db: &Db, id: &str) -> Result<Vec<Title>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(TITLES).bind(id).fetch_all(pool).await)?)
}

/// Titles whose search key begins with `prefix`, by key and work; `after` is the last key and work of the page
/// before.
pub async fn find_titles(
    db: &Db,
    prefix: &str,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<Title>, StoreError> {
    let (key, work) = after.unwrap_or_default();
    // The last character that there is: every longer key sorts before it.
    let end = format!("{prefix}\u{10FFFF}");
    Ok(on_db!(db, pool => sqlx::query_as(FIND_TITLES)
        .bind(prefix)
        .bind(end)
        .bind(key)
        .bind(work)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// Notes since entry `index` that `party` stands to `work` as `relation` says (`registrant`, `holder`, …).
pub async fn put_party(
    tx: &mut Tx,
    party: &str,
    work: &str,
    relation: &str,
    index: u64,
) -> Result<(), StoreError> {
    let index = to_db(index)?;
    on_tx!(tx, conn => sqlx::query(PUT_PARTY)
        .bind(party)
        .bind(work)
        .bind(relation)
        .bind(index)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Forgets that `party` stands to `work` as `relation` says.
pub async fn remove_party(tx: &mut Tx, party: &str, work: &str, relation: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(REMOVE_PARTY)
        .bind(party)
        .bind(work)
        .bind(relation)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// Every party of a work with its relation.
pub async fn parties(db: &Db, work: &str) -> Result<Vec<(String, String)>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_as(PARTIES).bind(work).fetch_all(pool).await)?)
}

/// Adds a line to a history; a line for the same subject and entry stands already or is added once.
pub async fn put_history(tx: &mut Tx, line: &HistoryLine) -> Result<(), StoreError> {
    let index = to_db(line.index)?;
    on_tx!(tx, conn => sqlx::query(PUT_HISTORY)
        .bind(&line.subject)
        .bind(index)
        .bind(&line.kind)
        .bind(line.at_ms)
        .bind(&line.party)
        .execute(conn)
        .await
        .map(drop))?;
    Ok(())
}

/// As [`put_history`], for many lines at once.
pub async fn put_all_history(tx: &mut Tx, lines: &[HistoryLine]) -> Result<(), StoreError> {
    if lines.is_empty() {
        return Ok(());
    }
    let (text, rows) = (PUT_ALL_HISTORY.of(tx.engine()), json(lines)?);
    on_tx!(tx, conn => sqlx::query(text).bind(rows).execute(conn).await.map(drop))?;
    Ok(())
}

/// What happened to a work or an organization, the newest first, before entry `before`.
pub async fn history(
    db: &Db,
    subject: &str,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<HistoryLine>, StoreError> {
    read_history(db, HISTORY, subject, before, limit).await
}

/// The last entry that changed what the record of the work `id` says, as the transaction sees it.
pub async fn last_change(tx: &mut Tx, id: &str) -> Result<Option<u64>, StoreError> {
    let last: Option<i64> =
        on_tx!(tx, conn => sqlx::query_scalar(LAST_CHANGE).bind(id).fetch_optional(conn).await)?;
    last.map(from_db).transpose()
}

/// The entry that describes the work `id` today: its last amendment, or its registration.
pub async fn described(db: &Db, id: &str) -> Result<Option<u64>, StoreError> {
    let last: Option<i64> = on_db!(db, pool => sqlx::query_scalar(DESCRIBED).bind(id).fetch_one(pool).await)?;
    last.map(from_db).transpose()
}

/// What `party` did, the newest first, before entry `before`; an act with several subjects has several lines.
pub async fn party_history(
    db: &Db,
    party: &str,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<HistoryLine>, StoreError> {
    read_history(db, PARTY_HISTORY, party, before, limit).await
}

async fn read_history(
    db: &Db,
    text: &'static str,
    whose: &str,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<HistoryLine>, StoreError> {
    let before = before.map_or(Ok(i64::MAX), to_db)?;
    Ok(on_db!(db, pool => sqlx::query_as(text)
        .bind(whose)
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?)
}

/// The entries of the act log in `range` that name the organization `org` among their parties, in order, and no more
/// than `limit`. Its history is the index: an organization has a line in it for each entry that names it, and only those.
pub async fn party_entries(
    db: &Db,
    org: &str,
    range: Range<u64>,
    limit: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    let rows: Vec<(i64, i64, Vec<u8>)> = on_db!(db, pool => sqlx::query_as(PARTY_ENTRIES)
        .bind(org)
        .bind(from)
        .bind(until)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await)?;
    rows.into_iter()
        .map(|(index, at_ms, bytes)| Ok(StoredEntry { index: from_db(index)?, at_ms, bytes }))
        .collect()
}

/// Sets a value of the installation.
pub async fn put_meta(tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
    on_tx!(tx, conn => sqlx::query(PUT_META).bind(name).bind(value).execute(conn).await.map(drop))?;
    Ok(())
}

/// A value of the installation.
pub async fn meta(db: &Db, name: &str) -> Result<Option<String>, StoreError> {
    Ok(on_db!(db, pool => sqlx::query_scalar(META).bind(name).fetch_optional(pool).await)?)
}
