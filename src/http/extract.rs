//! How a handler receives what was sent: every extractor answers a [`Problem`](super::problem::Problem) that names
//! all broken places. Handlers take no other extractor of bodies, queries or paths.

pub mod body;
mod faults;
pub mod form;
pub mod headers;
pub mod params;
pub mod peer;
pub mod strict;

pub use body::{Bare, BodyLimit, Ndjson, Submitted, ValidJson};
pub use form::{Form, Twice};
pub use headers::{AtLeast, IdempotencyKey, IfMatch};
pub use params::{ValidPath, ValidQuery};
pub use peer::{Peer, UserAgent};
