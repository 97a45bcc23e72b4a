//! The plain path: forwards bytes while no toxic applies. Small messages are copied through a buffer on the stack,
//! which is fastest for them. A bulk stream goes through a pipe without being copied (`pipe_pool`) until it is quiet.
//! An idle connection holds neither.

use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::CopyOutcome;
use super::pipe_pool::{self, Pipe};
use super::side::Side;
use crate::proxy::socket::options::READ_TIMEOUT;
use crate::proxy::socket::wait::{Woken, wait_for};
use crate::proxy::state::Progress;
use crate::scheduling::{self, Policy};
use crate::stop::Latch;
use crate::toxic::Boundary;

/// Fits most messages. The buffer is on the stack, where it takes no extra memory: an idle thread keeps two stack pages
/// resident, and both this buffer and the earlier work of the thread fit into them. A read that fills the buffer
/// indicates bulk.
const SMALL_BYTES: usize = 1024;

/// The buffer size for a bulk stream without a pipe. At 64 KiB the cost of the system calls is small compared with that
/// of copying.
const BULK_BYTES: usize = 64 * 1024;

/// A bulk stream ends after this long without bytes. It is longer than the shortest retransmission timeout (200 ms,
/// `TCP_RTO_MIN` in `include/net/tcp.h`), so that a single lost segment does not end it.
const QUIET_PERIOD: Duration = Duration::from_millis(250);

/// A bulk stream also ends after this many consecutive pieces that would fit the small buffer.
const SMALL_PIECES: u32 = 16;

/// The number of messages after which the thread changes its scheduling policy. For a shorter connection the change
/// would cost more than it gains.
const MANY_MESSAGES: u64 = 16;

/// One direction of a connection.
#[derive(Clone, Copy)]
pub struct PlainPath<'a> {
    pub source: Side<'a>,
    pub sink: Side<'a>,
    pub progress: &'a Progress,
    /// Triggered when the toxics change.
    pub change: &'a Latch,
}

/// How to wait for the source. A blocking read does not notice a change of the toxics, but saves one poll(2) per
/// message while messages follow each other closely: with the poll, 50 busy connections completed 12 % fewer requests.
/// A read that times out is followed by a poll, which does notice the change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// In a blocking read, for at most `READ_TIMEOUT`.
    InRead,
    /// In a poll, without a limit.
    InPoll,
}

