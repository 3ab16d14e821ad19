//! The database beside the registry: what somebody with its password could do and see.

use kyodaku::store::{Db, StoreError};

/// Gives `$body` one connection of `$db` that writes, as `$conn`: the same words for both databases.
macro_rules! lent {
    ($db:expr, $conn:ident => $body:expr) => {
        match $db {
            kyodaku::store::Db::Sqlite { writer, .. } => {
                let mut $conn = writer.lend().await.unwrap();
                $body
            }
            kyodaku::store::Db::Postgres(lender) => {
                let mut $conn = lender.lend().await.unwrap();
                $body
            }
        }
    };
}
pub(crate) use lent;

/// Runs one statement as somebody with the database's password could, in a transaction of its own.
pub(crate) async fn meddle(db: &Db, text: &'static str) -> Result<(), StoreError> {
    lent!(db, conn => sqlx::query(text).execute(&mut conn).await.map(drop))?;
    Ok(())
}

/// The number that `text` asks for.
pub(crate) async fn number(db: &Db, text: impl sqlx::SqlSafeStr) -> i64 {
    lent!(db, conn => sqlx::query_scalar(text).fetch_one(&mut conn).await).unwrap()
}
