//! The store, on both databases.

mod accounts;
mod cancelled;
mod catalogue;
mod growth;
mod high_water;
mod idempotency;
mod texts;
mod triggers;

use kyodaku::log::checkpoint::CheckpointSigner;
use kyodaku::store::heads::{self, Head};
use kyodaku::store::{Db, StoreError, append};

use crate::world::{START_MS, World, both};

const ORIGIN: &str = "registry.example/acts";

fn signer() -> CheckpointSigner {
    CheckpointSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

/// Entries `from..until` of a log in which entry `n` is the text `entry n`.
fn entries(from: u64, until: u64) -> Vec<String> {
    (from..until).map(|n| format!("entry {n}")).collect()
}

/// Appends `new` to the act log in a transaction of its own.
async fn append_all(db: &Db, new: &[String]) -> Result<Head, StoreError> {
    let mut tx = db.begin().await?;
    let head = heads::lock_or_create(&mut tx, heads::ACTS, &signer(), START_MS).await?;
    let next = append(&mut tx, &head, new, &signer(), START_MS).await?;
    tx.commit().await?;
    Ok(next)
}

/// Runs one statement as somebody with the database's password could, in a transaction of its own.
async fn meddle(db: &Db, text: &'static str) -> Result<(), StoreError> {
    match db {
        Db::Sqlite { writer, .. } => sqlx::query(text).execute(writer).await.map(drop)?,
        Db::Postgres(pool) => sqlx::query(text).execute(pool).await.map(drop)?,
    }
    Ok(())
}

both!(tables_are_made_once_and_found_again, async |world: World| {
    let first = world.db().await;
    append_all(&first, &entries(0, 3)).await.unwrap();
    first.close().await;
    let head = heads::read(&world.db().await, heads::ACTS).await.unwrap().unwrap();
    assert_eq!(head.size(), 3);
});

#[tokio::test]
async fn an_address_of_nothing_is_refused_without_its_password() {
    for url in ["mysql://me:secret@host/db", "registry.db", "sqlite::memory:", ""] {
        let error = Db::connect(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Address { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let error = Db::connect("sqlite:/no/such/folder/registry.db").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}
