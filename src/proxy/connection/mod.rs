//! One connection from its accept to its report: what was drawn for it, the dial, the delay, two pumps.

mod dial;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::event::{CloseReason, Event, Fault, Report, Subject, emit};
use crate::plan::DropMode;
use crate::proxy::admission::Permit;
use crate::proxy::connection::dial::{DialError, dial};
use crate::proxy::forward::{Coupling, Treatment};
use crate::proxy::registry::Registration;
use crate::proxy::state::Client;
use crate::threads::ThreadPool;
use crate::toxic::{Chain, ToxicEvent, ToxicSummary, Toxics};
use crate::value::Direction;

/// What the dice have for a connection.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Forward,
    Drop(DropMode),
}

/// An accepted connection that has no place yet.
#[derive(Debug)]
pub struct Arrival {
    pub subject: Subject,
    pub fate: Fate,
    pub toxics: Arc<Toxics>,
    /// What the route's connections have as their common clock.
    pub live_since: Instant,
    pub opened_at: Instant,
    pub registration: Registration,
    /// Dropped last: who holds the other end of the channel knows then that all of this is gone.
    pub _alive: Sender<Infallible>,
}

impl Arrival {
    /// Serves it on a thread of the crew.
    ///
    /// # Errors
    /// There is none, and the connection was reset for it.
    pub fn admit(self, permit: Permit, pool: &Arc<ThreadPool>) -> io::Result<()> {
        let (client, subject, opened_at) =
            (Arc::clone(self.registration.client()), self.subject.clone(), self.opened_at);
        let connection = Connection { arrival: self, _place: permit };
        let own_pool = Arc::clone(pool);
        pool.run(move || connection.serve(&own_pool)).inspect_err(|error| {
            client.abort(CloseReason::Starved);
            emit(&Event::Opened(&subject));
            emit(&Event::Starved(&subject, error));
            emit(&Event::Closed(&subject, &Report::unserved(opened_at, CloseReason::Starved)));
        })
    }

    /// Resets it unserved.
    pub fn turn_away(self, why: CloseReason) {
        self.registration.client().abort(why);
        emit(&Event::Opened(&self.subject));
        emit(&Event::Closed(&self.subject, &Report::unserved(self.opened_at, why)));
    }
}

/// A connection that is being served.
#[derive(Debug)]
struct Connection {
    arrival: Arrival,
    /// Dropped last: it stands for the descriptors and threads that are free again then.
    _place: Permit,
}

impl Connection {
    fn serve(self, pool: &Arc<ThreadPool>) {
        emit(&Event::Opened(self.subject()));
        match self.arrival.fate {
            Fate::Drop(mode) => self.report_unserved(self.drop_client(mode)),
            Fate::Forward => match self.dial() {
                Ok(upstream) => Session::new(self, upstream).run(pool),
                Err(end) => self.report_unserved(end),
            },
        }
    }

    fn drop_client(&self, mode: DropMode) -> CloseReason {
        emit(&Event::Injected(self.subject(), Fault::Drop(mode)));
        match mode {
            DropMode::Close => self.client().close(),
            DropMode::Reset => self.client().abort(CloseReason::Dropped),
            DropMode::Hang => self.client().drain_until_gone(),
        }
        self.client().aborted().unwrap_or(CloseReason::Dropped)
    }

    fn dial(&self) -> Result<TcpStream, CloseReason> {
        let route = &self.subject().route;
        let began = Instant::now();
        match dial(route.upstream.addr(), route.connect_timeout.duration(), self.client()) {
            Ok(upstream) => {
                emit(&Event::UpstreamConnected(self.subject(), began.elapsed()));
                Ok(upstream)
            }
            Err(DialError::Left(why)) => Err(why),
            Err(DialError::Starved(error)) => Err(self.starved(&error)),
            Err(DialError::Failed(error)) => Err(self.unreachable(format_args!("{error}"))),
            Err(DialError::TimedOut) => Err(self.unreachable(format_args!(
                "no answer within connectTimeoutMs, {} ms",
                route.connect_timeout.duration().as_millis()
            ))),
        }
    }

