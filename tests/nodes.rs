//! Several server processes on one PostgreSQL, and what goes wrong around them: nodes that die, a database that fails over,
//! networks that delay, refuse and swallow, clocks that are wrong, clients that are slow or go away.
//!
//! Everywhere: nothing that was acknowledged is lost, nothing is permitted without consent, no error is answered 2xx, and
//! the log verifies. Counts are small; `KYODAKU_FAULTS=full sh tests/run nodes` makes them full. `docs/nodes.md` tells what
//! was measured.

mod clients;
mod clock;
mod failover;
mod kill;
mod network;
mod proxy;
mod races;
mod rig;
mod scaling;

use kyodaku::store::Engine;

use crate::world::World;

/// How often something is tried: few times, or in full.
fn count(small: usize, full: usize) -> usize {
    match std::env::var("KYODAKU_FAULTS").as_deref() {
        Ok("full") => full,
        Ok(other) => panic!("KYODAKU_FAULTS is `{other}`: it is `full`, or not set"),
        Err(_) => small,
    }
}

/// Runs a story on PostgreSQL, where there can be several nodes, at the machine's own time.
fn on_postgres(story: impl AsyncFnOnce(World)) {
    crate::world::run(Engine::Postgres, async |mut world: World| {
        world.clock = kyodaku::clock::Clock::system();
        story(world).await;
    });
}
