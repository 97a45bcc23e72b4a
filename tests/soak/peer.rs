//! One end of a connection through the proxy: what a client or an upstream may do to the other, and how it sees what the
//! other did. Every wait ends by itself: [`PATIENCE`] makes a failure of a hang.

use std::fmt;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::failure::{Failure, Outcome, ensure};
use crate::payload::Payload;

/// Far more than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A socket that takes nothing for so long is taken to be full. Were it only slow, less would be in flight: no harm.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// What one step of a conversation sends before the other end reads it; no socket is too small for it.
const CHUNK_BYTES: u64 = 16 * 1024;

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Upstream,
}

/// An end that knows what to send and what must come.
#[derive(Debug)]
pub struct Peer {
    side: Side,
    stream: TcpStream,
    outgoing: Payload,
    incoming: Payload,
}

/// The sending half of a peer.
pub struct Sender<'a> {
    side: Side,
    stream: &'a TcpStream,
    payload: &'a mut Payload,
}

/// The receiving half of a peer.
pub struct Receiver<'a> {
    side: Side,
    stream: &'a TcpStream,
    payload: &'a mut Payload,
}

impl Peer {
    /// The end at `side` of the connection that `ticket` names.
    pub fn new(side: Side, stream: TcpStream, id: u64) -> Outcome<Self> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        let (up, down) = (Payload::new(id), Payload::new(!id));
        let (outgoing, incoming) = if side == Side::Client { (up, down) } else { (down, up) };
        Ok(Self { side, stream, outgoing, incoming })
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub fn halves(&mut self) -> (Sender<'_>, Receiver<'_>) {
        let (side, stream) = (self.side, &self.stream);
        (Sender { side, stream, payload: &mut self.outgoing }, Receiver { side, stream, payload: &mut self.incoming })
    }

    #[track_caller]
    pub fn send(&mut self, bytes: u64) -> Outcome {
        self.halves().0.send(bytes)
    }

    #[track_caller]
    pub fn receive(&mut self, bytes: u64) -> Outcome {
        self.halves().1.receive(bytes)
    }

    /// Sends `bytes` to `other`, who reads along.
    #[track_caller]
    pub fn send_to(&mut self, other: &mut Self, mut bytes: u64) -> Outcome {
        while bytes > 0 {
            let chunk = bytes.min(CHUNK_BYTES);
            self.send(chunk)?;
            other.receive(chunk)?;
            bytes -= chunk;
        }
        Ok(())
    }

    /// Sends as much of `bytes` as the socket takes at once, and returns how much it took.
    pub fn send_some(&mut self, bytes: u64) -> Outcome<u64> {
        self.send_at_once(bytes).map_err(|error| io_failure(self.side, "sending", &error.into()))
    }

    /// Sends some of `bytes` while a reset is on its way, which comes now or then.
    #[track_caller]
    pub fn send_into_a_reset(&mut self, bytes: u64) -> Outcome {
        match self.send_at_once(bytes) {
            Ok(_) => self.expect_reset(),
            Err(Errno::CONNRESET) => Ok(()),
            Err(error) => Err(io_failure(self.side, "sending", &error.into())),
        }
    }

    fn send_at_once(&mut self, bytes: u64) -> Result<u64, Errno> {
        let mut sent = 0;
        while sent < bytes {
            match send(&self.stream, self.outgoing.next_bytes(bytes - sent), SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
            {
                Ok(took) => {
                    self.outgoing.advance(took);
                    sent += took as u64;
                }
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Sends until nothing more is taken, and returns how much was.
    ///
    /// # Errors
    /// More is taken than the kernel's buffers can hold: the proxy keeps what it should not have read yet.
    pub fn fill(&mut self) -> Outcome<u64> {
        let (mut sent, most) = (0, max_in_flight());
        loop {
            sent += self.send_some(most)?;
            ensure(sent < most, || format!("{} MiB are in flight to a peer that does not read", sent >> 20))?;
            if poll_events(&self.stream, PollFlags::OUT, FULL_AFTER)?.is_empty() {
                return Ok(sent);
            }
        }
    }

    /// Sends a FIN.
    pub fn send_fin(&self) -> Outcome {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// Leaves with a RST.
    pub fn reset(self) -> Outcome {
        Ok(rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).map_err(std::io::Error::from)?)
    }

    /// The next that comes must be a FIN.
    #[track_caller]
    pub fn expect_fin(&mut self) -> Outcome {
        match (&self.stream).read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Failure::new(format!("{} got bytes that nobody sent, where a FIN was due", self.side))),
            Err(error) => Err(io_failure(self.side, "waiting for a FIN", &error)),
        }
    }

    /// A RST must come, after no more than what was sent.
    #[track_caller]
    pub fn expect_reset(&mut self) -> Outcome {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Err(Failure::new(format!("{} got a FIN where a reset was due", self.side))),
                Ok(came) => self.incoming.verify(&buffer[..came])?,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(io_failure(self.side, "waiting for a reset", &error)),
            }
        }
    }

