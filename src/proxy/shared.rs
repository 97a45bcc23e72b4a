//! The state that all listeners of a run share.

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_channel::Sender;

use super::admission::ConnectionLimit;
use super::budget::Budget;
use super::own_sources::OwnSources;
use super::recording::Recording;
use super::registry::Registry;
use crate::stop::Stop;
use crate::threads::ThreadPool;

#[derive(Debug)]
pub struct Shared {
    pub registry: Arc<Registry>,
    /// Permits for connections that are accepted beyond the limit while a route closes its port.
    pub overflow: ConnectionLimit,
    pub pool: Arc<ThreadPool>,
    pub budget: Arc<Budget>,
    pub stop: Arc<Stop>,
    /// Which clients are this process.
    pub own_sources: Arc<OwnSources>,
    /// Where messages are recorded, if they are.
    pub recording: Option<Arc<Recording>>,
    /// Its channel disconnects when the last connection and the last listener have dropped `Shared`.
    pub _alive: Sender<Infallible>,
}
