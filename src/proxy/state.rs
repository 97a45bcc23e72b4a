//! The state of one connection, shared by its threads and those that control it: sockets, phase, byte counts and close
//! reason. Any thread can abort the connection. The sequence of a connection's work is `connection` and `forward`.

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

/// A connection from accept to close.
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
    /// What toxics have done to this connection so far.
    sums: Mutex<Sums>,
    /// Whether the client's socket was once found on this machine.
    pub(super) client_was_local: AtomicBool,
}

/// The progress of one direction. Each has its own cache lines, because a different thread writes each.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Progress {
    /// The number of bytes read from the source.
    pub received: AtomicU64,
    /// The number of bytes written to the sink's socket.
    pub sent: AtomicU64,
    /// Set before this direction sends its FIN.
    pub finished: AtomicBool,
    /// The sink was reset by this proxy.
    was_reset: AtomicBool,
}

/// What toxics have done to a connection.
#[derive(Debug, Default)]
struct Sums {
    /// Shared with the chains.
    present: Vec<Arc<RunningSum>>,
    /// Of toxics that no chain has any more, one for each name.
    past: Vec<ToxicSummary>,
}

/// One lock covers both fields. With two, an abort could miss the socket of a dial that succeeds at the same time.
#[derive(Debug)]
struct Status {
    phase: Phase,
    close_reason: Option<CloseReason>,
}

/// The current phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits for the upstream to accept.
    Dialling,
    /// Waits for the route's latency to pass.
    Delayed,
    /// Was selected by `dropRate` with the mode `hang`: stays open without an answer.
    Held,
    /// Forwards bytes in both directions.
    Forwarding,
    /// The source of this direction has sent its FIN. Only the other direction still forwards bytes.
    HalfClosed(Direction),
    /// Closed by a toxic. The peers have not closed yet.
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
            client_was_local: AtomicBool::new(false),
        }
    }

    pub fn client(&self) -> &TcpStream {
        &self.client
    }

    /// Returns what toxics need to know about this connection.
    pub fn target(&self) -> Target {
        let Subject { number, client, .. } = self.subject;
        Target { number, client: client.ip(), opened: self.route.since_start(self.accepted_at) }
    }

    pub fn progress(&self, direction: Direction) -> &Progress {
        match direction {
            Direction::Upstream => &self.up,
            Direction::Downstream => &self.down,
        }
    }

    /// Sets the upstream's socket. If the connection was aborted during the dial, the upstream is reset at once.
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

    /// Enters the forwarding phase, unless the other direction has already reached a later one.
    pub fn begin_forwarding(&self) {
        let mut status = self.status();
        if matches!(status.phase, Phase::Dialling | Phase::Delayed) {
            status.phase = Phase::Forwarding;
        }
    }

    /// Records that the source of a direction has sent its FIN. Unless something else ends the connection, the first
    /// half-close determines the close reason.
    pub fn half_close(&self, direction: Direction) {
        let mut status = self.status();
        if !matches!(status.phase, Phase::HalfClosed(_) | Phase::Draining) {
            status.phase = Phase::HalfClosed(direction);
        }
    }

    /// Resets the client, and the upstream if there is one. Only the first reason is kept, since later ones follow from
    /// it.
    pub fn abort(&self, why: CloseReason) {
        let first = *self.status().close_reason.get_or_insert(why);
        reset_and_uncount(&self.client, &self.down);
        match self.upstream.get() {
            // The client left with a FIN, so the upstream gets a FIN too, after all bytes that the client sent. The
            // client's socket is reset only for cleanup, which must not reset the upstream. A cut resets both.
            Some(upstream) if first == CloseReason::ClientLeft && why != CloseReason::Cut => {
                let _ = upstream.shutdown(Shutdown::Both);
            }
            Some(upstream) => reset_and_uncount(upstream, &self.up),
            None => {}
        }
    }

    /// Begins a clean close, unless the connection was aborted.
    pub fn begin_close(&self, why: CloseReason) {
        let mut status = self.status();
        if status.close_reason.is_none() {
            *status = Status { phase: Phase::Draining, close_reason: Some(why) };
        }
    }

    /// The reason for the abort, if the connection was aborted.
    pub fn aborted(&self) -> Option<CloseReason> {
        let status = self.status();
        status.close_reason.filter(|_| status.phase != Phase::Draining)
    }

    /// The reason for the close. Valid once the connection has ended.
    pub fn close_reason(&self) -> CloseReason {
        let status = self.status();
        status.close_reason.unwrap_or(match status.phase {
            Phase::HalfClosed(Direction::Upstream) => CloseReason::ClientClosed,
            Phase::HalfClosed(Direction::Downstream) => CloseReason::UpstreamClosed,
            _ => CloseReason::Cut,
        })
    }

    /// Includes these toxics in [`toxics`](Self::toxics).
    pub fn watch<'a>(&self, sums: impl Iterator<Item = &'a Arc<RunningSum>>) {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).watch(sums);
    }

    /// Summarises each toxic that has acted on this connection.
    pub fn toxics(&self) -> Vec<ToxicSummary> {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.past.iter().cloned().chain(sums.present.iter().filter_map(|sum| sum.summary())).collect()
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sums {
    /// Toxics that come and go many times take no more memory for that.
    fn watch<'a>(&mut self, sums: impl Iterator<Item = &'a Arc<RunningSum>>) {
        let (present, gone) = self.present.drain(..).partition(|sum| Arc::strong_count(sum) > 1);
        self.present = present;
        let gone: Vec<Arc<RunningSum>> = gone;
        for summary in gone.iter().filter_map(|sum| sum.summary()) {
            match self.past.iter_mut().find(|past| past.toxic.name == summary.toxic.name) {
                Some(past) => past.add(&summary),
                None => self.past.push(summary),
            }
        }
        for sum in sums {
            if !self.present.iter().any(|other| Arc::ptr_eq(other, sum)) {
                self.present.push(Arc::clone(sum));
            }
        }
    }
}

/// Resets `peer` and subtracts the bytes it has not acknowledged from the count, because a reset discards them. Two threads
/// may do so at the same time: the first one counts.
fn reset_and_uncount(peer: &TcpStream, progress: &Progress) {
    if progress.was_reset.swap(true, Ordering::SeqCst) {
        return;
    }
    let sent = progress.sent.load(Ordering::Relaxed);
    if sent > 0
        && let lost = unacknowledged(peer)
        && lost < u32::MAX
    {
        progress.sent.fetch_sub(sent.min(lost.into()), Ordering::Relaxed);
    }
    reset(peer);
}
