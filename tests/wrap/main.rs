//! Commands wrapped by the real binary.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod auto_ports;
mod command;
mod log_file;
mod process;
mod repeat;
mod signals;
mod terminal;
