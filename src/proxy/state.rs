//! The state of one connection, shared by its threads and those that control it: sockets, phase, byte counts and close
//! reason. Any thread can abort the connection. The sequence of a connection's work is `connection` and `forward`.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::counters::{Activity, Bytes, Faults, Totals, ToxicKey};
use super::live_route::LiveRoute;
use super::socket::acknowledgement::unacknowledged;
use super::socket::reset::reset;
use crate::event::{CloseReason, ConnectionEvent, Event, Subject, emit};
use crate::toxic::{Chain, Conversation, RunningSum, Target, ToxicSummary};
use crate::value::{Direction, ToxicName};

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
    conversation: Conversation,
}

/// The progress of one direction. Each has its own cache lines, because a different thread writes each.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Progress {
    /// The number of bytes read from the source.
    pub received: AtomicU64,
    /// The number of bytes written to the sink's socket.
    sent: AtomicU64,
    /// When the first of them was written.
    first_sent: OnceLock<Instant>,
    /// The number of those that a reset by this proxy has discarded.
    lost: AtomicU64,
    /// Set before this direction sends its FIN.
    pub finished: AtomicBool,
    /// The sink was reset by this proxy.
    was_reset: AtomicBool,
}

impl Progress {
    /// Counts bytes written to the sink's socket. Only one thread does so for each direction.
    pub fn count_sent(&self, bytes: usize) {
        if self.sent.fetch_add(bytes as u64, Ordering::Relaxed) == 0 {
            let _ = self.first_sent.set(Instant::now());
        }
    }

    fn add_to(&self, bytes: &mut Bytes) {
        bytes.received += self.received.load(Ordering::Relaxed);
        bytes.sent += self.sent.load(Ordering::Relaxed);
    }

    /// The number of bytes written to the sink's socket and not discarded by a reset.
    pub fn delivered(&self) -> u64 {
        self.sent.load(Ordering::Relaxed).saturating_sub(self.lost.load(Ordering::Relaxed))
    }
}

/// What toxics have done to a connection.
#[derive(Debug, Default)]
struct Sums {
    /// Shared with the chains.
    present: Vec<Arc<RunningSum>>,
    /// Of toxics that no chain has any more, one for each name and type.
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
    /// Closed by this proxy. The peers have not closed yet.
    Draining,
}

impl Phase {
    /// The word for it in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dialling => "dialling",
            Self::Delayed => "delayed",
            Self::Held => "held",
            Self::Forwarding => "forwarding",
            Self::HalfClosed(_) => "half-closed",
            Self::Draining => "draining",
        }
    }
}

