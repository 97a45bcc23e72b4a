//! What the listeners of a run share.

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_channel::Sender;

use crate::proxy::admission::ConnectionLimit;
use crate::proxy::registry::Registry;
use crate::stop::Stop;
use crate::threads::ThreadPool;

#[derive(Debug)]
pub struct Shared {
    pub registry: Arc<Registry>,
    /// For those who are accepted without a place, when the drain closes the ports.
    pub overflow: ConnectionLimit,
    pub pool: Arc<ThreadPool>,
    pub stop: Arc<Stop>,
    /// Cloned for each connection: the channel disconnects when the last of them and the last listener are gone.
    pub alive: Sender<Infallible>,
}
