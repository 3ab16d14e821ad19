//! The world of the stories: a database of each kind, a folder that vanishes, a clock that the test moves.
//!
//! ```ignore
//! both!(a_work_is_remembered, async |world: World| {
//!     let db = world.db().await;
//!     …
//! });
//! ```
//!
//! makes two tests, `a_work_is_remembered::sqlite` and `a_work_is_remembered::postgres`, each on a database of its
//! own. PostgreSQL is one private cluster for the test process, started from the machine's binaries.

pub(crate) mod actors;
pub(crate) mod authority;
pub(crate) mod beside;
pub(crate) mod client;
pub(crate) mod contract;
pub(crate) mod lines;
pub(crate) mod people;
pub(crate) mod postgres;
pub(crate) mod python;
pub(crate) mod samples;
pub(crate) mod works;

use kyodaku::clock::Clock;
use kyodaku::store::{Db, Engine};

/// 27 October 2025, 09:00 in Tokyo, as milliseconds: the moment at which every story begins.
pub(crate) const START_MS: i64 = 1_761_523_200_000;

/// What one story runs on.
pub(crate) struct World {
    /// Which database.
    pub(crate) engine: Engine,
    /// Its address.
    pub(crate) url: String,
    /// A folder for files, deleted with the world.
    pub(crate) folder: tempfile::TempDir,
    /// Stands still at [`START_MS`] until the story moves it.
    pub(crate) clock: Clock,
}

impl World {
    /// A world with a fresh database without tables.
    pub(crate) async fn new(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = match engine {
            Engine::Sqlite => format!("sqlite:{}", folder.path().join("registry.db").display()),
            Engine::Postgres => postgres::fresh_database().await,
        };
        Self { engine, url, folder, clock: Clock::manual(START_MS) }
    }

    /// Opens the database; every call makes connections of its own, as another process would.
    pub(crate) async fn db(&self) -> Db {
        Db::connect_sized(&self.url, 4).await.expect("the database opens")
    }
}

/// Runs `story` to its end on a fresh database of `engine`.
pub(crate) fn run(engine: Engine, story: impl AsyncFnOnce(World)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let world = World::new(engine).await;
        let url = world.url.clone();
        story(world).await;
        if engine == Engine::Postgres {
            postgres::delete(&url).await;
        }
    });
}

/// Makes a test for each database out of one story.
macro_rules! both {
    ($(#[$meta:meta])* $name:ident, $story:expr) => {
        mod $name {
            use super::*;

            $(#[$meta])*
            #[test]
            fn sqlite() {
                $crate::world::run(kyodaku::store::Engine::Sqlite, $story);
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                $crate::world::run(kyodaku::store::Engine::Postgres, $story);
            }
        }
    };
}

pub(crate) use both;
