//! How the bytes of one direction move, from its first one to its end: on the plain path while no toxic acts, on the toxic
//! path else, and from one to the other at any byte. And how the ends of both directions meet: a FIN travels on as a FIN
//! while the other direction runs on, and a reset ends both sides with a reset.

mod pipe_pool;
mod plain_path;
mod side;
mod silence;
mod toxic_path;

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};

use self::plain_path::PlainPath;
use self::side::{Side, ends};
use self::toxic_path::{ToxicPath, other_carried};
use super::budget::Budget;
use super::client::LINGER;
use super::live_route::Generation;
use super::socket::acknowledgement::{await_acknowledgement, unacknowledged};
use super::socket::discard::discard;
use super::socket::wait::{Woken, wait, wait_for};
use super::state::{ConnectionState, Phase};
use crate::event::CloseReason;
use crate::toxic::{Boundary, Chain, Target};
use crate::value::{CloseMode, Direction};

/// What a path came to.
enum CopyOutcome {
    /// The toxic path has to go on, before all else with these bytes, which were received and not sent: the toxics have
    /// changed, or what a reset source has sent waits for a slow sink.
    HandOver(Vec<u8>),
    /// The toxics have changed, maybe before these bytes came, which therefore meet the present ones.
    Changed(Boundary, Vec<u8>),
    /// No toxic acts any more, and none holds anything.
    Drained,
    /// The source has sent its FIN, and all before it is written.
    Eof,
    /// The source was reset, and all before that is written.
    SourceReset,
    /// The sink was reset, or takes no more.
    SinkReset,
    /// No peer waits for what is held.
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
    budget: &'a Budget,
    target: Target,
    generation: Arc<Generation>,
    /// Absent on the plain path.
    chain: Option<Chain>,
    /// What the other direction had received when this one last did.
    other_carried: u64,
}

impl<'a> Forwarding<'a> {
    pub fn new(state: &'a ConnectionState, upstream: &'a TcpStream, budget: &'a Budget, direction: Direction) -> Self {
        let (source, sink) = ends(state, upstream, direction);
        let (target, generation) = (state.target(), state.route.generation());
        let chain = generation.toxics.chain(&target, direction, 0);
        if let Some(chain) = &chain {
            state.watch(chain.sums());
        }
        Self { state, direction, source, sink, budget, target, generation, chain, other_carried: 0 }
    }

    /// Copies to the end. Comes back only when the connection as a whole needs this direction no more.
    pub fn run(mut self) {
        loop {
            match self.copy() {
                CopyOutcome::HandOver(unsent) => self.take_over(&unsent, Boundary::None, &[]),
                CopyOutcome::Changed(boundary, fresh) => self.take_over(&[], boundary, &fresh),
                CopyOutcome::Drained => self.chain = None,
                CopyOutcome::Eof => return self.pass_fin_on(),
                CopyOutcome::SourceReset => return self.lose_source(),
                CopyOutcome::SinkReset => return self.lose_sink(),
                CopyOutcome::Abandoned(why) => return self.state.abort(why),
                CopyOutcome::Ended(close_mode) => return self.end_by_toxic(close_mode),
            }
        }
    }

    fn copy(&mut self) -> CopyOutcome {
        let Self { state, direction, source, sink, .. } = *self;
        let change = &self.generation.replaced;
        match &mut self.chain {
            None => PlainPath { source, sink, progress: state.progress(direction), change }.run(),
            Some(chain) => {
                let path = ToxicPath { state, direction, source, sink, budget: self.budget, change };
                path.run(chain, &mut self.other_carried)
            }
        }
    }

    /// Goes on with the present toxics: those act on `fresh` bytes, and not on those that wait to be sent.
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

    /// Sends the FIN on, and stays.
    fn pass_fin_on(&mut self) {
        self.state.half_close(self.direction);
        self.state.progress(self.direction).finished.store(true, Ordering::SeqCst);
        match self.sink.stream.shutdown(Shutdown::Write) {
            Ok(()) => self.wait_source_closed(),
            Err(_) => self.lose_sink(),
        }
    }

    /// A source that is reset ends both sides, after the sink has got what it had sent; unless they are being closed anyway.
    fn lose_source(&mut self) {
        if self.state.phase() == Phase::Draining {
            discard(self.source.stream, Some(Instant::now() + LINGER));
        } else {
            await_acknowledgement(self.sink.stream, self.deadline());
            self.state.abort(self.source.reset_reason);
        }
    }

    /// The other direction reads from a sink that is lost, and ends both sides once what that had sent is delivered.
    fn lose_sink(&mut self) {
        if self.state.phase() == Phase::Draining {
            discard(self.source.stream, Some(Instant::now() + LINGER));
        } else {
            self.wait_source_closed();
        }
    }

    /// Stays until the source is closed in both directions, or a toxic's time has come: a source that has finished its
    /// sending, or whose bytes no peer takes any more, may still be reset, and no other thread reads from it.
    fn wait_source_closed(&mut self) {
        loop {
            let source = (self.source.stream, PollFlags::empty());
            match wait_for([source], self.deadline(), &self.generation.replaced) {
                Woken::Ready([revents]) if self.source.is_reset(revents) => return self.lose_source(),
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

    /// Ends both sides with a FIN, and waits until they have ended theirs. A side that does not is reset in the end, and so
    /// is one that does not read; not while it is still reading, which would discard what passed before the end.
    fn close(&self) {
        let due = Instant::now() + LINGER;
        self.state.begin_close(CloseReason::ToxicClosed);
        let sides = [self.source.stream, self.sink.stream];
        for side in sides {
            // It fails only for a side that is gone.
            let _ = side.shutdown(Shutdown::Write);
        }
        discard(self.source.stream, Some(due));
        if !have_hung_up(sides, due) {
            self.state.abort(CloseReason::ToxicClosed);
        }
    }
}

/// Waits until `sides` are closed in both directions; returns whether they were before `due`, or soon after they had
/// everything up to our FINs.
fn have_hung_up(sides: [&TcpStream; 2], mut due: Instant) -> bool {
    if sides.iter().any(|side| unacknowledged(side) > 0) {
        if sides.map(|side| await_acknowledgement(side, None)).contains(&false) {
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
