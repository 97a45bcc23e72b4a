//! Events, and the one place that turns them into log lines. Other modules report an [`Event`]; its message, level and
//! fields are decided here. The format of a line is `logging`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use log::{error, info, warn};

use crate::limits::Cap;
use crate::plan::{DropMode, Plan, Route};
use crate::toxic::{Amount, NEVER, ToxicEvent, ToxicSummary};
use crate::value::Millis;

/// The connection that an event concerns.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The route that accepted it.
    pub route: Arc<Route>,
    /// Its number on that route: 1, 2, 3, …
    pub number: u64,
    /// The client's address.
    pub client: SocketAddr,
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
    /// A connection was accepted.
    Opened(&'a Subject),
    /// A configured fault acts on a connection.
    Injected(&'a Subject, Fault<'a>),
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
    /// The drain begins with this number of connections in flight.
    Draining(usize),
    /// The drain still waits for this number of connections.
    StillDraining(usize),
    /// The drain is over. This number of connections was cut.
    Drained(usize),
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

/// Why a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Both sides closed cleanly, the client first.
    ClientClosed,
    /// Both sides closed cleanly, the upstream first.
    UpstreamClosed,
    /// The client reset the connection.
    ClientReset,
    /// The upstream reset the connection.
    UpstreamReset,
    /// The client left before any bytes were forwarded, or while bytes were held for it.
    ClientLeft,
    /// The upstream could not be reached.
    Unreachable,
    /// The route's drop rate selected it.
    Dropped,
    /// The machine had no thread or descriptor for it.
    Starved,
    /// The drain's deadline passed, or a second signal arrived.
    Cut,
    /// A toxic closed it.
    ToxicClosed,
    /// A toxic reset it.
    ToxicReset,
}

impl CloseReason {
    fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client closed",
            Self::UpstreamClosed => "upstream closed",
            Self::ClientReset => "client reset",
            Self::UpstreamReset => "upstream reset",
            Self::ClientLeft => "client left",
            Self::Unreachable => "upstream unreachable",
            Self::Dropped => "dropped",
            Self::Starved => "out of resources",
            Self::Cut => "cut",
            Self::ToxicClosed => "closed by a toxic",
            Self::ToxicReset => "reset by a toxic",
        }
    }
}

/// Logs a line about one connection. All begin with the same three fields.
macro_rules! line {
    ($level:ident, $subject:expr, $message:literal $(, $key:ident $(: $how:tt)? = $value:expr)*) => {{
        let Subject { route, number, client } = $subject;
        $level!(route = route.name.as_str(), conn = *number, client:% = client $(, $key $(: $how)? = $value)*; $message);
    }};
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
            drop_rate = route.drop_rate.get(), drop_mode = route.drop_mode.as_str(), latency_ms = route.latency.get(),
            toxics = route.toxics.len();
            "listening"
        ),
        Event::BindFailed(route, error) => error!(
            route = route.name.as_str(), port = route.port.get(), addr:% = route.listen(), error:%,
            hint = bind_hint(error); "can't listen"
        ),
        Event::Opened(subject) => line!(info, subject, "connection opened"),
        Event::Injected(subject, Fault::Drop(mode)) => {
            line!(info, subject, "fault injected", fault = "drop", mode = mode.as_str());
        }
        Event::Injected(subject, Fault::Latency(latency)) => {
            line!(info, subject, "fault injected", fault = "latency", latency_ms = latency.get());
        }
        Event::Injected(subject, Fault::Toxic(act)) => log_toxic_event(subject, act),
        Event::UpstreamConnected(subject, took) => {
            line!(info, subject, "upstream connected", upstream:% = subject.route.upstream, connect_us = micros(took));
        }
        Event::UpstreamFailed(subject, error) => {
            line!(warn, subject, "upstream unreachable", upstream:% = subject.route.upstream, error:% = error);
        }
        Event::Starved(subject, error) => line!(error, subject, "no resources for the connection", error:% = error),
        Event::Closed(subject, report) => log_closed(subject, report),
        Event::AcceptPaused(route, error) => error!(
            route = route.name.as_str(), error:%; "accepting is paused, new connections wait in the backlog"
        ),
        Event::AcceptResumed(route, after) => info!(
            route = route.name.as_str(), paused_ms = after.as_millis(); "accepting again"
        ),
        Event::Full(route, capacity) => warn!(
            route = route.name.as_str(), max_connections = capacity;
            "connection limit reached, further connections wait in the backlog"
        ),
        Event::BuffersFull(limit) => {
            warn!(max_buffered = limit; "buffer limit reached, senders wait");
        }
        Event::Draining(left) => info!(left; "draining, no new connections"),
        Event::StillDraining(left) => info!(left; "still draining"),
        Event::Drained(0) => info!("drained"),
        Event::Drained(cut) => warn!(cut; "drain cut short"),
    }
}

fn log_toxic_event(subject: &Subject, act: &ToxicEvent) {
    let ToxicEvent { toxic, direction, offset, amount, times } = act;
    let (fault, name, stream) = (toxic.effect.as_str(), toxic.name.as_str(), direction.as_str());
    macro_rules! injected {
        ($key:ident, $value:expr) => {
            line!(
                info,
                subject,
                "fault injected",
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
                info, subject, "connection closed", bytes_up = *bytes_up, bytes_down = *bytes_down,
                duration_us = micros(*duration), why = close_reason.as_str() $(, $key = $value)?
            )
        };
    }
    if toxics.is_empty() { closed!() } else { closed!(toxics = toxic_sums(toxics).as_str()) }
}

/// `corrupt_downstream=3,3B latency_both=12,200000us`: the number of acts of each toxic, and their total extent. Both
/// directions of a toxic are added up.
fn toxic_sums(summaries: &[ToxicSummary]) -> String {
    let mut sums: BTreeMap<&str, (u64, Amount)> = BTreeMap::new();
    for ToxicSummary { toxic, times, amount } in summaries {
        let sum = |(count, total): &mut (u64, Amount)| (*count, *total) = (*count + times, total.and(*amount));
        sums.entry(toxic.name.as_str()).and_modify(sum).or_insert((*times, *amount));
    }
    let text = |(name, (times, amount)): (&&str, &(u64, Amount))| match *amount {
        Amount::Delay(NEVER) => format!("{name}={times},forever"),
        Amount::Delay(delay) => format!("{name}={times},{}us", micros(delay)),
        Amount::Bytes(bytes) => format!("{name}={times},{bytes}B"),
    };
    sums.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn bind_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it (`ss -ltnp` names it) or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address: bind to 127.0.0.1 or 0.0.0.0",
        io::ErrorKind::PermissionDenied => "ports below 1024 need root or CAP_NET_BIND_SERVICE: choose one above",
        _ => "see `chaos-proxy --help`",
    }
}

/// Whole microseconds. Formatting a fraction takes 2 KiB of stack, which stays resident in the thread.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
