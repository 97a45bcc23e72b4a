//! The only modules that use the sockets of clients and upstreams. Imports go down only: supervisor, listener,
//! connection, forward, client, state, `live_route`, socket. Beside these layers, `admission` limits the number of
//! connections, `budget` limits the memory for held bytes, `registry` lists the live connections, `counters` has what
//! closed ones have done, `recording` has the messages of all of them, `own_sources` the addresses from which this process
//! connects, `status` is what can be seen of all this from outside, and `shared` holds what all listeners of a run share.

mod admission;
mod budget;
mod client;
mod connection;
mod counters;
mod forward;
mod histogram;
mod listener;
mod live_route;
mod own_sources;
mod recording;
mod registry;
mod shared;
mod socket;
mod state;
mod status;
mod supervisor;

pub use counters::{Activity, Bytes, Delays, Faults, Totals, ToxicKey};
pub use histogram::Histogram;
pub use recording::{RecordedConnection, Recording};
pub use state::Phase;
pub use status::{ConnectionStatus, Health, RouteStatus};
pub use supervisor::{AppliedChange, ApplyError, OldConnections, Supervisor};
