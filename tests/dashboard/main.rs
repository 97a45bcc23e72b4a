//! The dashboard in a real browser: what it shows, what it changes, and who can use it.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../http_client/mod.rs"]
#[allow(dead_code)]
mod http_client;

mod access;
mod browser;
mod changes;
mod numbers;
mod run;
