//! The face for machines: problems, the gate, the envelope, the accept loop.

pub(crate) mod double;
mod envelope;
mod extractors;
mod gate;
mod server;
