//! The toxic path: reads bytes, pushes them into the chain, and writes those that are due. One thread does all of this
//! with poll(2) and non-blocking calls: a delay needs no thread of its own. What a toxic does is `toxic`.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};

use super::CopyOutcome;
use super::hold_limit::HoldLimit;
use super::side::Side;
use super::silence::Silence;
use super::unread::Unread;
use crate::event::{CloseReason, ConnectionEvent, Fault};
use crate::proxy::budget::{Budget, Charge};
use crate::proxy::socket::acknowledgement::{ProgressTimeout, await_acknowledgement, unacknowledged};
use crate::proxy::socket::liveness::LivenessProbe;
use crate::proxy::socket::wait::{Woken, wait_for};
use crate::proxy::state::ConnectionState;
use crate::scheduling::{self, Policy};
use crate::stop::Latch;
use crate::toxic::{Boundary, Chain, EndKind, Moment, NEVER};
use crate::value::{CloseMode, Direction};

/// The interval between attempts to read while the shared memory budget is used up.
const RETRY: Duration = Duration::from_millis(10);

/// One direction of a connection.
pub struct ToxicPath<'a> {
    pub state: &'a ConnectionState,
    pub direction: Direction,
    pub source: Side<'a>,
    pub sink: Side<'a>,
    pub budget: &'a Budget,
    /// Triggered when the toxics can't change any more.
    pub draining: &'a Latch,
    /// Triggered when the toxics change.
    pub change: &'a Latch,
}

/// The state of the path while it runs.
struct PathState<'a> {
    path: &'a ToxicPath<'a>,
    chain: &'a mut Chain,
    charge: Charge<'a>,
    probe: LivenessProbe,
    /// The client has left, and what it has sent is still on its way to the upstream.
    has_client_left: bool,
    hold_limit: HoldLimit,
    sink_is_full: bool,
    /// Set while the sink is full and the source was reset.
    progress_timeout: Option<ProgressTimeout>,
    source: SourceState,
    silence: Silence,
    /// The number of bytes that the other direction had received at this direction's last read.
    other_carried: &'a mut u64,
    unread: Unread,
}

/// What a poll of the source may still report, apart from unread bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourceState {
    Open,
    /// Its end of stream was read.
    Ended,
    /// Both FINs were exchanged. The source has no more events to report, but its hang-up would end every poll at once.
    HungUp,
    /// It was reset. It has no more events to report either.
    Reset,
}

impl SourceState {
    fn after(end: EndKind) -> Self {
        if end == EndKind::Reset { Self::Reset } else { Self::Ended }
    }
}

/// Whether the source may have bytes or an end to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Readiness {
    Ready,
    Quiet,
}

impl ToxicPath<'_> {
    /// Passes bytes through `chain` until the stream ends, a side is lost, a toxic ends the connection or the toxics
    /// change. Never inlined, because it needs more stack than the plain path.
    #[inline(never)]
    pub fn run(&self, chain: &mut Chain, other_carried: &mut u64) -> CopyOutcome {
        scheduling::set(Policy::Normal);
        let source = chain.source_end().map_or(SourceState::Open, SourceState::after);
        let mut state = PathState {
            path: self,
            chain,
            charge: self.budget.charge(),
            probe: LivenessProbe::begin(),
            has_client_left: false,
            hold_limit: HoldLimit::default(),
            sink_is_full: false,
            progress_timeout: None,
            source,
            silence: Silence::Unknown,
            other_carried,
            unread: Unread::default(),
        };
        loop {
            if let Err(outcome) = state.step() {
                if matches!(outcome, CopyOutcome::SinkReset | CopyOutcome::Ended(_)) {
                    // No peer receives the held bytes any more, and the budget stops counting them here.
                    state.chain.discard_held();
                }
                return outcome;
            }
        }
    }

    fn now(&self) -> Moment {
        self.state.accepted_at.elapsed()
    }

    fn instant(&self, at: Moment) -> Option<Instant> {
        self.state.accepted_at.checked_add(at)
    }

    fn client_is_source(&self) -> bool {
        self.direction == Direction::Upstream
    }
}

