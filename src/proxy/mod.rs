//! The only rooms that touch the sockets of clients and upstreams. Inside, too, imports go down only:
//! supervisor, listener, connection, pump, then dial and relay, then client, then wait, reset and presence; beside them
//! places and roster, which know who is connected.

mod client;
mod connection;
mod dial;
mod listener;
mod places;
mod presence;
mod pump;
mod relay;
mod reset;
mod roster;
mod supervisor;
mod wait;

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_channel::Sender;

pub use supervisor::{ApplyError, Supervisor};

use crate::stop::Stop;
use places::Places;
use roster::Roster;

/// What the listeners of a run share.
#[derive(Debug)]
struct Shared {
    roster: Arc<Roster>,
    places: Places,
    stop: Arc<Stop>,
    /// Cloned for each connection; the channel disconnects when the last of them and the last listener are gone.
    alive: Sender<Infallible>,
}
