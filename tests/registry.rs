//! A node: what it acknowledges is durable, seen by all, and recorded once.

mod scene;

mod backup;
mod bounds;
mod journal;
mod nodes;
mod once;
mod snapshot;
mod stopped;
