//! Moves bytes from one socket to another and looks at none of them. A stream that trickles goes through a small buffer
//! on the stack, as reading and writing is the quickest way for a message; one that surges goes through a pipe, without
//! being copied (`pipe_pool`), until it falls quiet. So an idle connection holds neither.

use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::proxy::forward::pipe_pool::{self, Pipe};
use crate::proxy::forward::side::Side;
use crate::proxy::socket::wait::wait;

/// Room for most messages, on the stack, where it costs nothing: an idle thread has two pages of it resident, and this
/// and all that its connection's thread did before fit in there. A read that fills it means that more is coming.
const SMALL_BYTES: usize = 1024;

/// The buffer of a surge without a pipe: at 64 KiB the cost of the calls is small beside that of copying.
const BULK_BYTES: usize = 64 * 1024;

/// A surge is over when nothing comes for this long, which is longer than a retransmission takes (200 ms at least,
/// `TCP_RTO_MIN` in `include/net/tcp.h`), so that a real network's hiccup does not end it.
const QUIET: Duration = Duration::from_millis(250);

/// Or when so many pieces in a row would have fit into the small buffer.
const SMALL_PIECES: u32 = 16;

/// How a relay came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The source has sent its FIN, and all before it is written.
    Eof,
    /// The source was reset.
    SourceLost,
    /// The sink was reset, or takes no more.
    SinkLost,
}

/// One direction of a connection.
#[derive(Clone, Copy)]
pub struct PlainPath<'a> {
    pub source: &'a Side<'a>,
    pub sink: &'a Side<'a>,
}

impl PlainPath<'_> {
    /// Copies until the source ends or one of the two is lost.
    pub fn run(&self) -> Stopped {
        loop {
            if let Err(stopped) = self.copy_small().and_then(|()| self.copy_bulk()) {
                return stopped;
            }
        }
    }

    /// Waits in a read that is ready for little; returns once there is more than that. Never inlined: its buffer would
    /// lie under the calls that log the end of the connection, whose depth decides how many pages an idle thread has.
    #[inline(never)]
    fn copy_small(&self) -> Result<(), Stopped> {
        let mut buffer = [MaybeUninit::uninit(); SMALL_BYTES];
        while self.copy(&mut buffer)? < SMALL_BYTES {}
        Ok(())
    }

    /// Returns once the stream has fallen quiet. A pipe or a buffer is taken for each piece and not held while there is
    /// none: many streams that surge now and then share a few.
    fn copy_bulk(&self) -> Result<(), Stopped> {
        let _unblocked = Unblocked::new(self.sink.stream);
        let mut small_pieces = 0;
        while small_pieces < SMALL_PIECES && !self.is_quiet() {
            let moved = match pipe_pool::borrow() {
                Some(mut pipe) => self.splice(&mut pipe)?,
                None => self.copy(&mut vec![MaybeUninit::uninit(); BULK_BYTES])?,
            };
            small_pieces = if moved < SMALL_BYTES { small_pieces + 1 } else { 0 };
        }
        Ok(())
    }

    /// One piece through a pipe; returns how much it was.
    fn splice(&self, pipe: &mut Pipe) -> Result<usize, Stopped> {
        match pipe.fill(self.source.stream) {
            Ok(0) => Err(Stopped::Eof),
            Ok(filled) => self.empty(pipe).map(|()| filled),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            // Not every socket can be spliced (splice(2)).
            Err(Errno::INVAL) => self.copy(&mut vec![MaybeUninit::uninit(); BULK_BYTES]),
            Err(_) => Err(Stopped::SourceLost),
        }
    }

    fn empty(&self, pipe: &mut Pipe) -> Result<(), Stopped> {
        while !pipe.is_empty() {
            match pipe.pour(self.sink.stream) {
                Ok(poured) => self.count(poured),
                Err(Errno::AGAIN) => self.wait_for_room()?,
                Err(Errno::INTR) => {}
                Err(_) => return Err(Stopped::SinkLost),
            }
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        self.wait_for_more(Some(Instant::now() + QUIET)).is_empty()
    }

    fn wait_for_more(&self, due: Option<Instant>) -> PollFlags {
        let mut readable = [PollFd::new(self.source.stream, PollFlags::IN)];
        wait(&mut readable, due);
        readable[0].revents()
    }

    /// One read and what it takes to write it; returns how much it was.
    fn copy(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<usize, Stopped> {
        loop {
            match recv(self.source.stream, &mut *buffer, RecvFlags::empty()) {
                Ok((_, 0)) => return Err(Stopped::Eof),
                Ok(((bytes, _), filled)) => return self.write_all(bytes).map(|()| filled),
                // While the other direction surges into our source, reads of it don't block either.
                Err(Errno::AGAIN) => drop(self.wait_for_more(None)),
                Err(Errno::INTR) => {}
                Err(_) => return Err(Stopped::SourceLost),
            }
        }
    }

    fn write_all(&self, mut bytes: &[u8]) -> Result<(), Stopped> {
        while !bytes.is_empty() {
            let written = self.write_some(bytes)?;
            self.count(written);
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Like a blocking write, but ends as well when the source is reset: a sink that stands still must not hide that.
    fn write_some(&self, bytes: &[u8]) -> Result<usize, Stopped> {
        loop {
            match send(self.sink.stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(written) => return Ok(written),
                Err(Errno::AGAIN) => self.wait_for_room()?,
                Err(Errno::INTR) => {}
                Err(_) => return Err(Stopped::SinkLost),
            }
        }
    }

    fn wait_for_room(&self) -> Result<(), Stopped> {
        // Asking for no event still reports errors and hang-ups (poll(2)).
        let mut fds =
            [PollFd::new(self.sink.stream, PollFlags::OUT), PollFd::new(self.source.stream, PollFlags::empty())];
        wait(&mut fds, None);
        let source = fds[1].revents();
        if self.source.is_reset(source) {
            return Err(Stopped::SourceLost);
        }
        if source.contains(PollFlags::HUP) {
            // Closed in both directions in good order: it has nothing more to tell, and would end every poll at once.
            wait(&mut fds[..1], None);
        }
        Ok(())
    }

    fn count(&self, bytes: usize) {
        self.sink.progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A sink that refuses instead of waiting, as long as this lives. `SPLICE_F_NONBLOCK` is about the pipe only: whether
/// splicing into a socket waits is up to the socket's own mode (`splice_to_socket` in `fs/splice.c`). Only one direction
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