impl ConnectionState {
    pub fn new(
        subject: Subject,
        route: Arc<LiveRoute>,
        client: TcpStream,
        accepted_at: Instant,
        conversation: Conversation,
    ) -> Self {
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
            conversation,
        }
    }

    /// Logs what happens to the connection.
    pub fn emit(&self, event: ConnectionEvent<'_>) {
        emit(&Event::Connection(&self.subject, event));
    }

    pub fn client(&self) -> &TcpStream {
        &self.client
    }

    /// Returns what toxics need to know about this connection.
    pub fn target(&self) -> Target<'_> {
        let Subject { number, client, destination, .. } = self.subject;
        Target {
            number,
            client: client.ip(),
            destination: destination.ok(),
            opened: self.route.since_start(self.accepted_at),
            conversation: &self.conversation,
        }
    }

    pub fn progress(&self, direction: Direction) -> &Progress {
        match direction {
            Direction::Upstream => &self.up,
            Direction::Downstream => &self.down,
        }
    }

    /// Sets the upstream's socket. If the connection was aborted during the dial, that ends at once as well.
    pub fn connect(&self, upstream: TcpStream) -> Arc<TcpStream> {
        let status = self.status();
        let upstream = self.upstream.get_or_init(|| Arc::new(upstream));
        if let Some(reason) = status.close_reason {
            self.end_upstream(upstream, reason);
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

    /// Ends the connection at once. Only the first reason is kept, since later ones follow from it. It decides whether
    /// the peers get a RST or a FIN; a cut resets both in any case.
    pub fn abort(&self, why: CloseReason) {
        let first = *self.status().close_reason.get_or_insert(why);
        let reason = if why == CloseReason::Cut { why } else { first };
        self.end_client(reason);
        if let Some(upstream) = self.upstream.get() {
            self.end_upstream(upstream, reason);
        }
    }

    fn end_client(&self, reason: CloseReason) {
        if reason.is_shutdown() {
            shut_down(&self.client, &self.down);
        } else {
            reset_and_count_lost(&self.client, &self.down);
        }
    }

    /// If the client left with a FIN, the upstream gets a FIN too, after all bytes that the client sent. The client's
    /// socket is reset only for cleanup, which must not reset the upstream.
    fn end_upstream(&self, upstream: &TcpStream, reason: CloseReason) {
        if reason.is_shutdown() || reason == CloseReason::ClientLeft {
            shut_down(upstream, &self.up);
        } else {
            reset_and_count_lost(upstream, &self.up);
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

    /// Adds what this connection has done so far to `totals`.
    pub fn add_to(&self, totals: &mut Totals) {
        self.up.add_to(&mut totals.up);
        self.down.add_to(&mut totals.down);
        if let Some(first_byte) = self.first_byte() {
            totals.first_bytes.observe(first_byte);
        }
        for (toxic, faults) in self.faults() {
            totals.faults.entry(toxic).or_default().add(faults);
        }
    }

    /// What each toxic has done to this connection, in both directions together.
    fn faults(&self) -> BTreeMap<ToxicKey, Faults> {
        let mut faults: BTreeMap<ToxicKey, Faults> = BTreeMap::new();
        for ToxicSummary { toxic, times, amount } in self.toxics() {
            let sum = faults.entry((toxic.name.clone(), toxic.effect.as_str())).or_default();
            sum.add(Faults { connections: 0, times, amount: Some(amount) });
            sum.connections = 1;
        }
        faults
    }

    /// The time from the accept to the first byte sent to the client, if one was.
    fn first_byte(&self) -> Option<Duration> {
        let at = self.down.first_sent.get()?;
        Some(at.saturating_duration_since(self.accepted_at))
    }

    /// Counts the delay of the bytes that were just written from the output of `chain`. One delay for each write is
    /// cheap, and the first byte was due first.
    pub fn count_delay(&self, chain: &Chain) {
        if let Some(delay) = chain.delay(self.accepted_at.elapsed()) {
            self.route.counters().count_delay(delay);
        }
    }

    /// Adds what the connection has done so far, with one sum for all toxics.
    pub fn add_activity(&self, activity: &mut Activity) {
        activity.bytes_up += self.up.sent.load(Ordering::Relaxed);
        activity.bytes_down += self.down.sent.load(Ordering::Relaxed);
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        activity.faults += sums.past.iter().map(|past| past.times).sum::<u64>();
        activity.faults += sums.present.iter().map(|sum| sum.times()).sum::<u64>();
    }

    /// The names of the toxics that act on this connection now.
    pub fn acting_toxics(&self) -> Vec<ToxicName> {
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<ToxicName> = Vec::new();
        for sum in sums.present.iter().filter(|sum| sum.is_in_chain()) {
            if !names.contains(&sum.toxic().name) {
                names.push(sum.toxic().name.clone());
            }
        }
        names
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
        let (present, gone) = self.present.drain(..).partition(|sum| sum.is_in_chain());
        self.present = present;
        let gone: Vec<Arc<RunningSum>> = gone;
        for summary in gone.iter().filter_map(|sum| sum.summary()) {
            match self.past.iter_mut().find(|past| past.is_of_same(&summary)) {
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

/// Sends a FIN after what was sent, and wakes every thread that waits for `peer`. If `peer` sends more, the kernel
/// answers with a RST, as for a process that has ended.
fn shut_down(peer: &TcpStream, progress: &Progress) {
    // So that the end is not taken for a reset by the peer.
    progress.finished.store(true, Ordering::SeqCst);
    // Fails only if the peer is already gone.
    let _ = peer.shutdown(Shutdown::Both);
}

/// Resets `peer` and counts the bytes that it has not acknowledged as lost, because a reset discards them. Two threads
/// may do so at the same time: the first one counts.
fn reset_and_count_lost(peer: &TcpStream, progress: &Progress) {
    if progress.was_reset.swap(true, Ordering::SeqCst) {
        return;
    }
    if progress.sent.load(Ordering::Relaxed) > 0
        && let lost = unacknowledged(peer)
        && lost < u32::MAX
    {
        progress.lost.store(lost.into(), Ordering::Relaxed);
    }
    reset(peer);
}
