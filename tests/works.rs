//! Works, who holds them, and what is permitted: through the face for machines.

mod batch;
mod consent;
mod contests;
mod control;
mod holding;
mod hostile;
mod linking;
mod position;
mod registering;
mod simulating;
