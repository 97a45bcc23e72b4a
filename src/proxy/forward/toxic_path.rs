//! One direction of a connection that toxics act on: the one actuator. It reads, asks the chain what becomes of what it
//! has read, and writes each byte when it is due. What a toxic does is `toxic`; what waits is in `delay`.
//!
//! One thread does all of it, by poll(2) and calls that don't block: a delay needs no thread of its own.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};

use crate::event::CloseReason;
use crate::proxy::forward::delay_queue::DelayLine;
use crate::proxy::forward::side::Side;
use crate::proxy::socket::acknowledgement::{Standstill, await_acknowledgement};
use crate::proxy::socket::liveness::LivenessProbe;
use crate::proxy::socket::wait::wait;
use crate::proxy::state::Client;
use crate::toxic::{Chain, Moment, NEVER, ToxicEvent};
use crate::value::{CloseMode, Direction};

/// How a direction came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// All is written, and the source's FIN is due.
    Eof,
    /// The source was reset.
    SourceLost,
    /// The sink was reset, or takes no more.
    SinkLost,
    /// The client is gone, and nobody waits for what is held.
    Abandoned(CloseReason),
    /// A toxic ends the connection.
    Ended(CloseMode),
}

/// One direction of a connection.
pub struct ToxicPath<'a> {
    pub client: &'a Client,
    pub direction: Direction,
    pub source: &'a Side<'a>,
    pub sink: &'a Side<'a>,
    /// What the chain's moments count from.
    pub opened_at: Instant,
    pub tell: &'a dyn Fn(&ToxicEvent),
}

/// What is under way.
struct PathState<'a> {
    toxic_path: &'a ToxicPath<'a>,
    chain: &'a mut Chain,
    line: DelayLine,
    pending_end: PendingEnd,
    probe: LivenessProbe,
    sink_is_full: bool,
    /// Of a sink that is full, once nothing more comes for it.
    standstill: Option<Standstill>,
    source_state: SourceState,
    /// What the source's kernel still has of what it had when it was last asked.
    waiting: Waiting,
}

/// Bytes that have arrived and wait to be taken.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    bytes: usize,
    since: Moment,
}

/// What comes behind the line.
#[derive(Clone, Copy, Debug)]
enum PendingEnd {
    /// More bytes.
    Open,
    /// The source's FIN.
    Eof(Moment),
    /// The source's reset.
    Reset,
    /// The end that a toxic makes.
    Ended(Moment, CloseMode),
}

/// What the source may still tell beside the bytes that its kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SourceState {
    Open,
    /// It has finished in both directions: it has nothing more to tell, and would end every poll at once.
    HungUp,
    /// It was reset, and neither has it.
    Reset,
}

/// Whether there may be something to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Ready,
    Quiet,
}

impl ToxicPath<'_> {
    /// Passes bytes through `chain` until the stream ends, a side is lost or a toxic ends it.
    pub fn run(&self, chain: &mut Chain) -> Passed {
        let mut passage = PathState {
            toxic_path: self,
            chain,
            line: DelayLine::default(),
            pending_end: PendingEnd::Open,
            probe: LivenessProbe::begin(),
            sink_is_full: false,
            standstill: None,
            source_state: SourceState::Open,
            waiting: Waiting::default(),
        };
        loop {
            if let Err(passed) = passage.step() {
                return passed;
            }
        }
    }

    /// Ends the connection if a toxic's time for that has come, whatever is under way.
    pub fn strike(&self, chain: &mut Chain) -> Option<CloseMode> {
        let now = self.now();
        let (_, close_mode) = chain.deadline().filter(|(at, _)| *at <= now)?;
        chain.strike(now);
        self.emit_events(chain);
        Some(close_mode)
    }

    /// When that time comes. A moment that no clock comes to is none.
    pub fn deadline(&self, chain: &Chain) -> Option<Instant> {
        chain.deadline().and_then(|(at, _)| self.opened_at.checked_add(at))
    }

    fn emit_events(&self, chain: &mut Chain) {
        chain.acts().for_each(|act| (self.tell)(&act));
    }

    fn now(&self) -> Moment {
        self.opened_at.elapsed()
    }
}

