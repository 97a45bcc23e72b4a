//! One connection from its accept to its report: what was drawn for it, the dial, the delay, two pumps.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Sender;

use super::client::{Client, Woken};
use super::dial::{DialError, abandon, dial};
use super::places::Place;
use super::pump::{Direction, Link};
use super::roster::Enrolled;
use crate::event::{End, Event, Fault, Report, Subject, emit};
use crate::plan::DropMode;
use crate::threads;

/// What the dice have for a connection.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Forward,
    Drop(DropMode),
}

/// An accepted connection.
#[derive(Debug)]
pub struct Connection {
    subject: Subject,
    fate: Fate,
    opened_at: Instant,
    enrolled: Enrolled,
    /// Dropped last: who holds the other end of the channel knows then that all of this is gone.
    _alive: Sender<Infallible>,
}

impl Connection {
    pub fn new(
        subject: Subject,
        fate: Fate,
        opened_at: Instant,
        enrolled: Enrolled,
        alive: Sender<Infallible>,
    ) -> Self {
        Self { subject, fate, opened_at, enrolled, _alive: alive }
    }

    /// Serves it on a thread of its own; without one it is reset.
    pub fn start(self, place: Place) {
        let (client, subject) = (Arc::clone(self.client()), self.subject.clone());
        let serve = move || {
            self.serve();
            drop(self);
            drop(place);
        };
        if let Err(error) = threads::spawn(&subject.thread_name(), serve) {
            client.abort(End::NoThread);
            emit(&Event::NoThread(&subject, &error));
        }
    }

    /// Resets it unserved.
    pub fn abort(self, why: End) {
        self.client().abort(why);
        emit(&Event::Opened(&self.subject));
        emit(&Event::Closed(&self.subject, &self.report((0, 0), why)));
    }

    fn serve(&self) {
        emit(&Event::Opened(&self.subject));
        let (bytes, end) = match self.fate {
            Fate::Drop(mode) => ((0, 0), self.drop_client(mode)),
            Fate::Forward => self.forward(),
        };
        emit(&Event::Closed(&self.subject, &self.report(bytes, end)));
    }

    fn drop_client(&self, mode: DropMode) -> End {
        emit(&Event::Injected(&self.subject, Fault::Drop(mode)));
        match mode {
            DropMode::Close => self.client().close(),
            DropMode::Reset => self.client().abort(End::Dropped),
            DropMode::Hang => self.client().outwait(),
        }
        self.client().aborted().unwrap_or(End::Dropped)
    }

    fn forward(&self) -> ((u64, u64), End) {
        let link = match self.link() {
            Ok(link) => Arc::new(link),
            Err(end) => return ((0, 0), end),
        };
        let downstream = Arc::clone(&link);
        let pump_down = move || downstream.pump(Direction::Downstream);
        match threads::spawn(&self.subject.thread_name(), pump_down) {
            Ok(down) => {
                let bytes_up = link.pump(Direction::Upstream);
                // A pump does not panic; if one did, its bytes would be all that is unknown.
                ((bytes_up, down.join().unwrap_or_default()), link.end())
            }
            Err(error) => ((0, 0), self.no_thread(&link, &error)),
        }
    }

    /// Both sides, with the delay behind them; or why there is nothing to forward.
    fn link(&self) -> Result<Link, End> {
        let upstream = self.dial()?;
        self.delay().inspect_err(|&why| abandon(&upstream, why))?;
        Ok(Link::new(Arc::clone(self.client()), upstream))
    }

    fn dial(&self) -> Result<TcpStream, End> {
        let route = &self.subject.route;
        let began = Instant::now();
        // Only a connection that is down already refuses it, and that shows soon enough.
        let _ = self.client().stream().set_nodelay(true);
        match dial(route.upstream.addr(), route.connect_timeout.duration(), self.client()) {
            Ok(upstream) => {
                emit(&Event::UpstreamConnected(&self.subject, began.elapsed()));
                Ok(upstream)
            }
            Err(DialError::Left(why)) => Err(why),
            Err(DialError::Failed(error)) => Err(self.unreachable(format_args!("{error}"))),
            Err(DialError::TimedOut) => Err(self.unreachable(format_args!(
                "no answer within connectTimeoutMs, {} ms",
                route.connect_timeout.duration().as_millis()
            ))),
        }
    }

    /// Forwarding begins a latency after the accept, however much of that time the dial took.
    fn delay(&self) -> Result<(), End> {
        let latency = self.subject.route.latency.duration();
        let due = self.opened_at + latency;
        if Instant::now() >= due {
            return Ok(());
        }
        emit(&Event::Injected(&self.subject, Fault::Latency(latency)));
        match self.client().wait_until(due) {
            Woken::Left(why) => Err(why),
            Woken::Due | Woken::Ready => Ok(()),
        }
    }

    fn unreachable(&self, why: fmt::Arguments<'_>) -> End {
        emit(&Event::UpstreamFailed(&self.subject, why));
        self.client().abort(End::Unreachable);
        End::Unreachable
    }

    fn no_thread(&self, link: &Link, error: &io::Error) -> End {
        emit(&Event::NoThread(&self.subject, error));
        link.abort(End::NoThread);
        End::NoThread
    }

    fn report(&self, (bytes_up, bytes_down): (u64, u64), end: End) -> Report {
        Report { bytes_up, bytes_down, lasted: self.opened_at.elapsed(), end }
    }

    fn client(&self) -> &Arc<Client> {
        self.enrolled.client()
    }
}
