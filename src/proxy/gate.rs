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

use super::acknowledgement::{Standstill, await_acknowledgement};
use super::client::Client;
use super::delay::DelayLine;
use super::side::Side;
use super::vigil::Vigil;
use super::wait::wait;
use crate::event::End;
use crate::plan::{Direction, Ending};
use crate::toxic::{Act, Chain, Moment, NEVER};

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
    Abandoned(End),
    /// A toxic ends the connection.
    Ended(Ending),
}

/// One direction of a connection.
pub struct Gate<'a> {
    pub client: &'a Client,
    pub direction: Direction,
    pub source: &'a Side<'a>,
    pub sink: &'a Side<'a>,
    /// What the chain's moments count from.
    pub opened_at: Instant,
    pub tell: &'a dyn Fn(&Act),
}

/// What is under way.
struct Passage<'a> {
    gate: &'a Gate<'a>,
    chain: &'a mut Chain,
    line: DelayLine,
    tail: Tail,
    vigil: Vigil,
    sink_is_full: bool,
    /// Of a sink that is full, once nothing more comes for it.
    standstill: Option<Standstill>,
    hearing: Hearing,
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
enum Tail {
    /// More bytes.
    Open,
    /// The source's FIN.
    Eof(Moment),
    /// The source's reset.
    Reset,
    /// The end that a toxic makes.
    Ended(Moment, Ending),
}

/// What the source may still tell beside the bytes that its kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hearing {
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

impl Gate<'_> {
    /// Passes bytes through `chain` until the stream ends, a side is lost or a toxic ends it.
    pub fn run(&self, chain: &mut Chain) -> Passed {
        let mut passage = Passage {
            gate: self,
            chain,
            line: DelayLine::default(),
            tail: Tail::Open,
            vigil: Vigil::begin(),
            sink_is_full: false,
            standstill: None,
            hearing: Hearing::Open,
            waiting: Waiting::default(),
        };
        loop {
            if let Err(passed) = passage.step() {
                return passed;
            }
        }
    }

    /// Ends the connection if a toxic's time for that has come, whatever is under way.
    pub fn strike(&self, chain: &mut Chain) -> Option<Ending> {
        let now = self.now();
        let (_, ending) = chain.deadline().filter(|(at, _)| *at <= now)?;
        chain.strike(now);
        self.tell_acts(chain);
        Some(ending)
    }

    /// When that time comes. A moment that no clock comes to is none.
    pub fn deadline(&self, chain: &Chain) -> Option<Instant> {
        chain.deadline().and_then(|(at, _)| self.opened_at.checked_add(at))
    }

    fn tell_acts(&self, chain: &mut Chain) {
        chain.acts().for_each(|act| (self.tell)(&act));
    }

    fn now(&self) -> Moment {
        self.opened_at.elapsed()
    }
}

