//! Checks by API: every item answered once, in order, from one size, written down before it leaves.

mod authzen;
mod compare;
mod contractors;
mod datadiligence;
mod durable;
mod explain;
mod form;
mod lines;
pub(crate) mod scene;
mod whole;
