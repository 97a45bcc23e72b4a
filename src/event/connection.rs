//! Events of one connection, and their log lines.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use log::Level;

use super::toxic_sums::toxic_sums;
use super::{CloseReason, micros};
use crate::dice::Draw;
use crate::logging::FAULTS;
use crate::plan::{DropMode, Route};
use crate::toxic::{Amount, NEVER, Toxic, ToxicEvent, ToxicSummary};
use crate::value::{Direction, Millis, Probability};

/// The connection that an event concerns.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The route that accepted it.
    pub route: Arc<Route>,
    /// Its number on that route: 1, 2, 3, …
    pub number: u64,
    /// The client's address, an IPv4 one as IPv4.
    pub client: SocketAddr,
    /// Where it goes.
    pub destination: Result<SocketAddr, NotRedirected>,
}

/// Why a connection goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRedirected {
    /// The client has connected to the port of the proxy.
    Direct,
    /// The proxy has opened it itself.
    Loop,
}

impl NotRedirected {
    /// The reason, and what to do.
    fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "the client has connected to this port itself, see --print-redirect",
            Self::Loop => {
                "the proxy has opened this connection itself: run it as a user whose connections are not redirected, see \
                 --print-redirect"
            }
        }
    }
}

impl Subject {
    /// Where it goes, or was to go.
    #[must_use]
    pub fn upstream(&self) -> String {
        self.destination.map_or_else(|_| self.route.upstream.to_string(), |addr| addr.to_string())
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug)]
pub enum ConnectionEvent<'a> {
    /// It was accepted.
    Opened,
    /// It goes nowhere.
    NotRedirected(NotRedirected),
    /// The draw that decides whether it is dropped.
    DropDrawn(Draw),
    /// The draw that decides whether a toxic that selects it acts on it.
    ToxicityDrawn(&'a Toxic, Draw),
    /// A direction forwards on a path from now on.
    PathTaken(Direction, Path),
    /// A configured fault acts on it.
    Injected(Fault<'a>),
    /// The upstream is dialled, and has this long to accept.
    Dialling(Duration),
    /// The upstream accepted, this long after the dial began.
    UpstreamConnected(Duration),
    /// The upstream could not be reached.
    UpstreamFailed(fmt::Arguments<'a>),
    /// The machine has no thread or descriptor for it.
    Starved(&'a io::Error),
    /// It has closed.
    Closed(&'a Report),
    /// A drain waits for it. It has been open for this long.
    StillOpen(Duration),
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
        let Subject { route, number, client, .. } = $subject;
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

impl ConnectionEvent<'_> {
    pub(super) fn log(self, subject: &Subject) {
        match self {
            Self::Opened => line!(Info, subject, "connection opened"),
            Self::NotRedirected(why) => line!(Warn, subject, "connection refused", error = why.as_str()),
            // Without a rate there is nothing to decide.
            Self::DropDrawn(Draw { value, share }) if share != Probability::NEVER => {
                line!(Debug, subject, "drop drawn", draw = value, drop_rate = share.get());
            }
            Self::DropDrawn(_) => {}
            Self::ToxicityDrawn(toxic, Draw { value, share }) => {
                line!(
                    Debug,
                    subject,
                    "toxicity drawn",
                    toxic = toxic.name.as_str(),
                    draw = value,
                    toxicity = share.get()
                );
            }
            Self::PathTaken(direction, path) => {
                line!(Debug, subject, "forwarding", stream = direction.as_str(), path = path.as_str());
            }
            Self::Injected(Fault::Drop(mode)) => {
                fault!(Level::Info, subject, fault = "drop", mode = mode.as_str());
            }
            Self::Injected(Fault::Latency(latency)) => {
                fault!(Level::Info, subject, fault = "latency", latency_us = micros(latency.duration()));
            }
            Self::Injected(Fault::Toxic(act)) => log_toxic_event(subject, act),
            Self::Dialling(timeout) => {
                line!(Debug, subject, "dialling", upstream = subject.upstream().as_str(), timeout_us = micros(timeout));
            }
            Self::UpstreamConnected(took) => {
                line!(
                    Info,
                    subject,
                    "upstream connected",
                    upstream = subject.upstream().as_str(),
                    connect_us = micros(took)
                );
            }
            Self::UpstreamFailed(error) => {
                line!(Warn, subject, "upstream unreachable", upstream = subject.upstream().as_str(), error:% = error);
            }
            Self::Starved(error) => line!(Error, subject, "no resources for the connection", error:% = error),
            Self::Closed(report) => log_closed(subject, report),
            Self::StillOpen(age) => line!(Info, subject, "still open", age_us = micros(age)),
        }
    }
}

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