impl PlainPath<'_> {
    /// Copies until the source ends, one side is lost or the toxics change.
    pub fn run(&self) -> CopyOutcome {
        loop {
            if let Err(outcome) = self.copy_small().and_then(|()| self.copy_bulk()) {
                scheduling::set(Policy::Normal);
                return outcome;
            }
        }
    }

    /// Copies message by message. Returns after a message that fills the buffer. Never inlined: the buffer would add to
    /// the stack below the calls that log the end of the connection, and their depth determines how many pages an idle
    /// thread keeps.
    #[inline(never)]
    fn copy_small(&self) -> Result<(), CopyOutcome> {
        let mut buffer = [MaybeUninit::uninit(); SMALL_BYTES];
        let (mut wait, mut messages) = (Wait::InRead, 0);
        loop {
            if wait == Wait::InPoll {
                wait = self.wait_in_poll()?;
            }
            match self.copy(&mut buffer)? {
                Some(SMALL_BYTES) => return Ok(()),
                Some(_) => messages += 1,
                None => wait = Wait::InPoll,
            }
            if messages == MANY_MESSAGES {
                scheduling::set(Policy::Batch);
            }
        }
    }

    /// Waits in a poll, and picks the next wait: a message that arrives soon is probably followed by another one.
    fn wait_in_poll(&self) -> Result<Wait, CopyOutcome> {
        let began = Instant::now();
        self.wait_for_more(None)?;
        Ok(if began.elapsed() < READ_TIMEOUT { Wait::InRead } else { Wait::InPoll })
    }

    /// Copies in bulk until the stream is quiet. Each piece borrows its own pipe or buffer, so that many bulk streams
    /// with pauses share a few.
    fn copy_bulk(&self) -> Result<(), CopyOutcome> {
        let _unblocked = Unblocked::new(self.sink.stream);
        let mut small_pieces = 0;
        while small_pieces < SMALL_PIECES && self.wait_for_more(Some(Instant::now() + QUIET_PERIOD))? {
            let moved = match pipe_pool::borrow() {
                Some(mut pipe) => self.splice(&mut pipe)?,
                None => self.copy_buffered()?,
            };
            small_pieces = if moved < SMALL_BYTES { small_pieces + 1 } else { 0 };
        }
        Ok(())
    }

    /// Moves one piece through a pipe. Returns its length.
    fn splice(&self, pipe: &mut Pipe) -> Result<usize, CopyOutcome> {
        match pipe.read_from(self.source.stream) {
            // splice(2) also returns 0 at an urgent mark, although more bytes follow (`tcp_read_sock` in
            // `net/ipv4/tcp.c`). Only a read shows whether the stream has ended. And some sockets can't be spliced.
            Ok(0) | Err(Errno::INVAL) => self.copy_buffered(),
            Ok(read) => {
                self.progress.received.fetch_add(read as u64, Ordering::Relaxed);
                if self.change.is_triggered() {
                    return Err(changed(pipe.take_rest()));
                }
                self.empty(pipe).map(|()| read)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(_) => Err(CopyOutcome::SourceReset),
        }
    }

    fn empty(&self, pipe: &mut Pipe) -> Result<(), CopyOutcome> {
        while !pipe.is_empty() {
            match pipe.write_to(self.sink.stream) {
                Ok(written) => self.count_sent(written),
                Err(Errno::AGAIN) if self.has_room() => {}
                Err(Errno::AGAIN) => return Err(CopyOutcome::HandOver(pipe.take_rest())),
                Err(Errno::INTR) => {}
                Err(_) => return Err(CopyOutcome::SinkReset),
            }
        }
        Ok(())
    }

    fn copy_buffered(&self) -> Result<usize, CopyOutcome> {
        Ok(self.copy(&mut vec![MaybeUninit::uninit(); BULK_BYTES])?.unwrap_or(0))
    }

    /// Reads once and writes all of it. Returns the number of bytes, or `None` if none arrived in time.
    fn copy(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<usize>, CopyOutcome> {
        let received = recv(self.source.stream, &mut *buffer, RecvFlags::empty());
        // The new toxics apply to bytes that arrived after the change. A FIN need not be passed on: it can be read
        // again.
        let has_changed = self.change.is_triggered();
        match received {
            Ok((_, 0)) if has_changed => Err(changed(Vec::new())),
            Ok((_, 0)) if self.source.eof_is_reset() => Err(CopyOutcome::SourceReset),
            Ok((_, 0)) => Err(CopyOutcome::Eof),
            Ok(((bytes, _), read)) => {
                self.progress.received.fetch_add(read as u64, Ordering::Relaxed);
                if has_changed {
                    return Err(changed(bytes.to_vec()));
                }
                self.write_all(bytes)?;
                Ok(Some(read))
            }
            // The read timed out, or the other direction has made this socket non-blocking for bulk.
            Err(Errno::AGAIN) => Ok(None),
            Err(Errno::INTR) => Ok(Some(0)),
            Err(_) => Err(CopyOutcome::SourceReset),
        }
    }

    fn write_all(&self, mut bytes: &[u8]) -> Result<(), CopyOutcome> {
        while !bytes.is_empty() {
            match send(self.sink.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(written) => {
                    self.count_sent(written);
                    bytes = &bytes[written..];
                }
                Err(Errno::AGAIN) if self.has_room() => {}
                Err(Errno::AGAIN) => return Err(CopyOutcome::HandOver(bytes.to_vec())),
                Err(Errno::INTR) => {}
                Err(_) => return Err(CopyOutcome::SinkReset),
            }
        }
        Ok(())
    }

    /// Waits until the source is readable. Returns false if `due` passes first.
    fn wait_for_more(&self, due: Option<Instant>) -> Result<bool, CopyOutcome> {
        match wait_for([(self.source.stream, PollFlags::IN)], due, self.change) {
            Woken::Ready(_) => Ok(true),
            Woken::Due => Ok(false),
            Woken::Changed => Err(changed(Vec::new())),
        }
    }

    /// Waits until a full sink is writable again. Returns false if the toxics change or the source is reset: then the
    /// toxic path takes over, which limits how long the bytes of a reset source wait.
    fn has_room(&self) -> bool {
        let (sink, source) = ((self.sink.stream, PollFlags::OUT), (self.source.stream, PollFlags::empty()));
        match wait_for([sink, source], None, self.change) {
            Woken::Ready([_, source]) if self.source.is_reset(source) => false,
            // The source has closed cleanly in both directions. It has no more events to report, but its hang-up would
            // end every poll at once.
            Woken::Ready([sink_events, _]) if sink_events.is_empty() => {
                wait_for([sink], None, self.change) != Woken::Changed
            }
            woken => woken != Woken::Changed,
        }
    }

    fn count_sent(&self, bytes: usize) {
        self.progress.count_sent(bytes);
    }
}

/// The boundary is not known here, and is not needed: a new chain starts a new segment in any case.
fn changed(fresh: Vec<u8>) -> CopyOutcome {
    CopyOutcome::Changed(Boundary::None, fresh)
}

/// Makes a sink non-blocking until it is dropped. `SPLICE_F_NONBLOCK` affects only the pipe: whether splicing into a
/// socket blocks depends on the socket's own mode (`splice_to_socket` in `fs/splice.c`). Each socket is the sink of one
/// direction only, so two of these never overlap.
struct Unblocked<'a>(&'a TcpStream);

impl<'a> Unblocked<'a> {
    fn new(sink: &'a TcpStream) -> Self {
        // FIONBIO can't fail on an open socket.
        let _ = sink.set_nonblocking(true);
        Self(sink)
    }
}

impl Drop for Unblocked<'_> {
    fn drop(&mut self) {
        // If the socket stayed non-blocking, every read would need a poll first: slower, but correct.
        let _ = self.0.set_nonblocking(false);
    }
}
