//! What nobody should send, sent to everything: the answer is a documented refusal, and nothing has changed.

mod bodies;
mod framing;
mod logs;
mod naughty;
mod parsers;
mod remote;
mod schemathesis;
mod walk;
