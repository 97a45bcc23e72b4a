//! Events, and the one place that turns them into log lines. Other modules report an [`Event`]; its message, level and
//! fields are decided here. The format of a line is `logging`.

mod close_reason;
mod command;
mod connection;
mod drain;
mod outcome;
mod scenario;
mod toxic_sums;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use log::{Level, error, info, log_enabled, warn};

pub use close_reason::CloseReason;
pub use command::{CommandEvent, Sender};
pub use connection::{ConnectionEvent, Fault, NotRedirected, Path, Report, Subject};
pub use drain::DrainEvent;
pub use outcome::{Outcome, RouteTotals};
pub use scenario::ScenarioEvent;

use crate::limits::Cap;
use crate::listen;
use crate::logging::FAULTS;
use crate::plan::{KeyDifference, Plan, Route};
use crate::toxic::Recorded;
use crate::value::{CloseMode, RouteName};

/// The source of a change of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The start of the run.
    Start,
    /// A reload of the config file after SIGHUP.
    SigHup,
    /// A reload of the watched config file after a change.
    Watch,
    /// A request to the admin API from this address.
    Api(SocketAddr),
    /// A step of the scenario.
    Scenario,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::SigHup => f.write_str("sighup"),
            Self::Watch => f.write_str("watch"),
            Self::Api(client) => client.fmt(f),
            Self::Scenario => f.write_str("scenario"),
        }
    }
}

/// An event that is logged.
#[derive(Debug)]
pub enum Event<'a> {
    /// The configuration is valid and the limits are known.
    Starting(&'a Plan, u64, &'a Cap),
    /// The run can't start.
    StartFailed(&'a dyn Error),
    /// A route's port is bound.
    Listening(&'a Route),
    /// A route's port can't be bound.
    BindFailed(&'a Route, &'a io::Error),
    /// A live route has changed.
    RouteChanged {
        /// What has changed it.
        origin: Origin,
        /// Its name.
        route: &'a RouteName,
        /// What has changed.
        change: &'a str,
        /// The number of live connections that the change has reached.
        connections: usize,
    },
    /// The admin server answers at this address.
    AdminListening(SocketAddr),
    /// A host name has this address from now on.
    HostResolved(&'a str, IpAddr),
    /// The config file has a problem.
    ConfigProblem {
        /// `file:line:column`, or the file alone.
        at: &'a str,
        /// What is wrong.
        problem: &'a str,
        /// How to fix it.
        hint: &'a str,
    },
    /// A key of the config file has changed that only a new start makes live.
    NeedsRestart(&'a KeyDifference),
    /// The config file was loaded again. This number of routes has changed.
    Reloaded(Origin, usize),
    /// The config file was not made live, for this reason.
    ReloadFailed(Origin, &'a dyn Error),
    /// Something happens in the scenario.
    Scenario(ScenarioEvent<'a>),
    /// Connections of a route were ended by a request.
    ConnectionsEnded {
        /// The source of the request.
        origin: Origin,
        /// Their route.
        route: &'a RouteName,
        /// How they end.
        mode: CloseMode,
        /// Their number.
        number: usize,
    },
    /// Something happens to a connection.
    Connection(&'a Subject, ConnectionEvent<'a>),
    /// Accepting fails for lack of resources.
    AcceptPaused(&'a Route, &'a io::Error),
    /// Accepting works again, this long after it first failed.
    AcceptResumed(&'a Route, Duration),
    /// The connection limit is reached. Further connections wait in the backlog.
    Full(&'a Route, usize),
    /// The budget for held bytes is used up. Senders have to wait.
    BuffersFull(usize),
    /// The wrapped command has begun, ended, or received a signal.
    Command(CommandEvent<'a>),
    /// The drain begins, goes on or ends.
    Drain(DrainEvent),
    /// A result of the run.
    Outcome(Outcome<'a>),
}

/// Whether lines of level info are logged, such as the summary of a run.
#[must_use]
pub fn logs_info() -> bool {
    log_enabled!(Level::Info)
}

/// Whether debug lines are logged. Some events cost too much to make if they are not.
#[must_use]
pub fn logs_debug() -> bool {
    log_enabled!(Level::Debug)
}

/// Which acts of toxics are logged.
#[must_use]
pub fn logged_acts() -> Recorded {
    if log_enabled!(target: FAULTS, Level::Debug) { Recorded::Every } else { Recorded::First }
}

/// Logs `event`.
pub fn emit(event: &Event<'_>) {
    match *event {
        Event::Starting(plan, seed, cap) => info!(
            version = env!("CARGO_PKG_VERSION"), seed, routes = plan.routes().len(),
            max_connections = cap.connections.get(), limited_by:% = cap.limited_by; "starting"
        ),
        Event::StartFailed(error) => error!(error:%; "can't start"),
        Event::Listening(route) => info!(
            route = route.name.as_str(), addr:% = route.listen(), upstream:% = route.upstream,
            drop_rate = route.drop_rate.get(), drop_mode = route.drop_mode.as_str(),
            latency_us = micros(route.latency.duration()), toxics = route.toxics.len();
            "listening"
        ),
        Event::BindFailed(route, error) => error!(
            route = route.name.as_str(), port = route.port.get(), addr:% = route.listen(), error:%,
            hint = listen::hint(error); "can't listen"
        ),
        Event::RouteChanged { origin, route, change, connections } => log::log!(
            // A ramp makes up to ten changes a second. The step itself is logged.
            if origin == Origin::Scenario { Level::Debug } else { Level::Info },
            route = route.as_str(), change, by:% = origin, connections; "route changed"
        ),
        Event::AdminListening(addr) => info!(addr:%; "admin server listening"),
        Event::HostResolved(host, ip) => info!(host, ip:%; "host name resolved"),
        Event::ConfigProblem { at, problem, hint } => error!(at, problem, hint; "config problem"),
        Event::NeedsRestart(change) => warn!(change:%; "no effect until the next start"),
        Event::Reloaded(origin, changes) => info!(by:% = origin, changes; "config reloaded"),
        Event::ReloadFailed(origin, error) => error!(by:% = origin, error:%; "config not reloaded"),
        Event::Scenario(event) => event.log(),
        Event::ConnectionsEnded { origin, route, mode, number } => {
            let how = if mode == CloseMode::Reset { "reset" } else { "close" };
            info!(route = route.as_str(), how, by:% = origin, connections = number; "connections ended");
        }
        Event::Connection(subject, event) => event.log(subject),
        Event::AcceptPaused(route, error) => error!(
            route = route.name.as_str(), error:%; "accepting is paused, new connections wait in the backlog"
        ),
        Event::AcceptResumed(route, after) => info!(
            route = route.name.as_str(), paused_us = micros(after); "accepting again"
        ),
        Event::Full(route, capacity) => warn!(
            route = route.name.as_str(), max_connections = capacity;
            "connection limit reached, further connections wait in the backlog"
        ),
        Event::BuffersFull(limit) => {
            warn!(max_buffered = limit; "buffer limit reached, senders wait");
        }
        Event::Command(event) => event.log(),
        Event::Drain(event) => event.log(),
        Event::Outcome(outcome) => outcome.log(),
    }
}

/// Whole microseconds. Formatting a fraction takes 2 KiB of stack, which stays resident in the thread.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
