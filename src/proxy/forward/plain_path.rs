//! The plain path: moves bytes from one socket to another while no toxic acts on them. Small messages go through a buffer
//! on the stack, as reading and writing is the quickest way for them; a bulk stream goes through a pipe, without being
//! copied (`pipe_pool`), until it falls quiet. So an idle connection holds neither.

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
use crate::proxy::socket::wait::{Woken, wait_for};
use crate::proxy::state::Progress;
use crate::scheduling::{self, Policy};
use crate::stop::Latch;
use crate::toxic::Boundary;

/// Room for most messages, on the stack, where it costs nothing: an idle thread has two pages of it resident, and this
/// and all that its connection's thread did before fit in there. A read that fills it means that more is coming.
const SMALL_BYTES: usize = 1024;

/// The buffer of a bulk stream without a pipe: at 64 KiB the cost of the calls is small beside that of copying.
const BULK_BYTES: usize = 64 * 1024;

/// A bulk stream is over when nothing comes for this long, which is longer than a retransmission takes (200 ms at least,
/// `TCP_RTO_MIN` in `include/net/tcp.h`), so that a real network's hiccup does not end it.
const QUIET: Duration = Duration::from_millis(250);

/// Or when that many pieces in a row would have fit into the small buffer.
const SMALL_PIECES: u32 = 16;

/// How long a read may block while messages follow each other closely. It ends at no change of the toxics, but spares
/// each message a poll(2), which took 12 % of the requests of 50 busy connections. A read that has waited for that long
/// is followed by a poll, which ends at once when the toxics change.
const BUSY: Duration = Duration::from_millis(20);

/// A connection with more messages than this is worth a scheduling policy of its own; a short one would only pay for it.
const MANY_MESSAGES: u64 = 16;

/// One direction of a connection.
#[derive(Clone, Copy)]
pub struct PlainPath<'a> {
    pub source: Side<'a>,
    pub sink: Side<'a>,
    pub progress: &'a Progress,
    /// Triggered when toxics may have come.
    pub change: &'a Latch,
}

/// How the source is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// In a read, for a short time.
    InRead,
    /// In a poll, for any time.
    InPoll,
}

impl PlainPath<'_> {
    /// Copies until the source ends, one of the two is lost or the toxics change.
    pub fn run(&self) -> CopyOutcome {
        let outcome = self.copy_all();
        scheduling::set(Policy::Normal);
        outcome
    }

    fn copy_all(&self) -> CopyOutcome {
        // It fails for a time of zero only.
        let _ = self.source.stream.set_read_timeout(Some(BUSY));
        loop {
            if let Err(outcome) = self.copy_small().and_then(|()| self.copy_bulk()) {
                return outcome;
            }
        }
    }

    /// Copies message by message; returns once there is more than a small one. Never inlined: its buffer would lie under
    /// the calls that log the end of the connection, whose depth decides how many pages an idle thread has.
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

    /// Returns how to wait for the next message: the shorter this one took to come, the sooner that is.
    fn wait_in_poll(&self) -> Result<Wait, CopyOutcome> {
        let began = Instant::now();
        self.wait_for_more(None)?;
        Ok(if began.elapsed() < BUSY { Wait::InRead } else { Wait::InPoll })
    }

    /// Returns once the stream has fallen quiet. A pipe or a buffer is taken for each piece and not held while there is
    /// none: many bulk streams with pauses share a few.
    fn copy_bulk(&self) -> Result<(), CopyOutcome> {
        let _unblocked = Unblocked::new(self.sink.stream);
        let mut small_pieces = 0;
        while small_pieces < SMALL_PIECES && self.wait_for_more(Some(Instant::now() + QUIET))? {
            let moved = match pipe_pool::borrow() {
                Some(mut pipe) => self.splice(&mut pipe)?,
                None => self.copy_buffered()?,
            };
            small_pieces = if moved < SMALL_BYTES { small_pieces + 1 } else { 0 };
        }
        Ok(())
    }

    /// One piece through a pipe; returns how much it was.
    fn splice(&self, pipe: &mut Pipe) -> Result<usize, CopyOutcome> {
        match pipe.fill(self.source.stream) {
            // At an urgent mark there is nothing to splice either, though more follows (`tcp_read_sock` in
            // `net/ipv4/tcp.c`): only a read finds out whether it is the end. And not every socket can be spliced.
            Ok(0) | Err(Errno::INVAL) => self.copy_buffered(),
            Ok(filled) => {
                self.progress.received.fetch_add(filled as u64, Ordering::Relaxed);
                if self.change.is_triggered() {
                    return Err(changed(pipe.take_rest()));
                }
                self.empty(pipe).map(|()| filled)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(_) => Err(CopyOutcome::SourceReset),
        }
    }

    fn empty(&self, pipe: &mut Pipe) -> Result<(), CopyOutcome> {
        while !pipe.is_empty() {
            match pipe.pour(self.sink.stream) {
                Ok(poured) => self.count_sent(poured),
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

    /// One read and what it takes to write it; returns how much it was. None if nothing came in time.
    fn copy(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<usize>, CopyOutcome> {
        let received = recv(self.source.stream, &mut *buffer, RecvFlags::empty());
        // What has come after the toxics have changed meets the present ones. A stream's end is there to be read again.
        let has_changed = self.change.is_triggered();
        match received {
            Ok((_, 0)) | Err(_) if has_changed => Err(changed(Vec::new())),
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
            // Reads don't block either while the other direction has bulk for our source.
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

    /// Waits until there is something to read; returns whether that was before `due`.
    fn wait_for_more(&self, due: Option<Instant>) -> Result<bool, CopyOutcome> {
        match wait_for([(self.source.stream, PollFlags::IN)], due, self.change) {
            Woken::Ready(_) => Ok(true),
            Woken::Due => Ok(false),
            Woken::Changed => Err(changed(Vec::new())),
        }
    }

    /// Waits until a full sink takes more; returns whether it does. Else the toxics have changed, or the source was reset:
    /// the toxic path knows how long what that has sent may wait.
    fn has_room(&self) -> bool {
        let (sink, source) = ((self.sink.stream, PollFlags::OUT), (self.source.stream, PollFlags::empty()));
        match wait_for([sink, source], None, self.change) {
            Woken::Ready([_, source]) if self.source.is_reset(source) => false,
            // Closed in both directions in good order: it has nothing more to report, and would end every poll at once.
            Woken::Ready([sink_events, _]) if sink_events.is_empty() => {
                wait_for([sink], None, self.change) != Woken::Changed
            }
            woken => woken != Woken::Changed,
        }
    }

    fn count_sent(&self, bytes: usize) {
        self.progress.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A new chain begins as after a turn of the conversation.
fn changed(fresh: Vec<u8>) -> CopyOutcome {
    CopyOutcome::Changed(Boundary::None, fresh)
}

/// A sink that refuses instead of waiting, as long as this lives. `SPLICE_F_NONBLOCK` is about the pipe only: whether
/// splicing into a socket waits depends on the socket's own mode (`splice_to_socket` in `fs/splice.c`). Only one direction
/// writes to a socket, so that no two of these are about the same one.
struct Unblocked<'a>(&'a TcpStream);

impl<'a> Unblocked<'a> {
    fn new(sink: &'a TcpStream) -> Self {
        // FIONBIO can't fail for a socket that is open.
        let _ = sink.set_nonblocking(true);
        Self(sink)
    }
}

impl Drop for Unblocked<'_> {
    fn drop(&mut self) {
        // If it stayed as it is, reads would poll first: slower, but right.
        let _ = self.0.set_nonblocking(false);
    }
}
