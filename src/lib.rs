//! chaos-proxy forwards TCP connections by the local port they arrive on, and injects the faults that were asked for:
//! those, and no others.
//!
//! # How it is laid out
//!
//! ```text
//! words   ──cli──────┐
//!                    ├──► Plan ──► Supervisor::apply ──► Listener ──► Connection ──► two pumps
//! file    ──config───┘                    │                             │ Dice        │ relay
//!         (or every problem,              └── drain ◄── Stop ◄── signals              │
//!          with line and hint)                                                        │
//! log lines ◄── logging ◄── event ◄── what happened, as values ◄──────────────────────┘
//! ```
//!
//! Data flows one way. What was asked for is parsed once, into a [`plan::Plan`] that can't be wrong, and goes live by one
//! door, [`proxy::Supervisor::apply`]. What happened comes back as values and leaves by one door, [`event::emit`].
//!
//! | room | what lives there |
//! |---|---|
//! | [`run`] | one run from arguments to exit code: the order in which things are opened and closed |
//! | [`cli`] | the command line, as words and as options |
//! | [`config`] | a file's text to a plan, or every problem of it at once |
//! | [`test_server`] | the HTTP upstreams of `--test-server`, on [`http`] |
//! | [`http`] | a small HTTP/1.1 server with limits: connections, heads, bodies; a handler answers |
//! | [`proxy`] | the only rooms that touch the sockets of clients and upstreams |
//! | [`event`] | what happened, and how it is worded |
//! | [`plan`] | what was asked for, in values that can't be wrong |
//! | [`toxic`] | what each toxic is made of, and what it does to a stream, as arithmetic |
//! | [`dice`] | every random decision, from the seed and nothing else |
//! | [`value`] | numbers, names and words that were checked once |
//! | [`logging`] | how a log line looks, and how it gets out without making anyone wait |
//! | [`signals`], [`stop`] | what asks for the end, and what waits for it |
//! | [`limits`] | how many connections this machine can carry |
//! | [`memory`] | how many bytes toxics may hold |
//! | [`threads`] | the only place that builds a thread |
//!
//! Imports go down this table only; `tests/tidy.rs` holds them to it, floor by floor.
//!
//! # What is deliberately absent
//!
//! An async runtime: each direction of a connection is a blocking copy on a thread of its own, or, where a toxic acts on
//! it, a thread that waits in poll(2). Name lookups: a fault of
//! DNS must not pass for an injected one. Unsafe code. A generator of random numbers with a state that threads share: a
//! draw depends on what it is for, never on what was drawn before.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod dice;
pub mod event;
pub mod http;
pub mod limits;
pub mod logging;
pub mod memory;
pub mod plan;
pub mod proxy;
pub mod run;
pub mod scheduling;
pub mod signals;
pub mod stop;
pub mod test_server;
pub mod threads;
pub mod toxic;
pub mod value;
