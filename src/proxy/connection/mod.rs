//! One connection from accept to report: the drop decision, the dial, the latency, then one thread per direction.

mod dial;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use self::dial::{DialError, Dialled, dial};
use super::admission::Permit;
use super::forward::Forwarding;
use super::own_sources::OwnSource;
use super::registry::Registration;
use super::shared::Shared;
use super::state::{ConnectionState, Phase};
use crate::event::{CloseReason, ConnectionEvent, Fault, Report, logs_debug};
use crate::plan::DropMode;
use crate::value::Direction;

/// An accepted connection that has no permit yet.
#[derive(Debug)]
pub struct Accepted {
    pub registration: Registration,
    pub shared: Arc<Shared>,
}

impl Accepted {
    /// Serves the connection on a thread of the pool.
    ///
    /// # Errors
    /// No thread was available. The connection was reset.
    pub fn admit(self, permit: Permit) -> io::Result<()> {
        let (state, shared) = (Arc::clone(&self.registration), Arc::clone(&self.shared));
        let connection = Connection { accepted: self, _permit: permit };
        shared.pool.run(move || connection.serve()).inspect_err(|error| {
            state.abort(CloseReason::Starved);
            state.emit(ConnectionEvent::Opened);
            state.emit(ConnectionEvent::Starved(error));
            report(&state);
        })
    }

    /// Resets the connection without serving it.
    pub fn reject(self, why: CloseReason) {
        self.registration.abort(why);
        self.registration.emit(ConnectionEvent::Opened);
        report(&self.registration);
    }
}

/// A connection that is being served.
#[derive(Debug)]
struct Connection {
    accepted: Accepted,
    /// Dropped last, when the connection's descriptors and threads are free again.
    _permit: Permit,
}

impl Connection {
    fn serve(self) {
        let state = self.state();
        state.emit(ConnectionEvent::Opened);
        if state.aborted().is_some() {
            // It was ended while it waited for a permit.
            return report(state);
        }
        let (route, destination) = (&state.subject.route, state.subject.destination);
        let destination = match destination {
            Ok(destination) => destination,
            Err(why) => {
                state.emit(ConnectionEvent::NotRedirected(why));
                state.abort(CloseReason::NotRedirected);
                return report(state);
            }
        };
        let draw = state.route.dice().drop_draw(state.subject.number, route.drop_rate);
        state.emit(ConnectionEvent::DropDrawn(draw));
        if draw.hits() {
            self.drop_client(route.drop_mode);
            return report(state);
        }
        match self.dial(destination) {
            Some(upstream) => Serving::new(self, upstream).run(),
            None => report(state),
        }
    }

    fn drop_client(&self, mode: DropMode) {
        let state = self.state();
        state.route.counters().count_drop();
        state.emit(ConnectionEvent::Injected(Fault::Drop(mode)));
        match mode {
            DropMode::Close => {
                state.begin_close(CloseReason::Dropped);
                state.close_client();
            }
            DropMode::Reset => state.abort(CloseReason::Dropped),
            DropMode::Hang => {
                state.enter(Phase::Held);
                state.drain_until_gone();
                state.begin_close(CloseReason::Dropped);
            }
        }
    }

    fn dial(&self, upstream: SocketAddr) -> Option<Dialled> {
        let (state, began) = (self.state(), Instant::now());
        let timeout = state.subject.route.connect_timeout.duration();
        state.emit(ConnectionEvent::Dialling(timeout));
        match dial(upstream, state, &self.accepted.shared.own_sources) {
            Ok(upstream) => {
                let took = began.elapsed();
                state.route.counters().count_dial(took);
                state.emit(ConnectionEvent::UpstreamConnected(took));
                return Some(upstream);
            }
            Err(DialError::Left(why)) => state.abort(why),
            Err(DialError::Starved(error)) => self.starve(&error),
            Err(DialError::Failed(error)) => self.give_up(format_args!("{error}")),
            Err(DialError::TimedOut) => {
                self.give_up(format_args!("no answer within connectTimeoutMs, {} ms", timeout.as_millis()));
            }
        }
        None
    }

    fn starve(&self, error: &io::Error) {
        self.state().emit(ConnectionEvent::Starved(error));
        self.state().abort(CloseReason::Starved);
    }

    fn give_up(&self, why: fmt::Arguments<'_>) {
        self.state().route.counters().count_failed_dial();
        self.state().emit(ConnectionEvent::UpstreamFailed(why));
        self.state().abort(CloseReason::Unreachable);
    }

    fn state(&self) -> &Arc<ConnectionState> {
        &self.accepted.registration
    }
}

/// A connection with an upstream. Both of its threads hold it, and the last one to finish reports the end, so that
/// neither waits for the other.
#[derive(Debug)]
struct Serving {
    upstream: Arc<TcpStream>,
    _source: Option<OwnSource>,
    connection: Connection,
}

impl Serving {
    fn new(connection: Connection, Dialled { stream, source }: Dialled) -> Self {
        let state = connection.state();
        let latency = state.subject.route.latency;
        log_draws(state);
        let upstream = state.connect(stream);
        if state.accepted_at.elapsed() < latency.duration() {
            state.route.counters().count_delayed();
            state.emit(ConnectionEvent::Injected(Fault::Latency(latency)));
            state.enter(Phase::Delayed);
        }
        Self { upstream, _source: source, connection }
    }

    fn run(self) {
        let here = Arc::new(self);
        let there = Arc::clone(&here);
        let pool = Arc::clone(&here.connection.accepted.shared.pool);
        if let Err(error) = pool.run(move || there.forward(Direction::Downstream)) {
            here.connection.starve(&error);
        }
        here.forward(Direction::Upstream);
    }

    /// Waits until the route's latency has passed since the accept, including the time of the dial, then forwards one
    /// direction. Each direction waits on its own thread: if a thousand delays end at once, all threads are already
    /// running.
    fn forward(self: Arc<Self>, direction: Direction) {
        let state = self.connection.state();
        match state.wait_latency() {
            Ok(()) => {
                state.begin_forwarding();
                Forwarding::new(state, &self.upstream, &self.connection.accepted.shared, direction).run();
            }
            Err(why) => state.abort(why),
        }
        if let Some(last) = Arc::into_inner(self) {
            report(last.connection.state());
        }
    }
}

fn log_draws(state: &ConnectionState) {
    if logs_debug() {
        let generation = state.route.generation();
        for (toxic, draw) in generation.toxics.draws(&state.target()) {
            state.emit(ConnectionEvent::ToxicityDrawn(toxic, draw));
        }
    }
}

fn report(state: &ConnectionState) {
    let report = Report {
        bytes_up: state.progress(Direction::Upstream).delivered(),
        bytes_down: state.progress(Direction::Downstream).delivered(),
        duration: state.accepted_at.elapsed(),
        close_reason: state.close_reason(),
        toxics: state.toxics(),
    };
    state.emit(ConnectionEvent::Closed(&report));
}
