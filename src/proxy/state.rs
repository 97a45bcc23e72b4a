//! One connection, for every thread that has to do with it: its sockets, what it is doing, how much has passed, and why it
//! ended. Any thread can abort it. What its own threads do in turn is `connection` and `forward`.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::live_route::LiveRoute;
use super::socket::acknowledgement::unacknowledged;
use super::socket::reset::reset;
use crate::event::{CloseReason, Subject};
use crate::toxic::{RunningSum, Target, ToxicSummary};
use crate::value::Direction;

/// A connection from its accept to its end.
#[derive(Debug)]
pub struct ConnectionState {
    pub subject: Subject,
    pub accepted_at: Instant,
    pub route: Arc<LiveRoute>,
    client: TcpStream,
    upstream: OnceLock<Arc<TcpStream>>,
    up: Progress,
    down: Progress,
    status: Mutex<Status>,
    /// What toxics have done to it so far.
    sums: Mutex<Vec<Arc<RunningSum>>>,
    /// Whether its client was seen on this machine.
    pub(super) client_was_here: AtomicBool,
}

/// How far one direction has come. Each has cache lines of its own, since each is written by another thread.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Progress {
    /// The bytes that were read from the source.
    pub received: AtomicU64,
    /// The bytes that the sink's kernel has taken.
    pub sent: AtomicU64,
    /// Set before our own FIN goes out in this direction.
    pub finished: AtomicBool,
}

/// Under one lock: were they set one by one, an abort and a dial that succeeds could miss each other.
#[derive(Debug)]
struct Status {
    phase: Phase,
    close_reason: Option<CloseReason>,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for the upstream to accept.
    Dialling,
    /// It waits for the route's latency to pass.
    Delayed,
    /// It was drawn to be dropped, and gets no answer.
    Held,
    /// Bytes pass in both directions.
    Forwarding,
    /// The source of this direction has finished, and bytes pass in the other one only.
    HalfClosed(Direction),
    /// A toxic has closed it, and its peers have not yet.
    Draining,
}

impl ConnectionState {
    pub fn new(subject: Subject, route: Arc<LiveRoute>, client: TcpStream, accepted_at: Instant) -> Self {
        Self {
            subject,
            accepted_at,
            route,
            client,
            upstream: OnceLock::new(),
            up: Progress::default(),
            down: Progress::default(),
            status: Mutex::new(Status { phase: Phase::Dialling, close_reason: None }),
            sums: Mutex::default(),
            client_was_here: AtomicBool::new(false),
        }
    }

    pub fn client(&self) -> &TcpStream {
        &self.client
    }

    /// What toxics know it by.
    pub fn target(&self) -> Target {
        let Subject { number, client, .. } = self.subject;
        Target { number, client: client.ip(), opened: self.route.moment(self.accepted_at) }
    }

    pub fn progress(&self, direction: Direction) -> &Progress {
        match direction {
            Direction::Upstream => &self.up,
            Direction::Downstream => &self.down,
        }
    }

    /// Gives it an upstream; from now on an abort is one of both.
    pub fn connect(&self, upstream: TcpStream) -> Arc<TcpStream> {
        let status = self.status();
        let upstream = self.upstream.get_or_init(|| Arc::new(upstream));
        if status.close_reason.is_some() {
            reset(upstream);
        }
        Arc::clone(upstream)
    }

    pub fn phase(&self) -> Phase {
        self.status().phase
    }

    pub fn enter(&self, phase: Phase) {
        self.status().phase = phase;
    }

    /// One direction forwards bytes; the other one may have come further.
    pub fn begin_forwarding(&self) {
        let mut status = self.status();
        if matches!(status.phase, Phase::Dialling | Phase::Delayed) {
            status.phase = Phase::Forwarding;
        }
    }

    /// The source of a direction has finished. The first one gives the reason if nothing else ends the connection.
    pub fn half_close(&self, direction: Direction) {
        let mut status = self.status();
        if !matches!(status.phase, Phase::HalfClosed(_) | Phase::Draining) {
            status.phase = Phase::HalfClosed(direction);
        }
    }

    /// Resets the client, and the upstream if there is one. Of several reasons the first one counts: the others follow from
    /// it.
    pub fn abort(&self, why: CloseReason) {
        let first = *self.status().close_reason.get_or_insert(why);
        reset_and_uncount(&self.client, &self.down);
        match self.upstream.get() {
            // It left with a FIN, and its upstream gets one too, after all that it has sent. That its socket is reset then
            // is our doing, and no reason for a reset there; a cut is.
            Some(upstream) if first == CloseReason::ClientLeft && why != CloseReason::Cut => {
                let _ = upstream.shutdown(Shutdown::Both);
            }
            Some(upstream) => reset_and_uncount(upstream, &self.up),
            None => {}
        }
    }

    /// It is closed in good order, unless it was aborted already.
    pub fn begin_close(&self, why: CloseReason) {
        let mut status = self.status();
        if status.close_reason.is_none() {
            *status = Status { phase: Phase::Draining, close_reason: Some(why) };
        }
    }

    /// Why it was aborted, if it was.
    pub fn aborted(&self) -> Option<CloseReason> {
        let status = self.status();
        status.close_reason.filter(|_| status.phase != Phase::Draining)
    }

    /// Why it ended, once it has.
    pub fn close_reason(&self) -> CloseReason {
        let status = self.status();
        status.close_reason.unwrap_or(match status.phase {
            Phase::HalfClosed(Direction::Upstream) => CloseReason::ClientClosed,
            Phase::HalfClosed(Direction::Downstream) => CloseReason::UpstreamClosed,
            _ => CloseReason::Cut,
        })
    }

    /// Has what these toxics do show up in `toxics`.
    pub fn watch<'a>(&self, sums: impl Iterator<Item = &'a Arc<RunningSum>>) {
        let mut watched = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        for sum in sums {
            if !watched.iter().any(|other| Arc::ptr_eq(other, sum)) {
                watched.push(Arc::clone(sum));
            }
        }
    }

    /// What each toxic that has acted came to so far.
    pub fn toxics(&self) -> Vec<ToxicSummary> {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.iter().filter_map(|sum| sum.summary()).collect()
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reset discards what the kernel has taken from us and not delivered yet: the peer never gets it.
fn reset_and_uncount(peer: &TcpStream, progress: &Progress) {
    let sent = progress.sent.load(Ordering::Relaxed);
    if sent > 0
        && let lost = unacknowledged(peer)
        && lost < u32::MAX
    {
        progress.sent.fetch_sub(sent.min(lost.into()), Ordering::Relaxed);
    }
    reset(peer);
}
