//! Every SQL text of the program, in one list, so that a test can prepare each on both databases.
//!
//! A text is declared with `texts!` in the file that uses it, and so cannot be missing here unless its file is.
//! Where one text cannot serve both databases a named [`Pair`] stands side by side; a test counts them.

use super::db::Engine;
use super::error::StoreError;

/// Two texts for one purpose: what SQLite and PostgreSQL can only say differently.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

impl Pair {
    /// The text for `engine`.
    pub const fn of(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Sqlite => self.sqlite,
            Engine::Postgres => self.postgres,
        }
    }
}

/// One listed text.
#[derive(Clone, Copy, Debug)]
pub enum Text {
    /// One text that serves both databases.
    Both(&'static str),
    /// One text for each.
    Pair(Pair),
}

impl Text {
    /// The text for `engine`.
    pub const fn of(&self, engine: Engine) -> &'static str {
        match self {
            Self::Both(text) => text,
            Self::Pair(pair) => pair.of(engine),
        }
    }
}

/// The texts of one file: the name of the constant, and the text.
pub type Texts = &'static [(&'static str, Text)];

/// Declares a file's SQL texts as constants, and the list `TEXTS` of them:
/// `NAME = "…";` is a `&'static str` for both databases, `NAME = "for SQLite", "for PostgreSQL";` a [`Pair`].
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $text:expr $(, $postgres:expr)?;)*) => {
        $($crate::store::sql::text_const!($(#[$doc])* $name = $text $(, $postgres)?);)*

        pub(in crate::store) const TEXTS: $crate::store::sql::Texts =
            &[$((stringify!($name), $crate::store::sql::text_entry!($text $(, $postgres)?))),*];
    };
}

macro_rules! text_const {
    ($(#[$doc:meta])* $name:ident = $text:expr) => {
        $(#[$doc])*
        const $name: &str = $text;
    };
    ($(#[$doc:meta])* $name:ident = $sqlite:expr, $postgres:expr) => {
        $(#[$doc])*
        const $name: $crate::store::sql::Pair = $crate::store::sql::Pair { sqlite: $sqlite, postgres: $postgres };
    };
}

macro_rules! text_entry {
    ($text:expr) => {
        $crate::store::sql::Text::Both($text)
    };
    ($sqlite:expr, $postgres:expr) => {
        $crate::store::sql::Text::Pair($crate::store::sql::Pair { sqlite: $sqlite, postgres: $postgres })
    };
}

/// Rows as one parameter, which both databases take apart: a statement for each would cost more than what it does.
pub(in crate::store) fn json(rows: &(impl serde::Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::Program(error.to_string()))
}

pub(in crate::store) use {text_const, text_entry, texts};

/// Every text, by the file that declares it.
pub const ALL: &[(&str, Texts)] = &[
    ("accounts", super::accounts::TEXTS),
    ("append", super::append::TEXTS),
    ("archive", super::archive::TEXTS),
    ("catalogue", super::catalogue::TEXTS),
    ("catalogue/erase", super::catalogue::ERASE_TEXTS),
    ("catalogue/log", super::catalogue::log::TEXTS),
    ("catalogue/orgs", super::catalogue::ORG_TEXTS),
    ("catalogue/rebuild", super::catalogue::REBUILD_TEXTS),
    ("challenges", super::challenges::TEXTS),
    ("checks", super::checks::TEXTS),
    ("contractors", super::contractors::TEXTS),
    ("cosignatures", super::cosignatures::TEXTS),
    ("db", super::db::TEXTS),
    ("entries", super::entries::TEXTS),
    ("events", super::events::TEXTS),
    ("extent", super::extent::TEXTS),
    ("heads", super::heads::TEXTS),
    ("idempotency", super::idempotency::TEXTS),
    ("identities", super::identities::TEXTS),
    ("log_keys", super::log_keys::TEXTS),
    ("logins", super::logins::TEXTS),
    ("payloads", super::payloads::TEXTS),
    ("policies", super::policies::TEXTS),
    ("prepared_keys", super::prepared_keys::TEXTS),
    ("proposals", super::proposals::TEXTS),
    ("public_keys", super::public_keys::TEXTS),
    ("registrations", super::registrations::TEXTS),
    ("second_factors", super::second_factors::TEXTS),
    ("sessions", super::sessions::TEXTS),
    ("sign_ins", super::sign_ins::TEXTS),
    ("tiles", super::tiles::TEXTS),
    ("tokens", super::tokens::TEXTS),
    ("witnessed", super::witnessed::TEXTS),
];
