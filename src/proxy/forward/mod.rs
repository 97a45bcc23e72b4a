//! Forwards one direction of a connection from its first byte to its end: on the plain path while no toxic applies,
//! else on the toxic path. It can switch between the two at any byte. An end travels on: a FIN is forwarded as a FIN
//! while the other direction continues, and a reset ends both sides with a reset.

mod hold_limit;
mod pipe_pool;
mod plain_path;
mod side;
mod silence;
mod toxic_path;
mod unread;

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use self::plain_path::PlainPath;
use self::side::{Side, source_and_sink};
use self::toxic_path::{ToxicPath, other_carried};
use super::client::LINGER;
use super::live_route::Generation;
use super::shared::Shared;
use super::socket::acknowledgement::{await_acknowledgement, unacknowledged};
use super::socket::discard::discard;
use super::socket::wait::{Woken, wait, wait_for};
use super::state::{ConnectionState, Phase};
use crate::event::{CloseReason, ConnectionEvent, Path, logs_debug};
use crate::toxic::{Boundary, Chain, Target};
use crate::value::{CloseMode, Direction};

/// Why a path returned.
enum CopyOutcome {
    /// The toxic path must take over, starting with these received but unsent bytes: the toxics have changed, or the
    /// source was reset while its bytes wait for a full sink.
    HandOver(Vec<u8>),
    /// The toxics have changed. These bytes may have arrived after the change, so the new toxics apply to them.
    Changed(Boundary, Vec<u8>),
    /// No toxic applies any more, and the chain holds no bytes.
    Drained,
    /// The source has sent its FIN, and all bytes before it are written.
    Eof,
    /// The source was reset, and all bytes before that are written.
    SourceReset,
    /// The sink was reset or accepts no more bytes.
    SinkReset,
    /// No peer needs the held bytes any more.
    Abandoned(CloseReason),
    /// A toxic ends the connection.
    Ended(CloseMode),
}

/// One direction of a connection.
pub struct Forwarding<'a> {
    state: &'a ConnectionState,
    direction: Direction,
    source: Side<'a>,
    sink: Side<'a>,
    shared: &'a Shared,
    target: Target<'a>,
    generation: Arc<Generation>,
    /// Absent on the plain path.
    chain: Option<Chain>,
    /// The number of bytes that the other direction had received at this direction's last read.
    other_carried: u64,
}

impl<'a> Forwarding<'a> {
    pub fn new(state: &'a ConnectionState, upstream: &'a TcpStream, shared: &'a Shared, direction: Direction) -> Self {
        let (source, sink) = source_and_sink(state, upstream, direction);
        let (target, generation) = (state.target(), state.route.generation());
        let chain = generation.toxics.chain(&target, direction, 0);
        if let Some(chain) = &chain {
            state.watch(chain.sums());
        }
        Self { state, direction, source, sink, shared, target, generation, chain, other_carried: 0 }
    }

    /// Copies until the stream ends. Returns only when this direction has no more work, even for the other one.
    pub fn run(mut self) {
        loop {
            match self.copy() {
                CopyOutcome::HandOver(unsent) => self.take_over(&unsent, Boundary::None, &[]),
                CopyOutcome::Changed(boundary, fresh) => self.take_over(&[], boundary, &fresh),
                CopyOutcome::Drained => self.chain = None,
                CopyOutcome::Eof => return self.forward_fin(),
                CopyOutcome::SourceReset => return self.on_source_reset(),
                CopyOutcome::SinkReset => return self.on_sink_lost(),
                CopyOutcome::Abandoned(why) => return self.state.abort(why),
                CopyOutcome::Ended(close_mode) => return self.end_by_toxic(close_mode),
            }
        }
    }

    fn copy(&mut self) -> CopyOutcome {
        let Self { state, direction, source, sink, .. } = *self;
        let change = &self.generation.replaced;
        // Without the condition, the call would leave one more page of an idle thread's stack resident.
        if logs_debug() {
            let path = if self.chain.is_some() { Path::Toxic } else { Path::Plain };
            state.emit(ConnectionEvent::PathTaken(direction, path));
        }
        match &mut self.chain {
            None => PlainPath { source, sink, progress: state.progress(direction), change }.run(),
            Some(chain) => {
                let Shared { budget, stop, .. } = self.shared;
                let path = ToxicPath { state, direction, source, sink, budget, draining: stop.draining(), change };
                path.run(chain, &mut self.other_carried)
            }
        }
    }

