//! Commands wrapped by the real binary.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod auto_ports;
mod command;
mod log_file;
mod process;
mod repeat;
mod signals;
mod terminal;
