//! The store, on both databases.

mod accounts;
mod alone;
mod archive;
mod cancelled;
mod catalogue;
mod growth;
mod high_water;
mod idempotency;
mod lent;
mod texts;
mod triggers;

use kyodaku::log::checkpoint::CheckpointSigner;
use kyodaku::store::heads::{self, Head};
use kyodaku::store::{Db, Engine, StoreError, append, tiles};

use crate::world::beside::meddle;
use crate::world::{START_MS, World, both};

const ORIGIN: &str = "registry.example/acts";

fn signer() -> CheckpointSigner {
    CheckpointSigner::from_seed(ORIGIN, &[7; 32]).unwrap()
}

fn journal_signer() -> CheckpointSigner {
    CheckpointSigner::from_seed("registry.example/checks/one", &[8; 32]).unwrap()
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

// The server goes away between the last statement and the commit: nobody knows how that ended, and the error says so.
#[test]
fn a_commit_without_an_answer_is_unknown() {
    crate::world::run(Engine::Postgres, async |world: World| {
        let db = world.db().await;
        append_all(&db, &entries(0, 1)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let head = heads::lock(&mut tx, heads::ACTS).await.unwrap().unwrap();
        append(&mut tx, &head, &entries(1, 2), &signer(), START_MS).await.unwrap();
        meddle(
            &db,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND state = 'idle in transaction'",
        )
        .await
        .unwrap();
        let error = tx.commit().await.unwrap_err();
        assert!(matches!(error, StoreError::CommitUnknown(_)), "{error:?}");
        assert!(!error.is_transient(), "the caller must look before it tries again");
        // The next connection works.
        assert_eq!(append_all(&db, &entries(1, 2)).await.unwrap().size(), 2);
    });
}

// A full disk is told as such, and leaves what was there. The limit on pages stands for the disk.
#[test]
fn a_full_disk_is_told_and_undone() {
    crate::world::run(Engine::Sqlite, async |world: World| {
        let db = world.db().await;
        let head = append_all(&db, &entries(0, 3)).await.unwrap();
        meddle(&db, "PRAGMA max_page_count = 1").await.unwrap();
        let big = [String::from_utf8(vec![b'x'; 60_000]).unwrap()];
        let mut error = None;
        for _ in 0..20 {
            error = append_all(&db, &big).await.err();
            if error.is_some() {
                break;
            }
        }
        assert!(matches!(error, Some(StoreError::DiskFull(_))), "{error:?}");
        let size = heads::read_tree(&db, heads::ACTS).await.unwrap().unwrap().size;
        assert_eq!(tiles::root_at(&db, heads::ACTS, 3).await.unwrap(), head.tree().root);
        // Space again.
        meddle(&db, "PRAGMA max_page_count = 100000").await.unwrap();
        assert_eq!(append_all(&db, &big).await.unwrap().size(), size + 1);
    });
}