impl PathState<'_> {
    fn step(&mut self) -> Result<(), Passed> {
        let now = self.toxic_path.now();
        // What was due before a toxic's time came leaves, also where this thread is late for both.
        self.write_due(self.chain.deadline().map_or(now, |(at, _)| now.min(at)))?;
        if let Some(close_mode) = self.toxic_path.strike(self.chain) {
            return Err(Passed::Ended(close_mode));
        }
        self.conclude(now)?;
        match self.wait(now)? {
            Source::Ready => self.read(),
            Source::Quiet => Ok(()),
        }
    }

    fn write_due(&mut self, now: Moment) -> Result<(), Passed> {
        loop {
            let due = self.line.due(now);
            if due.is_empty() {
                self.sink_is_full = false;
                return Ok(());
            }
            match write(self.toxic_path.sink.stream, &due) {
                Ok(written) => {
                    self.line.advance(written);
                    self.toxic_path.sink.progress.bytes.fetch_add(written as u64, Ordering::Relaxed);
                }
                Err(Errno::AGAIN) => {
                    self.sink_is_full = true;
                    return Ok(());
                }
                Err(Errno::INTR) => {}
                Err(_) => return Err(Passed::SinkLost),
            }
        }
    }

    /// Ends if there is nothing left to pass on, or nobody to pass it on to.
    fn conclude(&mut self, now: Moment) -> Result<(), Passed> {
        if self.source_state == SourceState::Reset && (self.is_stuck() || self.sink_stands_still()) {
            return Err(Passed::SourceLost);
        }
        if !self.line.is_empty() {
            return Ok(());
        }
        match self.pending_end {
            PendingEnd::Eof(at) if at <= now => Err(self.followed_by_a_reset(Passed::Eof)),
            PendingEnd::Reset => Err(self.followed_by_a_reset(Passed::SourceLost)),
            PendingEnd::Ended(at, close_mode) if at <= now => {
                if close_mode == CloseMode::Reset {
                    await_acknowledgement(self.toxic_path.sink.stream, self.toxic_path.deadline(self.chain));
                }
                Err(Passed::Ended(close_mode))
            }
            _ => Ok(()),
        }
    }

    /// What the upstream said before its reset is not lost by that: there is time for a peer that reads.
    fn followed_by_a_reset(&self, passed: Passed) -> Passed {
        if self.source_state == SourceState::Reset {
            await_acknowledgement(self.toxic_path.sink.stream, self.toxic_path.deadline(self.chain));
        }
        passed
    }

    /// Waits for whatever comes first.
    fn wait(&mut self, now: Moment) -> Result<Source, Passed> {
        let can_read = self.can_read(now);
        let mut fds = [
            PollFd::new(self.toxic_path.sink.stream, self.sink_interest(now)),
            PollFd::new(self.toxic_path.source.stream, self.source_interest(now)),
        ];
        let polled = if can_read || self.source_state == SourceState::Open { 2 } else { 1 };
        wait(&mut fds[..polled], self.wake_at(now));
        let [sink, source] = fds.map(|fd| fd.revents());
        if sink.intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(Passed::SinkLost);
        }
        if self.toxic_path.source.is_reset(source) {
            self.note_reset()?;
        } else if source.contains(PollFlags::HUP) {
            self.source_state = SourceState::HungUp;
        }
        self.look_after_the_client(now, sink, source)?;
        Ok(if can_read && !source.is_empty() { Source::Ready } else { Source::Quiet })
    }

    /// A reset of the upstream's goes behind what it has said, as it would in a network. A client that leaves frees
    /// everything at once.
    fn note_reset(&mut self) -> Result<(), Passed> {
        self.source_state = SourceState::Reset;
        match self.toxic_path.direction {
            Direction::Upstream => Err(Passed::SourceLost),
            Direction::Downstream => Ok(()),
        }
    }

    fn look_after_the_client(&mut self, now: Moment, sink: PollFlags, source: PollFlags) -> Result<(), Passed> {
        let told = match self.toxic_path.direction {
            Direction::Upstream => source,
            Direction::Downstream => sink,
        };
        if !self.depends_on_client(now) {
            return Ok(());
        }
        if self.toxic_path.direction == Direction::Upstream && self.source_state == SourceState::HungUp {
            // Nobody is left to look at: the client has our FIN, and we have its own.
            return Err(Passed::Abandoned(CloseReason::ClientLeft));
        }
        if self.probe.is_due(told)
            && let Err(why) = self.toxic_path.client.look()
        {
            if self.can_abandon() {
                return Err(Passed::Abandoned(why));
            }
            // What it has said is on its way to the upstream still; only what is held for it goes.
            self.line = DelayLine::default();
        }
        Ok(())
    }

    /// Whether giving the client up would take nothing from the upstream that the other direction still has for it.
    fn can_abandon(&self) -> bool {
        match self.toxic_path.direction {
            Direction::Upstream => true,
            Direction::Downstream => {
                self.source_state == SourceState::Reset
                    || self.toxic_path.source.progress.finished.load(Ordering::SeqCst)
            }
        }
    }

    fn read(&mut self) -> Result<(), Passed> {
        let most = self.chain.takes(self.toxic_path.now());
        let mut buffer = vec![MaybeUninit::uninit(); most];
        match recv(self.toxic_path.source.stream, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) if self.toxic_path.source.eof_is_reset() => self.read_reset()?,
            Ok((_, 0)) => self.pending_end = PendingEnd::Eof(self.chain.finish(self.toxic_path.now())),
            Ok(((bytes, _), _)) => {
                let arrived = self.arrival(bytes.len(), most);
                self.pass(arrived, bytes);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.read_reset()?,
        }
        self.toxic_path.emit_events(self.chain);
        Ok(())
    }

    fn read_reset(&mut self) -> Result<(), Passed> {
        self.pending_end = PendingEnd::Reset;
        self.note_reset()
    }

    /// When the bytes came that were just read: now, or when the source was last looked at, if they were there then. For
    /// those a pace goes on as if this thread were never late.
    fn arrival(&mut self, read: usize, most: usize) -> Moment {
        let now = self.toxic_path.now();
        if let Some(left) = self.waiting.bytes.checked_sub(read) {
            self.waiting.bytes = left;
            return self.waiting.since;
        }
        let left = if read == most { ioctl_fionread(self.toxic_path.source.stream).unwrap_or(0) } else { 0 };
        // Later than `now`: what came in between is not to leave early.
        self.waiting = Waiting { bytes: usize::try_from(left).unwrap_or(usize::MAX), since: self.toxic_path.now() };
        now
    }

    fn pass(&mut self, arrived: Moment, bytes: &mut [u8]) {
        for span in self.chain.pass(arrived, bytes) {
            self.line.push(&bytes[span.range.clone()], span.at, span.edge);
        }
        if let Some((at, close_mode)) = self.chain.ended() {
            self.pending_end = PendingEnd::Ended(at, close_mode);
        }
    }

    /// Whether more is taken from the source.
    fn can_read(&self, now: Moment) -> bool {
        matches!(self.pending_end, PendingEnd::Open) && self.line.has_room() && self.chain.resumes() <= now
    }

    fn sink_interest(&self, now: Moment) -> PollFlags {
        let room = if self.sink_is_full { PollFlags::OUT } else { PollFlags::empty() };
        room | self.vigil_interest(now, Direction::Downstream)
    }

    fn source_interest(&self, now: Moment) -> PollFlags {
        let more = if self.can_read(now) { PollFlags::IN } else { PollFlags::empty() };
        more | self.vigil_interest(now, Direction::Upstream)
    }

    /// What the client is polled for, on the side where it is in that direction.
    fn vigil_interest(&self, now: Moment, direction: Direction) -> PollFlags {
        let is_client = self.toxic_path.direction == direction;
        if is_client && self.depends_on_client(now) { self.probe.interest() } else { PollFlags::empty() }
    }

    /// Whether it would all be for nothing if the client were gone: what is held for it, or what is held back from the
    /// upstream for ever. What the upstream gets later, it gets, as from any client that sends something and leaves.
    fn depends_on_client(&self, now: Moment) -> bool {
        let resumes = self.chain.resumes();
        match self.toxic_path.direction {
            Direction::Upstream => self.is_stuck(),
            Direction::Downstream => {
                !self.line.is_empty() || self.pending_end_due().is_some() || resumes > now || self.chain.discards(now)
            }
        }
    }

    /// Whether the sink has been full for so long that it takes nothing more.
    fn sink_stands_still(&mut self) -> bool {
        let sink = self.toxic_path.sink.stream;
        self.standstill = self.standstill.take().filter(|_| self.sink_is_full);
        self.sink_is_full && self.standstill.get_or_insert_with(|| Standstill::begin(sink)).is_over(sink)
    }

    /// Whether nothing that is under way will ever leave.
    fn is_stuck(&self) -> bool {
        self.line.next_due().or(self.pending_end_due()).unwrap_or(self.chain.resumes()) == NEVER
    }

    fn pending_end_due(&self) -> Option<Moment> {
        match self.pending_end {
            PendingEnd::Open | PendingEnd::Reset => None,
            PendingEnd::Eof(at) | PendingEnd::Ended(at, _) => Some(at),
        }
    }

    /// When to go on at the latest. A moment that no clock comes to is none.
    fn wake_at(&self, now: Moment) -> Option<Instant> {
        let resumes = self.chain.resumes();
        let resume = Some(resumes).filter(|_| resumes > now && matches!(self.pending_end, PendingEnd::Open));
        let pending_end = self.pending_end_due().filter(|_| self.line.is_empty());
        let next = self.line.next_due().filter(|_| !self.sink_is_full);
        let deadline = self.chain.deadline().map(|(at, _)| at);
        let first = [resume, pending_end, next, deadline].into_iter().flatten().min();
        let gives_up = self.standstill.as_ref().map(Standstill::due);
        let look = Some(self.probe.next_look()).filter(|_| self.depends_on_client(now));
        first
            .and_then(|first| self.toxic_path.opened_at.checked_add(first))
            .into_iter()
            .chain(look)
            .chain(gives_up)
            .min()
    }
}

fn write(sink: &TcpStream, pieces: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(sink, pieces, &mut SendAncillaryBuffer::default(), flags)
}
