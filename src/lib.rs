//! chaos-proxy: forwards TCP connections by the local port they arrive on, and injects the faults that were asked for.
#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod dice;
pub mod event;
pub mod limits;
pub mod logging;
pub mod plan;
pub mod proxy;
pub mod run;
pub mod signals;
pub mod stop;
pub mod test_server;
pub mod threads;
