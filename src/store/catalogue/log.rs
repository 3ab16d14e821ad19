//! The act log as auditors look through it: by what an entry is about, whom it names, and its type.

use std::ops::Range;

use crate::store::db::{Db, from_db, on_db, to_db};
use crate::store::entries::StoredEntry;
use crate::store::error::StoreError;
use crate::store::sql::{json, texts};

texts! {
    /// One subject, and at most one other: read as far as the page goes.
    ABOUT = "SELECT e.idx, e.at_ms, e.bytes FROM catalog_history h JOIN entries e ON e.log = 'acts' AND e.idx = h.idx \
        WHERE h.subject = $1 AND h.idx >= $2 AND h.idx < $3 AND ($4 = '' OR h.type = $4) \
        AND ($5 = '' OR EXISTS (SELECT 1 FROM catalog_history o WHERE o.subject = $5 AND o.idx = h.idx)) \
        AND ($7 = 0 OR h.type NOT LIKE 'inquiry.%') ORDER BY h.idx LIMIT $6";
    /// Any of several subjects, and of several others.
    ABOUT_ANY = "SELECT e.idx, e.at_ms, e.bytes FROM entries e WHERE e.log = 'acts' AND e.idx IN ( \
        SELECT h.idx FROM catalog_history h WHERE h.subject IN (SELECT value FROM json_each($1)) AND h.idx >= $2 AND h.idx < $3 \
        AND ($4 = '' OR h.type = $4) AND ($7 = 0 OR h.type NOT LIKE 'inquiry.%')) \
        AND ($5 = '' OR EXISTS (SELECT 1 FROM catalog_history o WHERE o.idx = e.idx AND o.subject IN (SELECT value FROM json_each($5)))) \
        ORDER BY e.idx LIMIT $6",
        "SELECT e.idx, e.at_ms, e.bytes FROM entries e WHERE e.log = 'acts' AND e.idx IN ( \
        SELECT h.idx FROM catalog_history h WHERE h.subject IN (SELECT json_array_elements_text($1::json)) AND h.idx >= $2 AND h.idx < $3 \
        AND ($4 = '' OR h.type = $4) AND ($7 = 0 OR h.type NOT LIKE 'inquiry.%')) \
        AND ($5 = '' OR EXISTS (SELECT 1 FROM catalog_history o WHERE o.idx = e.idx AND o.subject IN (SELECT json_array_elements_text(NULLIF($5, '')::json)))) \
        ORDER BY e.idx LIMIT $6";
}

/// What is looked for: entries about one of the first subjects, and about one of the others where there are any. A subject is a work, an
/// organization that is named, or the origin of a journal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sought<'a> {
    /// One or more: none finds nothing.
    pub first: &'a [String],
    /// The others; none is any.
    pub others: Option<&'a [String]>,
    /// Of this type, where one is said.
    pub kind: Option<&'a str>,
    /// Whether acts that open and close inquiries are left out.
    pub hides_inquiries: bool,
}

/// The entries of this range that are sought; at most so many, in order.
pub async fn about(
    db: &Db,
    sought: Sought<'_>,
    range: Range<u64>,
    rows: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    let (text, first, others) = match (sought.first, sought.others) {
        ([one], None) => (ABOUT, one.clone(), String::new()),
        ([one], Some([other])) => (ABOUT, one.clone(), other.clone()),
        (first, others) => {
            let others = others.map(json).transpose()?.unwrap_or_default();
            (ABOUT_ANY.of(db.engine()), json(first)?, others)
        }
    };
    let rows: Vec<(i64, i64, Vec<u8>)> = on_db!(db, pool => sqlx::query_as(text)
        .bind(&first)
        .bind(from)
        .bind(until)
        .bind(sought.kind.unwrap_or_default())
        .bind(&others)
        .bind(i64::from(rows))
        .bind(i64::from(sought.hides_inquiries))
        .fetch_all(pool)
        .await)?;
    rows.into_iter()
        .map(|(index, at_ms, bytes)| Ok(StoredEntry { index: from_db(index)?, at_ms, bytes }))
        .collect()
}
