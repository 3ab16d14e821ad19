//! The two databases behind one type.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Pool, Postgres, Sqlite};

use super::error::StoreError;
use super::lender::{ACQUIRE_TIMEOUT, Keeping, Lender};
use super::lent::{ANSWER, Lent};
use super::private;
use super::sql::texts;
use crate::config::without_password;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How long to wait before a server that may be starting is tried again.
const RETRY: Duration = Duration::from_millis(100);

texts! {
    /// How SQLite and PostgreSQL open a transaction that sees one moment only and writes nothing.
    BEGIN_SNAPSHOT = "BEGIN DEFERRED", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    /// SQLite takes the writer's lock at once: a transaction that reads first and writes later would otherwise fail
    /// with `SQLITE_BUSY` as soon as another one wrote in between, and no timeout helps against that.
    BEGIN_WRITE = "BEGIN IMMEDIATE", "BEGIN";
    /// How large the database is.
    BYTES = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        "SELECT pg_database_size(current_database())";
    VERSION = "SELECT MAX(version) FROM _sqlx_migrations WHERE success";
    /// What acknowledged means rests on these settings.
    DURABILITY = "SELECT 'on', 'on', 'off'",
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'), \
         CASE WHEN pg_is_in_recovery() THEN 'on' ELSE 'off' END";
}

/// Copies the write-ahead log into the file, and cuts it off.
const EMPTY_WAL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
/// How long writers may have to wait for that.
const EMPTY_WAL_WAIT: Duration = Duration::from_millis(100);

/// Leaves any transaction behind, without a warning when there is none: `BEGIN` on its own opens one or, inside a
/// forgotten one, does nothing.
const LEAVE_TRANSACTION: &str = "BEGIN; ROLLBACK";
const ROLLBACK: &str = "ROLLBACK";
const COMMIT: &str = "COMMIT";

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded, one process.
    Sqlite,
    /// A server, several processes.
    Postgres,
}

/// A database. Cloning shares its connections.
#[derive(Clone, Debug)]
pub enum Db {
    /// SQLite: one connection that writes, several that read.
    Sqlite {
        /// The one connection that writes.
        writer: Lender<Sqlite>,
        /// Connections that only read.
        readers: Lender<Sqlite>,
    },
    /// PostgreSQL; always the primary.
    Postgres(Lender<Postgres>),
}

/// A transaction, or within [`Alone`] the connection for one. Dropping it undoes what is open.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Lent<Sqlite>),
    /// On PostgreSQL.
    Postgres(Lent<Postgres>),
}

/// The connection for one text that is a transaction by itself. On SQLite nobody else of this process writes while it is held.
#[derive(Debug)]
pub struct Alone(pub(super) Tx);

/// Compiles `$body` once per driver, with `$conn` a connection to read from.
macro_rules! on_db {
    ($db:expr, $conn:ident => $body:expr) => {
        match $db {
            $crate::store::db::Db::Sqlite { readers, .. } => on_db!(@ readers, $conn => $body),
            $crate::store::db::Db::Postgres(lender) => on_db!(@ lender, $conn => $body),
        }
    };
    (@ $lender:expr, $conn:ident => $body:expr) => {
        match $lender.lend().await {
            Ok(mut lent) => {
                let $conn = &mut lent;
                $body
            }
            Err(error) => Err(error),
        }
    };
}

/// Compiles `$body` once per driver, with `$conn` the transaction's connection (`&mut *$conn` to use it twice).
macro_rules! on_tx {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::store::db::Tx::Sqlite(tx) => {
                let $conn = &mut *tx;
                $body
            }
            $crate::store::db::Tx::Postgres(tx) => {
                let $conn = &mut *tx;
                $body
            }
        }
    };
}

pub(in crate::store) use {on_db, on_tx};

/// A connection in a transaction that is opened by this text.
macro_rules! begun {
    ($lender:expr, $text:expr) => {{
        let mut tx = $lender.lend().await?;
        tx.begin($text).await?;
        tx
    }};
}

