//! The face for machines: problems, the gate, the envelope, the accept loop.

mod envelope;
mod extractors;
mod gate;
pub(crate) mod node;
mod rates;
mod ready;
mod server;
mod tls;
