//! Connections go from one to the next, and nothing of the one before goes with them.

use futures_util::StreamExt;
use kyodaku::store::{Db, Engine};
use tokio::task::JoinSet;

use crate::world::beside::{lent, meddle, number};
use crate::world::{World, both};

const INSERT: &str = "INSERT INTO meta (name, value) VALUES ('one', 'written')";
const COUNT: &str = "SELECT count(*) FROM meta WHERE name = 'one'";
const BROKEN: &str = "INSERT INTO meta (name, value) VALUES (NULL, NULL)";
const MANY: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n";

/// What only this connection knows of itself.
async fn mark(db: &Db) {
    let text = match db.engine() {
        Engine::Sqlite => "PRAGMA cache_size = 777",
        Engine::Postgres => "SET application_name = '777'",
    };
    meddle(db, text).await.unwrap();
}

async fn is_marked(db: &Db) -> bool {
    let text = match db.engine() {
        Engine::Sqlite => "PRAGMA cache_size",
        Engine::Postgres => {
            "SELECT 777 * count(*) FROM pg_settings WHERE name = 'application_name' AND setting = '777'"
        }
    };
    number(db, text).await == 777
}

async fn count(db: &Db) -> i64 {
    number(db, COUNT).await
}

both!(what_comes_back_in_order_is_lent_to_the_next_one, async |world: World| {
    let db = world.db().await;
    mark(&db).await;
    for _ in 0..10 {
        assert!(is_marked(&db).await);
    }
    db.begin().await.unwrap().commit().await.unwrap();
    assert!(is_marked(&db).await);
    db.begin().await.unwrap().rollback().await.unwrap();
    assert!(is_marked(&db).await);
});

both!(a_transaction_that_nobody_ended_is_not_found_by_the_next_one, async |world: World| {
    let db = world.db().await;
    // In order, with an error, and with an answer that nobody took.
    for left in 0..3 {
        let mut tx = db.begin().await.unwrap();
        macro_rules! leave {
            ($conn:expr) => {{
                sqlx::query(INSERT).execute(&mut *$conn).await.unwrap();
                match left {
                    0 => {}
                    1 => assert!(sqlx::query(BROKEN).execute(&mut *$conn).await.is_err()),
                    _ => {
                        let mut rows = sqlx::query(MANY).fetch(&mut *$conn);
                        assert!(rows.next().await.unwrap().is_ok());
                    }
                }
            }};
        }
        match &mut tx {
            kyodaku::store::Tx::Sqlite(conn) => leave!(conn),
            kyodaku::store::Tx::Postgres(conn) => leave!(conn),
        }
        drop(tx);
        for _ in 0..20 {
            assert_eq!(count(&db).await, 0, "left as {left}");
        }
        // What is written now is written for good.
        meddle(&db, INSERT).await.unwrap();
        assert_eq!(count(&world.db().await).await, 1, "left as {left}");
        meddle(&db, "DELETE FROM meta WHERE name = 'one'").await.unwrap();
    }
});

both!(an_answer_that_nobody_took_is_not_given_to_the_next_one, async |world: World| {
    let db = world.db().await;
    for _ in 0..20 {
        lent!(&db, conn => {
            let mut rows = sqlx::query(MANY).fetch(&mut conn);
            assert!(rows.next().await.unwrap().is_ok());
        });
        assert_eq!(count(&db).await, 0);
    }
});

both!(many_get_their_turn_at_few_connections, async |world: World| {
    let db = world.db().await;
    let mut tasks = JoinSet::new();
    for number in 0..200_i64 {
        let db = db.clone();
        tasks.spawn(async move {
            let tx = db.begin().await.unwrap();
            tokio::task::yield_now().await;
            if number % 3 == 0 {
                drop(tx);
            } else {
                tx.commit().await.unwrap();
            }
            count(&db).await
        });
    }
    assert_eq!(tasks.join_all().await, vec![0; 200]);
});

both!(after_it_is_closed_nothing_is_lent, async |world: World| {
    let db = world.db().await;
    let held = db.begin().await.unwrap();
    let (closing, other) = (db.clone(), db.clone());
    let closed = tokio::spawn(async move { closing.close().await });
    while other.begin().await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!closed.is_finished(), "it waits for what is in use");
    held.commit().await.unwrap();
    closed.await.unwrap();
    assert!(db.begin().await.is_err());
});
