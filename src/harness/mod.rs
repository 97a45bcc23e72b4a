//! What makes a run useful to tests.
//!
//! - `wrapped`: a run that lasts as long as a command. `argv` is that command, `environment` the variables that it gets.
//! - `command`: a process that is started, receives signals, and ends. `exec` is how it begins.
//! - `repeat`: runs one after another, each with its own seed.
//! - `scenario`: plays the changes over time.

pub mod argv;
pub mod command;
pub mod environment;
pub mod exec;
pub mod lifetime;
pub mod repeat;
pub mod scenario;
pub mod wrapped;
