//! The only modules that use the sockets of clients and upstreams. Imports go down only: supervisor, listener,
//! connection, forward, client, state, `live_route`, socket. Beside these layers, `admission` limits the number of
//! connections, `budget` limits the memory for held bytes, `registry` lists the live connections, and `shared` holds
//! what all listeners of a run share.

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