impl PathState<'_> {
    fn step(&mut self) -> Result<(), CopyOutcome> {
        let now = self.path.now();
        // Bytes that were due before the deadline are sent even if this thread wakes up after both.
        self.chain.advance(self.chain.deadline().map_or(now, |(at, _)| now.min(at)));
        emit_events(self.path.state, self.chain);
        self.write_output()?;
        self.charge.set(self.chain.memory());
        if let Some(close_mode) = end_by_deadline(self.path.state, self.chain) {
            return Err(CopyOutcome::Ended(close_mode));
        }
        self.conclude()?;
        if self.wait(now)? == Readiness::Ready { self.read() } else { Ok(()) }
    }

    fn write_output(&mut self) -> Result<(), CopyOutcome> {
        self.sink_is_full = false;
        while self.chain.has_output() {
            self.chain.announce(self.path.now());
            match write(self.path.sink.stream, &self.chain.output()) {
                Ok(written) => {
                    self.path.state.count_delay(self.chain);
                    self.chain.written(written);
                    self.path.state.progress(self.path.direction).count_sent(written);
                }
                Err(Errno::AGAIN) => {
                    self.sink_is_full = true;
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                Err(_) => return Err(CopyOutcome::SinkReset),
            }
        }
        Ok(())
    }

    /// Returns an outcome if no bytes are left to forward, or no peer is left to receive them.
    fn conclude(&mut self) -> Result<(), CopyOutcome> {
        if self.source == SourceState::Reset && (self.is_stuck() || self.sink_timed_out()) {
            return Err(CopyOutcome::Abandoned(self.path.source.reset_reason));
        }
        if self.chain.is_done() {
            return Err(CopyOutcome::Drained);
        }
        let Some(end) = self.chain.take_end() else { return Ok(()) };
        if end.kind == EndKind::Toxic(CloseMode::Reset) {
            // A reset discards the bytes that the peer's kernel has not acknowledged.
            let due = self.chain.deadline().and_then(|(at, _)| self.path.instant(at));
            await_acknowledgement(self.path.sink.stream, due, None);
        }
        Err(match end.kind {
            EndKind::Fin => CopyOutcome::Eof,
            EndKind::Reset => CopyOutcome::SourceReset,
            EndKind::Toxic(close_mode) => CopyOutcome::Ended(close_mode),
        })
    }

    /// Waits for the source, the sink, a change of the toxics, or the next time at which something is due.
    fn wait(&mut self, now: Moment) -> Result<Readiness, CopyOutcome> {
        let can_read = self.can_read(now);
        if can_read {
            self.silence = self.silence.begin(Instant::now());
        }
        let [sink, source] = match wait_for(self.interests(now, can_read), self.wake_at(now), self.path.change) {
            Woken::Changed => return Err(CopyOutcome::Changed(Boundary::None, Vec::new())),
            Woken::Due => [PollFlags::empty(); 2],
            Woken::Ready(revents) => revents,
        };
        if sink.intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(CopyOutcome::SinkReset);
        }
        if self.path.source.is_reset(source) {
            self.source = SourceState::Reset;
        } else if source.contains(PollFlags::HUP) && self.source != SourceState::Reset {
            self.source = SourceState::HungUp;
        }
        self.probe_client(now, sink, source)?;
        if can_read && source.is_empty() {
            self.silence = self.silence.update(Instant::now());
            if self.silence == Silence::Pause {
                self.chain.pause(self.path.now());
            }
        }
        Ok(if can_read && !source.is_empty() { Readiness::Ready } else { Readiness::Quiet })
    }

    /// The events to poll the sink and the source for. A source without more events would end every poll at once, so
    /// the sink is polled in its place. The caller checks the sink's errors first.
    fn interests(&self, now: Moment, can_read: bool) -> [(&TcpStream, PollFlags); 2] {
        let probe = if self.depends_on_client(now) { self.probe.interest() } else { PollFlags::empty() };
        let (sink_probe, source_probe) =
            if self.path.client_is_source() { (PollFlags::empty(), probe) } else { (probe, PollFlags::empty()) };
        let room = if self.sink_is_full { PollFlags::OUT } else { PollFlags::empty() };
        let more = if can_read { PollFlags::IN } else { PollFlags::empty() };
        let (sink, source) = (self.path.sink.stream, self.path.source.stream);
        let reports = can_read || matches!(self.source, SourceState::Open | SourceState::Ended);
        let source = if reports { (source, more | source_probe) } else { (sink, PollFlags::empty()) };
        [(sink, room | sink_probe), source]
    }

    fn probe_client(&mut self, now: Moment, sink: PollFlags, source: PollFlags) -> Result<(), CopyOutcome> {
        if !self.depends_on_client(now) {
            self.hold_limit.reset();
            return Ok(());
        }
        if self.path.client_is_source() {
            return if self.probe.is_due(source) { self.give_up_held_bytes() } else { Ok(()) };
        }
        if self.probe.is_due(sink)
            && let Err(why) = self.path.state.check_presence()
        {
            if self.can_abandon() {
                return Err(CopyOutcome::Abandoned(why));
            }
            // The bytes from the client are still on their way to the upstream. Only those held for the client are
            // discarded now, and the connection ends when the upstream has everything.
            self.chain.discard_held();
            self.has_client_left = true;
        }
        Ok(())
    }

    fn give_up_held_bytes(&mut self) -> Result<(), CopyOutcome> {
        if !self.has_sender_left() {
            self.hold_limit.reset();
        } else if self.hold_limit.has_expired(self.path.draining) {
            return Err(CopyOutcome::Abandoned(CloseReason::HeldTooLong));
        }
        Ok(())
    }

    /// Whether the client is gone. After both FINs the state of its socket can no longer be looked up, but it may still
    /// read what it has not acknowledged.
    fn has_sender_left(&self) -> bool {
        match self.source {
            SourceState::HungUp => unacknowledged(self.path.source.stream) == 0,
            _ => self.path.state.check_presence().is_err(),
        }
    }

    /// Whether the connection can be aborted without discarding bytes that the other direction still holds for the
    /// upstream.
    fn can_abandon(&self) -> bool {
        let is_finished = || self.path.state.progress(Direction::Upstream).finished.load(Ordering::SeqCst);
        self.source == SourceState::Reset || is_finished()
    }

    fn read(&mut self) -> Result<(), CopyOutcome> {
        let most = self.chain.read_limit(self.path.now()).min(self.charge.room());
        if most == 0 {
            // A toxic has begun to act during the wait, or the budget was used up. A read of no bytes would return 0,
            // as at the end of the stream.
            return Ok(());
        }
        let mut buffer = vec![MaybeUninit::uninit(); most];
        let received = recv(self.path.source.stream, &mut buffer[..], RecvFlags::DONTWAIT);
        // The new toxics apply to bytes that arrived after the change. A FIN need not be passed on: it can be read
        // again.
        let has_changed = self.path.change.is_triggered();
        match received {
            Ok((_, 0)) if has_changed => return Err(CopyOutcome::Changed(Boundary::None, Vec::new())),
            Ok((_, 0)) if self.path.source.eof_is_reset() => self.end(EndKind::Reset),
            Ok((_, 0)) => self.end(EndKind::Fin),
            Ok(((bytes, _), read)) => {
                let (now, source) = (|| self.path.now(), self.path.source.stream);
                let (arrived, boundary) = (self.unread.arrival(read, most, source, now), self.boundary());
                self.path.state.progress(self.path.direction).received.fetch_add(read as u64, Ordering::Relaxed);
                if has_changed {
                    return Err(CopyOutcome::Changed(boundary, bytes.to_vec()));
                }
                self.chain.push(arrived, boundary, bytes);
            }
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => self.end(EndKind::Reset),
        }
        self.silence = Silence::Unknown;
        Ok(())
    }

    /// Pushes the end of the stream into the chain, after its bytes.
    fn end(&mut self, kind: EndKind) {
        let boundary = self.boundary();
        self.chain.push_end(self.path.now(), boundary, kind);
        if kind == EndKind::Reset || self.source == SourceState::Open {
            self.source = SourceState::after(kind);
        }
    }

    /// Returns the boundary between the bytes just read and those before them.
    fn boundary(&mut self) -> Boundary {
        let carried = other_carried(self.path.state, self.path.direction);
        if std::mem::replace(self.other_carried, carried) != carried {
            return Boundary::Turn;
        }
        if self.silence == Silence::Pause { Boundary::Pause } else { Boundary::None }
    }

    /// Whether to read from the source now.
    fn can_read(&self, now: Moment) -> bool {
        self.wants_to_read() && self.chain.resumes() <= now && self.charge.room() > 0
    }

    fn wants_to_read(&self) -> bool {
        self.chain.source_end().is_none() && self.chain.read_limit(self.path.now()) > 0
    }

    /// Whether this direction is useless if the client has left: it holds bytes for the client, or it holds back bytes
    /// from the upstream forever. Bytes that are only late are still delivered to the upstream.
    fn depends_on_client(&self, now: Moment) -> bool {
        if self.path.client_is_source() {
            self.is_stuck()
        } else {
            let holds_up = self.chain.resumes() > now || self.chain.discards(now);
            self.has_client_left || self.chain.holds_any() || holds_up
        }
    }

    /// Whether a full sink has accepted no bytes for too long.
    fn sink_timed_out(&mut self) -> bool {
        let sink = self.path.sink.stream;
        self.progress_timeout = self.progress_timeout.take().filter(|_| self.sink_is_full);
        self.sink_is_full && self.progress_timeout.get_or_insert_with(|| ProgressTimeout::begin(sink)).has_expired(sink)
    }

    /// Whether everything in flight is held forever.
    fn is_stuck(&self) -> bool {
        !self.chain.has_output() && self.chain.next_due().unwrap_or(self.chain.resumes()) == NEVER
    }

    /// The latest time to wake up. `NEVER` yields `None`.
    fn wake_at(&self, now: Moment) -> Option<Instant> {
        let resumes = self.chain.resumes();
        let resume = Some(resumes).filter(|_| resumes > now && self.wants_to_read());
        let deadline = self.chain.deadline().map(|(at, _)| at);
        let first = [resume, self.chain.next_due(), deadline].into_iter().flatten().min();
        let gives_up = self.progress_timeout.as_ref().map(ProgressTimeout::due);
        let check = Some(self.probe.next_check()).filter(|_| self.depends_on_client(now));
        let retry = (self.wants_to_read() && self.charge.room() == 0).then(|| Instant::now() + RETRY);
        let first = first.and_then(|first| self.path.instant(first));
        let pause = self.silence.next_poll().filter(|_| self.can_read(now));
        [first, check, gives_up, retry, pause].into_iter().flatten().min()
    }
}

/// Ends the connection if a toxic's deadline has passed, even if bytes are in flight.
pub fn end_by_deadline(state: &ConnectionState, chain: &mut Chain) -> Option<CloseMode> {
    let now = state.accepted_at.elapsed();
    let (_, close_mode) = chain.deadline().filter(|(at, _)| *at <= now)?;
    chain.record_deadline(now);
    emit_events(state, chain);
    Some(close_mode)
}

fn emit_events(state: &ConnectionState, chain: &mut Chain) {
    chain.events().for_each(|act| state.emit(ConnectionEvent::Injected(Fault::Toxic(&act))));
}

/// The number of bytes that the other direction has received.
pub fn other_carried(state: &ConnectionState, direction: Direction) -> u64 {
    state.progress(direction.opposite()).received.load(Ordering::Relaxed)
}

fn write(sink: &TcpStream, pieces: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(sink, pieces, &mut SendAncillaryBuffer::default(), flags)
}
