//! The store, on both databases.

mod cancelled;
mod texts;

use crate::world::{World, both};

both!(tables_are_made_once_and_found_again, async |world: World| {
    let first = world.db().await;
    first.close().await;
    world.db().await;
});
