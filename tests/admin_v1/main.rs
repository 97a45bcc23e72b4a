//! This program's own API and the metrics, asked over HTTP while connections live. What a change does to a connection
//! is tested in `live`, how the server deals with requests in `http`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "../live/harness.rs"]
mod harness;
#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "../http_client/mod.rs"]
mod http_client;
#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "../live/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "../live/stuck.rs"]
mod stuck;

mod answers;
mod config;
mod connections;
mod delays;
mod metrics;
mod reload;
mod server;
