//! One end of a connection through the proxy: sends, closes and resets, and checks what it receives. Every wait ends
//! after [`TIMEOUT`], which turns a hang into a failure.

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

/// Far longer than any step takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A socket that is not writable for this long counts as full. If it is only slow, less data is in flight, which does
/// no harm.
const FULL_AFTER: Duration = Duration::from_millis(200);

/// The bytes sent before the other end reads them. Every socket buffer holds more.
const CHUNK_BYTES: u64 = 16 * 1024;

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Upstream,
}

/// One end, with the payloads to send and to expect.
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
    /// The end at `side` of the connection with this id.
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

    /// Sends `bytes` to `other`, which reads them chunk by chunk.
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

    /// Sends up to `bytes` without blocking. Returns the number of bytes sent.
    pub fn send_some(&mut self, bytes: u64) -> Outcome<u64> {
        self.send_at_once(bytes).map_err(|error| io_failure(self.side, "sending", &error.into()))
    }

    /// Sends up to `bytes` while a reset is on its way. The reset must arrive during the send or after it.
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

    /// Sends until the socket stays full. Returns the number of bytes sent.
    ///
    /// # Errors
    /// More is sent than the kernel's buffers can hold, so the proxy must have buffered it.
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

    /// Closes with a RST.
    pub fn reset(self) -> Outcome {
        Ok(rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).map_err(std::io::Error::from)?)
    }

    /// Expects a FIN, and no data before it.
    #[track_caller]
    pub fn expect_fin(&mut self) -> Outcome {
        match (&self.stream).read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Failure::new(format!("{} got unexpected bytes instead of a FIN", self.side))),
            Err(error) => Err(io_failure(self.side, "waiting for a FIN", &error)),
        }
    }

    /// Expects a RST, after any part of the sent bytes.
    #[track_caller]
    pub fn expect_reset(&mut self) -> Outcome {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match (&self.stream).read(&mut buffer) {
                Ok(0) => return Err(Failure::new(format!("{} got a FIN instead of a reset", self.side))),
                Ok(received) => self.incoming.verify(&buffer[..received])?,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(io_failure(self.side, "waiting for a reset", &error)),
            }
        }
    }

    /// Expects a RST after a FIN. Reads keep returning the FIN's EOF, so only poll(2) reports the RST.
    #[track_caller]
    pub fn expect_reset_after_fin(&self) -> Outcome {
        let events = poll_events(&self.stream, PollFlags::empty(), TIMEOUT)?;
        let what = || format!("{} saw no reset after the FIN: {events:?}", self.side);
        ensure(events.contains(PollFlags::ERR), what)
    }

    /// Expects neither data nor an end for this time.
    #[track_caller]
    pub fn expect_silence(&self, during: Duration) -> Outcome {
        let events = poll_events(&self.stream, PollFlags::IN, during)?;
        ensure(events.is_empty(), || format!("{} got something instead of silence: {events:?}", self.side))
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
                Ok(received) => self.payload.verify(&buffer[..received])?,
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

/// The events that poll(2) reports for `stream` within `timeout`, or none.
fn poll_events(stream: &TcpStream, wanted: PollFlags, timeout: Duration) -> Outcome<PollFlags> {
    let mut fds = [PollFd::new(stream, wanted)];
    let timeout = Timespec::try_from(timeout).map_err(|error| Failure::new(error.to_string()))?;
    poll(&mut fds, Some(&timeout)).map_err(std::io::Error::from)?;
    Ok(fds[0].revents())
}

#[track_caller]
fn io_failure(side: Side, doing: &str, error: &std::io::Error) -> Failure {
    // A socket timeout would print as "Resource temporarily unavailable".
    let hangs = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
    let why = if hangs { format!("nothing moved for {} s", TIMEOUT.as_secs()) } else { error.to_string() };
    Failure::new(format!("{side}, {doing}: {why}"))
}

/// The most bytes that can be in flight from one end to the other: a send and a receive buffer on each leg, plus 4 MiB
/// that the proxy itself may hold.
fn max_in_flight() -> u64 {
    let largest = |which: &str| {
        let limits = fs::read_to_string(format!("/proc/sys/net/ipv4/{which}")).unwrap_or_default();
        // The third value is the limit of autotuning (tcp(7)). 32 MiB is the largest default of any kernel so far.
        limits.split_whitespace().nth(2).and_then(|bytes| bytes.parse().ok()).unwrap_or(32 << 20)
    };
    2 * (largest("tcp_wmem") + largest("tcp_rmem")) + (4 << 20)
}
