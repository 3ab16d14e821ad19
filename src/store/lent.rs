//! A connection as it is lent to whoever asks: every answer of PostgreSQL has a time limit, and so has the way back.
//!
//! A network that swallows what is sent answers nothing and refuses nothing. The driver waits for ever then: for a row, and
//! also when the pool tries a connection before it takes it back, so that each one would be lost to the pool. What takes
//! longer than the server itself would allow is given up here, and its connection with it.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use sqlx::{Database, Describe, Either, Execute, Executor, Postgres, SqlStr, Sqlite};
use tokio::sync::OwnedSemaphorePermit;

use super::lender::{Lender, Live};

/// How long a statement may take until its next row comes, or its end: longer than the server lets it run.
pub(super) const ANSWER: Duration = Duration::from_secs(25);
/// How long a connection may take to leave its transaction and say that it lives.
const WAY_BACK: Duration = Duration::from_secs(5);

/// A connection. Dropped, it is free for the next one, out of any transaction; or is closed when it does not answer.
pub struct Lent<DB: Database> {
    live: Option<(Live<DB>, OwnedSemaphorePermit)>,
    lender: Lender<DB>,
    /// None where a statement may take as long as a whole table takes.
    limit: Option<Duration>,
    state: State,
}

/// What a connection is left in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// In a transaction, or on the way into one.
    is_open: bool,
    /// Of what was asked last the answer was not waited for, or was an error.
    is_asked: bool,
    /// It did not answer in time.
    is_silent: bool,
}

impl<DB: Database> Lent<DB> {
    pub(super) fn new(
        live: Live<DB>,
        lender: Lender<DB>,
        permit: OwnedSemaphorePermit,
        limit: Option<Duration>,
    ) -> Self {
        Self { live: Some((live, permit)), lender, limit, state: State::default() }
    }

    /// Lets its statements take any time.
    pub(super) fn take_time(&mut self) {
        self.limit = None;
    }
}

impl<DB: Database> fmt::Debug for Lent<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<DB: Database> Drop for Lent<DB> {
    fn drop(&mut self) {
        let Some((live, permit)) = self.live.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // The program ends.
            drop(live.connection.detach());
            return;
        };
        if self.state == State::default() {
            self.lender.take_back(live, permit);
            return;
        }
        let mut connection = live.connection;
        if self.state.is_silent {
            // Nothing is asked of it any more, not even to close.
            drop(connection.detach());
            return;
        }
        // What the pool does by itself, with a limit.
        let back = connection.return_to_pool();
        runtime.spawn(async move {
            drop(tokio::time::timeout(WAY_BACK, back).await);
            drop(permit);
        });
    }
}

fn silent() -> sqlx::Error {
    let why = format!("the database did not answer within {} seconds", ANSWER.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, why))
}

/// The next of what a statement gives, or the error that it took too long.
async fn within<T>(
    limit: Option<Duration>,
    state: &mut State,
    next: impl Future<Output = T>,
) -> Result<T, sqlx::Error> {
    let Some(limit) = limit else { return Ok(next.await) };
    tokio::time::timeout(limit, next).await.map_err(|_| {
        state.is_silent = true;
        silent()
    })
}

impl<DB: Database> Lent<DB> {
    /// The connection to ask something of, what is noted meanwhile, and how long its answer may take.
    fn ask(&mut self) -> Result<(&mut DB::Connection, &mut State, Option<Duration>), sqlx::Error> {
        let Self { live, limit, state, .. } = self;
        let (live, _) = live.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        state.is_asked = true;
        Ok((&mut *live.connection, state, *limit))
    }
}

/// What is the same for both databases, which the types of the driver can't say of all.
macro_rules! asked {
    ($database:ty) => {
        impl Lent<$database> {
            /// Opens a transaction by this text.
            pub(super) async fn begin(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
                // Whoever goes away now may leave one behind.
                self.state.is_open = true;
                self.execute(sqlx::raw_sql(text)).await.map(drop)
            }

            /// Ends the transaction by this text.
            pub(super) async fn end(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
                self.execute(sqlx::raw_sql(text)).await?;
                self.state.is_open = false;
                Ok(())
            }
        }

        impl<'c> Executor<'c> for &'c mut Lent<$database> {
            type Database = $database;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<
                'e,
                Result<
                    Either<<$database as Database>::QueryResult, <$database as Database>::Row>,
                    sqlx::Error,
                >,
            >
            where
                'c: 'e,
                E: 'q + Execute<'q, $database>,
            {
                let (connection, state, limit) = match self.ask() {
                    Ok(asked) => asked,
                    Err(error) => return stream::once(async { Err(error) }).boxed(),
                };
                let rows = connection.fetch_many(query);
                stream::unfold((rows, state, false), move |(mut rows, state, ended)| async move {
                    if ended {
                        return None;
                    }
                    match within(limit, state, rows.next()).await {
                        Ok(Some(Ok(next))) => Some((Ok(next), (rows, state, false))),
                        Ok(Some(Err(error))) | Err(error) => Some((Err(error), (rows, state, true))),
                        Ok(None) => {
                            state.is_asked = false;
                            None
                        }
                    }
                })
                .boxed()
            }

            fn fetch_optional<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxFuture<'e, Result<Option<<$database as Database>::Row>, sqlx::Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, $database>,
            {
                async move {
                    let (connection, state, limit) = self.ask()?;
                    let found = within(limit, state, connection.fetch_optional(query)).await??;
                    state.is_asked = false;
                    Ok(found)
                }
                .boxed()
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [<$database as Database>::TypeInfo],
            ) -> BoxFuture<'e, Result<<$database as Database>::Statement, sqlx::Error>>
            where
                'c: 'e,
            {
                async move {
                    let (connection, state, limit) = self.ask()?;
                    let statement = within(limit, state, connection.prepare_with(sql, parameters)).await??;
                    state.is_asked = false;
                    Ok(statement)
                }
                .boxed()
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<$database>, sqlx::Error>>
            where
                'c: 'e,
            {
                async move {
                    let (connection, state, limit) = self.ask()?;
                    let described = within(limit, state, connection.describe(sql)).await??;
                    state.is_asked = false;
                    Ok(described)
                }
                .boxed()
            }
        }
    };
}

asked!(Sqlite);
asked!(Postgres);