impl Db {
    /// Opens the database at `url` (`sqlite:PATH`, whose folder must exist, or `postgres://…`) and brings its tables
    /// up to date. At most 16 connections on PostgreSQL.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_sized(url, 16).await
    }

    /// As [`Db::connect`], with at most `connections` connections (readers on SQLite).
    pub async fn connect_sized(url: &str, connections: u32) -> Result<Self, StoreError> {
        let db = match url.split_once(':') {
            Some(("sqlite", _)) => open_sqlite(url, connections).await?,
            Some(("postgres" | "postgresql", _)) => Self::Postgres(open_postgres(url, connections).await?),
            _ => return Err(StoreError::Address { url: shown(url) }),
        };
        if let Self::Sqlite { writer, .. } = &db {
            SQLITE_MIGRATIONS.run(writer.pool()).await?;
        }
        Ok(db)
    }

    /// Opens a database that is there and up to date, and changes nothing of it, not even its tables.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where there is none, or where its tables are those of another program.
    pub async fn connect_to_read(url: &str, connections: u32) -> Result<Self, StoreError> {
        let (db, due) = match url.split_once(':') {
            Some(("sqlite", _)) => {
                let options = sqlite_options(url)?.create_if_missing(false).pragma("query_only", "on");
                let readers = sqlite_pool().max_connections(connections.max(2)).connect_with(options).await?;
                let readers = lent_by_sqlite(readers);
                (Self::Sqlite { writer: readers.clone(), readers }, &SQLITE_MIGRATIONS)
            }
            Some(("postgres" | "postgresql", _)) => {
                let options = postgres_options(url)?;
                (Self::Postgres(postgres_pool(options, connections).await?), &POSTGRES_MIGRATIONS)
            }
            _ => return Err(StoreError::Address { url: shown(url) }),
        };
        let found: Result<Option<i64>, sqlx::Error> =
            on_db!(&db, pool => sqlx::query_scalar(VERSION).fetch_one(pool).await);
        let due = due.iter().map(|migration| migration.version).max();
        match found {
            Ok(found) if found == due => Ok(db),
            _ => Err(StoreError::Unavailable(
                "its tables are not those of this program: start the server once with this program"
                    .to_owned(),
            )),
        }
    }

    /// Makes an embedded database for what is thrown away afterwards: nothing of it outlives a crash.
    pub async fn scratch(path: &Path) -> Result<Self, StoreError> {
        private::begin(path);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .foreign_keys(true);
        let writer = sqlite_pool().max_connections(1).connect_with(options).await?;
        SQLITE_MIGRATIONS.run(&writer).await?;
        let writer = lent_by_sqlite(writer);
        Ok(Self::Sqlite { readers: writer.clone(), writer })
    }

    /// Which of the two databases this is.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Opens a transaction that may write. On SQLite there is one at a time, in this process and any other.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(begun!(writer, BEGIN_WRITE.sqlite)),
            Self::Postgres(lender) => Tx::Postgres(begun!(lender, BEGIN_WRITE.postgres)),
        })
    }

    /// A connection for one text that is a transaction by itself: on PostgreSQL every text is, on SQLite it opens one and
    /// ends it. What does not run to its end is undone.
    pub async fn alone(&self) -> Result<Alone, StoreError> {
        Ok(Alone(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.lend().await?),
            Self::Postgres(lender) => Tx::Postgres(lender.lend().await?),
        }))
    }

    /// Opens a transaction that only reads, and sees one moment however long it lasts.
    pub async fn snapshot(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Tx::Sqlite(begun!(readers, BEGIN_SNAPSHOT.sqlite)),
            Self::Postgres(lender) => Tx::Postgres(begun!(lender, BEGIN_SNAPSHOT.postgres)),
        })
    }

    /// Copies the write-ahead log of SQLite into the file and cuts it off, so that what was overwritten is in neither. False
    /// where somebody reads from it: try again. PostgreSQL does that in its own time.
    pub async fn empty_wal(&self) -> Result<bool, StoreError> {
        let Self::Sqlite { writer, .. } = self else { return Ok(true) };
        let options = (*writer.pool().connect_options()).clone();
        let options = options.create_if_missing(false).busy_timeout(EMPTY_WAL_WAIT);
        let mut connection = options.connect().await?;
        let (is_busy, _, _): (i64, i64, i64) = sqlx::query_as(EMPTY_WAL).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(is_busy == 0)
    }

    /// How many bytes the database takes, without a write-ahead log.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        let text = BYTES.of(self.engine());
        from_db(on_db!(self, pool => sqlx::query_scalar(text).fetch_one(pool).await)?)
    }

    /// Waits for the connections in use, then closes all. On SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(lender) => lender.close().await,
        }
    }
}

impl Tx {
    /// Which of the two databases this is on.
    pub fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Makes the changes durable and visible to all.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(mut tx) => tx.end(COMMIT).await,
            Self::Postgres(mut tx) => tx.end(COMMIT).await,
        }
        .map_err(StoreError::at_commit)
    }

    /// Lets its statements take as long as a whole table takes.
    pub(super) fn take_time(&mut self) {
        if let Self::Postgres(tx) = self {
            tx.take_time();
        }
    }

    /// Undoes the changes now; dropping the transaction does so too, a little later.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(mut tx) => tx.end(ROLLBACK).await,
            Self::Postgres(mut tx) => tx.end(ROLLBACK).await,
        }
        .map_err(StoreError::from)
    }
}

/// A server that acknowledges before it has written, or that only copies another one, cannot keep this registry's promises:
/// why, of what [`DURABILITY`] gives.
fn unsafe_settings((commit, fsync, standby): (String, String, String)) -> Option<String> {
    if standby == "on" {
        return Some("this server is a standby: give the primary's address".to_owned());
    }
    (matches!(commit.as_str(), "off" | "local") || fsync == "off").then(|| {
        format!(
            "the server may lose what it acknowledged (synchronous_commit `{commit}`, fsync `{fsync}`): switch both on"
        )
    })
}

