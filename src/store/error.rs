//! One error type that says what happened to the database.

use sqlx::error::ErrorKind;

/// What a store function can fail with. Nothing of the caller's transaction is committed when one is returned,
/// except for [`StoreError::CommitUnknown`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is not one of a database that this program can use.
    #[error("`{url}` is not the address of a database: use `sqlite:PATH` or `postgres://USER@HOST/NAME`")]
    Address {
        /// The address as given, without its password.
        url: String,
    },
    /// Others hold what is needed, for longer than the time allowed. Trying again is right.
    #[error("the database is busy, try again: {0}")]
    Busy(String),
    /// The database cannot be reached, or is closing, or takes no writes. Trying again later is right.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The connection broke during the commit, so nobody knows whether it happened: read the head again.
    #[error("the database did not say whether the change was committed: {0}")]
    CommitUnknown(String),
    /// A row with this key exists already, or another rule of the tables refuses the row.
    #[error("the database has a conflicting row: {0}")]
    Conflict(String),
    /// Somebody tried to change or delete what is only ever added to.
    #[error("the database refuses to rewrite its history: {0}")]
    AppendOnly(String),
    /// The log moved on since its head was read.
    #[error("log `{log}` has moved on from size {expected}: read its head again")]
    HeadMoved {
        /// The log's name.
        log: String,
        /// The size that the caller built on.
        expected: u64,
    },
    /// No space is left, or a quota is used up. Nothing more is answered until there is some.
    #[error("the disk of the database is full: {0}")]
    DiskFull(String),
    /// What is stored contradicts itself: stop, and restore or inspect.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The database's history is not the one that this installation has published.
    #[error("{0}")]
    HighWater(String),
    /// A limit on rows was reached.
    #[error("{0}")]
    Limit(String),
    /// The tables cannot be brought to this program's version.
    #[error("the tables cannot be brought up to date: {0}")]
    Migration(String),
    /// A file beside the database cannot be read or written.
    #[error("cannot use file `{path}`: {error}")]
    File {
        /// Which file.
        path: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// A defect of this program: a statement or a value that the database does not understand.
    #[error("the database did not understand the program: {0}")]
    Program(String),
}

impl StoreError {
    /// Whether the same call may succeed if it is simply made again after a short wait.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_) | Self::HeadMoved { .. })
    }

    /// Whether a row with the same key exists, or another rule of the tables refused the row.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// The same for somebody else who waited for it: busy stays busy, damage stays damage, and everything else is that the
    /// database does not answer.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Busy(why) => Self::Busy(why.clone()),
            Self::Unavailable(why) => Self::Unavailable(why.clone()),
            Self::DiskFull(why) => Self::DiskFull(why.clone()),
            Self::Corrupt(why) => Self::Corrupt(why.clone()),
            Self::Program(why) => Self::Program(why.clone()),
            other => Self::Unavailable(other.to_string()),
        }
    }

    /// The error of what commits: where the connection broke, the outcome is not known.
    pub(super) fn at_commit(error: impl Into<Self>) -> Self {
        match error.into() {
            Self::Unavailable(why) => Self::CommitUnknown(why),
            other => other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                let what = database.message().to_owned();
                match database.kind() {
                    ErrorKind::UniqueViolation
                    | ErrorKind::ForeignKeyViolation
                    | ErrorKind::NotNullViolation
                    | ErrorKind::CheckViolation
                    | ErrorKind::ExclusionViolation => Self::Conflict(what),
                    // SQLite's codes are numbers; PostgreSQL's have five characters.
                    _ if code.len() == 5 => of_postgres(&code, what),
                    _ => of_sqlite(code.parse().unwrap_or(1), what),
                }
            }
            sqlx::Error::PoolTimedOut => Self::Busy("every connection is in use".to_owned()),
            // After a broken stream of messages the connection is useless; the database may be fine.
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed
            | sqlx::Error::Configuration(_) => Self::Unavailable(error.to_string()),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            _ => Self::Program(error.to_string()),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => Self::from(error),
            other => Self::Migration(other.to_string()),
        }
    }
}

/// SQLSTATE codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str, what: String) -> StoreError {
    match code {
        "KY001" => StoreError::AppendOnly(what),
        "53100" => StoreError::DiskFull(what),
        // Lock and statement timeouts, serialization failures, deadlocks, idle in transaction for too long.
        "55P03" | "57014" | "40001" | "40P01" | "25P03" => StoreError::Busy(what),
        // A standby, or a primary that was demoted.
        "25006" => StoreError::Unavailable(what),
        "XX001" | "XX002" => StoreError::Corrupt(what),
        _ if code.starts_with("53") => StoreError::Busy(what),
        _ if code.starts_with("08") || code.starts_with("57") || code.starts_with("58") => {
            StoreError::Unavailable(what)
        }
        // An unknown user or database.
        _ if code.starts_with("28") || code.starts_with("3D") => StoreError::Unavailable(what),
        _ => StoreError::Program(what),
    }
}

/// Extended result codes: <https://www.sqlite.org/rescode.html>.
fn of_sqlite(code: i32, what: String) -> StoreError {
    const CONSTRAINT_TRIGGER: i32 = 1811;
    match (code, code & 0xff) {
        (CONSTRAINT_TRIGGER, _) => StoreError::AppendOnly(what),
        (_, 5 | 6) => StoreError::Busy(what),
        (_, 8 | 10 | 14 | 15) => StoreError::Unavailable(what),
        (_, 11 | 26) => StoreError::Corrupt(what),
        (_, 13) => StoreError::DiskFull(what),
        (_, 19) => StoreError::Conflict(what),
        _ => StoreError::Program(what),
    }
}
