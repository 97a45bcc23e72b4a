//! What can be seen of the live routes and connections from outside of `proxy`: plain values, taken at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::counters::{Delays, Totals};
use super::histogram::Histogram;
use super::state::Phase;
use crate::event::{CloseReason, Subject};
use crate::plan::Route;
use crate::value::ToxicName;

/// A live route.
#[derive(Clone, Debug)]
pub struct RouteStatus {
    /// The route as configured.
    pub route: Arc<Route>,
    /// The number of its configurations so far: 1, and one more with each change.
    pub generation: u64,
    /// The number of connections accepted so far.
    pub accepted: u64,
    /// The number of live connections.
    pub active: usize,
    /// The number of connections that the drop rate selected.
    pub dropped: u64,
    /// The number of connections that the latency of the route has delayed.
    pub delayed: u64,
    /// The number of dials that failed.
    pub failed_dials: u64,
    /// What all its connections have done, live and closed.
    pub totals: Totals,
    /// The number of closed connections by reason.
    pub closed: BTreeMap<CloseReason, u64>,
    /// How long the successful dials took.
    pub dials: Histogram,
    /// How long the closed connections lasted.
    pub durations: Histogram,
    /// How long the live connections have lasted so far.
    pub ages: Histogram,
    /// What toxics have added to delays.
    pub delays: Delays,
}

/// A live connection.
#[derive(Clone, Debug)]
pub struct ConnectionStatus {
    /// Unique in the run, from 1.
    pub id: u64,
    /// Its route, number and client.
    pub subject: Subject,
    /// What it does now.
    pub phase: Phase,
    /// The time since the accept.
    pub age: Duration,
    /// The number of bytes sent to the upstream.
    pub bytes_up: u64,
    /// The number of bytes sent to the client.
    pub bytes_down: u64,
    /// The toxics that act on it, in any direction.
    pub toxics: Vec<ToxicName>,
}

/// A connection that a drain waits for.
#[derive(Clone, Debug)]
pub struct OpenConnection {
    /// Its route, number and client.
    pub subject: Subject,
    /// The time since the accept.
    pub age: Duration,
}

/// Whether connections are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every enabled route accepts connections.
    Accepting,
    /// The run ends: no route accepts connections.
    Draining,
}
