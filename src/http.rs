//! Floor 4: the face for machines.
//!
//! A request passes: the accept loop ([`server`]), the envelope (request id, trace line, headers, panics: [`envelope`]),
//! the table of [`routes`], the [`gate`] (who is asking, and may they), the extractors ([`extract`]), a handler of a
//! few lines, and leaves as a [`reply`] or a [`problem`].

mod acts;
pub mod app;
mod authzen;
mod batch;
mod bindings;
pub mod checks;
mod claims;
mod comparisons;
mod contractors;
mod control;
mod datadiligence;
mod denials;
mod desk;
pub mod envelope;
pub mod etag;
mod events;
mod explanations;
pub mod extract;
mod factors;
pub mod failure;
pub mod gate;
mod grants;
mod holdings;
mod inquiries;
mod keys;
mod language;
mod links;
mod logs;
pub mod metrics;
mod models;
mod oauth;
mod organizations;
pub mod page;
pub mod pages;
mod passwords;
mod people;
mod powers;
pub mod problem;
mod proposals;
mod rates;
mod receipts;
mod registrations;
pub mod reply;
mod room;
pub mod routes;
pub mod sandbox;
pub mod server;
mod sessions;
mod sign_ins;
pub mod status;
pub mod subject;
pub mod text;
pub mod traced;
pub mod wire;
pub mod witness;
mod works;

pub use app::App;
pub use problem::{Code, Problem};
pub use reply::Reply;
