//! A node for tests of the face alone, on SQLite, with a few keys.

use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use kyodaku::http::app::App;
use kyodaku::http::routes::{self, Route};
use kyodaku::registry::Registry;
use kyodaku::store::Engine;

use crate::world::World;
use crate::world::actors::{Actor, Stage};

/// A node, and the world that it lives in.
pub(crate) struct Node {
    pub(crate) registry: Registry,
    world: Arc<World>,
}

impl Node {
    /// A node without organizations.
    pub(crate) async fn new() -> Self {
        let world = World::new(Engine::Sqlite).await;
        let registry = Registry::open(world.settings("a"), world.clock.clone()).await.expect("a node");
        Self { registry, world: Arc::new(world) }
    }

    /// A router of this table, which keeps the world.
    pub(crate) fn router(&self, table: Vec<Route>) -> Router {
        let app = App::new(self.registry.clone()).waiting(Duration::from_millis(1));
        routes::router(&app, table).layer(Extension(Arc::clone(&self.world)))
    }

    /// A node whose database does not answer any more.
    pub(crate) async fn lose_database(&self) {
        self.registry.db().close().await;
    }
}

/// A node with a developer and a holder, and the holder's key that can only read.
pub(crate) struct Peopled {
    pub(crate) node: Node,
    pub(crate) developer: Actor,
    pub(crate) holder: Actor,
    pub(crate) reader: Actor,
}

impl Peopled {
    pub(crate) async fn new() -> Self {
        let node = Node::new().await;
        let stage = Stage::of(node.registry.clone()).await;
        let (developer, holder) =
            (stage.developer("Kasane Labs").await, stage.holder("Hoshikuzu Press").await);
        let reader = holder.with_scopes(&["read"]).await;
        Self { node, developer, holder, reader }
    }
}