    /// Continues with the route's current toxics. They act on `fresh`, but not on `unsent`.
    fn take_over(&mut self, unsent: &[u8], boundary: Boundary, fresh: &[u8]) {
        self.generation = self.state.route.generation();
        let now = self.state.accepted_at.elapsed();
        let toxics = &self.generation.toxics;
        let mut chain = if let Some(mut chain) = self.chain.take() {
            toxics.rebuild(&mut chain, &self.target, now);
            chain
        } else {
            let received = self.state.progress(self.direction).received.load(Ordering::Relaxed) - fresh.len() as u64;
            self.other_carried = other_carried(self.state, self.direction);
            toxics.chain_after(&self.target, self.direction, received, unsent, now)
        };
        chain.push(now, boundary, fresh);
        self.state.watch(chain.sums());
        self.chain = Some(chain);
    }

    /// Forwards the FIN, then watches the source until it is closed.
    fn forward_fin(&mut self) {
        self.state.half_close(self.direction);
        self.state.progress(self.direction).finished.store(true, Ordering::SeqCst);
        match self.sink.stream.shutdown(Shutdown::Write) {
            Ok(()) => self.wait_source_closed(),
            Err(_) => self.on_sink_lost(),
        }
    }

    /// A reset of the source resets both sides once the sink has acknowledged all bytes, unless the connection is
    /// closing already.
    fn on_source_reset(&mut self) {
        if self.state.phase() == Phase::Draining {
            discard(self.source.stream, Some(Instant::now() + LINGER));
        } else {
            while !await_acknowledgement(self.sink.stream, self.deadline(), Some(&self.generation.replaced))
                && self.generation.replaced.is_triggered()
            {
                self.take_over(&[], Boundary::None, &[]);
            }
            self.state.abort(self.source.reset_reason);
        }
    }

    /// A lost sink does not end the connection here. The other direction reads from it, and ends both sides once it has
    /// delivered all bytes from it.
    fn on_sink_lost(&mut self) {
        if self.state.phase() == Phase::Draining {
            discard(self.source.stream, Some(Instant::now() + LINGER));
        } else {
            self.wait_source_closed();
        }
    }

    /// Waits until the source is closed in both directions or a toxic's deadline passes. No other thread reads from the
    /// source, so only this one notices its reset, after its FIN or after the sink is lost.
    fn wait_source_closed(&mut self) {
        loop {
            let source = (self.source.stream, PollFlags::empty());
            match wait_for([source], self.deadline(), &self.generation.replaced) {
                Woken::Ready([revents]) if self.source.is_reset(revents) => return self.on_source_reset(),
                Woken::Ready(_) => return,
                Woken::Changed => self.take_over(&[], Boundary::None, &[]),
                Woken::Due => {
                    if let Some(close_mode) = self.end_by_deadline() {
                        return self.end_by_toxic(close_mode);
                    }
                }
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let (at, _) = self.chain.as_ref()?.deadline()?;
        self.state.accepted_at.checked_add(at)
    }

    fn end_by_deadline(&mut self) -> Option<CloseMode> {
        toxic_path::end_by_deadline(self.state, self.chain.as_mut()?)
    }

    fn end_by_toxic(&self, close_mode: CloseMode) {
        match close_mode {
            CloseMode::Reset => self.state.abort(CloseReason::ToxicReset),
            CloseMode::Close => self.close(),
        }
    }

    /// Sends a FIN to both sides and waits for theirs. A side that does not close, or has stopped reading, is reset in
    /// the end. A side that is still reading is not, because a reset would discard the bytes before the end.
    fn close(&self) {
        let due = Instant::now() + LINGER;
        self.state.begin_close(CloseReason::ToxicClosed);
        let sides = [self.source.stream, self.sink.stream];
        for side in sides {
            // Fails only if the side is already gone.
            let _ = side.shutdown(Shutdown::Write);
        }
        discard(self.source.stream, Some(due));
        if !wait_closed(sides, due) {
            self.state.abort(CloseReason::ToxicClosed);
        }
    }
}

/// Waits until both peers have closed. Returns false if one has not closed by `due`, or, if it was slow to read, within
/// `LINGER` after it has acknowledged everything up to our FIN.
fn wait_closed(sides: [&TcpStream; 2], mut due: Instant) -> bool {
    if sides.iter().any(|side| unacknowledged(side) > 0) {
        if sides.map(|side| await_acknowledgement(side, None, None)).contains(&false) {
            return false;
        }
        due = Instant::now() + LINGER;
    }
    sides.iter().all(|side| {
        let mut fds = [PollFd::new(*side, PollFlags::empty())];
        wait(&mut fds, Some(due));
        !fds[0].revents().is_empty()
    })
}