    /// A RST must come although a FIN came before it: then a read only tells of the FIN, and poll(2) of the rest.
    #[track_caller]
    pub fn expect_reset_after_fin(&self) -> Outcome {
        let events = poll_events(&self.stream, PollFlags::empty(), TIMEOUT)?;
        let what = || format!("{} saw no reset after the FIN: {events:?}", self.side);
        ensure(events.contains(PollFlags::ERR), what)
    }

    /// Nothing may come, no end either, for as long as is worth waiting.
    #[track_caller]
    pub fn expect_silence(&self, during: Duration) -> Outcome {
        let events = poll_events(&self.stream, PollFlags::IN, during)?;
        ensure(events.is_empty(), || format!("{} got something where silence was due: {events:?}", self.side))
    }
}

impl Sender<'_> {
    #[track_caller]
    pub fn send(&mut self, mut bytes: u64) -> Outcome {
        while bytes > 0 {
            let sent = self.stream.write(self.payload.next_bytes(bytes));
            let sent = sent.map_err(|error| io_failure(self.side, "sending", &error))?;
            self.payload.advance(sent);
            bytes -= sent as u64;
        }
        Ok(())
    }
}

impl Receiver<'_> {
    #[track_caller]
    pub fn receive(&mut self, bytes: u64) -> Outcome {
        let end = self.payload.position() + bytes;
        let mut buffer = vec![0; usize::try_from(bytes.min(256 * 1024)).unwrap_or(0)];
        while self.payload.position() < end {
            let wanted = usize::try_from(end - self.payload.position()).unwrap_or(usize::MAX).min(buffer.len());
            match self.stream.read(&mut buffer[..wanted]) {
                Ok(0) => return Err(self.cut_short(end)),
                Ok(came) => self.payload.verify(&buffer[..came])?,
                Err(error) => return Err(io_failure(self.side, "receiving", &error)),
            }
        }
        Ok(())
    }

    #[track_caller]
    fn cut_short(&self, end: u64) -> Failure {
        Failure::new(format!("{} got a FIN after {} of {end} bytes", self.side, self.payload.position()))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client",
            Self::Upstream => "the upstream",
        })
    }
}

/// What `poll(2)` tells of `stream` within `patience`; nothing if there is nothing to tell.
fn poll_events(stream: &TcpStream, wanted: PollFlags, timeout: Duration) -> Outcome<PollFlags> {
    let mut fds = [PollFd::new(stream, wanted)];
    let timeout = Timespec::try_from(timeout).map_err(|error| Failure::new(error.to_string()))?;
    poll(&mut fds, Some(&timeout)).map_err(std::io::Error::from)?;
    Ok(fds[0].revents())
}

#[track_caller]
fn io_failure(side: Side, doing: &str, error: &std::io::Error) -> Failure {
    // A timeout of a socket reads as "Resource temporarily unavailable".
    let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    let why = if hangs { format!("nothing moved for {} s", TIMEOUT.as_secs()) } else { error.to_string() };
    Failure::new(format!("{side}, {doing}: {why}"))
}

/// What can be on its way from one end to the other: a send and a receive buffer on each leg, and 4 MiB for what the
/// proxy itself may hold.
fn max_in_flight() -> u64 {
    let largest = |which: &str| {
        let limits = fs::read_to_string(format!("/proc/sys/net/ipv4/{which}")).unwrap_or_default();
        // The third of them is where autotuning ends (tcp(7)); 32 MiB is the largest default of any kernel so far.
        limits.split_whitespace().nth(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(32 << 20)
    };
    2 * (largest("tcp_wmem") + largest("tcp_rmem")) + (4 << 20)
}
