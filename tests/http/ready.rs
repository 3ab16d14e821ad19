//! Readiness is told to whoever asks as often as it likes, so it must cost next to nothing.

use std::time::Duration;

use futures_util::future::join_all;
use kyodaku::clock::stopwatch;
use kyodaku::store::{Db, Engine};
use sqlx::{Connection, PgConnection};

use crate::world::actors::Stage;
use crate::world::{World, both, run};

/// Less than a caller waits for a connection of its own.
const SOON: Duration = Duration::from_secs(9);

async fn ready(stage: &Stage) -> u16 {
    stage.nobody.get("/readyz").await.status.as_u16()
}

both!(a_database_that_does_not_answer_is_told_soon, async |world: World| {
    let stage = world.stage().await;
    assert_eq!(ready(&stage).await, 200);
    let begun = match stage.registry.db() {
        Db::Sqlite { readers, .. } => {
            let all = (0..readers.connections()).map(|_| readers.lend());
            let _held: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
            let begun = stopwatch();
            assert_eq!(ready(&stage).await, 503);
            begun
        }
        Db::Postgres(lender) => {
            let all = (0..lender.connections()).map(|_| lender.lend());
            let _held: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
            let begun = stopwatch();
            assert_eq!(ready(&stage).await, 503);
            begun
        }
    };
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let again = async {
        while ready(&stage).await != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), again).await.expect("it is ready again");
});

#[test]
fn however_many_ask_there_are_few_reads() {
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    run(Engine::Postgres, async |world: World| {
        let stage = world.stage().await;
        let mut other = PgConnection::connect(&world.url).await.unwrap();
        let mut seen = PgConnection::connect(&world.url).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE logs IN ACCESS EXCLUSIVE MODE").execute(&mut other).await.unwrap();
        let asked = tokio::spawn({
            let stage = stage.clone();
            async move { join_all((0..64).map(|_| ready(&stage))).await }
        });
        let mut most: i64 = 0;
        while !asked.is_finished() {
            most = most.max(sqlx::query_scalar(WAITING).fetch_one(&mut seen).await.unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(asked.await.unwrap().into_iter().all(|status| status == 503));
        // Each stands for all who asked meanwhile.
        assert!((1..=8).contains(&most), "{most}");
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        seen.close().await.unwrap();
    });
}
