//! The only rooms that touch the sockets of clients and upstreams. Inside, too, imports go down only: supervisor, listener,
//! connection, pump, then relay and dial, then client, then wait, reset and presence. Beside them, places and roster know
//! who is connected.

mod client;
mod connection;
mod dial;
mod keepalive;
mod listener;
mod pipe;
mod places;
mod presence;
mod pump;
mod relay;
mod reset;
mod roster;
mod shared;
mod supervisor;
mod wait;

pub use supervisor::{ApplyError, Supervisor};
