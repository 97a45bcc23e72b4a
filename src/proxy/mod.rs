//! The only modules that touch the sockets of clients and upstreams. Imports go down only: supervisor, listener,
//! connection, forward, state, socket. Beside them, admission limits the number of connections, the registry lists the
//! live ones, and shared is what the listeners of a run have in common.

mod admission;
mod connection;
mod forward;
mod listener;
mod registry;
mod shared;
mod socket;
mod state;
mod supervisor;

pub use supervisor::{ApplyError, Supervisor};
