//! Toxiproxy's API over HTTP: a table of requests and exact answers, and what they do to connections over real sockets.
//! What toxics do to a stream is tested in `proxy`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod bodies;
mod churn;
mod clients;
mod connections;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../http_client/mod.rs"]
mod http_client;
mod lists;
mod live_toxics;
mod ports;
mod server;
mod toxic_answers;
