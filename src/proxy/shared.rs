//! What the listeners of a run share.

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::admission::ConnectionLimit;
use super::budget::Budget;
use super::registry::Registry;
use crate::stop::Stop;
use crate::threads::ThreadPool;

#[derive(Debug)]
pub struct Shared {
    pub registry: Arc<Registry>,
    /// For connections that are accepted without a permit, when the drain closes the ports.
    pub overflow: ConnectionLimit,
    pub pool: Arc<ThreadPool>,
    pub budget: Budget,
    pub stop: Arc<Stop>,
    /// Disconnects when the last connection and the last listener are gone, which hold this.
    pub _alive: Sender<Infallible>,
}
