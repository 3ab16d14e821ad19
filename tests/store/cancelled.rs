//! Futures dropped while they wait for the database lose nothing of anybody else.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use kyodaku::store::Db;
use tokio::task::JoinSet;

use crate::world::beside::{lent, number};
use crate::world::{World, both};

const WRITERS: u32 = 20;
const WRITES: u32 = 40;

/// Polls `future` at most `polls` times, each time that it has something to do, and drops it: what happens to a
/// request whose client has gone.
async fn give_up_after<T>(future: impl Future<Output = T>, polls: u32) {
    let mut future = std::pin::pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        polled += 1;
        let done = future.as_mut().poll(context).is_ready();
        if done || polled == polls { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn insert(db: &Db, name: &str) -> bool {
    // Autocommitted, as another program on the same pool might: the store itself writes in transactions only.
    const INSERT: &str = "INSERT INTO meta (name, value) VALUES ($1, 'written')";
    lent!(db, conn => sqlx::query(INSERT).bind(name).execute(&mut conn).await.is_ok())
}

// Without the `after_release` hook of `Db::connect`, PostgreSQL loses acknowledged rows here: a connection whose
// `BEGIN` nobody waited for goes back to the pool inside that transaction, and the inserts of its next users are
// never committed (three runs without it: 584, 595 and 583 rows of the 800 acknowledged).
both!(a_dropped_begin_loses_no_row_of_others, async |world: World| {
    let db = world.db().await;
    let acknowledged = std::sync::Arc::new(AtomicU32::new(0));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let (db, acknowledged) = (db.clone(), acknowledged.clone());
        tasks.spawn(async move {
            for write in 0..WRITES {
                give_up_after(db.begin(), 1 + (writer + write) % 4).await;
                if insert(&db, &format!("{writer}/{write}")).await {
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
    }
    tasks.join_all().await;
    // Another process: what it cannot see was never committed.
    let rows = number(&world.db().await, "SELECT count(*) FROM meta").await;
    assert_eq!(acknowledged.load(Ordering::SeqCst), WRITERS * WRITES);
    assert_eq!(rows, i64::from(WRITERS * WRITES));
});