impl Passage<'_> {
    fn step(&mut self) -> Result<(), Passed> {
        let now = self.gate.now();
        // What was due before a toxic's time came leaves, also where this thread is late for both.
        self.write_due(self.chain.deadline().map_or(now, |(at, _)| now.min(at)))?;
        if let Some(ending) = self.gate.strike(self.chain) {
            return Err(Passed::Ended(ending));
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
            match write(self.gate.sink.stream, &due) {
                Ok(written) => {
                    self.line.advance(written);
                    self.gate.sink.progress.bytes.fetch_add(written as u64, Ordering::Relaxed);
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
        if self.hearing == Hearing::Reset && (self.is_stuck() || self.sink_stands_still()) {
            return Err(Passed::SourceLost);
        }
        if !self.line.is_empty() {
            return Ok(());
        }
        match self.tail {
            Tail::Eof(at) if at <= now => Err(self.followed_by_a_reset(Passed::Eof)),
            Tail::Reset => Err(self.followed_by_a_reset(Passed::SourceLost)),
            Tail::Ended(at, ending) if at <= now => {
                if ending == Ending::Reset {
                    await_acknowledgement(self.gate.sink.stream, self.gate.deadline(self.chain));
                }
                Err(Passed::Ended(ending))
            }
            _ => Ok(()),
        }
    }

    /// What the upstream said before its reset is not lost by that: there is time for a peer that reads.
    fn followed_by_a_reset(&self, passed: Passed) -> Passed {
        if self.hearing == Hearing::Reset {
            await_acknowledgement(self.gate.sink.stream, self.gate.deadline(self.chain));
        }
        passed
    }

    /// Waits for whatever comes first.
    fn wait(&mut self, now: Moment) -> Result<Source, Passed> {
        let hungry = self.is_hungry(now);
        let mut fds = [
            PollFd::new(self.gate.sink.stream, self.sink_interest(now)),
            PollFd::new(self.gate.source.stream, self.source_interest(now)),
        ];
        let polled = if hungry || self.hearing == Hearing::Open { 2 } else { 1 };
        wait(&mut fds[..polled], self.wake_at(now));
        let [sink, source] = fds.map(|fd| fd.revents());
        if sink.intersects(PollFlags::ERR | PollFlags::HUP) {
            return Err(Passed::SinkLost);
        }
        if self.gate.source.is_reset(source) {
            self.hear_a_reset()?;
        } else if source.contains(PollFlags::HUP) {
            self.hearing = Hearing::HungUp;
        }
        self.look_after_the_client(now, sink, source)?;
        Ok(if hungry && !source.is_empty() { Source::Ready } else { Source::Quiet })
    }

    /// A reset of the upstream's goes behind what it has said, as it would in a network. A client that leaves frees
    /// everything at once.
    fn hear_a_reset(&mut self) -> Result<(), Passed> {
        self.hearing = Hearing::Reset;
        match self.gate.direction {
            Direction::Upstream => Err(Passed::SourceLost),
            Direction::Downstream => Ok(()),
        }
    }

    fn look_after_the_client(&mut self, now: Moment, sink: PollFlags, source: PollFlags) -> Result<(), Passed> {
        let told = match self.gate.direction {
            Direction::Upstream => source,
            Direction::Downstream => sink,
        };
        if !self.holds_in_vain(now) {
            return Ok(());
        }
        if self.gate.direction == Direction::Upstream && self.hearing == Hearing::HungUp {
            // Nobody is left to look at: the client has our FIN, and we have its own.
            return Err(Passed::Abandoned(End::ClientLeft));
        }
        if self.vigil.is_due(told)
            && let Err(why) = self.gate.client.look()
        {
            if self.has_had_its_say() {
                return Err(Passed::Abandoned(why));
            }
            // What it has said is on its way to the upstream still; only what is held for it goes.
            self.line = DelayLine::default();
        }
        Ok(())
    }

    /// Whether giving the client up would take nothing from the upstream that the other direction still has for it.
    fn has_had_its_say(&self) -> bool {
        match self.gate.direction {
            Direction::Upstream => true,
            Direction::Downstream => {
                self.hearing == Hearing::Reset || self.gate.source.progress.finished.load(Ordering::SeqCst)
            }
        }
    }

    fn read(&mut self) -> Result<(), Passed> {
        let most = self.chain.takes(self.gate.now());
        let mut buffer = vec![MaybeUninit::uninit(); most];
        match recv(self.gate.source.stream, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((_, 0)) if self.gate.source.torn() => self.read_a_reset()?,
            Ok((_, 0)) => self.tail = Tail::Eof(self.chain.finish(self.gate.now())),
            Ok(((bytes, _), _)) => {
                let arrived = self.arrival(bytes.len(), most);
                self.pass(arrived, bytes);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.read_a_reset()?,
        }
        self.gate.tell_acts(self.chain);
        Ok(())
    }

    fn read_a_reset(&mut self) -> Result<(), Passed> {
        self.tail = Tail::Reset;
        self.hear_a_reset()
    }

    /// When the bytes came that were just read: now, or when the source was last looked at, if they were there then. For
    /// those a pace goes on as if this thread were never late.
    fn arrival(&mut self, read: usize, most: usize) -> Moment {
        let now = self.gate.now();
        if let Some(left) = self.waiting.bytes.checked_sub(read) {
            self.waiting.bytes = left;
            return self.waiting.since;
        }
        let left = if read == most { ioctl_fionread(self.gate.source.stream).unwrap_or(0) } else { 0 };
        // Later than `now`: what came in between is not to leave early.
        self.waiting = Waiting { bytes: usize::try_from(left).unwrap_or(usize::MAX), since: self.gate.now() };
        now
    }

    fn pass(&mut self, arrived: Moment, bytes: &mut [u8]) {
        for span in self.chain.pass(arrived, bytes) {
            self.line.push(&bytes[span.range.clone()], span.at, span.edge);
        }
        if let Some((at, ending)) = self.chain.ended() {
            self.tail = Tail::Ended(at, ending);
        }
    }

    /// Whether more is taken from the source.
    fn is_hungry(&self, now: Moment) -> bool {
        matches!(self.tail, Tail::Open) && self.line.has_room() && self.chain.resumes() <= now
    }

    fn sink_interest(&self, now: Moment) -> PollFlags {
        let room = if self.sink_is_full { PollFlags::OUT } else { PollFlags::empty() };
        room | self.vigil_interest(now, Direction::Downstream)
    }

    fn source_interest(&self, now: Moment) -> PollFlags {
        let more = if self.is_hungry(now) { PollFlags::IN } else { PollFlags::empty() };
        more | self.vigil_interest(now, Direction::Upstream)
    }

    /// What the client is polled for, on the side where it is in that direction.
    fn vigil_interest(&self, now: Moment, direction: Direction) -> PollFlags {
        let is_client = self.gate.direction == direction;
        if is_client && self.holds_in_vain(now) { self.vigil.interest() } else { PollFlags::empty() }
    }

    /// Whether it would all be for nothing if the client were gone: what is held for it, or what is held back from the
    /// upstream for ever. What the upstream gets later, it gets, as from any client that sends something and leaves.
    fn holds_in_vain(&self, now: Moment) -> bool {
        let resumes = self.chain.resumes();
        match self.gate.direction {
            Direction::Upstream => self.is_stuck(),
            Direction::Downstream => {
                !self.line.is_empty() || self.tail_due().is_some() || resumes > now || self.chain.discards(now)
            }
        }
    }

    /// Whether the sink has been full for so long that it takes nothing more.
    fn sink_stands_still(&mut self) -> bool {
        let sink = self.gate.sink.stream;
        self.standstill = self.standstill.take().filter(|_| self.sink_is_full);
        self.sink_is_full && self.standstill.get_or_insert_with(|| Standstill::begin(sink)).is_over(sink)
    }

    /// Whether nothing that is under way will ever leave.
    fn is_stuck(&self) -> bool {
        self.line.next_due().or(self.tail_due()).unwrap_or(self.chain.resumes()) == NEVER
    }

    fn tail_due(&self) -> Option<Moment> {
        match self.tail {
            Tail::Open | Tail::Reset => None,
            Tail::Eof(at) | Tail::Ended(at, _) => Some(at),
        }
    }

    /// When to go on at the latest. A moment that no clock comes to is none.
    fn wake_at(&self, now: Moment) -> Option<Instant> {
        let resumes = self.chain.resumes();
        let resume = Some(resumes).filter(|_| resumes > now && matches!(self.tail, Tail::Open));
        let tail = self.tail_due().filter(|_| self.line.is_empty());
        let next = self.line.next_due().filter(|_| !self.sink_is_full);
        let deadline = self.chain.deadline().map(|(at, _)| at);
        let first = [resume, tail, next, deadline].into_iter().flatten().min();
        let gives_up = self.standstill.as_ref().map(Standstill::due);
        let look = Some(self.vigil.next_look()).filter(|_| self.holds_in_vain(now));
        first.and_then(|first| self.gate.opened_at.checked_add(first)).into_iter().chain(look).chain(gives_up).min()
    }
}

fn write(sink: &TcpStream, pieces: &[IoSlice<'_>]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(sink, pieces, &mut SendAncillaryBuffer::default(), flags)
}
