//! Connections to PostgreSQL as they are lent to whoever asks: every answer has a time limit, and so has the way back.
//!
//! A network that swallows what is sent answers nothing and refuses nothing. The driver waits for ever then: for a row, and
//! also when the pool tries a connection before it takes it back, so that each one would be lost to the pool. What takes
//! longer than the server itself would allow is given up here, and its connection with it.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Execute, Executor, PgPool, Postgres, SqlStr};

/// How long a statement may take until its next row comes, or its end: longer than the server lets it run.
pub(super) const ANSWER: Duration = Duration::from_secs(25);
/// How long a connection may take to leave its transaction and say that it lives.
const WAY_BACK: Duration = Duration::from_secs(5);

/// A connection. Dropped, it goes back to the pool, out of any transaction; or is closed when it does not answer.
pub struct Lent {
    connection: Option<PoolConnection<Postgres>>,
    /// None where a statement may take as long as a whole table takes.
    limit: Option<Duration>,
    is_silent: bool,
}

impl Lent {
    /// Waits for a free one, as long as the pool allows.
    pub(super) async fn from(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let connection = pool.acquire().await?;
        Ok(Self { connection: Some(connection), limit: Some(ANSWER), is_silent: false })
    }

    /// Lets its statements take any time.
    pub(super) fn take_time(&mut self) {
        self.limit = None;
    }

    /// Executes a text without parameters.
    pub(super) async fn run(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        self.execute(sqlx::raw_sql(text)).await.map(drop)
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The program ends.
            drop(connection.detach());
            return;
        };
        if self.is_silent {
            // Nothing is asked of it any more, not even to close.
            drop(connection.detach());
            return;
        }
        // What the pool does by itself, with a limit.
        let back = connection.return_to_pool();
        runtime.spawn(tokio::time::timeout(WAY_BACK, back));
    }
}

fn silent() -> sqlx::Error {
    let why = format!("the database did not answer within {} seconds", ANSWER.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// The next of what a statement gives, or the error that it took too long.
async fn within<T>(
    limit: Option<Duration>,
    is_silent: &mut bool,
    next: impl Future<Output = T>,
) -> Result<T, sqlx::Error> {
    let Some(limit) = limit else { return Ok(next.await) };
    tokio::time::timeout(limit, next).await.map_err(|_| {
        *is_silent = true;
        silent()
    })
}

impl<'c> Executor<'c> for &'c mut Lent {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Lent { connection, limit, is_silent } = self;
        let limit = *limit;
        let Some(connection) = connection.as_deref_mut() else {
            return stream::once(async { Err(sqlx::Error::PoolClosed) }).boxed();
        };
        let rows = connection.fetch_many(query);
        stream::unfold((rows, is_silent, false), move |(mut rows, is_silent, ended)| async move {
            if ended {
                return None;
            }
            match within(limit, is_silent, rows.next()).await {
                Ok(next) => next.map(|next| (next, (rows, is_silent, false))),
                Err(error) => Some((Err(error), (rows, is_silent, true))),
            }
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move {
            let limit = self.limit;
            let Lent { connection, is_silent, .. } = self;
            let connection = connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)?;
            within(limit, is_silent, connection.fetch_optional(query)).await?
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        async move {
            let limit = self.limit;
            let Lent { connection, is_silent, .. } = self;
            let connection = connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)?;
            within(limit, is_silent, connection.prepare_with(sql, parameters)).await?
        }
        .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        async move {
            let limit = self.limit;
            let Lent { connection, is_silent, .. } = self;
            let connection = connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)?;
            within(limit, is_silent, connection.describe(sql)).await?
        }
        .boxed()
    }
}
