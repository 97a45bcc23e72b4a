//! The only modules that touch the sockets of clients and upstreams. Imports go down only: supervisor, listener,
//! connection, forward, client, state, `live_route`, socket. Beside them, admission limits the number of connections, budget the
//! memory that they hold, the registry lists the live ones, and shared is what the listeners of a run have in common.

mod admission;
mod budget;
mod client;
mod connection;
mod forward;
mod listener;
mod live_route;
mod registry;
mod shared;
mod socket;
mod state;
mod supervisor;

pub use supervisor::{ApplyError, Supervisor};
