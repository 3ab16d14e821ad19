//! Works, who holds them, and what is permitted: through the face for machines.

mod batch;
mod confirming;
mod consent;
mod contests;
mod control;
mod holding;
mod linking;
mod mistakes;
mod opting_out;
mod position;
mod registering;
mod searching;
mod simulating;
mod transferring;
