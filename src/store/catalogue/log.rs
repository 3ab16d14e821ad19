//! The act log as auditors look through it: by what an entry is about, whom it names, and its type.

use std::ops::Range;

use crate::store::db::{Db, from_db, on_db, to_db};
use crate::store::entries::StoredEntry;
use crate::store::error::StoreError;
use crate::store::sql::texts;

texts! {
    ABOUT = "SELECT e.idx, e.at_ms, e.bytes FROM catalog_history h JOIN entries e ON e.log = 'acts' AND e.idx = h.idx \
        WHERE h.subject = $1 AND h.idx >= $2 AND h.idx < $3 AND ($4 = '' OR h.type = $4) \
        AND ($5 = '' OR EXISTS (SELECT 1 FROM catalog_history o WHERE o.subject = $5 AND o.idx = h.idx)) \
        ORDER BY h.idx LIMIT $6";
}

/// The entries of this range that are about, or name, the subject, and the other one where there is one, of this type where one is
/// said; at most so many, in order.
pub async fn about(
    db: &Db,
    [subject, other]: [&str; 2],
    kind: &str,
    range: Range<u64>,
    rows: u32,
) -> Result<Vec<StoredEntry>, StoreError> {
    let (from, until) = (to_db(range.start)?, to_db(range.end)?);
    let rows: Vec<(i64, i64, Vec<u8>)> = on_db!(db, pool => sqlx::query_as(ABOUT)
        .bind(subject)
        .bind(from)
        .bind(until)
        .bind(kind)
        .bind(other)
        .bind(i64::from(rows))
        .fetch_all(pool)
        .await)?;
    rows.into_iter()
        .map(|(index, at_ms, bytes)| Ok(StoredEntry { index: from_db(index)?, at_ms, bytes }))
        .collect()
}
