//! The only rooms that touch the sockets of clients and upstreams. Inside, too, imports go down only: supervisor, listener,
//! connection, pump, then relay, gate and dial, then pipe, delay and client, then wait, reset, presence and keepalive.
//! Beside them, places and roster know how many are connected and who, and shared is what the listeners of a run have in
//! common.

mod acknowledgement;
mod client;
mod connection;
mod delay;
mod dial;
mod discard;
mod gate;
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
mod side;
mod sock_diag;
mod supervisor;
mod vigil;
mod wait;

pub use supervisor::{ApplyError, Supervisor};
