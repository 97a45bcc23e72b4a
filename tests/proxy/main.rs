//! Tests of the real binary over real sockets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, clippy::large_stack_arrays)]
#![allow(clippy::needless_pass_by_value, missing_docs)]

mod harness;

mod command_line;
mod control;
mod drain;
mod explain;
mod faults;
mod forwarding;
mod limits;
mod log;
mod scenario;
mod terminal;
mod toxics;
