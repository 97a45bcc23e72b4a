//! Plans that change while connections live, through the library and over real sockets: what is left alone, what a
//! change reaches, and how soon. What a plan does from the start is tested in `proxy`.
#![allow(clippy::unwrap_used, clippy::panic)]

mod backlog;
mod closing_log;
mod control;
mod ending;
mod harness;
mod proxy;
mod routes;
mod stuck;
mod waits;
