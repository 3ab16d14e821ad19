//! Floor 4: the face for machines.
//!
//! A request passes: the accept loop ([`server`]), the envelope (request id, trace line, headers, panics: [`envelope`]),
//! the table of [`routes`], the [`gate`] (who is asking, and may they), the extractors ([`extract`]), a handler of a
//! few lines, and leaves as a [`reply`] or a [`problem`].

pub mod app;
mod authzen;
mod checks;
mod datadiligence;
pub mod envelope;
pub mod etag;
mod explanations;
pub mod extract;
pub mod failure;
pub mod gate;
mod keys;
mod language;
mod models;
mod organizations;
pub mod page;
pub mod pages;
mod people;
mod powers;
pub mod problem;
mod proposals;
pub mod reply;
pub mod routes;
pub mod server;
pub mod status;
mod subject;
pub mod text;
pub mod wire;

pub use app::App;
pub use problem::{Code, Problem};
pub use reply::Reply;