fn sqlite_options(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| StoreError::Address { url: shown(url) })?
        .foreign_keys(true)
        // What is erased is overwritten in the file, and not only forgotten.
        .pragma("secure_delete", "on")
        .busy_timeout(ACQUIRE_TIMEOUT);
    if options.get_filename().as_os_str().is_empty()
        || url.contains(":memory:")
        || url.contains("mode=memory")
    {
        // Every connection would have a database of its own.
        return Err(StoreError::Address { url: url.to_owned() });
    }
    Ok(options)
}

fn sqlite_pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // After an I/O error, or where no space is left, SQLite undoes a transaction by itself: that there is none is no error.
        .after_release(|connection, _| {
            Box::pin(async move {
                drop(sqlx::raw_sql(ROLLBACK).execute(&mut *connection).await);
                // Within a transaction none can begin.
                sqlx::raw_sql(LEAVE_TRANSACTION).execute(&mut *connection).await?;
                Ok(true)
            })
        })
}

/// Nobody but this process is at the other end of a file.
const KEEPING_SQLITE: Keeping = Keeping { idle: Duration::MAX, all: Duration::MAX, answer: None };
/// Whoever used it a moment ago would have noticed that the server is gone.
const KEEPING_POSTGRES: Keeping =
    Keeping { idle: Duration::from_secs(1), all: Duration::from_mins(1), answer: Some(ANSWER) };

fn lent_by_sqlite(pool: Pool<Sqlite>) -> Lender<Sqlite> {
    Lender::new(pool, KEEPING_SQLITE)
}

async fn open_sqlite(url: &str, connections: u32) -> Result<Db, StoreError> {
    let options = sqlite_options(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL loses the last commits at a power cut.
        .synchronous(SqliteSynchronous::Full);
    // The files beside it get its mode.
    private::begin(options.get_filename());
    let writer = sqlite_pool().max_connections(1).connect_with(options.clone()).await?;
    let reading = options.pragma("query_only", "on");
    let readers = sqlite_pool().max_connections(connections.max(1)).connect_lazy_with(reading);
    Ok(Db::Sqlite { writer: lent_by_sqlite(writer), readers: lent_by_sqlite(readers) })
}

fn postgres_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StoreError::Address { url: shown(url) })?;
    Ok(options.application_name("kyodaku"))
}

async fn open_postgres(url: &str, connections: u32) -> Result<Lender<Postgres>, StoreError> {
    let options = postgres_options(url)?;
    bring_up_to_date(&options).await?;
    Ok(postgres_pool(options, connections).await?)
}

async fn postgres_pool(options: PgConnectOptions, connections: u32) -> Result<Lender<Postgres>, sqlx::Error> {
    let options = options.options([
        ("statement_timeout", "20s"),
        ("lock_timeout", "10s"),
        // Nobody else writes while a node that is gone holds the head.
        ("idle_in_transaction_session_timeout", "15s"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(connections.max(2))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // After a failover the address may be a standby's for a while: what it says is old, and it takes no writes.
        .after_connect(|connection, _| {
            Box::pin(async move {
                let settings = sqlx::query_as(DURABILITY.postgres).fetch_one(connection).await?;
                unsafe_settings(settings).map_or(Ok(()), |why| Err(sqlx::Error::Protocol(why)))
            })
        })
        // A future dropped while it waits for `BEGIN` gives its connection back inside an open transaction; the
        // next user's autocommitted writes would vanish with it.
        .after_release(|connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(LEAVE_TRANSACTION).execute(&mut *connection).await?;
                Ok(true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(Lender::new(pool, KEEPING_POSTGRES))
}

/// Looks at the server, and brings its tables up to date: on a connection of its own, because that takes as long as it takes.
async fn bring_up_to_date(options: &PgConnectOptions) -> Result<(), StoreError> {
    let connecting = async {
        loop {
            match options.connect().await {
                // It may be starting.
                Err(sqlx::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    tokio::time::sleep(RETRY).await;
                }
                other => break other,
            }
        }
    };
    let connected = tokio::time::timeout(ACQUIRE_TIMEOUT, connecting).await;
    let mut connection =
        connected.map_err(|_| StoreError::Unavailable("it refuses connections".to_owned()))??;
    let settings = sqlx::query_as(DURABILITY.postgres).fetch_one(&mut connection).await?;
    if let Some(why) = unsafe_settings(settings) {
        return Err(StoreError::Unavailable(why));
    }
    POSTGRES_MIGRATIONS.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The file of an embedded database; none for other addresses.
pub fn embedded_file(url: &str) -> Option<PathBuf> {
    if !url.starts_with("sqlite:") {
        return None;
    }
    Some(SqliteConnectOptions::from_str(url).ok()?.get_filename().to_owned())
}

/// The address as messages say it.
fn shown(url: &str) -> String {
    if url.starts_with("sqlite:") { url.to_owned() } else { without_password(url) }
}

/// A count or an index as the databases store it.
///
/// # Errors
/// [`StoreError::Program`] above 2^63.
pub(super) fn to_db(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Program(format!("the number {value} is too large to store")))
}

/// A count or an index as stored.
///
/// # Errors
/// [`StoreError::Corrupt`] below zero.
pub(super) fn from_db(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt(format!("a count or an index is {value}")))
}
