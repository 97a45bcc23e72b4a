//! Events, and the one place that turns them into log lines. Other modules report an [`Event`]; its message, level and
//! fields are decided here. The format of a line is `logging`.

mod close_reason;
mod command;
mod outcome;
mod scenario;
mod toxic_sums;

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use log::{Level, error, info, log_enabled, warn};

pub use close_reason::CloseReason;
pub use command::{CommandEvent, Sender};
pub use outcome::{Outcome, RouteTotals};
pub use scenario::ScenarioEvent;

use self::toxic_sums::toxic_sums;
use crate::dice::Draw;
use crate::limits::Cap;
use crate::listen;
use crate::logging::FAULTS;
use crate::plan::{DropMode, KeyDifference, Plan, Route};
use crate::toxic::{Amount, NEVER, Recorded, Toxic, ToxicEvent, ToxicSummary};
use crate::value::{CloseMode, Direction, Millis, Probability, RouteName};

/// The connection that an event concerns.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The route that accepted it.
    pub route: Arc<Route>,
    /// Its number on that route: 1, 2, 3, …
    pub number: u64,
    /// The client's address, an IPv4 one as IPv4.
    pub client: SocketAddr,
}

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
    /// A connection was accepted.
    Opened(&'a Subject),
    /// The draw that decides whether a connection is dropped.
    DropDrawn(&'a Subject, Draw),
    /// The draw that decides whether a toxic acts on a connection that its selector takes.
    ToxicityDrawn(&'a Subject, &'a Toxic, Draw),
    /// A direction forwards on a path from now on.
    PathTaken(&'a Subject, Direction, Path),
    /// A configured fault acts on a connection.
    Injected(&'a Subject, Fault<'a>),
    /// The upstream is dialled, and has this long to accept.
    Dialling(&'a Subject, Duration),
    /// The upstream accepted, this long after the dial began.
    UpstreamConnected(&'a Subject, Duration),
    /// The upstream could not be reached.
    UpstreamFailed(&'a Subject, fmt::Arguments<'a>),
    /// The machine has no thread or descriptor for a connection.
    Starved(&'a Subject, &'a io::Error),
    /// A connection has closed.
    Closed(&'a Subject, &'a Report),
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
    /// The drain begins with this number of connections in flight.
    Draining(usize),
    /// The drain still waits for this number of connections.
    StillDraining(usize),
    /// This is one of them, and open for this long.
    StillOpen(&'a Subject, Duration),
    /// This number of them is not listed.
    MoreOpen(usize),
    /// The drain is over. This number of connections was cut.
    Drained(usize),
    /// A result of the run.
    Outcome(Outcome<'a>),
}

/// How bytes are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// No toxic acts.
    Plain,
    /// Bytes pass through toxics.
    Toxic,
}

impl Path {
    fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Toxic => "toxic",
        }
    }
}

/// A configured fault.
#[derive(Clone, Copy, Debug)]
pub enum Fault<'a> {
    /// The connection never reaches its upstream.
    Drop(DropMode),
    /// Forwarding begins this long after the accept.
    Latency(Millis),
    /// A toxic has acted.
    Toxic(&'a ToxicEvent),
}

/// The report on a closed connection.
#[derive(Clone, Debug)]
pub struct Report {
    /// The bytes sent to the upstream.
    pub bytes_up: u64,
    /// The bytes sent to the client.
    pub bytes_down: u64,
    /// The time from accept to close.
    pub duration: Duration,
    /// Why it closed.
    pub close_reason: CloseReason,
    /// The sums of each toxic that acted.
    pub toxics: Vec<ToxicSummary>,
}

/// Logs a line about one connection. All begin with the same three fields.
macro_rules! line {
    ($level:ident, $subject:expr, $message:literal $(, $key:ident $(: $how:tt)? = $value:expr)*) => {
        line!(@ module_path!(), Level::$level, $subject, $message $(, $key $(: $how)? = $value)*)
    };
    (@ $target:expr, $level:expr, $subject:expr, $message:literal $(, $key:ident $(: $how:tt)? = $value:expr)*) => {{
        let Subject { route, number, client } = $subject;
        log::log!(
            target: $target, $level,
            route = route.name.as_str(), conn = *number, client:% = client $(, $key $(: $how)? = $value)*; $message
        );
    }};
}

/// A line about an injected fault.
macro_rules! fault {
    ($level:expr, $subject:expr $(, $key:ident = $value:expr)*) => {
        line!(@ FAULTS, $level, $subject, "fault injected" $(, $key = $value)*)
    };
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
        Event::Scenario(event) => scenario::log(event),
        Event::ConnectionsEnded { origin, route, mode, number } => {
            let how = if mode == CloseMode::Reset { "reset" } else { "close" };
            info!(route = route.as_str(), how, by:% = origin, connections = number; "connections ended");
        }
        Event::Opened(subject) => line!(Info, subject, "connection opened"),
        // Without a rate there is nothing to decide.
        Event::DropDrawn(subject, Draw { value, share }) if share != Probability::NEVER => {
            line!(Debug, subject, "drop drawn", draw = value, drop_rate = share.get());
        }
        Event::DropDrawn(..) | Event::MoreOpen(0) => {}
        Event::ToxicityDrawn(subject, toxic, Draw { value, share }) => {
            line!(Debug, subject, "toxicity drawn", toxic = toxic.name.as_str(), draw = value, toxicity = share.get());
        }
        Event::PathTaken(subject, direction, path) => {
            line!(Debug, subject, "forwarding", stream = direction.as_str(), path = path.as_str());
        }
        Event::Injected(subject, Fault::Drop(mode)) => {
            fault!(Level::Info, subject, fault = "drop", mode = mode.as_str());
        }
        Event::Injected(subject, Fault::Latency(latency)) => {
            fault!(Level::Info, subject, fault = "latency", latency_us = micros(latency.duration()));
        }
        Event::Injected(subject, Fault::Toxic(act)) => log_toxic_event(subject, act),
        Event::Dialling(subject, timeout) => {
            line!(Debug, subject, "dialling", upstream:% = subject.route.upstream, timeout_us = micros(timeout));
        }
        Event::UpstreamConnected(subject, took) => {
            line!(Info, subject, "upstream connected", upstream:% = subject.route.upstream, connect_us = micros(took));
        }
        Event::UpstreamFailed(subject, error) => {
            line!(Warn, subject, "upstream unreachable", upstream:% = subject.route.upstream, error:% = error);
        }
        Event::Starved(subject, error) => line!(Error, subject, "no resources for the connection", error:% = error),
        Event::Closed(subject, report) => log_closed(subject, report),
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
        Event::Draining(0) => info!(left = 0; "draining, no new connections"),
        Event::Draining(left) => info!(left, hint = CUT_HINT; "draining, no new connections"),
        Event::StillDraining(left) => info!(left, hint = CUT_HINT; "still draining"),
        Event::StillOpen(subject, age) => line!(Info, subject, "still open", age_us = micros(age)),
        Event::MoreOpen(more) => info!(more; "still open"),
        Event::Drained(0) => info!("drained"),
        Event::Drained(cut) => warn!(cut; "drain cut short"),
        Event::Outcome(outcome) => outcome::log(outcome),
    }
}

/// What a drain does not wait for.
const CUT_HINT: &str = "a second Ctrl-C (SIGINT) or SIGTERM cuts them";

fn log_toxic_event(subject: &Subject, act: &ToxicEvent) {
    let ToxicEvent { toxic, direction, offset, amount, times, is_repeat } = act;
    let level = if *is_repeat { Level::Debug } else { Level::Info };
    let (fault, name, stream) = (toxic.effect.as_str(), toxic.name.as_str(), direction.as_str());
    macro_rules! injected {
        ($key:ident, $value:expr) => {
            fault!(
                level,
                subject,
                fault = fault,
                toxic = name,
                stream = stream,
                offset = *offset,
                $key = $value,
                times = *times
            )
        };
    }
    match *amount {
        Amount::Delay(NEVER) => injected!(held, "forever"),
        Amount::Delay(delay) => injected!(delay_us, micros(delay)),
        Amount::Bytes(bytes) => injected!(bytes, bytes),
    }
}

fn log_closed(subject: &Subject, report: &Report) {
    let Report { bytes_up, bytes_down, duration, close_reason, toxics } = report;
    macro_rules! closed {
        ($($key:ident = $value:expr)?) => {
            line!(
                Info, subject, "connection closed", bytes_up = *bytes_up, bytes_down = *bytes_down,
                duration_us = micros(*duration), why = close_reason.as_str() $(, $key = $value)?
            )
        };
    }
    if toxics.is_empty() { closed!() } else { closed!(toxics = toxic_sums(toxics).as_str()) }
}

/// Whole microseconds. Formatting a fraction takes 2 KiB of stack, which stays resident in the thread.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