    fn starved(&self, error: &io::Error) -> CloseReason {
        emit(&Event::Starved(self.subject(), error));
        self.client().abort(CloseReason::Starved);
        CloseReason::Starved
    }

    fn unreachable(&self, why: fmt::Arguments<'_>) -> CloseReason {
        emit(&Event::UpstreamFailed(self.subject(), why));
        self.client().abort(CloseReason::Unreachable);
        CloseReason::Unreachable
    }

    fn report_unserved(&self, end: CloseReason) {
        emit(&Event::Closed(self.subject(), &Report::unserved(self.arrival.opened_at, end)));
    }

    fn subject(&self) -> &Subject {
        &self.arrival.subject
    }

    fn client(&self) -> &Arc<Client> {
        self.arrival.registration.client()
    }
}

/// A connection that has an upstream: held by both of its threads, and ended by the one that lets go of it last, so that
/// neither waits for the other.
#[derive(Debug)]
struct Session {
    coupling: Coupling,
    summaries: Mutex<Vec<ToxicSummary>>,
    /// When forwarding begins: a latency after the accept, however much of that time the dial took.
    due: Instant,
    connection: Connection,
}

impl Session {
    fn new(connection: Connection, upstream: TcpStream) -> Self {
        let latency = connection.subject().route.latency;
        let due = connection.arrival.opened_at + latency.duration();
        if Instant::now() < due {
            emit(&Event::Injected(connection.subject(), Fault::Latency(latency)));
        }
        let coupling = Coupling::new(Arc::clone(connection.client()), upstream);
        Self { coupling, summaries: Mutex::default(), due, connection }
    }

    fn run(self, pool: &Arc<ThreadPool>) {
        let here = Arc::new(self);
        let there = Arc::clone(&here);
        if let Err(error) = pool.run(move || there.pump(Direction::Downstream)) {
            here.connection.starved(&error);
        }
        here.pump(Direction::Upstream);
    }

    /// Each direction waits for itself, so that its thread is there when the delay ends: where a thousand end at once, a
    /// thousand threads would have to be started first.
    fn pump(self: Arc<Self>, direction: Direction) {
        match self.delay() {
            Ok(()) => self.pass(direction),
            Err(why) => self.coupling.abort(why),
        }
        if let Some(last) = Arc::into_inner(self) {
            let (bytes_up, bytes_down) = last.coupling.bytes();
            let lasted = last.connection.arrival.opened_at.elapsed();
            let toxics = last.summaries.into_inner().unwrap_or_else(PoisonError::into_inner);
            let report = Report { bytes_up, bytes_down, lasted, end: last.coupling.end(), toxics };
            emit(&Event::Closed(last.connection.subject(), &report));
        }
    }

    /// By the relay, unless a toxic acts on this direction.
    fn pass(&self, direction: Direction) {
        let Arrival { subject, toxics, live_since, opened_at, .. } = &self.connection.arrival;
        let opened = opened_at.duration_since(*live_since);
        match toxics.chain(subject.number, subject.client.ip(), opened, direction) {
            None => self.coupling.pump(direction),
            Some(chain) => self.pass_through(chain, direction),
        }
    }

    /// Never inlined: its frame would lie under the relay's, and an idle thread has another page for it.
    #[inline(never)]
    fn pass_through(&self, mut chain: Chain, direction: Direction) {
        let Arrival { subject, opened_at, .. } = &self.connection.arrival;
        let tell = |act: &ToxicEvent| emit(&Event::Injected(subject, Fault::Toxic(act)));
        let treatment = Treatment { chain: &mut chain, opened_at: *opened_at, tell: &tell };
        self.coupling.pump_through(direction, treatment);
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner).extend(chain.summaries());
    }

    fn delay(&self) -> Result<(), CloseReason> {
        if Instant::now() >= self.due { Ok(()) } else { self.connection.client().wait_until(self.due) }
    }
}
